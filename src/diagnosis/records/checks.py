"""The laws a set of records must keep: which rows break which, as masks. Tables go in typed (see `columns`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.arrays import among
from diagnosis.records.schema import TableFormat

__all__ = ["Fault", "case_of", "contradictions", "duplicate_ids", "empty_required", "valued_not_present"]

# What tells one observation from another, beside the case.
_INSTANT = ("code", "subject", "body_site", "laterality", "time", "phase")


@dataclass(frozen=True, slots=True, eq=False)
class Fault:
    """One kind of problem and the rows that have it (no rows: the table as a whole)."""

    kind: str
    table: str
    column: str
    says: str
    rows: npt.NDArray[np.int64]
    near: tuple[str, ...] = ()
    count: int = 0


def empty_required(table: pa.Table, layout: TableFormat, bad: Mapping[str, npt.NDArray[np.bool_]]) -> Iterator[Fault]:
    """Yield the rows whose required columns are empty (rows already bad for another reason are not repeated)."""
    for column in layout.columns.values():
        if column.required and column.name in table.column_names:
            empty = np.asarray(table[column.name].is_null()) & ~bad.get(column.name, np.zeros(len(table), bool))
            yield Fault("empty_required", layout.name, column.name, "is required and empty", np.flatnonzero(empty))


def duplicate_ids(table: pa.Table, layout: TableFormat, column: str) -> Iterator[Fault]:
    """Yield every row whose id stands more than once (all of them: which is right cannot be known)."""
    ids = table[column]
    counts = pc.value_counts(ids.drop_null())
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    rows = np.flatnonzero(np.asarray(pc.is_in(ids, twice)) & np.asarray(ids.is_valid())) if len(twice) else _NO_ROWS
    yield Fault("duplicate_id", layout.name, column, "must be unique and stands more than once", rows)


def valued_not_present(findings: pa.Table) -> Iterator[Fault]:
    """Yield the rows with a value whose state is not present: *present* is what "measured" is called."""
    if "value" in findings.column_names:
        wrong = np.asarray(findings["value"].is_valid()) & has_state(findings, "absent", "uncertain")
        says = "must be present where there is a value"
        yield Fault("value_without_present", "findings", "status", says, np.flatnonzero(wrong))


def case_of(findings: pa.Table, case_ids: pa.Array) -> npt.NDArray[np.int32]:
    """Position of each row's case among `case_ids`, -1 for none; int32 of shape (n_rows,)."""
    return np.asarray(pc.fill_null(pc.index_in(findings["case_id"], case_ids), -1)).astype(np.int32, copy=False)


def has_state(findings: pa.Table, *states: str) -> npt.NDArray[np.bool_]:
    """Tell which rows have one of these states."""
    column = findings["status"].combine_chunks()
    wanted = np.array([word in states for word in column.dictionary.to_pylist()] + [False])
    return wanted[np.asarray(pc.fill_null(column.indices, len(wanted) - 1))]


def contradictions(
    findings: pa.Table, case: npt.NDArray[np.int32], bad: Mapping[str, npt.NDArray[np.bool_]]
) -> Iterator[Fault]:
    """Yield rows of the same code, subject, site and instant that are both present and absent.

    Without a time the phase is the instant: absent in the history and present on examination is a course. Rows that do
    not say what they are about, because one of these columns could not be read, contradict nothing.
    """
    usable = (case >= 0) & np.asarray(findings["code"].is_valid())
    for name in _INSTANT:
        if name in bad:
            usable &= ~bad[name]
    sides = [usable & has_state(findings, state) for state in ("present", "absent")]
    rows = _in_both(sides, case.astype(np.int64) * (1 << 32) + _indices(findings["code"]))
    if len(rows):
        some = findings.take(pa.array(rows))
        found = _in_both([side[rows] for side in sides], _instant_keys(some, case[rows]))
        rows = rows[found]
    yield Fault("contradiction", "findings", "status", "is both present and absent at the same instant", rows)


def _in_both(sides: Sequence[npt.NDArray[np.bool_]], keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rows of either side whose key stands on both."""
    one, other = (np.flatnonzero(side) for side in sides)
    one, other = one[among(keys[one], keys[other])], other[among(keys[other], keys[one])]
    return np.sort(np.concatenate([one, other]))


def _instant_keys(findings: pa.Table, case: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """One integer per distinct (case, code, subject, site, instant)."""
    keys = case.astype(np.int64)
    for name in (c for c in _INSTANT if c in findings.column_names):
        column = findings[name]
        if name == "subject":
            column = pc.fill_null(column.cast(pa.string()), "patient")
        if name == "phase" and "time" in findings.column_names:
            column = pc.if_else(findings["time"].is_valid(), pa.scalar(None, pa.string()), column.cast(pa.string()))
        values = _indices(column)
        keys = np.unique(keys * np.int64(int(values.max(initial=0)) + 1) + values, return_inverse=True)[1]
    return keys


def _indices(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    array = column.combine_chunks()
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    return np.asarray(pc.fill_null(array.indices, -1)).astype(np.int64) + 1


_NO_ROWS = np.zeros(0, np.int64)
