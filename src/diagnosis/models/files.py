"""Plain files that come out byte-equal for equal content: JSON, and npz without object arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import BundleError

__all__ = [
    "check_arrays",
    "model_header",
    "read_arrays",
    "read_json",
    "restore_header",
    "write_arrays",
    "write_json",
]


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping of plain values as UTF-8 JSON with sorted keys; nan and infinity are refused."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    path.write_bytes((text + "\n").encode("utf-8"))


def read_json(path: Path, kind: str) -> dict[str, Any]:
    """Read what `write_json` wrote and check that it is a model of the expected kind.

    Raises
    ------
    BundleError
        If the file is missing, is not JSON, or holds another kind of model.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{path.name} should hold a {kind} model", f"it cannot be read ({type(error).__name__})", "save it again"
        ) from error
    found = content.get("kind") if isinstance(content, dict) else None
    if found != kind or content.get("format") != 1:
        raise BundleError(
            f"{path.name} should hold a {kind} model of format 1",
            f"it holds {found!r}, format {content.get('format')!r}" if isinstance(content, dict) else "it is no object",
            "load it with the class and the release that wrote it",
        )
    return content


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as npz; numpy stores them without times, so equal arrays give equal bytes."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(sorted(arrays.items())))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read an npz file; object arrays (pickles) are refused.

    Raises
    ------
    BundleError
        If the file is missing or damaged, or holds an object array.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise BundleError(
            f"{path.name} should hold arrays", f"it cannot be read ({type(error).__name__})", "save the model again"
        ) from error


def model_header(kind: str, model: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every fitted model stores beside its numbers: kind, options, diagnoses and columns."""
    classes: NDArray[Any] = model.classes_
    names = getattr(model, "feature_names_in_", None)
    return {
        "kind": kind,
        "format": 1,
        "options": dict(options),
        "classes": {"type": "object" if classes.dtype.kind == "O" else classes.dtype.str, "values": classes.tolist()},
        "n_columns": int(model.n_features_in_),
        "names": None if names is None else names.tolist(),
    }


def restore_header(model: Any, stored: Mapping[str, Any]) -> None:
    """Give a new model the learned state that `model_header` stored."""
    classes = stored["classes"]
    dtype = np.dtype(object if classes["type"] == "object" else classes["type"])
    model.classes_ = np.array(classes["values"], dtype=dtype)
    model.n_features_in_ = stored["n_columns"]
    if stored["names"] is not None:
        model.feature_names_in_ = np.array(stored["names"], dtype=object)


def check_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise BundleError unless the arrays have exactly these names and shapes and are float64."""
    found = {name: array.shape for name, array in arrays.items() if array.dtype == np.float64}
    if found != dict(shapes):
        raise BundleError(f"{path.name} should hold {dict(shapes)}", f"it holds {found}", "save the model again")
