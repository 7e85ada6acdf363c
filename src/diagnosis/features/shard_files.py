"""Shards of a sparse matrix as files: three plain arrays each, and a manifest that is written last."""

from __future__ import annotations

import errno
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from diagnosis.errors import InputError, WorkError
from diagnosis.features.assemble import SortedRows

__all__ = ["ARRAYS", "FORMAT", "MANIFEST", "ShardWriter", "array_path", "shard_size"]

FORMAT = 1
MANIFEST = "manifest.json"
ARRAYS = ("indptr", "indices", "data")
_ROWS = 1 << 19
_MOST_ENTRIES = (1 << 31) - 1
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def shard_size(n_columns: int) -> int:
    """Rows of a shard: so few that even full rows stay under 2**31 entries."""
    return max(1, min(_ROWS, _MOST_ENTRIES // max(n_columns, 1)))


def array_path(folder: Path, shard: int, name: str) -> Path:
    """The file of one array of one shard."""
    return folder / f"{shard:05d}.{name}.npy"


class ShardWriter:
    """Write rows into a new folder, a shard at a time; leave nothing behind when that fails.

    Parameters
    ----------
    folder : Path
        New or empty.
    rows : int
        Of each shard but the last.
    """

    def __init__(self, folder: Path, rows: int) -> None:
        self._folder = folder
        self._rows = rows
        self._waiting: list[SortedRows] = []
        self._n_waiting = 0
        self._n_rows = self._nnz = self._shard = 0
        self._files: dict[str, int] = {}

    def __enter__(self) -> Self:
        folder = self._folder
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError("an empty or new folder for the shards", f"{folder} holds something", "name another one")
        folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            return
        for name in (MANIFEST, f"{MANIFEST}.part", *self._files):
            (self._folder / name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            full = error.errno in _FULL
            raise WorkError(
                f"Shards could not be written to {self._folder} ({'no room' if full else type(error).__name__}), and "
                f"what was written of {self._n_rows:,} rows was taken away again. "
                "Make room there or name a folder on another disk, and encode again."
            ) from error

    def add(self, part: SortedRows) -> None:
        """Take the next rows."""
        self._waiting.append(part)
        self._n_waiting += len(part[0])
        while self._n_waiting >= self._rows:
            self._write(self._rows)

    def finish(self, names: Sequence[str]) -> None:
        """Write what is left, and the manifest."""
        if self._n_waiting or not self._shard:
            self._write(self._n_waiting)
        plain = {
            "format": FORMAT,
            "shape": [self._n_rows, len(names)],
            "nnz": self._nnz,
            "rows_per_shard": self._rows,
            "columns": list(names),
            "files": self._files,
        }
        part = self._folder / f"{MANIFEST}.part"
        part.write_text(json.dumps(plain, ensure_ascii=False, indent=1), encoding="utf-8")
        part.replace(self._folder / MANIFEST)

    def _write(self, n: int) -> None:
        taken, rest, left = [], self._waiting, n
        while left:
            head, tail = _cut(rest.pop(0), left)
            taken.append(head)
            left -= len(head[0])
            if len(tail[0]):
                rest.insert(0, tail)
        counts = np.concatenate([np.zeros(1, np.int64), *(part[0] for part in taken)])
        self._save("indptr", [np.cumsum(counts).astype(np.int32)], np.dtype(np.int32))
        self._save("indices", [part[1] for part in taken], np.dtype(np.int32))
        self._save("data", [part[2] for part in taken], np.dtype(np.float32))
        self._n_waiting -= n
        self._n_rows += n
        self._nnz += int(counts.sum())
        self._shard += 1

    def _save(self, name: str, arrays: Sequence[NDArray[np.int32] | NDArray[np.float32]], kind: np.dtype) -> None:
        path = array_path(self._folder, self._shard, name)
        self._files[path.name] = 0
        header = {"descr": npy.dtype_to_descr(kind), "fortran_order": False, "shape": (sum(map(len, arrays)),)}
        with path.open("wb") as file:
            npy.write_array_header_1_0(file, header)
            for array in arrays:
                file.write(np.ascontiguousarray(array).data)
            self._files[path.name] = file.tell()


def _cut(part: SortedRows, n: int) -> tuple[SortedRows, SortedRows]:
    counts, indices, data = part
    entries = int(counts[:n].sum())
    head: SortedRows = (counts[:n], indices[:entries], data[:entries])
    return head, (counts[n:], indices[entries:], data[entries:])
