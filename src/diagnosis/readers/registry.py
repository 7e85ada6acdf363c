"""Readers by the name of their format, this package's and those that other packages register."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, get_args, get_type_hints

from diagnosis.errors import InputError, UnknownNameError, nearest
from diagnosis.readers.ddxplus import read_ddxplus
from diagnosis.readers.fhir import read_fhir
from diagnosis.readers.meds import read_meds
from diagnosis.readers.phenopackets import read_phenopackets
from diagnosis.readers.tables import read_tables
from diagnosis.records import Records
from diagnosis.records.loading import OnError

__all__ = ["formats", "option_values", "read_records"]

Reader = Callable[..., Records]
_OWN: Mapping[str, Reader] = {
    "tables": read_tables,
    "fhir": read_fhir,
    "phenopackets": read_phenopackets,
    "meds": read_meds,
    "ddxplus": read_ddxplus,
}


@cache
def _registered() -> dict[str, EntryPoint]:
    return {e.name: e for e in entry_points(group="diagnosis.readers") if e.name not in _OWN}


def formats() -> tuple[str, ...]:
    """Names of the formats that can be read here."""
    return (*_OWN, *sorted(_registered()))


def read_records(
    path: str | Path,
    *,
    format: str = "tables",
    encoding: str | None = None,
    on_error: OnError = "raise",
    quarantine: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Records:
    """Read a set of records.

    Parameters
    ----------
    path : path
        For ``tables``, a folder with ``cases`` and ``findings`` as CSV or Parquet.
    format : str
        One of `formats()`.
    encoding : str, optional
        Of text files that are not UTF-8, for instance ``"gb18030"``.
    on_error : {"raise", "quarantine"}
        Refuse a set with bad rows, with one report of all of them; or set those rows aside and load the rest.
    quarantine : path, optional
        File for the rows set aside, with their reasons; ``quarantine-NAME.jsonl`` in the working
        directory if not given.
    options : mapping, optional
        The format's own options by name, such as ``{"index": "last"}`` of ``meds``: those of its `read_FORMAT`.

    Returns
    -------
    Records
        Its `report` says what was found odd.

    Raises
    ------
    InputError
        There is nothing that can be read, or the format or one of its options is not known.
    RecordsError
        Bad rows, with ``on_error="raise"``.
    """
    reader = _OWN.get(format) or (_registered()[format].load() if format in _registered() else None)
    if reader is None:
        raise UnknownNameError(
            f"records in one of the formats {', '.join(formats())}",
            f"asked for {format!r}",
            "use one of these, or install the package that reads it",
            near=nearest(format, formats()),
        )
    if on_error == "quarantine" and quarantine is None:
        quarantine = Path(f"quarantine-{Path(path).resolve().name}.jsonl")
    own = _checked(options or {}, reader, format)
    made: Records = reader(path, encoding=encoding, on_error=on_error, quarantine=quarantine, **own)
    return made


def option_values(texts: Sequence[str] | None) -> dict[str, Any]:
    """Options written as NAME=VALUE, by name; a value that is JSON is taken as it, any other is text.

    Raises
    ------
    InputError
        One has no name or no equals sign.

    Examples
    --------
    >>> option_values(["index=last", "window_hours=24"])
    {'index': 'last', 'window_hours': 24}
    """
    given: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise InputError("an option as NAME=VALUE", f"found {text!r}"[:80], "write for instance several=none")
        try:
            given[name] = json.loads(value)
        except (ValueError, RecursionError):
            given[name] = value
    return given


def _checked(options: Mapping[str, Any], reader: Reader, format: str) -> dict[str, Any]:
    """Options that the reader has, beside those that every reader has."""
    named = [n for n, p in signature(reader).parameters.items() if p.kind is Parameter.KEYWORD_ONLY]
    known = [n for n in named if n not in ("encoding", "on_error", "quarantine")]
    for name in options:
        if name not in known:
            raise UnknownNameError(
                f"options of the format {format}: {', '.join(known) or 'it has none'}",
                f"found {name!r}",
                "use one of these, or leave it out",
                near=nearest(str(name), known),
            )
    return {str(name): _fitting(name, value, reader, format) for name, value in options.items()}


def _fitting(name: str, value: Any, reader: Reader, format: str) -> Any:
    """The value as the reader's annotation has it; a number may come as text."""
    if isinstance(value, Mapping | list):  # the reader knows what belongs in it
        return value
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    try:
        wanted = get_type_hints(reader)[name]
        fits = TypeAdapter(wanted)
    except (NameError, KeyError, TypeError, PydanticUserError):  # another package's reader may say nothing of it
        return value
    try:
        made = fits.validate_python(value)
        return made if isinstance(value, str) else value
    except ValidationError as error:
        choices = [c for c in get_args(wanted) if isinstance(c, str)]
        raise InputError(
            f"the option {name} of the format {format}: {error.errors()[0]['msg']}",
            f"found {value!r}"[:80],
            f"see the options of read_{format}",
            near=nearest(str(value), choices) if choices else (),
        ) from None
