"""The files of a MEDS folder: its shards of events, and what its metadata says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from diagnosis.errors import InputError

__all__ = ["CORE", "BadShardError", "checked_shard", "dataset_of", "read_codes", "read_splits", "shards"]

#: Columns of an event that are read, if they are there.
CORE = ("subject_id", "time", "code", "numeric_value", "text_value", "unit")
_UNREADABLE = (pa.ArrowException, OSError, ValueError)


class BadShardError(Exception):
    """A shard cannot be read; the message says why."""


def shards(path: str | Path) -> list[Path]:
    """The shards of a MEDS folder, in the order of their names.

    Raises
    ------
    InputError
        It is no folder, or holds no data.
    """
    top = Path(path)
    if not top.is_dir():
        found = "it is a file" if top.exists() else "there is nothing at that path"
        raise InputError("a MEDS folder, which holds data/ and metadata/", found, "name the folder that holds them")
    data = top / "data"
    files = sorted(
        p
        for p in data.rglob("*.parquet")
        if p.is_file() and not any(n.startswith((".", "_")) for n in p.relative_to(data).parts)
    )
    if not files:
        found = "data/ holds none" if data.is_dir() else "there is no folder data/"
        raise InputError(
            "events of MEDS as data/**/*.parquet", found, "name the folder that holds data/, or extract the data first"
        )
    return files


def checked_shard(path: Path, columns: Sequence[str] | None = CORE) -> pa.Table:
    """Read a shard and check the types of its columns.

    Parameters
    ----------
    path : Path
    columns : sequence of str, optional
        Which to read; all when None.

    Raises
    ------
    BadShardError
        It cannot be read, or a column is missing or of another type than MEDS says.
    """
    try:
        schema = pq.read_schema(path)
        _check(schema)
        wanted = None if columns is None else [c for c in columns if c in schema.names]
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(columns=wanted)
        table.validate(full=True)
    except _UNREADABLE as error:
        raise BadShardError(f"cannot be read ({type(error).__name__}: truncated, damaged or not Parquet)") from None
    return table.replace_schema_metadata(None)


def _check(schema: pa.Schema) -> None:
    names = schema.names
    if "subject_id" not in names and "patient_id" in names:
        raise BadShardError("is of MEDS 0.2 or older, which says patient_id; 0.3 and 0.4 are read: extract it again")
    for name in ("subject_id", "time", "code"):
        if name not in names:
            raise BadShardError(f"has no column {name}")
    for name in CORE:
        if names.count(name) > 1:
            raise BadShardError(f"has the column {name} more than once")
        if name in names and not _fits(schema.field(name).type, name):
            kind = str(schema.field(name).type)[:40]
            raise BadShardError(f"has {kind} in the column {name}, where MEDS says {_SAYS[name]}")


_SAYS = {
    "subject_id": "int64",
    "time": "timestamp[us]",
    "code": "string",
    "numeric_value": "float32",
    "text_value": "string",
    "unit": "string",
}


def _fits(kind: pa.DataType, name: str) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if name == "subject_id":
        return bool(pa.types.is_integer(kind))
    if name == "time":
        return bool(pa.types.is_timestamp(kind))
    if name == "numeric_value":
        return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind))
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)) or (
        kind == pa.string_view()
    )


def dataset_of(path: str | Path) -> dict[str, Any]:
    """What ``metadata/dataset.json`` says; nothing where there is none.

    Raises
    ------
    InputError
        It is no JSON object.
    """
    file = Path(path) / "metadata" / "dataset.json"
    if not file.exists():
        return {}
    try:
        made = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError, RecursionError):
        made = None
    if not isinstance(made, dict):
        raise InputError("metadata/dataset.json as a JSON object", "it cannot be read as one", "mend or remove it")
    return made


def read_codes(path: str | Path, used: set[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Descriptions and parents of the codes that are used, from ``metadata/codes.parquet``."""
    names: dict[str, str] = {}
    parents: dict[str, list[str]] = {}
    for row in _rows(Path(path) / "metadata" / "codes.parquet", ("code", "description", "parent_codes")):
        code, name, above = row.get("code"), row.get("description"), row.get("parent_codes")
        if code in used:
            if isinstance(name, str) and name:
                names[code] = name
            if isinstance(above, list):
                parents[code] = [one for one in above if isinstance(one, str) and one and "|" not in one]
    return names, parents


def read_splits(path: str | Path) -> dict[str, str]:
    """Split of each subject (its id as text), from ``metadata/subject_splits.parquet``."""
    rows = _rows(Path(path) / "metadata" / "subject_splits.parquet", ("subject_id", "split"))
    return {str(r["subject_id"]): r["split"] for r in rows if isinstance(r.get("split"), str)}


def _rows(file: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    if not file.exists():
        return
    try:
        with pq.ParquetFile(file) as opened:
            wanted = [c for c in columns if c in opened.schema_arrow.names]
            for batch in opened.iter_batches(columns=wanted):
                batch.validate(full=True)
                yield from batch.to_pylist()
    except _UNREADABLE as error:
        raise InputError(
            f"metadata/{file.name} as Parquet", f"it cannot be read ({type(error).__name__})", "mend or remove it"
        ) from None
