"""Which finding rows a case may look back at: its own, and those of the patient's earlier encounters known by then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.records.coded import NO_TIME

if TYPE_CHECKING:
    from diagnosis.records.records import Records

DAY = 86_400_000_000
_HOUR = DAY // 24

Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Cases and finding rows in time; times are microseconds since 1970.

    Attributes
    ----------
    moment : ndarray of int64, shape (n_cases,)
        When a suggestion is made; the smallest integer for a case that does not say when it began.
    row_case : ndarray of int32, shape (n_rows,)
    clock, known : ndarray of int64, shape (n_rows,)
        When it was observed, and when it was known. A row without times has those of the end of its encounter.
    ordered : ndarray of int64, shape (n_rows,)
        Rows by patient and start of their encounter.
    begin, stop, own, after : ndarray of int64, shape (n_cases,)
        A case's earlier rows are ``ordered[begin:stop]``, its own ``ordered[own:after]``.
    """

    moment: Int
    row_case: NDArray[np.int32]
    clock: Int
    known: Int
    ordered: Int
    begin: Int
    stop: Int
    own: Int
    after: Int

    @classmethod
    def of(cls, records: Records) -> Timeline:
        """Put cases and rows in order.

        Encounters that began at the same time, or do not say when, are not each other's past.
        """
        coded, (known, clock) = records.coded, records.clocks
        began, moment = _ticks(records, "time"), _moments(records)
        ended = np.where(_ticks(records, "end_time") == NO_TIME, began, _ticks(records, "end_time"))
        known = np.where(known == NO_TIME, ended[coded.case], known)
        clock = np.where(clock == NO_TIME, known, clock)
        patient = _numbered(records.groups)
        order = np.lexsort((began, patient))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        offsets = coded.offsets
        length = np.diff(offsets)[order]
        edge = np.concatenate([[0], np.cumsum(length)])
        rows = np.repeat(offsets[:-1][order] - edge[:-1], length) + np.arange(len(coded.case))
        timed = began != NO_TIME
        first = np.searchsorted(patient[order], patient)
        first += _untimed_before(patient, timed)
        same = _first_of_same(patient[order], began[order])[place]
        stop = np.where(timed, np.maximum(same, first), first)
        own = np.where(timed, edge[place], 0)
        return cls(
            moment=np.where(timed, moment, NO_TIME),
            row_case=coded.case,
            clock=clock,
            known=known,
            ordered=rows,
            begin=edge[first],
            stop=edge[stop],
            own=own,
            after=np.where(timed, edge[place + 1], 0),
        )

    def looks(self, at_most: int) -> Iterator[tuple[Int, Int]]:
        """Yield pairs of a case and a row it may look at, about `at_most` at a time, whole cases only."""
        length = (self.stop - self.begin) + (self.after - self.own)
        total = np.concatenate([[0], np.cumsum(length)])
        first = 0
        while first < len(length):
            last = max(int(np.searchsorted(total, total[first] + at_most, side="right")) - 1, first + 1)
            yield self._looks(np.arange(first, min(last, len(length))))
            first = last

    def _looks(self, cases: Int) -> tuple[Int, Int]:
        case, row = _spans(cases, self.begin[cases], self.stop[cases])
        by_then = self.known[self.ordered[row]] <= self.moment[case]
        own_case, own_row = _spans(cases, self.own[cases], self.after[cases])
        return np.concatenate([case[by_then], own_case]), self.ordered[np.concatenate([row[by_then], own_row])]

    def away(self, case: Int, row: Int) -> Int:
        """How long before the case's moment each row was observed."""
        return np.maximum(self.moment[case] - self.clock[row], 0)

    def in_time(self, value: NDArray[np.float64]) -> tuple[Int, Int]:
        """Place of every row in time (rows of one time by value), and the row at each place."""
        by_place = np.lexsort((value, self.known, self.clock))
        place = np.empty(len(by_place), np.int64)
        place[by_place] = np.arange(len(by_place))
        return place, by_place


def _spans(cases: Int, begin: Int, stop: Int) -> tuple[Int, Int]:
    """Repeat each case for every number from its begin up to its stop."""
    length = stop - begin
    edge = np.cumsum(length)
    numbers = np.arange(int(edge[-1]) if len(edge) else 0) + np.repeat(begin - (edge - length), length)
    return np.repeat(cases, length), numbers


def _numbered(patients: NDArray[np.object_]) -> Int:
    from pandas import factorize

    return factorize(patients)[0].astype(np.int64)


def _untimed_before(patient: Int, timed: NDArray[np.bool_]) -> Int:
    """How many cases of each case's patient do not say when they began; they are sorted before the others."""
    return np.bincount(patient[~timed], minlength=int(patient.max(initial=-1)) + 1)[patient].astype(np.int64)


def _first_of_same(patient: Int, began: Int) -> Int:
    """In sorted order, the place of the first case of the same patient that began at the same time."""
    new = np.ones(len(patient), bool)
    new[1:] = (patient[1:] != patient[:-1]) | (began[1:] != began[:-1])
    return np.flatnonzero(new)[np.cumsum(new) - 1] if len(patient) else np.zeros(0, np.int64)


def _ticks(records: Records, name: str) -> Int:
    times = records.column(name)
    return np.where(np.isnat(times), NO_TIME, times.astype("datetime64[us]").astype(np.int64))


def _moments(records: Records) -> Int:
    """The moment each case is seen as of; without one its end, and where that is not known its start."""
    began, ended = _ticks(records, "time"), _ticks(records, "end_time")
    ended = np.where(ended == NO_TIME, began, ended)
    at = "end" if records.moment is None else records.moment.at.split(" and ")[0]
    if at == "arrival":
        return began
    if at == "index":
        index = _ticks(records, "index_time")
        return np.where(index == NO_TIME, ended, index)
    hours = at.removesuffix(" h")
    return began + np.int64(round(float(hours) * _HOUR)) if hours != at else ended
