"""The logistic part of the first stage: exact where that is cheap, by small batches where it is not."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diagnosis.models.also import AlsoMatrix, also_lists, rows_also, shut
from diagnosis.models.linear import LinearModel
from diagnosis.models.ranker.first_stage import Logistic, clean_rows
from diagnosis.models.ranker.knowledge import KnownCells
from diagnosis.models.validation import TrainingSet

__all__ = ["LogisticKind", "choose_logistic", "fit_logistic"]

LogisticKind: TypeAlias = Literal["exact", "batches", "none"]
_Single = NDArray[np.float32]

# Entries of the matrix times diagnoses: Newton's method then takes a second or two.
_CHEAP = 5e6
# Cases a diagnosis below which a logistic part only repeats what it saw.
_LEAST = 4
_RATE, _TINY = 1.0, 1e-12
# Batches of the run over the cases, as far as each then has so many of them.
_BATCHES, _FEWEST, _MOST = 80, 128, 1024


def choose_logistic(cases: TrainingSet, n_entries: int, known: KnownCells | None) -> LogisticKind:
    """Say which logistic fit is worth its time; none where a diagnosis has no case and only a table tells of it."""
    if known is not None and (cases.prior[known.diagnosis] <= 0).any():
        return "none"
    if cases.y.size < _LEAST * len(cases.classes):
        return "none"
    return "exact" if n_entries * len(cases.classes) <= _CHEAP else "batches"


def fit_logistic(kind: LogisticKind, cases: TrainingSet, C: float, seed: int) -> Logistic | None:
    """Fit the cases of positive weight; None where `kind` is ``"none"``, zeros where only one diagnosis weighs."""
    if kind == "none":
        return None
    if np.count_nonzero(np.bincount(cases.y, cases.weight)) < 2:
        return Logistic(np.zeros((cases.X.shape[1], len(cases.classes))), np.zeros(len(cases.classes)))
    if kind == "batches":
        return _by_batches(cases.weighing(), seed)
    used = cases.weighing()
    also = also_lists(used.also, np.arange(len(used.classes)))
    fitted = LinearModel(C=C, tol=1e-4, seed=seed).fit(used.X, used.y, sample_weight=used.weight, also=also)
    coef = np.zeros((cases.X.shape[1], len(cases.classes)))
    # A diagnosis that is not there has no coefficients, and less than the rarest one's intercept.
    intercept = np.full(len(cases.classes), fitted.intercept_.min() - np.log(2.0))
    coef[:, fitted.classes_], intercept[fitted.classes_] = fitted.coef_.T, fitted.intercept_
    return Logistic(coef, intercept)


def _by_batches(cases: TrainingSet, seed: int) -> Logistic:
    """Run over the cases once in small batches, in single precision.

    A second run made the log-loss .002 to .004 nats lower, and top-1 by chance, for twice the time.

    The step of a column is divided by the root of its summed squared gradients (Duchi, Hazan, Singer 2011, with one
    sum a column instead of one a coefficient), so that rare findings are learned as fast as common ones. Only the
    columns that a batch fills are touched. The early end is the penalty.
    """
    n, p, k = cases.y.size, cases.X.shape[1], len(cases.classes)
    rng, X = np.random.default_rng(seed), clean_rows(cases.X).astype(np.float32)
    weight = (cases.weight / cases.weight.mean()).astype(np.float32)
    share = np.bincount(cases.y, cases.weight, minlength=k) / cases.weight.sum()
    intercept = np.log(np.maximum(share, 0.5 / n)).astype(np.float32)
    coef, squares = np.zeros((p, k), dtype=np.float32), np.zeros(p, dtype=np.float32)
    batch = int(np.clip(n // _BATCHES, _FEWEST, _MOST))
    order = rng.permutation(n)
    mixed = X[order]
    for start in range(0, n, batch):
        rows, x = order[start : start + batch], mixed[start : start + batch]
        off = _residual(x @ coef + intercept, cases.y[rows], weight[rows], rows_also(cases.also, rows))
        used, place = np.unique(x.indices, return_inverse=True)
        step = sparse.csr_matrix((x.data, place, x.indptr), shape=(rows.size, used.size)).T @ off
        squares[used] += np.einsum("ij,ij->i", step, step)
        step *= (np.float32(_RATE) / np.sqrt(squares[used] + np.float32(_TINY)))[:, None]
        coef[used] -= step
    return Logistic(coef, intercept.astype(np.float64))


def _residual(scores: _Single, y: NDArray[np.int64], weight: _Single, also: AlsoMatrix) -> _Single:
    """Turn scores into probability less truth, averaged over the batch, in place."""
    shut(scores, also)
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    scores[np.arange(y.size), y] -= 1.0
    scores *= weight[:, None] / np.float32(y.size)
    return scores
