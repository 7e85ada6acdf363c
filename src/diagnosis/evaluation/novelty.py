"""Does the model notice a diagnosis it has never seen: its doubt, and its OTHER, among the known and the unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from diagnosis.evaluation.bootstrap import interval

__all__ = ["Detection", "Novelty", "auroc_draws", "detect", "novelty_of"]


@dataclass(frozen=True, slots=True)
class Detection:
    """How well a number tells unknown diagnoses from known ones.

    Parameters
    ----------
    auroc : float
        Chance that a case of an unknown diagnosis has the larger number; equal ones count half.
    interval : (low, high) or None
        Central 95 % over draws of patients.
    """

    auroc: float
    interval: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"auroc": self.auroc, "interval": None if self.interval is None else list(self.interval)}


@dataclass(frozen=True, slots=True)
class Novelty:
    """Detection of diagnoses that the model cannot name.

    Parameters
    ----------
    n_unknown, n_known : int
        Cases.
    doubt : Detection
        By ``1 - max p``.
    other : Detection or None
        By the probability of ``OTHER``; None where the model has none.
    """

    n_unknown: int
    n_known: int
    doubt: Detection
    other: Detection | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "n_unknown": self.n_unknown,
            "n_known": self.n_known,
            "doubt": self.doubt.to_json(),
            "other": None if self.other is None else self.other.to_json(),
        }


def novelty_of(
    unknown: NDArray[np.bool_],
    confidence: NDArray[np.float64],
    other: NDArray[np.float64] | None,
    weights: NDArray[np.float64],
    patient: NDArray[np.int64],
    counts: NDArray[np.int16],
) -> Novelty | None:
    """Judge doubt and OTHER as detectors; None where all cases, or none, have an unknown diagnosis.

    Parameters
    ----------
    unknown : ndarray of shape (n,), bool
    confidence : ndarray of shape (n,)
        Largest probability.
    other : ndarray of shape (n,) or None
        Probability of ``OTHER``.
    weights : ndarray of shape (n,)
    patient : ndarray of shape (n,), int64
    counts : ndarray of shape (n_boot, n_patients), int16
    """
    heavy = weights > 0
    if not (unknown & heavy).any() or not (~unknown & heavy).any():
        return None
    return Novelty(
        n_unknown=int(unknown.sum()),
        n_known=int((~unknown).sum()),
        doubt=detect(unknown, 1.0 - confidence, weights, patient, counts),
        other=None if other is None else detect(unknown, other, weights, patient, counts),
    )


def detect(
    unknown: NDArray[np.bool_],
    score: NDArray[np.float64],
    weights: NDArray[np.float64],
    patient: NDArray[np.int64],
    counts: NDArray[np.int16],
) -> Detection:
    """Return the area under the ROC curve with its interval."""
    value = float(roc_auc_score(unknown, score, sample_weight=weights))
    return Detection(value, interval(auroc_draws(unknown, score, weights, patient, counts)))


def auroc_draws(
    positive: NDArray[np.bool_],
    score: NDArray[np.float64],
    weights: NDArray[np.float64],
    patient: NDArray[np.int64],
    counts: NDArray[np.int16],
) -> NDArray[np.float64]:
    """Return the area under the ROC curve in each draw, shape (n_boot,); nan where a draw lacks one side."""
    levels, level = np.unique(score, return_inverse=True)
    drawn = np.full(len(counts), np.nan)
    for b, count in enumerate(counts):
        w = weights * count[patient]
        above = np.bincount(level, w * positive, len(levels))
        below = np.bincount(level, w * ~positive, len(levels))
        pairs = above.sum() * below.sum()
        if pairs > 0:
            drawn[b] = float(above @ (np.cumsum(below) - below / 2)) / pairs
    return drawn
