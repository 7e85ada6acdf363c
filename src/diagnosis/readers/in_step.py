"""Rows of findings that follow their cases in one order: each batch of cases with its rows, without a join."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["InStep", "NotInOrderError"]


class NotInOrderError(Exception):
    """Rows do not come in the order of their cases, or belong to no case: only a look at all of them can tell."""


class InStep:
    """Rows of a table, taken along with their cases.

    The rows of a case stand together, and the cases that have rows come in the order of the table of cases. Where that
    is so, runs of equal ids are all that has to be looked at.

    Parameters
    ----------
    batches : iterator of pa.Table
        With ``case_id``, as a dictionary.
    empty : pa.Table
        The same columns without a row.
    """

    def __init__(self, batches: Iterator[pa.Table], empty: pa.Table) -> None:
        self._batches = batches
        self._empty = empty.drop_columns(["case_id"])
        self._runs: _Runs | None = None

    def take(self, ids: pa.Array) -> tuple[pa.Table, npt.NDArray[np.int32]]:
        """The rows of the next cases, without ``case_id``, and the position of each row's case among `ids`.

        Raises
        ------
        NotInOrderError
            A row of a case that came before.
        """
        slices, cases, last = [], [np.zeros(0, np.int32)], -1
        while (runs := self._next()) is not None:
            places = _places(runs.ids, ids, last)
            beyond = np.flatnonzero(places < 0)
            places = places[: beyond[0]] if len(beyond) else places
            if len(places):
                if places[0] < last or (np.diff(places) <= 0).any():
                    raise NotInOrderError
                table, lengths = runs.take(len(places))
                slices.append(table)
                cases.append(np.repeat(places, lengths).astype(np.int32))
                last = int(places[-1])
            if len(beyond):
                break
        return _joined(slices) if slices else self._empty, np.concatenate(cases)

    def finish(self) -> None:
        """Make sure that no row is left.

        Raises
        ------
        NotInOrderError
            A row whose case did not come, or came before.
        """
        if self._next() is not None:
            raise NotInOrderError

    def _next(self) -> _Runs | None:
        while self._runs is None or not self._runs.left:
            table = next(self._batches, None)
            if table is None:
                return None
            self._runs = _Runs(table) if len(table) else None
        return self._runs


class _Runs:
    """A table cut where its case changes."""

    def __init__(self, table: pa.Table) -> None:
        column = table["case_id"].combine_chunks()
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        index = np.asarray(column.indices)
        starts = np.concatenate([[0], np.flatnonzero(index[1:] != index[:-1]) + 1])
        self._table = table.drop_columns(["case_id"])
        self._bounds = np.append(starts, len(index))
        self._used = 0
        self._ids = column.dictionary.take(pa.array(index[starts]))

    @property
    def left(self) -> bool:
        """Whether some run was not taken yet."""
        return self._used < len(self._ids)

    @property
    def ids(self) -> pa.Array:
        """The case of each run that is left."""
        return self._ids.slice(self._used)

    def take(self, n: int) -> tuple[pa.Table, npt.NDArray[np.int64]]:
        """The rows of the next `n` runs, and the length of each run."""
        bounds = self._bounds[self._used : self._used + n + 1]
        self._used += n
        return self._table.slice(int(bounds[0]), int(bounds[-1] - bounds[0])), np.diff(bounds)


def _places(wanted: pa.Array, ids: pa.Array, last: int) -> npt.NDArray[np.int64]:
    """Position of each wanted id among `ids`, -1 for none, which may stand for all behind it as well.

    Fast where they stand side by side from the last one taken, or the one after it.
    """
    for start in (last + 1, max(last, 0)):
        n = min(len(wanted), len(ids) - start)
        if n > 0 and wanted.slice(0, n).equals(ids.slice(start, n)):
            return np.append(np.arange(start, start + n), np.full(min(1, len(wanted) - n), -1))
    return np.asarray(pc.fill_null(pc.index_in(wanted, ids), -1)).astype(np.int64)


def _joined(slices: list[pa.Table]) -> pa.Table:
    joined = slices[0] if len(slices) == 1 else pa.concat_tables(slices)
    return joined.unify_dictionaries().combine_chunks()
