"""Cases and findings -> `Records`, with the words of the release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from diagnosis.readers.ddxplus.codebook import Codebook
from diagnosis.readers.ddxplus.findings import Findings
from diagnosis.readers.ddxplus.words import Conditions, vocabulary_of
from diagnosis.records import Problem, Records
from diagnosis.records.report import TableCount

__all__ = ["assemble"]


def assemble(
    cases: pa.Table,
    found: Findings,
    book: Codebook,
    conditions: Conditions,
    info: Mapping[str, Any],
    *,
    problems: Sequence[Problem] = (),
    read: int | None = None,
    quarantine: str | None = None,
) -> Records:
    """Records of cases, which are checked like any others, and of findings, which are right by construction.

    Findings are one row for each case and code, sorted, of known states, with values only where present: checking tens
    of millions of such rows again would take longer than making them.

    Parameters
    ----------
    cases : pa.Table
    found : Findings
    book : Codebook
    conditions : Conditions
    info : mapping
        For ``records.json``.
    problems : sequence of Problem
        What the reader saw.
    read : int, optional
        Rows of patients that were read, those set aside among them; all are loaded where not given.
    quarantine : str, optional
        The file that holds what was set aside.
    """
    none = found.table.slice(0, 0).add_column(0, "case_id", pa.array([], pa.string()))
    words = {"vocabulary": vocabulary_of(book.questions), "diagnoses": conditions.table}
    checked = Records.from_tables({"cases": cases, "findings": none, **words}, info)
    n = len(found.table)
    counts = {
        **checked.report.counts,
        "cases": TableCount(len(cases) if read is None else read, len(cases)),
        "findings": TableCount(n, n),
    }
    seen = [p for p in checked.report.problems if p.kind != "no_findings" or not n]  # they were left out of the checks
    report = replace(checked.report, problems=(*problems, *seen), counts=counts, quarantine=quarantine)
    tables = {name: found.table if name == "findings" else checked.arrow(name) for name in checked.names}
    return Records(tables, found.case, info=checked.info, vocabulary=checked.vocabulary, report=report)
