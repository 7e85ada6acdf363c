"""A fingerprint of tables by their content, whatever form they were held or stored in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["digest_of"]


def digest_of(tables: Mapping[str, pa.Table]) -> str:
    """SHA-256 of tables, in hexadecimal.

    Names, types, missing rows and values count; the order of tables and columns, chunks, offsets, coding and what lies
    in memory under a missing row do not.

    Examples
    --------
    >>> one, other = pa.table({"a": ["x", None]}), pa.table({"a": pa.array(["x", None]).dictionary_encode()})
    >>> digest_of({"t": one}) == digest_of({"t": other})
    True
    """
    seen = hashlib.sha256()
    for name in sorted(tables):
        table = tables[name]
        for column in sorted(table.column_names):
            seen.update(f"{name}.{column}\x00{len(table)}\x00".encode())
            _feed(table[column].combine_chunks(), seen)
    return seen.hexdigest()


def _feed(array: pa.Array, seen: Any) -> None:
    """Feed one array: its type, which rows are missing, and the values of the others."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _feed(array.cast(kind.value_type), seen)
    if pa.types.is_large_string(kind) or kind == pa.string_view():
        return _feed(array.cast(pa.string()), seen)
    # The name of a list's items is the business of the file format.
    seen.update(b"list\x00" if pa.types.is_list(kind) else f"{kind}\x00".encode())
    if pa.types.is_null(kind):
        return None
    seen.update(np.packbits(np.asarray(array.is_valid())) if array.null_count else b"\x01")
    array = array.drop_null()
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        _feed_text(array, seen)
    elif pa.types.is_list(kind):
        seen.update(np.asarray(pc.list_value_length(array)))
        _feed(pc.list_flatten(array), seen)
    elif pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            seen.update(f"{kind.field(i).name}\x00".encode())
            _feed(pc.struct_field(array, i), seen)
    elif pa.types.is_temporal(kind) and kind.bit_width in (32, 64):
        seen.update(np.asarray(array.cast(pa.int64() if kind.bit_width == 64 else pa.int32())))
    elif pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        seen.update(np.ascontiguousarray(array.to_numpy(zero_copy_only=False)))
    else:  # carried columns of rarer types
        seen.update(repr(array.to_pylist()).encode())
    return None


def _feed_text(array: pa.Array, seen: Any) -> None:
    if not len(array):
        return
    _, offsets, values = array.buffers()
    ends = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    seen.update(np.diff(ends))
    if values is not None:
        seen.update(memoryview(values)[int(ends[0]) : int(ends[-1])])
