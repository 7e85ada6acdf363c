"""The logistic part of the first stage: exact where that is cheap, by small batches where it is not."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from diagnosis.models.linear import LinearModel
from diagnosis.models.protocol import FloatArray
from diagnosis.models.ranker.first_stage import Logistic
from diagnosis.models.validation import TrainingSet

__all__ = ["LogisticKind", "choose_logistic", "fit_logistic"]

LogisticKind: TypeAlias = Literal["exact", "batches", "none"]
_Single = NDArray[np.float32]

# Entries of the matrix times diagnoses: Newton's method then takes some seconds at most.
_CHEAP = 3e7
# With fewer cases a diagnosis the logistic part adds nothing to naive Bayes and the trees (500 diagnoses, 40 cases
# each: top-1 .810 with and without).
_ENOUGH = 100
_EPOCHS, _BATCH, _RATE = 3, 1024, 0.05
_KEEP_MEAN, _KEEP_SQUARE = 0.9, 0.99


def choose_logistic(cases: TrainingSet, n_entries: int) -> LogisticKind:
    """Say which logistic fit is worth its time."""
    if n_entries * len(cases.classes) <= _CHEAP:
        return "exact"
    return "batches" if cases.y.size >= _ENOUGH * len(cases.classes) else "none"


def fit_logistic(kind: LogisticKind, cases: TrainingSet, C: float, seed: int) -> Logistic | None:
    """Fit the cases of positive weight; None where `kind` is ``"none"``, zeros where only one diagnosis weighs."""
    if kind == "none":
        return None
    if np.count_nonzero(np.bincount(cases.y, cases.weight)) < 2:
        return Logistic(np.zeros((cases.X.shape[1], len(cases.classes))), np.zeros(len(cases.classes)))
    if kind == "batches":
        return _by_batches(cases.weighing(), seed)
    used = cases.weighing()
    fitted = LinearModel(C=C, tol=1e-4, seed=seed).fit(used.X, used.y, sample_weight=used.weight)
    coef = np.zeros((cases.X.shape[1], len(cases.classes)))
    # A diagnosis that is not there has no coefficients, and less than the rarest one's intercept.
    intercept = np.full(len(cases.classes), fitted.intercept_.min() - np.log(2.0))
    coef[:, fitted.classes_], intercept[fitted.classes_] = fitted.coef_.T, fitted.intercept_
    return Logistic(coef, intercept)


def _by_batches(cases: TrainingSet, seed: int) -> Logistic:
    """Run over the cases three times in small batches (Adam, Kingma and Ba 2015), in single precision.

    Only the columns that a batch fills are touched. The early end is the penalty.
    """
    n, p, k = cases.y.size, cases.X.shape[1], len(cases.classes)
    rng, X = np.random.default_rng(seed), cases.X.astype(np.float32)
    weight = (cases.weight / cases.weight.mean()).astype(np.float32)
    with np.errstate(divide="ignore"):
        intercept = np.maximum(np.log(cases.prior), np.log(0.5 / n)).astype(np.float32)
    coef, mean, square = (np.zeros((p, k), dtype=np.float32) for _ in range(3))
    mean_0, square_0 = np.zeros(k, dtype=np.float32), np.zeros(k, dtype=np.float32)
    for epoch in range(_EPOCHS):
        order, rate = rng.permutation(n), _RATE * (1 - epoch / _EPOCHS)
        for start in range(0, n, _BATCH):
            rows = order[start : start + _BATCH]
            x = X[rows]
            off = _residual(x @ coef + intercept, cases.y[rows], weight[rows])
            used = np.unique(x.indices)
            coef[used] -= _step(mean, square, used, x[:, used].T @ off, rate)
            intercept -= _step(mean_0, square_0, slice(None), off.sum(axis=0), rate)
    return Logistic(coef.astype(np.float64), _as_double(intercept))


def _residual(scores: _Single, y: NDArray[np.int64], weight: _Single) -> _Single:
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    scores[np.arange(y.size), y] -= 1.0
    scores *= weight[:, None] / np.float32(y.size)
    return scores


def _step(
    mean: _Single, square: _Single, at: NDArray[np.int32] | slice, gradient: _Single, rate: float
) -> NDArray[np.float32]:
    """Move the running mean and square at some rows, in place; return how far to go."""
    m, s = mean[at], square[at]
    m *= np.float32(_KEEP_MEAN)
    m += np.float32(1 - _KEEP_MEAN) * gradient
    s *= np.float32(_KEEP_SQUARE)
    s += np.float32(1 - _KEEP_SQUARE) * gradient * gradient
    mean[at], square[at] = m, s
    moved: _Single = np.float32(rate) * m / (np.sqrt(s) + np.float32(1e-8))
    return moved


def _as_double(values: _Single) -> FloatArray:
    return values.astype(np.float64)
