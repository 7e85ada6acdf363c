"""Index events, the cases they make, and which events fall into the windows of each case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from diagnosis.readers.meds.codes import Kind
from diagnosis.readers.meds.events import NEVER, Events, Ints

__all__ = ["HOUR", "Cases", "Pairs", "Window", "cases_of", "pairs_in", "static_pairs"]

#: Microseconds of an hour.
HOUR = 3_600_000_000
_FAR = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Window:
    """What belongs to a case, by distance from its index event.

    Parameters
    ----------
    before, after : int
        Microseconds of findings before and after the index event, both ends included.
    judged : int, optional
        Microseconds after it of judgements and actions, until the discharge when None; they end where the subject's
        next index event is, too.
    """

    before: int
    after: int
    judged: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Cases of a shard, in order of subject and index time.

    Parameters
    ----------
    subject, index : ndarray of int64, shape (n_cases,)
    nth : ndarray of int64
        Which index event of its subject it is, from 1.
    first, last : ndarray of int64
        Positions of the subject's events: from `first`, before `last`.
    timed : ndarray of int64
        Position of the subject's first event with a time.
    next : ndarray of int64
        Time of the subject's next index event, the largest number where there is none.
    """

    subject: Ints
    index: Ints
    nth: Ints
    first: Ints
    last: Ints
    timed: Ints
    next: Ints

    def __len__(self) -> int:
        return len(self.subject)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Events of cases: `row[i]` belongs to `case[i]`; sorted by case, then as the events stand."""

    case: Ints
    row: Ints

    def where(self, mask: npt.NDArray[np.bool_]) -> Pairs:
        """Those that a mask over the pairs picks."""
        return Pairs(self.case[mask], self.row[mask])


def cases_of(events: Events, kind: npt.NDArray[np.int8], index: npt.NDArray[np.bool_] | None) -> Cases:
    """The cases of a shard.

    Parameters
    ----------
    events : Events
    kind : ndarray of int8
        Kind of each event.
    index : ndarray of bool, optional
        Index events; several of a subject at one time are one. None: the last event of each subject that is neither
        birth nor death.
    """
    starts = np.flatnonzero(np.r_[True, events.subject[1:] != events.subject[:-1]]) if len(events) else _NONE
    ends = np.r_[starts[1:], len(events)] if len(starts) else _NONE
    whose = np.repeat(np.arange(len(starts)), ends - starts)
    placed = events.time != NEVER
    if index is None:
        rows = np.flatnonzero(placed & (kind != Kind.BIRTH) & (kind != Kind.DEATH))
        keep = np.r_[whose[rows][1:] != whose[rows][:-1], True] if len(rows) else np.zeros(0, bool)
    else:
        rows = np.flatnonzero(placed & index)
        again = (whose[rows][1:] == whose[rows][:-1]) & (events.time[rows][1:] == events.time[rows][:-1])
        keep = np.r_[True, ~again] if len(rows) else np.zeros(0, bool)
    rows = rows[keep]
    group, time = whose[rows], events.time[rows]
    same = group[1:] == group[:-1]
    following = np.r_[np.where(same, time[1:], _FAR), [_FAR] * bool(len(rows))].astype(np.int64)
    begins = np.flatnonzero(np.r_[True, ~same]) if len(rows) else _NONE
    nth = np.arange(len(rows)) - np.repeat(begins, np.diff(np.r_[begins, len(rows)])) + 1
    untimed = np.bincount(whose[~placed], minlength=len(starts)).astype(np.int64)
    return Cases(events.subject[rows], time, nth, starts[group], ends[group], (starts + untimed)[group], following)


_NONE = np.zeros(0, np.int64)


def pairs_in(events: Events, cases: Cases, low: Ints, high: Ints) -> Pairs:
    """Events with a time from `low` to `high` of each case, both included."""
    # One number says subject and time: the rank of the time among all that occur, beyond the subjects before.
    ranks = np.unique(events.time)
    keys = np.searchsorted(ranks, events.time)
    size = len(ranks) + 1
    group = np.cumsum(np.r_[False, events.subject[1:] != events.subject[:-1]]) if len(events) else _NONE
    keys = group * size + keys
    mine = group[cases.first] * size if len(cases) else _NONE
    start = np.searchsorted(keys, mine + np.searchsorted(ranks, low), "left")
    stop = np.searchsorted(keys, mine + np.searchsorted(ranks, high, "right"), "left")
    return _expanded(np.maximum(start, cases.timed), np.maximum(stop, cases.timed))


def static_pairs(cases: Cases) -> Pairs:
    """Events without a time, which hold for every case of their subject."""
    return _expanded(cases.first, cases.timed)


def _expanded(start: Ints, stop: Ints) -> Pairs:
    """Every position from `start` before `stop` of each case."""
    length = np.maximum(stop - start, 0)
    case = np.repeat(np.arange(len(start)), length)
    first = np.repeat(start - np.r_[0, np.cumsum(length)[:-1]] if len(start) else start, length)
    return Pairs(case, np.arange(len(case)) + first)
