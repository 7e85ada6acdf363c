"""Errors for what was asked of records and is not there."""

from __future__ import annotations

from collections.abc import Iterable

from diagnosis.errors import UnknownNameError, nearest
from diagnosis.records.schema import TABLES

__all__ = ["unknown_case", "unknown_column", "unknown_table"]


def unknown_table(name: str, there: Iterable[str]) -> UnknownNameError:
    """The error for a table that is not there."""
    there = tuple(there)
    return UnknownNameError(
        f"asked for table {name!r}",
        f"these records have {', '.join(there)}",
        "ask for one of these",
        near=nearest(str(name), there),
    )


def unknown_column(name: str, there: Iterable[str]) -> UnknownNameError:
    """The error for a column of cases that neither the format nor these records know."""
    return UnknownNameError(
        f"asked for column {name!r} of cases",
        "there is none of that name",
        "ask for a column of the format",
        near=nearest(str(name), [*TABLES["cases"].columns, *there]),
    )


def unknown_case() -> UnknownNameError:
    """The error for a case that is not there; its id is not repeated."""
    return UnknownNameError(
        "asked for a case by id", "no case has that id", "look at `records.case_ids` for those there are"
    )
