"""What is in the records of many cases that the model does not use, or that a clinician must hear of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from diagnosis.errors import RecordsError, nearest
from diagnosis.features.rows import finding_key
from diagnosis.features.values import groups, in_unit, usable
from diagnosis.records import Records
from diagnosis.vocabulary import Vocabulary
from diagnosis.vocabulary.unit_swaps import implausible

if TYPE_CHECKING:
    from diagnosis.features.values import ValueScale
    from diagnosis.records.coded import CodedFindings

__all__ = [
    "SetAside",
    "ages_in_days",
    "implausible_rows",
    "implausible_values",
    "near_names",
    "plausible",
    "refuse_contradictions",
    "values_set_aside",
]

T = TypeVar("T")
_YEAR = 365.25
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class SetAside:
    """Values of one case that training's knowledge of their finding bears on: not used, or used in a unit assumed.

    Attributes
    ----------
    without_unit : mapping of str to tuple of str
        Codes of values without a unit where training had several, with the units known.
    far : tuple of str
        Codes of values far outside everything seen in training, sorted.
    assumed : mapping of str to tuple of float and str
        Codes of values without a unit that are used, with the value and the unit it is taken to be in.
    foreign : mapping of str to tuple of float and str
        Codes of values whose unit does not convert, with the value and the unit as recorded.
    """

    without_unit: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    far: tuple[str, ...] = ()
    assumed: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    foreign: Mapping[str, tuple[float, str]] = field(default_factory=dict)


def values_set_aside(records: Records, scales: Mapping[str, ValueScale]) -> dict[int, SetAside]:
    """Return the values that encoding does not use for what training knows of their finding, or assumes the unit of.

    By case; `scales` are an encoder's ``values_``. Cases without such a value are left out.
    """
    coded = records.coded
    units: dict[int, dict[str, tuple[str, ...]]] = {}
    far: dict[int, set[str]] = {}
    assumed: dict[int, dict[str, tuple[float, str]]] = {}
    foreign: dict[int, dict[str, tuple[float, str]]] = {}
    rows = np.flatnonzero(np.isfinite(coded.value) & coded.latest) if scales else np.zeros(0, np.intp)
    for code, subject, number, here in _alike(coded, rows):
        name = str(coded.codes[code])
        scale = scales.get(finding_key(name, None if subject < 0 else str(coded.subjects[subject])))
        if scale is None:
            continue
        if number < 0 and scale.mixed:
            for row in here.tolist():
                units.setdefault(int(coded.case[row]), {})[name] = scale.mixed
            continue
        given = None if number < 0 else str(coded.units[number])
        value = in_unit(coded.value[here], given, scale.unit, scale.loinc)
        if value is None:
            for row in here.tolist():
                foreign.setdefault(int(coded.case[row]), {})[name] = float(coded.value[row]), str(given)
            continue
        outside = (value < scale.ends[0]) | (value > scale.ends[1])
        for row in here[usable(value) & outside].tolist():
            far.setdefault(int(coded.case[row]), set()).add(name)
        if number < 0 and scale.unit and _tells(scale.unit):
            for row in here[usable(value) & ~outside].tolist():
                assumed.setdefault(int(coded.case[row]), {})[name] = float(coded.value[row]), scale.unit
    return {
        i: SetAside(_of(units, i), tuple(sorted(far.get(i, ()))), _of(assumed, i), _of(foreign, i))
        for i in sorted({*units, *far, *assumed, *foreign})
    }


def _of(by_case: Mapping[int, Mapping[str, T]], case: int) -> dict[str, T]:
    """What is known of one case, by code."""
    return dict(sorted(by_case.get(case, {}).items()))


def _tells(unit: str) -> bool:
    """Whether a number without the unit may mean something else: a score, a pH or a plain number has no other."""
    return unit not in ("1", "[pH]") and not unit.startswith("{")


def _alike(coded: CodedFindings, rows: npt.NDArray[np.intp]) -> Iterator[tuple[int, int, int, npt.NDArray[np.intp]]]:
    """Rows of one code, subject and unit together, as those numbers and the rows."""
    n_subjects, n_units = len(coded.subjects) + 1, len(coded.units) + 1
    key = (coded.code[rows].astype(np.int64) * n_subjects + coded.subject[rows] + 1) * n_units + coded.unit[rows] + 1
    for number, here in groups(key):
        named, unit = divmod(number, n_units)
        code, subject = divmod(named, n_subjects)
        yield code, subject - 1, unit - 1, rows[here]


def ages_in_days(records: Records) -> npt.NDArray[np.float64]:
    """Age of each case in days: `age_days`, else `age_years`; NaN where neither is known."""
    days = records.column("age_days")
    return np.where(np.isnan(days), records.column("age_years") * _YEAR, days)


def implausible_rows(records: Records) -> npt.NDArray[np.bool_]:
    """Say which rows of findings hold a value that no living patient has (``plausible_values.csv``).

    A value without a unit is taken to be in the unit that the vocabulary states, as it is in encoding.
    """
    coded, words = records.coded, records.vocabulary
    found = np.zeros(len(coded), dtype=bool)
    for code, _, number, here in _alike(coded, np.flatnonzero(np.isfinite(coded.value))):
        name = str(coded.codes[code])
        unit = words.unit(name) if number < 0 else str(coded.units[number])
        if unit is not None:
            found[here] = implausible(coded.value[here], unit, words.loinc(name))
    return found


def implausible_values(records: Records, rows: npt.NDArray[np.bool_]) -> dict[int, tuple[str, ...]]:
    """Return the codes of the rows that hold an implausible value, sorted, by case; cases without one are left out."""
    coded = records.coded
    found: dict[int, set[str]] = {}
    for row in np.flatnonzero(rows).tolist():
        found.setdefault(int(coded.case[row]), set()).add(str(coded.codes[coded.code[row]]))
    return {case: tuple(sorted(codes)) for case, codes in found.items()}


def plausible(records: Records, rows: npt.NDArray[np.bool_] | None = None) -> Records:
    """Leave out rows with a value no living patient has: flagged, shown, and no evidence.

    `rows` are those of `implausible_rows`, where they are known.
    """
    rows = implausible_rows(records) if rows is None else rows
    return records.without(rows) if rows.any() else records


def near_names(unknown: Sequence[str], words: Vocabulary) -> dict[str, tuple[str, ...]]:
    """Return the nearest findings of texts that may be misspelt, or names where a code belongs; none that is unlike.

    A finding stands with its code, and with the name by which it was found where that is another.
    Codes of a code system (with a colon) are not compared: two codes that look alike mean different things.
    """
    made = {}
    known: dict[str, str] | None = None
    for text in unknown[:_MOST_NAMES]:
        if ":" in text:
            continue
        if known is None:
            known = _codes_by_name(words)
        if near := nearest(text, known):
            shown = {known[name]: name for name in reversed(near)}
            codes = dict.fromkeys(known[name] for name in near)
            made[text] = tuple(code if shown[code] == code else f"{code} {shown[code]}" for code in codes)
    return made


def _codes_by_name(words: Vocabulary) -> dict[str, str]:
    """Every name of a finding, and its code where it reads as a word; the first finding of a name."""
    made: dict[str, str] = {}
    for term in words.findings.values():
        for name in (*(() if ":" in term.code else (term.code,)), *term.names.values(), *term.synonyms):
            made.setdefault(name, term.code)
    return made


def refuse_contradictions(records: Records) -> None:
    """Check what no row shows alone in records that were read without it: as `Records.from_tables` does, only faster.

    Raises
    ------
    RecordsError
        A finding both present and absent at the same instant, or a value with another state than present.
    """
    coded = records.coded
    odd = (coded.status != 0) & np.isfinite(coded.value)
    if not coded.latest.all():
        key = coded.case.astype(np.int64) * len(coded.codes) + coded.code
        again = np.flatnonzero(np.isin(key, key[~coded.latest]))
        present, absent = (np.unique(key[again[coded.status[again] == state]]) for state in (0, 1))
        odd[again] |= np.isin(key[again], np.intersect1d(present, absent, assume_unique=True))
    cases = np.unique(coded.case[odd])
    if len(cases):  # it may be a course in time
        try:
            _check(records[cases])
        except RecordsError:
            _check(records)  # all of them, for the numbers of the rows
            raise


def _check(records: Records) -> None:
    Records.from_tables({name: records.arrow(name) for name in records.names}, records.info)
