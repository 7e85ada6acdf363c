"""One plain case by hand -> its records, without the checks that it cannot fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from diagnosis.records.case import Case, Finding
from diagnosis.records.layout import Column
from diagnosis.records.records import Records
from diagnosis.records.report import Report, TableCount
from diagnosis.records.schema import FORMAT, TABLES
from diagnosis.vocabulary import Vocabulary

__all__ = ["plain_records"]

_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "code": (str,),
    "choice": (str,),
    "number": (float, int),
    "integer": (int,),
    "time": (datetime,),
}
_LARGEST = 1e300
_YEARS = range(1900, 2200)
_OF_CASE = tuple(f.name for f in fields(Case) if f.name not in ("findings", "differential"))
_OF_FINDING = tuple(f.name for f in fields(Finding))


def plain_records(case: Case) -> Records | None:
    """Return the records of one case, many times faster than `Records.from_cases`.

    The tables are the same; the report counts the rows and holds no warnings.

    Returns
    -------
    Records or None
        None where something has to be looked at: a part that is not of its column's type or beyond its bounds, a
        reference list, a finding both present and absent.
    """
    if not case.case_id or case.differential is not None or not _agree(case.findings):
        return None
    cases, findings = _table([case], _OF_CASE, "cases"), _table(case.findings, _OF_FINDING, "findings")
    if cases is None or findings is None:
        return None
    tables = {"cases": cases, "findings": findings}
    counts = {name: TableCount(len(table), len(table)) for name, table in tables.items()}
    where = np.zeros(len(findings), np.int32)
    return Records(tables, where, info={"format": FORMAT}, vocabulary=Vocabulary(), report=Report((), counts))


def _agree(findings: Sequence[Finding]) -> bool:
    """Whether no code is both present and absent; where one is, it may be a course and may be a contradiction."""
    status: dict[str, set[str]] = {}
    for one in findings:
        status.setdefault(one.code, set()).add(one.status)
    return all(len(found) == 1 or not {"present", "absent"} <= found for found in status.values())


def _table(rows: Sequence[Case] | Sequence[Finding], names: Sequence[str], table: str) -> pa.Table | None:
    columns: dict[str, pa.Array] = {}
    for name in names:
        given, column = [getattr(one, name) for one in rows], TABLES[table].columns[name]
        if not column.required and all(one is None for one in given):
            continue
        if not all(_fits(one, column) for one in given):
            return None
        columns[name] = pa.array(given, column.arrow)
    return pa.table(columns)


def _fits(given: Any, column: Column) -> bool:
    """Whether it is empty where it may be, and otherwise of the column's type and within its bounds."""
    if given is None:
        return not column.required
    if type(given) not in _TYPES[column.type]:
        return False
    if isinstance(given, str):
        return given.isprintable() and given != ""
    if isinstance(given, datetime):
        return given.year in _YEARS
    low = -_LARGEST if column.low is None else column.low
    return bool(low <= given <= (_LARGEST if column.high is None else column.high))
