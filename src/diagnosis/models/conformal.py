"""Sets of diagnoses that hold the true one with a declared frequency (split conformal prediction)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagnosis.errors import InputError
from diagnosis.models.protocol import FloatArray

__all__ = ["lac_quantile", "sets"]

# (n + 1) * coverage is a whole number for many usual choices; rounding error must not add one to it.
_ROUNDING = 1e-9


def lac_quantile(proba_true: ArrayLike, coverage: float, weights: ArrayLike | None = None) -> float:
    """Return the probability a diagnosis must reach to be in the set.

    The least ambiguous set-valued classifier: the threshold is the ceil((n + 1) coverage)-th largest probability that
    the held-out cases gave to their own diagnosis, so that the set of a new, exchangeable case holds its diagnosis
    with at least that frequency.

    Parameters
    ----------
    proba_true : array of shape (n_cases,)
        Probability of the true diagnosis in cases the model was not trained on; 0 for a diagnosis it cannot name.
        With cross-fitted instead of held-out cases there is no finite-sample guarantee.
    coverage : float
        Wanted share, strictly between 0 and 1.
    weights : array of shape (n_cases,), optional
        The case to come is taken to weigh as much as the mean one; equal weights give the unweighted rule.

    Returns
    -------
    float
        The threshold; 0.0 (every diagnosis is in the set) where there are too few cases for the coverage.

    Raises
    ------
    InputError
        If the coverage is not between 0 and 1, or a weight is negative.

    Notes
    -----
    Sadinle, Lei, Wasserman: Least ambiguous set-valued classifiers with bounded error levels (JASA 2019).

    Examples
    --------
    >>> lac_quantile([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], coverage=0.8)
    0.2
    """
    if not 0.0 < coverage < 1.0:
        raise InputError("coverage must lie between 0 and 1", f"it is {coverage!r}", "use for example 0.9")
    p = np.asarray(proba_true, dtype=np.float64)
    w = np.ones(p.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if (w < 0).any():
        raise InputError("weights must not be negative", f"{int((w < 0).sum())} are", "use weights of 0 or more")
    p, w = p[w > 0], w[w > 0]
    if not p.size:
        return 0.0
    order = np.argsort(-p, kind="stable")
    reached = np.cumsum(w[order] / w.mean())
    # With weights of one this is the ceil((n + 1) * coverage)-th case.
    needed = (p.size + 1) * coverage - _ROUNDING * p.size
    at = int(np.searchsorted(reached, needed))
    return float(p[order[at]]) if at < p.size else 0.0


def sets(proba: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Return which diagnoses are in the set of each case, shape (n_cases, n_diagnoses).

    A set is never empty: the most probable diagnosis is always in it, even below the threshold, which can only raise
    the coverage.

    Examples
    --------
    >>> sets([[0.5, 0.3, 0.2], [0.4, 0.35, 0.25]], threshold=0.45).tolist()
    [[True, False, False], [True, False, False]]
    """
    p: FloatArray = np.asarray(proba, dtype=np.float64)
    if math.isnan(threshold):
        raise InputError("the threshold of the sets must be a number", "it is nan", "use the result of lac_quantile")
    inside = p >= threshold
    inside[np.arange(p.shape[0]), p.argmax(axis=1)] = True
    return inside
