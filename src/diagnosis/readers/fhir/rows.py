"""Rows collected in batches and held as Arrow columns, so that millions of them cost what the columns cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

__all__ = ["BATCH", "Rows", "column"]

#: Rows held as Python tuples before they become columns.
BATCH = 20_000

_TEXT = pa.string()
_CODED = pa.dictionary(pa.int32(), pa.string())


class Rows:
    """A growing table.

    Parameters
    ----------
    layout : mapping of str to pa.DataType
        Its columns; a dictionary type is text that repeats.

    Examples
    --------
    >>> rows = Rows({"n": pa.int64(), "word": pa.string()})
    >>> rows.add((1, "a"))
    >>> rows.table().to_pylist()
    [{'n': 1, 'word': 'a'}]
    """

    def __init__(self, layout: Mapping[str, pa.DataType]) -> None:
        self.layout = dict(layout)
        self._waiting: list[tuple[Any, ...]] = []
        self._batches: list[pa.RecordBatch] = []
        #: Appends one row, a tuple in the layout's order.
        self.add = self._waiting.append

    def flush(self, least: int = 1) -> None:
        """Turn the waiting rows into columns once there are `least` of them."""
        if len(self._waiting) < least:
            return
        columns = [
            column(values, kind)
            for values, kind in zip(zip(*self._waiting, strict=True), self.layout.values(), strict=True)
        ]
        self._batches.append(pa.record_batch(columns, names=list(self.layout)))
        self._waiting.clear()

    def batches(self) -> list[pa.RecordBatch]:
        """Hand over every row, in batches; nothing is kept."""
        self.flush()
        made, self._batches = self._batches, []
        return made

    def table(self) -> pa.Table:
        """Hand over every row as one table; nothing is kept."""
        schema = pa.schema(list(self.layout.items()))
        return pa.Table.from_batches(self.batches(), schema=schema)


def column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Make a column; text that no encoding can write (half of a surrogate pair) has the half replaced."""
    if values.count(None) == len(values):
        return pa.nulls(len(values), kind)
    plain = _TEXT if kind == _CODED else kind
    try:
        made = pa.array(values, plain)
    except UnicodeEncodeError:
        made = pa.array([v if v is None else v.encode("utf-8", "replace").decode("utf-8") for v in values], plain)
    return made.dictionary_encode() if kind == _CODED else made
