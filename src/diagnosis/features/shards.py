"""A sparse matrix larger than memory: a folder of memory-mapped shards of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from diagnosis.errors import InputError
from diagnosis.features.assemble import SortedRows
from diagnosis.features.shard_files import ARRAYS, FORMAT, MANIFEST, ShardWriter, array_path, shard_size

__all__ = ["Shards", "open_shards", "write_shards"]

_BATCH = 1 << 16


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Shards:
    """The rows of a CSR matrix on disk, in shards of as many rows each; made by `FindingEncoder.transform(to=...)`.

    Rows are read when they are asked for: in order by iterating, or by number. Files are mapped, not loaded.

    Attributes
    ----------
    folder : Path
    shape : tuple of int
    nnz : int
        Entries.
    names : tuple of str
        Of the columns.
    rows_per_shard : int
    """

    folder: Path
    shape: tuple[int, int]
    nnz: int
    names: tuple[str, ...]
    rows_per_shard: int

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        n = -(-len(self) // self.rows_per_shard)
        return f"<Shards: {len(self):,} rows, {self.shape[1]:,} columns, {self.nnz:,} entries in {n:,} shards>"

    def __iter__(self) -> Iterator[csr_matrix]:
        return self.batches()

    def batches(self, rows: int = _BATCH) -> Iterator[csr_matrix]:
        """All rows in order, `rows` at a time, each batch a CSR matrix of float32 in memory."""
        if rows < 1:
            raise InputError("rows is a whole number from 1.", f"Found {rows!r}.", "Change it.")
        for first in range(0, len(self), rows):
            yield self[first : first + rows]

    def __getitem__(self, key: int | slice | NDArray[np.integer] | Sequence[int]) -> csr_matrix:
        """Rows by number, slice or mask, in the order asked for, as a CSR matrix of float32.

        Raises
        ------
        IndexError
            A row that is not there.
        """
        if isinstance(key, slice) and key.indices(len(self))[2] == 1:
            return self._range(*key.indices(len(self))[:2])
        picked = np.atleast_1d(np.arange(len(self))[key])
        which = picked // self.rows_per_shard
        order = np.argsort(which, kind="stable")
        bounds = np.flatnonzero(np.diff(which[order], prepend=-1, append=-1))
        parts = []
        for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            shard = int(which[order[low]])
            parts.append(self._shard(shard)[picked[order[low:high]] - shard * self.rows_per_shard])
        return self._stacked(parts)[np.argsort(order, kind="stable")]

    def matrix(self) -> csr_matrix:
        """The whole matrix in memory, as `transform` gives it without `to`."""
        made = self._range(0, len(self))
        made.has_canonical_format = True
        return made

    def _range(self, first: int, stop: int) -> csr_matrix:
        parts = []
        while first < stop:
            shard, start = divmod(first, self.rows_per_shard)
            n = min(self.rows_per_shard - start, stop - first)
            parts.append(self._shard(shard)[start : start + n])
            first += n
        return self._stacked(parts)

    def _shard(self, shard: int) -> csr_matrix:
        return _mapped(self.folder, shard, self.shape[1])

    def _stacked(self, parts: Sequence[csr_matrix]) -> csr_matrix:
        if not parts:
            return csr_matrix(np.zeros((0, self.shape[1]), np.float32))
        return parts[0] if len(parts) == 1 else vstack(parts, format="csr")


@lru_cache(maxsize=64)
def _mapped(folder: Path, shard: int, n_columns: int) -> csr_matrix:
    """One shard, mapped and not loaded: slicing copies the rows it takes."""
    indptr, indices, data = (np.load(array_path(folder, shard, name), mmap_mode="r") for name in ARRAYS)
    return csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, n_columns), copy=False)


def write_shards(
    folder: Path, parts: Iterator[SortedRows], names: Sequence[str], *, rows_per_shard: int | None = None
) -> Shards:
    """Write encoded rows as they come; the manifest is written when everything else is there.

    Raises
    ------
    InputError
        The folder holds something already.
    WorkError
        The disk is full, or cannot be written; what was written is taken away again.
    """
    rows = shard_size(len(names)) if rows_per_shard is None else rows_per_shard
    with ShardWriter(folder, rows) as writer:
        for part in parts:
            writer.add(part)
        writer.finish(names)
    return open_shards(folder)


def open_shards(folder: str | Path) -> Shards:
    """Open a folder of shards.

    Raises
    ------
    InputError
        No shards, shards of another format, or files that are not whole.
    """
    path = Path(folder)
    plain = _manifest(path)
    if plain.get("format") != FORMAT:
        raise InputError(
            f"shards of format {FORMAT} in {path}",
            f"found format {plain.get('format')!r}",
            "use the version of this library that wrote them, or encode again",
        )
    for name, size in plain["files"].items():
        file = path / name
        if not file.is_file() or file.stat().st_size != size:
            raise InputError(f"whole shards in {path}", f"{name} is missing or not whole", "encode again")
    n_rows, n_columns = plain["shape"]
    return Shards(path.resolve(), (n_rows, n_columns), plain["nnz"], tuple(plain["columns"]), plain["rows_per_shard"])


def _manifest(path: Path) -> dict[str, Any]:
    try:
        plain = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"a folder of shards at {path}",
            f"it has no {MANIFEST}: it holds something else, or writing was broken off",
            "encode again into a new folder",
        ) from None
    return dict(plain) if isinstance(plain, dict) else {}
