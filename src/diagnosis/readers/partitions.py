"""One table of format 1 in Parquet, a batch of rows at a time: parts of one schema, columns typed, rows checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from diagnosis.errors import InputError, RecordsError
from diagnosis.readers.parquet_files import parts_of, refuse_twice
from diagnosis.records import TABLES, Problem, Report
from diagnosis.records.columns import carried, coerce
from diagnosis.records.layout import Column, TableFormat
from diagnosis.records.report import listed

__all__ = ["Partitions", "open_partitions", "refusal"]

# Text whose words are held once, as Arrow reads it from Parquet.
_CODED = pa.dictionary(pa.int32(), pa.string())
# Microseconds since 1970 of the years that can be shown.
_YEAR_1, _YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999
_UNREADABLE = (pa.ArrowException, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Partitions:
    """A table as one Parquet file or a folder of parts, in the order of their names.

    Parameters
    ----------
    table : TableFormat
    parts : tuple of Path
    schema : pa.Schema
        Of every part, dictionaries taken for what they stand for.
    n_rows : int
        Over all parts.
    zone : str, optional
        IANA zone of times that name none.
    skipped : int
        Rows before the first that is read.
    """

    table: TableFormat
    parts: tuple[Path, ...]
    schema: pa.Schema
    n_rows: int
    zone: str | None = None
    skipped: int = 0

    def between(self, start: int, stop: int) -> Partitions:
        """The rows from number `start` up to `stop`, counted over all parts; others are not decoded."""
        return replace(self, skipped=self.skipped + start, n_rows=stop - start)

    def only(self, columns: Sequence[str] | None) -> Partitions:
        """The same rows with these of their columns (those that there are); all of them where None."""
        if columns is None:
            return self
        return replace(self, schema=pa.schema([field for field in self.schema if field.name in columns]))

    def batches(self, rows: int) -> Iterator[pa.Table]:
        """Read typed tables of at most `rows` rows each.

        Raises
        ------
        RecordsError
            A row that format 1 does not allow; the part, the column and the rows are named.
        InputError
            A part that is damaged.
        """
        names = self.schema.names
        coded = [n for n in names if pa.types.is_string(self.schema.field(n).type) and self._repeats(n)]
        skip, left = self.skipped, self.n_rows
        for part in self.parts:
            if skip and skip >= (n_rows := _schema(part)[1]):
                skip -= n_rows
                continue
            for start, batch in _read(part, names, coded, rows, skip):
                if left <= 0:
                    return
                yield self._typed(batch[:left], part, start)
                left -= len(batch)
            skip = 0

    def empty(self) -> pa.Table:
        """A typed table without a row."""
        names = self.schema.names
        known = {n: self.table.column(n) for n in names}
        kinds = {n: c.arrow if c is not None else self.schema.field(n).type for n, c in known.items()}
        return pa.table({n: pa.array([], kind) for n, kind in kinds.items()})

    def _repeats(self, name: str) -> bool:
        """Whether the text of a column stands in many rows."""
        column = self.table.column(name)
        repeats = column is not None and column.type in ("code", "choice")
        return repeats or (name == "case_id" and self.table.name != "cases")

    def _typed(self, batch: pa.RecordBatch, part: Path, start: int) -> pa.Table:
        columns, wrong = {}, []
        for name, raw in zip(batch.schema.names, batch.columns, strict=True):
            column = self.table.column(name)
            if column is None:
                columns[name] = carried(pa.chunked_array([raw]))
                continue
            columns[name], bad = _coerced(raw, column, self.zone)
            if column.required and columns[name].null_count:
                bad |= np.asarray(columns[name].is_null())
            if bad.any():
                rows = tuple((np.flatnonzero(bad) + start + 1).tolist())
                says = f"must be {column.allowed}, in {part.name}"
                wrong.append(Problem("error", f"bad_{name}", self.table.name, name, says, rows))
        if wrong:
            raise refusal(wrong)
        return pa.table(columns)


def open_partitions(source: Path, name: str, zone: str | None = None) -> Partitions:
    """Look at the parts of a table and make sure that they have one schema.

    Raises
    ------
    InputError
        A part that is no Parquet, lacks a required column, or has another schema than the first; it is named.
    """
    parts = tuple(parts_of(source))
    first, n_rows = None, 0
    for part in parts:
        schema, n = _schema(part)
        n_rows += n
        if first is None:
            first = schema
        elif {f.name: f.type for f in schema} != {f.name: f.type for f in first}:
            raise _another_schema(first, schema, parts[0], part)
    assert first is not None  # a folder without parts is refused by parts_of
    table = TABLES[name]
    missing = [c.name for c in table.columns.values() if c.required and c.name not in first.names]
    if missing:
        raise InputError(f"column {missing[0]} in table `{name}`", f"{parts[0].name} has none", "write it")
    return Partitions(table, parts, first, n_rows, zone)


def _schema(part: Path) -> tuple[pa.Schema, int]:
    try:
        with pq.ParquetFile(part) as file:
            fields = [pa.field(f.name, _plain_type(f.type)) for f in file.schema_arrow]
            n_rows = file.metadata.num_rows
    except _UNREADABLE as error:
        raise _damaged(part, error) from None
    refuse_twice([field.name for field in fields], part)
    return pa.schema(fields), n_rows


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type without what does not change its meaning: dictionaries, wide offsets."""
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    return pa.string() if pa.types.is_large_string(kind) or kind == pa.string_view() else kind


def _another_schema(first: pa.Schema, other: pa.Schema, one: Path, two: Path) -> InputError:
    names = sorted({*first.names, *other.names})
    apart = [n for n in names if _type_in(first, n) != _type_in(other, n)]
    name = apart[0] if apart else names[0]
    return InputError(
        f"parts of one schema in {one.parent}",
        f"column `{name}` is {_type_in(first, name)} in {one.name} and {_type_in(other, name)} in {two.name}",
        "write them all the same way",
    )


def _type_in(schema: pa.Schema, name: str) -> str:
    return str(schema.field(name).type) if name in schema.names else "missing"


def _read(
    part: Path, names: Sequence[str], coded: Sequence[str], rows: int, skip: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Read a part without its first `skip` rows; each batch comes with the number of its first row."""
    try:
        with pq.ParquetFile(part, read_dictionary=list(coded), page_checksum_verification=True) as file:
            start, groups = 0, list(range(file.num_row_groups))
            while skip and groups and start + (n := file.metadata.row_group(groups[0]).num_rows) <= skip:
                start += n
                groups.pop(0)
            for batch in file.iter_batches(rows, row_groups=groups, columns=list(names), use_threads=False):
                left_out = min(max(skip - start, 0), len(batch))
                if left_out < len(batch):
                    yield start + left_out, batch[left_out:]
                start += len(batch)
    except _UNREADABLE as error:
        raise _damaged(part, error) from None


def _damaged(part: Path, error: Exception) -> InputError:
    return InputError(
        f"a whole Parquet file at {part}",
        f"it cannot be read ({type(error).__name__}: truncated, damaged or not Parquet)",
        "write or copy it again",
    )


def _coerced(raw: pa.Array, column: Column, zone: str | None) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """The column as the format types it, and the rows that cannot be; what is so already is taken as it is."""
    if raw.type in (column.arrow, _CODED) and _is_fine(raw, column):
        return raw, np.zeros(len(raw) if column.required and raw.null_count else 0, bool)
    made = coerce(raw, column, zone)
    if column.name == "case_id" and raw.type == _CODED:
        return made.values.dictionary_encode(), made.bad
    return made.values, made.bad


def _is_fine(array: pa.Array, column: Column) -> bool:
    """Whether a column of the right type can be taken without looking at every row."""
    if pa.types.is_dictionary(array.type):
        words = array.dictionary
        if column.choices:
            return pc.all(pc.is_in(words, pa.array(column.choices, pa.string()))).as_py() is not False
        return words.null_count == 0 and not pc.any(pc.equal(words, "")).as_py()
    if column.type == "number":
        return not pc.any(pc.is_nan(array)).as_py() and _is_inside(array, *_bounds(column))
    if column.type == "time":
        return _is_inside(array.cast(pa.int64()), _YEAR_1, _YEAR_9999)
    return column.type == "text" and not pc.any(pc.equal(array, "")).as_py()


def _bounds(column: Column) -> tuple[float, float]:
    largest = sys.float_info.max
    return -largest if column.low is None else column.low, largest if column.high is None else column.high


def _is_inside(numbers: pa.Array, low: float, high: float) -> bool:
    ends = pc.min_max(numbers).as_py()
    return ends["min"] is None or bool(low <= ends["min"] and ends["max"] <= high)


def refusal(problems: Sequence[Problem]) -> RecordsError:
    """The error for rows that format 1 does not allow."""
    return RecordsError(
        "asked for rows of format 1 in every part",
        listed(problems),
        'mend them; read_records with on_error="quarantine" sets bad rows aside',
        report=Report(tuple(problems), refused=True),
    )
