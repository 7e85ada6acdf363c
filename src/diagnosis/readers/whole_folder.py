"""A folder that is there whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diagnosis.errors import WorkError

__all__ = ["whole_folder"]


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target` that takes its place when the block ends without an error.

    Until then what stands at `target` stays as it is, and it goes only after the new one is in its place; after an
    error, or Ctrl-C, nothing of the new one is left. Readable by its owner alone (mode 0700). Whether something may be
    replaced is for the caller to check.

    Raises
    ------
    WorkError
        It cannot be made there.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        place = target.resolve()
        made = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".partial", dir=place.parent))
    except OSError as error:
        says = f"{target} cannot be written: {error.strerror}. Use a folder that you may write to."
        raise WorkError(says) from None
    try:
        yield made
        _replace(place, made)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _replace(place: Path, made: Path) -> None:
    if not place.exists():
        made.replace(place)
        return
    old = made.with_suffix(".old")
    place.replace(old)
    try:
        made.replace(place)
    except BaseException:
        old.replace(place)
        raise
    shutil.rmtree(old)
