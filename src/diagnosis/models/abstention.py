"""When not to answer: the confidence below which a model's first suggestion is wrong more often than declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta

from diagnosis.errors import InputError
from diagnosis.models.protocol import FloatArray, IntArray

__all__ = ["RiskPoint", "abstain_threshold", "risk_curve"]

_CURVE = tuple(round(0.05 * i, 2) for i in range(1, 21))


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """Answering only the surest share of the cases.

    Parameters
    ----------
    answered : float
        Share of the cases (by weight) that are answered.
    confidence : float
        The largest probability from which on they are.
    error : float
        Share of the answered cases whose most probable diagnosis is wrong.
    at_most : float
        Upper confidence bound of that share in new cases.
    """

    answered: float
    confidence: float
    error: float
    at_most: float

    def to_json(self) -> dict[str, float]:
        """The point as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def abstain_threshold(
    proba: ArrayLike,
    y_index: ArrayLike,
    error: float,
    *,
    sample_weight: ArrayLike | None = None,
    confidence: float = 0.9,
) -> float | None:
    """Choose below which largest probability to abstain, for a declared error rate of the answers.

    Of the points of `risk_curve` the one that answers most is taken, among those whose bound is at most the declared
    error. The bound holds for all points together, so the choice among them is paid for.

    Parameters
    ----------
    proba : array of shape (n_cases, n_diagnoses)
        Of cases the model was not trained on.
    y_index : int array of shape (n_cases,)
        Column of each case's diagnosis; negative: one the model cannot name, always an error.
    error : float
        Declared share of wrong first suggestions among those answered; above 0, below 1.
    sample_weight : array of shape (n_cases,), optional
    confidence : float
        That the declared error is kept in new cases.

    Returns
    -------
    float or None
        0.0 where all cases may be answered; None where no part of the cases keeps the error.

    Raises
    ------
    InputError
        If the error is not between 0 and 1.

    Notes
    -----
    Geifman, El-Yaniv: Selective classification for deep neural networks (NeurIPS 2017); bounds of Clopper and Pearson
    (1934), divided among the points (Bonferroni).
    """
    if not 0.0 < error < 1.0:
        raise InputError("the error of answers must lie between 0 and 1", f"it is {error!r}", "use for example 0.2")
    curve = risk_curve(proba, y_index, sample_weight=sample_weight, confidence=confidence)
    kept = [point for point in curve if point.at_most <= error]
    if not kept:
        return None
    widest = max(kept, key=lambda point: point.answered)
    return 0.0 if widest.answered >= 1.0 else widest.confidence


def risk_curve(
    proba: ArrayLike,
    y_index: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    confidence: float = 0.9,
    answered: Sequence[float] = _CURVE,
) -> tuple[RiskPoint, ...]:
    """Say how often the first suggestion is wrong when only the surest share of the cases is answered.

    Cases that are equally sure are answered together, so a point may answer more than asked for. A case whose most
    probable diagnosis is not alone in first place counts as wrong.

    Parameters
    ----------
    proba, y_index, sample_weight, confidence
        As for `abstain_threshold`.
    answered : sequence of float
        Shares of the cases.
    """
    p: FloatArray = np.asarray(proba, dtype=np.float64)
    y: IntArray = np.asarray(y_index, dtype=np.int64)
    w = np.ones(y.shape) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    p, y, w = p[w > 0], y[w > 0], w[w > 0]
    if not y.size:
        return ()
    top = p.max(axis=1)
    own = np.where(y >= 0, p[np.arange(y.size), np.maximum(y, 0)], -1.0)
    wrong = (own < top) | ((p == top[:, None]).sum(axis=1) > 1)
    order = np.argsort(-top, kind="stable")
    weight, failed, sureness = w[order], (w * wrong)[order], top[order]
    mass, risk, squares = np.cumsum(weight), np.cumsum(failed), np.cumsum(weight**2)
    last_of_equals = np.searchsorted(-sureness, -sureness, side="right") - 1
    wanted = np.minimum(np.searchsorted(mass, np.asarray(answered) * mass[-1] * (1 - 1e-12)), y.size - 1)
    points = []
    for i in np.unique(last_of_equals[wanted]).tolist():
        share = float(risk[i] / mass[i])
        # Weighted cases count for as many as would leave the mean as uncertain (Kish).
        n = float(mass[i] ** 2 / squares[i])
        at_most = _upper(share, n, (1.0 - confidence) / len(answered))
        points.append(RiskPoint(float(mass[i] / mass[-1]), float(sureness[i]), share, at_most))
    return tuple(points)


def _upper(share: float, n: float, alpha: float) -> float:
    """Upper bound of Clopper and Pearson for a share seen in `n` cases."""
    failures = share * n
    if failures >= n - 1e-9:
        return 1.0
    return float(beta.ppf(1.0 - alpha, failures + 1.0, n - failures))
