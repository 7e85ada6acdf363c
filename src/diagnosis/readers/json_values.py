"""JSON values out of a stream: one a line, or one after another with a bundle's entries handed out one by one."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

import orjson

from diagnosis.errors import InputError

__all__ = ["MAX_BYTES", "BadValueError", "Decoder", "End", "Entry", "Values", "lines"]

#: A line of NDJSON, or one resource of a JSON file, may be this long.
MAX_BYTES = 32 << 20
_READ = 1 << 20


class BadValueError(Exception):
    """One value is no JSON; the message says why, without any of it."""


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_JSON = json.JSONDecoder(parse_constant=_no_constant)


class Decoder:
    """Turns the bytes of one line into a JSON value.

    A line of UTF-8 is parsed by orjson; what it refuses goes to Python's own parser, which takes half a
    surrogate pair and says what is wrong with the rest. The values are the same, but for a whole number beyond 64 bits,
    which orjson reads as a float.

    Parameters
    ----------
    encoding : str, optional
        UTF-8 when not given. One in which a line break is the byte 10.

    Raises
    ------
    InputError
        There is no such encoding, or lines cannot be told apart in it.
    """

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding or "utf-8"
        try:
            fits = codecs.encode('\n{"', self.encoding) == b'\n{"'
        except (LookupError, TypeError, ValueError):
            fits = False
        if not fits:
            raise InputError(
                "an encoding in which JSON lines can be told apart",
                f"{encoding!r} is none",
                'JSON is UTF-8; else use for instance "gb18030"',
            )
        self._fast = orjson.loads if codecs.lookup(self.encoding).name == "utf-8" else None

    def value(self, line: bytes) -> Any:
        """The JSON value of a line.

        Raises
        ------
        BadValueError
            It is not in the encoding, or not JSON, or nested so deep that it was made to do harm.
        """
        if self._fast is not None:
            try:
                return self._fast(line)
            except ValueError:
                pass
        try:
            text = line.removeprefix(codecs.BOM_UTF8).decode(self.encoding)
        except UnicodeDecodeError:
            raise BadValueError(f"holds bytes that are not {self.encoding}") from None
        try:
            if text[:1] != "{":
                return _JSON.decode(text)
            value, end = _JSON.raw_decode(text)
        except (ValueError, RecursionError):
            raise BadValueError("is no JSON: it breaks off or is damaged") from None
        if len(text) > end and not text[end:].isspace():
            raise BadValueError("is no JSON: something follows the value")
        return value


def lines(stream: BinaryIO, most: int = MAX_BYTES) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines that are not blank, with their numbers; None for one of more than `most` bytes."""
    number = 0
    while line := stream.readline(most + 1):
        number += 1
        if len(line) > most and line[-1:] != b"\n":
            while (rest := stream.readline(_READ)) and rest[-1:] != b"\n":
                pass
            yield number, None
        elif not line.isspace():
            yield number, line


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a bundle, or an item of an array, that is being read."""

    value: Any


@dataclass(frozen=True, slots=True)
class End:
    """The end of a bundle or an array; `head` is what the bundle holds beside its entries, None for an array."""

    head: dict[str, Any] | None


class Values:
    """The top-level values of a stream; a bundle's entries come one by one before the bundle itself.

    Parameters
    ----------
    stream : binary file
    decoder : Decoder
    most : int
        Bytes (here: characters) that one value, or one entry of a bundle, may take.
    option : str
        The reader's option that sets `most`, for messages.
    """

    def __init__(
        self, stream: BinaryIO, decoder: Decoder, most: int = MAX_BYTES, option: str = "max_line_bytes"
    ) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig" if decoder.encoding == "utf-8" else decoder.encoding)()
        self._encoding = decoder.encoding
        self._most = most
        self._option = option
        self._text = ""
        self._at = 0
        self._ended = False

    def __iter__(self) -> Iterator[Entry | End | Any]:
        """Yield `Entry` for each entry of a bundle or item of an array, then `End`; any other value as it is.

        Raises
        ------
        BadValueError
            The rest is no JSON or too long; what came before stands.
        """
        while self._peek():
            if self._peek() == "{":
                yield from self._object()
            elif self._peek() == "[":
                self._at += 1
                yield from self._items()
                yield End(None)
            else:
                yield self._value()

    def _object(self) -> Iterator[Entry | End | Any]:
        head: dict[str, Any] = {}
        opened = False
        self._at += 1
        closed = self._took("}")
        while not closed:
            name = self._value()
            self._need(":")
            if name == "entry" and self._peek() == "[" and head.get("resourceType", "Bundle") == "Bundle":
                self._at += 1
                yield from self._items()
                opened = True
            elif isinstance(name, str):
                head[name] = self._value()
            else:
                raise BadValueError("is no JSON: it is damaged")
            closed = self._took("}")
            if not closed:
                self._need(",")
        yield End(head) if opened else head

    def _items(self) -> Iterator[Entry]:
        closed = self._took("]")
        while not closed:
            yield Entry(self._value())
            closed = self._took("]")
            if not closed:
                self._need(",")

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = _JSON.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # Not yet whole, or damaged: what is damaged fails well before the end of what was read.
                unfinished = error.msg.startswith("Unterminated string") or error.pos > len(self._text) - 16
                if not (unfinished and self._more()):
                    raise BadValueError("is no JSON: it breaks off or is damaged") from None
            except (ValueError, RecursionError):
                raise BadValueError("is no JSON: it is damaged") from None
            else:
                # A number that ends where the text does may go on.
                if end < len(self._text) or isinstance(value, str | dict | list) or not self._more():
                    self._at = end
                    return value

    def _more(self) -> bool:
        """Read on, at least as much again as is waiting, so that a long value costs no more than its length."""
        waiting = len(self._text) - self._at
        if self._ended:
            return False
        if waiting > self._most:
            raise BadValueError(f"is longer than {self._most:,} bytes; {self._option} allows more")
        content = self._stream.read(max(_READ, waiting))
        try:
            text = self._decode.decode(content, final=not content)
        except UnicodeDecodeError:
            raise BadValueError(f"holds bytes that are not {self._encoding}") from None
        self._ended = not content
        self._text = self._text[self._at :] + text
        self._at = 0
        return True

    def _peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in " \t\r\n":
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            if not self._more():
                return ""

    def _took(self, mark: str) -> bool:
        if self._peek() == mark:
            self._at += 1
            return True
        return False

    def _need(self, mark: str) -> None:
        if not self._took(mark):
            raise BadValueError("is no JSON: it breaks off or is damaged")
