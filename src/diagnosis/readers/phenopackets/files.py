"""Which files hold phenopackets, and the JSON values in them, one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from diagnosis.errors import InputError
from diagnosis.readers.fhir.files import BadFileError, Source, opened
from diagnosis.readers.fhir.json_values import BadValueError, Decoder, End, Entry, Values, lines

__all__ = ["Read", "sources", "values"]

_LINES = (".ndjson", ".jsonl")


class Read(NamedTuple):
    """One value of a file, or the reason why there is none.

    Parameters
    ----------
    value : object
        What JSON holds.
    reason : str, optional
        Why it cannot be read.
    text : str
        What cannot be read, where it is at hand.
    """

    value: Any = None
    reason: str | None = None
    text: str = ""


def sources(path: str | Path) -> tuple[list[Source], int]:
    """Find the files to read, in the order of their names, and how many others there are.

    Raises
    ------
    InputError
        There is none.
    """
    top = Path(path)
    if top.is_file():
        if not _is_known(top):
            raise InputError(
                "phenopackets as .json, .ndjson or .jsonl, each also with .gz",
                f"found a file that ends in {top.suffix!r}",
                "rename it, or write it as JSON (YAML is not read)",
            )
        return [_source(top, 1)], 0
    if not top.is_dir():
        raise InputError(
            "a file of phenopackets or a folder of them", "there is nothing at that path", "name one that is there"
        )
    files = sorted(Path(folder, name) for folder, _, names in os.walk(top) for name in names if name[0] != ".")
    known = [file for file in files if _is_known(file) and file.is_file()]
    if not known:
        raise InputError(
            "a folder with files that end in .json, .ndjson or .jsonl, each also with .gz",
            f"found {len(files):,} files and none of them",
            "name the folder that holds the phenopackets",
        )
    return [_source(file, n) for n, file in enumerate(known, 1)], len(files) - len(known)


def _is_known(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith((*_LINES, ".json"))


def _source(path: Path, number: int) -> Source:
    return Source(path, number, path.name.lower().removesuffix(".gz").endswith(_LINES))


def values(source: Source, decoder: Decoder, most: int, max_expansion: int) -> Iterator[Read]:
    """Yield the values of a file: one a line, the items of an array, or values one after another."""
    try:
        with opened(source, max_expansion) as stream:
            yield from _by_line(stream, decoder, most) if source.lines else _whole(stream, decoder, most)
    except BadFileError as error:
        yield Read(reason=f"the file {error}; what stands before that place is read")


def _by_line(stream: BinaryIO, decoder: Decoder, most: int) -> Iterator[Read]:
    for _, line in lines(stream, most):
        if line is None:
            yield Read(reason=f"the line is longer than {most:,} bytes; max_packet_bytes allows more")
            continue
        try:
            yield Read(decoder.value(decoder.text(line)))
        except BadValueError as error:
            yield Read(reason=f"the line {error}", text=line.decode("utf-8", "backslashreplace"))


def _whole(stream: BinaryIO, decoder: Decoder, most: int) -> Iterator[Read]:
    """Values of a JSON file. Items of an array come one by one, so that a large one takes no more memory than one."""
    try:
        for value in Values(stream, decoder, most):
            if isinstance(value, Entry):
                yield Read(value.value)
            elif not isinstance(value, End):
                yield Read(value)
            elif value.head is not None:  # a bundle, which is no phenopacket either
                yield Read(value.head)
    except BadValueError as error:
        yield Read(reason=f"the file {error}; what stands before that place is read")
