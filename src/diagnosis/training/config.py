"""A YAML file and `--set` overrides into a Config; every refusal names the key, the line and what is allowed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from diagnosis.errors import ConfigError, nearest
from diagnosis.training.model_options import check_options
from diagnosis.training.schema import Config, config_schema
from diagnosis.training.yaml_file import KeyPath, parse_value, parse_yaml

__all__ = ["Config", "config_schema", "plain_config", "read_config"]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_SOURCES = ("records", "test_records")
_ALLOWED = {
    "tuple_type": "a list",
    "model_type": "a mapping of keys",
    "none_required": "null",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "string_pattern_mismatch": "up to 100 letters, digits, spaces and . + - _, with a letter or a digit first",
}


def read_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a config file.

    Parameters
    ----------
    path : str or Path
        A YAML file. Relative paths in `records` and `test_records` are relative to it (also those given by an
        override); `output` and `tracking.uri` stay relative to the working directory. `${NAME}` is expanded in
        `records` and `test_records` alone and refused anywhere else.
    overrides : sequence of str
        `a.b=VALUE`, the value read as YAML; later ones win.

    Returns
    -------
    Config
        With absolute paths to the records.

    Raises
    ------
    ConfigError
        If the file or an override cannot be used; all problems that were found, with key, line and what is allowed.
    """
    path = Path(path)
    raw, lines = plain_config(path, overrides)
    _refuse_newer(raw, path)
    raw.setdefault("name", re.sub(r"[^\w .+-]", "-", path.stem) or "run")
    _expand(raw, path.parent, lines, path)
    config = _validated(raw, lines, path)
    check_options(config.model, where=_where(("model",), lines))
    return config


def plain_config(path: Path, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Return the keys of a config file as they are written, with the overrides, and their lines; nothing is checked.

    Raises
    ------
    ConfigError
        If the file is no plain YAML mapping, or an override cannot be applied.
    """
    parsed = parse_yaml(_text(path), str(path))
    raw = parsed.value if parsed.value is not None else {}
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{path} must be a mapping of keys", f"It holds a {type(raw).__name__}", "Write `key: value` lines."
        )
    lines = dict(parsed.lines)
    for override in overrides:
        _apply(raw, override, lines)
    return raw, lines


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} must be UTF-8 text", "It is not", "Save it as UTF-8.") from None
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise ConfigError(f"The config {path} was asked for", found, "Give the path of a YAML file.") from None


def _apply(raw: dict[str, Any], override: str, lines: dict[KeyPath, int]) -> None:
    dotted, equals, text = override.partition("=")
    keys = tuple(dotted.strip().split("."))
    if not equals or not all(keys):
        raise ConfigError("--set takes a.b=VALUE", f"It got {override!r}", "Write for example --set model.kind=linear.")
    value = parse_value(text, f"--set {dotted}")
    place = raw
    for depth, key in enumerate(keys[:-1], start=1):
        inner = place.get(key)
        if inner is None:
            inner = {}
        elif isinstance(inner, str) and keys[:depth] in (("records",), ("test_records",)):
            inner = {"path": inner}
        if not isinstance(inner, dict):
            at = ".".join(keys[:depth])
            raise ConfigError(f"--set {dotted} was asked for", f"{at} has no keys inside", f"Set {at} itself.")
        place[key] = inner
        place = inner
    place[keys[-1]] = value
    for known in [known for known in lines if known[: len(keys)] == keys]:
        del lines[known]


def _refuse_newer(raw: Mapping[str, object], path: Path) -> None:
    version = raw.get("version", 1)
    if isinstance(version, int) and not isinstance(version, bool) and version > 1:
        raise ConfigError(
            f"{path} is written for config version {version}",
            "This version of the library reads version 1",
            "Install a newer version of diagnosis, or write the file for version 1.",
        )


def _expand(raw: dict[str, Any], base: Path, lines: Mapping[KeyPath, int], file: Path) -> None:
    """Expand `${NAME}` and relative paths in the sources; refuse `${NAME}` elsewhere."""
    for key in ("knowledge", "vocabulary"):
        if isinstance(raw.get(key), str):
            raw[key] = _absolute(base, raw[key])
    for key in list(raw):
        if key not in _SOURCES:
            _refuse_variables(raw[key], (key,), lines)
            continue
        source = {"path": raw[key]} if isinstance(raw[key], str) else raw[key]
        if not isinstance(source, dict):
            continue
        source = {
            k: _with_environment(v, (key, k), lines, file) if isinstance(v, str) else v for k, v in source.items()
        }
        if isinstance(source.get("path"), str) and source["path"]:
            source["path"] = _absolute(base, source["path"])
        raw[key] = source


def _absolute(base: Path, path: str) -> str:
    return os.path.abspath(base / Path(path).expanduser())  # noqa: PTH100 - keeps symlinks


def _refuse_variables(value: object, at: KeyPath, lines: Mapping[KeyPath, int]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_variables(inner, (*at, key), lines)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _refuse_variables(inner, (*at, i), lines)
    elif isinstance(value, str) and _VARIABLE.search(value):
        raise ConfigError(
            "Environment variables are expanded in records and test_records only",
            f"{_where(at, lines)} has {value!r}",
            "Write the value itself, or give it with --set.",
        )


def _with_environment(text: str, at: KeyPath, lines: Mapping[KeyPath, int], file: Path) -> str:
    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        found = os.environ.get(name)
        if not found:
            raise ConfigError(
                f"{_where(at, lines)} of {file} needs the environment variable {name}",
                "It is empty" if found == "" else "It is not set",
                f"Set it, for example: export {name}=/path/to/records.",
            )
        return found

    return _VARIABLE.sub(value, text)


def _validated(raw: Mapping[str, object], lines: Mapping[KeyPath, int], path: Path) -> Config:
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        found, near = [], []
        for problem in error.errors(include_url=False):
            text, names = _problem(dict(problem), lines)
            found.append(text)
            near += names
    raise ConfigError(
        f"{path} must hold the documented keys, each with a value of its kind",
        "; ".join(found),
        "Correct the lines named; `diagnosis config schema` describes every key.",
        near=near,
    )


def _problem(problem: Mapping[str, Any], lines: Mapping[KeyPath, int]) -> tuple[str, list[str]]:
    at: KeyPath = tuple(problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{_where(at, lines)} is not a known key", nearest(str(at[-1]), _known_keys(at[:-1]))
    message = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    allowed = _ALLOWED.get(str(problem["type"]), message)
    value = problem["input"]
    found = "a mapping" if isinstance(value, dict) else repr(list(value) if isinstance(value, tuple) else value)
    near = nearest(value, re.findall(r"'([^']+)'", message)) if isinstance(value, str) else []
    return f"{_where(at, lines)} is {found}, allowed: {allowed}", near


def _known_keys(at: KeyPath) -> list[str]:
    section: type[BaseModel] = Config
    for key in at:
        annotation = section.model_fields[str(key)].annotation
        inner = [a for a in (annotation, *getattr(annotation, "__args__", ())) if _is_section(a)]
        section = inner[0]
    return list(section.model_fields)


def _is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _where(at: KeyPath, lines: Mapping[KeyPath, int]) -> str:
    """Name a key and its line, or the line of the nearest key around it."""
    name = ".".join(str(part) for part in at)
    for size in range(len(at), 0, -1):
        if at[:size] in lines:
            return f"line {lines[at[:size]]}: {name}"
    return name
