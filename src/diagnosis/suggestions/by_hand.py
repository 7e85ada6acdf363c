"""Cases made by hand -> records, findings named by their names turned into codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from diagnosis.errors import InputError, RecordsError, UnknownCodeError
from diagnosis.records import Case, Finding, Problem, Records
from diagnosis.vocabulary import Vocabulary

__all__ = ["records_by_hand"]

_SHOWN = 5


def records_by_hand(cases: Sequence[Case], words: Vocabulary) -> Records:
    """Take cases by hand; a finding that goes by a name or synonym of `words` gets its code.

    Raises
    ------
    RecordsError
        A case or a finding cannot be; it is named by its place, as whoever wrote it knows no table.
    """
    for one in cases:
        if not isinstance(one, Case):
            raise InputError(
                "records or cases", f"found {type(one).__name__}", "give Records, a Case, or a list of Cases"
            )
    coded = [replace(c, findings=[_coded(f, words) for f in c.findings]) for c in cases]
    try:
        return Records.from_cases(coded)
    except RecordsError as error:
        said = "; ".join(_said(problem, cases) for problem in error.report.errors)
        do = "correct it and ask again"
        raise RecordsError("asked about a case by hand", said, do, report=error.report) from None


def _coded(finding: Finding, words: Vocabulary) -> Finding:
    try:
        return replace(finding, code=words.resolve(finding.code))
    except UnknownCodeError:
        return finding


def _said(problem: Problem, cases: Sequence[Case]) -> str:
    """What is wrong, and with which finding of which case."""
    places = [(i, j) for i, case in enumerate(cases, start=1) for j in range(1, len(case.findings) + 1)]
    which = []
    for row in problem.rows[:_SHOWN]:
        case, finding = places[row - 1] if problem.table == "findings" else (row, 0)
        of = "the case" if len(cases) == 1 else f"case {case}"
        which.append(f"finding {finding} of {of}" if finding else of)
    more = f" and {len(problem.rows) - _SHOWN:,} more" if len(problem.rows) > _SHOWN else ""
    near = f" (nearest: {', '.join(problem.near)})" if problem.near else ""
    return f"{', '.join(which)}{more}: {problem.column} {problem.says}{near}"
