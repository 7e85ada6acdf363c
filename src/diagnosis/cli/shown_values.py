"""The report of a whole reading, and what stands in the rows that cannot be used: kept nowhere."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from diagnosis.errors import RecordsError
from diagnosis.readers.registry import read_records
from diagnosis.records import Report
from diagnosis.records.quarantine import CASE_GONE

__all__ = ["report_of", "report_with_values"]

_ROWS = 5
_LONGEST = 120
_WHOLE = ("values", "text", "line")


def report_of(
    path: Path, format: str, encoding: str | None, options: Mapping[str, Any], aside: Path | None = None
) -> Report:
    """Return the report of a reading with errors and warnings together; `aside` takes the rows with errors."""
    try:
        report = read_records(
            path, format=format, encoding=encoding, on_error="quarantine", quarantine=aside, options=options
        ).report
    except RecordsError as error:
        return error.report
    return replace(report, quarantine=None, refused=bool(report.errors))


def report_with_values(
    path: Path, format: str, encoding: str | None, options: Mapping[str, Any]
) -> tuple[Report, list[str]]:
    """Return the report of a reading, and the values at fault in the first rows of each error, a line each.

    They are taken from a quarantine file of this reading, in a folder that only its owner can open and that is gone
    afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder) / "aside.jsonl"
        report = report_of(path, format, encoding, options, aside)
        return report, list(_lines(aside)) if aside.exists() else []


def _lines(aside: Path) -> Iterator[str]:
    """Lines by table and reason, in the order in which these come first."""
    found: dict[tuple[str, str], list[str]] = {}
    with aside.open(encoding="utf-8") as entries:
        for entry in map(json.loads, entries):
            for reason in entry["reasons"]:
                rows = found.setdefault((entry["table"], reason), [])
                if reason != CASE_GONE and len(rows) < _ROWS:
                    rows.append(f"  {_place(entry)}: {_value(entry, reason)}")
    for (table, reason), rows in found.items():
        if rows:
            yield f"{table}: {reason}"
            yield from rows


def _place(entry: Mapping[str, Any]) -> str:
    """Where it stands: a row of a table, or a line and an entry of a file."""
    numbered = [f"{name} {entry[name]}" for name in ("row", "line", "entry") if isinstance(entry.get(name), int)]
    return ", ".join([*([f"file {entry['file']}"] if "file" in entry else []), *numbered]) or "somewhere"


def _value(entry: Mapping[str, Any], reason: str) -> str:
    """The value of the column that the reason begins with, after the id of its case; else the whole row or line."""
    values = entry.get("values")
    column = reason.partition(" ")[0]
    if isinstance(values, Mapping) and column in values:
        about = {name: values[name] for name in ("case_id", "code", column) if name in values}
        return ", ".join(f"{name} {_short(value)}" for name, value in about.items())
    whole = [entry[name] for name in _WHOLE if name in entry and not isinstance(entry[name], int)]
    return _short(whole[0]) if whole else "its content is not at hand"


def _short(value: object) -> str:
    """A value on one line, without signs that a terminal obeys."""
    text = json.dumps(value, ensure_ascii=not str(value).isprintable())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
