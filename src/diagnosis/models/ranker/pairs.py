"""Pairs of a case and a candidate diagnosis, and what speaks for and against each, as a few numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.models.calibration import log_sum_exp
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.ranker.first_stage import FirstStage, Rows
from diagnosis.models.ranker.likelihood import Floats

__all__ = ["FEATURES", "Entries", "Pairs", "entries_of", "pairs_of", "portions", "rest_of", "stack_pairs"]

# In this order in the trees; `contributions` says which columns of the case each of them came from.
FEATURES = (
    "margin",  # to the first of the list, by the first stage
    "log_share",  # log of the first stage's probability
    "recorded",  # naive Bayes: all that is recorded
    "recorded_margin",  # to the best of the list
    "unrecorded",  # naive Bayes: all that is not
    "prior",
    "for",  # what is recorded and speaks for the diagnosis
    "against",
    "strongest_for",
    "strongest_against",
    "typical_seen",  # share of the columns that the diagnosis fills on average
    "unexplained",  # specificity of what is recorded and not typical of the diagnosis
    "most_unexplained",
    "place",  # in the list
    "n_recorded",
    "n_cases",  # log of the cases of the diagnosis
    "logistic_margin",
    "lead",  # of the first of the list over the second
)
# Entries times candidates that one portion of cases holds at once: 16 MB each array.
_PORTION = 2_000_000
_FAR = 1e-290


@dataclass(frozen=True, slots=True)
class Pairs:
    """Candidates of each case, the best first.

    Attributes
    ----------
    candidates : ndarray of int64, shape (n_cases, m)
    first : ndarray of shape (n_cases, m)
        First-stage scores.
    rest : ndarray of shape (n_cases,)
        Log of the summed exponentials of all other diagnoses' first-stage scores; -inf where there are none.
    features : ndarray of shape (n_cases, m, n_features)
    """

    candidates: IntArray
    first: FloatArray
    rest: FloatArray
    features: FloatArray

    def take(self, rows: IntArray) -> Pairs:
        """Return the pairs of some cases."""
        return Pairs(self.candidates[rows], self.first[rows], self.rest[rows], self.features[rows])


@dataclass(frozen=True, slots=True)
class Entries:
    """The recorded columns of some cases beside their candidates; all but `starts` have one row an entry.

    Attributes
    ----------
    column : ndarray of int, shape (n_entries,)
    ratio : ndarray of shape (n_entries, m)
        What the entry says for each candidate, in nats.
    unfilled : ndarray of shape (n_entries, m)
        What it would have said without an entry.
    typical : ndarray of shape (n_entries, m)
        How often the candidate fills the column.
    unexplained : ndarray of shape (n_entries, m)
        Specificity of the column, as far as the candidate does not explain it.
    """

    column: IntArray
    ratio: FloatArray
    unfilled: FloatArray
    typical: FloatArray
    unexplained: FloatArray


def portions(X: Rows, m: int) -> Iterator[Rows]:
    """Yield the rows in portions of bounded size."""
    per_row = max(1.0, X.nnz / max(X.shape[0], 1)) * m
    step = max(1, min(int(_PORTION / per_row), _PORTION * 4 // max(1, m * len(FEATURES)), 4096))
    for start in range(0, X.shape[0], step):
        yield X[start : start + step]


def pairs_of(stage: FirstStage, X: Rows, scores: FloatArray, m: int) -> Pairs:
    """Return the `m` best diagnoses of each case by `scores` (of equals the first), with their features."""
    candidates = _best(scores, m)
    first = np.take_along_axis(scores, candidates, axis=1)
    total, rest = _totals(scores, candidates)
    return Pairs(candidates, first, rest, _features(stage, X, candidates, first, total))


def _totals(scores: FloatArray, candidates: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the log of the summed exponentials of all scores of a row, and of those of no candidate."""
    top = scores.max(axis=1)
    p = np.exp(scores - top[:, None])
    total = top + np.log(p.sum(axis=1))
    if candidates.shape[1] == scores.shape[1]:
        return total, np.full(top.size, -np.inf)
    np.put_along_axis(p, candidates, 0.0, axis=1)
    others = p.sum(axis=1)
    rest = top + np.log(np.maximum(others, _FAR))
    # So far below the candidates that their sum has few digits or none: once more, beside their own highest.
    if (far := np.flatnonzero(others <= _FAR)).size:
        left = scores[far].copy()
        np.put_along_axis(left, candidates[far], -np.inf, axis=1)
        rest[far] = log_sum_exp(left)
    return total, rest


def rest_of(scores: FloatArray, candidates: IntArray) -> FloatArray:
    """Return the log of the summed exponentials of a case's scores of no candidate, shape (n_cases,)."""
    return _totals(scores, candidates)[1]


def stack_pairs(parts: Sequence[Pairs]) -> Pairs:
    """Put the pairs of portions together."""
    names = ("candidates", "first", "rest", "features")
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def entries_of(stage: FirstStage, X: Rows, candidates: IntArray) -> Entries:
    """Return what each recorded column says for each candidate of its case."""
    found, valued = stage.evidence.likelihood, stage.evidence.valued
    row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    column, beside = X.indices.astype(np.int64), candidates[row]
    at = column[:, None], beside
    log_ratio = found.R[at]
    ratio = log_ratio * X.data[:, None]
    unfilled = found.U[at] * X.data[:, None]
    is_value = np.isin(column, valued) if valued.size else np.zeros(column.size, dtype=bool)
    height = np.searchsorted(valued, column[is_value])
    ratio[is_value] += found.H[height[:, None], beside[is_value]]
    share = found.share[column][:, None]
    odds = np.exp(np.clip(np.where(is_value[:, None], ratio, log_ratio), -50.0, 50.0))
    typical = np.where(is_value[:, None], 0.0, share * odds)
    return Entries(column, ratio, unfilled, typical, -np.log(share) / (1.0 + odds))


def _best(scores: FloatArray, m: int) -> IntArray:
    """Return the columns of the `m` highest scores of each row, in order."""
    if m < scores.shape[1]:
        least = np.partition(scores, -m, axis=1)[:, -m]
        chosen = scores >= least[:, None]
        if np.count_nonzero(chosen) > m * scores.shape[0]:
            # Of diagnoses that tie for the last place the first stand in the list, whatever the partition did.
            ties = scores == least[:, None]
            chosen &= ~ties | (ties.cumsum(axis=1) <= m - (scores > least[:, None]).sum(axis=1, keepdims=True))
        columns = np.nonzero(chosen)[1].reshape(scores.shape[0], m)
    else:
        columns = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def _features(stage: FirstStage, X: Rows, candidates: IntArray, first: FloatArray, total: FloatArray) -> FloatArray:
    found, logistic = stage.evidence.likelihood, stage.evidence.logistic
    n, m = candidates.shape
    entries = entries_of(stage, X, candidates)

    def summed(values: FloatArray, how: np.ufunc = np.add) -> FloatArray:
        return _by_case(values, X.indptr, how)

    recorded = summed(entries.ratio)
    made = np.zeros((n, m, len(FEATURES)))
    made[..., 0] = first - first[:, :1]
    made[..., 1] = first - total[:, None]
    made[..., 2] = recorded
    made[..., 3] = recorded - recorded.max(axis=1, keepdims=True)
    made[..., 4] = found.empty[candidates] - summed(entries.unfilled)
    made[..., 5] = found.prior[candidates]
    made[..., 6] = summed(np.maximum(entries.ratio, 0.0))
    made[..., 7] = recorded - made[..., 6]
    made[..., 8] = summed(entries.ratio, np.maximum)
    made[..., 9] = summed(entries.ratio, np.minimum)
    made[..., 10] = summed(entries.typical) / found.expected[candidates]
    made[..., 11] = summed(entries.unexplained)
    made[..., 12] = summed(entries.unexplained, np.maximum)
    made[..., 13] = np.arange(m)
    made[..., 14] = np.diff(X.indptr)[:, None]
    made[..., 15] = np.log1p(found.cases[candidates])
    if logistic is not None:
        own = logistic.intercept[candidates] + _logistic_sums(logistic.coef, X, candidates)
        made[..., 16] = own - own.max(axis=1, keepdims=True)
    made[..., 17] = (first[:, 0] - first[:, min(1, m - 1)])[:, None]
    return made


def _logistic_sums(coef: Floats, X: Rows, candidates: IntArray) -> FloatArray:
    row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    return _by_case(coef[X.indices[:, None], candidates[row]] * X.data[:, None], X.indptr, np.add)


def _by_case(values: FloatArray, indptr: NDArray[np.integer[Any]], how: np.ufunc) -> FloatArray:
    """Reduce the entries of each case; a case without any has 0."""
    made = np.zeros((indptr.size - 1, values.shape[1]))
    some = np.flatnonzero(np.diff(indptr))
    if some.size:
        made[some] = how.reduceat(values, indptr[some], axis=0)
    return made
