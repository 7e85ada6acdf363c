"""Rows of findings -> entries of the matrix: states, texts, values, high and low."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagnosis.features.assemble import Entries
from diagnosis.features.columns import Layout
from diagnosis.features.hierarchy import Inherited
from diagnosis.features.ranges import distances, high_low
from diagnosis.features.rows import ABSENT, PRESENT, FindingRows, map_distinct, map_pairs
from diagnosis.features.values import encode_values, onset_rows
from diagnosis.records.coded import is_blank

# A row's state as a number: its status, or MEASURED where it carries a value.
MEASURED = 3
ROW_STATES = ("present", "absent", "uncertain", "measured")


def row_state(batch: FindingRows) -> NDArray[np.int8]:
    """Return the state of each row as a position in `ROW_STATES`.

    With a value *present* means *measured*: the row says nothing of too high or too low.
    """
    valued = batch.valued
    some = not is_blank(valued) and valued.any()
    return np.where(valued, np.int8(MEASURED), batch.status) if some else batch.status


def known_findings(batch: FindingRows, layout: Layout) -> NDArray[np.int32]:
    """Number each row's finding as the layout does; -1 where the encoder does not know it."""
    return map_pairs(batch, lambda code, subject: layout.index.get((code, subject), -1))


def finding_entries(batch: FindingRows, layout: Layout) -> Entries:
    """Return all entries that a batch's findings make."""
    finding = known_findings(batch, layout)
    parts = [_state_entries(batch, finding, layout)]
    if not is_blank(batch.text) and (batch.text >= 0).any():
        parts.append(_text_entries(batch, finding, layout))
    if layout.scales.scaled.any():
        values = encode_values(batch, finding, layout.scales)
        rows = values.rows
        parts.append(Entries.of(batch.case[rows], layout.column["value"][finding[rows]], values.encoded))
    if max(layout.column["high"].max(), layout.column["low"].max()) >= 0:
        for state, marked in zip(("high", "low"), high_low(batch), strict=True):
            parts.append(_ones(batch.case, np.where(marked, layout.column[state][finding], -1)))
    if layout.spread is not None:
        parts += _inherited_entries(batch, layout.spread.inherit(batch, finding), layout)
    if layout.onsets.scaled.any():
        rows = onset_rows(batch)
        rows = rows[layout.onsets.scaled[finding[rows]]]
        which = finding[rows]
        onset = layout.onsets.encode(batch.onset[rows], which)
        parts.append(Entries.of(batch.case[rows], layout.column["onset"][which], onset))
    if layout.column["z"].max() >= 0:
        parts.append(_distance_entries(batch, finding, layout))
    return Entries.concatenate(parts)


def _state_entries(batch: FindingRows, finding: NDArray[np.int32], layout: Layout) -> Entries:
    by_state = np.stack([layout.column[state] for state in ROW_STATES], axis=1).ravel()
    return _ones(batch.case, by_state[finding * np.int32(len(ROW_STATES)) + row_state(batch)])


def _text_entries(batch: FindingRows, finding: NDArray[np.int32], layout: Layout) -> Entries:
    rows = np.flatnonzero((batch.text >= 0) & (batch.status == PRESENT) & (finding >= 0))
    n_texts = len(batch.source.texts)

    def column_of(number: int) -> int:
        which, text = divmod(number, n_texts)
        return layout.text.get((which, str(batch.source.texts[text])), -1)

    return _ones(batch.case[rows], map_distinct(finding[rows].astype(np.int64) * n_texts + batch.text[rows], column_of))


def _inherited_entries(batch: FindingRows, inherited: Inherited, layout: Layout) -> list[Entries]:
    parts = []
    for status, state in ((PRESENT, "present"), (ABSENT, "absent")):
        case, finding = inherited.cells(batch.case, len(layout.findings), status)
        parts.append(Entries.ones(case, layout.column[state][finding]))
    return parts


def _distance_entries(batch: FindingRows, finding: NDArray[np.int32], layout: Layout) -> Entries:
    rows, distance = distances(batch)
    column = layout.column["z"][finding[rows]]
    has = np.flatnonzero(column >= 0)
    return Entries.of(batch.case[rows[has]], column[has], distance[has])


def _ones(case: NDArray[np.int32], column: NDArray[np.int32]) -> Entries:
    """Entries of 1 in the columns given, none where the column is -1."""
    if not len(column) or column.min() >= 0:
        return Entries.ones(case, column)
    rows = np.flatnonzero(column >= 0)
    return Entries.ones(case[rows], column[rows])
