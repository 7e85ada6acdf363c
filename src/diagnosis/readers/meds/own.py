"""A folder that `write_meds` made -> the very records it was made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError
from diagnosis.readers.meds.account import kept_in
from diagnosis.readers.meds.files import BadShardError, checked_shard, dataset_of, shards
from diagnosis.readers.meds.layout import BY_EVENT, COLUMNS, ETL, FOLDER, ROW, TABLE, column_of
from diagnosis.readers.parquet_files import read_parquet
from diagnosis.records import TABLES, Problem, Records
from diagnosis.records.loading import OnError

__all__ = ["is_own", "read_own"]


def is_own(path: str | Path) -> bool:
    """Whether `write_meds` made a folder."""
    there = (Path(path) / "metadata" / FOLDER / COLUMNS).is_file()
    return there and dataset_of(path).get("etl_name") == ETL


def read_own(path: str | Path, *, on_error: OnError, quarantine: str | Path | None) -> Records:
    """Read a folder that `write_meds` made; events whose case is not in its metadata are set aside.

    Raises
    ------
    InputError
        The metadata is not what `write_meds` wrote.
    RecordsError
        Rows cannot be used, with ``on_error="raise"``.
    """
    folder = Path(path) / "metadata" / FOLDER
    columns = _json(folder / COLUMNS)
    info = _json(folder / "records.json")
    if not all(_is_list_of_text(listed) for listed in columns.values()) or set(columns) - set(TABLES):
        raise _damaged(COLUMNS)
    events, found = _events(path)
    tables: dict[str, pa.Table] = {}
    for name, listed in columns.items():
        if name in BY_EVENT:
            tables[name] = _rows_of(events, name, listed)
        else:
            coded = [c.name for c in TABLES[name].columns.values() if c.type in ("code", "choice")]
            tables[name] = read_parquet(folder / f"{name}.parquet", coded)
    counts = ", ".join(f"{len(tables[n]):,} {n}" for n in BY_EVENT if n in tables)
    says = f"{len(events):,} events read, with the cases they were written with: {counts}"
    found += [Problem("note", "account", "events", "", says, count=len(events)), *kept_in(tables)]
    return Records.from_tables(tables, info, on_error=on_error, quarantine=quarantine, found=found)


def _events(path: str | Path) -> tuple[pa.Table, list[Problem]]:
    made, found = [], []
    for number, file in enumerate(shards(path), 1):
        try:
            made.append(checked_shard(file, None))
        except BadShardError as error:
            found.append(Problem("error", "unreadable", "events", "", f"shard {number:,} {error}", count=1))
    try:
        events = pa.concat_tables(made, promote_options="default") if made else None
    except pa.ArrowInvalid:
        events = None
    if events is None or not {TABLE, ROW, "time"} <= set(events.column_names) or not _typed(events):
        raise InputError(
            "events as `write_meds` writes them",
            "found other columns or types, or shards that disagree",
            'write them again, or read them by an index event with index="last"',
        )
    return events, found


def _typed(events: pa.Table) -> bool:
    table, row = events.schema.field(TABLE).type, events.schema.field(ROW).type
    return bool(pa.types.is_string(table) and pa.types.is_integer(row))


def _rows_of(events: pa.Table, name: str, columns: list[str]) -> pa.Table:
    """Rows of one table in their order; what the events lack is missing."""
    rows = events.filter(pc.equal(events[TABLE], name))
    rows = rows.take(pc.sort_indices(rows, [(ROW, "ascending")]))
    made: dict[str, Any] = {}
    for column in columns:
        source = column_of(name, column)
        if source in rows.column_names:
            values = rows[source]
            made[column] = values.cast(pa.timestamp("us", "UTC")) if source == "time" else values
    return pa.table(made)


def _json(file: Path) -> dict[str, Any]:
    try:
        made = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        made = None
    if not isinstance(made, dict):
        raise _damaged(file.name)
    return made


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value) and len(set(value)) == len(value)


def _damaged(name: str) -> InputError:
    return InputError(
        f"metadata/{FOLDER}/{name} as `write_meds` writes it", "it is missing or damaged", "write the records again"
    )
