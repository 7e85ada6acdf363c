"""The best options of a study as a config file that stands on its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnosis.errors import InputError
from diagnosis.training.config import plain_config
from diagnosis.training.search_space import put_in
from diagnosis.training.whole_file import write_whole
from diagnosis.training.yaml_file import dump_yaml

if TYPE_CHECKING:
    from diagnosis.training.schema import Config

__all__ = ["check_tuned", "of_kind", "tuned_path", "write_tuned"]

_MARK = "# Written by `diagnosis tune`"
_SOURCES = ("records", "test_records", "knowledge", "vocabulary")


def of_kind(name: str, kind: str) -> str:
    """Return a name that tells the kind of model too, so that the study of one kind is not taken for another's.

    Examples
    --------
    >>> of_kind("clinic", "linear"), of_kind("clinic-linear", "linear")
    ('clinic-linear', 'clinic-linear')
    """
    return name if name.endswith(f"-{kind}") else f"{name}-{kind}"


def tuned_path(study: Path) -> Path:
    """Return where the best config of a study is written: beside it.

    Examples
    --------
    >>> tuned_path(Path("runs/clinic-tuning.db")).as_posix()
    'runs/clinic-tuned.yaml'
    """
    return study.with_name(f"{study.stem.removesuffix('-tuning')}-tuned.yaml")


def check_tuned(path: Path) -> None:
    """Raise InputError if there is a file that an earlier tuning has not written."""
    if not path.exists():
        return
    if path.is_dir() or not path.read_bytes().startswith(_MARK.encode()):
        raise InputError(
            f"The best config is to be written to {path}",
            "There is something of that name that no tuning has written",
            "Move it away, or name another study with --study: the config is written beside it.",
        )


def write_tuned(
    path: Path, given: Path, overrides: Sequence[str], config: Config, values: Mapping[str, Any], note: str
) -> None:
    """Write the config as given with other values, whole or not at all.

    Keys keep their order and paths their meaning; comments are lost. The name and the output, if one is set, get
    the kind of model and `-tuned` behind them, so that a training run does not replace that of the config as given.

    Parameters
    ----------
    path : Path
        To write.
    given : Path
        The config file that was tuned.
    overrides : sequence of str
        Applied to it.
    config : Config
        It, as read.
    values : mapping
        By dotted names of keys.
    note : str
        Put at the top.
    """
    plain, _ = plain_config(given, overrides)
    plain = {"name": config.name, **plain} | {"name": f"{of_kind(config.name, config.model.kind)}-tuned"}
    if config.output:
        plain["output"] = f"{of_kind(config.output.rstrip('/'), config.model.kind)}-tuned"
    for key in _SOURCES:
        if isinstance(plain.get(key), str):
            plain[key] = _moved(plain[key], given.parent, path.parent)
        elif isinstance(plain.get(key), dict) and isinstance(plain[key].get("path"), str):
            plain[key] = plain[key] | {"path": _moved(plain[key]["path"], given.parent, path.parent)}
    head = "".join(f"# {line}\n" for line in note.splitlines())
    write_whole(
        path,
        f"{_MARK}: {given.name} with the options that were best by cross-validation.\n{head}"
        f"{dump_yaml(put_in(plain, values))}",
    )


def _moved(text: str, old: Path, new: Path) -> str:
    """Make a path that was relative to one folder relative to another; what is absolute once expanded stays."""
    if not text or Path(os.path.expandvars(text)).expanduser().is_absolute():
        return text
    return (Path(os.path.relpath(old.absolute(), new.absolute())) / text).as_posix()
