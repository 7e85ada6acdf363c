"""The short way for findings that carry nothing but a state: no values, texts, ranges or subjects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagnosis.features.assemble import SortedRows, first_from
from diagnosis.features.columns import Layout
from diagnosis.features.rows import all_true
from diagnosis.records.coded import CodedFindings, is_blank

__all__ = ["beside", "count_states", "has_states_only", "state_rows"]

Finding = tuple[str, str | None]
_STATES = ("present", "absent", "uncertain")
# Places kept for each finding, so that a place is found by shifting bits.
_SLOTS = 4


def has_states_only(coded: CodedFindings) -> bool:
    """Whether no row has more than a state (and a time, and a subject)."""
    more = (coded.value, coded.text, coded.interpretation, coded.ref_low, coded.ref_high, coded.onset)
    return all(is_blank(column) for column in more) and len(coded) >= len(coded.codes)


def count_states(coded: CodedFindings) -> tuple[list[Finding], NDArray[np.int64]]:
    """Name the findings that there may be, and count the rows that count by finding and state, (n_findings, 3)."""
    rows, names = _rows(coded), _names(coded)
    number = _numbers(coded)[rows] * np.int32(len(_STATES)) + coded.status[rows]
    return names, np.bincount(number, minlength=len(names) * len(_STATES)).reshape(-1, len(_STATES))


def state_rows(coded: CodedFindings, layout: Layout) -> SortedRows | None:
    """Encode findings that have nothing but a state; None where case and column do not fit into 32 bits."""
    of_finding = np.stack([layout.column[state] for state in (*_STATES, _STATES[0])], axis=1)
    of_finding[-1] = -1
    columns = of_finding.ravel()
    bits = max(len(columns) - 1, 1).bit_length()
    if coded.n_cases > 1 << (32 - bits):
        return None
    rows = _rows(coded)
    places = [layout.index.get(name, len(of_finding) - 1) * _SLOTS for name in _names(coded)]
    slot = np.take(np.array(places, np.int32), _numbers(coded)[rows])
    slot += coded.status[rows]
    key = coded.case[rows].astype(np.uint32)
    key <<= np.uint32(bits)
    key |= slot.view(np.uint32)
    has_column = np.take(columns, slot) >= 0
    if not has_column.all():
        key = key[has_column]
    key.sort()
    starts = np.arange(coded.n_cases + 1, dtype=np.uint64) << np.uint64(bits)
    counts = np.diff(first_from(key, starts))
    key &= np.uint32((1 << bits) - 1)
    return counts, np.take(columns, key.view(np.int32)), np.broadcast_to(np.float32(1), len(key))


def _rows(coded: CodedFindings) -> slice | NDArray[np.intp]:
    return slice(None) if all_true(coded.latest) else np.flatnonzero(coded.latest)


def _names(coded: CodedFindings) -> list[Finding]:
    """What each number of `_numbers` stands for."""
    codes = coded.codes.tolist()
    subjects = [None] if is_blank(coded.subject) else [None, *coded.subjects.tolist()]
    return [(code, subject) for subject in subjects for code in codes]


def _numbers(coded: CodedFindings) -> NDArray[np.int32]:
    if is_blank(coded.subject):
        return coded.code
    return (coded.subject + np.int32(1)) * np.int32(len(coded.codes)) + coded.code


def beside(left: SortedRows, right: SortedRows) -> SortedRows:
    """Put rows next to each other, all columns of the left ones being below those of the right."""
    if not len(left[1]):
        return right
    counts = left[0] + right[0]
    before = np.cumsum(right[0]) - right[0]
    at = np.arange(len(left[1])) + np.repeat(before, left[0])
    rest = np.ones(len(left[1]) + len(right[1]), bool)
    rest[at] = False
    indices, data = np.empty(len(rest), np.int32), np.ones(len(rest), np.float32)
    indices[at], indices[rest] = left[1], right[1]
    data[at] = left[2]
    if right[2].strides != (0,):
        data[rest] = right[2]
    return counts, indices, data
