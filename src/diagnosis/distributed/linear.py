"""The linear model by sums over all workers: Newton's method here, losses and slopes there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from diagnosis.distributed.cluster import Workers
from diagnosis.distributed.spread import Spread
from diagnosis.models.crossfit import with_floor
from diagnosis.models.linear import LinearModel
from diagnosis.models.linear_fit import LARGE_WORK, SINGLE, LinearOptions, centred, solve_sums, start_at_prior
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.validation import TrainingSet

__all__ = ["SpreadSums", "cross_linear"]


@dataclass(frozen=True, slots=True, eq=False)
class SpreadSums:
    """Sums over the cases of all workers, in the order of the workers: two fits on as many of them are equal.

    Attributes
    ----------
    workers : Workers
        With sums begun.
    single : bool
        As of `multinomial.Sums`.
    """

    workers: Workers
    single: bool

    def at(self, W: FloatArray) -> tuple[float, FloatArray]:
        """Return loss and gradient at a point."""
        parts = self.workers.all("at", W)
        return float(sum(loss for loss, _ in parts)), _added([gradient for _, gradient in parts])

    def curvature(self) -> FloatArray:
        """Return the diagonal of the second derivative at the last point."""
        return _added(self.workers.all("curvature"))

    def product(self, V: FloatArray) -> FloatArray:
        """Return the second derivative at the last point times `V`."""
        return _added(self.workers.all("product", V))


def _added(parts: Sequence[FloatArray]) -> FloatArray:
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


def cross_linear(
    spread: Spread, cases: TrainingSet, fold: IntArray, held_out: Sequence[int], model: LinearModel
) -> tuple[LinearModel, FloatArray]:
    """Fit a copy of a linear model on all cases, and score each case of the folds held out by a fit without its fold.

    Parameters
    ----------
    spread : Spread
        That was told what to learn from.
    cases : TrainingSet
        Without the matrix.
    fold : ndarray of int64, shape (n_cases,)
    held_out : sequence of int
        Which folds are scored.
    model : LinearModel
        Unfitted; it stays so.

    Returns
    -------
    fitted : LinearModel
    scores : ndarray of shape (n_cases, n_diagnoses)
        nan in the rows of other folds.
    """
    scores = np.full((cases.y.size, len(cases.classes)), np.nan)
    for f in held_out:
        rows, train = np.flatnonzero(fold == f), cases.take(np.flatnonzero(fold != f))
        scores[rows] = 0.0
        if np.count_nonzero(train.prior) > 1:
            coef, intercept, _ = _coefficients(spread, train, f, model)
            scores[rows] = np.concatenate(spread.workers.all("linear_scores", f, coef, intercept))
        scores[rows] = with_floor(scores[rows], train)
    found, total = _coefficients(spread, cases, -1, model), float(cases.weight.sum())
    sums, squares = zip(*spread.workers.all("moments"), strict=True)
    fitted: LinearModel = clone(model)
    return fitted.keep(cases.classes, found, (_added(sums) / total, _added(squares), total)), scores


def _coefficients(
    spread: Spread, train: TrainingSet, fold: int, model: LinearModel
) -> tuple[FloatArray, FloatArray, int]:
    """Return coefficients, intercepts and steps of a fit on the cases outside a fold; -1: on all."""
    options = LinearOptions(model.C, model.max_iter, model.tol, model.seed)
    weighing = np.flatnonzero(train.weight > 0)
    weights = np.bincount(train.y[weighing], train.weight[weighing], minlength=len(train.classes))
    present, total = np.flatnonzero(weights), float(weights.sum())
    tol = options.tolerance(large=spread.n_entries * len(train.classes) >= LARGE_WORK)
    sums = SpreadSums(spread.workers, tol >= SINGLE)
    spread.workers.all("begin", fold, present, total, sums.single)
    start = start_at_prior(weights[present].astype(np.float64), weighing.size, spread.n_columns)
    W, steps = solve_sums(sums, total, options, tol, start, warn=True)
    return centred(train, present, W[:-1].T, W[-1], steps)
