"""Arrow columns as numpy arrays."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.schema import TABLES
from diagnosis.records.unknown import unknown_column

__all__ = ["among", "array_of", "blank_of", "column_of", "distinct", "fixed", "is_number"]


def array_of(values: pa.Array) -> npt.NDArray[Any]:
    """Text as objects with None, numbers as float64 with NaN, times as datetime64[us] (UTC) with NaT."""
    if values.null_count == len(values):
        kind = values.type
        return blank_of(kind.value_type if pa.types.is_dictionary(kind) else kind, len(values))
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_float64(values.type):
        return np.array(values.to_numpy(zero_copy_only=False))
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        return np.array(pc.fill_null(values.cast(pa.float64(), safe=False), float("nan")))
    if pa.types.is_timestamp(values.type):
        return np.array(values.cast(pa.timestamp("us"), safe=False))
    made = np.empty(len(values), object)
    made[:] = values.to_pylist()
    return made


def blank_of(kind: pa.DataType, n: int) -> npt.NDArray[Any]:
    """A column in which nothing is stated, as `array_of` makes it."""
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return np.full(n, np.nan)
    if pa.types.is_timestamp(kind):
        return np.full(n, np.datetime64("NaT"), "datetime64[us]")
    return np.full(n, None, object)


def distinct(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the different numbers, ascending: `numpy.unique` by sorting.

    numpy 2.4 hashes instead, which takes up to ninety times as long on many keys of the form ``row * width + column``.
    """
    ascending = np.sort(numbers)
    return ascending[np.concatenate([[True], ascending[1:] != ascending[:-1]])] if len(ascending) else ascending


def column_of(cases: pa.Table, name: str) -> npt.NDArray[Any]:
    """A column of `cases` as `array_of` makes it; one of the format that the table lacks states nothing.

    Raises
    ------
    UnknownNameError
        The format has no such column, nor has the table.
    """
    if name in cases.column_names:
        return array_of(cases[name].combine_chunks())
    layout = TABLES["cases"].column(name)
    if layout is None:
        raise unknown_column(name, cases.column_names)
    return blank_of(layout.arrow, len(cases))


def among(values: npt.NDArray[np.integer], wanted: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Tell which integers are among `wanted`, by sorting those once: `np.isin` takes ten times as long for millions."""
    if not len(wanted):
        return np.zeros(len(values), bool)
    wanted = np.sort(wanted)
    return wanted[np.minimum(np.searchsorted(wanted, values), len(wanted) - 1)] == values


def fixed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array made read-only, because every caller gets the same one."""
    values.setflags(write=False)
    return values


def is_number(value: object) -> bool:
    """Whether it is a real number, of Python or of numpy, and not a truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)
