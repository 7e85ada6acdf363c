"""One case by hand -> its row, with dictionary look-ups in the place of tables."""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix

from diagnosis.features.columns import Layout
from diagnosis.features.context import AGE_BANDS, ANSWERS, DAYS_PER_YEAR, PREGNANT, SEX, SEXES
from diagnosis.features.ranges import bent_distance
from diagnosis.features.values import LARGEST, ValueScale, in_unit
from diagnosis.records.case import Case, Finding
from diagnosis.records.schema import TABLES
from diagnosis.vocabulary.ranges import usual_bounds

__all__ = ["CasePlan", "Cells", "case_cells", "row_of"]

Cells = dict[int, float]
_BANDS, _STARTS = tuple(AGE_BANDS), tuple(AGE_BANDS.values())
_NO_WORDS = (None, None)
_STATES = ("present", "absent", "uncertain", "measured", "value", "high", "low", "z", "onset")
_LOW, _HIGH = ("L", "LL"), ("H", "HH")
_LARGEST_FLOAT = sys.float_info.max
# Times that need no knowledge of the records' time zone.
_PLAIN_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})")


def _numbers(table: str) -> tuple[tuple[str, float, float], ...]:
    """Columns of numbers, each with what it must lie between."""
    found = [c for c in TABLES[table].columns.values() if c.type in ("number", "integer")]
    ends = [(-_LARGEST_FLOAT if c.low is None else c.low, _LARGEST_FLOAT if c.high is None else c.high) for c in found]
    return tuple((c.name, low, high) for c, (low, high) in zip(found, ends, strict=True))


_OF_CASE, _OF_FINDING = _numbers("cases"), _numbers("findings")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one finding's columns stand, -1 for none, and under what its range is looked up."""

    finding: int
    unit: str | None
    loinc: str | None
    scale: ValueScale | None
    onset_scale: ValueScale | None
    present: int
    absent: int
    uncertain: int
    measured: int
    value: int
    high: int
    low: int
    z: int
    onset: int


@dataclass(frozen=True, slots=True, eq=False)
class CasePlan:
    """What an encoder needs to encode one case: its columns by name, in plain dictionaries.

    Parameters
    ----------
    layout : Layout
    places : mapping of (code, subject) to _Place
    context : mapping of str to int
        Columns of the case itself by name.
    """

    layout: Layout
    places: Mapping[tuple[str, str | None], _Place]
    context: Mapping[str, int]

    @classmethod
    def of(cls, layout: Layout, range_words: Mapping[str, tuple[str | None, str | None]]) -> CasePlan:
        """Look up every finding's columns once."""
        column = {state: numbers.tolist() for state, numbers in layout.column.items()}
        places = {}
        for (code, subject), i in layout.index.items():
            unit, loinc = range_words.get(code, _NO_WORDS) if subject is None else _NO_WORDS
            finding = layout.findings[i]
            own = {state: column[state][i] for state in _STATES}
            places[code, subject] = _Place(i, unit, loinc, finding.value, finding.onset, **own)
        return cls(layout, places, {name: i for i, (name, _) in enumerate(layout.context.columns())})


def case_cells(case: Case, plan: CasePlan) -> Cells | None:
    """Columns and values of a case's row; None where only the tables can tell.

    That is where two rows of a finding were seen or known together, the encoder looks back in time or spreads findings
    over a hierarchy, or something about the case is not as format 1 wants it.
    """
    layout = plan.layout
    if layout.spread is not None or layout.history:
        return None
    cells = _context_cells(case, plan)
    if cells is None:
        return None
    rows: dict[tuple[str, str | None], list[Finding]] = {}
    for finding in case.findings:
        if not _is_plain(finding):
            return None
        key = (finding.code, None if finding.subject == "patient" else finding.subject)
        rows.setdefault(key, []).append(finding)
    for key, found in rows.items():
        latest = found[0] if len(found) == 1 else _latest(found)
        if latest is None:
            return None
        place = plan.places.get(key)
        if place is not None:
            _add_finding(cells, latest, place, layout, case)
    cells.pop(-1, None)
    return cells


def _latest(found: list[Finding]) -> Finding | None:
    """The last known of rows of one finding; None where two were seen or known together, or a time is in question."""
    by_known: dict[datetime, Finding] = {}
    times = set()
    for finding in found:
        time = _instant(finding.time)
        known = time if finding.known is None else _instant(finding.known)
        if time is None or known is None:
            return None
        times.add(time)
        by_known[known] = finding
    return by_known[max(by_known)] if len(by_known) == len(times) == len(found) else None


def _instant(time: object) -> datetime | None:
    if isinstance(time, datetime):
        return None if time.tzinfo is None else time
    if not isinstance(time, str) or not _PLAIN_TIME.fullmatch(time):
        return None
    try:
        return datetime.fromisoformat(time)
    except ValueError:  # no such day
        return None


def _context_cells(case: Case, plan: CasePlan) -> Cells | None:
    if not _are_inside(case, _OF_CASE) or not case.case_id or case.differential is not None:
        return None
    cells: Cells = {}
    column, age = plan.context, plan.layout.context.age
    years = case.age_years if case.age_days is None else float(case.age_days) / DAYS_PER_YEAR
    if years is not None:
        if age is not None:
            cells[column["age"]] = (min(max(float(years), age.low), age.high) - age.centre) / age.scale
        cells[column.get(f"age_band:{_BANDS[bisect_right(_STARTS, years) - 1]}", -1)] = 1.0
    if case.sex in SEXES:
        cells[column.get(f"{SEX}:{case.sex}", -1)] = 1.0
    if case.pregnant in ANSWERS:
        cells[column.get(f"{PREGNANT}:{case.pregnant}", -1)] = 1.0
    return cells


def _are_inside(given: Case | Finding, columns: tuple[tuple[str, float, float], ...]) -> bool:
    """Whether all numbers are numbers, and lie where format 1 wants them."""
    for name, low, high in columns:
        number = getattr(given, name)
        if number is not None and not (type(number) in (int, float) and low <= number <= high):
            return False
    return True


def _is_plain(finding: Finding) -> bool:
    """Whether the parts that count are what tables would take as they are."""
    texts = (finding.code, finding.unit, finding.text)
    return all(one is None or (type(one) is str and one != "") for one in texts) and _are_inside(finding, _OF_FINDING)


def _add_finding(cells: Cells, finding: Finding, place: _Place, layout: Layout, case: Case) -> None:
    if finding.status == "absent":
        cells[place.absent] = 1.0
        return
    if finding.status == "uncertain":
        cells[place.uncertain] = 1.0
        return
    if finding.text is not None:
        cells[layout.text.get((place.finding, finding.text), -1)] = 1.0
    if finding.onset_days is not None and place.onset_scale is not None:
        cells[place.onset] = _scaled(float(finding.onset_days), None, place.onset_scale)
    value = finding.value
    low, high = finding.ref_low, finding.ref_high
    if value is None:
        cells[place.present] = 1.0
    else:
        cells[place.measured] = 1.0
        if low is None and high is None and place.loinc is not None:
            low, high = _usual(finding, place.loinc, finding.unit or place.unit, case)
        if place.scale is not None:
            cells[place.value] = _scaled(float(value), finding.unit, place.scale)
        if place.z >= 0 and low is not None and high is not None:
            cells[place.z] = _distance(float(value), float(low), float(high))
    too_high, too_low = _sides(finding.interpretation, value, low, high)
    if too_high:
        cells[place.high] = 1.0
    if too_low:
        cells[place.low] = 1.0


def _sides(said: str | None, value: float | None, low: float | None, high: float | None) -> tuple[bool, bool]:
    """Whether a finding is too high, and whether too low: what the laboratory said, else against the range."""
    if said in _LOW or said in _HIGH or said == "N" or value is None:
        return said in _HIGH, said in _LOW
    return high is not None and value > high, low is not None and value < low


def _usual(finding: Finding, loinc: str, unit: str | None, case: Case) -> tuple[float | None, float | None]:
    """The packaged table's range in the finding's unit; None where there is none."""
    age = case.age_days if case.age_days is not None else case.age_years
    if age is None or unit is None:
        return None, None
    days = float(age) if case.age_days is not None else float(age) * DAYS_PER_YEAR
    weeks = None if case.pregnancy_weeks is None else float(case.pregnancy_weeks)
    found = usual_bounds(loinc, days, case.sex, finding.specimen, case.pregnant == "yes", weeks)
    return (None, None) if found is None else _bounds_in(*found, unit, loinc)


@lru_cache(maxsize=4096)
def _bounds_in(low: float, high: float, of: str, unit: str, loinc: str) -> tuple[float | None, float | None]:
    made = in_unit(np.array([low, high]), of, unit, loinc)
    if made is None:
        return None, None
    low, high = made.tolist()
    return None if low != low else low, None if high != high else high


def _scaled(value: float, unit: str | None, scale: ValueScale) -> float:
    """The value on its scale, 0 where it cannot be used: no entry is stored for a 0."""
    if unit is None and scale.mixed:
        return 0.0
    if unit is not None and unit != scale.unit:
        converted = in_unit(np.array([value]), unit, scale.unit, scale.loinc)
        if converted is None:
            return 0.0
        value = float(converted[0])
    least, most = scale.ends
    if not (abs(value) <= LARGEST and least <= value <= most):
        return 0.0
    value = min(max(value, scale.low), scale.high)
    if scale.knee is not None:
        value = float(np.sign(value) * np.log1p(abs(value) / scale.knee))
    return (value - scale.centre) / scale.scale


def _distance(value: float, low: float, high: float) -> float:
    if not (abs(value) <= LARGEST and high > low):
        return 0.0
    _, distance = bent_distance(np.array([value]), np.array([low]), np.array([high]))
    return float(distance[0]) if len(distance) else 0.0


def row_of(cells: Cells, n_columns: int) -> csr_matrix:
    """Make the row of its cells, as the tables make it: sorted, float32, no zeros stored."""
    columns = sorted(cells)
    data = np.array([cells[column] for column in columns], np.float32)
    indices = np.array(columns, np.int32)
    if not data.all():
        indices, data = indices[data != 0], data[data != 0]
    row = csr_matrix((data, indices, np.array([0, len(data)], np.int32)), shape=(1, n_columns), copy=False)
    row.has_canonical_format = True
    return row
