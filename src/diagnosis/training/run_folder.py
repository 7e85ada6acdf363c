"""The folder of a run: whole or not there, readable by its owner alone, and never written over something else.

While a run is at work its finished steps lie in `.steps/` of the folder, beside whatever an earlier run has left there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from diagnosis.errors import InputError
from diagnosis.readers.whole_folder import whole_folder

__all__ = ["FILES", "STEPS_FOLDER", "at_work", "check_output", "new_run_folder"]

STEPS_FOLDER = ".steps"
#: What a run writes, at the top level of its folder.
FILES = (
    *("bundle", "check.json", "config.yaml", "evaluation.json", "model_card.md", "plots", "report.html"),
    *("review.html", "run.json", STEPS_FOLDER),
)
_OWNER, _LOCK = "run.json", "lock"


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
    for file in (folder / "run.json", folder / STEPS_FOLDER / _OWNER):
        with suppress(OSError, ValueError):
            run = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(run, dict) and "name" in run:
                return str(run["name"])
    return None


@contextmanager
def at_work(folder: Path, name: str) -> Iterator[Path]:
    """Yield the folder for the finished steps of a run; no other run is at work in the same folder meanwhile.

    After an error the steps stay, so that the run can go on; where none had finished, nothing stays.

    Raises
    ------
    InputError
        If another process trains into this folder, or something else is there.
    """
    check_output(folder, name)
    new = not folder.exists()
    steps = folder / STEPS_FOLDER
    steps.mkdir(mode=0o700, parents=True, exist_ok=True)
    if new:
        folder.chmod(0o700)
    with (steps / _LOCK).open("a", encoding="utf-8") as lock:
        _take(lock, folder, name)
        _recover(folder)
        (steps / _OWNER).write_text(json.dumps({"name": name}), encoding="utf-8")
        try:
            yield steps
        finally:
            _leave(folder)


def _take(lock: IO[str], folder: Path, name: str) -> None:
    try:
        import fcntl
    except ImportError:  # where there are no such locks, two runs in one folder are the user's to avoid
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        found = "Another process is training into it"
        raise InputError(
            f"The run {name!r} was asked to write {folder}", found, "Wait for it, or set output to another folder."
        ) from None


def _recover(folder: Path) -> None:
    """Clear away what a process that was killed while it put a folder in its place has left."""
    place = folder.resolve()
    for made in place.parent.glob(f".{place.name}.*.partial"):
        shutil.rmtree(made, ignore_errors=True)
    for old in place.parent.glob(f".{place.name}.*.old"):
        if (place / "run.json").exists():
            shutil.rmtree(old, ignore_errors=True)
            continue
        for earlier in old.iterdir():
            if not (place / earlier.name).exists():
                earlier.rename(place / earlier.name)
        shutil.rmtree(old, ignore_errors=True)


def _leave(folder: Path) -> None:
    """Leave no trace where no step had finished."""
    steps = folder / STEPS_FOLDER
    if not steps.is_dir():
        return
    if not any(entry.is_dir() and any(entry.iterdir()) for entry in steps.iterdir()):
        shutil.rmtree(steps, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def new_run_folder(folder: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder that becomes the run's, whole or not at all; an earlier run stays as it is until then.

    The finished steps of the run go with it.
    """
    check_output(folder, name)
    steps = folder / STEPS_FOLDER
    with whole_folder(folder) as made:
        yield made
        if steps.is_dir():
            steps.rename(made / STEPS_FOLDER)
