"""What the finished steps of a run have made, in plain files, so that an interrupted run goes on where it stopped.

A step is there whole or not at all, with a digest of each of its files; one that was damaged is taken again. The files
are keyed by what the run depends on (its config, the content of its records, the versions), so that nothing of another
config or of other records is ever taken for this run's own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from diagnosis.readers.whole_folder import whole_folder

__all__ = ["Kept", "content_key"]

_DIGESTS = "files.json"


def content_key(*parts: Mapping[str, object]) -> str:
    """Return a short name of plain values: equal values, equal name."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


class Kept:
    """The finished steps of one run.

    Parameters
    ----------
    folder : Path
        Where steps are kept, each in a folder of its name; made when the first step finishes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def finished(self, step: str) -> Path | None:
        """Return the folder of a finished step, every file of which is as it was written; None: it has to be taken."""
        place = self.folder / step
        try:
            wanted = json.loads((place / _DIGESTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            wanted = None
        if wanted is not None and wanted == _digests(place):
            return place
        shutil.rmtree(place, ignore_errors=True)
        return None

    @contextmanager
    def step(self, step: str) -> Iterator[Path]:
        """Yield an empty folder that counts as finished when the block ends without an error."""
        with whole_folder(self.folder / step) as made:
            yield made
            (made / _DIGESTS).write_text(json.dumps(_digests(made)), encoding="utf-8")


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / _DIGESTS)
    return {path.relative_to(folder).as_posix(): _digest(path) for path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
