"""Tables of any library -> Arrow, and the check that they are the tables of the format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError, nearest
from diagnosis.records.differential import structs_of
from diagnosis.records.other_words import near_columns
from diagnosis.records.report import Problem
from diagnosis.records.schema import FORMAT, TABLES, TableFormat

__all__ = ["missing_parts", "to_arrow"]

_UNREADABLE = (pa.ArrowException, TypeError, ValueError, OverflowError)


def to_arrow(table: Any, name: str) -> pa.Table:
    """Make an Arrow table of a pandas or polars frame, an Arrow table or batch, or a mapping of columns.

    Raises
    ------
    InputError
        It is none of these, a column mixes types, or text is not valid UTF-8.
    """
    try:
        made = _made(table)
        if made is not None:
            made.validate(full=True)  # of hostile files, text that is no UTF-8 would fail far from here
            return made
    except _UNREADABLE as error:
        raise InputError(
            f"table `{name}` as columns of one type each",
            f"a column mixes types, stands twice, or holds what is no text ({type(error).__name__})",
            "give each column one name and one type",
        ) from None
    raise InputError(
        f"table `{name}` as a pandas, polars or Arrow table, or a mapping of columns",
        f"found {type(table).__name__}",
        "convert it to one of these first",
    )


def _made(table: Any) -> pa.Table | None:
    if isinstance(table, pa.Table):
        return table.replace_schema_metadata(None)
    if isinstance(table, pa.RecordBatch):
        return pa.Table.from_batches([table]).replace_schema_metadata(None)
    if type(table).__module__.startswith("pandas") and hasattr(table, "columns"):
        return _from_pandas(table)
    if isinstance(table, Mapping):
        return pa.table({str(name): _column(str(name), values) for name, values in table.items()})
    if hasattr(table, "__arrow_c_stream__"):
        return pa.table(table).replace_schema_metadata(None)
    return None


def _from_pandas(frame: Any) -> pa.Table:
    names = [str(name) for name in frame.columns]
    return pa.table([_column(name, frame.iloc[:, i]) for i, name in enumerate(names)], names=names)


def _column(name: str, values: Any) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, str):
        raise TypeError("one text is no column")
    kind = str(getattr(values, "dtype", ""))
    if kind == "object" or kind.startswith(("period", "interval")):
        values = values.tolist()
    if kind.startswith("datetime64[") and "," in kind:  # with a zone, which pandas itself would drop with a warning
        return pc.assume_timezone(pa.array(values.dt.tz_convert(None).to_numpy(), from_pandas=True), "UTC")
    if type(values).__module__.startswith("polars"):
        return pa.chunked_array(values)
    if isinstance(values, list | tuple):
        if name == "differential":
            return pa.array(structs_of(values), from_pandas=True)
        if _mixes_zones(values):
            # Arrow would take those without a zone for UTC.
            values = [one.isoformat() if isinstance(one, date) else one for one in values]
    return pa.array(values, from_pandas=True)


def _mixes_zones(values: Iterable[Any]) -> bool:
    zoned = {one.tzinfo is not None for one in values if isinstance(one, datetime) and one == one}  # NaT is not itself
    return len(zoned) == 2


def missing_parts(sources: Mapping[str, pa.Table]) -> list[Problem]:
    """Required tables and columns that are not there, and columns that stand twice.

    Raises
    ------
    InputError
        There is a table the format does not know.
    """
    unknown = sorted(set(sources) - set(TABLES))
    if unknown:
        raise InputError(
            f"tables of format {FORMAT}: {', '.join(TABLES)}",
            f"found a table named {unknown[0]!r}",
            "rename it or leave it out",
            near=nearest(unknown[0], TABLES),
        )
    problems = [
        Problem("error", "missing_table", layout.name, "", "the table is required and missing")
        for layout in TABLES.values()
        if layout.required and layout.name not in sources
    ]
    for name, table in sources.items():
        problems += _missing_columns(table.column_names, TABLES[name])
    return problems


def _missing_columns(there: list[str], layout: TableFormat) -> list[Problem]:
    found = [
        Problem(
            *("error", "missing_column", layout.name, column.name, "the column is required and missing"),
            near=near_columns(column.name, there),
        )
        for column in layout.columns.values()
        if column.required and column.name not in there
    ]
    for twin in sorted({c for c in there if there.count(c) > 1}):
        # What the format does not know may be no name at all, but somebody's data where a line end was lost.
        name = twin if layout.column(twin) else ""
        places = ", ".join(str(i + 1) for i, c in enumerate(there) if c == twin)
        says = f"the column stands more than once, as number {places}"
        found.append(Problem("error", "duplicate_column", layout.name, name, says))
    return found
