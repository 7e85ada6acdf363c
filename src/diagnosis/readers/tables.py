"""The tables of format 1: a folder of CSV or Parquet files, in and out."""

from __future__ import annotations

import codecs
import csv
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from diagnosis.errors import InputError, nearest
from diagnosis.records import TABLES, Problem, Records
from diagnosis.records.loading import OnError

__all__ = ["read_tables", "write_records"]

_INFO = "records.json"
# A line, quoted line breaks and all, must fit in one block.
_BLOCK = 32 << 20


@dataclass(frozen=True, slots=True)
class _Read:
    table: pa.Table
    broken: tuple[tuple[int, str], ...] = ()


def read_tables(
    path: str | Path,
    *,
    encoding: str | None = None,
    on_error: OnError = "raise",
    quarantine: str | Path | None = None,
) -> Records:
    """Read a folder of tables in format 1; parameters as for `read_records`."""
    folder = Path(path)
    sources = _sources(folder)
    info = _read_info(folder / _INFO)
    read = {name: _read_table(source, name, encoding) for name, source in sources.items()}
    found = [
        Problem("error", "broken_line", name, "", "has another number of columns than the header", tuple(n for n, _ in r.broken))
        for name, r in read.items()
        if r.broken
    ]
    return Records.from_tables(
        {name: r.table for name, r in read.items()},
        info,
        on_error=on_error,
        quarantine=quarantine,
        found=found,
        lost={name: [text for _, text in r.broken] for name, r in read.items() if r.broken},
    )


def _sources(folder: Path) -> dict[str, Path]:
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
        there = sorted(p.name for p in folder.iterdir())
        raise InputError(
            f"tables {' and '.join(missing)} in {folder}, each as NAME.csv, NAME.parquet or a folder NAME/ of Parquet",
            f"found {', '.join(there[:8]) if there else 'an empty folder'}",
            "write them as format 1 says, or name the format the folder has",
            near=nearest(missing[0], [p.split(".")[0] for p in there]),
        )
    return sources


def _read_info(path: Path) -> dict[str, Any]:
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


def _read_table(source: Path, name: str, encoding: str | None) -> _Read:
    if source.suffix == ".csv":
        return _read_csv(source, encoding)
    parts = sorted(source.rglob("*.parquet")) if source.is_dir() else [source]
    if not parts:
        raise InputError(f"a folder of Parquet parts at {source}", "it holds none", "add them or remove the folder")
    coded = [c.name for c in TABLES[name].columns.values() if c.type in ("code", "choice")]
    tables = [_read_parquet(part, coded) for part in parts]
    try:
        return _Read(pa.concat_tables(tables, promote_options="permissive"))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise InputError(
            f"parts of one schema in {source}", "the parts disagree on a column's type", "write them all the same way"
        ) from None


def _read_parquet(path: Path, coded: Sequence[str]) -> pa.Table:
    try:
        there = set(pq.read_schema(path).names)
        with pq.ParquetFile(path, read_dictionary=[c for c in coded if c in there]) as file:
            return file.read().replace_schema_metadata(None)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"a whole Parquet file at {path}",
            f"it cannot be read ({type(error).__name__}: truncated or not Parquet)",
            "write or copy it again",
        ) from None


def _read_csv(path: Path, encoding: str | None) -> _Read:
    """Read a CSV as text throughout; lines with another number of columns are handed back as they stand."""
    header = _header(path, encoding)
    broken: list[tuple[int, str]] = []

    def keep(row: Any) -> str:
        broken.append((row.number - 1 if row.number is not None else len(broken) + 1, row.text))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            path,
            # One thread, so that broken lines come with their numbers.
            read_options=arrow_csv.ReadOptions(encoding=encoding or "utf8", use_threads=False, block_size=_BLOCK),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
            convert_options=arrow_csv.ConvertOptions(
                column_types={c: pa.string() for c in header},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except (pa.ArrowException, UnicodeError, OSError) as error:
        raise _unreadable(path, encoding, error) from None
    return _Read(table, tuple(broken))


def _header(path: Path, encoding: str | None) -> list[str]:
    try:
        codecs.lookup(encoding or "utf-8")
    except LookupError:
        raise InputError(
            "the encoding of the text files", f"{encoding!r} is no encoding", 'use for instance "gb18030"'
        ) from None
    try:
        with path.open(encoding=encoding or "utf-8-sig", newline="") as lines:
            header = next(csv.reader(lines), [])
    except (UnicodeError, OSError, csv.Error) as error:
        raise _unreadable(path, encoding, error) from None
    if not header:
        raise InputError(f"a header line in {path}", "the file is empty", "write the column names as its first line")
    return header


def _unreadable(path: Path, encoding: str | None, error: Exception) -> InputError:
    if isinstance(error, UnicodeError) or "UTF8" in str(error) or "UTF-8" in str(error):
        guess = "gb18030" if encoding is None and _decodes(path, "gb18030") else "its encoding"
        return InputError(
            f"{path} as {encoding or 'UTF-8'} text",
            "it holds bytes that are not" + (", and reads well as GB18030 (GBK)" if guess == "gb18030" else ""),
            f'read it with encoding="{guess}" (--encoding {guess})' if guess == "gb18030" else "state its encoding",
        )
    return InputError(f"{path} as RFC 4180 CSV", f"it cannot be read ({type(error).__name__})", "write it again")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as raw:
            decoder.decode(raw.read(1 << 20))
    except (UnicodeError, OSError):
        return False
    return True


def write_records(
    records: Records, folder: str | Path, form: Literal["csv", "parquet"] = "parquet", *, overwrite: bool = False
) -> Path:
    """Write records as a folder of tables in format 1; whole or not at all.

    Parameters
    ----------
    records : Records
    folder : path
        Made new; an existing one that is not empty is refused unless `overwrite`.
    form : {"csv", "parquet"}
    overwrite : bool

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        The folder holds something already.
    """
    if form not in ("csv", "parquet"):
        raise InputError("records as csv or parquet", f"asked for {form!r}", "use one of the two")
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())) and not overwrite:
        raise InputError(
            f"an empty folder or none at {target}", "there is something in it", "name another, or pass overwrite=True"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        for name in records.names:
            _write_table(records.arrow(name), made / f"{name}.{form}")
        (made / _INFO).write_text(json.dumps(dict(records.info), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        made.replace(target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return target


def _write_table(table: pa.Table, path: Path) -> None:
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
        return
    texts = pa.table({name: _as_text(table[name]) for name in table.column_names})
    header = [c for c in texts.column_names if any(mark in c for mark in ',"\r\n')]
    try:
        if header:
            raise pa.ArrowInvalid("the header wants quotes")
        arrow_csv.write_csv(texts, path, arrow_csv.WriteOptions(quoting_style="none", quoting_header="none"))
    except pa.ArrowInvalid:  # some value holds a comma, a quote or a line break
        arrow_csv.write_csv(texts, path, arrow_csv.WriteOptions(quoting_style="needed"))


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return pc.strftime(column.cast(pa.timestamp("us", tz="UTC")), "%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_nested(kind):
        rows = [None if v is None else json.dumps(_pairs(v), ensure_ascii=False) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(rows, pa.string())])
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type).cast(pa.string())
    return column.cast(pa.string())


def _pairs(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(v, Mapping) and set(v) == {"diagnosis", "probability"} for v in value):
        return [[v["diagnosis"], v["probability"]] for v in value]
    return value
