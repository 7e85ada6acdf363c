"""Reference lists of (diagnosis, probability): as JSON text, or as Arrow lists."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.schema import DIFFERENTIAL

__all__ = ["coerce_differential", "json_of", "structs_of"]


def coerce_differential(array: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Turn JSON arrays or Arrow lists into lists of structs; say which rows are none.

    A row is an array of ``[diagnosis, probability]`` or of ``{"diagnosis": ..., "probability": ...}``, each diagnosis
    a text that is not empty and each probability from 0 to 1.
    """
    if _is_list_of_structs(array.type):
        return _from_structs(array)
    if not pa.types.is_string(array.type) and not _is_list(array.type):
        return pa.nulls(len(array), DIFFERENTIAL), np.asarray(array.is_valid())
    bad = np.zeros(len(array), bool)
    rows: list[list[dict[str, Any]] | None] = []
    for i, one in enumerate(array.to_pylist()):
        parsed = _reference_list(one)
        bad[i] = one is not None and parsed is None
        rows.append(parsed)
    return pa.array(rows, DIFFERENTIAL), bad


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_list_of_structs(kind: pa.DataType) -> bool:
    if not _is_list(kind) or not pa.types.is_struct(kind.value_type):
        return False
    names = [kind.value_type.field(i).name for i in range(kind.value_type.num_fields)]
    return sorted(names) == ["diagnosis", "probability"]


def _from_structs(array: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    parent, inner = pc.list_parent_indices(array), pc.list_flatten(array)
    try:
        names = pc.struct_field(inner, "diagnosis").cast(pa.string())
        chances = pc.struct_field(inner, "probability").cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(len(array), DIFFERENTIAL), np.asarray(array.is_valid())
    share = pc.and_(pc.greater_equal(chances, 0.0), pc.less_equal(chances, 1.0))  # NaN is neither
    good = pc.fill_null(pc.and_(share, pc.not_equal(names, "")), False)
    bad = np.zeros(len(array), bool)
    bad[np.asarray(parent)[~np.asarray(good)]] = True
    keep = ~bad & np.asarray(array.is_valid())
    rows = np.asarray(parent)
    kept = pa.array(keep[rows])
    lengths = np.bincount(rows[keep[rows]], minlength=len(array))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    items = pa.StructArray.from_arrays([names.filter(kept), chances.filter(kept)], ["diagnosis", "probability"])
    made = pa.ListArray.from_arrays(pa.array(offsets), items, mask=pa.array(~keep))
    return made.cast(DIFFERENTIAL), bad


def _reference_list(one: object) -> list[dict[str, Any]] | None:
    if isinstance(one, str):
        try:
            one = json.loads(one)
        except (ValueError, RecursionError):
            return None
    if not isinstance(one, list):
        return None
    pairs = []
    for item in one:
        pair = (item.get("diagnosis"), item.get("probability")) if isinstance(item, dict) else item
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not _is_pair(*pair):
            return None
        pairs.append({"diagnosis": pair[0], "probability": float(pair[1])})
    return pairs


def _is_pair(name: object, chance: object) -> bool:
    if not isinstance(name, str) or not name or isinstance(chance, bool) or not isinstance(chance, int | float):
        return False
    # A lone surrogate, which JSON lets through, is no text that could be written again.
    return 0 <= chance <= 1 and not any("\ud800" <= c <= "\udfff" for c in name)


def structs_of(rows: Any) -> list[Any]:
    """Lists of pairs or mappings (diagnosis to probability) as lists of structs, for Arrow to hold; others as they are.

    Examples
    --------
    >>> structs_of([[("flu", 0.7)], {"flu": 0.7}, None])
    [[{'diagnosis': 'flu', 'probability': 0.7}], [{'diagnosis': 'flu', 'probability': 0.7}], None]
    """
    return [_structs(one) for one in rows]


def _structs(one: Any) -> Any:
    if isinstance(one, dict):
        one = list(one.items())
    if isinstance(one, np.ndarray):
        one = one.tolist()
    if not isinstance(one, list | tuple):
        return one
    pairs = [len(item) == 2 if isinstance(item, list | tuple) else False for item in one]
    return [{"diagnosis": d, "probability": p} for d, p in one] if all(pairs) else list(one)


def json_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Reference lists as JSON arrays of ``[diagnosis, probability]``, for CSV."""
    rows = [
        None if one is None else json.dumps([[d["diagnosis"], d["probability"]] for d in one], ensure_ascii=False)
        for one in column.to_pylist()
    ]
    return pa.chunked_array([pa.array(rows, pa.string())])
