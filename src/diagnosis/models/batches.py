"""Cases that come in batches of rows, so that a fit reads them again and again without holding them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy import sparse

from diagnosis.errors import InputError
from diagnosis.models.protocol import FloatArray, Matrix

__all__ = ["InMemory", "RowBatches", "blocks", "in_memory", "is_batched", "moments"]

# Numbers of one block of scores that stay in a processor's cache.
_CACHED = 200_000
# From this share of filled entries, and up to this many in all (1 GB), dense products are two to three times as fast.
_DENSE, _HELD_DENSE = 0.15, 2**28


@runtime_checkable
class RowBatches(Protocol):
    """An encoded matrix that is read in batches of rows, always the same ones in the same order.

    Attributes
    ----------
    shape : tuple of int
        Cases and columns.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Cases and columns."""
        ...

    def batches(self) -> Iterator[Any]:
        """Yield CSR matrices of rows; one after the other they are all rows, in order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """A matrix in memory, read in blocks whose scores stay in the processor's cache; made by `in_memory`.

    Attributes
    ----------
    shape : tuple of int
    double, single : tuple of matrices
        The blocks in float64, without a copy, and in float32.
    """

    shape: tuple[int, int]
    double: tuple[Any, ...]
    single: tuple[Any, ...]

    def batches(self) -> Iterator[Any]:
        """Yield blocks of rows."""
        return iter(self.double)


def in_memory(X: Matrix, n_classes: int, *, single: bool = True) -> InMemory:
    """Divide a matrix into blocks for scores of `n_classes` diagnoses; without `single` there are none in float32."""
    n, p = (int(size) for size in X.shape)
    stored = X.nnz if sparse.issparse(X) else X.size
    # Adding up a block's gradient costs a pass over all coefficients: let the block be worth it.
    least = int(10 * p * n / max(stored, 1))
    step = max(_CACHED // n_classes, min(least, n), 256)
    parts = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    return InMemory((n, p), _row_blocks(X, parts), _single_blocks(X, parts, stored) if single else ())


def _single_blocks(X: Matrix, parts: list[slice], stored: int) -> tuple[Any, ...]:
    """Return blocks in float32 that share what says where their entries are, or dense ones."""
    n, p = X.shape
    if isinstance(X, np.ndarray):
        return _row_blocks(X.astype(np.float32), parts)
    held = (X.data.astype(np.float32), X.indices, X.indptr)
    blocks = _row_blocks(sparse.csr_matrix(held, shape=X.shape, copy=False), parts)
    if _DENSE * n * p < stored and n * p < _HELD_DENSE:
        return tuple(block.toarray() for block in blocks)
    return blocks


def _row_blocks(X: Any, parts: list[slice]) -> tuple[Any, ...]:
    """Return views of rows; scipy's own slices of CSR are copies."""
    if isinstance(X, np.ndarray):
        return tuple(X[part] for part in parts)
    blocks: list[Any] = []
    for part in parts:
        first, last = X.indptr[part.start], X.indptr[part.stop]
        held = (X.data[first:last], X.indices[first:last], X.indptr[part.start : part.stop + 1] - first)
        blocks.append(sparse.csr_matrix(held, shape=(part.stop - part.start, X.shape[1]), copy=False))
    return tuple(blocks)


def blocks(rows: RowBatches) -> Iterator[tuple[slice, Any]]:
    """Yield each batch with the rows it holds.

    Raises
    ------
    InputError
        If the batches together have another number of rows than `shape` says.
    """
    start = 0
    for X in rows.batches():
        stop = start + int(X.shape[0])
        yield slice(start, stop), X
        start = stop
    if start != rows.shape[0]:
        raise InputError(
            f"batches of {rows.shape[0]:,} cases in all", f"they held {start:,}", "read the shards' folder again"
        )


def moments(rows: RowBatches, weight: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Return the weighted mean and the weighted sum of squares of each column, and the weight of all cases."""
    total, square = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for part, X in blocks(rows):
        total += X.T @ weight[part]
        square += (X * X if isinstance(X, np.ndarray) else X.multiply(X)).T @ weight[part]
    return total / weight.sum(), square, float(weight.sum())


def is_batched(X: object) -> bool:
    """Whether a fit is given cases in batches, not a matrix."""
    return not isinstance(X, np.ndarray) and not sparse.issparse(X) and isinstance(X, RowBatches)
