"""Readers by the name of their format, this package's and those that other packages register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from diagnosis.errors import UnknownNameError, nearest
from diagnosis.readers.ddxplus import read_ddxplus
from diagnosis.readers.fhir import read_fhir
from diagnosis.readers.meds import read_meds
from diagnosis.readers.phenopackets import read_phenopackets
from diagnosis.readers.tables import read_tables
from diagnosis.records import Records
from diagnosis.records.loading import OnError

__all__ = ["formats", "read_records"]

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
    return {str(name): value for name, value in options.items()}
