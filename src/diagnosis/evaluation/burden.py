"""What a must-not-miss policy would catch, and what it would cost, at thresholds from strict to lax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.bootstrap import Ratio, interval, ratio_draws
from diagnosis.evaluation.outcomes import Outcomes

__all__ = ["FlagPoint", "flag_curve"]

LEVELS = (0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.015, 0.01, 0.0075, 0.005, 0.003, 0.002, 0.001)


@dataclass(frozen=True, slots=True)
class FlagPoint:
    """One threshold for all must-not-miss diagnoses, tried on unseen cases.

    Parameters
    ----------
    flag_at : float
        Probability from which on a must-not-miss diagnosis is flagged.
    sensitivity : float
        Share of the must-not-miss cases whose own diagnosis is flagged; one the model cannot name is missed.
    interval : (low, high) or None
        Of the sensitivity; central 95 % over draws of patients.
    flags_per_case : float
        Mean number of flags over all cases.
    """

    flag_at: float
    sensitivity: float
    interval: tuple[float, float] | None
    flags_per_case: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return plain | {"interval": None if self.interval is None else list(self.interval)}


def flag_curve(
    proba: NDArray[np.float64],
    members: NDArray[np.int64],
    outcomes: Outcomes,
    weights: NDArray[np.float64],
    counts: NDArray[np.int16],
) -> tuple[FlagPoint, ...]:
    """Return sensitivity over burden, strictest threshold first; empty where no case must not be missed.

    Parameters
    ----------
    proba : ndarray of shape (n, K)
    members : ndarray of int64
        Columns of the must-not-miss diagnoses.
    outcomes : Outcomes of the n cases
    weights : ndarray of shape (n,)
    counts : ndarray of shape (n_boot, n_patients), int16
    """
    critical = outcomes.critical & (weights > 0)
    if not critical.any():
        return ()
    own = np.zeros(len(weights))
    rows = np.flatnonzero(critical & np.isin(outcomes.column, members))
    own[rows] = proba[rows, outcomes.column[rows]]
    caught = {f"{level}": Ratio((critical & (own >= level)).astype(float), critical.astype(float)) for level in LEVELS}
    drawn = ratio_draws(counts, outcomes.patient, weights, caught) if len(counts) else {}
    named = proba[:, members]
    points = []
    for level in LEVELS:
        sensitivity = caught[f"{level}"].value(weights)
        assert sensitivity is not None
        ends = interval(drawn[f"{level}"]) if drawn else None
        flags = float(weights @ (named >= level).sum(axis=1) / weights.sum())
        points.append(FlagPoint(level, sensitivity, ends, flags))
    return tuple(points)
