"""The JSON files of a release: read whole, within a limit, as mappings of mappings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diagnosis.errors import InputError

__all__ = ["read_json"]

# The released files are under 400 kB.
_MOST_BYTES = 64 << 20


def read_json(path: Path, holds: str) -> Mapping[str, Mapping[str, Any]]:
    """Read a JSON object whose values are objects.

    Parameters
    ----------
    path : Path
    holds : str
        What the file describes, for messages: ``"evidences"``.

    Raises
    ------
    InputError
        It is missing, too large, no JSON, or built otherwise.
    """
    asked = f"{path} as a JSON object with one object for each of the {holds}"
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise InputError(asked, f"it holds more than {_MOST_BYTES >> 20} MB", "name the released file")
        made = json.loads(raw.decode("utf-8-sig"))
        json.dumps(made, ensure_ascii=False).encode()  # half of a surrogate pair, which JSON lets through, is no text
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        found = "it is not there" if isinstance(error, FileNotFoundError) else f"it cannot be read ({_kind(error)})"
        raise InputError(asked, found, "copy the released file there, or name where it is") from None
    if not isinstance(made, dict) or not made or not all(isinstance(one, dict) for one in made.values()):
        raise InputError(asked, "it is built otherwise, or empty", "copy the released file again")
    return made


def _kind(error: Exception) -> str:
    return "truncated or not JSON" if isinstance(error, json.JSONDecodeError) else type(error).__name__
