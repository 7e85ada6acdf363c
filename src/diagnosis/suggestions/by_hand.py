"""Cases made by hand -> records, findings named by their names turned into codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from diagnosis.errors import InputError, RecordsError, UnknownCodeError
from diagnosis.records import Case, Finding, Problem, Records
from diagnosis.records.plain_case import plain_records
from diagnosis.vocabulary import Vocabulary

__all__ = ["ByHand", "records_by_hand"]

_SHOWN = 5
# The name of a case that was given none.
_UNNAMED = Case().case_id


@dataclass(frozen=True, slots=True)
class ByHand:
    """Cases by hand whose findings go by codes (none: they came as records), and the same as records."""

    cases: tuple[Case, ...]
    records: Records


def records_by_hand(cases: Sequence[Case], words: Vocabulary) -> ByHand:
    """Take cases by hand; a finding that goes by a name or synonym of `words` gets its code.

    Raises
    ------
    RecordsError
        A case or a finding cannot be; it is named by its place, as whoever wrote it knows no table.
    """
    try:
        cases = tuple(cases)
    except TypeError:
        found = f"found {type(cases).__name__}"
        raise InputError("records or cases", found, "give Records, a Case, or a list of Cases") from None
    for one in cases:
        if not isinstance(one, Case):
            raise InputError(
                "records or cases", f"found {type(one).__name__}", "give Records, a Case, or a list of Cases"
            )
    coded = tuple(_coded_case(c, words) for c in _numbered(cases))
    made = plain_records(coded[0]) if len(coded) == 1 else None
    try:
        return ByHand(coded, Records.from_cases(coded) if made is None else made)
    except RecordsError as error:
        said = "; ".join(_said(problem, cases) for problem in error.report.errors)
        do = "correct it and ask again"
        raise RecordsError("asked about a case by hand", said, do, report=error.report) from None


def _numbered(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """Give several cases that were given no name of their own a number each."""
    unnamed = [case.case_id == _UNNAMED for case in cases]
    if sum(unnamed) < 2:
        return cases
    return tuple(
        replace(case, case_id=f"{_UNNAMED} {i}") if same else case
        for i, (case, same) in enumerate(zip(cases, unnamed, strict=True), start=1)
    )


def _coded_case(case: Case, words: Vocabulary) -> Case:
    if all(f.code in words.findings for f in case.findings):
        return case
    return replace(case, findings=[_coded(f, words) for f in case.findings])


def _coded(finding: Finding, words: Vocabulary) -> Finding:
    if finding.code in words.findings:
        return finding
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
