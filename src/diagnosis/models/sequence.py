"""Rows of a matrix on disk, read when they are asked for: trees are grown on them without a full copy in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy import sparse

from diagnosis.models.protocol import FloatArray, IntArray, Matrix

__all__ = ["RowsOnDisk", "for_lightgbm", "in_memory_rows", "is_on_disk"]

# Numbers of the dense rows that LightGBM is handed at a time: 32 MB.
_PORTION = 4_000_000


@runtime_checkable
class RowSource(Protocol):
    """A matrix that gives rows by number, as `diagnosis.features.Shards` does."""

    @property
    def shape(self) -> tuple[int, int]:
        """Cases and columns."""
        ...

    def __getitem__(self, key: Any) -> Any:
        """Rows by slice or integer array, as a CSR matrix."""
        ...

    def batches(self) -> Any:
        """All rows in order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class RowsOnDisk:
    """Some rows of a source, in ascending order.

    Attributes
    ----------
    source : RowSource
    rows : ndarray of int64
    """

    source: RowSource
    rows: IntArray

    @classmethod
    def of(cls, source: RowSource) -> RowsOnDisk:
        """All rows of a source."""
        return cls(source, np.arange(int(source.shape[0])))

    @property
    def shape(self) -> tuple[int, int]:
        """Cases and columns."""
        return self.rows.size, int(self.source.shape[1])

    def take(self, rows: IntArray) -> RowsOnDisk:
        """The same source with some of these rows."""
        return RowsOnDisk(self.source, self.rows[rows])

    def dense(self, key: int | slice | IntArray) -> FloatArray:
        """Rows as LightGBM takes them; a number gives one row, shape (n_columns,)."""
        asked = np.atleast_1d(self.rows[key])
        whole = asked.size > 1 and int(asked[-1] - asked[0]) == asked.size - 1
        read = self.source[int(asked[0]) : int(asked[-1]) + 1] if whole else self.source[asked]
        made: FloatArray = np.asarray(read.toarray(), np.float64)
        return made[0] if isinstance(key, int | np.integer) else made


def is_on_disk(X: object) -> bool:
    """Whether a fit is given rows to be read by number, not a matrix."""
    return not isinstance(X, np.ndarray) and not sparse.issparse(X) and isinstance(X, RowSource)


def in_memory_rows(X: Matrix | RowsOnDisk) -> Matrix:
    """The rows themselves, as CSR in float64 where they are on disk."""
    return X.source[X.rows].astype(np.float64) if isinstance(X, RowsOnDisk) else X


def for_lightgbm(X: Matrix | RowsOnDisk) -> Any:
    """A matrix as it is; rows on disk as a `lightgbm.Sequence`, which is read in portions."""
    if not isinstance(X, RowsOnDisk):
        return X
    rows = X
    from lightgbm import Sequence

    class Rows(Sequence):
        batch_size = max(1, _PORTION // rows.shape[1])

        def __len__(self) -> int:
            return rows.shape[0]

        def __getitem__(self, key: int | slice | list[int]) -> FloatArray:
            return rows.dense(np.asarray(key) if isinstance(key, list) else key)

    return Rows()
