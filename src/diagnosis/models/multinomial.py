"""Penalised multinomial regression over batches of cases: exact sums, Newton steps by conjugate gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from diagnosis.models.batches import InMemory, RowBatches, blocks
from diagnosis.models.protocol import FloatArray, IntArray

__all__ = ["Coefficients", "Problem", "curvature", "newton"]

# Conjugate-gradient steps of one Newton step at most, halvings of one at most.
_INNER, _HALVINGS = 250, 30


@dataclass(frozen=True, slots=True)
class Coefficients:
    """A point of the fit.

    Attributes
    ----------
    W : ndarray of shape (n_columns + 1, n_diagnoses)
        Coefficients; the last row holds the intercepts.
    n_iter : int
        Newton steps taken.
    gradient : float
        Largest component of the gradient of the mean loss there.
    """

    W: FloatArray
    n_iter: int
    gradient: float


@dataclass(frozen=True, slots=True)
class Problem:
    """What is minimised: ``sum(share * -log p(true)) + sum(penalty * (W - anchor) ** 2) / 2``.

    Attributes
    ----------
    rows : RowBatches
    y : ndarray of int64, shape (n_cases,)
        The diagnosis of each case, as a column of the coefficients.
    share : ndarray of float64, shape (n_cases,)
        Weights that sum to 1.
    penalty, anchor : ndarray of shape (n_columns + 1, n_diagnoses), or what broadcasts to it
    single : bool
        Whether a batch's scores and slopes are float32 (their sums are float64 all the same): right to about 1e-6.
    """

    rows: RowBatches
    y: IntArray
    share: FloatArray
    penalty: FloatArray
    anchor: FloatArray
    single: bool = False


def newton(problem: Problem, start: FloatArray, tol: float, max_iter: int) -> Coefficients:
    """Minimise by Newton's method; each step is solved by conjugate gradients, scaled by the curvature's diagonal.

    Losses and gradients are summed in float64. The curvature only leads the way, so its products are float32: half the
    time, and the same end. An end that is coarse by itself (`Problem.single`) needs no more for the gradient either.

    Parameters
    ----------
    problem : Problem
    start : ndarray of shape (n_columns + 1, n_diagnoses)
    tol : float
        Largest component of the gradient at which the fit ends.
    max_iter : int
        Newton steps at most; the result tells by its `gradient` whether they were enough.
    """
    W, first = start.astype(np.float64, order="C", copy=True), 0.0
    slack = 1e-7 if problem.single else 1e-12
    loss, gradient, proba = _at(problem, W)
    for done in range(max_iter + 1):
        largest = float(np.abs(gradient).max())
        first = first or largest
        if largest <= tol or done == max_iter:
            break
        scale = curvature(problem, proba) + problem.penalty
        step = _newton_step(problem, proba, gradient, scale, eta=min(0.5, (largest / first) ** 0.5), tol=tol)
        slope, t = float((gradient * step).sum()), 1.0
        for _ in range(_HALVINGS):
            new_loss, new_gradient, new_proba = _at(problem, W + t * step)
            if new_loss <= loss + 1e-4 * t * slope + slack * abs(loss):
                break
            t /= 2
        else:
            break
        W, loss, gradient, proba = W + t * step, new_loss, new_gradient, new_proba
    return Coefficients(W, done, largest)


def curvature(problem: Problem, proba: list[Any]) -> FloatArray:
    """Return the diagonal of the second derivative of the loss alone, like the coefficients; above 0."""
    total = np.full((problem.rows.shape[1] + 1, proba[0].shape[1]), 1e-12)
    for (rows, X), p in zip(_single(problem.rows), proba, strict=True):
        d = (p * (1 - p)) * problem.share[rows, None].astype(np.float32)
        total[:-1] += _squared(X).T @ d
        total[-1] += d.sum(axis=0, dtype=np.float64)
    return total


def _at(problem: Problem, W: FloatArray) -> tuple[float, FloatArray, list[Any]]:
    """Return loss, gradient and the probabilities (float32, a block a batch) at a point."""
    away = W - problem.anchor
    pull = problem.penalty * away
    loss, gradient, proba = float((pull * away).sum()) / 2, np.array(np.broadcast_to(pull, W.shape)), []
    kind = np.float32 if problem.single else np.float64
    coef, intercept = W[:-1].astype(kind, copy=False), W[-1].astype(kind)
    for rows, X in _single(problem.rows) if problem.single else blocks(problem.rows):
        share, y = problem.share[rows], problem.y[rows]
        S = np.asarray(X @ coef)
        S += intercept
        S -= S.max(axis=1, keepdims=True)
        own = S[np.arange(y.size), y].astype(np.float64)
        np.exp(S, out=S)
        total = S.sum(axis=1)
        S /= total[:, None]
        loss += float(share @ (np.log(total) - own))
        proba.append(S.astype(np.float32))
        S[np.arange(y.size), y] -= 1.0
        S *= share[:, None].astype(kind)
        gradient[:-1] += X.T @ S
        gradient[-1] += S.sum(axis=0, dtype=np.float64)
    return loss, gradient, proba


def _newton_step(
    problem: Problem, proba: list[Any], gradient: FloatArray, scale: FloatArray, *, eta: float, tol: float
) -> FloatArray:
    """Solve ``H step = -gradient`` to a relative precision `eta`, or until the residual is well under `tol`."""
    step, residual = np.zeros_like(gradient), -gradient
    towards = residual / scale
    direction, length = towards.copy(), float((residual * towards).sum())
    enough = eta * eta * length
    for _ in range(_INNER):
        bent = _product(problem, proba, direction)
        curve = float((direction * bent).sum())
        if curve <= 0:
            break
        a = length / curve
        step += a * direction
        residual -= a * bent
        towards = residual / scale
        length, before = float((residual * towards).sum()), length
        if length <= enough or float(np.abs(residual).max()) <= 0.3 * tol:
            break
        direction *= length / before
        direction += towards
    return step


def _product(problem: Problem, proba: list[Any], V: FloatArray) -> FloatArray:
    """Return the second derivative of the loss times `V`."""
    out, small = problem.penalty * V, V.astype(np.float32)
    # Products of small numbers: bring them to about 1, where float32 has its digits.
    size = float(np.abs(small).max()) or 1.0
    small /= np.float32(size)
    for (rows, X), p in zip(_single(problem.rows), proba, strict=True):
        A = np.asarray(X @ small[:-1]) + small[-1]
        A -= np.einsum("ij,ij->i", p, A)[:, None]
        A *= p
        A *= (problem.share[rows] * size).astype(np.float32)[:, None]
        out[:-1] += X.T @ A
        out[-1] += A.sum(axis=0, dtype=np.float64)
    return out


def _single(rows: RowBatches) -> Iterator[tuple[slice, Any]]:
    """Yield the batches in float32."""
    if not isinstance(rows, InMemory):
        yield from ((part, X.astype(np.float32)) for part, X in blocks(rows))
        return
    start = 0
    for X in rows.single:
        yield slice(start, start + X.shape[0]), X
        start += X.shape[0]


def _squared(X: Any) -> Any:
    if isinstance(X, np.ndarray):
        return np.square(X, dtype=np.float32)
    return sparse.csr_matrix((np.square(X.data, dtype=np.float32), X.indices, X.indptr), shape=X.shape)
