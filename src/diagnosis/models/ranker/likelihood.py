"""Naive Bayes over columns: what each recorded, and each unrecorded, column says for each diagnosis.

A column of zeros and ones is a Bernoulli of its own, *present* and *absent* of one finding alike; a column of values is
a normal whose mean depends on the diagnosis and is told only where a value stands. Both logs of likelihood ratios are
linear in the case: ``R[j, k] * x_j`` (plus ``H[j, k]`` where a value stands) for what is recorded, ``U[j, k]`` for a
0/1 column without an entry. The ratio is against all cases together, so a column that no diagnosis cares about says 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.ranker.knowledge import KnownCells

__all__ = ["Floats", "Likelihood", "Tally", "likelihood_of", "tally", "value_columns"]

# float64 in what answers; float32 is enough for what only chooses weights and candidates to learn from.
Floats: TypeAlias = NDArray[np.floating[Any]]
# Half a case beside a column that no case has.
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Tally:
    """Weighted sums over cases, from which everything follows.

    Attributes
    ----------
    cases : ndarray of shape (n_diagnoses,)
    ones : ndarray of shape (n_columns, n_diagnoses)
        Sum of each 0/1 column; zero for columns of values.
    filled, total, squares : ndarray of shape (n_value_columns, n_diagnoses)
        Number, sum and sum of squares of the values that are not zero.
    """

    cases: FloatArray
    ones: Floats
    filled: Floats
    total: Floats
    squares: Floats


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Logs of likelihood ratios, by column and diagnosis.

    Attributes
    ----------
    R : ndarray of shape (n_columns, n_diagnoses), nats per unit
    H : ndarray of shape (n_value_columns, n_diagnoses), nats
    U : ndarray of shape (n_columns, n_diagnoses), nats
        0 for columns of values: a value that was not measured says nothing.
    empty : ndarray of shape (n_diagnoses,), nats
        Sum of U: what a case without any entry says.
    prior : ndarray of shape (n_diagnoses,), nats
    share : ndarray of shape (n_columns,)
        How often the column is filled, over all cases.
    expected : ndarray of shape (n_diagnoses,)
        0/1 columns a case of the diagnosis fills on average.
    cases : ndarray of shape (n_diagnoses,)
        Weight of the cases learned from.
    """

    R: Floats
    H: Floats
    U: Floats
    empty: FloatArray
    prior: FloatArray
    share: FloatArray
    expected: FloatArray
    cases: FloatArray


def value_columns(X: sparse.csr_matrix[np.float64]) -> IntArray:
    """Return the columns that hold another number than 0 and 1; X has no stored zeros."""
    return np.unique(X.indices[X.data != 1.0]).astype(np.int64)


def tally(
    X: sparse.csr_matrix[np.float64],
    y: IntArray,
    weight: FloatArray,
    n_diagnoses: int,
    valued: IntArray,
    *,
    single: bool = False,
) -> Tally:
    """Sum up cases; `valued` are the columns of values, and X has no stored zeros; `single`: keep `ones` in float32."""
    n = y.size
    Y = sparse.csr_matrix((weight, y, np.arange(n + 1)), shape=(n, n_diagnoses))
    ones = _product(X, Y, np.float32 if single else np.float64)
    ones[valued] = 0.0
    V = X[:, valued].tocsr()
    filled, squares = V.copy(), V.copy()
    filled.data, squares.data = np.ones_like(V.data), V.data**2
    cases = np.bincount(y, weight, minlength=n_diagnoses).astype(np.float64)
    return Tally(cases, ones, _product(filled, Y), _product(V, Y), _product(squares, Y))


def _product(X: sparse.csr_matrix[np.float64], Y: sparse.csr_matrix[np.float64], kind: type = np.float64) -> Floats:
    return np.asarray((X.T.tocsr() @ Y).astype(kind).toarray())


def likelihood_of(counts: Tally, valued: IntArray, smoothing: float, known: KnownCells | None = None) -> Likelihood:
    """Turn sums into ratios.

    Every diagnosis is pulled towards all cases together with the strength of `smoothing` cases: one that has no case
    of its own says nothing about any column, unless `known` does.
    """
    all_cases = max(float(counts.cases.sum()), _HALF)
    share = (counts.ones.sum(axis=1, dtype=np.float64) + _HALF) / (all_cases + 1.0)
    kept = share.astype(counts.ones.dtype)
    theta = counts.ones + smoothing * kept[:, None]
    theta /= counts.cases + smoothing
    if known is not None:
        known.blend(theta, counts, share, smoothing)
    recorded = theta / kept[:, None]
    np.log(recorded, out=recorded)
    expected = theta.sum(axis=0, dtype=np.float64) - theta[valued].sum(axis=0, dtype=np.float64)
    np.subtract(1.0, theta, out=theta)
    theta /= (1.0 - kept)[:, None]
    unrecorded = np.log(theta, out=theta)
    share[valued] = (counts.filled.sum(axis=1) + _HALF) / (all_cases + 1.0)
    recorded[valued], heights = _normal(counts, smoothing)
    unrecorded[valued] = 0.0
    prior = np.log(np.maximum(counts.cases, _HALF) / all_cases)
    return Likelihood(
        R=recorded,
        H=heights,
        U=unrecorded,
        empty=unrecorded.sum(axis=0, dtype=np.float64),
        prior=prior if known is None else known.priors(prior, counts.cases),
        share=share,
        expected=np.maximum(expected, 1e-9),
        cases=counts.cases,
    )


def _normal(counts: Tally, smoothing: float) -> tuple[Floats, Floats]:
    """Return slope and height of the ratio of two normals that differ in their mean alone."""
    filled, total = counts.filled, counts.total
    number = np.maximum(filled.sum(axis=1), _HALF)
    mean = total.sum(axis=1) / number
    spread = np.maximum(counts.squares.sum(axis=1) / number - mean**2, 1e-12)
    within = np.maximum(counts.squares - total**2 / np.maximum(filled, 1e-12), 0.0).sum(axis=1)
    freedom = np.maximum(filled - 1.0, 0.0).sum(axis=1)
    # A few cases' worth of the spread of all keeps a column with one value a diagnosis from being certain.
    variance = (within + (smoothing + 1.0) * spread) / (freedom + smoothing + 1.0)
    own = (total + smoothing * mean[:, None]) / (filled + smoothing)
    slope = (own - mean[:, None]) / variance[:, None]
    height = (mean[:, None] ** 2 - own**2) / (2.0 * variance[:, None])
    return slope, height
