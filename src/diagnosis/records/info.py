"""What `records.json` says of a set of records: its format, its time zone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError, nearest
from diagnosis.records.schema import FORMAT

__all__ = ["checked_info"]

# Names that mean another zone on another machine.
_NO_PLACE = frozenset({"localtime", "posixrules", "Factory"})
_SAMPLINGS = ("consecutive", "enriched", "case_control", "balanced")


def checked_info(info: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check what ``records.json`` holds, and return a copy of it.

    Raises
    ------
    InputError
        A higher format, a time zone or a sampling that is none, or values of another type.
    """
    if info is not None and not isinstance(info, Mapping):
        raise InputError("info as a mapping", f"found {type(info).__name__}", "give what records.json would hold")
    try:
        checked: dict[str, Any] = json.loads(json.dumps(dict(info or {}), ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        raise InputError(
            "what records.json holds as plain JSON values", "found others", "give texts, numbers, lists and mappings"
        ) from None
    number = checked.setdefault("format", FORMAT)
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise InputError("records.json names the format as a whole number", "found something else", 'write "format": 1')
    if number > FORMAT:
        raise InputError(
            f"records of format {FORMAT} or lower",
            f"records.json says format {number}",
            "read them with a newer release of this library, or export them in format 1",
        )
    if checked.get("timezone") is not None:
        _check_zone(checked["timezone"])
    _check_description(checked)
    return checked


def _check_description(info: Mapping[str, Any]) -> None:
    for name, kind, words in (("synthetic", bool, "true or false"), ("systems", dict, "a mapping of name to version")):
        if not isinstance(info.get(name), kind | None):
            raise InputError(f"records.json says {name} as {words}", "found something else", "write it so, or leave it")
    sampling = info.get("sampling")
    if sampling is not None and sampling not in _SAMPLINGS:
        raise InputError(
            f"records.json says sampling as one of {', '.join(_SAMPLINGS)}",
            "found something else",
            "use one of these, or leave it out",
            near=nearest(str(sampling), _SAMPLINGS),
        )


def _check_zone(zone: object) -> None:
    try:
        if not isinstance(zone, str) or zone in _NO_PLACE:
            raise ValueError
        ZoneInfo(zone)
        pc.assume_timezone(pa.array([0], pa.timestamp("us")), zone)  # Arrow has a list of its own
    except (KeyError, ValueError, OSError, pa.ArrowException):
        raise InputError(
            "records.json names the time zone by its IANA name",
            "found a name that is none",
            'write one such as "Asia/Shanghai"',
            near=nearest(zone, sorted(available_timezones())) if isinstance(zone, str) else (),
        ) from None
