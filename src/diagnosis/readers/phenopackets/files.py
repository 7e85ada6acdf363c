"""The JSON values of a file of phenopackets, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from diagnosis.readers.json_files import BadFileError, Source, opened
from diagnosis.readers.json_values import BadValueError, Decoder, End, Entry, Values, lines

__all__ = ["Read", "values"]

_OPTION = "max_packet_bytes"


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
            yield Read(reason=f"the line is longer than {most:,} bytes; {_OPTION} allows more")
            continue
        try:
            yield Read(decoder.value(line))
        except BadValueError as error:
            yield Read(reason=f"the line {error}", text=line.decode("utf-8", "backslashreplace"))


def _whole(stream: BinaryIO, decoder: Decoder, most: int) -> Iterator[Read]:
    """Values of a JSON file. Items of an array come one by one, so that a large one takes no more memory than one."""
    try:
        for value in Values(stream, decoder, most, _OPTION):
            if isinstance(value, Entry):
                yield Read(value.value)
            elif not isinstance(value, End):
                yield Read(value)
            elif value.head is not None:  # a bundle, which is no phenopacket either
                yield Read(value.head)
    except BadValueError as error:
        yield Read(reason=f"the file {error}; what stands before that place is read")
