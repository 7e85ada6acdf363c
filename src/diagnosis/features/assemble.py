"""Entries (case, column, value) in any order -> one canonical CSR matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_HALF = np.uint64(32)
# Entries in each case; their columns; their data: sorted by case and column.
SortedRows = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Cells of a matrix in any order, no cell twice.

    Attributes
    ----------
    case, column : ndarray of int32
    data : ndarray of float32
    """

    case: NDArray[np.int32]
    column: NDArray[np.int32]
    data: NDArray[np.float32]

    @classmethod
    def of(
        cls, case: NDArray[np.integer], column: NDArray[np.integer] | int, data: NDArray[np.floating] | float
    ) -> Entries:
        """Build from any integers and floats, scalars spread over the cases; data that are 0 in float32 are left out.

        A stored zero would only break the canonical form: every model reads it as it reads no entry.
        """
        stored = np.broadcast_to(np.asarray(data, np.float32), case.shape)
        cases, columns = case.astype(np.int32, copy=False), np.broadcast_to(np.asarray(column, np.int32), case.shape)
        if stored.all():
            return cls(cases, columns, stored)
        keep = np.flatnonzero(stored)
        return cls(cases[keep], columns[keep], stored[keep])

    @classmethod
    def ones(cls, case: NDArray[np.integer], column: NDArray[np.integer] | int) -> Entries:
        """Build entries that are all 1."""
        cases, columns = case.astype(np.int32, copy=False), np.broadcast_to(np.asarray(column, np.int32), case.shape)
        return cls(cases, columns, np.broadcast_to(np.float32(1), case.shape))

    @classmethod
    def concatenate(cls, parts: Sequence[Entries]) -> Entries:
        """Put entries together."""
        parts = [part for part in parts if len(part.case)]
        if len(parts) == 1:
            return parts[0]
        empty = np.empty(0, np.int32)
        return cls(
            np.concatenate([empty, *(part.case for part in parts)]),
            np.concatenate([empty, *(part.column for part in parts)]),
            np.concatenate([empty.astype(np.float32), *(part.data for part in parts)]),
        )


def max_cases(n_columns: int) -> int:
    """Return how many cases `sorted_rows` can take at once: case and column share 32 bits."""
    return 1 << (32 - _column_bits(n_columns))


def _column_bits(n_columns: int) -> int:
    return max(n_columns - 1, 1).bit_length()


def sorted_rows(entries: Entries, n_cases: int, n_columns: int) -> SortedRows:
    """Sort entries by case and column.

    Case, column and the 32 bits of the value are packed into one 64-bit integer, so that one sort of plain integers
    (vectorised in numpy) does it.

    Returns
    -------
    counts : ndarray of int64, shape (n_cases,)
        Entries in each case.
    indices : ndarray of int32
    data : ndarray of float32
    """
    bits = _column_bits(n_columns)
    starts = np.arange(n_cases + 1, dtype=np.uint64) << np.uint64(bits)
    if all_ones(entries.data):
        small = entries.case.astype(np.uint32)
        small <<= np.uint32(bits)
        small |= entries.column.astype(np.uint32, copy=False)
        small.sort()
        counts = np.diff(first_from(small, starts))
        small &= np.uint32((1 << bits) - 1)
        return counts, small.view(np.int32), np.broadcast_to(np.float32(1), len(small))
    packed = entries.case.astype(np.uint64)
    packed <<= np.uint64(bits)
    packed |= entries.column.astype(np.uint64)
    packed <<= _HALF
    packed |= np.ascontiguousarray(entries.data).view(np.uint32)
    packed.sort()
    data = packed.astype(np.uint32).view(np.float32)
    packed >>= _HALF
    counts = np.diff(first_from(packed, starts))
    packed &= np.uint64((1 << bits) - 1)
    return counts, packed.astype(np.int32), data


def all_ones(data: NDArray[np.float32]) -> bool:
    """Whether the data are one 1 spread over all entries, as `Entries.ones` makes them."""
    return len(data) > 0 and data.strides == (0,) and float(data[0]) == 1.0


def first_from(ordered: NDArray[Any], starts: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Position of the first number that is not below each start; a start beyond the type is behind them all."""
    inside = starts[starts <= np.iinfo(ordered.dtype).max]
    found = np.searchsorted(ordered, inside.astype(ordered.dtype))
    return np.append(found, np.full(len(starts) - len(inside), len(ordered))).astype(np.int64)


def stack_rows(parts: Sequence[SortedRows], n_columns: int) -> csr_matrix:
    """Put sorted batches of rows under each other as one CSR matrix, float32, sorted int32 indices, no zeros stored."""
    counts = np.concatenate([np.zeros(1, np.int64), *(part[0] for part in parts)])
    indptr = np.cumsum(counts)
    if indptr[-1] <= np.iinfo(np.int32).max:
        indptr = indptr.astype(np.int32)
    indices = np.concatenate([np.empty(0, np.int32), *(part[1] for part in parts)])
    if all(all_ones(part[2]) or not len(part[2]) for part in parts):
        stored = np.ones(len(indices), np.float32)
    else:
        stored = np.concatenate([np.empty(0, np.float32), *(part[2] for part in parts)])
    matrix = csr_matrix((stored, indices, indptr), shape=(len(indptr) - 1, n_columns), copy=False)
    matrix.has_canonical_format = True
    return matrix
