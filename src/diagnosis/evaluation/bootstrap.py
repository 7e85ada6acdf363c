"""Intervals by drawing patients, not cases: percentile bootstrap of many draws at once, without copying a case.

Each draw takes as many patients as there are, with replacement, and all cases of a drawn patient together; the
interval is from the 2.5th to the 97.5th percentile (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
chapter 13; whole clusters, Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8).
A draw is a count a patient, so a metric that is a ratio of sums over cases costs one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diagnosis.evaluation.calibration import N_BINS, assign_bins

__all__ = [
    "Ratio",
    "centred",
    "draw_patients",
    "ece_draws",
    "interval",
    "macro_draws",
    "mean_recall",
    "moved",
    "ratio_draws",
]

_BLOCK = 25
_LOW, _HIGH = 2.5, 97.5


@dataclass(frozen=True, slots=True, eq=False)
class Ratio:
    """A metric of the form ``offset + sum(w * numerator) / sum(w * denominator)`` over cases of weight w."""

    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]
    offset: float = 0.0

    def value(self, weights: NDArray[np.float64]) -> float | None:
        """The metric, or None where the denominator is nothing."""
        below = float(weights @ self.denominator)
        return self.offset + float(weights @ self.numerator) / below if below > 0 else None


def draw_patients(n_patients: int, n_boot: int, seed: int) -> NDArray[np.int16]:
    """Return how often each patient is in each draw, shape (n_boot, n_patients); equal for equal seeds."""
    rng = np.random.default_rng(seed)
    counts = np.empty((n_boot, n_patients), dtype=np.int16)
    for b in range(n_boot):
        counts[b] = np.bincount(rng.integers(n_patients, size=n_patients), minlength=n_patients)
    return counts


def ratio_draws(
    counts: NDArray[np.int16],
    patient: NDArray[np.int64],
    weights: NDArray[np.float64],
    ratios: Mapping[str, Ratio],
) -> dict[str, NDArray[np.float64]]:
    """Return each metric in each draw, shape (n_boot,); nan where a draw leaves it undefined."""
    columns = [c for r in ratios.values() for c in (r.numerator, r.denominator)]
    sums = np.column_stack([np.bincount(patient, weights * c, counts.shape[1]) for c in columns])
    totals = np.vstack([part @ sums for part in _parts(counts)])
    above, below = totals[:, 0::2], totals[:, 1::2]
    drawn = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return {name: drawn[:, i] + r.offset for i, (name, r) in enumerate(ratios.items())}


def macro_draws(
    counts: NDArray[np.int16],
    patient: NDArray[np.int64],
    weights: NDArray[np.float64],
    label: NDArray[np.int64],
    correct: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the mean recall over the diagnoses present in each draw, shape (n_boot,)."""
    shape = (int(label.max()) + 1, counts.shape[1])
    mass = sparse.csr_array((weights, (label, patient)), shape=shape)
    hits = sparse.csr_array((weights * correct, (label, patient)), shape=shape)
    return np.concatenate(
        [mean_recall(np.asarray(hits @ part.T), np.asarray(mass @ part.T)) for part in _parts(counts)]
    )


def mean_recall(hits: NDArray[Any], mass: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of hits / mass over the diagnoses (axis 0) with any mass; nan where there is none."""
    present = mass > 0
    recall = np.divide(hits, mass, out=np.zeros_like(mass), where=present)
    n = present.sum(axis=0)
    return np.divide(recall.sum(axis=0), n, out=np.full(n.shape, np.nan), where=n > 0)


def ece_draws(
    counts: NDArray[np.int16],
    patient: NDArray[np.int64],
    weights: NDArray[np.float64],
    confidence: NDArray[np.float64],
    correct: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the expected calibration error of each draw, its bins of equal mass made anew, shape (n_boot,)."""
    levels, level = np.unique(confidence, return_inverse=True)
    order = np.argsort(level, kind="stable")
    level, patient, weights, hit = level[order], patient[order], weights[order], correct[order].astype(float)
    drawn = np.full(len(counts), np.nan)
    for b, count in enumerate(counts):
        w = weights * count[patient]
        mass = np.bincount(level, w, len(levels))
        total = mass.sum()
        if total > 0:
            gap = np.bincount(level, w * hit, len(levels)) - mass * levels
            drawn[b] = np.abs(np.bincount(assign_bins(mass), gap, N_BINS)).sum() / total
    return drawn


def interval(drawn: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the central 95 % of the draws that define the metric; None when fewer than half do."""
    defined = drawn[np.isfinite(drawn)]
    if len(defined) == 0 or 2 * len(defined) < len(drawn):
        return None
    low, high = np.percentile(defined, [_LOW, _HIGH])
    return float(low), float(high)


def centred(drawn: NDArray[np.float64], estimate: float) -> NDArray[np.float64]:
    """Move draws of a distance so that their mean is its estimate, none below 0.

    A mean of absolute deviations grows with noise, and a draw has the noise of the sample and its own: uncorrected,
    the interval of a small calibration error lies above the error itself.
    """
    return np.maximum(moved(drawn, estimate), 0.0)


def moved(drawn: NDArray[np.float64], estimate: float) -> NDArray[np.float64]:
    """Move draws so that their mean is the estimate: a metric that every draw shifts the same way stays inside."""
    defined = drawn[np.isfinite(drawn)]
    return drawn if len(defined) == 0 else drawn - defined.mean() + estimate


def _parts(counts: NDArray[np.int16]) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(counts), _BLOCK):
        yield counts[start : start + _BLOCK].astype(np.float64)
