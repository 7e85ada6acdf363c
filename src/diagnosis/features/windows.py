"""What the findings of a patient say over time: counts, first, last, extremes and trend in windows before the moment.

A case looks back over its own findings and those of the patient's earlier encounters among the same records, as they
were known by its moment. Later encounters, and labels of any, never enter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError
from diagnosis.features.assemble import Entries
from diagnosis.features.rows import ABSENT, PRESENT, FindingRows, all_rows, map_pairs
from diagnosis.features.states import known_findings
from diagnosis.features.timeline import DAY, Timeline
from diagnosis.features.values import encode_values, usable
from diagnosis.readers.records_folder import RecordsFolder

if TYPE_CHECKING:
    from diagnosis.features.columns import Layout
    from diagnosis.records.records import Records

EVER: Literal["ever"] = "ever"
STATISTICS = ("present", "absent", "count", "first", "last", "min", "max", "trend")
#: Pairs of a case and a row that are worked on at a time.
LOOKS = 1 << 21
_STATUS = {"present": PRESENT, "absent": ABSENT}

Window = float | Literal["ever"]
Int = NDArray[np.int64]
Float = NDArray[np.float64]


def checked_windows(windows: Sequence[object]) -> tuple[tuple[str, float], ...]:
    """Return names and lengths in microseconds, shortest first.

    Raises
    ------
    InputError
        A window is neither a number of days above 0 nor ``"ever"``, or stands twice.
    """
    found: dict[str, float] = {}
    if not isinstance(windows, list | tuple):
        raise InputError("windows are a list.", f"Found {windows!r}.", "Use for instance [1, 7, 'ever'].")
    for one in windows:
        days = np.inf if one == EVER else one if isinstance(one, int | float) and not isinstance(one, bool) else np.nan
        if not days > 0 or (np.isinf(days) and one != EVER):
            raise InputError(
                "windows are days above 0, or 'ever'.", f"Found {one!r}.", "Use for instance [1, 7, 'ever']."
            )
        found[EVER if one == EVER else f"{days:g}d"] = days * DAY
    if len(found) != len(windows):
        raise InputError("windows are a list in which each stands once.", f"Found {windows!r}.", "Name each once.")
    return tuple(sorted(found.items(), key=lambda window: window[1]))


def check_whole_patients(source: object, windows: Sequence[object]) -> None:
    """Refuse to look back in a folder that is read in parts: a patient's encounters may stand in several.

    Raises
    ------
    InputError
    """
    if windows and isinstance(source, str | Path | RecordsFolder):
        raise InputError(
            "windows look back at a patient's earlier encounters, which must be in the same Records.",
            "A folder is read in parts that may cut a patient in two.",
            "Read it whole with read_records, or give an iterable of Records with whole patients in each.",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One statistic in one window.

    Attributes
    ----------
    window, statistic : str
    case, finding : ndarray of int64
        Each pair once.
    data : ndarray of float64
        Counts as ``log1p(count)``; values on the scale they came in. `trend` is the slope of a least-squares line times
        the time from the first to the last value: by how much it rose.
    """

    window: str
    statistic: str
    case: Int
    finding: Int
    data: Float


def window_cells(
    timeline: Timeline,
    rows: FindingRows,
    finding: NDArray[np.int32],
    value: Float,
    windows: Sequence[tuple[str, float]],
) -> Iterator[Cells]:
    """Look back from every case.

    Parameters
    ----------
    timeline : Timeline
    rows : FindingRows
        All rows, not only those that count.
    finding : ndarray of int32, shape (n_rows,)
        Number of each row's finding; -1 is left out.
    value : ndarray of float64, shape (n_rows,)
        NaN where there is none, or none that can be used.
    windows : sequence of (name, microseconds)
        From `checked_windows`.
    """
    wanted = finding >= 0
    states = [(name, wanted & (rows.status == status) & ~rows.valued) for name, status in _STATUS.items()]
    measured = wanted & ~np.isnan(value)
    n_findings, n_rows = int(finding.max(initial=0)) + 1, max(len(finding), 1)
    rank, by_rank = timeline.in_time(value)
    for case, row in timeline.looks(LOOKS):
        away = timeline.away(case, row)
        first = int(case.min(initial=0))
        key = (case - first) * n_findings + finding[row]
        for name, is_state in states:
            at = np.flatnonzero(is_state[row])
            for window, length in windows:
                once, count = np.unique(key[at[away[at] <= length]], return_counts=True)
                yield Cells(window, name, first + once // n_findings, once % n_findings, np.log1p(count))
        at = np.flatnonzero(measured[row])
        # Case, finding and place in time in one integer: plain numbers are sorted much faster than an order is found.
        packed = np.sort(key[at] * n_rows + rank[row[at]])
        key, row = packed // n_rows, by_rank[packed % n_rows]
        away = timeline.away(first + key // n_findings, row)
        for window, length in windows:
            near = np.flatnonzero(away <= length)
            if len(near):
                runs = _Runs.of(key[near], value[row[near]], timeline.clock[row[near]])
                yield from runs.cells(window, first, n_findings)


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Values sorted by case and finding and, within, by time: one run for each case and finding."""

    key: Int
    start: Int
    count: Int
    value: Float
    clock: Int

    @classmethod
    def of(cls, key: Int, value: Float, clock: Int) -> _Runs:
        start = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        return cls(key[start], start, np.diff(np.append(start, len(key))), value, clock)

    def cells(self, window: str, first: int, n_findings: int) -> Iterator[Cells]:
        case, finding = first + self.key // n_findings, self.key % n_findings
        last = self.start + self.count - 1
        statistics = {
            "count": np.log1p(self.count),
            "first": self.value[self.start],
            "last": self.value[last],
            "min": np.minimum.reduceat(self.value, self.start),
            "max": np.maximum.reduceat(self.value, self.start),
        }
        for name, data in statistics.items():
            yield Cells(window, name, case, finding, data)
        risen = _risen(self.value, self.clock, self.start, self.count)
        some = np.flatnonzero(~np.isnan(risen))
        yield Cells(window, "trend", case[some], finding[some], risen[some])


def _risen(value: Float, clock: Int, start: Int, count: Int) -> Float:
    """Slope of the least-squares line times the time it spans, for each run of values; NaN without two times."""
    days = (clock - np.repeat(clock[start], count)) / DAY
    days = days - np.repeat(np.add.reduceat(days, start) / count, count)
    spread = np.add.reduceat(days**2, start)
    together = np.add.reduceat(days * value, start)
    span = (clock[start + count - 1] - clock[start]) / DAY
    slope = np.full(len(start), np.nan)
    np.divide(together, spread, out=slope, where=span > 0)
    return slope * span


def count_windows(
    records: Records, index: Mapping[tuple[str, str | None], int], windows: Sequence[tuple[str, float]]
) -> dict[str, Int]:
    """Count the cases that have each statistic in each window (``7d:count``), by finding as `index` numbers them."""
    rows = all_rows(records.coded)
    finding = map_pairs(rows, lambda code, subject: index.get((code, subject), -1))
    value = np.where(rows.valued & usable(rows.value), rows.value, np.nan)
    seen = {
        f"{window}:{statistic}": np.zeros(len(index), np.int64) for window, _ in windows for statistic in STATISTICS
    }
    for cells in window_cells(Timeline.of(records), rows, finding, value, windows):
        seen[f"{cells.window}:{cells.statistic}"] += np.bincount(cells.finding, minlength=len(index))
    return seen


def window_entries(records: Records, layout: Layout) -> Entries:
    """Return the entries of all cases in the columns of windows, in the order of the cases."""
    rows = all_rows(records.coded)
    finding = known_findings(rows, layout)
    has = np.stack(list(layout.history.values())).max(axis=0) >= 0
    finding = np.where(has[finding], finding, -1).astype(np.int32)
    values = encode_values(rows, finding, layout.scales)
    value = np.full(len(finding), np.nan)
    value[values.rows] = values.encoded
    parts = []
    for cells in window_cells(Timeline.of(records), rows, finding, value, layout.windows):
        column = layout.history.get(f"{cells.window}:{cells.statistic}")
        if column is not None:
            own = column[cells.finding]
            at = np.flatnonzero(own >= 0)
            parts.append(Entries.of(cells.case[at], own[at], cells.data[at]))
    found = Entries.concatenate(parts)
    order = np.argsort(found.case, kind="stable")
    return Entries(found.case[order], found.column[order], found.data[order])


def of_cases(entries: Entries, first: int, n_cases: int) -> Entries:
    """Cut out some cases, numbered from 0; the entries are in the order of the cases."""
    start, stop = np.searchsorted(entries.case, [first, first + n_cases])
    return Entries(entries.case[start:stop] - np.int32(first), entries.column[start:stop], entries.data[start:stop])
