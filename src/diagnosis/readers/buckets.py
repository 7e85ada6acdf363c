"""Rows in any order put together with their cases: into buckets on disk by case, each small enough to be sorted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc

from diagnosis.readers.partitions import Partitions, refusal
from diagnosis.readers.places import Places
from diagnosis.records import Problem

__all__ = ["parts_in_any_order"]

_BATCH_ROWS = 1 << 20
_MOST_BUCKETS = 64
_PLACE = "place"
Rows = Mapping[str, tuple[pa.Table, npt.NDArray[np.int32]]]


def parts_in_any_order(
    cases: Partitions, others: Mapping[str, Partitions], batch_cases: int
) -> Iterator[tuple[pa.Table, Rows]]:
    """Give batches of cases with their rows of each table, without ``case_id``, and the position of each row's case.

    Rows of a case keep the order in which they stand in their table.

    Raises
    ------
    RecordsError
        A row that belongs to no case.
    """
    places = Places(table["case_id"].combine_chunks() for table in cases.only(("case_id",)).batches(_BATCH_ROWS))
    n_batches = max(-(-cases.n_rows // batch_cases), 1)
    step = batch_cases * -(-n_batches // _MOST_BUCKETS)
    with tempfile.TemporaryDirectory(prefix="diagnosis-") as folder:
        for name, table in others.items():
            _spill(table, places, step, Path(folder) / name)
        del places
        bucket, first, held = -1, 0, {}
        for batch in cases.batches(batch_cases):
            if first // step != bucket:
                bucket = first // step
                held = {n: _sorted_bucket(Path(folder) / n, bucket, t) for n, t in others.items()}
            yield batch, {name: _cut(table, place, first, len(batch)) for name, (table, place) in held.items()}
            first += len(batch)


def _spill(table: Partitions, places: Places, step: int, folder: Path) -> None:
    folder.mkdir()
    writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
    start = 0
    with ExitStack() as open_files:
        for batch in table.batches(_BATCH_ROWS):
            place = places.of(batch["case_id"].combine_chunks())
            _refuse_orphans(place, table.table.name, start)
            start += len(batch)
            batch = _plain(batch.drop_columns(["case_id"])).append_column(_PLACE, pa.array(place))
            order = np.argsort(place // step, kind="stable")
            bounds = np.flatnonzero(np.diff((place // step)[order], prepend=-1, append=-1))
            ordered = batch.take(pa.array(order))
            for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
                bucket = int(place[order[low]]) // step
                if bucket not in writers:
                    sink = open_files.enter_context(pa.OSFile(str(folder / str(bucket)), "wb"))
                    writers[bucket] = open_files.enter_context(pa.ipc.new_stream(sink, ordered.schema))
                writers[bucket].write_table(ordered.slice(low, high - low))


def _plain(table: pa.Table) -> pa.Table:
    """Dictionaries as text: those of one stream may not change."""
    kinds = {f.name: f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in table.schema}
    return table.cast(pa.schema(kinds))


def _refuse_orphans(place: npt.NDArray[np.int64], name: str, start: int) -> None:
    orphans = np.flatnonzero(place < 0)
    if len(orphans):
        rows = tuple((orphans + start + 1).tolist())
        raise refusal([Problem("error", "no_such_case", name, "case_id", "names a case that is not in `cases`", rows)])


def _sorted_bucket(folder: Path, bucket: int, table: Partitions) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    empty = table.empty().drop_columns(["case_id"])
    path = folder / str(bucket)
    if not path.exists():
        return empty, np.zeros(0, np.int64)
    with pa.OSFile(str(path), "rb") as source:
        rows = pa.ipc.open_stream(source).read_all()
    path.unlink()
    place = np.asarray(rows[_PLACE])
    order = np.argsort(place, kind="stable")
    return rows.drop_columns([_PLACE]).cast(empty.schema).take(pa.array(order)), place[order]


def _cut(table: pa.Table, place: npt.NDArray[np.int64], first: int, n: int) -> tuple[pa.Table, npt.NDArray[np.int32]]:
    low, high = np.searchsorted(place, [first, first + n]).tolist()
    return table.slice(low, high - low).combine_chunks(), (place[low:high] - first).astype(np.int32)
