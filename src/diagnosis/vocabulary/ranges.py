"""Reference ranges by age, sex, specimen, pregnancy and altitude, from a table in the package with its sources.

The range on a record's own row comes first; this table is for rows that have none. Where it holds no range there is
none, and nothing is high or low. What was checked, and what is left out, is in ``docs/vocabulary.md``.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Numbered", "Range", "Ranges", "reference_range", "reference_ranges", "reference_sources", "usual_bounds"]

Floats = npt.NDArray[np.float64]


class Numbered(NamedTuple):
    """Words that repeat: the place of each among `words` (-1: none)."""

    numbers: npt.NDArray[np.integer[Any]]
    words: Sequence[str | None]

    @classmethod
    def of(cls, words: Sequence[str | None] | npt.NDArray[np.object_]) -> Numbered:
        """Number each word by its place among the distinct ones."""
        from pandas import factorize

        numbers, distinct = factorize(np.asarray(words, dtype=object))
        return cls(numbers, [w if isinstance(w, str) else None for w in distinct])

    def like(self, test: Callable[[str | None], bool]) -> npt.NDArray[np.bool_]:
        """For each position, whether its word passes a test."""
        return np.array([*map(test, self.words), test(None)], bool)[self.numbers]


Words = Sequence[str | None] | npt.NDArray[np.object_] | Numbered

# Elevation adjustment of haemoglobin in g/L: WHO 2024 guideline on haemoglobin cutoffs (from 500 m), after Sharma 2019
# Ann N Y Acad Sci 1450:190; derived from residents of up to 4,000 m, tabulated by WHO up to 5,000 m.
_PER_METRE, _PER_SQUARE_METRE = 0.0056384, 0.0000003
_ADJUSTED_FROM_M, _ADJUSTED_TO_M = 500.0, 5000.0


@dataclass(frozen=True, slots=True)
class Range:
    """What is usual for one patient.

    Parameters
    ----------
    low, high : float or None
        Bounds in `unit`, both inside the range; None where the source gives no bound on that side.
    unit : str
        UCUM.
    source : str
    note : str
        What to mind: a method, an assumption, a bound that is missing on purpose.
    """

    low: float | None
    high: float | None
    unit: str
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Ranges of many measurements, one a position.

    Parameters
    ----------
    low, high : ndarray of float64, shape (n,)
        NaN where there is no range, or no bound on that side.
    unit : ndarray of int32, shape (n,)
        Index into `units`; -1 where there is no range.
    units : tuple of str
        UCUM.
    row : ndarray of int32, shape (n,)
        Which line of the packaged table was used; -1 for none.
    """

    low: Floats
    high: Floats
    unit: npt.NDArray[np.int32]
    units: tuple[str, ...]
    row: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table. Ages in days, upper bounds of age, weeks and altitude outside."""

    codes: tuple[str, ...]
    sex: str
    age: tuple[float, float]
    specimens: frozenset[str]
    condition: str
    weeks: tuple[float, float]
    altitude: tuple[float, float]
    adjusted: bool
    low: float
    high: float
    unit: str
    source: str
    note: str

    def takes(self, specimen: str | None) -> bool:
        """Whether a specimen will do; one that is not named does unless blood from a finger is meant."""
        if specimen is None:
            return "capillary blood" not in self.specimens
        return specimen.strip().casefold() in self.specimens


@cache
def _table() -> tuple[_Row, ...]:
    text = files("diagnosis.vocabulary").joinpath("reference_ranges.csv").read_text(encoding="utf-8")
    return tuple(_read_row(line) for line in csv.DictReader(text.splitlines()))


def _read_row(line: Mapping[str, str]) -> _Row:
    def number(name: str, missing: float) -> float:
        return float(line[name]) if line[name] else missing

    def span(name: str, unit: str) -> tuple[float, float]:
        return number(f"{name}_min_{unit}", -np.inf), number(f"{name}_max_{unit}", np.inf)

    return _Row(
        codes=tuple(line["loinc"].split("|")),
        sex=line["sex"],
        age=span("age", "days"),
        specimens=frozenset(s for s in line["specimen"].split("|") if s),
        condition=line["condition"],
        weeks=(number("weeks_min", -np.inf), number("weeks_max", np.inf)),
        altitude=span("altitude", "m"),
        adjusted=line["altitude_rule"] == "haemoglobin",
        low=number("low", np.nan),
        high=number("high", np.nan),
        unit=line["unit"],
        source=line["source"],
        note=line["note"],
    )


@cache
def _by_code() -> Mapping[str, tuple[int, ...]]:
    found: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(_table()):
        for code in row.codes:
            found[code].append(i)
    return {code: tuple(rows) for code, rows in found.items()}


@cache
def _units() -> tuple[str, ...]:
    return tuple(sorted({row.unit for row in _table()}))


def reference_range(
    code: str,
    age_days: float,
    sex: str | None,
    specimen: str | None = None,
    altitude_m: float = 0.0,
    pregnant: bool | None = None,
    pregnancy_weeks: float | None = None,
) -> Range | None:
    """Look up what is usual for one patient.

    Parameters
    ----------
    code : str
        LOINC, with or without the prefix ``LOINC:``.
    age_days : float
    sex : {"female", "male", "other", "unknown"} or None
        Where ranges differ by sex, there is none for another or an unknown one.
    specimen : str, optional
        In English or Chinese. Capillary blood has ranges of its own, given only where it is named.
    altitude_m : float, default 0
        Haemoglobin is adjusted from 500 m to 5,000 m; some ranges end where they are no longer known to hold.
    pregnant : bool, optional
        None counts as no.
    pregnancy_weeks : float, optional
        From the last period; for ranges that differ by trimester.

    Returns
    -------
    Range or None
        None where the table holds no range: nothing is guessed from a neighbouring age or from the other sex.

    Examples
    --------
    >>> reference_range("LOINC:8867-4", age_days=30, sex="female").high
    181.0
    >>> reference_range("LOINC:8867-4", age_days=3653, sex="female").high
    115.0
    >>> reference_range("LOINC:718-7", age_days=3, sex="male") is None
    True
    """
    found = reference_ranges(
        [code],
        np.array([age_days], np.float64),
        [sex],
        [specimen],
        np.array([altitude_m], np.float64),
        [pregnant],
        np.array([np.nan if pregnancy_weeks is None else pregnancy_weeks], np.float64),
    )
    if found.row[0] < 0:
        return None
    row = _table()[found.row[0]]
    low, high = (None if np.isnan(b) else float(b) for b in (found.low[0], found.high[0]))
    return Range(low, high, row.unit, row.source, row.note)


def reference_ranges(
    codes: Words,
    age_days: Floats,
    sex: Words,
    specimen: Words | None = None,
    altitude_m: Floats | None = None,
    pregnant: Sequence[bool | None] | npt.NDArray[Any] | None = None,
    pregnancy_weeks: Floats | None = None,
) -> Ranges:
    """Look up many at once.

    Parameters
    ----------
    codes, sex, specimen, pregnant : sequence, shape (n,)
        As in `reference_range`; words also as a `Numbered`, which saves numbering them.
    age_days, altitude_m, pregnancy_weeks : ndarray of float64, shape (n,)
        NaN is unknown: there is no range for an unknown age, an unknown altitude counts as 0 m.

    Examples
    --------
    >>> found = reference_ranges(["718-7", "x"], np.array([9000.0, 9000.0]), ["male", "male"])
    >>> found.low, found.units[found.unit[0]]
    (array([130.,  nan]), 'g/L')
    """
    code = _numbered(codes)
    n = len(code.numbers)
    made = Ranges(np.full(n, np.nan), np.full(n, np.nan), np.full(n, -1, np.int32), _units(), np.full(n, -1, np.int32))
    height = np.zeros(n) if altitude_m is None else np.nan_to_num(np.asarray(altitude_m, np.float64), nan=0.0)
    asked = _Asked(
        age=np.asarray(age_days, np.float64),
        sex=_numbered(sex),
        specimen=Numbered(np.full(n, -1, np.int8), ()) if specimen is None else _numbered(specimen),
        altitude=height,
        pregnant=np.zeros(n, bool) if pregnant is None else np.asarray(pregnant, dtype=object) == True,  # noqa: E712
        weeks=np.full(n, np.nan) if pregnancy_weeks is None else np.asarray(pregnancy_weeks, np.float64),
    )
    for i, word in enumerate(code.words):
        lines = _by_code().get((word or "").removeprefix("LOINC:"), ())
        mine = np.flatnonzero(code.numbers == i) if lines else np.zeros(0, np.int64)
        for line in lines:
            _fill(made, mine[_fits(_table()[line], asked, mine)], line, height)
    return made


def usual_bounds(
    code: str, age_days: float, sex: str | None, specimen: str | None, pregnant: bool, weeks: float | None
) -> tuple[float, float, str] | None:
    """Look up one patient at an unknown altitude in microseconds: low and high (NaN: no bound) and their unit."""
    found = None
    for line in _by_code().get(code.removeprefix("LOINC:"), ()):
        row = _table()[line]
        fits = row.age[0] <= age_days < row.age[1] and row.altitude[0] <= 0.0 < row.altitude[1]
        fits = fits and row.sex in ("", sex) and (not row.specimens or row.takes(specimen))
        if row.condition == "not pregnant":
            fits = fits and not pregnant
        elif row.condition == "pregnant":
            fits = fits and pregnant and weeks is not None and row.weeks[0] <= weeks < row.weeks[1]
        elif row.condition == "pregnant, weeks unknown":
            fits = fits and pregnant and weeks is None
        found = row if fits else found
    return None if found is None else (found.low, found.high, found.unit)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    age: Floats
    sex: Numbered
    specimen: Numbered
    altitude: Floats
    pregnant: npt.NDArray[np.bool_]
    weeks: Floats


def _fits(row: _Row, asked: _Asked, at: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell for which of the positions `at` a line holds."""
    fits = _within(asked.age[at], row.age) & _within(asked.altitude[at], row.altitude)
    if row.adjusted:
        fits &= asked.altitude[at] < _ADJUSTED_TO_M
    if row.sex:
        fits &= Numbered(asked.sex.numbers[at], asked.sex.words).like(lambda w: w == row.sex)
    if row.specimens:
        fits &= Numbered(asked.specimen.numbers[at], asked.specimen.words).like(row.takes)
    if row.condition == "not pregnant":
        fits &= ~asked.pregnant[at]
    elif row.condition == "pregnant":
        fits &= asked.pregnant[at] & _within(asked.weeks[at], row.weeks)
    elif row.condition == "pregnant, weeks unknown":
        fits &= asked.pregnant[at] & np.isnan(asked.weeks[at])
    return fits


def _within(values: Floats, span: tuple[float, float]) -> npt.NDArray[np.bool_]:
    return (values >= span[0]) & (values < span[1])


def _fill(made: Ranges, at: npt.NDArray[np.int64], line: int, height: Floats) -> None:
    row = _table()[line]
    shift = _haemoglobin_shift(height[at]) if row.adjusted else 0.0
    made.low[at], made.high[at] = row.low + shift, row.high + shift
    made.unit[at], made.row[at] = _units().index(row.unit), line


def _haemoglobin_shift(altitude_m: Floats) -> Floats:
    """What living at an altitude adds to haemoglobin, in whole g/L as WHO tabulates it."""
    shift = np.round(_PER_METRE * altitude_m + _PER_SQUARE_METRE * altitude_m**2)
    return np.where(altitude_m >= _ADJUSTED_FROM_M, shift, 0.0)


@cache
def reference_sources() -> tuple[str, ...]:
    """Source of each line of the packaged table, as `Ranges.row` numbers them."""
    return tuple(row.source for row in _table())


def _numbered(words: Words) -> Numbered:
    return words if isinstance(words, Numbered) else Numbered.of(words)
