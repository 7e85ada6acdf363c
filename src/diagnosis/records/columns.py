"""One raw column of any Arrow type -> the type the format asks for, and the rows that cannot be it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.differential import coerce_differential
from diagnosis.records.schema import Column
from diagnosis.records.times import coerce_times, showable

__all__ = ["Coerced", "carried", "coerce", "plain"]

_Mask = npt.NDArray[np.bool_]

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_INTEGER = r"^[+-]?[0-9]{1,18}$"
# Whole numbers beyond this are not exact as floats.
_EXACT = float(1 << 53)


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
    skipped : int
        How many times stood in an hour that the clocks skip.
    dates : int
        How many times were dates without an hour.
    """

    values: pa.Array
    bad: _Mask
    zoneless: int = 0
    skipped: int = 0
    dates: int = 0


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
    if column.type in ("code", "choice") and _is_coded_text(raw.type):
        return _recoded(raw, column)
    array = plain(raw)
    if pa.types.is_null(array.type):
        return Coerced(pa.nulls(len(array), column.arrow), _none(array))
    if column.type == "time":
        times = coerce_times(array, zone)
        return Coerced(times.values, times.bad, times.zoneless, times.skipped, times.dates)
    if column.type == "differential":
        return Coerced(*coerce_differential(array))
    if column.type == "flag":
        return Coerced(*_flag(array))
    if column.type in ("number", "integer"):
        values, bad = _number(array) if column.type == "number" else _integer(array)
        return Coerced(*_bounded(values, bad, column))
    values, bad = _text(array)
    if column.type == "choice":
        values, wrong = _flagged(values, _is_choice(values, column))
        bad = bad | wrong
    return Coerced(values if column.type == "text" else values.dictionary_encode().cast(column.arrow), bad)


def plain(raw: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One chunk; text types folded into `string`; empty text and floating NaN into null."""
    array = _one_chunk(raw)
    if pa.types.is_dictionary(array.type):
        array = plain(array.dictionary).take(array.indices)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_large_string(array.type) or array.type == pa.string_view():
        array = array.cast(pa.string())
    if pa.types.is_string(array.type):
        empty = pc.equal(array, "")
        return pc.if_else(empty, pa.scalar(None, pa.string()), array) if pc.any(empty).as_py() else array
    if pa.types.is_floating(array.type):
        array = array.cast(pa.float64()) if pa.types.is_float16(array.type) else array
        return pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return array


def carried(raw: pa.ChunkedArray) -> pa.Array:
    """A column that the format does not know, as it is; as text where its rows could not be picked or shown."""
    array = showable(plain(raw))
    try:
        if not pa.types.is_union(array.type):  # which pandas cannot show
            array.take(pa.array([], pa.int64()))
            return array
    except pa.ArrowNotImplementedError:
        pass
    return pa.array([None if one is None else str(one) for one in array.to_pylist()], pa.string())


def _one_chunk(raw: pa.ChunkedArray | pa.Array) -> pa.Array:
    if not isinstance(raw, pa.ChunkedArray):
        return raw
    if raw.num_chunks > 1 and pa.types.is_dictionary(raw.type):
        if raw.type.value_type == pa.string_view():  # which Arrow cannot unify
            return pa.chunked_array([plain(chunk) for chunk in raw.chunks]).combine_chunks().dictionary_encode()
        raw = raw.unify_dictionaries()
    return raw.chunk(0) if raw.num_chunks == 1 else raw.combine_chunks()


def _is_coded_text(kind: pa.DataType) -> bool:
    if not pa.types.is_dictionary(kind):
        return False
    inner = kind.value_type
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner) or inner == pa.string_view())


def _recoded(raw: pa.ChunkedArray | pa.Array, column: Column) -> Coerced:
    """Check the words of a column that is coded already, and leave its rows alone."""
    array = _one_chunk(raw)
    words = plain(array.dictionary)
    wrong = _none(words)
    if column.type == "choice":
        words, wrong = _flagged(words, _is_choice(words, column))
    coded = words.dictionary_encode()
    indices = coded.indices.take(array.indices)
    bad = np.append(wrong, False)[np.asarray(pc.fill_null(array.indices.cast(pa.int64()), -1))]
    made = pa.DictionaryArray.from_arrays(indices.cast(pa.int32()), coded.dictionary)
    return Coerced(made.cast(column.arrow), bad)


def _is_choice(values: pa.Array, column: Column) -> pa.Array:
    return pc.or_(values.is_null(), pc.is_in(values, pa.array(column.choices, pa.string())))


def _none(array: pa.Array) -> _Mask:
    return np.zeros(len(array), bool)


def _flagged(array: pa.Array, ok: pa.Array) -> tuple[pa.Array, _Mask]:
    """Null out what is not ok; say which rows those are."""
    good = pc.fill_null(ok, True)
    bad = ~np.asarray(good)
    if bad.any():
        array = pc.if_else(good, array, pa.scalar(None, array.type))
    return array, bad


def _refused(array: pa.Array, kind: pa.DataType) -> tuple[pa.Array, _Mask]:
    return pa.nulls(len(array), kind), np.asarray(array.is_valid())


def _text(array: pa.Array) -> tuple[pa.Array, _Mask]:
    # A whole number in a typed table is unambiguous; a float is how `001` and `1e5` get lost, so it is refused.
    if pa.types.is_string(array.type):
        return array, _none(array)
    if pa.types.is_integer(array.type):
        return array.cast(pa.string()), _none(array)
    return _refused(array, pa.string())


def _number(array: pa.Array) -> tuple[pa.Array, _Mask]:
    if pa.types.is_string(array.type):
        values, bad = _number_of_text(array)
    elif pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        values, bad = array.cast(pa.float64(), safe=False), _none(array)
    else:
        return _refused(array, pa.float64())
    values, endless = _flagged(values, pc.is_finite(values))
    return values, bad | endless


def _number_of_text(array: pa.Array) -> tuple[pa.Array, _Mask]:
    try:
        values = array.cast(pa.float64())
        if not pc.any(pc.invert(pc.is_finite(values))).as_py():  # text such as "NaN" is no number
            return values, _none(array)
    except pa.ArrowInvalid:  # some row is none; which ones only the slower way tells
        pass
    array, bad = _flagged(array, pc.match_substring_regex(array, _NUMBER))
    return array.cast(pa.float64()), bad


def _integer(array: pa.Array) -> tuple[pa.Array, _Mask]:
    if pa.types.is_string(array.type):
        array, bad = _flagged(array, pc.match_substring_regex(array, _INTEGER))
        return pc.utf8_ltrim(array, "+").cast(pa.int64()), bad
    if pa.types.is_integer(array.type) and not pa.types.is_uint64(array.type):
        return array.cast(pa.int64()), _none(array)
    values, bad = _number(array)
    whole = pc.and_(pc.equal(values, pc.floor(values)), pc.less_equal(pc.abs(values), _EXACT))
    values, broken = _flagged(values, whole)
    return values.cast(pa.int64()), bad | broken


def _bounded(values: pa.Array, bad: _Mask, column: Column) -> tuple[pa.Array, _Mask]:
    for bound, outside in ((column.low, pc.less), (column.high, pc.greater)):
        if bound is not None:
            values, out = _flagged(values, pc.invert(outside(values, pa.scalar(bound).cast(values.type))))
            bad = bad | out
    return values, bad


def _flag(array: pa.Array) -> tuple[pa.Array, _Mask]:
    if pa.types.is_boolean(array.type):
        return array, _none(array)
    if not pa.types.is_string(array.type):
        return _refused(array, pa.bool_())
    array, bad = _flagged(array, pc.is_in(array, pa.array(["true", "false", None], pa.string())))
    return pc.if_else(array.is_valid(), pc.equal(array, "true"), pa.scalar(None, pa.bool_())), bad
