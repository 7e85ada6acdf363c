"""How `write_meds` lays records out: which column of an event holds which column of a table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["BY_EVENT", "CASE", "COLUMNS", "ETL", "FOLDER", "ROW", "TABLE", "column_of"]

#: Name of the extraction in ``metadata/dataset.json``.
ETL = "diagnosis"
#: Folder below ``metadata`` for what MEDS has no events for.
FOLDER = "records"
#: File in it that names the columns of each table.
COLUMNS = "columns.json"
#: Columns of events that say which table, row and case one comes from.
TABLE, ROW, CASE = "table", "row", "case_id"
#: Tables whose rows are events.
BY_EVENT = ("findings", "labels", "actions")

_CORE = ("subject_id", "time", "code", "numeric_value", "text_value", TABLE, ROW, CASE)
# A finding's time and text are MEDS's own; its code stands beside the code of MEDS, which says its state as well.
_FINDINGS: Mapping[str, str] = MappingProxyType(
    {"case_id": CASE, "time": "time", "text": "text_value", "code": "finding"}
)


def column_of(table: str, column: str) -> str:
    """Column of an event that holds a column of a table.

    Examples
    --------
    >>> column_of("findings", "status"), column_of("findings", "text"), column_of("labels", "status")
    ('status', 'text_value', 'labels.status')
    """
    if column == "case_id":
        return CASE
    if table == "findings":
        if column in _FINDINGS:
            return _FINDINGS[column]
        taken = column in (*_CORE, "finding") or column.partition(".")[0] in BY_EVENT
        return f"findings.{column}" if taken else column
    return "time" if column == "time" else f"{table}.{column}"
