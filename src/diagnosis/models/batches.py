"""Cases that come in batches of rows, so that a fit reads them again and again without holding them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy import sparse

from diagnosis.models.protocol import Matrix

__all__ = ["InMemory", "RowBatches", "is_batched"]

# Numbers of one block of scores that stay in a processor's cache.
_CACHED = 200_000


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

    def batches(self) -> Iterator[tuple[slice, Any]]:
        """Yield the rows of each batch and their CSR matrix; together they are all rows, in order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """A matrix in memory, read in blocks whose scores stay in the processor's cache.

    Parameters
    ----------
    X : float64 array or CSR matrix of shape (n_cases, n_columns)
    n_classes : int
        Scores of a case.
    """

    X: Matrix
    n_classes: int

    @property
    def shape(self) -> tuple[int, int]:
        """Cases and columns."""
        return (int(self.X.shape[0]), int(self.X.shape[1]))

    def batches(self) -> Iterator[tuple[slice, Any]]:
        """Yield blocks of rows."""
        n, p = self.shape
        stored = self.X.nnz if sparse.issparse(self.X) else self.X.size
        # Adding up a block's gradient costs a pass over all coefficients: let the block be worth it.
        least = int(10 * p * n / max(stored, 1))
        step = max(_CACHED // self.n_classes, min(least, n), 256)
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            yield rows, self.X[rows]


def is_batched(X: object) -> bool:
    """Whether a fit is given cases in batches, not a matrix."""
    return not isinstance(X, np.ndarray) and not sparse.issparse(X) and isinstance(X, RowBatches)
