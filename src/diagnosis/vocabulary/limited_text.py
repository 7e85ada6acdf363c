"""Files with a limit to what they hold when unfolded; files of words as text, plain or gzip."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import IO

from diagnosis.errors import InputError

__all__ = ["MAX_BYTES", "LimitedBytes", "open_text"]

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
    refusal = InputError(
        f"{path.name} with at most {max_bytes:,} bytes, unfolded.", "It holds more.", "Give max_bytes if you trust it."
    )
    return io.TextIOWrapper(io.BufferedReader(LimitedBytes(raw, max_bytes, refusal), 1 << 16), encoding="utf-8-sig")


class LimitedBytes(io.RawIOBase):
    """Unfolded content that is refused beyond a limit: what a file says of its own size is not believed.

    Parameters
    ----------
    raw : file
        Closed with this one.
    most : int, bytes
    refusal : InputError
        Raised when more is read.
    """

    def __init__(self, raw: IO[bytes], most: int, refusal: InputError) -> None:
        self._raw = raw
        self._left = most
        self._refusal = refusal

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, into: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read some bytes; raise the refusal where they are too many."""
        content = self._raw.read(len(into))
        self._left -= len(content)
        if self._left < 0:
            raise self._refusal
        into[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """Close the file and what it unfolds."""
        self._raw.close()
        super().close()
