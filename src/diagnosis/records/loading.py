"""Raw tables of any origin -> checked, typed tables and one report of every problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.errors import InputError, RecordsError
from diagnosis.records import checks, suspicions
from diagnosis.records.checks import Fault
from diagnosis.records.columns import Coerced, carried, coerce, plain
from diagnosis.records.incoming import missing_parts, to_arrow
from diagnosis.records.info import checked_info
from diagnosis.records.other_words import near_choice, near_column, said_otherwise
from diagnosis.records.quarantine import CASE_GONE, Reasons, row_numbers, set_aside, write_quarantine
from diagnosis.records.report import Problem, Report, TableCount, listed
from diagnosis.records.schema import FORMAT, TABLES, Column, TableFormat
from diagnosis.vocabulary import Vocabulary

__all__ = ["Loaded", "OnError", "checked_info", "load", "to_arrow", "words_of"]

OnError = Literal["raise", "quarantine"]
_LOOKED_AT = 1_000  # bad rows whose words are compared with the allowed ones


@dataclass(frozen=True, slots=True)
class Loaded:
    """Typed tables (findings with the position of their case) and the report on them."""

    tables: Mapping[str, pa.Table]
    case: npt.NDArray[np.int32]
    report: Report


@dataclass(frozen=True, slots=True)
class _Typed:
    """One table with its columns typed: what is wrong with rows, and what is odd about columns."""

    table: pa.Table
    faults: tuple[Fault, ...]
    warned: tuple[Problem, ...]
    bad: Mapping[str, npt.NDArray[np.bool_]]


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
        Lines the reader could not take apart, in the order of the numbers that `found` gives them; they count as read
        and set aside.

    Raises
    ------
    RecordsError
        Errors in the rows, unless they are set aside.
    InputError
        A set that cannot be loaded even in part: a missing table or column, another format.
    """
    sources = _sources(raw, on_error)
    lines = dict(lost or {})
    missing = missing_parts(sources)
    if missing:
        counts = {n: TableCount(len(t) + len(lines.get(n, ())), 0) for n, t in sources.items()}
        # Where a header is missing, its names are somebody's data: only what resembles a name of the format is told.
        odd_names = [p for n, t in sources.items() for c in t.column_names for p in _unknown_column(c, TABLES[n])]
        raise _refusal(Report((*missing, *found, *(p for p in odd_names if p.near)), counts, refused=True))
    typed = {name: _typed(table, TABLES[name], info.get("timezone")) for name, table in sources.items()}
    tables = {name: t.table for name, t in typed.items()}
    faults = [f for t in typed.values() for f in t.faults]
    faults += [f for f in _row_faults(tables, {n: t.bad for n, t in typed.items()}) if len(f.rows)]
    broken = {n: _broken_rows(n, found) for n in lines}
    numbers = {n: np.array(list(rows), np.int64) for n, rows in broken.items() if rows}
    errors = [p for p in found if p.severity == "error"]
    errors += [_problem(f, "error", numbers.get(f.table)) for f in faults]
    kept, reasons = set_aside(tables, faults)
    counts = {n: TableCount(len(t) + len(lines.get(n, ())), len(kept[n])) for n, t in sources.items()}
    if errors and on_error == "raise":
        raise _refusal(Report((*errors, *_followers(reasons, numbers)), counts, refused=True))
    path = None
    if errors and quarantine is not None:
        path = write_quarantine(quarantine, sources, reasons, lines, broken)
    case = checks.case_of(kept["findings"], kept["cases"]["case_id"].combine_chunks())
    places = {n: np.delete(np.arange(len(t)), list(reasons[n])) if reasons[n] else None for n, t in tables.items()}
    odd = [_placed(f, places.get(f.table)) for f in suspicions.suspicions(kept, case, words_of(kept))]
    warned = [p for t in typed.values() for p in t.warned] + [p for p in found if p.severity != "error"]
    warned += [_problem(f, _severity(f), numbers.get(f.table)) for f in odd if _told(f, sources)]
    return Loaded(kept, case, Report((*errors, *warned, *_followers(reasons, numbers)), counts, path))


def _told(fault: Fault, sources: Mapping[str, pa.Table]) -> bool:
    """Whether there is something to tell; a table whose rows were all set aside is not an empty one."""
    if fault.kind in ("no_cases", "no_findings"):
        return not len(sources[fault.table])
    return bool(len(fault.rows) or fault.count)


def _sources(raw: Mapping[str, Any], on_error: str) -> dict[str, pa.Table]:
    if on_error not in ("raise", "quarantine"):
        raise InputError("on_error says what to do with bad rows", f"found {on_error!r}", 'use "raise" or "quarantine"')
    if not isinstance(raw, Mapping):
        raise InputError(
            "tables by name", f"found {type(raw).__name__}", 'give {"cases": ..., "findings": ...} and others'
        )
    return {str(name): to_arrow(table, str(name)) for name, table in raw.items()}


def _broken_rows(table: str, found: Sequence[Problem]) -> dict[int, str]:
    """Numbers of the lines of a table that its reader could not take apart, ascending, each with the reason."""
    return dict(sorted((row, p.says) for p in found if p.table == table and p.severity == "error" for row in p.rows))


def words_of(tables: Mapping[str, pa.Table]) -> Vocabulary:
    """The vocabulary that the tables bring along."""
    rows = {n: tables[n].to_pylist() if n in tables else [] for n in ("vocabulary", "diagnoses")}
    return Vocabulary.from_rows(rows["vocabulary"], rows["diagnoses"])


def _refusal(report: Report) -> RecordsError:
    return RecordsError(
        f"asked for a set of records of format {FORMAT}",
        listed(report.errors),
        'mend them, or load the rest with on_error="quarantine" (diagnosis convert --quarantine FILE), which sets bad '
        "rows aside with their reasons",
        report=report,
    )


def _typed(table: pa.Table, layout: TableFormat, zone: str | None) -> _Typed:
    """Type every known column; unknown ones are carried as they are."""
    columns: dict[str, Any] = {}
    faults: list[Fault] = []
    warned: list[Problem] = []
    bad: dict[str, npt.NDArray[np.bool_]] = {}
    for name in table.column_names:
        column = layout.column(name)
        if column is None:
            columns[name] = carried(table[name])
            warned += _unknown_column(name, layout)
            continue
        made = coerce(table[name], column, zone)
        columns[name], bad[name] = made.values, made.bad
        if made.bad.any():
            faults.append(_bad_values(table[name], column, layout.name, made.bad))
        warned += _clock_problems(layout.name, name, made, zone)
    typed = pa.table(columns)
    faults += [f for f in checks.empty_required(typed, layout, bad) if len(f.rows)]
    return _Typed(typed, tuple(faults), tuple(warned), bad)


def _unknown_column(name: str, layout: TableFormat) -> list[Problem]:
    if name.startswith("x_") or layout.column(name):
        return []
    near = near_column(name, layout.columns)
    says = "the column is not in the format: kept, not used"
    return [Problem("warning", "unknown_column", layout.name, name, says, near=near, count=1)]


def _clock_problems(table: str, column: str, made: Coerced, zone: str | None) -> Iterator[Problem]:
    if made.dates and table in ("cases", "findings"):
        says = (
            f"{made.dates:,} times are dates without an hour: taken as midnight, so that what was known later that day "
            "counts as known from its beginning"
        )
        yield Problem("warning", "no_hour", table, column, says, count=made.dates)
    if made.zoneless and not zone:
        says = f"{made.zoneless:,} times name no zone and records.json names none: taken as UTC"
        yield Problem("warning", "no_time_zone", table, column, says, count=made.zoneless)
    if made.skipped:
        says = (
            f"{made.skipped:,} times stand in an hour that the clocks of the time zone skip: taken as not put forward"
        )
        yield Problem("warning", "skipped_hour", table, column, says, count=made.skipped)


def _bad_values(raw: pa.ChunkedArray, column: Column, table: str, bad: npt.NDArray[np.bool_]) -> Fault:
    rows = np.flatnonzero(bad)
    says = f"must be {column.allowed}"
    near: tuple[str, ...] = ()
    names = column.choices or (("true", "false") if column.type == "flag" else ())
    if names:
        meant = _meant(raw, rows, names)
        near = tuple(dict.fromkeys(meant.values()))
        if len(near) > 1:
            said = "; ".join(f"{word}: {one}" for word, one in meant.items() if said_otherwise(word, one))
            says += f" ({said})" if said else ""
    elif column.type in ("text", "code") and pa.types.is_floating(raw.type):
        says += "; a column of decimal numbers has lost how its ids were written, so read it as text"
    elif column.name == "value" and column.type == "number":
        says += "; a sign such as < stands in `comparator`"
    kind = f"unknown_{column.name}" if column.choices else f"bad_{column.type}"
    return Fault(kind, table, column.name, says, rows, near)


def _meant(raw: pa.ChunkedArray, rows: npt.NDArray[np.int64], names: Sequence[str]) -> dict[str, str]:
    """The allowed word that each different word may mean, where there is one; the first rows stand for all."""
    whole = plain(raw)
    if not (pa.types.is_string(whole.type) or pa.types.is_integer(whole.type) or pa.types.is_boolean(whole.type)):
        return {}
    texts = whole.take(pa.array(rows[:_LOOKED_AT])).cast(pa.string())
    found = {word: near_choice(word, names) for word in dict.fromkeys(texts.drop_null().to_pylist())}
    return {word: near for word, near in found.items() if near is not None}


def _row_faults(
    typed: Mapping[str, pa.Table], bad: Mapping[str, Mapping[str, npt.NDArray[np.bool_]]]
) -> Iterator[Fault]:
    cases, findings = typed["cases"], typed["findings"]
    yield from checks.duplicate_ids(cases, TABLES["cases"], "case_id")
    for name in ("vocabulary", "diagnoses"):
        if name in typed:
            yield from checks.duplicate_ids(typed[name], TABLES[name], "code")
    ids = cases["case_id"].combine_chunks()
    case = checks.case_of(findings, ids)
    for name, table in typed.items():
        if TABLES[name].of_case and name != "cases":
            place = case if name == "findings" else checks.case_of(table, ids)
            orphan = (place < 0) & np.asarray(table["case_id"].is_valid())
            yield Fault("no_such_case", name, "case_id", "names a case that is not in `cases`", np.flatnonzero(orphan))
    yield from checks.valued_not_present(findings)
    yield from checks.contradictions(findings, case, bad["findings"])


def _placed(fault: Fault, places: npt.NDArray[np.int64] | None) -> Fault:
    """The fault with rows counted among those that were read, not among those that were kept."""
    if places is None or not len(fault.rows):
        return fault
    return Fault(fault.kind, fault.table, fault.column, fault.says, places[fault.rows], fault.near, fault.count)


def _followers(reasons: Mapping[str, Reasons], broken: Mapping[str, npt.NDArray[np.int64]]) -> Iterator[Problem]:
    """Count the rows that have no fault of their own and leave with their case."""
    for table, by_row in reasons.items():
        rows = np.array(sorted(row for row, why in by_row.items() if why == [CASE_GONE]), np.int64)
        if len(rows):
            says = f"{len(rows):,} rows without a fault of their own go with their case, which cannot be used"
            yield _problem(Fault("case_set_aside", table, "case_id", says, rows), "note", broken.get(table))


def _severity(fault: Fault) -> Literal["warning", "note"]:
    """Return what is odd about a set as a warning, and what may well be meant as a note."""
    return "note" if fault.kind == "no_diagnoses" else "warning"


def _problem(
    fault: Fault, severity: Literal["error", "warning", "note"], broken: npt.NDArray[np.int64] | None = None
) -> Problem:
    rows = tuple(row_numbers(fault.rows, broken).tolist())
    count = fault.count or len(rows)
    return Problem(severity, fault.kind, fault.table, fault.column, fault.says, rows, fault.near, count)
