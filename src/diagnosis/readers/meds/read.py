"""`read_meds`: a folder of the Medical Event Data Standard -> Records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from diagnosis.errors import InputError, nearest
from diagnosis.readers.meds.account import Account
from diagnosis.readers.meds.codes import Kinds, MedsCodes
from diagnosis.readers.meds.events import Ints, events_of
from diagnosis.readers.meds.files import BadShardError, checked_shard, dataset_of, read_codes, read_splits, shards
from diagnosis.readers.meds.own import is_own, read_own
from diagnosis.readers.meds.shard import Several, rows_of_shard
from diagnosis.readers.meds.windows import HOUR, Window
from diagnosis.records import Records
from diagnosis.records.info import checked_info
from diagnosis.records.loading import OnError
from diagnosis.records.report import TableCount

__all__ = ["read_meds"]

_EVER = 1 << 60


def read_meds(
    path: str | Path,
    *,
    index: str | Sequence[str] | None = None,
    window_hours: float | None = None,
    after_hours: float = 0.0,
    judged_hours: float | None = None,
    several: Several = "first",
    codes: MedsCodes | Mapping[str, Sequence[str]] | None = None,
    timezone: str | None = None,
    encoding: str | None = None,
    on_error: OnError = "raise",
    quarantine: str | Path | None = None,
) -> Records:
    """Read a folder of MEDS 0.3 or 0.4.

    A case is a subject and a window around an index event. Its findings are the events from `window_hours` before to
    `after_hours` after it: *present*, with the number as value and a short text as text; long texts are `notes`.
    Events without a time hold for every case of their subject. MEDS says what happened: nothing is *absent* or
    *uncertain*, unless the folder was written by `write_meds` and is read with its cases.

    Diagnoses, procedures and medications from the same start until `judged_hours` after the index event, or until the
    discharge, and before the subject's next index event, are `labels` and `actions`. The first diagnosis at or after
    the index event is the principal one; earlier ones are comorbidities. With ``index="last"`` all in the window belong
    to the case.

    Parameters
    ----------
    path : path
        The folder that holds ``data/`` and ``metadata/``.
    index : str or sequence of str, optional
        ``"last"``: the last event of each subject. Else patterns of codes such as ``"HOSPITAL_ADMISSION//*"``: each
        time at which one occurs begins a case. When not given, a folder that `write_meds` made is read with the cases
        it was made of, all windows aside, and any other by the last event.
    window_hours : float, optional
        From the subject's first event when not given.
    after_hours : float
        Findings that came after the index event by so much still count.
    judged_hours : float, optional
        Until the next discharge when not given; where there is none, until the next index event.
    several : {"first", "none"}
        Of several diagnoses of a case, the first is the principal one, or none is.
    codes : MedsCodes or mapping, optional
        Which codes mean what; a mapping has its fields by name.
    timezone : str, optional
        IANA zone of the times, which name none in MEDS; UTC when not given.
    encoding : str, optional
        Not for MEDS, which is Parquet.
    on_error : {"raise", "quarantine"}
        Refuse everything with one report of every error, or set what is wrong aside and load the rest.
    quarantine : path, optional
        File for what is set aside, with its number and reasons.

    Returns
    -------
    Records
        The report counts what became of every event. Row numbers of `events` count them over all shards in the order
        of their names.

    Raises
    ------
    InputError
        There is nothing to read, or an option cannot be used.
    RecordsError
        Something cannot be used, with ``on_error="raise"``.
    """
    _check(encoding, several)
    if index is None and is_own(path):
        return read_own(path, on_error=on_error, quarantine=quarantine)
    judged = None if judged_hours is None else _micro(judged_hours, "judged_hours")
    window = Window(_micro(window_hours, "window_hours"), _micro(after_hours, "after_hours"), judged)
    info = checked_info({"source": "MEDS"} | ({"timezone": timezone} if timezone else {}))
    files, dataset = shards(path), dataset_of(path)
    last = index is None or index == "last"
    kinds = Kinds(MedsCodes.of(codes), () if last or index is None else index)
    account, keep = Account(), on_error == "quarantine" and quarantine is not None
    split = _split_subjects(files)
    parts: dict[str, list[pa.Table]] = {}
    for number, file in enumerate(files, 1):
        account.shards += 1
        try:
            table = checked_shard(file)
        except BadShardError as error:
            n = _size(file)
            account.refused.append((f"shard {number:,} {error}", n))
            account.read += n
            continue
        events, lost = events_of(table, account.read, split, keep)
        account.read += len(table)
        account.lost += lost
        account.odd["shards were out of order: they are sorted here"] += events.unsorted
        made = rows_of_shard(events, kinds, last=last, window=window, several=several, account=account)
        for name, rows in made.items():
            parts.setdefault(name, []).append(rows)
    tables = _joined(parts)
    tables |= _words(path, tables)
    tables["cases"] = _with_splits(path, tables["cases"])
    for name in ("dataset_name", "dataset_version"):
        if isinstance(dataset.get(name), str):
            info[name] = dataset[name]
    return _loaded(tables, info, account, on_error, quarantine)


def _check(encoding: str | None, several: str) -> None:
    if encoding is not None:
        raise InputError("MEDS without an encoding", f"found {encoding!r}", "leave it out: MEDS is Parquet, in UTF-8")
    if several not in ("first", "none"):
        near = nearest(str(several), ("first", "none"))
        raise InputError("several is first or none", f"found {several!r}", "use one of these", near=near)


def _micro(hours: float | None, name: str) -> int:
    if hours is None:
        return _EVER
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not hours >= 0 or math.isinf(hours):
        raise InputError(f"{name} as hours, 0 or more", "found something else", "give a number, or leave it out")
    return min(int(hours * HOUR), _EVER)


def _size(file: Path) -> int:
    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError, ValueError):
        return 0


def _split_subjects(files: Sequence[Path]) -> Ints:
    """Subjects that stand in several shards."""
    seen = []
    for file in files if len(files) > 1 else ():
        try:
            ids = checked_shard(file, ["subject_id"])["subject_id"].cast(pa.int64(), safe=False)
        except BadShardError:
            continue
        seen.append(np.asarray(pc.unique(ids.drop_null())))
    ids, counts = np.unique(np.concatenate(seen), return_counts=True) if seen else (np.zeros(0, np.int64), np.zeros(0))
    return np.asarray(ids[counts > 1], np.int64)


def _joined(parts: dict[str, list[pa.Table]]) -> dict[str, pa.Table]:
    """One table of each name, without empty columns."""
    needed = {"cases": ("case_id",), "findings": ("case_id", "code", "status")}
    made = {}
    for name, some in parts.items():
        whole = pa.concat_tables(some, promote_options="default").unify_dictionaries()
        keep = needed.get(name, ("case_id", "diagnosis"))
        made[name] = whole.drop_columns(
            [c for c in whole.column_names if c not in keep and whole[c].null_count == len(whole)]
        )
    for name, columns in needed.items():
        made.setdefault(name, pa.table({c: pa.array([], pa.string()) for c in columns}))
    return made


def _words(path: str | Path, tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The vocabulary and the diagnoses that the tables use."""
    made = {}
    for name, table, column in (("vocabulary", "findings", "code"), ("diagnoses", "labels", "diagnosis")):
        if table not in tables:
            continue
        used = sorted(c for c in pc.unique(tables[table][column].cast(pa.string())).to_pylist() if c)
        names, parents = read_codes(path, set(used))
        columns: dict[str, list[str | None]] = {
            "code": list(used),
            "name": [names.get(c) for c in used],
            "parents": ["|".join(parents.get(c, ())) or None for c in used],
        }
        filled = {n: pa.array(v, pa.string()) for n, v in columns.items() if n == "code" or any(v)}
        if used and len(filled) > 1:
            made[name] = pa.table(filled)
    return made


def _with_splits(path: str | Path, cases: pa.Table) -> pa.Table:
    splits = read_splits(path)
    if not splits or not len(cases):
        return cases
    patients = cases["patient_id"].to_pylist()
    return cases.append_column("x_split", pa.array([splits.get(p) for p in patients], pa.string()))


def _loaded(
    tables: dict[str, pa.Table],
    info: dict[str, Any],
    account: Account,
    on_error: OnError,
    quarantine: str | Path | None,
) -> Records:
    order = np.argsort(np.concatenate([lost.number for lost in account.lost]), kind="stable") if account.lost else ()
    texts = [text for lost in account.lost for text in lost.texts]
    records = Records.from_tables(
        tables,
        info,
        on_error=on_error,
        quarantine=quarantine,
        found=list(account.problems(tables)),
        lost={"events": [texts[i] for i in order]} if texts else None,
    )
    counts = {"events": TableCount(account.read, account.read - account.set_aside), **records.report.counts}
    records.report = replace(records.report, counts=counts)
    return records
