"""Which files of JSON there are, and their bytes: plain or gzip, with a limit to what a small file may unfold to."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from diagnosis.errors import InputError

__all__ = ["MAX_EXPANSION", "BadFileError", "Source", "opened", "sources"]

#: A gzip file may unfold to this many times its size; JSON of records unfolds to 10 to 40 times its own.
MAX_EXPANSION = 250
# Below this no expansion is suspicious: it does no harm, and small files of equal lines shrink well.
_HARMLESS = 64 << 20
_LINES = (".ndjson", ".jsonl")
_BLOCK = 1 << 18


class BadFileError(Exception):
    """A file cannot be read further; the message says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of JSON.

    Parameters
    ----------
    path : Path
    number : int
        From 1, in the order of names. Messages name it instead of the file, whose name may be a patient's.
    lines : bool
        One JSON value a line (NDJSON), or JSON values as they come.
    """

    path: Path
    number: int
    lines: bool


def sources(path: str | Path, what: str) -> tuple[list[Source], int]:
    """Find the files to read, in the order of their names, and how many others there are.

    Parameters
    ----------
    path : path
        A file, or a folder that is searched through; links to folders are not followed, hidden names are left out.
    what : str
        The format, for messages: ``"FHIR"``.

    Raises
    ------
    InputError
        There is none.
    """
    top = Path(path)
    asked = f"{what} in files that end in .json, .ndjson or .jsonl, each also with .gz"
    if top.is_file():
        kind = _kind(top)
        if kind is None:
            raise InputError(asked, f"found a file that ends in {top.suffix!r}", "rename it, or export it as JSON")
        return [Source(top, 1, kind == "lines")], 0
    if not top.is_dir():
        raise InputError(f"{what}: a file or a folder", "there is nothing at that path", "name one that is there")
    files = sorted(Path(folder, name) for folder, _, names in os.walk(top) for name in names if name[0] != ".")
    known = [(file, kind) for file in files if (kind := _kind(file)) and file.is_file()]
    if not known:
        raise InputError(asked, f"found {len(files):,} files and none of them", "name the folder that holds them")
    return [Source(file, n, kind == "lines") for n, (file, kind) in enumerate(known, 1)], len(files) - len(known)


def _kind(path: Path) -> str | None:
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(_LINES):
        return "lines"
    return "values" if name.endswith(".json") else None


@contextmanager
def opened(source: Source, max_expansion: int = MAX_EXPANSION) -> Iterator[BinaryIO]:
    """Open a file for reading; gzip is known by its first bytes, whatever its name.

    Raises
    ------
    BadFileError
        When opening or reading: cannot be read, breaks off, is no whole gzip file, unfolds beyond the limit.
    """
    try:
        with source.path.open("rb") as raw:
            if raw.read(2) == b"\x1f\x8b":
                raw.seek(0)
                yield io.BufferedReader(_Unfolding(raw, max_expansion), 1 << 20)
            else:
                raw.seek(0)
                yield raw
    except OSError as error:
        raise BadFileError(f"cannot be read ({type(error).__name__})") from None


class _Unfolding(io.RawIOBase):
    """The content of a gzip file of one or more members."""

    def __init__(self, raw: BinaryIO, max_expansion: int) -> None:
        self._raw = raw
        self._most = max_expansion
        self._inflate = zlib.decompressobj(31)
        self._made = 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            content = self._next(len(into))
        except zlib.error:
            raise BadFileError("is no whole gzip file: its content is damaged") from None
        self._made += len(content)
        if self._made > max(_HARMLESS, self._most * self._raw.tell()):
            raise BadFileError(f"unfolds to more than {self._most:,} times its size; max_expansion allows more")
        into[: len(content)] = content
        return len(content)

    def _next(self, most: int) -> bytes:
        while True:
            waiting = self._inflate.unconsumed_tail
            if self._inflate.eof:  # another member may follow, or padding
                waiting = (self._inflate.unused_data or self._raw.read(_BLOCK)).lstrip(b"\0")
                if not waiting:
                    return b""
                self._inflate = zlib.decompressobj(31)
            waiting = waiting or self._raw.read(_BLOCK)
            content = self._inflate.decompress(waiting, most)
            if content:
                return content
            if not waiting and not self._inflate.eof:
                raise BadFileError("is no whole gzip file: it breaks off")
