"""What of a case the encoder knows: findings recorded, codes not understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from diagnosis.features.assemble import Entries
from diagnosis.features.columns import Layout
from diagnosis.features.context import CaseContext
from diagnosis.features.rows import batches, finding_key, map_distinct, pair_names
from diagnosis.features.states import known_findings
from diagnosis.features.values import encode_values
from diagnosis.records.arrays import distinct

if TYPE_CHECKING:
    from diagnosis.records.coded import CodedFindings


def recorded_matrix(layout: Layout, coded: CodedFindings, context: CaseContext, history: Entries | None) -> csr_matrix:
    """Mark with 1 which of the lineage's keys each case records; shape (n_cases, n_keys), int8.

    A finding over time counts as recorded where the case has an entry of it; `history` holds those.
    """
    lineage = layout.lineage
    keys, n_context = lineage.keys, int(lineage.context.sum())
    known = [np.flatnonzero(context.known(str(part))) for part in keys[:n_context][~lineage.history[:n_context]]]
    cases: list[NDArray[np.integer]] = list(known)
    columns: list[NDArray[np.integer]] = [np.full(len(rows), i) for i, rows in enumerate(known)]
    if history is not None:
        of_key = distinct(history.case.astype(np.int64) * len(keys) + lineage.finding[history.column])
        cases.append(of_key // len(keys))
        columns.append(of_key % len(keys))
    for batch in batches(coded):
        finding = known_findings(batch, layout)
        rows = np.flatnonzero(finding >= 0)
        cases.append(batch.case[rows] + batch.first_case)
        columns.append(finding[rows] + n_context)
    where = (np.concatenate([[], *cases]).astype(np.int64), np.concatenate([[], *columns]).astype(np.int64))
    return csr_matrix((np.ones(len(where[0]), np.int8), where), shape=(len(context.years), len(keys)))


def unknown_codes(layout: Layout, coded: CodedFindings) -> list[tuple[str, ...]]:
    """Return for each case the keys of its findings that the encoder has no column for, sorted.

    With a hierarchy, a finding without a column of its own that says something of one with a column is not unknown.
    """
    found: list[tuple[str, ...]] = [()] * (len(coded.offsets) - 1)
    for batch in batches(coded):
        finding = known_findings(batch, layout)
        rows = np.flatnonzero(finding < 0)
        if layout.spread is not None and len(rows):
            rows = np.setdiff1d(rows, layout.spread.implied(batch).row)
        if not len(rows):
            continue
        keys: list[str] = []

        def number(pair: int, keys: list[str] = keys, source: CodedFindings = coded) -> int:
            keys.append(finding_key(*pair_names(source, pair)))
            return len(keys) - 1

        unknown = map_distinct(batch.pair[rows], number)
        case = batch.case[rows]  # rows are sorted by case
        starts = np.flatnonzero(np.diff(case, prepend=-1))
        for first, group in zip(case[starts].tolist(), np.split(unknown, starts[1:]), strict=True):
            found[batch.first_case + first] = tuple(sorted(keys[i] for i in group.tolist()))
    return found


def unconverted_counts(layout: Layout, coded: CodedFindings) -> NDArray[np.int64]:
    """Count for each case the values that are not used: not convertible, not finite, or of a unit that is in doubt."""
    counts = np.zeros(coded.n_cases, np.int64)
    for batch in batches(coded):
        lost = encode_values(batch, known_findings(batch, layout), layout.scales).not_used
        here = slice(batch.first_case, batch.first_case + batch.n_cases)
        counts[here] = np.bincount(batch.case[lost], minlength=batch.n_cases)
    return counts


def inherited_from(layout: Layout, coded: CodedFindings) -> list[dict[str, tuple[str, ...]]]:
    """Return for each case the lineage keys it does not record and yet has cells of, with the findings they come from.

    The findings stand under their keys, sorted; empty without a hierarchy.
    """
    found: list[dict[str, tuple[str, ...]]] = [{} for _ in range(coded.n_cases)]
    if layout.spread is None:
        return found
    for batch in batches(coded):
        inherited = layout.spread.inherit(batch, known_findings(batch, layout))
        for row, finding in sorted(zip(inherited.row.tolist(), inherited.finding.tolist(), strict=True)):
            own = finding_key(*pair_names(coded, int(batch.pair[row])))
            of_case, key = found[batch.first_case + int(batch.case[row])], layout.findings[finding].key
            of_case[key] = tuple(sorted({*of_case.get(key, ()), own}))
    return found
