"""Cases made ready: what counting and encoding look at, and no more, so that both can do with one reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.features.assemble import Entries, SortedRows, max_cases, sorted_rows
from diagnosis.features.columns import Layout
from diagnosis.features.context import CaseContext, context_entries, read_context
from diagnosis.features.reference import with_ranges
from diagnosis.features.rows import all_true, batches
from diagnosis.features.states import finding_entries
from diagnosis.features.states_only import PackedStates, beside, has_states_only, pack_states, state_rows
from diagnosis.features.windows import of_cases
from diagnosis.records.coded import CodedFindings, blank, is_blank, offsets_of

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["RangeWords", "Ready", "encode_ready", "made_ready"]

#: What the vocabulary says of each code: unit and LOINC code.
RangeWords = Mapping[str, tuple[str | None, str | None]]
_ROWS = ("code", "status", "value", "unit", "text", "subject", "ref_low", "ref_high", "interpretation", "onset")


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """Some cases: their context, and the findings that count, with the reference range of each value.

    Attributes
    ----------
    context : CaseContext
    findings : PackedStates or CodedFindings
    """

    context: CaseContext
    findings: PackedStates | CodedFindings

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        found, cases = self.findings, self.context
        own: list[NDArray[Any]] = [cases.years, cases.band, cases.sex, cases.pregnant]
        if isinstance(found, PackedStates):
            own += [found.counts, found.slots]
        else:
            own += [found.offsets, found.case, *(getattr(found, name) for name in _ROWS)]
        return sum(0 if is_blank(one) else one.nbytes for one in own)


def made_ready(records: Records, words: RangeWords, *, pack: bool = True) -> Ready:
    """Take what counts from records; `words` are asked for reference ranges, `pack` allows the short way."""
    if pack and has_states_only(records.coded):
        return Ready(read_context(records), pack_states(records.coded))
    return Ready(read_context(records), _those_that_count(with_ranges(records, words)))


def _those_that_count(coded: CodedFindings) -> CodedFindings:
    if all_true(coded.latest):
        return coded
    rows = np.flatnonzero(coded.latest)
    case = coded.case[rows]
    return replace(
        coded,
        offsets=offsets_of(case, coded.n_cases),
        case=case,
        code=coded.code[rows],
        status=coded.status[rows],
        value=_taken(coded.value, rows),
        unit=_taken(coded.unit, rows),
        text=_taken(coded.text, rows),
        subject=_taken(coded.subject, rows),
        latest=blank(np.True_, len(rows)),
        ref_low=_taken(coded.ref_low, rows),
        ref_high=_taken(coded.ref_high, rows),
        interpretation=_taken(coded.interpretation, rows),
        onset=_taken(coded.onset, rows),
    )


def _taken(column: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    return column[: len(rows)] if is_blank(column) else column[rows]


def encode_ready(ready: Ready, layout: Layout, history: Entries | None = None) -> SortedRows:
    """Encode cases: entries a row, and the columns and data of the entries, sorted by case and column."""
    context, found = ready.context, ready.findings
    if isinstance(found, PackedStates):
        own = sorted_rows(context_entries(context, layout.context), len(context.years), len(layout.context.columns()))
        return beside(own, state_rows(found, layout))
    parts = []
    for batch in batches(found, max_cases=max_cases(layout.n_columns)):
        here = context[batch.first_case : batch.first_case + batch.n_cases]
        entries = [context_entries(here, layout.context), finding_entries(batch, layout)]
        if history is not None:
            entries.append(of_cases(history, batch.first_case, batch.n_cases))
        parts.append(sorted_rows(Entries.concatenate(entries), batch.n_cases, layout.n_columns))
    if len(parts) == 1:
        return parts[0]
    empty: SortedRows = (np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    counts, indices, data = (np.concatenate(arrays) for arrays in zip(empty, *parts, strict=True))
    return counts, indices, data
