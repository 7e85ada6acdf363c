"""Index events, the cases they make, and which events fall into the windows of each case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from diagnosis.readers.meds.codes import Kind
from diagnosis.readers.meds.events import NEVER, Events, Ints

__all__ = ["HOUR", "Cases", "Pairs", "Window", "cases_of", "next_of", "pairs_in", "static_pairs"]

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
    timed, here : ndarray of int64
        Position of the subject's first event with a time, and of its first one at the index time.
    next : ndarray of int64
        Time of the subject's next index event, the largest number where there is none.
    """

    subject: Ints
    index: Ints
    nth: Ints
    first: Ints
    last: Ints
    timed: Ints
    here: Ints
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
    new = np.r_[True, (whose[1:] != whose[:-1]) | (events.time[1:] != events.time[:-1])] if len(events) else placed
    here = np.maximum.accumulate(np.where(new, np.arange(len(events)), 0))[rows]
    timed = (starts + untimed)[group]
    return Cases(events.subject[rows], time, nth, starts[group], ends[group], timed, here, following)


_NONE = np.zeros(0, np.int64)


def pairs_in(events: Events, cases: Cases, rows: Ints, low: Ints, high: Ints) -> Pairs:
    """Events with a time from `low` to `high` of each case, both included.

    Parameters
    ----------
    events : Events
    cases : Cases
    rows : ndarray of int64
        Positions of the events that count, ascending.
    low, high : ndarray of int64, shape (n_cases,)
    """
    rows = rows[events.time[rows] != NEVER]
    # One number says subject and time: how many of all bounds an event has passed, beyond the subjects before.
    beyond = np.minimum(high, _FAR - 1) + 1
    bounds = np.unique(np.concatenate([low, beyond]))
    group = np.cumsum(np.r_[False, events.subject[1:] != events.subject[:-1]]) if len(events) else _NONE
    size = len(bounds) + 1
    keys = group[rows] * size + np.searchsorted(bounds, events.time[rows], "right")
    mine = group[cases.first] * size + 1 if len(cases) else _NONE
    start = np.searchsorted(keys, mine + np.searchsorted(bounds, low))
    stop = np.searchsorted(keys, mine + np.searchsorted(bounds, beyond))
    return _expanded(rows, start, stop)


def static_pairs(cases: Cases, rows: Ints) -> Pairs:
    """Those of the events at `rows` that have no time, which hold for every case of their subject."""
    return _expanded(rows, np.searchsorted(rows, cases.first), np.searchsorted(rows, cases.timed))


def next_of(rows: Ints, start: Ints, stop: Ints) -> Ints:
    """The first of `rows` (ascending) from `start` and before `stop` of each case; -1 where there is none."""
    place = np.searchsorted(rows, start)
    found = np.append(rows, _FAR)[place]
    return np.where(found < stop, found, -1)


def _expanded(rows: Ints, start: Ints, stop: Ints) -> Pairs:
    """Every one of `rows` from place `start` before place `stop` of each case."""
    length = np.maximum(stop - start, 0)
    case = np.repeat(np.arange(len(start)), length)
    first = np.repeat(start - np.r_[0, np.cumsum(length)[:-1]] if len(start) else start, length)
    return Pairs(case, rows[np.arange(len(case)) + first])
