"""Files of words as text: plain or gzip, with a limit to what they hold, because they are held in memory whole."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import IO

from diagnosis.errors import InputError

__all__ = ["MAX_BYTES", "open_text"]

#: A file of words may hold so much when unfolded; the largest ontologies in medical use hold some 100 MB.
MAX_BYTES = 256 << 20


def open_text(path: Path, max_bytes: int = MAX_BYTES) -> IO[str]:
    """Open UTF-8 text, with or without a byte order mark, plain or gzip.

    Raises
    ------
    InputError
        When read on: it holds more than `max_bytes`.
    """
    packed = path.name.endswith(".gz")
    raw: IO[bytes] = gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[assignment]  # noqa: SIM115
    return io.TextIOWrapper(io.BufferedReader(_Limited(raw, path.name, max_bytes), 1 << 16), encoding="utf-8-sig")


class _Limited(io.RawIOBase):
    """The content of a file, refused beyond the limit."""

    def __init__(self, raw: IO[bytes], name: str, most: int) -> None:
        self._raw = raw
        self._name = name
        self._most = self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray | memoryview) -> int:  # type: ignore[override]
        content = self._raw.read(len(into))
        self._left -= len(content)
        if self._left < 0:
            raise InputError(
                f"{self._name} with at most {self._most:,} bytes, unfolded.",
                "It holds more.",
                "Give max_bytes if you trust it.",
            )
        into[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._raw.close()
        super().close()
