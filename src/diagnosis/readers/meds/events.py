"""A shard of events as arrays, in order of subject and time; what cannot be an event is set aside."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["NEVER", "Events", "Lost", "events_of"]

#: The time of an event that has none.
NEVER = np.iinfo(np.int64).min
_LONGEST = 200

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Events sorted by subject, then time (those without one first), then as they stood.

    Parameters
    ----------
    subject, time : ndarray of int64, shape (n,)
        Time in microseconds since 1970, `NEVER` for none.
    code : ndarray of int32, shape (n,)
        Number of the code among `codes`.
    codes : list of str
    rows : pa.Table
        `value`, `text`, `note` (a long text) and `unit` of each, where the shard has them.
    number : ndarray of int64, shape (n,)
        Number of each event, from 1 over all shards.
    unsorted : bool
        Whether the events of a subject stood apart or out of order.
    """

    subject: Ints
    time: Ints
    code: npt.NDArray[np.int32]
    codes: list[str]
    rows: pa.Table
    number: Ints
    unsorted: bool

    def __len__(self) -> int:
        return len(self.subject)


@dataclass(frozen=True, slots=True, eq=False)
class Lost:
    """Events that are set aside for one reason.

    Parameters
    ----------
    kind, column, says : str
    number : ndarray of int64
    texts : list of str
        The events as JSON, where wanted.
    """

    kind: str
    column: str
    says: str
    number: Ints
    texts: list[str]


def events_of(table: pa.Table, before: int, split: Ints, keep: bool) -> tuple[Events, list[Lost]]:
    """Take a checked shard apart.

    Parameters
    ----------
    table : pa.Table
    before : int
        How many events stood in earlier shards.
    split : ndarray of int64
        Subjects that stand in several shards, sorted.
    keep : bool
        Whether to keep the content of what is set aside.
    """
    number = np.arange(before + 1, before + len(table) + 1)
    lost = []
    good = np.ones(len(table), bool)
    for kind, column, says, bad in _faults(table, split):
        rows = np.flatnonzero(bad & good)
        if len(rows):
            texts = _texts(table.take(pa.array(rows))) if keep else [""] * len(rows)
            lost.append(Lost(kind, column, says, number[rows], texts))
            good[rows] = False
    if not good.all():
        table, number = table.filter(pa.array(good)), number[good]
    subject = np.asarray(table["subject_id"].combine_chunks().cast(pa.int64(), safe=False))
    time = _times(table["time"].combine_chunks())
    order, unsorted = _order(subject, time)
    if order is not None:
        table, subject, time, number = table.take(pa.array(order)), subject[order], time[order], number[order]
    code = _coded(table["code"])
    return Events(
        subject,
        time,
        np.asarray(code.indices.cast(pa.int32())),
        code.dictionary.to_pylist(),
        _rows(table),
        number,
        unsorted,
    ), lost


def _faults(table: pa.Table, split: Ints) -> list[tuple[str, str, str, npt.NDArray[np.bool_]]]:
    subject, code = table["subject_id"].combine_chunks(), _plain(table["code"])
    ids = np.asarray(pc.fill_null(subject, 0).cast(pa.int64(), safe=False))
    faults = [
        ("no_subject", "subject_id", "is empty", np.asarray(subject.is_null())),
        ("negative_id", "subject_id", "is negative", ids < 0),
        ("no_code", "code", "is empty", np.asarray(pc.fill_null(pc.equal(code, ""), True))),
    ]
    if len(split):
        says = "stands in several shards, which MEDS forbids: which are all its events cannot be known"
        faults.append(("split_subject", "subject_id", says, np.isin(ids, split)))
    if "numeric_value" in table.column_names and pa.types.is_floating(table["numeric_value"].type):
        endless = pc.fill_null(pc.is_inf(table["numeric_value"].combine_chunks().cast(pa.float64())), False)
        faults.append(("infinite", "numeric_value", "is infinite", np.asarray(endless)))
    when = _times(table["time"].combine_chunks())
    first, last = (np.datetime64(t, "us").astype(np.int64) for t in ("0001-01-02", "9999-12-30"))
    outside = (when != NEVER) & ((when < first) | (when > last))
    faults.append(("bad_time", "time", "is outside the years 1 to 9999", outside))
    return faults


def _texts(table: pa.Table) -> list[str]:
    columns = {}
    for name in table.column_names:
        column = table[name].cast(pa.int64()) if pa.types.is_timestamp(table[name].type) else table[name]
        columns[name] = column.to_pylist()
    names = list(columns)
    return [json.dumps(dict(zip(names, map(str, row), strict=True))) for row in zip(*columns.values(), strict=True)]


_TICKS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def _times(column: pa.Array) -> Ints:
    """Microseconds since 1970; `NEVER` for none, the number after it for what is too far away to count."""
    null = np.asarray(column.is_null())
    ticks = np.where(null, 0, np.asarray(pc.fill_null(column.cast(pa.int64()), 0)))
    if column.type.unit == "ns":
        made = ticks // 1_000
    else:
        factor = _TICKS[column.type.unit]
        far = (ticks > -(NEVER + 1) // factor) | (ticks < (NEVER + 1) // factor + 1)
        made = np.where(far, 0, ticks) * factor
        made[far] = NEVER + 1
    made[null] = NEVER
    return made


def _order(subject: Ints, time: Ints) -> tuple[Ints | None, bool]:
    """The order by subject and time, None where they stand so, and whether MEDS's own rule is broken."""
    new = subject[1:] != subject[:-1]
    backwards = ~new & (time[1:] < time[:-1])
    if not backwards.any() and bool((subject[1:] >= subject[:-1]).all()):
        return None, False
    apart = int(new.sum()) + 1 != len(np.unique(subject))
    return np.lexsort((time, subject)), bool(backwards.any() or apart)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    return array.cast(pa.string())


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    return _plain(column).dictionary_encode()


def _rows(table: pa.Table) -> pa.Table:
    made = {}
    if "numeric_value" in table.column_names:
        made["value"] = _numbers(table["numeric_value"].combine_chunks())
    if "text_value" in table.column_names:
        text = _plain(table["text_value"])
        long = pc.greater(pc.utf8_length(text), _LONGEST)
        empty = pa.scalar(None, pa.string())
        made["text"] = pc.if_else(pc.or_(long, pc.equal(text, "")), empty, text).dictionary_encode()
        if pc.any(long).as_py():
            made["note"] = pc.if_else(long, text, empty)
    if "unit" in table.column_names:
        made["unit"] = _coded(table["unit"])
    return pa.table(made) if made else pa.table({"value": pa.nulls(len(table), pa.float64())})


def _numbers(column: pa.Array) -> pa.Array:
    """Values as float64: 39.4 of 32 bits stays 39.4, and is not 39.400001525878906."""
    if pa.types.is_float32(column.type):
        column = column.cast(pa.string())
    values = column.cast(pa.float64())
    return pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
