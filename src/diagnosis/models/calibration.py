"""From scores to probabilities: the softmax, and one temperature chosen on scores the model was not trained on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from diagnosis.errors import InputError
from diagnosis.models.protocol import FloatArray

__all__ = ["fit_temperature", "log_loss", "log_softmax", "log_sum_exp", "softmax"]

# A perfectly separated set would send beta to infinity and every later mistake to probability zero.
_BETA_RANGE = (0.01, 100.0)


def log_softmax(scores: ArrayLike) -> FloatArray:
    """Return log-probabilities along the last axis, in float64, finite for scores of any finite size.

    Examples
    --------
    >>> log_softmax([[0.0, 1e5]]).tolist()
    [[-100000.0, 0.0]]
    """
    s = np.asarray(scores, dtype=np.float64)
    shifted = s - s.max(axis=-1, keepdims=True)
    out: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return out


def softmax(scores: ArrayLike) -> FloatArray:
    """Return probabilities along the last axis, in float64; they sum to 1.

    Examples
    --------
    >>> softmax([[0.0, 0.0]]).tolist()
    [[0.5, 0.5]]
    """
    s = np.asarray(scores, dtype=np.float64)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    out: FloatArray = e / e.sum(axis=-1, keepdims=True)
    return out


def log_sum_exp(scores: ArrayLike) -> FloatArray:
    """Return log(sum(exp(scores))) along the last axis, in float64."""
    s = np.asarray(scores, dtype=np.float64)
    top = s.max(axis=-1, keepdims=True)
    out: FloatArray = (top + np.log(np.exp(s - top).sum(axis=-1, keepdims=True)))[..., 0]
    return out


def log_loss(scores: ArrayLike, y_index: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the weighted mean of -log p(true diagnosis), in nats.

    Parameters
    ----------
    scores : array of shape (n_cases, n_diagnoses), log scale
    y_index : int array of shape (n_cases,)
        Column of each case's diagnosis; a case with a negative index (a diagnosis the model has no column for) is
        left out.
    sample_weight : array of shape (n_cases,), optional
    """
    y, w = _usable(y_index, sample_weight)
    rows = np.flatnonzero(w > 0)
    if not rows.size:
        return math.nan
    log_p = log_softmax(np.asarray(scores, dtype=np.float64)[rows])
    return -float(np.average(log_p[np.arange(rows.size), y[rows]], weights=w[rows]))


def fit_temperature(scores: ArrayLike, y_index: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Choose the factor `beta` for which ``softmax(beta * scores)`` has the lowest log-loss.

    The loss is convex in beta, so there is one answer. Contributions times beta explain the calibrated probability.

    Parameters
    ----------
    scores : array of shape (n_cases, n_diagnoses), log scale
        Scores of cases the model was not trained on (out of fold).
    y_index : int array of shape (n_cases,)
        Column of each case's diagnosis; negative: not known to the model, left out.
    sample_weight : array of shape (n_cases,), optional

    Returns
    -------
    float
        Beta between 0.01 and 100. Exactly 1.0 where there is nothing to choose on: no case with a known diagnosis and
        a positive weight, fewer than two diagnoses, or scores that do not differ between diagnoses.

    Notes
    -----
    Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks (ICML 2017), with beta = 1 / T.
    """
    s = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(s).all():
        raise InputError("fit_temperature was asked for", "some scores are not finite", "fit the model again")
    y, w = _usable(y_index, sample_weight)
    used = w > 0
    s, y, w = s[used], y[used], w[used]
    if not s.size or s.shape[1] < 2 or not np.ptp(s, axis=1).any():
        return 1.0
    # The shift changes no probability and keeps beta * score from overflowing.
    s = s - s.max(axis=1, keepdims=True)
    low, high = np.log(_BETA_RANGE)
    found = minimize_scalar(
        lambda log_beta: log_loss(math.exp(log_beta) * s, y, w),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return math.exp(float(found.x))


def _usable(y_index: ArrayLike, sample_weight: ArrayLike | None) -> tuple[np.ndarray, FloatArray]:
    """Return the indices and the weights, zero where the diagnosis has no column."""
    y = np.asarray(y_index, dtype=np.int64)
    w = np.ones(y.shape) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    return y, np.where(y >= 0, w, 0.0)
