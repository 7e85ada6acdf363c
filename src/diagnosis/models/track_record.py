"""How often a diagnosis was right where it was given a probability: its own calibration, in counts of cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from diagnosis.models.protocol import FloatArray, IntArray

__all__ = ["EDGES", "LEAST_CASES", "TrackRecord"]

#: The bins of given probability: from each edge up to, and without, the next.
EDGES = (0.0, 0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0)
#: A bin with fewer cases says nothing of how well a diagnosis is calibrated there, and is not kept.
LEAST_CASES = 10


@dataclass(frozen=True, slots=True, eq=False)
class TrackRecord:
    """Cases of each bin of `EDGES`, and how many of them had the diagnosis.

    Parameters
    ----------
    given, had : ndarray of int64, shape (n_diagnoses, n_bins)
        Both 0 where fewer than `LEAST_CASES` were given such a probability.
    """

    given: IntArray
    had: IntArray

    @classmethod
    def of(cls, proba: FloatArray, y_index: IntArray) -> TrackRecord:
        """Count cases.

        Parameters
        ----------
        proba : ndarray of shape (n_cases, n_diagnoses)
            Calibrated probabilities from models that had not seen the case.
        y_index : ndarray of int64, shape (n_cases,)
            The diagnosis of each case; negative: one that the model does not know, so that none of the columns is it.
        """
        k = proba.shape[1]
        place = _bin(proba) + len(EDGES[1:]) * np.arange(k)
        size = k * len(EDGES[1:])
        known = np.flatnonzero(y_index >= 0)
        given = np.bincount(place.ravel(), minlength=size)
        had = np.bincount(place[known, y_index[known]], minlength=size)
        enough = given >= LEAST_CASES
        return cls(*(np.where(enough, one, 0).reshape(k, -1).astype(np.int64) for one in (given, had)))

    def at(self, diagnosis: int, probability: float) -> tuple[float, float, int, int]:
        """The ends of the bin that a probability is in, its cases, and how many of them had the diagnosis."""
        i = int(_bin(np.array(probability)))
        return EDGES[i], EDGES[i + 1], int(self.given[diagnosis, i]), int(self.had[diagnosis, i])

    def to_json(self) -> dict[str, Any]:
        """The counts as plain values."""
        return {"edges": list(EDGES), "given": self.given.tolist(), "had": self.had.tolist()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any] | None) -> TrackRecord | None:
        """Read what `to_json` wrote; None where there is none, or it was counted in other bins."""
        if not plain or tuple(plain["edges"]) != EDGES:
            return None
        return cls(np.array(plain["given"], np.int64), np.array(plain["had"], np.int64))


def _bin(probability: FloatArray) -> IntArray:
    return np.searchsorted(EDGES[1:-1], probability, side="right")
