"""Cases that are copies of each other, whole or nearly, within a set or across a split."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import gammaln

from diagnosis.evaluation.suspicion import Suspicion
from diagnosis.features.context import DAYS_PER_YEAR
from diagnosis.records.arrays import distinct

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.records.records import Records

__all__ = ["Twins", "find_twins", "inside_train", "near_duplicates"]

_LEAST_LIKENESS = 0.6
_PARTS, _TOGETHER = 5, 2
_MOST_IN_BUCKET = 24
_LEAST_BITS = 0.5
_CELLS = 2_000_000
_PSEUDO = 5.0
_MOST_INSIDE = 0.9
_LEAST_INSIDE = 10


@dataclass(frozen=True, slots=True, eq=False)
class Twins:
    """Pairs of cases of different patients that share too much to do so by chance.

    Parameters
    ----------
    pairs : ndarray of int64, shape (n_pairs, 2)
        Rows of the cases; across a split the training cases follow the tested ones, from `n_tested` on.
    likeness : ndarray of shape (n_pairs,)
        Information the two share over all they have together, from 0.6 to 1; 1 is a copy.
    n_tested, n_train : int
    copied : int
        Tested cases with a copy, equal in every row, in another patient (across a split: in training), and none of
        another diagnosis; those by chance too.
    """

    pairs: NDArray[np.int64]
    likeness: NDArray[np.float64]
    n_tested: int
    n_train: int
    copied: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """Tested cases that have a twin."""
        rows = np.unique(self.pairs)
        return rows[rows < self.n_tested]

    def to_json(self) -> dict[str, Any]:
        """Return counts alone: no row of a case."""
        return {
            "n": self.n_tested,
            "n_train": self.n_train,
            "n_with_twin": len(self.rows),
            "n_pairs": len(self.pairs),
            "n_pairs_equal": int((self.likeness >= 1.0 - 1e-9).sum()),
            "n_copied": self.copied,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a row a pair: the rows of both and how alike they are."""
        import pandas as pd

        return pd.DataFrame({"row": self.pairs[:, 0], "twin": self.pairs[:, 1], "likeness": self.likeness})

    def __repr__(self) -> str:
        return f"<Twins: {len(self.pairs):,} pairs, {len(self.rows):,} of {self.n_tested:,} cases>"


def find_twins(records: Records, train: Records | None = None, *, seed: int = 0) -> Twins:
    """Find copies and near-copies among cases, or between them and the training cases.

    Each row (finding, state, value, text, subject), and age and sex where two cases agree on them, carries ``-log2`` of
    the share of cases that have it. Two cases are twins where what they share is at least 0.6 of what they have
    together and more than ``2 log2(n) - 1 + log2 C(m, k)`` bits, with m rows of which k differ; cases of one diagnosis
    also against the others of it, so that two typical cases are no twins. Were rows independent, chance would leave
    about one such pair; they are not, so a few pairs prove nothing.

    Candidates agree in all rows of two of five parts of the codes, so that up to three differing codes lose no pair
    with something to tell in the others; of more than 24 cases that agree so, neighbours are compared. The work grows
    with the number of cases, not its square.

    Parameters
    ----------
    records : Records of n cases
    train : Records, optional
        Then only pairs across the two are looked for.
    seed : int
        Which codes go into which part.
    """
    sets = [records] if train is None else [records, train]
    rows, codes = _rows(sets)
    n = rows.shape[0]
    patient = np.unique(np.concatenate([s.groups for s in sets]).astype(str), return_inverse=True)[1]
    label = np.unique(np.concatenate([s.y for s in sets]).astype(str), return_inverse=True)[1]
    side = np.arange(n) >= len(records)
    rng = np.random.default_rng(seed)
    sums, told = _parts(rows, codes, rng)
    copied = int(_has_copy(sums.sum(axis=1), sets, patient, label).sum())
    seen = [np.zeros(0, np.int64)]
    for two in combinations(range(_PARTS), _TOGETHER):
        enough = told[:, list(two)].sum(axis=1) >= _LEAST_BITS * np.log2(max(n, 2))
        first, second = _candidates(np.where(enough, sums[:, list(two)].sum(axis=1), np.uint64(0)))
        keep = (patient[first] != patient[second]) & ((train is None) | (side[first] != side[second]))
        seen.append(distinct(first[keep] * n + second[keep]))
    keys = distinct(np.concatenate(seen))
    pairs = np.column_stack([keys // max(n, 1), keys % max(n, 1)])
    likeness = _likeness(rows, _context(sets), label, pairs)
    alike = likeness >= _LEAST_LIKENESS
    return Twins(pairs[alike], likeness[alike], len(records), n - len(records), copied)


def near_duplicates(records: Records, labels: NDArray[np.object_], *, seed: int = 0) -> list[Suspicion]:
    """Count cases that have a twin of another patient among these: at most one suspicion."""
    twins = find_twins(records, seed=seed)
    n, whole = _concerned(twins)
    if n == 0:
        return []
    agree = float(np.mean(labels[twins.pairs[:, 0]] == labels[twins.pairs[:, 1]])) if len(twins.pairs) else 1.0
    equal = int((twins.likeness >= 1.0 - 1e-9).sum())
    says = (
        f"{n:,} of {len(records):,} cases have a twin of another patient, in {len(twins.pairs):,} pairs looked at, "
        f"{equal:,} of them equal in every row ({agree:.0%} of pairs agree on the diagnosis): copies, templates, or "
        "one patient under two ids, which leak wherever a split parts them."
    )
    if whole:
        says += f" {twins.copied:,} cases are copies, row by row: the set repeats few different ones."
    return [Suspicion("near_duplicates", says, n, n / len(records))]


def inside_train(records: Records, train: Records, *, seed: int = 0) -> list[Suspicion]:
    """Count tested cases that have a twin among the training cases: at most one suspicion."""
    twins = find_twins(records, train, seed=seed)
    n, whole = _concerned(twins)
    if n == 0:
        return []
    says = (
        f"{n:,} of {len(records):,} tested cases ({n / len(records):.0%}) are copies or near-copies of training cases "
        "of other patients: figures on them say how well the model remembers."
    )
    if whole:
        says += " The test set stands inside the training set."
    return [Suspicion("inside_train", says, n, n / len(records))]


def _concerned(twins: Twins) -> tuple[int, bool]:
    """Cases with a twin; where nearly all cases are copies, chance is no reason for any of them."""
    whole = twins.copied >= max(_LEAST_INSIDE, _MOST_INSIDE * twins.n_tested)
    return max(len(twins.rows), twins.copied) if whole else len(twins.rows), whole


def _has_copy(
    sums: NDArray[np.uint64], sets: list[Records], patient: NDArray[np.intp], label: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Which cases of the first set equal a case of another patient (of the last set), and none of another diagnosis."""
    kind = np.unique(sums, return_inverse=True)[1]
    tested, other = np.arange(len(sets[0])), np.arange(len(sums) - len(sets[-1]), len(sums))
    diagnoses = np.bincount(np.unique(np.column_stack([kind, label]), axis=0)[:, 0])
    owners = np.bincount(np.unique(np.column_stack([kind, patient])[other], axis=0)[:, 0], minlength=len(diagnoses))
    least = 1 if len(sets) == 1 else 0
    found: NDArray[np.bool_] = ((sums != 0) & (diagnoses[kind] == 1) & (owners[kind] > least))[tested]
    return found


def _context(sets: list[Records]) -> sparse.csr_array:
    """Return cases × (ages to a tenth of a year, sexes) as 0/1."""
    ages = np.concatenate([_years(s) for s in sets])
    sexes = np.concatenate([s.column("sex") for s in sets])
    aged, sexed = np.flatnonzero(~np.isnan(ages)), np.flatnonzero(sexes != None)  # noqa: E711 - elementwise
    age = np.unique(np.round(ages[aged], 1), return_inverse=True)[1]
    sex = np.unique(sexes[sexed].astype(str), return_inverse=True)[1] + age.max(initial=-1) + 1
    cells = (np.concatenate([aged, sexed]), np.concatenate([age, sex]))
    width = int(sex.max(initial=age.max(initial=-1))) + 1
    return sparse.csr_array((np.ones(len(cells[0])), cells), shape=(len(ages), width))


def _years(records: Records) -> NDArray[np.float64]:
    days = records.column("age_days")
    return np.where(np.isnan(days), records.column("age_years"), days / DAYS_PER_YEAR)


def _rows(sets: list[Records]) -> tuple[sparse.csr_array, NDArray[np.int64]]:
    """Return cases × distinct rows as 0/1, and the code (numbered over all sets) of each distinct row."""
    parts = [_numbered(s, sets) for s in sets]
    start = np.cumsum([0, *(len(s) for s in sets)])
    case = np.concatenate([s.coded.case.astype(np.int64) + a for s, a in zip(sets, start[:-1], strict=True)])
    columns = [np.concatenate([p[i] for p in parts]) for i in range(len(parts[0]))]
    row = np.zeros(len(case), np.int64)
    for column in columns:
        width = int(column.max(initial=0)) + 1
        row = np.unique(row * width + column, return_inverse=True)[1].astype(np.int64)
    n_rows = int(row.max(initial=-1)) + 1
    made = sparse.csr_array((np.ones(len(case)), (case, row)), shape=(int(start[-1]), n_rows))
    made.sum_duplicates()
    made.data[:] = 1.0
    codes = np.zeros(n_rows, np.int64)
    codes[row] = columns[0]
    return made, codes


def _numbered(records: Records, sets: list[Records]) -> list[NDArray[np.int64]]:
    """Code, state, value, text and subject of each finding, numbered alike over all sets."""
    coded = records.coded
    value = np.unique(np.concatenate([np.nan_to_num(s.coded.value, nan=np.inf) for s in sets]))
    return [
        _place(coded.code, coded.codes, [s.coded.codes for s in sets]),
        coded.status.astype(np.int64) + 1,
        np.searchsorted(value, np.nan_to_num(coded.value, nan=np.inf)).astype(np.int64),
        _place(coded.text, coded.texts, [s.coded.texts for s in sets]),
        _place(coded.subject, coded.subjects, [s.coded.subjects for s in sets]),
    ]


def _place(which: NDArray[np.int32], words: NDArray[np.object_], all_: list[NDArray[np.object_]]) -> NDArray[np.int64]:
    place = {w: i + 1 for i, w in enumerate(sorted({str(w) for some in all_ for w in some}))}
    number = np.array([*(place[str(w)] for w in words), 0], np.int64)
    return number[which]


def _parts(
    rows: sparse.csr_array, codes: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """One number for all rows of a case in each part of the codes, equal for equal rows, and their information."""
    part = rng.permutation(int(codes.max(initial=0)) + 1)[codes] % _PARTS
    draw = rng.integers(1, 2**63, size=rows.shape[1], dtype=np.uint64)
    sums = np.zeros((rows.shape[0], _PARTS), np.uint64)
    case = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    np.add.at(sums, (case, part[rows.indices]), draw[rows.indices])
    cell, told = case * _PARTS + part[rows.indices], _bits(rows)[rows.indices]
    weighed = np.asarray(np.bincount(cell, weights=told, minlength=sums.size), dtype=np.float64)
    return sums, weighed.reshape(sums.shape)


def _candidates(sums: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of cases with the same number, the first before the second; a case without rows has none."""
    order = np.argsort(sums, kind="stable")
    order = order[sums[order] != 0]
    same = sums[order]
    pairs: list[NDArray[np.int64]] = []
    for step in range(1, _MOST_IN_BUCKET):
        hit = np.flatnonzero(same[step:] == same[:-step])
        if not len(hit):
            break
        pairs.append(np.column_stack([order[hit], order[hit + step]]))
    found = np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)
    return found.min(axis=1), found.max(axis=1)


def _likeness(
    rows: sparse.csr_array, context: sparse.csr_array, label: NDArray[np.intp], pairs: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Shared over joint information of each pair; 0 where they share no more than chance may."""
    n = rows.shape[0]
    bits, more = _bits(rows), _bits(context)
    total, length = rows @ bits, np.diff(rows.indptr)
    size = np.bincount(label) if len(label) else np.zeros(1)
    within = np.log2(max(float((size * (size - 1.0) / 2.0).sum()), 1.0))
    counts = _RowsOfDiagnoses(rows, label)
    made = np.zeros(len(pairs))
    chunk = max(1, int(_CELLS / max(float(length.mean()) if n else 1.0, 1.0)))
    for a in range(0, len(pairs), chunk):
        first, second = pairs[a : a + chunk].T
        both = sparse.csr_array(rows[first].multiply(rows[second]))
        shared, agreed = both @ bits, context[first].multiply(context[second]) @ more
        joint = np.maximum(total[first] + total[second] - shared, 1e-12)
        m = np.maximum(length[first], length[second])
        k = m - both.sum(axis=1)
        ways = (gammaln(m + 1) - gammaln(k + 1) - gammaln(m - k + 1)) / np.log(2.0)
        alike = (shared >= _LEAST_LIKENESS * joint) & (shared + agreed > 2.0 * np.log2(max(n, 2)) - 1.0 + ways)
        same = np.flatnonzero(alike & (label[first] == label[second]))
        alike[same] = counts.bits(both[same], label[first[same]]) + agreed[same] > within + ways[same]
        made[a : a + chunk] = np.where(alike, shared / joint, 0.0)
    return made


def _bits(cells: sparse.csr_array) -> NDArray[np.float64]:
    seen = np.bincount(cells.indices, minlength=cells.shape[1])
    found: NDArray[np.float64] = -np.log2(np.maximum(seen, 1) / max(cells.shape[0], 1))
    return found


class _RowsOfDiagnoses:
    """How often each row stands among the cases of each diagnosis."""

    def __init__(self, rows: sparse.csr_array, label: NDArray[np.intp]) -> None:
        self._width = max(rows.shape[1], 1)
        case = np.repeat(label.astype(np.int64), np.diff(rows.indptr))
        self._keys, self._n = np.unique(case * self._width + rows.indices, return_counts=True)
        self._cases = np.bincount(label)
        self._share = np.bincount(rows.indices, minlength=self._width) / max(rows.shape[0], 1)

    def bits(self, both: sparse.csr_array, label: NDArray[np.intp]) -> NDArray[np.float64]:
        """Information of the rows a pair shares, against the other cases of its diagnosis, drawn towards all cases."""
        pair = np.repeat(np.arange(both.shape[0]), np.diff(both.indptr))
        own = label[pair].astype(np.int64)
        n = self._n[np.searchsorted(self._keys, own * self._width + both.indices).clip(max=len(self._keys) - 1)]
        share = self._share[both.indices]
        p = (np.maximum(n - 2, 0) + _PSEUDO * share) / (np.maximum(self._cases[own] - 2, 0) + _PSEUDO)
        told: NDArray[np.float64] = -np.log2(np.clip(p, 1e-12, 1.0))
        return np.asarray(np.bincount(pair, weights=told, minlength=both.shape[0]), dtype=np.float64)
