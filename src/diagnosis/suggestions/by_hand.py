"""Cases made by hand -> records, findings named by their names turned into codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from diagnosis.errors import InputError, UnknownCodeError
from diagnosis.records import Case, Finding, Records
from diagnosis.vocabulary import Vocabulary

__all__ = ["records_by_hand"]


def records_by_hand(cases: Sequence[Case], words: Vocabulary) -> Records:
    """Take cases by hand; a finding that goes by a name or synonym of `words` gets its code."""
    for one in cases:
        if not isinstance(one, Case):
            raise InputError(
                "records or cases", f"found {type(one).__name__}", "give Records, a Case, or a list of Cases"
            )
    return Records.from_cases([replace(c, findings=[_coded(f, words) for f in c.findings]) for c in cases])


def _coded(finding: Finding, words: Vocabulary) -> Finding:
    try:
        return replace(finding, code=words.resolve(finding.code))
    except UnknownCodeError:
        return finding
