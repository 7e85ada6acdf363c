"""Write docs/records-format.md: names, types and bounds from the code, meanings from records-format.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from diagnosis.records.schema import FORMAT, TABLES, Column, TableFormat

HERE = Path(__file__).resolve().parent
PAGE = HERE / "records-format.md"
MEANINGS = HERE / "records-format.yaml"

_TYPES = {
    "text": "text",
    "code": "text",
    "choice": "choice",
    "number": "number",
    "integer": "whole number",
    "flag": "true or false",
    "time": "time",
    "differential": "list of (diagnosis, probability)",
}

_HEAD = """\
# Records, format {format}

A set of records is a folder with one file a table, or the same tables in memory (pandas, polars or Arrow). {required}
must be there, with the columns marked *required*; everything else may be missing. This page is made from the code by
`make records-format`.

## Files

- A table is `NAME.csv`, `NAME.parquet`, or a folder `NAME/` of Parquet parts. Two forms of one table are an error.
- CSV is RFC 4180 in UTF-8, with or without a byte order mark, lines ending in LF or CRLF. Another encoding is read when
  it is named (`--encoding gb18030`). Empty means missing, and nothing else does.
- Ids and codes are text, never numbers: `001`, `1e5` and `NA` stay as they are. Codes have no meaning to the library;
  CURIEs (`LOINC:8310-5`, `HP:0001945`) are a good habit.
- Truth values are `true` and `false`. Times are ISO 8601 and kept in UTC; one without a zone takes `timezone` of
  `records.json`, and is reported where that is missing.
- A differential is a JSON array of [diagnosis, probability] in CSV, a list of structs in Parquet.
- Columns that start with `x_` are carried and never learned from. Any other unknown column is kept, not used, and named
  in the report.
- `records.json` says `format` ({format}; a higher one is refused), `synthetic`, `source`, `licence`, `timezone`,
  `systems` (name to version), `sampling` (`consecutive`, `enriched`, `case_control` or `balanced`) and `period`. All of
  it may be missing.

## What bad input gets

One report of every problem, grouped and counted, with table, row, column, what is allowed and the nearest match.

- **Errors**: a missing required column, a wrong type or an unknown choice, a duplicated id, a finding of no case, a
  value without *present*, an impossible age, the same code, subject, site and instant both present and absent. They are
  raised together; or, with `on_error="quarantine"`, these rows are set aside in a file with their reasons and the rest
  is loaded. Rows in are always rows loaded plus rows set aside.
- **Warnings**, reported and loaded: unknown columns and codes, codes that look like twins, units that do not convert,
  rare diagnoses, suspicious dates, a finding present while a broader one is absent.
"""


def page(tables: dict[str, TableFormat] | None = None, meanings: dict[str, Any] | None = None) -> str:
    """The whole page as Markdown."""
    tables = dict(TABLES) if tables is None else tables
    meanings = yaml.safe_load(MEANINGS.read_text(encoding="utf-8")) if meanings is None else meanings
    required = " and ".join(f"`{t.name}`" for t in tables.values() if t.required)
    parts = [_HEAD.format(format=FORMAT, required=required)]
    _same(tables, meanings, "tables")
    parts += ["\n".join(_section(table, meanings[table.name])) for table in tables.values()]
    return "\n".join(parts) + "\n"


def _section(table: TableFormat, meaning: dict[str, Any]) -> Iterator[str]:
    _same(table.columns, meaning["columns"], f"columns of {table.name}")
    yield f"## `{table.name}`" + (" (required)" if table.required else "") + "\n"
    yield meaning["about"].strip() + "\n"
    yield "| column | type | allowed | meaning |\n|---|---|---|---|"
    for column in table.columns.values():
        yield f"| `{column.name}`{' *required*' if column.required else ''} | {_TYPES[column.type]} | " + (
            f"{_allowed(column)} | {_cell(meaning['columns'][column.name])} |"
        )
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")  # a bare bar would end the cell


def _allowed(column: Column) -> str:
    if column.choices:
        return ", ".join(f"`{c}`" for c in column.choices)
    low, high = ("" if b is None else f"{b:,g}" for b in (column.low, column.high))
    return f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}" if high else ""


def _same(code: Any, words: Any, what: str) -> None:
    apart = set(code) ^ set(words)
    if apart:
        raise SystemExit(f"{MEANINGS.name} and the code differ in {what}: {', '.join(sorted(apart))}")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
