"""A temperature for each case, by how sure the model is: where one temperature for all cannot be right for any.

Some recorded diagnoses are wrong, so no model is right in more than, say, 98 of 100 cases, however sure it is. A single
temperature can say so only by making every case less sure. Here the largest probability of a case is mapped to the
share of such cases in which it was right, and the case's scores are multiplied by the factor that gives this
probability: the order of the diagnoses stays, and so does the sum of contributions, which are multiplied by it as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from diagnosis.models.calibration import log_softmax
from diagnosis.models.folds import grouped_folds
from diagnosis.models.protocol import FloatArray, IntArray

__all__ = ["Sureness", "fit_sureness"]

_LEAST, _MOST = 1e-3, 2.0
_STEPS = 12
# One case alone: at most so many diagnoses, and at least so much on others than the first, for the short way.
_MOST_ALONE, _SURE = 10_000, 1e-9
_FOLDS = 5
_BOUNDS = ((-3.0, 3.0), (-1.5, 1.5), (-12.0, -0.5))
# How far the map may leave the identity without cases to show it: standard deviations of `shift` and log `slope`, and
# as many cases without an error as make a ceiling below 1 unlikely.
_SHIFT_SD, _SLOPE_SD, _CLEAN_CASES = 0.5, 0.3, 100.0


@dataclass(frozen=True, slots=True)
class Sureness:
    """From the largest probability of a case to how often it is right: ``ceiling * expit(shift + slope * logit(p))``.

    Parameters
    ----------
    shift, slope : float
        On the log-odds scale; 0 and 1 change nothing. `slope` is above 0.
    ceiling : float
        Most that can be reached, up to 1: one less the share of wrong labels, as the scores show it.
    """

    shift: float
    slope: float
    ceiling: float

    def right(self, top: ArrayLike) -> FloatArray:
        """Return the share of right first diagnoses among cases whose largest probability is `top`."""
        p = np.asarray(top, dtype=np.float64)
        found: FloatArray = self.ceiling * expit(self.shift + self.slope * logit(np.clip(p, 1e-300, 1 - 1e-15)))
        return found

    def factors(self, scores: ArrayLike) -> FloatArray:
        """Return what to multiply the scores of each case by, shape (n_cases,); above 0, at most 2.

        Parameters
        ----------
        scores : array of shape (n_cases, n_diagnoses), log scale
        """
        s = np.asarray(scores, dtype=np.float64)
        below = s - s.max(axis=1, keepdims=True) if s.size else s
        if len(below) == 1:
            return np.array([self.factor(below[0])])
        return _solve(below, self.shift, self.slope, self.ceiling)

    def factor(self, below: FloatArray) -> float:
        """As `factors`, for one case in microseconds: its scores less the largest of them, shape (n_diagnoses,)."""
        alone = _solve_one(below, self.shift, self.slope, self.ceiling)
        return float(_solve(below[None], self.shift, self.slope, self.ceiling)[0]) if alone is None else alone


def fit_sureness(
    scores: ArrayLike, y_index: ArrayLike, sample_weight: ArrayLike | None = None, *, groups: ArrayLike | None = None
) -> Sureness | None:
    """Fit the map by the likelihood of the first diagnosis being right, drawn towards changing nothing.

    It is taken only where it clearly helps: fitted without each fifth of the patients in turn, it must say of that
    fifth whether the first diagnosis is right with a log-loss lower by more than the standard error of the difference,
    and must not raise the log-loss of the diagnosis itself.

    Parameters
    ----------
    scores : array of shape (n_cases, n_diagnoses), log scale
        Of cases the model was not trained on, after their temperature.
    y_index : int array of shape (n_cases,)
        Column of each case's diagnosis; negative: left out.
    sample_weight : array of shape (n_cases,), optional
    groups : array of shape (n_cases,), optional
        The patient of each case; every case is its own patient if not given.

    Returns
    -------
    Sureness or None
        None where it does not clearly help, or there is nothing to fit on.
    """
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(y_index, dtype=np.int64)
    w = np.ones(y.shape) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    used = (y >= 0) & (w > 0)
    patient = np.unique(np.arange(y.size) if groups is None else np.asarray(groups), return_inverse=True)[1][used]
    s, y, w = s[used], y[used], w[used]
    if not y.size or s.shape[1] < 2 or not np.ptp(patient):
        return None
    odds = _top_log_odds(s - s.max(axis=1, keepdims=True))
    own = s[np.arange(y.size), y]
    right = (own == s.max(axis=1)) & ((s == own[:, None]).sum(axis=1) == 1)
    # Cases count for as many as leave the mean as uncertain (Kish), or heavy weights would drown the prior.
    cases = w * (w.sum() / (w**2).sum())
    fold, saved, surer = grouped_folds(y, patient, _FOLDS, seed=0), np.zeros(y.size), np.zeros(y.size)
    for f in range(int(fold.max()) + 1):
        out = fold == f
        tried = _map(odds[~out], right[~out], cases[~out])
        after, before = log_softmax(tried.factors(s[out])[:, None] * s[out]), log_softmax(s[out])
        true = np.arange(int(out.sum())), y[out]
        saved[out] = after[true] - before[true]
        surer[out] = _log_right(after, right[out]) - _log_right(before, right[out])
    share = w / w.sum()
    helps = float(share @ saved) > 0 and _is_clear(surer, share, patient)
    return _map(odds, right, cases) if helps else None


def _log_right(log_p: FloatArray, right: NDArray[np.bool_]) -> FloatArray:
    """Log of the probability given to the first diagnosis being right, or wrong, as it was."""
    top = log_p.max(axis=1)
    found: FloatArray = np.where(right, top, np.log(np.maximum(-np.expm1(top), 1e-15)))
    return found


def _map(odds: FloatArray, right: NDArray[np.bool_], cases: FloatArray) -> Sureness:
    """Fit the map on log-odds of the first diagnosis and whether it was right."""
    found = minimize(_loss, np.array([0.0, 0.0, -6.0]), args=(odds, right, cases), jac=True, bounds=_BOUNDS)
    shift, log_slope, log_odds = (float(v) for v in found.x)
    return Sureness(shift, float(np.exp(log_slope)), float(1.0 - expit(log_odds)))


def _is_clear(saved: FloatArray, share: FloatArray, patient: IntArray) -> bool:
    """Whether the mean of what is saved is above its standard error, the cases of a patient taken together."""
    gain = float(share @ saved)
    by_patient = np.bincount(patient, share * (saved - gain))
    return gain > float(np.sqrt(by_patient @ by_patient))


def _loss(at: FloatArray, odds: FloatArray, right: NDArray[np.bool_], w: FloatArray) -> tuple[float, FloatArray]:
    """Penalised negative log-likelihood of right and wrong, and its gradient."""
    shift, log_slope, log_odds = at
    inner = expit(shift + np.exp(log_slope) * odds)
    wrong = expit(log_odds)
    q = np.clip((1.0 - wrong) * inner, 1e-12, 1 - 1e-12)
    value = -float(w @ np.where(right, np.log(q), np.log1p(-q)))
    slope_of = w * np.where(right, -1.0 / q, 1.0 / (1.0 - q))
    d_inner = (1.0 - wrong) * inner * (1.0 - inner)
    gradient = np.array(
        [
            slope_of @ d_inner + shift / _SHIFT_SD**2,
            slope_of @ (d_inner * np.exp(log_slope) * odds) + log_slope / _SLOPE_SD**2,
            -(slope_of @ inner) * wrong * (1.0 - wrong) + _CLEAN_CASES * wrong,
        ]
    )
    value += shift**2 / (2 * _SHIFT_SD**2) + log_slope**2 / (2 * _SLOPE_SD**2) - _CLEAN_CASES * np.log1p(-wrong)
    return float(value), gradient


def _top_log_odds(below: FloatArray) -> FloatArray:
    """Log-odds of the most probable diagnosis, from scores less their largest; finite for gaps of any size."""
    rest = _rest(np.exp(below), below.argmax(axis=1))
    # With a gap beyond what exp can hold the second score alone says how sure the case is.
    second = -np.partition(below, -2, axis=1)[:, -2]
    far = second > 30.0
    found: FloatArray = np.where(far, second, -np.log(np.maximum(rest, 1e-300)))
    return np.minimum(found, 700.0)


def _rest(e: FloatArray, top: IntArray) -> FloatArray:
    """Sum of each row without its largest entry, which is 1: taking 1 from the sum would leave few digits."""
    e[np.arange(len(e)), top] = 0.0
    rest: FloatArray = e.sum(axis=1)
    return rest


def _solve(below: FloatArray, shift: float, slope: float, ceiling: float) -> FloatArray:
    """Find the factor `m` for which ``softmax(m * below)`` has the wanted largest probability (Newton's method)."""
    n, k = below.shape
    if n == 0 or k < 2:
        return np.ones(n)
    top = below.argmax(axis=1)
    wanted = ceiling * expit(shift + slope * _top_log_odds(below))
    target = np.log(-np.log(np.clip(wanted, 1.0 / k + 1e-9, 1 - 1e-12)))
    second = -np.partition(below, -2, axis=1)[:, -2]
    m = np.clip(30.0 / np.maximum(second, 1e-12), _LEAST, 1.0)
    moving = np.ones(n, bool)
    # On this scale the equation is nearly a straight line, so a handful of steps reach rounding error. Where nothing
    # moves the probability (a tie for first place), the step is endless and ends at the bound.
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(_STEPS):
            e = np.exp(m[:, None] * below)
            falling = np.einsum("ij,ij->i", e, below)
            rest = _rest(e, top)
            lse = np.maximum(np.log1p(rest), 1e-300)
            moved = m + (np.log(lse) - target) * (lse * (1.0 + rest) / np.maximum(-falling, 1e-300))
            moved = np.minimum(np.maximum(moved, _LEAST), _MOST)
            moved = np.where(np.isnan(moved), m, moved)
            still = moving & (np.abs(moved - m) > 1e-13 * m)
            # A case that has arrived stays, or its answer would depend on the cases beside it.
            m, moving = np.where(moving, moved, m), still
            if not moving.any():
                break
    return np.where((below == 0).all(axis=1), 1.0, m)


def _solve_one(below: FloatArray, shift: float, slope: float, ceiling: float) -> float | None:
    """As `_solve`, of one case (by Halley's method: a step costs more than what it needs); None for an unusual one."""
    k = below.shape[0]
    if not 2 <= k <= _MOST_ALONE:
        return None
    powers = np.ones((3, k))  # for the sum over all but the first diagnosis, and for its two derivatives
    powers[0, below.argmax()], powers[1] = 0.0, below
    np.multiply(below, below, powers[2])
    rest, first, second = powers.dot(np.exp(below)).tolist()
    if not (rest > _SURE and first < 0.0):
        return None
    wanted = ceiling / (1.0 + math.exp(min(slope * math.log(rest) - shift, 700.0)))
    target, m = math.log(-math.log(min(max(wanted, 1.0 / k + 1e-9), 1 - 1e-12))), 1.0
    for _ in range(_STEPS):
        lse = math.log1p(rest)
        falling = first / (1.0 + rest)
        slant = falling / lse
        bend = (second / (1.0 + rest) - falling * falling) / lse - slant * slant
        off = math.log(lse) - target
        turn = 2.0 * slant * slant - off * bend
        step = 2.0 * off * slant / turn if turn > 0.0 else _MOST
        m -= step
        if not _LEAST < m < _MOST:
            return None
        # Each step leaves the third power of what there was, so that after one this small nothing is left.
        if abs(step) <= 1e-5 * m:
            return m
        rest, first, second = powers.dot(np.exp(m * below)).tolist()
        if not (rest > 0.0 and first < 0.0):
            return None
    return None
