"""Records out: a folder of tables in format 1, as CSV or Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError, WorkError, nearest
from diagnosis.readers.csv_files import write_csv
from diagnosis.readers.parquet_files import write_parquet
from diagnosis.readers.whole_folder import whole_folder
from diagnosis.records import TABLES, Records
from diagnosis.records.differential import json_of
from diagnosis.records.schema import DIFFERENTIAL

__all__ = ["refuse_occupied", "refuse_repeats", "write_records"]

_INFO = "records.json"


def write_records(
    records: Records, folder: str | Path, form: Literal["csv", "parquet"] = "parquet", *, overwrite: bool = False
) -> Path:
    """Write records as a folder of tables in format 1; whole or not at all.

    The folder can be read by its owner only (mode 0700). Columns of types that CSV cannot hold are written as text.

    Parameters
    ----------
    records : Records
    folder : str or Path
        Made new; an existing one that is not empty is refused unless `overwrite`.
    form : {"csv", "parquet"}
    overwrite : bool
        Replace a folder that holds a set of records and nothing else.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        The folder holds something already, or the records hold a case twice (as after sampling with repeats).
    WorkError
        The files cannot be written.
    """
    if form not in ("csv", "parquet"):
        near = nearest(str(form), ("csv", "parquet"))
        raise InputError("records as csv or parquet", f"asked for {form!r}", "use one of the two", near=near)
    refuse_repeats(records)
    target = Path(folder)
    refuse_occupied(target, overwrite)
    try:
        with whole_folder(target) as made:
            for name in records.names:
                _write_table(records.arrow(name), made / f"{name}.{form}")
            info = json.dumps(dict(records.info), ensure_ascii=False, indent=1)
            (made / _INFO).write_text(info + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise WorkError(f"The records cannot be written to {target} ({type(error).__name__}).") from None
    return target


def refuse_repeats(records: Records) -> None:
    """Refuse records that hold a case twice: a file of them could not be read again."""
    if len(set(records.case_ids)) < len(records):
        raise InputError(
            "each case once", "some stand more than once", "write the records before sampling with repeats"
        )


def refuse_occupied(target: Path, overwrite: bool = False) -> None:
    """Refuse a place to write to that holds something else than what may be replaced.

    Raises
    ------
    InputError
        There is a file, or a folder with something in it; with `overwrite` a folder with anything but records.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"a folder to write to at {target}", "there is a file", "name another place")
    there = sorted(p.name for p in target.iterdir())
    ours = {_INFO, *TABLES, *(f"{name}.{form}" for name in TABLES for form in ("csv", "parquet"))}
    if there and not overwrite:
        raise InputError(
            f"an empty folder or none at {target}", "there is something in it", "name another, or pass overwrite=True"
        )
    if not set(there) <= ours:
        raise InputError(
            f"a folder with nothing but records at {target}",
            "there is something else in it, which overwriting would remove",
            "name another, or clear it yourself",
        )


def _write_table(table: pa.Table, path: Path) -> None:
    if path.suffix == ".parquet":
        write_parquet(table, path)
    else:
        write_csv(pa.table({name: _as_text(table[name]) for name in table.column_names}), path)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if kind == DIFFERENTIAL:
        return json_of(column)
    if pa.types.is_timestamp(kind) and kind.tz:
        whole = not pc.any(pc.not_equal(pc.subsecond(column), 0.0)).as_py()
        # Without the zone, which Arrow would look up row by row; it is UTC.
        local = column.cast(pa.timestamp("us")).cast(pa.timestamp("s" if whole else "us"), safe=False)
        text = pc.binary_replace_slice(local.cast(pa.string()), 10, 11, "T")
        return pc.binary_join_element_wise(text, "Z", "")
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # a carried column of a type that has no text
        rows = [None if v is None else str(v) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(rows, pa.string())])
