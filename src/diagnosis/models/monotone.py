"""Coefficients under which an absent finding never raises a diagnosis that it is typical of.

In a softmax, filling a column lowers the probability of a diagnosis or leaves it, whatever else a case records,
exactly if no other diagnosis has a smaller coefficient there. So the smallest one in the column of *absent* is shared
by all diagnoses the finding is cardinal for: the nearest such coefficients are found in closed form, and all others are
fitted again beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diagnosis.models.batches import in_memory
from diagnosis.models.multinomial import CaseSums, Problem, newton
from diagnosis.models.protocol import FloatArray, Matrix
from diagnosis.models.validation import TrainingSet

__all__ = ["CARDINAL", "Pairs", "cardinal", "held_down", "lowered", "lowest"]

#: Columns of a finding's *present* and its *absent*.
Pairs: TypeAlias = Sequence[tuple[int, int]]

#: A finding is cardinal for a diagnosis if so many of its cases have it, and half as often again as all cases do.
CARDINAL = 0.5
_ABOVE_ALL = 1.5
# Cases of a diagnosis that are enough to call a finding typical of it.
_LEAST_CASES = 5
# Beside a mean loss: holds a coefficient where it is, to eight digits.
_HELD = 1e6
_MOST_STEPS = 200


def cardinal(cases: TrainingSet, pairs: Pairs) -> NDArray[np.bool_]:
    """Say which finding is cardinal for which diagnosis, by the training cases; shape (n_pairs, n_diagnoses)."""
    n_classes = len(cases.classes)
    number = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    has = _filled(cases.X, number[:, 0])
    n_cases = np.bincount(cases.y, cases.weight, minlength=n_classes)
    rows = np.arange(cases.y.size)
    picking = sparse.csr_matrix((cases.weight, (cases.y, rows)), shape=(n_classes, cases.y.size))
    having = np.asarray((picking @ has).todense()).T
    share = having / np.maximum(n_cases, 1e-300)
    overall = having.sum(axis=1, keepdims=True) / n_cases.sum()
    enough = np.bincount(cases.y[cases.weight > 0], minlength=n_classes) >= _LEAST_CASES
    found: NDArray[np.bool_] = (share >= CARDINAL) & (share >= _ABOVE_ALL * overall) & enough
    return found


def lowest(values: FloatArray, among: NDArray[np.bool_]) -> FloatArray:
    """Return the nearest numbers of which the chosen ones are equal, and none is smaller; their sum stays.

    Parameters
    ----------
    values : ndarray of shape (n,)
    among : ndarray of bool, shape (n,)

    Examples
    --------
    >>> lowest(np.array([1.0, 0.0, 3.0]), np.array([True, False, False])).tolist()
    [0.5, 0.5, 3.0]
    """
    if not among.any():
        return values
    pooled = among.copy()
    while True:
        level = values[pooled].mean()
        below = ~pooled & (values < level)
        if not below.any():
            return np.where(pooled, level, values)
        # Those below the level join the lowest one by one: each lowers it, and may leave the next above it.
        pooled[np.flatnonzero(below)[values[below].argmin()]] = True


def held_down(
    cases: TrainingSet, which: NDArray[np.bool_], columns: Sequence[int], W: FloatArray, strength: float, tol: float
) -> FloatArray:
    """Return coefficients near `W` under which no absent finding raises a diagnosis it is cardinal for.

    Parameters
    ----------
    cases : TrainingSet
    which : ndarray of bool, shape (n_findings, n_diagnoses)
        For which diagnoses each finding is cardinal.
    columns : sequence of int
        The column of *absent* of each finding.
    W : ndarray of shape (n_columns + 1, n_diagnoses)
        Coefficients fitted freely, the intercepts last.
    strength, tol
        Penalty of the fit, and the gradient at which it ends.
    """
    held = [columns[i] for i in np.flatnonzero(which.any(axis=1)).tolist()]
    if not held:
        return W
    found, weighing = lowered(W, which, columns), cases.prior > 0
    part, total = cases.weighing(), cases.weight.sum()
    penalty = np.full((len(W), 1), strength / total)
    penalty[-1], penalty[held] = 0.0, _HELD
    anchor = np.zeros((len(W), int(weighing.sum())))
    anchor[held] = found[held][:, weighing]
    rows, place = in_memory(part.X, anchor.shape[1]), np.cumsum(weighing) - 1
    also = None if part.also is None else part.also[:, weighing]
    problem = Problem(CaseSums(rows, place[part.y], part.weight / total, also=also), penalty, anchor)
    fitted = newton(problem, found[:, weighing], tol, _MOST_STEPS).W
    fitted -= fitted.mean(axis=1, keepdims=True)
    fitted[held] = anchor[held]
    found[:, weighing] = fitted
    return found


def lowered(W: FloatArray, which: NDArray[np.bool_], columns: Sequence[int]) -> FloatArray:
    """Return coefficients of which only those of the columns have moved, as little as the rule asks for."""
    found = W.copy()
    for column, among in zip(columns, which, strict=True):
        found[column] = lowest(W[column], among)
    return found


def _filled(X: Matrix, columns: NDArray[np.int64]) -> sparse.csr_matrix:
    """Return 1 where a case has an entry in the columns."""
    picked = sparse.csr_matrix(X[:, columns])
    picked.data = (picked.data != 0).astype(np.float64)
    return picked
