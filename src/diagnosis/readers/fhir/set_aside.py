"""What is set aside, written as it is met: the quarantine file gets it at the end, whatever its size."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from diagnosis.readers.fhir.account import Place
from diagnosis.readers.json_files import Source

__all__ = ["SetAside"]


class SetAside:
    """Entries for the quarantine file: place, reasons and, where it is at hand, the content.

    Parameters
    ----------
    wanted : bool
        Whether there will be a quarantine file; nothing is kept otherwise.
    """

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._file: IO[str] | None = None

    def __enter__(self) -> SetAside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def write(self, what: str, place: Place, source: Source, reason: str, content: Any = None) -> None:
        """Set one thing aside."""
        if not self._wanted:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        entry: dict[str, Any] = {
            "table": what,
            "file": source.path.name,
            **{name: number for name, number in (("line", place.line), ("entry", place.entry)) if number},
            "reasons": [reason],
        }
        if content is not None:
            entry["text" if isinstance(content, str) else "values"] = content
        # ASCII, so that half a surrogate pair from a file can be written back as it was.
        self._file.write(json.dumps(entry) + "\n")

    def append_to(self, path: str | Path) -> None:
        """Add the entries to a quarantine file that is there already."""
        if self._file is None:
            return
        self._file.flush()
        self._file.seek(0)
        with Path(path).open("a", encoding="utf-8") as out:
            shutil.copyfileobj(self._file, out)
