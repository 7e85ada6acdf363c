"""The folder of a run: whole or not there, readable by its owner alone, and never written over something else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diagnosis.errors import InputError
from diagnosis.readers.whole_folder import whole_folder

__all__ = ["FILES", "check_output", "new_run_folder"]

#: What a run writes, at the top level of its folder.
FILES = ("bundle", "config.yaml", "evaluation.json", "review.html", "run.json")


def check_output(folder: Path, name: str) -> None:
    """Raise InputError if a run of this name may not write this folder.

    A folder that exists is replaced only if it is empty, or holds an earlier run of the same name and nothing else.
    """
    asked = f"The run {name!r} was asked to write {folder}"
    if not folder.exists():
        around = next(parent for parent in folder.absolute().parents if parent.exists())
        if not around.is_dir() or not os.access(around, os.W_OK | os.X_OK):
            raise InputError(asked, f"{around} is not a folder that can be written", "Set output to another folder.")
        return
    if not folder.is_dir():
        raise InputError(asked, "There is a file of that name", "Set output to another folder.")
    if not os.access(folder.absolute().parent, os.W_OK | os.X_OK):
        raise InputError(asked, f"{folder.absolute().parent} cannot be written", "Set output to another folder.")
    there = sorted(entry.name for entry in folder.iterdir())
    if there and (owner := _run_name(folder)) != name:
        found = "It is not the folder of a run" if owner is None else f"It holds the run {owner!r}"
        raise InputError(asked, found, "Set output to another folder, or remove this one.")
    foreign = [entry for entry in there if entry not in FILES]
    if foreign:
        found = f"Beside the earlier run it holds {', '.join(foreign[:3])}"
        raise InputError(asked, found, "Move that away, or set output to another folder.")


def _run_name(folder: Path) -> str | None:
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(run["name"]) if isinstance(run, dict) and "name" in run else None


@contextmanager
def new_run_folder(folder: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder that becomes the run's, whole or not at all; an earlier run stays as it is until then."""
    check_output(folder, name)
    with whole_folder(folder) as made:
        yield made
