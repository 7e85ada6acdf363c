"""The finding rows that count, a batch of cases at a time, and the keys their columns are named after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.records.coded import blank, is_blank

if TYPE_CHECKING:
    from diagnosis.records.coded import CodedFindings

PRESENT, ABSENT, UNCERTAIN = 0, 1, 2
BATCH_ROWS = 1 << 19

_SUBJECTS = ("patient", "family", "mother", "fetus", "contact")
_PREFIXES = tuple(f"{subject}/" for subject in _SUBJECTS)


def finding_key(code: str, subject: str | None = None) -> str:
    """Return the name under which a finding is encoded: the code, or ``subject/CODE`` for another than the patient.

    Two findings never share a key: a code of the patient that itself starts like a subject gets ``patient/`` before it.

    Examples
    --------
    >>> finding_key("asthma"), finding_key("asthma", "mother"), finding_key("mother/asthma")
    ('asthma', 'mother/asthma', 'patient/mother/asthma')
    """
    if subject is None and not code.startswith(_PREFIXES):
        return code
    return f"{subject or 'patient'}/{code}"


@dataclass(frozen=True, slots=True, eq=False)
class FindingRows:
    """The rows of a batch of cases that count: one for each case, code and subject, the latest.

    Attributes
    ----------
    first_case, n_cases : int
        Which cases of the records the batch holds.
    case : ndarray of int32
        Row to case, 0 for the first case of the batch.
    pair : ndarray of int
        Code and subject in one number, see `pair_names`.
    status, value, unit, text, ref_low, ref_high, interpretation, onset : ndarray
        As in the coded findings.
    source : CodedFindings
        Holds the texts that the numbers stand for.
    """

    first_case: int
    n_cases: int
    case: NDArray[np.int32]
    pair: NDArray[np.integer]
    status: NDArray[np.int8]
    value: NDArray[np.float64]
    unit: NDArray[np.int32]
    text: NDArray[np.int32]
    ref_low: NDArray[np.float64]
    ref_high: NDArray[np.float64]
    interpretation: NDArray[np.int8]
    onset: NDArray[np.float64]
    source: CodedFindings

    @property
    def valued(self) -> NDArray[np.bool_]:
        """Which rows carry a value, so that *present* means *measured*."""
        if is_blank(self.value):
            return blank(np.False_, len(self.value))
        return (self.status == PRESENT) & ~np.isnan(self.value)


def batches(coded: CodedFindings, *, rows: int = BATCH_ROWS, max_cases: int | None = None) -> Iterator[FindingRows]:
    """Cut coded findings into batches of whole cases with about `rows` rows and at most `max_cases` cases each."""
    offsets = coded.offsets
    n_cases = len(offsets) - 1
    start = 0
    while start < n_cases:
        stop = int(np.searchsorted(offsets, offsets[start] + rows, side="right")) - 1
        stop = min(max(stop, start + 1), n_cases)
        if max_cases is not None:
            stop = min(stop, start + max_cases)
        yield _batch(coded, start, stop)
        start = stop


def all_rows(coded: CodedFindings) -> FindingRows:
    """Return every row of all cases, also those that do not count because a later one does."""
    return _batch(coded, 0, coded.n_cases, blank(np.True_, len(coded)))


def _batch(coded: CodedFindings, start: int, stop: int, counts: NDArray[np.bool_] | None = None) -> FindingRows:
    here = slice(int(coded.offsets[start]), int(coded.offsets[stop]))
    latest = (coded.latest if counts is None else counts)[here]
    keep: slice | NDArray[np.intp] = slice(None) if all_true(latest) else np.flatnonzero(latest)
    code, subject = coded.code[here][keep], coded.subject[here][keep]
    own = is_blank(subject) or bool((subject < 0).all())
    pair = code if own else (subject.astype(np.int64) + 1) * len(coded.codes) + code
    return FindingRows(
        first_case=start,
        n_cases=stop - start,
        case=coded.case[here][keep] - np.int32(start),
        pair=pair,
        status=coded.status[here][keep],
        value=coded.value[here][keep],
        unit=coded.unit[here][keep],
        text=coded.text[here][keep],
        ref_low=coded.ref_low[here][keep],
        ref_high=coded.ref_high[here][keep],
        interpretation=coded.interpretation[here][keep],
        onset=coded.onset[here][keep],
        source=coded,
    )


def pair_names(source: CodedFindings, pair: int) -> tuple[str, str | None]:
    """Return the code and the subject (None: the patient) that a pair number stands for."""
    subject, code = divmod(pair, len(source.codes))
    return str(source.codes[code]), str(source.subjects[subject - 1]) if subject else None


def all_true(mask: NDArray[np.bool_]) -> bool:
    """Whether every row is marked, at no cost where all are alike."""
    return bool(mask[:1].all()) if is_blank(mask) else bool(mask.all())


def unit_text(batch: FindingRows, unit: int) -> str | None:
    """Return the unit a number stands for; None for -1."""
    return None if unit < 0 else str(batch.source.units[unit])


def map_pairs(rows: FindingRows, name_to_index: Callable[[str, str | None], int]) -> NDArray[np.int32]:
    """Number every row by its finding; `name_to_index` is asked once for each distinct (code, subject)."""
    codes, n = rows.source.codes, len(rows.source.codes)
    if rows.pair.dtype == np.int32 and len(rows.pair) >= n:  # of the patient all of them: a pair is a code
        used = np.flatnonzero(np.bincount(rows.pair, minlength=n))
        table = np.full(n, -1, np.int32)
        table[used] = [name_to_index(code, None) for code in codes[used].tolist()]
        return table[rows.pair]
    return map_distinct(rows.pair, lambda pair: name_to_index(*pair_names(rows.source, pair)))


def map_distinct(numbers: NDArray[np.integer], index_of: Callable[[int], int]) -> NDArray[np.int32]:
    """Apply `index_of` to non-negative integers, calling it once for each distinct one, in ascending order."""
    if not len(numbers):
        return np.empty(0, np.int32)
    if int(numbers.max()) > 4 * len(numbers):
        distinct, back = np.unique(numbers, return_inverse=True)
        table = np.fromiter((index_of(number) for number in distinct.tolist()), np.int32, len(distinct))
        return table[back]
    used = np.flatnonzero(np.bincount(numbers))
    table = np.full(int(used[-1]) + 1, -1, np.int32)
    table[used] = np.fromiter((index_of(number) for number in used.tolist()), np.int32, len(used))
    return table[numbers]
