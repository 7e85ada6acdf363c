"""The short way for findings that carry nothing but a state: no values, texts, ranges or onsets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diagnosis.features.assemble import SortedRows, max_cases
from diagnosis.features.columns import Layout
from diagnosis.features.rows import all_true
from diagnosis.records.coded import CodedFindings, is_blank

__all__ = ["PackedStates", "beside", "count_states", "has_states_only", "pack_states", "state_rows"]

Finding = tuple[str, str | None]
_STATES = ("present", "absent", "uncertain")
# Places kept for each finding, so that a place is found by shifting bits.
_SLOTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class PackedStates:
    """Findings of some cases in two or four bytes each: what counting and encoding look at.

    Attributes
    ----------
    names : tuple of (code, subject)
        What numbers of findings stand for; some may stand in no row.
    counts : ndarray of int32, shape (n_cases,)
        Rows of each case.
    slots : ndarray of uint16 or int32, shape (n_rows,)
        Finding and state of each row that counts, by case.
    """

    names: tuple[Finding, ...]
    counts: NDArray[np.int32]
    slots: NDArray[np.integer]


def has_states_only(coded: CodedFindings) -> bool:
    """Whether no row has more than a state (and a time, and a subject)."""
    more = (coded.value, coded.text, coded.interpretation, coded.ref_low, coded.ref_high, coded.onset)
    return all(is_blank(column) for column in more) and len(coded) >= len(coded.codes)


def pack_states(coded: CodedFindings) -> PackedStates:
    """Pack findings that have nothing but a state."""
    names = _names(coded)
    number = coded.code if is_blank(coded.subject) else _numbers(coded)
    slots: NDArray[np.integer] = number * np.int32(_SLOTS) + coded.status
    if len(names) * _SLOTS <= 1 << 16:
        slots = slots.astype(np.uint16)
    if all_true(coded.latest):
        return PackedStates(names, np.diff(coded.offsets).astype(np.int32), slots)
    kept = np.concatenate([[0], np.cumsum(coded.latest)])[coded.offsets]
    return PackedStates(names, np.diff(kept).astype(np.int32), slots[coded.latest])


def count_states(packed: PackedStates) -> NDArray[np.int64]:
    """Count rows by finding and state, shape (n_names, 3)."""
    n = len(packed.names)
    return np.bincount(packed.slots, minlength=n * _SLOTS).reshape(n, _SLOTS)[:, : len(_STATES)]


def state_rows(packed: PackedStates, layout: Layout) -> SortedRows:
    """Encode findings that have nothing but a state."""
    of_finding = np.stack([layout.column[state] for state in (*_STATES, _STATES[0])], axis=1)
    known = [layout.index.get(name, -1) for name in packed.names]
    column = np.take(of_finding[known].ravel(), packed.slots)
    counts = packed.counts
    if not len(column) or column.min() < 0:
        has = column >= 0
        counts = np.diff(np.concatenate([[0], np.cumsum(has)])[np.concatenate([[0], np.cumsum(counts)])])
        column = column[has]
    ends = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    most = max_cases(layout.n_columns)
    indices = np.empty(len(column), np.int32)
    for first in range(0, len(counts), most):
        here = slice(int(ends[first]), int(ends[min(first + most, len(counts))]))
        indices[here] = _sorted_columns(column[here], counts[first : first + most], layout.n_columns)
    return counts.astype(np.int64), indices, np.broadcast_to(np.float32(1), len(indices))


def _sorted_columns(column: NDArray[np.int32], counts: NDArray[np.integer], n_columns: int) -> NDArray[np.int32]:
    """Sort the columns of each case: case and column in one number, so that plain numbers are sorted."""
    bits = np.uint32(max(n_columns - 1, 1).bit_length())
    key = np.repeat(np.arange(len(counts), dtype=np.uint32) << bits, counts)
    key |= column.view(np.uint32)
    key.sort()
    key &= np.uint32((1 << int(bits)) - 1)
    return key.view(np.int32)


def _names(coded: CodedFindings) -> tuple[Finding, ...]:
    """What each number of `_numbers` stands for."""
    codes = coded.codes.tolist()
    subjects = [None] if is_blank(coded.subject) else [None, *coded.subjects.tolist()]
    return tuple((code, subject) for subject in subjects for code in codes)


def _numbers(coded: CodedFindings) -> NDArray[np.int32]:
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
