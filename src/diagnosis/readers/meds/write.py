"""`write_meds`: Records -> a folder of the Medical Event Data Standard, 0.4."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from diagnosis.errors import InputError, WorkError
from diagnosis.readers.meds.layout import BY_EVENT, CASE, COLUMNS, ETL, FOLDER, ROW, TABLE
from diagnosis.readers.meds.outgoing import events_of_cases, events_of_table
from diagnosis.readers.parquet_files import write_parquet
from diagnosis.readers.whole_folder import whole_folder
from diagnosis.readers.writing import refuse_repeats
from diagnosis.records import Records

__all__ = ["write_meds"]

_SHARD = 1_000_000
_TYPES = {
    "subject_id": pa.int64(),
    "time": pa.timestamp("us"),
    "code": pa.string(),
    "numeric_value": pa.float32(),
    "text_value": pa.large_string(),
}


def write_meds(records: Records, folder: str | Path, *, shard_events: int = _SHARD) -> Path:
    """Write records as a folder of MEDS 0.4; whole or not at all, for the owner's eyes only.

    Findings, judgements and actions are events. So that nobody takes a denial for an event that happened, the code of
    an *absent* finding ends in ``//ABSENT``, of an *uncertain* one in ``//UNCERTAIN``, and one about another person
    begins with ``MOTHER//`` and the like. Extra columns hold what MEDS has none for (`status`, `unit`, `case_id`, the
    value in 64 bits ...); ``metadata/subjects.parquet`` maps `subject_id` to patient and case, and
    ``metadata/records/`` holds the other tables, so that `read_meds` gives the same records again. Times are UTC.

    Parameters
    ----------
    records : Records
    folder : path
        Made new; one that is not empty is refused.
    shard_events : int
        A shard ends with the subject that brings it to so many events.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The folder holds something, or the records hold a case twice.
    WorkError
        The files cannot be written.
    """
    refuse_repeats(records)
    if shard_events < 1:
        raise InputError("shards of 1 event or more", "found a smaller number", "leave it out, or give a larger one")
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"an empty folder or none at {target}", "there is something", "name another")
    try:
        with whole_folder(target) as made:
            _write(records, made, shard_events)
    except OSError as error:
        raise WorkError(f"The events cannot be written to {target} ({type(error).__name__}).") from None
    return target


def _write(records: Records, folder: Path, most: int) -> None:
    subject = _subjects(records)
    tables = [name for name in BY_EVENT if name in records.names]
    parts = [events_of_table(records, name, subject) for name in tables]
    parts.append(events_of_cases(records, subject))
    events = pa.concat_tables([part.events for part in parts], promote_options="default")
    names: dict[str, tuple[str, str | None]] = {}
    for part in parts:
        names |= part.codes
    (folder / "data").mkdir()
    (folder / "metadata" / FOLDER).mkdir(parents=True)
    for i, shard in enumerate(_shards(_sorted(events), most)):
        write_parquet(shard, folder / "data" / f"{i}.parquet")
    _write_metadata(records, folder / "metadata", events.column_names, names, subject)


def _subjects(records: Records) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Number of each case's patient, from 1 in the order they come."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(one, len(numbers) + 1) for one in records.groups], np.int64)


def _sorted(events: pa.Table) -> pa.Table:
    """Events by subject, those without a time first, then by time; columns of MEDS in front."""
    time = events["time"].combine_chunks()
    ticks = np.where(np.asarray(time.is_null()), np.iinfo(np.int64).min, np.asarray(time.cast(pa.int64()).fill_null(0)))
    order = np.lexsort((ticks, np.asarray(events["subject_id"])))
    events = events.take(pa.array(order))
    first = [name for name in (*_TYPES, CASE, TABLE, ROW) if name in events.column_names]
    events = events.select([*first, *(c for c in events.column_names if c not in first)])
    for i, name in enumerate(events.column_names):
        if name in _TYPES:
            field = pa.field(name, _TYPES[name], nullable=name not in ("subject_id", "code"))
            events = events.set_column(i, field, events[name].cast(_TYPES[name]))
    return events.combine_chunks()


def _shards(events: pa.Table, most: int) -> Iterator[pa.Table]:
    """Parts of `most` events or a few more, each with whole subjects; one empty part for none."""
    subject = np.asarray(events["subject_id"])
    ends = np.r_[np.flatnonzero(np.diff(subject)) + 1, len(subject)].astype(np.int64)
    start = 0
    while start < len(events):
        stop = int(ends[np.searchsorted(ends, min(start + most, len(events)))])
        yield events.slice(start, stop - start)
        start = stop
    if not len(events):
        yield events


def _write_metadata(
    records: Records, folder: Path, columns: list[str], names: dict[str, tuple[str, str | None]], subject: Any
) -> None:
    listed = sorted(names)
    codes = {
        "code": pa.array(listed, pa.string()),
        "description": pa.array([names[c][0] for c in listed], pa.string()),
        "parent_codes": pa.array([[p] if (p := names[c][1]) else None for c in listed], pa.list_(pa.string())),
    }
    write_parquet(pa.table(codes), folder / "codes.parquet")
    cases = records.arrow("cases")
    patient = cases["patient_id"] if "patient_id" in cases.column_names else pa.nulls(len(cases), pa.string())
    ids = {"subject_id": pa.array(subject), "patient_id": patient, "case_id": cases["case_id"]}
    write_parquet(pa.table(ids), folder / "subjects.parquet")
    extra = sorted(set(columns) - set(_TYPES) - {CASE})
    dataset = {
        "etl_name": ETL,
        "etl_version": _version(),
        "meds_version": "0.4.0",
        "raw_source_id_columns": [CASE],
        "other_extension_columns": extra,
    }
    _write_json(dataset, folder / "dataset.json")
    own = folder / FOLDER
    _write_json(dict(records.info), own / "records.json")
    _write_json({name: records.arrow(name).column_names for name in records.names}, own / COLUMNS)
    for name in records.names:
        if name not in BY_EVENT:
            write_parquet(records.arrow(name), own / f"{name}.parquet")


def _write_json(value: Any, file: Path) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    file.write_text(text, encoding="utf-8", errors="backslashreplace")


def _version() -> str:
    try:
        return version("diagnosis")
    except PackageNotFoundError:
        return "0+unknown"
