"""Distinct numbers with their counts: statistics that do not depend on the order or the batches the numbers came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Numbers that wait to be counted together: 12 bytes each.
_WAITING = 1 << 21


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """The distinct values of a sample, ascending, and how often each occurs.

    Attributes
    ----------
    values : ndarray of float64
    counts : ndarray of int64
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.float64], counts: NDArray[np.int64] | None = None) -> Distinct:
        """Count values (each taken `counts` times); none may be nan."""
        if counts is None:
            return cls(*_runs(np.sort(values), None))
        order = np.argsort(values, kind="stable")
        return cls(*_runs(values[order], counts[order]))

    def merge(self, other: Distinct) -> Distinct:
        """Count two samples as one."""
        return Distinct.of(np.concatenate([self.values, other.values]), np.concatenate([self.counts, other.counts]))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n(self) -> int:
        """Size of the sample."""
        return int(self.counts.sum())

    def quantile(self, share: float) -> float:
        """Return the smallest value that at least `share` of the sample does not exceed."""
        reached = np.cumsum(self.counts) >= share * self.n
        return float(self.values[int(np.argmax(reached))])

    def moments(self) -> tuple[float, float, float]:
        """Return mean, standard deviation and skewness (0 where all values are equal)."""
        weight = self.counts / self.n
        mean = float((weight * self.values).sum())
        away = self.values - mean
        deviation = float(np.sqrt((weight * away**2).sum()))
        if len(self) < 2 or deviation == 0.0:
            return mean, 0.0, 0.0
        return mean, deviation, float((weight * (away / deviation) ** 3).sum())


def _runs(
    ordered: NDArray[np.float64], counts: NDArray[np.int64] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Put equal neighbours together; a count for each, or 1 each."""
    if not len(ordered):
        return ordered, np.zeros(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    if counts is None:
        return ordered[starts], np.diff(starts, append=len(ordered))
    return ordered[starts], np.add.reduceat(counts, starts)


class Tally:
    """Distinct numbers of many samples, counted in any number of batches.

    Numbers wait until there are many, and are then sorted together: that takes a tenth of the time of each batch alone.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[NDArray[np.int32], NDArray[np.float64]]] = []
        self._n_waiting = 0
        self._samples: dict[int, Distinct] = {}

    def add(self, sample: NDArray[np.int32], value: NDArray[np.float64]) -> None:
        """Count values, each for a sample by its number; none may be nan."""
        if len(value):
            self._waiting.append((sample, value + 0.0))  # minus zero is zero
            self._n_waiting += len(value)
        if self._n_waiting > _WAITING:
            self._sort()

    def merge(self, other: Tally, number: Sequence[int]) -> None:
        """Count the samples of another tally as well; `number` gives theirs the numbers they have here."""
        mine = self.samples()
        for theirs, seen in other.samples().items():
            before = mine.get(number[theirs])
            mine[number[theirs]] = seen if before is None else before.merge(seen)

    def samples(self) -> dict[int, Distinct]:
        """Every sample that has values, by its number."""
        self._sort()
        return self._samples

    def _sort(self) -> None:
        if not self._waiting:
            return
        sample, value = (np.concatenate(arrays) for arrays in zip(*self._waiting, strict=True))
        self._waiting, self._n_waiting = [], 0
        small = int(sample.max()) < 1 << 16  # numbers of 16 bits are put in order in linear time
        order = np.argsort(sample.astype(np.uint16) if small else sample, kind="stable")
        sample, value = sample[order], value[order]
        bounds = np.flatnonzero(np.diff(sample, prepend=-1, append=-1))
        for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            number, seen = int(sample[low]), Distinct.of(value[low:high])
            before = self._samples.get(number)
            self._samples[number] = seen if before is None else before.merge(seen)
