"""Rows that cannot be used: taken out, and written to a file of their own with their reasons."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import WorkError
from diagnosis.records.checks import Fault
from diagnosis.records.schema import TABLES
from diagnosis.records.times import showable

__all__ = ["CASE_GONE", "Reasons", "row_numbers", "set_aside", "write_quarantine"]

# Line ends to some readers and not to JSON: one entry stays one line for all of them.
_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
#: The reason of a row that has no other.
CASE_GONE = "its case was set aside"
#: Why each row of a table is set aside, by row.
Reasons = dict[int, list[str]]


def set_aside(typed: Mapping[str, pa.Table], faults: Sequence[Fault]) -> tuple[dict[str, pa.Table], dict[str, Reasons]]:
    """Take the faulty rows out, and all rows of a case that is taken out."""
    reasons: dict[str, Reasons] = {name: {} for name in typed}
    for fault in faults:
        for row in fault.rows.tolist():
            reasons[fault.table].setdefault(row, []).append(f"{fault.column} {fault.says}")
    gone = typed["cases"]["case_id"].take(pa.array(sorted(reasons["cases"]), pa.int64())).combine_chunks().drop_null()
    kept = {}
    for name, table in typed.items():
        if TABLES[name].of_case and name != "cases" and len(gone):
            for row in np.flatnonzero(np.asarray(pc.is_in(table["case_id"], gone))).tolist():
                reasons[name].setdefault(row, []).append(CASE_GONE)
        mask = np.ones(len(table), bool)
        mask[list(reasons[name])] = False
        kept[name] = table if mask.all() else table.filter(pa.array(mask))
    return kept, reasons


def write_quarantine(
    path: str | Path,
    sources: Mapping[str, pa.Table],
    reasons: Mapping[str, Reasons],
    lines: Mapping[str, Sequence[str]],
    broken: Mapping[str, Mapping[int, str]],
    numbers: Mapping[str, Sequence[int]] | None = None,
) -> str:
    """Write every row set aside, with its reasons; whole or not at all, readable by its owner only.

    Parameters
    ----------
    path : path
        JSON lines: ``{"table", "row", "reasons", "values"}``, for a broken line ``"line"`` in place of ``"values"``.
    sources : mapping of str to pa.Table
        The rows as they came.
    reasons : mapping of str to Reasons
    lines : mapping of str to sequence of str
        Lines that could not be split into columns.
    broken : mapping of str to mapping of int to str
        Row numbers of these lines, ascending, and their reasons.
    numbers : mapping of str to sequence of int, optional
        Row numbers of the rows of `sources`, where these are not every row that could be split.

    Raises
    ------
    WorkError
        The file cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}."
        )  # 0600 by contract of mkstemp
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as out:
                for entry in _entries(sources, reasons, lines, broken, numbers or {}):
                    out.write(json.dumps(entry, ensure_ascii=False).translate(_LINE_ENDS) + "\n")
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise WorkError(f"The rows set aside cannot be written to {target} ({type(error).__name__}).") from None
    return str(target)


def _entries(
    sources: Mapping[str, pa.Table],
    reasons: Mapping[str, Reasons],
    lines: Mapping[str, Sequence[str]],
    broken: Mapping[str, Mapping[int, str]],
    numbers: Mapping[str, Sequence[int]],
) -> Iterator[dict[str, Any]]:
    for table, by_row in reasons.items():
        rows = np.array(sorted(by_row), np.int64)
        columns = {c: _values(sources[table][c], rows) for c in sources[table].column_names}
        known_numbers = numbers.get(table)
        if known_numbers is None:
            numbered = row_numbers(rows, np.array(list(broken.get(table, ())), np.int64))
        else:
            numbered = np.array(known_numbers, np.int64)[rows]
        for i, (row, number) in enumerate(zip(rows.tolist(), numbered, strict=True)):
            values = {c: v[i] for c, v in columns.items()}
            yield {"table": table, "row": int(number), "reasons": by_row[row], "values": values}
    for table, texts in lines.items():
        known = list(broken.get(table, {}).items())
        for i, text in enumerate(texts):
            row, reason = known[i] if len(known) == len(texts) else (None, "cannot be taken apart")
            yield {"table": table, "row": row, "reasons": [reason], "line": text}


def row_numbers(rows: np.ndarray, broken: np.ndarray | None) -> np.ndarray:
    """Number rows as in the file they came from (first row of data: 1), where broken lines stood between them.

    Parameters
    ----------
    rows : ndarray of int64
        Positions among the rows that could be read.
    broken : ndarray of int64, optional
        Row numbers of those that could not, ascending.
    """
    if broken is None or not len(broken):
        return rows + 1
    # Before the first good row after the k-th broken one stand broken[k] - 1 - k good rows.
    good_before = broken - 1 - np.arange(len(broken))
    return rows + 1 + np.searchsorted(good_before, rows, side="right")


def _values(column: pa.ChunkedArray, rows: np.ndarray) -> list[Any]:
    """Values of some rows for JSON: what it knows as it is, everything else as text."""
    if column.type == pa.string_view():
        column = column.cast(pa.string())
    try:
        some = showable(column.take(pa.array(rows)).combine_chunks())
    except pa.ArrowNotImplementedError:  # a type whose rows Arrow cannot pick
        values = column.to_pylist()
        return [_plain(values[i]) for i in rows.tolist()]
    return [_plain(v) for v in some.to_pylist()]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
