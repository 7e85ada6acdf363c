"""Cases made by hand -> tables of format 1, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from diagnosis.errors import InputError
from diagnosis.records.case import Case, Finding

__all__ = ["case_of_rows", "tables_of"]

_ALWAYS = frozenset({"case_id", "code", "status"})


def tables_of(cases: Sequence[Case]) -> dict[str, dict[str, list[Any]]]:
    """Cases as columns of `cases` and `findings`; columns nobody fills are left out."""
    for one in cases:
        if not isinstance(one, Case):
            raise InputError("cases made by hand", f"found {type(one).__name__}", "give a list of Case")
    rows = {f.name: [getattr(c, f.name) for c in cases] for f in fields(Case) if f.name != "findings"}
    findings = {f.name: [getattr(one, f.name) for c in cases for one in c.findings] for f in fields(Finding)}
    findings["case_id"] = [c.case_id for c in cases for _ in c.findings]
    return {"cases": _filled(rows), "findings": _filled(findings)}


def _filled(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    # As text each time keeps its own zone, or the lack of one.
    return {
        name: [one.isoformat() if isinstance(one, datetime) else one for one in values]
        for name, values in columns.items()
        if name in _ALWAYS or any(one is not None for one in values)
    }


def case_of_rows(case: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> Case:
    """One row of `cases` and its rows of `findings` as a Case; columns a Case does not have are left out."""
    given = _known(case, Case)
    if given.get("differential") is not None:
        given["differential"] = tuple((d["diagnosis"], d["probability"]) for d in given["differential"])
    return Case(findings=[Finding(**_known(row, Finding)) for row in findings], **given)


def _known(row: Mapping[str, Any], kind: type[Case] | type[Finding]) -> dict[str, Any]:
    names = {f.name for f in fields(kind)} - {"findings"}
    return {k: v for k, v in row.items() if k in names and v is not None}
