"""Penalised multinomial regression over batches of cases: exact sums, Newton steps by conjugate gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from diagnosis.models.also import AlsoMatrix, rows_also, shut
from diagnosis.models.batches import InMemory, RowBatches, blocks
from diagnosis.models.protocol import FloatArray, IntArray

__all__ = ["CaseSums", "Coefficients", "Problem", "Sums", "newton"]

# Conjugate-gradient steps of one Newton step at most, halvings of one at most.
_INNER, _HALVINGS = 250, 30
# Added to the curvature, which is 0 where no case weighs.
_FLAT = 1e-12


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


class Sums(Protocol):
    """What Newton's method asks of the cases, wherever they are: sums over them, without the penalty.

    Attributes
    ----------
    single : bool
        Whether scores and slopes are float32 (their sums are float64 all the same): right to about 1e-6.
    """

    @property
    def single(self) -> bool:
        """Whether scores and slopes are float32."""
        ...

    def at(self, W: FloatArray) -> tuple[float, FloatArray]:
        """Return ``sum(share * -log p(true))`` and its gradient at a point, and keep the point for what follows."""
        ...

    def curvature(self) -> FloatArray:
        """Return the diagonal of the second derivative at the last point, like the coefficients."""
        ...

    def product(self, V: FloatArray) -> FloatArray:
        """Return the second derivative at the last point times `V`."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """What is minimised: the sums over the cases and ``sum(penalty * (W - anchor) ** 2) / 2``.

    Parameters
    ----------
    sums : Sums
    penalty, anchor : ndarray of shape (n_columns + 1, n_diagnoses), or what broadcasts to it
    """

    sums: Sums
    penalty: FloatArray
    anchor: FloatArray

    def at(self, W: FloatArray) -> tuple[float, FloatArray]:
        """Return loss and gradient at a point."""
        away = W - self.anchor
        pull = self.penalty * away
        loss, gradient = self.sums.at(W)
        return loss + float((pull * away).sum()) / 2, gradient + pull


def newton(problem: Problem, start: FloatArray, tol: float, max_iter: int) -> Coefficients:
    """Minimise by Newton's method; each step is solved by conjugate gradients, scaled by the curvature's diagonal.

    Losses and gradients are summed in float64. The curvature only leads the way, so its products are float32: half the
    time, and the same end. An end that is coarse by itself (`Sums.single`) needs no more for the gradient either.

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
    slack = 1e-7 if problem.sums.single else 1e-12
    loss, gradient = problem.at(W)
    for done in range(max_iter + 1):
        largest = float(np.abs(gradient).max())
        first = first or largest
        if largest <= tol or done == max_iter:
            break
        scale = problem.sums.curvature() + problem.penalty + _FLAT
        step = _newton_step(problem, gradient, scale, eta=min(0.5, (largest / first) ** 0.5), tol=tol)
        slope, t = float((gradient * step).sum()), 1.0
        for _ in range(_HALVINGS):
            new_loss, new_gradient = problem.at(W + t * step)
            if new_loss <= loss + 1e-4 * t * slope + slack * abs(loss):
                break
            t /= 2
        else:
            break
        W, loss, gradient = W + t * step, new_loss, new_gradient
    return Coefficients(W, done, largest)


def _newton_step(problem: Problem, gradient: FloatArray, scale: FloatArray, *, eta: float, tol: float) -> FloatArray:
    """Solve ``H step = -gradient`` to a relative precision `eta`, or until the residual is well under `tol`."""
    step, residual = np.zeros_like(gradient), -gradient
    towards = residual / scale
    direction, length = towards.copy(), float((residual * towards).sum())
    enough = eta * eta * length
    for _ in range(_INNER):
        bent = problem.sums.product(direction) + problem.penalty * direction
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


@dataclass(slots=True, eq=False)
class CaseSums:
    """The sums over cases at hand, a batch at a time.

    Attributes
    ----------
    rows : RowBatches
    y : ndarray of int64, shape (n_cases,)
        The diagnosis of each case, as a column of the coefficients.
    share : ndarray of float64, shape (n_cases,)
        Weights that sum to 1 over all cases that are summed up.
    single : bool
    also : CSR matrix of shape (n_cases, n_diagnoses), or None
        Diagnoses that a case has too, over the columns of the coefficients: they have no part in its sums.
    proba : list of ndarray of float32
        Probabilities at the last point, a block a batch.
    shape : tuple of int
        Of the coefficients at the last point.
    """

    rows: RowBatches
    y: IntArray
    share: FloatArray
    single: bool = False
    also: AlsoMatrix = None
    proba: list[Any] = field(default_factory=list)
    shape: tuple[int, ...] = ()

    def at(self, W: FloatArray) -> tuple[float, FloatArray]:
        """Return loss and gradient at a point, and keep the probabilities there."""
        loss, gradient, self.proba, self.shape = 0.0, np.zeros(W.shape), [], W.shape
        kind = np.float32 if self.single else np.float64
        coef, intercept = W[:-1].astype(kind, copy=False), W[-1].astype(kind)
        for rows, X in _single(self.rows) if self.single else blocks(self.rows):
            share, y = self.share[rows], self.y[rows]
            S = np.asarray(X @ coef)
            S += intercept
            shut(S, rows_also(self.also, rows))
            S -= S.max(axis=1, keepdims=True)
            own = S[np.arange(y.size), y].astype(np.float64)
            np.exp(S, out=S)
            total = S.sum(axis=1)
            S /= total[:, None]
            loss += float(share @ (np.log(total) - own))
            self.proba.append(S.astype(np.float32))
            S[np.arange(y.size), y] -= 1.0
            S *= share[:, None].astype(kind)
            gradient[:-1] += X.T @ S
            gradient[-1] += S.sum(axis=0, dtype=np.float64)
        return loss, gradient

    def curvature(self) -> FloatArray:
        """Return the diagonal of the second derivative at the last point."""
        total = np.zeros(self.shape)
        for (rows, X), p in zip(_single(self.rows), self.proba, strict=True):
            d = (p * (1 - p)) * self.share[rows, None].astype(np.float32)
            total[:-1] += _squared(X).T @ d
            total[-1] += d.sum(axis=0, dtype=np.float64)
        return total

    def product(self, V: FloatArray) -> FloatArray:
        """Return the second derivative at the last point times `V`."""
        out, small = np.zeros(V.shape), V.astype(np.float32)
        # Products of small numbers: bring them to about 1, where float32 has its digits.
        size = float(np.abs(small).max()) or 1.0
        small /= np.float32(size)
        for (rows, X), p in zip(_single(self.rows), self.proba, strict=True):
            A = np.asarray(X @ small[:-1]) + small[-1]
            A -= np.einsum("ij,ij->i", p, A)[:, None]
            A *= p
            A *= (self.share[rows] * size).astype(np.float32)[:, None]
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
