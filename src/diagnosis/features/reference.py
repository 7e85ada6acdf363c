"""The reference range a value is compared with: the one on its own row, else that of the packaged table, else none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from diagnosis.features.context import DAYS_PER_YEAR
from diagnosis.features.rows import PRESENT, map_distinct
from diagnosis.features.values import groups, in_unit
from diagnosis.records.coded import is_blank
from diagnosis.vocabulary.ranges import Numbered, reference_ranges, reference_sources

if TYPE_CHECKING:
    from diagnosis.records.coded import CodedFindings
    from diagnosis.records.records import Records

OWN, NOT_ASKED = -1, -2
# One case is encoded and then explained: its ranges are looked up once. Of many cases they are not kept.
_FEW = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class UsedRanges:
    """Which range each finding row is compared with.

    Attributes
    ----------
    low, high : ndarray of float64, shape (n_rows,)
        In the row's own unit; NaN where there is no range, or no bound on that side.
    line : ndarray of int32, shape (n_rows,)
        Line of the packaged table; -1 where the range is the row's own, -2 where there is none.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    line: NDArray[np.int32]

    def source(self, row: int) -> str | None:
        """Where the range of a row comes from: ``record``, a citation, or None without a range."""
        line = int(self.line[row])
        if line == NOT_ASKED:
            return None
        return "record" if line == OWN else reference_sources()[line]


_LAST: WeakKeyDictionary[Records, tuple[Mapping[str, tuple[str | None, str | None]], UsedRanges]] = WeakKeyDictionary()


def used_ranges(records: Records, words: Mapping[str, tuple[str | None, str | None]]) -> UsedRanges:
    """Say for every finding row which range counts.

    The row's own range wins, also where it has a bound on one side only. A value without one is looked up in the
    packaged table by what is measured, age, sex, specimen, pregnancy and the altitude of the site, and the range is
    converted into the row's unit. Nothing is looked up for findings of others than the patient, for a patient whose age
    is not known, for a unit that does not convert, and for a row without a unit whose code has none in the vocabulary.

    Parameters
    ----------
    records : Records
    words : mapping of str to (unit, LOINC code)
        What the vocabulary says of each code; one that is missing is not looked up.
    """
    last = _LAST.get(records)
    if last is not None and last[0] is words:
        return last[1]
    used = _used(records, words, _without_own(records.coded, words))
    if len(records.coded) <= _FEW:
        _LAST[records] = words, used
    return used


def _used(records: Records, words: Mapping[str, tuple[str | None, str | None]], rows: NDArray[np.intp]) -> UsedRanges:
    coded = records.coded
    own = ~(np.isnan(coded.ref_low) & np.isnan(coded.ref_high))
    line = np.where(own, np.int32(OWN), np.int32(NOT_ASKED))
    if not len(rows):
        return UsedRanges(coded.ref_low, coded.ref_high, line)
    low, high = coded.ref_low.copy(), coded.ref_high.copy()
    low[rows], high[rows], line[rows] = _looked_up(records, rows, words)
    return UsedRanges(low, high, line)


def with_ranges(records: Records, words: Mapping[str, tuple[str | None, str | None]]) -> CodedFindings:
    """Return the coded findings with the range that counts on every row; as they are where no row needs one."""
    coded = records.coded
    if not words or is_blank(coded.value) or not len(_without_own(coded, words)):
        return coded
    used = used_ranges(records, words)
    return replace(coded, ref_low=used.low, ref_high=used.high)


def _without_own(coded: CodedFindings, words: Mapping[str, tuple[str | None, str | None]]) -> NDArray[np.intp]:
    """Rows of a patient's value that count, have no range of their own, and stand for something measured."""
    if not words or is_blank(coded.value):
        return np.zeros(0, np.intp)
    rows = np.flatnonzero(~np.isnan(coded.value))
    open_ = (coded.status[rows] == PRESENT) & coded.latest[rows] & (coded.subject[rows] < 0)
    rows = rows[open_ & np.isnan(coded.ref_low[rows]) & np.isnan(coded.ref_high[rows])]
    known = map_distinct(coded.code[rows], lambda code: words.get(str(coded.codes[code]), (None, None))[1] is not None)
    return rows[known.astype(bool)]


def _looked_up(
    records: Records, rows: NDArray[np.intp], words: Mapping[str, tuple[str | None, str | None]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    coded = records.coded
    case, code = coded.case[rows], coded.code[rows]
    distinct, back = np.unique(code, return_inverse=True)
    stated = [words[str(coded.codes[one])] for one in distinct.tolist()]
    sex, sexes = records.case_words("sex")
    specimen, specimens = records.finding_words("specimen", rows)
    found = reference_ranges(
        Numbered(back, [loinc for _, loinc in stated]),
        _age_days(records)[case],
        Numbered(sex[case], sexes.tolist()),
        Numbered(specimen, specimens.tolist()),
        _altitude(records)[case],
        (records.column("pregnant") == "yes")[case],
        np.asarray(records.column("pregnancy_weeks"), np.float64)[case],
    )
    low, high, line = found.low.copy(), found.high.copy(), np.where(found.row < 0, np.int32(NOT_ASKED), found.row)
    at = np.flatnonzero(found.row >= 0)
    n_units, n_codes = len(coded.units) + 1, len(distinct)
    number = (found.unit[at].astype(np.int64) * n_units + coded.unit[rows[at]] + 1) * n_codes + back[at]
    for one, here in groups(number):
        units, which = divmod(one, n_codes)
        of_table, given = divmod(units, n_units)
        unit, loinc = stated[which]
        unit = str(coded.units[given - 1]) if given else unit
        place, of = at[here], found.units[of_table]
        bounds = None if unit is None else in_unit(np.stack([low[place], high[place]]), of, unit, loinc)
        if bounds is None:
            low[place], high[place], line[place] = np.nan, np.nan, NOT_ASKED
        else:
            low[place], high[place] = bounds
    return low, high, line


def _age_days(records: Records) -> NDArray[np.float64]:
    days = np.asarray(records.column("age_days"), np.float64)
    return np.where(np.isnan(days), np.asarray(records.column("age_years"), np.float64) * DAYS_PER_YEAR, days)


def _altitude(records: Records) -> NDArray[np.float64]:
    """Metres above the sea of each case's site; NaN where it is not stated."""
    table = records.arrow("sites") if "sites" in records.names else None
    if table is None or "altitude_m" not in table.column_names:
        return np.full(len(records), np.nan)
    sites = table.select(["site", "altitude_m"]).to_pylist()
    height = {row["site"]: np.nan if row["altitude_m"] is None else float(row["altitude_m"]) for row in sites}
    return np.array([height.get(site, np.nan) for site in records.column("site")], np.float64)
