"""Raw tables of any origin -> checked, typed tables and one report of every problem."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError, RecordsError, nearest
from diagnosis.records import checks
from diagnosis.records.checks import Fault
from diagnosis.records.columns import coerce
from diagnosis.records.report import Problem, Report, TableCount
from diagnosis.records.schema import FORMAT, TABLES, Column, TableFormat
from diagnosis.vocabulary import Vocabulary

__all__ = ["Loaded", "checked_info", "load", "to_arrow", "words_of"]

OnError = Literal["raise", "quarantine"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Typed tables (findings with the position of their case) and the report on them."""

    tables: Mapping[str, pa.Table]
    case: np.ndarray
    report: Report


def load(
    raw: Mapping[str, Any],
    info: Mapping[str, Any],
    *,
    on_error: OnError = "raise",
    quarantine: str | Path | None = None,
    found: Sequence[Problem] = (),
    lost: Mapping[str, Sequence[str]] | None = None,
) -> Loaded:
    """Check and type a set of tables.

    Parameters
    ----------
    raw : mapping of table name to Arrow, pandas or polars table, or mapping of columns
    info : mapping
        What ``records.json`` holds.
    on_error : {"raise", "quarantine"}
        Raise one `RecordsError` with every error, or set the rows aside and load the rest.
    quarantine : path, optional
        File for what is set aside (JSON lines, mode 0600).
    found : sequence of Problem
        What the reader saw already (broken lines).
    lost : mapping of table name to sequence of str
        Lines the reader could not split into columns; they count as read and set aside.

    Raises
    ------
    RecordsError
        Errors in the rows, unless they are set aside.
    InputError
        A set that cannot be loaded even in part: a missing table or column, another format.
    """
    if on_error not in ("raise", "quarantine"):
        raise InputError(
            "on_error says what to do with bad rows", f"found {on_error!r}", 'use "raise" or "quarantine"'
        )
    sources = {name: to_arrow(table, name) for name, table in raw.items()}
    _refuse_missing(sources)
    zone = info.get("timezone")
    typed, faults, warned = {}, [], []
    for name, table in sources.items():
        typed[name], more_faults, more_warned = _typed(table, TABLES[name], zone)
        faults += more_faults
        warned += more_warned
    faults += [f for f in _row_faults(typed) if len(f.rows)]
    errors = [*(p for p in found if p.severity == "error"), *(_problem(f, "error") for f in faults)]
    lines = dict(lost or {})
    if errors and on_error == "raise":
        raise _refusal(Report((*errors,), _counts(sources, sources, lines)))
    kept, reasons = _set_aside(typed, faults)
    path = _write_quarantine(sources, reasons, lines, quarantine) if errors else None
    case = checks.case_of(kept["findings"], kept["cases"]["case_id"].combine_chunks())
    oddities = (f for f in checks.suspicions(kept, case, words_of(kept)) if len(f.rows) or f.count)
    problems = (*errors, *found_warnings(found), *warned, *(_problem(f, "warning") for f in oddities))
    return Loaded(kept, case, Report(problems, _counts(sources, kept, lines), path))


def found_warnings(found: Iterable[Problem]) -> tuple[Problem, ...]:
    """The warnings among the problems a reader has seen."""
    return tuple(p for p in found if p.severity == "warning")


def words_of(tables: Mapping[str, pa.Table]) -> Vocabulary:
    """The vocabulary that the tables bring along."""
    rows = {n: tables[n].to_pylist() if n in tables else [] for n in ("vocabulary", "diagnoses")}
    return Vocabulary.from_rows(rows["vocabulary"], rows["diagnoses"])


def to_arrow(table: Any, name: str) -> pa.Table:
    """Make an Arrow table of a pandas or polars frame, an Arrow table or batch, or a mapping of columns."""
    try:
        if isinstance(table, pa.Table):
            return table
        if isinstance(table, pa.RecordBatch):
            return pa.Table.from_batches([table])
        if type(table).__module__.startswith("pandas"):
            return pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
        if hasattr(table, "to_arrow"):
            return table.to_arrow()
        if isinstance(table, Mapping):
            return pa.table({k: pa.array(v) for k, v in table.items()})
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        raise InputError(
            f"table {name!r} as columns of one type each",
            f"a column mixes types ({type(error).__name__})",
            "give each column one type",
        ) from None
    raise InputError(
        f"table {name!r} as a pandas, polars or Arrow table",
        f"found {type(table).__name__}",
        "convert it to one of these first",
    )


def checked_info(info: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check what ``records.json`` holds; a higher format is refused."""
    checked = dict(info or {})
    number = checked.setdefault("format", FORMAT)
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise InputError("records.json names the format as a whole number", "found something else", 'write "format": 1')
    if number > FORMAT:
        raise InputError(
            f"records of format {FORMAT} or lower",
            f"records.json says format {number}",
            "read them with a newer release of this library, or export them in format 1",
        )
    zone = checked.get("timezone")
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, TypeError, OSError):
            raise InputError(
                "records.json names the time zone by its IANA name",
                "found a name that is none",
                'write one such as "Asia/Shanghai"',
            ) from None
    return checked


def _refuse_missing(sources: Mapping[str, pa.Table]) -> None:
    unknown = sorted(set(sources) - set(TABLES))
    if unknown:
        raise InputError(
            f"tables of format {FORMAT}: {', '.join(TABLES)}",
            f"found a table named {unknown[0]!r}",
            "rename it or leave it out",
            near=nearest(unknown[0], TABLES),
        )
    problems = []
    for layout in TABLES.values():
        table = sources.get(layout.name)
        if table is None:
            if layout.required:
                problems.append(Problem("error", "missing_table", layout.name, "", "the table is required and missing"))
            continue
        columns = table.column_names
        for twin in sorted({c for c in columns if columns.count(c) > 1}):
            says = "the column stands more than once"
            problems.append(Problem("error", "duplicate_column", layout.name, twin, says))
        for column in layout.columns.values():
            if column.required and column.name not in columns:
                near = tuple(nearest(column.name, columns))
                says = "the column is required and missing"
                problems.append(Problem("error", "missing_column", layout.name, column.name, says, near=near))
    if problems:
        raise _refusal(Report(tuple(problems), _counts(sources, sources, {})))


def _refusal(report: Report) -> RecordsError:
    shown = "\n".join(f"  {p}" for p in report.errors[:20])
    more = f"\n  and {len(report.errors) - 20} more kinds" if len(report.errors) > 20 else ""
    return RecordsError(
        f"asked for a set of records of format {FORMAT}",
        f"found {len(report.errors):,} kind{'s' if len(report.errors) > 1 else ''} of errors:\n{shown}{more}\n",
        'mend them, or load the rest with on_error="quarantine", which sets bad rows aside with their reasons',
        report=report,
    )


def _typed(table: pa.Table, layout: TableFormat, zone: str | None) -> tuple[pa.Table, list[Fault], list[Problem]]:
    """Type every known column; unknown ones are carried as they are."""
    columns: dict[str, Any] = {}
    faults: list[Fault] = []
    warned: list[Problem] = []
    bad: dict[str, np.ndarray] = {}
    for name in table.column_names:
        column = layout.column(name)
        if column is None:
            columns[name] = table[name]
            if not name.startswith("x_"):
                near = tuple(nearest(name, layout.columns, 1))
                says = "the column is not in the format: kept, not used"
                warned.append(Problem("warning", "unknown_column", layout.name, name, says, near=near, count=1))
            continue
        made = coerce(table[name], column, zone)
        columns[name], bad[name] = made.values, made.bad
        if made.bad.any():
            faults.append(_bad_values(table[name], column, layout.name, made.bad))
        if made.zoneless and not zone:
            says = f"{made.zoneless:,} times name no zone and records.json names none: taken as UTC"
            warned.append(Problem("warning", "no_time_zone", layout.name, name, says, count=made.zoneless))
    typed = pa.table(columns)
    faults += [f for f in checks.empty_required(typed, layout, bad) if len(f.rows)]
    return typed, faults, warned


def _bad_values(raw: pa.ChunkedArray, column: Column, table: str, bad: np.ndarray) -> Fault:
    rows = np.flatnonzero(bad)
    near: tuple[str, ...] = ()
    if column.choices:
        first = raw[int(rows[0])].as_py()
        near = tuple(nearest(str(first), column.choices, 1))
    kind = f"unknown_{column.name}" if column.choices else f"bad_{column.type}"
    return Fault(kind, table, column.name, f"must be {column.allowed}", rows, near)


def _row_faults(typed: Mapping[str, pa.Table]) -> Iterator[Fault]:
    cases, findings = typed["cases"], typed["findings"]
    yield from checks.duplicate_ids(cases, TABLES["cases"], "case_id")
    for name in ("vocabulary", "diagnoses"):
        if name in typed:
            yield from checks.duplicate_ids(typed[name], TABLES[name], "code")
    ids = cases["case_id"].combine_chunks()
    for name, table in typed.items():
        if TABLES[name].of_case and name != "cases":
            orphan = (checks.case_of(table, ids) < 0) & np.asarray(table["case_id"].is_valid())
            yield Fault("no_such_case", name, "case_id", "names a case that is not in `cases`", np.flatnonzero(orphan))
    case = checks.case_of(findings, ids)
    yield from checks.valued_not_present(findings)
    yield from checks.contradictions(findings, case)


def _problem(fault: Fault, severity: Literal["error", "warning"]) -> Problem:
    rows = tuple(int(r) + 1 for r in fault.rows)
    return Problem(severity, fault.kind, fault.table, fault.column, fault.says, rows, fault.near, fault.count or len(rows))


def _set_aside(
    typed: Mapping[str, pa.Table], faults: Sequence[Fault]
) -> tuple[dict[str, pa.Table], dict[str, dict[int, list[str]]]]:
    """Take the faulty rows out, and all rows of a case that is taken out."""
    reasons: dict[str, dict[int, list[str]]] = {name: {} for name in typed}
    for fault in faults:
        for row in fault.rows:
            reasons[fault.table].setdefault(int(row), []).append(f"{fault.column} {fault.says}")
    gone = typed["cases"]["case_id"].take(pa.array(sorted(reasons["cases"]), pa.int64()))
    kept = {}
    for name, table in typed.items():
        if TABLES[name].of_case and name != "cases" and len(gone):
            orphaned = np.asarray(pc.is_in(table["case_id"], gone.combine_chunks())) & np.asarray(
                table["case_id"].is_valid()
            )
            for row in np.flatnonzero(orphaned):
                reasons[name].setdefault(int(row), []).append("its case was set aside")
        mask = np.ones(len(table), bool)
        mask[list(reasons[name])] = False
        kept[name] = table if mask.all() else table.filter(pa.array(mask))
    return kept, reasons


def _counts(
    sources: Mapping[str, pa.Table], kept: Mapping[str, pa.Table], lines: Mapping[str, Sequence[str]]
) -> dict[str, TableCount]:
    return {n: TableCount(len(t) + len(lines.get(n, ())), len(kept[n])) for n, t in sources.items()}


def _write_quarantine(
    sources: Mapping[str, pa.Table],
    reasons: Mapping[str, Mapping[int, Sequence[str]]],
    lines: Mapping[str, Sequence[str]],
    path: str | Path | None,
) -> str | None:
    """Write every row set aside, with its reasons; whole or not at all, readable by its owner only."""
    if path is None:
        return None
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # 0600 by contract of mkstemp
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            for table, by_row in reasons.items():
                rows = sorted(by_row)
                values = sources[table].take(pa.array(rows, pa.int64())).to_pylist()
                for row, value in zip(rows, values, strict=True):
                    entry = {"table": table, "row": row + 1, "reasons": list(by_row[row]), "values": value}
                    out.write(json.dumps(entry, ensure_ascii=False, default=_plain_value) + "\n")
            for table, texts in lines.items():
                for text in texts:
                    out.write(json.dumps({"table": table, "reasons": ["broken line"], "line": text}, ensure_ascii=False) + "\n")
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return str(target)


def _plain_value(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)

