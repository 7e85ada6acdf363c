"""A text file that is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from diagnosis.errors import InputError

__all__ = ["whole_file", "write_whole"]


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """Yield a UTF-8 file that takes its place at `path` when the block ends without an error.

    Readable by its owner alone: such files speak of patients.

    Raises
    ------
    InputError
        If its folder does not exist.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(f"The file {path} was asked for", "Its folder does not exist", "Make the folder first.")
    if path.is_dir():
        raise InputError(f"The file {path} was asked for", "There is a folder of that name", "Name a file.")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            yield out
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as out:
        out.write(text)
