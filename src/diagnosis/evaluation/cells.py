"""One pass over all probabilities: how many cases each diagnosis has in each band of probability, and how many own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.outcomes import blocks

__all__ = ["THRESHOLDS", "BrierParts", "Cells", "brier_parts", "count_cells"]

THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Lower ends of the bands above the first; also the thresholds of the decision curves."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cells:
    """Sums over the cases of each diagnosis (rows) and band of its probability (columns), shape (K, n_bands).

    Parameters
    ----------
    mass : ndarray
        Weight of the cases.
    p, pp : ndarray
        Sum of the probability and of its square.
    y, py : ndarray
        Weight of the cases that have the diagnosis, and the sum of their probability.
    total : float
        Weight of all cases.
    unreachable : float
        Weight of the cases whose diagnosis the model cannot name.
    """

    mass: NDArray[np.float64]
    p: NDArray[np.float64]
    pp: NDArray[np.float64]
    y: NDArray[np.float64]
    py: NDArray[np.float64]
    total: float
    unreachable: float


@dataclass(frozen=True, slots=True)
class BrierParts:
    """The Brier score taken apart: ``brier = reliability - resolution + uncertainty + within``.

    Each diagnosis is a forecast of its own and the parts are summed over diagnoses, the ones never seen in training as
    one more with probability 0. Lower reliability is better, higher resolution is better; the uncertainty is of the
    cases alone.

    Parameters
    ----------
    reliability, resolution, uncertainty : float
        Murphy, "A new vector partition of the probability score", Journal of Applied Meteorology 12:595, 1973; over
        bands of probability. With few cases a band both come out too large, by about the same.
    within : float
        What the bands leave: variance of the probability inside them less twice its covariance with the outcome
        (Stephenson, Coelho and Jolliffe, Weather and Forecasting 23:752, 2008).
    """

    reliability: float
    resolution: float
    uncertainty: float
    within: float

    def to_json(self) -> dict[str, float]:
        """Return the parts as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def count_cells(proba: NDArray[np.float64], column: NDArray[np.int64], weights: NDArray[np.float64]) -> Cells:
    """Count the cells.

    Parameters
    ----------
    proba : ndarray of shape (n, K)
    column : ndarray of shape (n,), int64
        Column of the true diagnosis; -1: none of them.
    weights : ndarray of shape (n,)
    """
    (n, K), width = proba.shape, len(THRESHOLDS) + 1
    edges, offset = np.array(THRESHOLDS), width * np.arange(K)
    mass, p_sum, pp_sum, y, py = (np.zeros(K * width) for _ in range(5))
    for block in blocks(n, K):
        p, w, own = proba[block], weights[block], column[block]
        cell = np.searchsorted(edges, p, side="right") + offset
        flat, added = cell.ravel(), np.repeat(w, K)
        mass += np.bincount(flat, added, K * width)
        p_sum += np.bincount(flat, added := added * p.ravel(), K * width)
        pp_sum += np.bincount(flat, added * p.ravel(), K * width)
        rows = np.flatnonzero(own >= 0)
        hit, p_true = cell[rows, own[rows]], p[rows, own[rows]]
        y += np.bincount(hit, w[rows], K * width)
        py += np.bincount(hit, w[rows] * p_true, K * width)
    mass, p_sum, pp_sum, y, py = (one.reshape(K, width) for one in (mass, p_sum, pp_sum, y, py))
    return Cells(mass, p_sum, pp_sum, y, py, float(weights.sum()), float(weights[column < 0].sum()))


def brier_parts(cells: Cells) -> BrierParts:
    """Take the Brier score apart over the bands of probability."""
    used = cells.mass > 0
    mass = np.where(used, cells.mass, 1.0)
    said, seen = cells.p / mass, cells.y / mass
    share, unseen = cells.y.sum(axis=1, keepdims=True) / cells.total, cells.unreachable / cells.total
    weight = np.where(used, cells.mass, 0.0) / cells.total
    variance = (cells.pp - mass * said**2) / cells.total
    covariance = (cells.py - mass * said * seen) / cells.total
    return BrierParts(
        reliability=float((weight * (said - seen) ** 2).sum() + unseen**2),
        resolution=float((weight * (seen - share) ** 2).sum()),
        uncertainty=float((share * (1 - share)).sum() + unseen * (1 - unseen)),
        within=float(np.where(used, variance - 2 * covariance, 0.0).sum()),
    )
