"""Nested plain values as MLflow's flat parameters and metrics, with names and lengths that MLflow takes."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping

__all__ = ["metrics_of", "params_of"]

_LONGEST_VALUE = 500
_LONGEST_NAME = 200
# What MLflow takes in a name on every system (a slash separates levels, so a group's own slash is replaced).
_NOT_IN_NAMES = re.compile(r"[^\w. -]")


def params_of(config: Mapping[str, object]) -> dict[str, str]:
    """Flatten a config: `{"split": {"by": "site"}}` is `{"split.by": "site"}`.

    A value longer than 500 characters is cut and ends in the first digits of its SHA-256, so that two long values
    that differ stay different; the whole config is an artifact of the run.
    """
    return {name: _short(value) for name, value in _leaves(config, "")}


def _leaves(value: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{_part(str(key))}" if name else _part(str(key)))
    else:
        yield name, value


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) <= _LONGEST_VALUE:
        return text
    ending = f"...sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return text[: _LONGEST_VALUE - len(ending)] + ending


def metrics_of(evaluation: Mapping[str, object]) -> dict[str, float]:
    """Flatten an evaluation's JSON into named numbers.

    `top1`, `log_loss`, `set.coverage`, `baseline.top1`, `log_loss.low`, `log_loss.high`, `by/sex/female/top1`. What is
    missing, suppressed or not finite is left out.
    """
    found: dict[str, float] = {}
    for name, value in _numbers(evaluation):
        unique, n = name, 2
        while unique in found:  # two group values may differ only in characters that names cannot hold
            unique, n = f"{name}_{n}", n + 1
        found[unique] = value
    return found


def _numbers(evaluation: Mapping[str, object], before: str = "") -> Iterator[tuple[str, float]]:
    for key, value in evaluation.items():
        if key in ("schema", "suspicions"):
            continue
        if key == "by" and isinstance(value, Mapping):
            yield from _groups(value, before)
        elif key == "intervals":
            if isinstance(value, Mapping) and not before:  # of the groups, the estimates are enough
                yield from _intervals(value)
        elif key == "top" and isinstance(value, Mapping):
            yield from ((f"{before}top{k}", number) for k, number in value.items() if _is_number(number))
        elif isinstance(value, Mapping):
            yield from _numbers(value, f"{before}{_part(key)}.")
        elif _is_number(value):
            yield f"{before}{_part(key)}", float(value)  # type: ignore[arg-type]


def _groups(groups: Mapping[str, object], before: str) -> Iterator[tuple[str, float]]:
    for group, values in groups.items():
        if isinstance(values, Mapping):
            for value, metrics in values.items():
                if isinstance(metrics, Mapping) and not metrics.get("suppressed"):
                    yield from _numbers(metrics, f"{before}by/{_part(group)}/{_part(value)}/")


def _intervals(intervals: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    for name, ends in intervals.items():
        if isinstance(ends, list | tuple) and len(ends) == 2:
            for end, value in zip(("low", "high"), ends, strict=True):
                if _is_number(value):
                    yield f"{_part(name.replace('top.', 'top'))}.{end}", float(value)


def _part(name: str) -> str:
    """One level of a name: no slash, never empty, never only dots (MLflow reads names as paths)."""
    part = _NOT_IN_NAMES.sub("_", name).strip()[: _LONGEST_NAME // 3]
    return part if part.strip(".") else "_"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
