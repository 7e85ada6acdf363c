"""Patient, Encounter and Organization -> rows from which cases are made."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from diagnosis.readers.fhir.account import Fate
from diagnosis.readers.fhir.references import NOBODY, named
from diagnosis.readers.fhir.row_reader import Links, RowReader
from diagnosis.readers.fhir.rows import Rows
from diagnosis.readers.fhir.terms import word_of
from diagnosis.readers.fhir.times import day_of
from diagnosis.readers.fhir.versions import OtherVersionError

__all__ = ["DIAGNOSIS_LAYOUT", "ENCOUNTER_LAYOUT", "PATIENT_LAYOUT", "Encounters", "Patients"]

_CODED = pa.dictionary(pa.int32(), pa.string())
_INT, _TEXT = pa.int64(), pa.string()

#: One row a patient; days are since 1970, two of them where only a month or a year is written.
PATIENT_LAYOUT: Mapping[str, pa.DataType] = MappingProxyType(
    {"resource": _INT, "key": _INT, "id": _TEXT, "born_first": _INT, "born_last": _INT, "sex": _CODED}
)
#: One row an encounter; `day_first` and `day_last` are the calendar days its start may mean, as it is written.
ENCOUNTER_LAYOUT: Mapping[str, pa.DataType] = MappingProxyType(
    {
        "resource": _INT,
        "key": _INT,
        "id": _TEXT,
        "patient": _INT,
        "start": _INT,
        "end": _INT,
        "day_first": _INT,
        "day_last": _INT,
        "setting": _CODED,
        "department": _CODED,
        "site": _CODED,
        "disposition": _CODED,
        "visit": _CODED,
    }
)
#: One row an entry of `Encounter.diagnosis`.
DIAGNOSIS_LAYOUT: Mapping[str, pa.DataType] = MappingProxyType(
    {"resource": _INT, "encounter": _INT, "condition": _INT, "use": _CODED, "rank": _INT}
)

_STATUS = {
    **dict.fromkeys(("arrived", "triaged", "in-progress", "onleave", "finished", "unknown")),
    "planned": Fate.CANCELLED,
    "cancelled": Fate.CANCELLED,
    "entered-in-error": Fate.IN_ERROR,
}
# HL7 v3 ActEncounterCode.
_SETTINGS = {
    **dict.fromkeys(("AMB", "SS", "PRENC"), "outpatient"),
    **dict.fromkeys(("IMP", "ACUTE", "NONAC", "OBSENC"), "inpatient"),
    **dict.fromkeys(("HH", "FLD"), "community"),
    "EMER": "emergency",
    "VR": "telemedicine",
}
# SNOMED CT: follow-up encounter, follow-up visit, follow-up consultation.
_FOLLOW_UPS = ("390906007", "185389009", "77406008")
_SEXES = ("male", "female", "other", "unknown")


class Patients:
    """Reads Patients into `rows`; `others` maps further names of a patient (a bundle's urn) to its key."""

    def __init__(self) -> None:
        self.rows = Rows(PATIENT_LAYOUT)
        self.unknown_sexes = 0

    def take(self, resource: Mapping[str, Any], number: int, key: int, ident: str) -> tuple[Fate, int]:
        """Read one; its fate.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            It is not built as R4 says.
        """
        sex = resource.get("gender")
        if sex not in (None, *_SEXES):
            raise ValueError("a gender that R4 does not have")
        born = resource.get("birthDate")
        days = None if born is None else day_of(born)
        if born is not None and days is None:
            raise ValueError("a birth date that is none")
        self.rows.add((number, key, ident, *(days or (None, None)), sex))
        return Fate.USED, 0


class Encounters(RowReader):
    """Reads Encounters into `rows`, and their diagnoses into `diagnoses`."""

    def __init__(self, links: Links) -> None:
        super().__init__(ENCOUNTER_LAYOUT, links)
        self.diagnoses = Rows(DIAGNOSIS_LAYOUT)
        self._conditions = links.conditions

    def take(self, resource: Mapping[str, Any], number: int, key: int, ident: str) -> tuple[Fate, int]:
        """Read one; its fate.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            It is not built as R4 says.
        """
        kind = resource.get("class")
        if isinstance(kind, list):
            raise OtherVersionError(Fate.R5)
        if isinstance(kind, str):
            raise OtherVersionError(Fate.STU3)
        left_out = _STATUS[resource["status"]]
        if left_out is not None:
            # It stays known, so that what belongs to it can be told from what belongs to nothing.
            self.rows.add((number, key, ident, NOBODY, *(None,) * 9))
            return left_out, int(left_out is Fate.IN_ERROR)
        period = resource.get("period") or {}
        start, end = self._time(period.get("start")), self._time(period.get("end"))
        days = (start and day_of(period.get("start"))) or (None, None)
        stay = resource.get("hospitalization") or {}
        row = (
            self._patients(resource.get("subject")),
            *(start[0] if start else None, end[1] if end else None, *days),
            _SETTINGS.get((kind or {}).get("code") or ""),
            word_of(resource.get("serviceType")),
            _name_of(resource.get("serviceProvider")),
            _code_of(stay.get("dischargeDisposition")),
            _visit(resource.get("type")),
        )
        for entry in resource.get("diagnosis") or ():
            self._diagnosis(entry, number, key)
        self.rows.add((number, key, ident, *row))
        return Fate.USED, 0

    def _diagnosis(self, entry: Mapping[str, Any], number: int, key: int) -> None:
        if "role" in entry:
            raise OtherVersionError(Fate.STU3)
        rank = entry.get("rank")
        if rank is not None and (type(rank) is not int or not 0 < rank < 1 << 31):
            raise ValueError("a rank is a whole number from 1")
        self.diagnoses.add((number, key, self._conditions(entry["condition"]), _code_of(entry.get("use")), rank))


def _name_of(reference: Mapping[str, Any] | None) -> str | None:
    """The id of the organisation that is referred to, else what it is called."""
    if reference is None:
        return None
    text = reference.get("reference")
    name = named(text, "Organization") if text is not None else reference.get("display")
    if name is not None and not isinstance(name, str):
        raise TypeError("a name is text")
    return name


def _code_of(concept: Mapping[str, Any] | None) -> str | None:
    """The first code of a concept, else its words."""
    if concept is None:
        return None
    for coding in concept.get("coding") or ():
        code = coding.get("code")
        if code:
            if not isinstance(code, str):
                raise TypeError("a code is text")
            return code
    return word_of(concept)


def _visit(types: Any) -> str | None:
    for concept in types or ():
        for coding in concept.get("coding") or ():
            if coding.get("code") in _FOLLOW_UPS:
                return "follow_up"
    return None
