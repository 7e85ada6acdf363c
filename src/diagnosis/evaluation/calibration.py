"""Do the probabilities mean what they say: reliability table, expected calibration error, slope and intercept.

Sources: reliability bins and the expected calibration error of the top label, Guo et al., "On Calibration of Modern
Neural Networks", ICML 2017; bins of equal mass, Nguyen and O'Connor, EMNLP 2015; calibration intercept and slope,
Van Calster et al., "Calibration: the Achilles heel of predictive analytics", BMC Medicine 17:230, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from diagnosis.evaluation.outcomes import FLOOR, blocks

__all__ = ["Fit", "Reliability", "assign_bins", "bins_of", "ece", "fit_intercept", "fit_slope", "reliability"]

N_BINS = 15
_MAX_STEPS = 100
_WIDEST_STEP = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """A reliability table of the top label, lowest confidence first; bins without a case are left out.

    Parameters
    ----------
    n : ndarray of shape (n_bins,), int64
        Cases.
    mass : ndarray of shape (n_bins,), float64
        Share of the total weight; sums to 1.
    confidence : ndarray of shape (n_bins,), float64
        Mean of the largest probability.
    accuracy : ndarray of shape (n_bins,), float64
        Share of cases whose true diagnosis stands alone in first place.
    """

    n: NDArray[np.int64]
    mass: NDArray[np.float64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A fitted number and what each case adds to its estimating equation there.

    Parameters
    ----------
    value : float or None
        None where the likelihood has no finite maximum or is flat.
    score : ndarray of shape (n,)
        First derivative of each case's log-likelihood.
    curvature : ndarray of shape (n,)
        Minus its second derivative.
    """

    value: float | None
    score: NDArray[np.float64]
    curvature: NDArray[np.float64]


def assign_bins(mass: NDArray[Any], n_bins: int = N_BINS) -> NDArray[np.int64]:
    """Return the bin of each distinct confidence, given their weights in rising order.

    A value goes where the middle of its mass lies. Equal confidences therefore share a bin (bins are then not quite
    of equal mass), the order of cases does not matter, and a case of weight 2 equals the case written twice.
    """
    total = float(mass.sum())
    middle = np.cumsum(mass) - mass / 2.0
    return np.minimum((middle * (n_bins / total)).astype(np.int64), n_bins - 1)


def bins_of(confidence: NDArray[np.float64], weights: NDArray[np.float64], n_bins: int = N_BINS) -> NDArray[np.int64]:
    """Return the bin of each case among bins of equal mass; shape (n,)."""
    _, level = np.unique(confidence, return_inverse=True)
    return assign_bins(np.bincount(level, weights), n_bins)[level]


def reliability(
    confidence: NDArray[np.float64],
    correct: NDArray[np.bool_],
    weights: NDArray[np.float64],
    n_bins: int = N_BINS,
) -> Reliability:
    """Return the reliability table of the top label over bins of equal mass.

    Parameters
    ----------
    confidence : ndarray of shape (n,)
        Largest probability of each case.
    correct : ndarray of shape (n,), bool
    weights : ndarray of shape (n,)
        Not all zero.
    n_bins : int
    """
    bins = bins_of(confidence, weights, n_bins)
    mass = np.bincount(bins, weights, n_bins)
    used = mass > 0
    inside = mass[used]
    return Reliability(
        n=np.bincount(bins[weights > 0], minlength=n_bins)[used],
        mass=inside / inside.sum(),
        confidence=np.bincount(bins, weights * confidence, n_bins)[used] / inside,
        accuracy=np.bincount(bins, weights * correct, n_bins)[used] / inside,
    )


def ece(table: Reliability) -> float:
    """Return the expected calibration error: the mean distance of accuracy and confidence over bins, by mass."""
    return float(np.sum(table.mass * np.abs(table.accuracy - table.confidence)))


def fit_slope(
    proba: NDArray[np.float64],
    column: NDArray[np.int64],
    weights: NDArray[np.float64],
    rows: NDArray[np.int64] | None = None,
    start: float = 1.0,
) -> Fit:
    """Fit `b` in ``softmax(b * log p)`` to the true diagnoses by maximum likelihood: the calibration slope.

    Below 1 the probabilities are too extreme, above 1 too timid; with two diagnoses and no shift it is the slope
    of logistic recalibration. The likelihood is concave in `b` (Guo et al. 2017, temperature 1/b).

    Parameters
    ----------
    proba : ndarray of shape (N, K)
    column : ndarray of shape (n,), int64
        Column of the true diagnosis; cases with -1 (unreachable) are left out: no exponent makes them likelier.
    weights : ndarray of shape (n,)
    rows : ndarray of shape (n,), int64, optional
        Rows of `proba` that are meant. None: all.
    start : float
        First guess.

    Returns
    -------
    Fit
        Its value is None where the true diagnosis is always the likeliest, always the least likely, or where all
        probabilities of each case are equal: no finite exponent is best then.
    """
    rows = np.arange(len(column)) if rows is None else rows
    score, curvature = np.zeros(len(column)), np.zeros(len(column))
    use = np.flatnonzero((column >= 0) & (weights > 0))
    part, truth, w = rows[use], column[use], weights[use]
    if not _has_maximum(proba, part, truth):
        return Fit(None, score, curvature)
    b, low, high = start, -np.inf, np.inf
    for _ in range(_MAX_STEPS):
        g, h = _slope_terms(proba, part, truth, b)
        gradient, bend = float(w @ g), float(w @ h)
        low, high = (b, high) if gradient > 0 else (low, b)
        step = gradient / bend if bend > 0 else np.copysign(np.inf, gradient)
        if abs(step) <= 1e-10 * max(1.0, abs(b)):
            break
        widest = max(_WIDEST_STEP, abs(b))
        b = _inside(b + float(np.clip(step, -widest, widest)), b, low, high)
    score[use], curvature[use] = g, h
    return Fit(float(b), score, curvature)


def fit_intercept(confidence: NDArray[np.float64], correct: NDArray[np.bool_], weights: NDArray[np.float64]) -> Fit:
    """Fit `a` in ``P(correct) = expit(a + logit(confidence))`` by maximum likelihood: the calibration intercept.

    Calibration in the large of the top label: logistic recalibration with the slope fixed at 1 (Van Calster et al.
    2019). Below 0 the first suggestion is right less often than its probability says, above 0 more often. Cases
    whose diagnosis is unreachable count as not correct.

    Returns
    -------
    Fit
        Its value is None where all or none are correct: the intercept is then infinite.
    """
    offset = logit(np.clip(confidence, FLOOR, 1.0 - FLOOR))
    share = float(weights @ correct / weights.sum())
    if not 0.0 < share < 1.0:
        return Fit(None, np.zeros(len(offset)), np.zeros(len(offset)))
    low, high = logit(share) - offset.max(), logit(share) - offset.min()
    if high - low < 1e-12:
        value = float(low)
    else:
        value = float(
            brentq(lambda a: float(weights @ (expit(offset + a) - correct)), low - 1e-9, high + 1e-9, xtol=1e-12)
        )
    p = expit(offset + value)
    return Fit(value, correct - p, p * (1.0 - p))


def _inside(wanted: float, b: float, low: float, high: float) -> float:
    """Keep a Newton step between the points where the gradient is known to point inwards."""
    if low < wanted < high:
        return wanted
    return (b + (high if wanted >= high else low)) / 2.0


def _slope_terms(
    proba: NDArray[np.float64], rows: NDArray[np.int64], truth: NDArray[np.int64], b: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    score, curvature = np.empty(len(rows)), np.empty(len(rows))
    for block in blocks(len(rows), proba.shape[1]):
        logs = np.log(np.maximum(proba[rows[block]], FLOOR))
        scaled = b * logs
        scaled -= scaled.max(axis=1, keepdims=True)
        q = np.exp(scaled, out=scaled)
        q /= q.sum(axis=1, keepdims=True)
        mean = np.einsum("ij,ij->i", q, logs)
        score[block] = logs[np.arange(len(logs)), truth[block]] - mean
        logs -= mean[:, None]
        curvature[block] = np.einsum("ij,ij,ij->i", q, logs, logs)
    return score, curvature


def _has_maximum(proba: NDArray[np.float64], rows: NDArray[np.int64], truth: NDArray[np.int64]) -> bool:
    above = below = False
    for block in blocks(len(rows), proba.shape[1]):
        p = np.maximum(proba[rows[block]], FLOOR)
        p_true = p[np.arange(len(p)), truth[block]]
        above = above or bool((p.max(axis=1) > p_true).any())
        below = below or bool((p.min(axis=1) < p_true).any())
        if above and below:
            return True
    return False
