"""The must-not-miss policy: from which probability on a dangerous diagnosis is flagged, whatever its rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from diagnosis.errors import InputError
from diagnosis.models.protocol import FloatArray

__all__ = ["flag_thresholds"]

_ROUNDING = 1e-9


def flag_thresholds(
    proba: ArrayLike,
    y_index: ArrayLike,
    which: ArrayLike,
    sensitivity: float,
    *,
    sample_weight: ArrayLike | None = None,
    min_cases: int = 1,
) -> FloatArray:
    """Choose, for each must-not-miss diagnosis, the highest threshold that keeps the declared sensitivity.

    Parameters
    ----------
    proba : array of shape (n_cases, n_diagnoses)
        Out-of-fold probabilities: on training rows the thresholds would come out too high and miss cases.
    y_index : int array of shape (n_cases,)
        Column of each case's diagnosis; negative: none of them.
    which : bool array of shape (n_diagnoses,)
        The must-not-miss diagnoses.
    sensitivity : float
        Share of a diagnosis's own cases (by weight) with a probability at or above its threshold; above 0, at most 1.
    sample_weight : array of shape (n_cases,), optional
    min_cases : int
        A diagnosis with fewer own cases (of positive weight) gets no threshold.

    Returns
    -------
    ndarray of shape (n_diagnoses,)
        Thresholds; nan for a diagnosis that is not in `which` or has no case to choose on. ``proba >= nan`` is false:
        such a diagnosis is never flagged, and the caller has to say so.

    Raises
    ------
    InputError
        If the sensitivity is out of range, or `which` has another length than there are diagnoses.

    Examples
    --------
    >>> proba = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]
    >>> flag_thresholds(proba, [0, 1, 1, 1], [False, True], sensitivity=0.6).tolist()
    [nan, 0.4]
    """
    if not 0.0 < sensitivity <= 1.0:
        raise InputError("sensitivity must be above 0 and at most 1", f"it is {sensitivity!r}", "use for example 0.95")
    p = np.asarray(proba, dtype=np.float64)
    y = np.asarray(y_index, dtype=np.int64)
    chosen = np.asarray(which, dtype=np.bool_)
    if chosen.shape != (p.shape[1],):
        raise InputError(
            f"which must have one entry for each of the {p.shape[1]} diagnoses",
            f"it has the shape {chosen.shape}",
            "give a bool array in the order of the columns of proba",
        )
    w = np.ones(y.shape) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    thresholds = np.full(p.shape[1], np.nan)
    for k in np.flatnonzero(chosen):
        own = (y == k) & (w > 0)
        if own.sum() >= max(min_cases, 1):
            thresholds[k] = _keeping(p[own, k], w[own], sensitivity)
    return thresholds


def _keeping(p: FloatArray, w: FloatArray, share: float) -> float:
    """Return the highest of `p` at or above which at least `share` of the weight lies."""
    order = np.argsort(-p, kind="stable")
    reached = np.cumsum(w[order]) / w.sum()
    return float(p[order[min(int(np.searchsorted(reached, share - _ROUNDING)), p.size - 1)]])
