"""What the codes of events are about, by the patterns that extractions into MEDS use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from fnmatch import translate

import numpy as np
import numpy.typing as npt

from diagnosis.errors import InputError, nearest
from diagnosis.vocabulary import is_unit

__all__ = ["Kind", "Kinds", "MedsCodes", "sex_of", "unit_in_code"]


class Kind(IntEnum):
    """What an event is about."""

    FINDING = 0
    BIRTH = 1
    DEATH = 2
    SEX = 3
    DISCHARGE = 4
    PROCEDURE = 5
    MEDICATION = 6
    DIAGNOSIS = 7
    ADMINISTRATIVE = 8


@dataclass(frozen=True, slots=True)
class MedsCodes:
    """Patterns of codes, ``*`` standing for anything, in any case; the first field that fits a code counts.

    What fits none is a finding. The defaults cover the extractions of MIMIC-IV, eICU and OMOP.

    Parameters
    ----------
    birth, death, sex : tuple of str
        Become age, outcome and sex.
    discharge : tuple of str
        Ends the encounter; what follows the first ``//`` is the disposition.
    procedure, medication : tuple of str
        Become `actions`.
    diagnosis : tuple of str
        Become `labels`.
    administrative : tuple of str
        Are counted and left out: transfers, billing groups that are coded after discharge, insurance.

    Examples
    --------
    >>> MedsCodes(diagnosis=("PROBLEM//*",)).diagnosis
    ('PROBLEM//*',)
    """

    birth: tuple[str, ...] = ("MEDS_BIRTH",)
    death: tuple[str, ...] = ("MEDS_DEATH", "MEDS_DEATH//*")
    sex: tuple[str, ...] = ("SEX//*", "GENDER//*", "SEX/*", "GENDER/*")
    discharge: tuple[str, ...] = ("HOSPITAL_DISCHARGE*", "DISCHARGE//*", "ENCOUNTER//END*", "VISIT//END*")
    procedure: tuple[str, ...] = (
        *("PROCEDURE//*", "PROCEDURE/*", "ICD10PCS*", "ICD9PROC*", "CPT4/*", "CPT//*", "HCPCS*", "DEVICE//*"),
    )
    medication: tuple[str, ...] = (
        *("MEDICATION//*", "MEDICATION/*", "DRUG//*", "INFUSION_START//*", "INFUSION_END//*", "RXNORM*", "NDC*"),
        *("ATC//*", "ATC/*", "CVX/*"),
    )
    diagnosis: tuple[str, ...] = ("DIAGNOSIS//*", "DIAGNOSIS/*", "CONDITION//*", "ICD*")
    administrative: tuple[str, ...] = (
        *("HOSPITAL_ADMISSION*", "ADMISSION*", "ENCOUNTER//*", "VISIT//*", "VISIT/*", "ED_REGISTRATION*", "ED_OUT*"),
        *("TRANSFER_TO//*", "ICU_ADMISSION*", "ICU_DISCHARGE*", "DRG//*", "INSURANCE//*", "CMS PLACE OF SERVICE/*"),
        *("JUDGEMENT//*", "ACTION//*"),  # of `write_meds`: diagnoses that are not confirmed, actions of other kinds
    )

    @classmethod
    def of(cls, codes: MedsCodes | Mapping[str, Sequence[str]] | None) -> MedsCodes:
        """Make of a mapping from field to patterns, as a config has it; defaults for the other fields.

        Raises
        ------
        InputError
            A field that is none.
        """
        if codes is None or isinstance(codes, MedsCodes):
            return codes or cls()
        known = [f.name for f in fields(cls)]
        if not isinstance(codes, Mapping) or set(codes) - set(known):
            wrong = next((str(name) for name in codes if name not in known), "") if isinstance(codes, Mapping) else ""
            near = nearest(wrong, known)
            raise InputError(f"codes by {', '.join(known)}", "found something else", "use these names", near=near)
        return cls(**{n: tuple(p) if isinstance(p, list | tuple) else (p,) for n, p in codes.items()})


class Kinds:
    """Tells the kind of codes; each code is looked at once.

    Parameters
    ----------
    codes : MedsCodes
    index : sequence of str
        Patterns of index events; none for the last event.
    """

    def __init__(self, codes: MedsCodes, index: Sequence[str]) -> None:
        self._patterns = [(Kind[f.name.upper()], _compiled(getattr(codes, f.name), f.name)) for f in fields(codes)]
        self._index = _compiled(index, "index")
        self._known: dict[str, tuple[int, bool]] = {}

    def of(self, codes: Sequence[str]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
        """Kind of each code, and whether it is an index event."""
        pairs = [self._known.get(code) or self._look(code) for code in codes]
        kinds = np.array([kind for kind, _ in pairs], np.int8)
        return kinds, np.array([index for _, index in pairs], np.bool_)

    def _look(self, code: str) -> tuple[int, bool]:
        kind = next((kind for kind, pattern in self._patterns if pattern.match(code)), Kind.FINDING)
        made = self._known[code] = (int(kind), bool(self._index.match(code)))
        return made


def _compiled(patterns: Sequence[str], name: str) -> re.Pattern[str]:
    listed = [patterns] if isinstance(patterns, str) else list(patterns)
    if any(not isinstance(one, str) or not one for one in listed):
        raise InputError(
            f"{name} as patterns of codes", "found something that is no text", 'give texts such as "DIAGNOSIS//*"'
        )
    # Without a pattern nothing fits: an empty alternative would fit everything.
    return re.compile("|".join(translate(one) for one in listed) or r"(?!)", re.IGNORECASE)


_SEXES = {
    **dict.fromkeys(("M", "MALE", "8507"), "male"),
    **dict.fromkeys(("F", "FEMALE", "8532"), "female"),
    **dict.fromkeys(("O", "OTHER", "8521"), "other"),
    **dict.fromkeys(("U", "UNKNOWN", "8551"), "unknown"),
}


def sex_of(code: str) -> str | None:
    """Sex that a code such as ``GENDER//F`` names; None where it is none of the format's.

    Examples
    --------
    >>> sex_of("GENDER//F"), sex_of("SEX//?")
    ('female', None)
    """
    return _SEXES.get(re.split(r"/+", code)[-1].strip().upper())


def unit_in_code(code: str) -> str | None:
    """Unit that stands in a code such as ``LAB//50912//mg/dL``; None where there is none.

    Examples
    --------
    >>> unit_in_code("LAB//50912//mg/dL"), unit_in_code("LAB//50912//UNK")
    ('mg/dL', None)
    """
    parts = code.split("//")
    return parts[-1] if len(parts) > 2 and parts[-1] != "UNK" and is_unit(parts[-1]) else None
