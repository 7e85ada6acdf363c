"""One table as a Parquet file, or as a folder of parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from diagnosis.errors import InputError

__all__ = ["parts_of", "read_parquet", "refuse_twice", "write_parquet"]


def read_parquet(source: Path, coded: Sequence[str]) -> pa.Table:
    """Read a file or a folder of parts, in the order of their names.

    Parameters
    ----------
    source : Path
    coded : sequence of str
        Columns whose text repeats, to be read as dictionaries.

    Raises
    ------
    InputError
        Truncated or no Parquet; parts that disagree; something else among the parts.
    """
    tables = [_read_file(part, coded) for part in parts_of(source)]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        raise InputError(
            f"parts of one schema in {source}", "the parts disagree on a column's type", "write them all the same way"
        ) from None


def parts_of(source: Path) -> list[Path]:
    """The parts of a folder; what starts with a dot or an underscore is a writer's own."""
    if not source.is_dir():
        return [source]
    inside = [p for p in sorted(source.rglob("*")) if p.is_file()]
    files = [p for p in inside if not any(n.startswith((".", "_")) for n in p.relative_to(source).parts)]
    strange = [p.relative_to(source) for p in files if p.suffix != ".parquet"]
    if strange:
        raise InputError(
            f"nothing but Parquet parts in {source}", f"found {strange[0]}", "take it out, or convert it to Parquet"
        )
    if any("=" in name for p in files for name in p.relative_to(source).parts[:-1]):
        raise InputError(
            f"whole Parquet parts in {source}",
            "found folders named COLUMN=VALUE, whose column stands in no part",
            "write the parts without partitioning",
        )
    if not files:
        raise InputError(f"a folder of Parquet parts at {source}", "it holds none", "add them or remove the folder")
    return files


def _read_file(path: Path, coded: Sequence[str]) -> pa.Table:
    try:
        schema = pq.read_schema(path)
        refuse_twice(schema.names, path)
        texts = [f.name for f in schema if f.name in coded and not pa.types.is_nested(f.type)]
        with pq.ParquetFile(path, read_dictionary=texts, page_checksum_verification=True) as file:
            return file.read().replace_schema_metadata(None)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            f"a whole Parquet file at {path}",
            f"it cannot be read ({type(error).__name__}: truncated, damaged or not Parquet)",
            "write or copy it again",
        ) from None


def refuse_twice(names: Sequence[str], path: Path) -> None:
    """Raise InputError where a column stands more than once: which of them counts cannot be known."""
    twice = sorted(name for name, n in Counter(names).items() if n > 1)
    if twice:
        raise InputError(
            f"each column once in {path}", f"`{twice[0]}` stands more than once", "keep one of them, or rename it"
        )


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table with checksums, so that a damaged copy is noticed."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
