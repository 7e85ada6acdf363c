"""What the findings of a patient say over time: counts, first, last, extremes and trend in windows before the moment.

A case looks back over its own findings and those of the patient's earlier encounters among the same records, as they
were known by its moment. Later encounters, and labels of any, never enter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError
from diagnosis.features.rows import ABSENT, PRESENT, FindingRows
from diagnosis.features.timeline import DAY, Timeline

if TYPE_CHECKING:
    from diagnosis.features.columns import Layout

EVER: Literal["ever"] = "ever"
STATISTICS = ("present", "absent", "count", "first", "last", "min", "max", "trend")
#: Those that need one value of a case; `trend` needs two at different times.
OF_VALUES = ("count", "first", "last", "min", "max")
LOOKS = 1 << 21

Window = float | Literal["ever"]
Int, Float = NDArray[np.int64], NDArray[np.float64]


def checked_windows(windows: Sequence[object]) -> tuple[tuple[str, float], ...]:
    """Return names and lengths in microseconds, shortest first.

    Raises
    ------
    InputError
        A window is neither a number of days above 0 nor ``"ever"``, or stands twice.
    """
    found: dict[str, float] = {}
    for one in [windows] if isinstance(windows, str | int | float) else list(windows):
        days = np.inf if one == EVER else one if isinstance(one, int | float) and not isinstance(one, bool) else np.nan
        if not days > 0 or (np.isinf(days) and one != EVER):
            raise InputError("windows are days above 0, or 'ever'.", f"Found {one!r}.", "Use for instance [1, 7, 'ever'].")
        found[EVER if one == EVER else f"{days:g}d"] = days * DAY
    if len(found) != len(list(windows)):
        raise InputError("windows are a list in which each stands once.", f"Found {windows!r}.", "Name each once.")
    return tuple(sorted(found.items(), key=lambda window: window[1]))


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
    timeline: Timeline, rows: FindingRows, finding: NDArray[np.int32], value: Float, windows: Sequence[tuple[str, float]]
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
    valued = rows.valued
    wanted = finding >= 0
    states = [(name, wanted & (rows.status == status) & ~valued) for name, status in _STATUS.items()]
    measured = wanted & ~np.isnan(value)
    n_findings = int(finding.max(initial=-1)) + 1
    rank, by_rank = timeline.in_time(value)
    for case, row in timeline.looks(LOOKS):
        away = timeline.away(case, row)
        key = case * n_findings + finding[row]
        for name, is_state in states:
            at = np.flatnonzero(is_state[row])
            yield from _counts(name, key[at], away[at], windows, n_findings)
        at = np.flatnonzero(measured[row])
        # Case, finding and place in time in one integer: plain numbers are sorted much faster than an order is found.
        packed = np.sort(key[at] * len(rank) + rank[row[at]])
        key, row = packed // len(rank) if len(rank) else packed, by_rank[packed % max(len(rank), 1)]
        yield from _values(timeline, key, row, value[row], windows, n_findings)


_STATUS = {"present": PRESENT, "absent": ABSENT}


def _counts(name: str, key: Int, away: Int, windows: Sequence[tuple[str, float]], n: int) -> Iterator[Cells]:
    for window, length in windows:
        once, count = np.unique(key[away <= length], return_counts=True)
        yield Cells(window, name, once // max(n, 1), once % max(n, 1), np.log1p(count))


def _values(
    timeline: Timeline, key: Int, row: Int, value: Float, windows: Sequence[tuple[str, float]], n: int
) -> Iterator[Cells]:
    """Statistics of values; rows are sorted by `key` and, within, by time."""
    n = max(n, 1)
    away = timeline.away(key // n, row)
    for window, length in windows:
        at = np.flatnonzero(away <= length)
        if not len(at):
            continue
        k, v, t = key[at], value[at], timeline.clock[row[at]]
        start = np.flatnonzero(np.concatenate([[True], k[1:] != k[:-1]]))
        count = np.diff(np.append(start, len(k)))
        case, finding = k[start] // n, k[start] % n
        data = {
            "count": np.log1p(count),
            "first": v[start],
            "last": v[start + count - 1],
            "min": np.minimum.reduceat(v, start),
            "max": np.maximum.reduceat(v, start),
        }
        for name, of in data.items():
            yield Cells(window, name, case, finding, of)
        risen = _risen(v, t, start, count)
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
