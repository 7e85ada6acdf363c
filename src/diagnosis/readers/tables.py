"""The tables of format 1, read from a folder of CSV or Parquet files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from diagnosis.errors import InputError, nearest
from diagnosis.readers.csv_files import CsvTable, read_csv
from diagnosis.readers.parquet_files import read_parquet
from diagnosis.readers.writing import write_records
from diagnosis.records import TABLES, Problem, Records
from diagnosis.records.loading import OnError

__all__ = ["INFO", "read_info", "read_table", "read_tables", "table_sources", "write_records"]

INFO = "records.json"
# What somebody may have meant to be a table.
_TABULAR = (".csv", ".parquet", ".tsv", ".gz", ".zip", ".xlsx", ".xls", ".feather", ".arrow", ".ndjson", ".jsonl")


def read_tables(
    path: str | Path,
    *,
    encoding: str | None = None,
    on_error: OnError = "raise",
    quarantine: str | Path | None = None,
) -> Records:
    """Read a folder of tables in format 1; parameters as for `read_records`."""
    folder = Path(path)
    sources = table_sources(folder)
    info = read_info(folder / INFO)
    read = {name: read_table(source, name, encoding) for name, source in sources.items()}
    broken = {name: r.broken for name, r in read.items() if r.broken}
    says = "has another number of columns than the header"
    found = [
        Problem("error", "broken_line", name, "", says, tuple(number for number, _ in lines), count=len(lines))
        for name, lines in broken.items()
    ]
    return Records.from_tables(
        {name: r.table for name, r in read.items()},
        info,
        on_error=on_error,
        quarantine=quarantine,
        found=[*found, *_not_read(folder, sources)],
        lost={name: [text for _, text in lines] for name, lines in broken.items()},
    )


def table_sources(folder: Path) -> dict[str, Path]:
    """The file or folder of each table; two forms of one table are refused."""
    if not folder.is_dir():
        found = "it is a file" if folder.exists() else "there is nothing at that path"
        raise InputError(f"a folder of records at {folder}", found, "name the folder that holds cases and findings")
    sources: dict[str, Path] = {}
    for name in TABLES:
        forms = [p for p in (folder / f"{name}.csv", folder / f"{name}.parquet", folder / name) if p.exists()]
        if len(forms) > 1:
            raise InputError(
                f"one form of table `{name}`",
                f"found {' and '.join(p.name for p in forms)} in {folder}",
                "keep one of them",
            )
        if forms:
            sources[name] = forms[0]
    missing = [n for n, t in TABLES.items() if t.required and n not in sources]
    if missing:
        # Names of other files are none of a table, and may be a patient's.
        all_there = sorted(p.name for p in folder.iterdir())
        there = [n for n in all_there if n.isprintable() and (Path(n).suffix.lower() in _TABULAR or "." not in n)]
        others = f"{len(all_there) - len(there):,} files that are no tables"
        raise InputError(
            f"tables {' and '.join(missing)} in {folder}, each as NAME.csv, NAME.parquet or a folder NAME/ of Parquet",
            f"found {', '.join(there[:8]) or (others if all_there else 'an empty folder')}",
            "write them as format 1 says, or name the format the folder has",
            near=[n for name in missing for n in nearest(name, [p.split(".")[0] for p in there], 1)],
        )
    return sources


def _not_read(folder: Path, sources: dict[str, Path]) -> list[Problem]:
    """Files that look like tables and are none of the format's: a misspelt name must not pass in silence."""
    used = {p.name for p in sources.values()}
    others = [p for p in sorted(folder.iterdir()) if p.name not in used and p.suffix.lower() in _TABULAR]
    says = "is no table of the format and was not read"
    return [
        Problem(
            "warning",
            "file_not_read",
            p.name if p.name.isprintable() else ascii(p.name),
            "",
            says,
            near=tuple(nearest(p.name.split(".")[0], TABLES, 1)),
            count=1,
        )
        for p in others
    ]


def read_info(path: Path) -> dict[str, Any]:
    """What ``records.json`` holds; nothing where there is none."""
    if not path.exists():
        return {}
    try:
        info = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(
            f"{path} as a JSON object", f"it cannot be read ({type(error).__name__})", "mend or remove it"
        ) from None
    if not isinstance(info, dict):
        raise InputError(f"{path} as a JSON object", f"found a {type(info).__name__}", "mend or remove it")
    return info


def read_table(source: Path, name: str, encoding: str | None) -> CsvTable:
    """One table from its file or folder, in whichever form it is."""
    if source.suffix == ".csv":
        return read_csv(source, encoding)
    if not source.is_dir() and source.suffix != ".parquet":
        raise InputError(
            f"table `{name}` as {name}.csv, {name}.parquet or a folder {name}/",
            "found a file without a suffix",
            "give it the suffix of what it is",
        )
    coded = [c.name for c in TABLES[name].columns.values() if c.type in ("code", "choice")]
    table: pa.Table = read_parquet(source, coded)
    return CsvTable(table)
