"""Which cases a key picks, and which rows of findings go with them."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.errors import InputError

__all__ = ["Key", "compact", "in_case_order", "positions", "rows_of", "taken"]

Key = int | slice | Sequence[int] | Sequence[bool] | npt.NDArray[Any] | tuple[Any, EllipsisType | slice]

_Ints = npt.NDArray[np.int64]


def positions(key: Key, n: int) -> _Ints:
    """Positions of the cases that a key picks, as numpy indexing understands it.

    Parameters
    ----------
    key : int, slice, ints, mask, or one of these with ``...`` or ``:`` behind it
    n : int
        How many cases there are.
    """
    if isinstance(key, tuple):  # scikit-learn asks for X[rows, ...]
        if len(key) != 2 or not (key[1] is Ellipsis or key[1] == slice(None)):
            raise _refused("found a tuple")
        key = key[0]
    if isinstance(key, str) or key is None or key is Ellipsis:
        raise _refused(f"found {type(key).__name__}")
    index: Any = key if isinstance(key, slice) else np.asarray(key)
    if not isinstance(index, slice) and not index.size:
        index = index.astype(np.int64) if index.dtype != bool else index
    picked = np.atleast_1d(np.arange(n)[index])
    if picked.ndim != 1:
        raise _refused(f"found {picked.ndim} dimensions")
    return np.asarray(picked, np.int64)


def _refused(found: str) -> InputError:
    return InputError(
        "index records by position, mask or slice", found, "use records[rows], .case(id), .column(name) or .frame(name)"
    )


def rows_of(picked: _Ints, offsets: _Ints) -> tuple[_Ints, npt.NDArray[np.int32]]:
    """Rows of the findings of the cases picked, and each row's new case.

    Parameters
    ----------
    picked : ndarray of int64, shape (n_picked,)
    offsets : ndarray of int64, shape (n_cases + 1,)
        Case ``i`` holds rows ``offsets[i]:offsets[i + 1]``.
    """
    starts = offsets[picked]
    lengths = offsets[picked + 1] - starts
    before = np.cumsum(lengths) - lengths
    rows = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
    return rows, np.repeat(np.arange(len(picked), dtype=np.int32), lengths)


def taken(table: pa.Table, rows: _Ints, one_case: bool | None = None) -> pa.Table:
    """Return rows of a table; those of one case, which follow each other, as a view, in a tenth of the time."""
    if len(rows) == 1 if one_case is None else one_case:
        return table.slice(int(rows[0]) if len(rows) else 0, len(rows))
    return table.take(pa.array(rows))


def compact(table: pa.Table) -> pa.Table:
    """Return a table in one piece that holds no more than its rows: a view pickles all that it looks at.

    One that is so already is returned itself: what many records share is pickled once.
    """
    if table.get_total_buffer_size() > 2 * table.nbytes:
        return table.take(pa.array(np.arange(len(table))))
    return table if all(column.num_chunks <= 1 for column in table.columns) else table.combine_chunks()


def in_case_order(findings: pa.Table, case: npt.NDArray[np.int32]) -> tuple[pa.Table, npt.NDArray[np.int32]]:
    """Rows of findings put in the order of their cases, each case's rows in the order they came."""
    order = np.argsort(case, kind="stable")
    if (np.diff(order) != 1).any():
        findings = findings.take(pa.array(order))
    return findings.combine_chunks(), case[order]
