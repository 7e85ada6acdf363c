"""What is given as records, checked to be records."""

from __future__ import annotations

from diagnosis.errors import InputError
from diagnosis.records.records import Records

__all__ = ["checked_records"]


def checked_records(records: object) -> Records:
    """Refuse what is no `Records`."""
    if not isinstance(records, Records):
        raise InputError(
            "records to work on", f"found {type(records).__name__}", "read them with read_records, or build Records"
        )
    return records
