"""One raw column of any Arrow type -> the type the format asks for, and the rows that cannot be it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.schema import DIFFERENTIAL, Column

__all__ = ["Coerced", "coerce"]

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_INTEGER = r"^[+-]?[0-9]{1,18}$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = _DATE + r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)?"
_ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})$"


@dataclass(frozen=True, slots=True)
class Coerced:
    """A column as the format wants it.

    Parameters
    ----------
    values : pa.Array
        Typed; null where missing or not usable.
    bad : ndarray of bool, shape (n_rows,)
        Rows that hold something the column may not hold.
    zoneless : int
        How many times had no zone.
    """

    values: pa.Array
    bad: np.ndarray
    zoneless: int = 0


def coerce(raw: pa.ChunkedArray | pa.Array, column: Column, zone: str | None = None) -> Coerced:
    """Turn a raw column into the column's type.

    Empty text is missing in every form; a floating NaN of a typed table is missing; text "NaN" is not a number.

    Parameters
    ----------
    raw : pa.Array or pa.ChunkedArray
        Of any type.
    column : Column
    zone : str, optional
        IANA zone for times that name none; UTC when not given.
    """
    array = _plain(raw)
    if pa.types.is_null(array.type):
        return Coerced(pa.nulls(len(array), column.arrow), np.zeros(len(array), bool))
    step = {
        "text": _text,
        "code": _text,
        "choice": _choice,
        "number": _number,
        "integer": _integer,
        "flag": _flag,
        "differential": _differential,
    }.get(column.type)
    if step is None:
        return _time(array, zone)
    values, bad = step(array, column)
    if column.type in ("number", "integer"):
        values, bad = _bounded(values, bad, column)
    if column.type in ("code", "choice"):
        values = values.dictionary_encode() if not pa.types.is_dictionary(values.type) else values
        values = values.cast(column.arrow)
    return Coerced(values, bad)


def _plain(raw: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One chunk; text types folded into `string`; empty text into null."""
    array = raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw
    if isinstance(array, pa.ChunkedArray):  # more than 2 GiB of text stays chunked
        array = pa.concat_arrays([c.cast(pa.large_string()) for c in array.chunks])
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type)
    if pa.types.is_large_string(array.type) or array.type == pa.string_view():
        array = array.cast(pa.string())
    if pa.types.is_string(array.type):
        array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
    return array


def _flagged(array: pa.Array, ok: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Null out what is not ok; say which rows those are."""
    good = pc.fill_null(ok, True)
    bad = ~np.asarray(good)
    if bad.any():
        array = pc.if_else(good, array, pa.scalar(None, array.type))
    return array, bad


def _refused(array: pa.Array, kind: pa.DataType) -> tuple[pa.Array, np.ndarray]:
    return pa.nulls(len(array), kind), np.asarray(array.is_valid())


def _text(array: pa.Array, _: Column) -> tuple[pa.Array, np.ndarray]:
    # A whole number in a typed table is unambiguous; a float is how `001` and `1e5` get lost, so it is refused.
    if pa.types.is_string(array.type):
        return array, np.zeros(len(array), bool)
    if pa.types.is_integer(array.type):
        return array.cast(pa.string()), np.zeros(len(array), bool)
    return _refused(array, pa.string())


def _choice(array: pa.Array, column: Column) -> tuple[pa.Array, np.ndarray]:
    if not pa.types.is_string(array.type):
        return _refused(array, pa.string())
    return _flagged(array, pc.if_else(array.is_null(), True, pc.is_in(array, pa.array(column.choices))))


def _number(array: pa.Array, _: Column) -> tuple[pa.Array, np.ndarray]:
    if pa.types.is_string(array.type):
        array, bad = _flagged(array, pc.match_substring_regex(array, _NUMBER))
        values = array.cast(pa.float64())
    elif pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        values = array.cast(pa.float64(), safe=False)
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
        bad = np.zeros(len(array), bool)
    else:
        return _refused(array, pa.float64())
    values, endless = _flagged(values, pc.is_finite(values))
    return values, bad | endless


def _integer(array: pa.Array, column: Column) -> tuple[pa.Array, np.ndarray]:
    if pa.types.is_string(array.type):
        array, bad = _flagged(array, pc.match_substring_regex(array, _INTEGER))
        return array.cast(pa.int64()), bad
    values, bad = _number(array, column)
    values, broken = _flagged(values, pc.equal(values, pc.floor(values)))
    return values.cast(pa.int64(), safe=False), bad | broken


def _bounded(values: pa.Array, bad: np.ndarray, column: Column) -> tuple[pa.Array, np.ndarray]:
    for bound, outside in ((column.low, pc.less), (column.high, pc.greater)):
        if bound is not None:
            values, out = _flagged(values, pc.invert(outside(values, pa.scalar(bound).cast(values.type))))
            bad = bad | out
    return values, bad


def _flag(array: pa.Array, _: Column) -> tuple[pa.Array, np.ndarray]:
    if pa.types.is_boolean(array.type):
        return array, np.zeros(len(array), bool)
    if not pa.types.is_string(array.type):
        return _refused(array, pa.bool_())
    array, bad = _flagged(array, pc.is_in(array, pa.array(["true", "false"])))
    return pc.if_else(array.is_null(), pa.scalar(None, pa.bool_()), pc.equal(array, "true")), bad | np.zeros(
        len(array), bool
    )


def _time(array: pa.Array, zone: str | None) -> Coerced:
    target = pa.timestamp("us", tz="UTC")
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        if getattr(array.type, "tz", None):
            return Coerced(array.cast(target, safe=False), np.zeros(len(array), bool))
        local = array.cast(pa.timestamp("us"), safe=False)
        return Coerced(_localised(local, zone), np.zeros(len(array), bool), len(array) - array.null_count)
    if not pa.types.is_string(array.type):
        return Coerced(*_refused(array, target))
    array, bad = _flagged(array, pc.match_substring_regex(array, _TIME + "(" + _ZONE[:-1] + ")?$"))
    zoned = pc.fill_null(pc.match_substring_regex(array, r":.*" + _ZONE), False)
    text = pc.replace_substring_regex(pc.replace_substring(array, ",", "."), r"^(.{10}) ", r"\1T")
    missing = pa.scalar(None, pa.string())
    with_zone, bad_a = _parsed(pc.if_else(zoned, text, missing), target)
    without, bad_b = _parsed(pc.if_else(zoned, missing, text), pa.timestamp("us"))
    n_zoneless = len(without) - without.null_count
    return Coerced(pc.coalesce(with_zone, _localised(without, zone)), bad | bad_a | bad_b, n_zoneless)


def _parsed(text: pa.Array, target: pa.DataType) -> tuple[pa.Array, np.ndarray]:
    """Cast ISO text; where any one row refuses (a 31st of February), go row by row to find out which."""
    bad = np.zeros(len(text), bool)
    text = pc.replace_substring_regex(text, r"(\.[0-9]{6})[0-9]+", r"\1")
    try:
        return text.cast(target), bad
    except pa.ArrowInvalid:
        keep: list[str | None] = text.to_pylist()
        for i, one in enumerate(keep):
            try:
                pa.array([one], pa.string()).cast(target)
            except pa.ArrowInvalid:
                bad[i], keep[i] = True, None
        return pa.array(keep, pa.string()).cast(target), bad


def _localised(local: pa.Array, zone: str | None) -> pa.Array:
    name = zone or "UTC"
    ZoneInfo(name)  # an unknown zone is refused before Arrow sees it
    return pc.assume_timezone(local, name, ambiguous="earliest", nonexistent="earliest").cast(
        pa.timestamp("us", tz="UTC")
    )


def _differential(array: pa.Array, _: Column) -> tuple[pa.Array, np.ndarray]:
    bad = np.zeros(len(array), bool)
    rows: list[list[dict[str, object]] | None] = []
    for i, one in enumerate(array.to_pylist()):
        parsed = _reference_list(one)
        bad[i] = one is not None and parsed is None
        rows.append(parsed)
    return pa.array(rows, DIFFERENTIAL), bad


def _reference_list(one: object) -> list[dict[str, object]] | None:
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
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            return None
        if isinstance(pair[1], bool) or not isinstance(pair[1], int | float) or not math.isfinite(pair[1]):
            return None
        if not 0 <= pair[1] <= 1:
            return None
        pairs.append({"diagnosis": pair[0], "probability": float(pair[1])})
    return pairs
