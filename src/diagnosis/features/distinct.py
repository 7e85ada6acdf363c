"""Distinct numbers with their counts: statistics that do not depend on the order or the batches the numbers came in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
        distinct, back = np.unique(values, return_inverse=True)
        weight = np.ones(len(values), np.int64) if counts is None else counts
        total = np.zeros(len(distinct), np.int64)
        np.add.at(total, back, weight)
        return cls(distinct, total)

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
