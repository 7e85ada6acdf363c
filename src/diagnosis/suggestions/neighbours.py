"""How near a case is to the nearest case trained on: the flag for a patient unlike any.

The model extrapolates without a word. The cosine of what two cases record, rare entries counting more, says whether it
has seen anything alike; what is far is set by the training cases, each beside the nearest of another patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnosis.features import FindingEncoder
from diagnosis.models.files import read_arrays, write_arrays
from diagnosis.records import Records

__all__ = ["NearEnough", "Neighbours", "PastCases"]

_MOST_CASES, _MOST_ASKED, _BLOCK = 20_000, 2_000, 200
#: One training case in a hundred is as far from all others as a case that is flagged.
_FAR = 0.01
_LEAST_CASES = 200
# `NearEnough`: training cases asked first, numbers held in all, and what float32 may be off by.
_FIRST, _MOST_NUMBERS, _ROUNDING = 256, 8_000_000, 1e-4
#: From so many cases on, compared with so full a table (one cell in six) of so many numbers, products are dense.
_MANY, _FILLED, _MOST_NUMBERS = 50, 6, 50_000_000
#: More than the difference between two orders of adding up a cosine in float32.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class PastCases:
    """Training cases as they were encoded, with their ids and diagnoses; they never leave the site.

    Parameters
    ----------
    X : csr_matrix of shape (n_cases, n_columns), float32
    case_ids, diagnoses : ndarray of str, shape (n_cases,)
    """

    X: sparse.csr_matrix
    case_ids: npt.NDArray[np.str_]
    diagnoses: npt.NDArray[np.str_]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as plain arrays."""
        kept = {"data": self.X.data, "indices": self.X.indices, "indptr": self.X.indptr}
        named = {"case_ids": self.case_ids, "diagnoses": self.diagnoses}
        return {f"past_{name}": array for name, array in {**kept, **named}.items()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], shape: tuple[int, int]) -> PastCases:
        """Take what `arrays` gave, of a matrix of (n_columns, n_cases)."""
        parts = tuple(arrays[f"past_{name}"] for name in ("data", "indices", "indptr"))
        X = sparse.csr_matrix(parts, shape=shape[::-1])
        return cls(X, arrays["past_case_ids"], arrays["past_diagnoses"])


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """What training cases record, to be compared with.

    Parameters
    ----------
    columns : csr_matrix of shape (n_columns, n_cases), float32
        Where a case records something the weight of the column, each case of length 1; turned, to be multiplied with.
    weight : ndarray of shape (n_columns,)
        0 for context such as age, which is flagged by itself.
    far : float
        A case whose nearest has a smaller cosine is unlike any; 0: too few cases to say so.
    past : PastCases or None
        Who they are; None in what a release before kept.
    """

    columns: sparse.csr_matrix
    weight: npt.NDArray[np.float64]
    far: float = field(default=0.0)
    past: PastCases | None = None

    @classmethod
    def of(
        cls, records: Records, encoder: FindingEncoder, seed: int, diagnoses: npt.NDArray[np.object_] | None = None
    ) -> Neighbours:
        """Take up to 20,000 training cases, with the diagnosis each was learned as, and find out how far is far."""
        rng = np.random.default_rng(seed)
        n = len(records)
        taken = np.arange(n) if n <= _MOST_CASES else np.sort(rng.choice(n, _MOST_CASES, replace=False))
        some = records if n <= _MOST_CASES else records[taken]
        X = encoder.transform(some)
        past = None if diagnoses is None else PastCases(X, some.case_ids.astype(str), diagnoses[taken].astype(str))
        found = _recorded(X)
        share = np.asarray(found.mean(axis=0)).ravel()
        lineage = encoder.lineage_
        weight = np.where(lineage.context[lineage.finding], 0.0, -np.log(np.maximum(share, 1.0 / max(len(some), 1))))
        rows = _unit(found, weight)
        if len(some) < _LEAST_CASES:
            return cls(_turned(rows), weight, past=past)
        asked = np.arange(len(some)) if len(some) <= _MOST_ASKED else rng.choice(len(some), _MOST_ASKED, replace=False)
        _, patient = np.unique(some.groups.astype(str), return_inverse=True)
        columns = _turned(rows)
        nearest = _nearest(rows[asked], columns, patient[asked], patient)
        return cls(columns, weight, float(np.quantile(nearest, _FAR)), past)

    def __len__(self) -> int:
        return int(self.columns.shape[1])

    def similarity(self, X: sparse.csr_matrix) -> npt.NDArray[np.float64]:
        """Return the cosine of each encoded case with the nearest training case, from 0 to 1; shape (n_cases,)."""
        if X.shape[0] == 1:
            return np.minimum(self.cosines(X).max(initial=0.0, keepdims=True), 1.0)
        return _nearest(_unit(_recorded(X), self.weight), self.columns)

    def cosines(self, X: sparse.csr_matrix) -> npt.NDArray[np.float64]:
        """Return the cosine of one encoded case with every training case, shape (n_training_cases,).

        Added up column by column in float32, as the product of the matrices is.
        """
        made, kept = np.zeros(len(self), np.float32), self.columns
        columns = np.sort(X.indices[X.data != 0])
        weight = self.weight[columns]
        columns, weight = columns[weight != 0], weight[weight != 0]
        if len(columns):
            own = (weight * (1.0 / np.sqrt(np.cumsum(weight * weight)[-1]))).astype(np.float32)
            starts, ends = kept.indptr[columns].tolist(), kept.indptr[columns + 1].tolist()
            for value, start, end in zip(own, starts, ends, strict=True):
                made[kept.indices[start:end]] += value * kept.data[start:end]
        return made.astype(np.float64)

    def write(self, path: Path) -> None:
        """Write plain arrays."""
        kept = self.columns
        parts: dict[str, npt.NDArray[Any]] = {"data": kept.data, "indices": kept.indices, "indptr": kept.indptr}
        numbers = {"weight": self.weight, "far": np.array([self.far]), "n_cases": np.array([len(self)])}
        write_arrays(path, {**parts, **numbers, **({} if self.past is None else self.past.arrays())})

    @classmethod
    def read(cls, path: Path) -> Neighbours:
        """Read what `write` wrote."""
        a = read_arrays(path)
        shape = (len(a["weight"]), int(a["n_cases"][0]))
        columns = sparse.csr_matrix((a["data"], a["indices"], a["indptr"]), shape=shape)
        past = PastCases.of_arrays(a, shape) if "past_data" in a else None
        return cls(columns, a["weight"], float(a["far"][0]), past)


class NearEnough:
    """Similarity to training cases for many cases in a row, of which it matters whether it reaches `far`.

    A few training cases are asked first, and more of them about the cases that none was near to. Where none is near
    the answer is that of `Neighbours`; where one is, it is the cosine with that one, perhaps not the largest.

    Parameters
    ----------
    index : Neighbours
    """

    def __init__(self, index: Neighbours) -> None:
        self.index = index
        self.far = index.far
        ends, most = [0], min(len(index), _MOST_NUMBERS // max(index.columns.shape[0], 1))
        while ends[-1] < most and self.far > 0.0:
            ends.append(min(2 * ends[-1] + _FIRST, most))
        self._some = [index.columns[:, a:b].toarray() for a, b in pairwise(ends)]

    def similarity(self, X: sparse.csr_matrix) -> npt.NDArray[np.float64]:
        """Return the cosine with the nearest training case, or with one that is near enough; shape (n_cases,)."""
        near, left = np.ones(X.shape[0]), np.arange(X.shape[0])
        if self.far <= 0.0:
            return near
        asked = _unit(_recorded(X), self.index.weight)
        for some in self._some:
            found = _largest(asked, some)
            enough = found >= self.far + _ROUNDING
            near[left[enough]] = found[enough]
            asked, left = asked[~enough], left[~enough]
            if not len(left):
                return near
        near[left] = self.index.similarity(X[left])
        return near


def _largest(asked: sparse.csr_matrix, columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The largest cosine of each row with any of some training cases, a few rows at a time."""
    step = max(1, _MOST_NUMBERS // max(columns.shape[1], 1))
    parts = [(asked[i : i + step] @ columns).max(axis=1) for i in range(0, asked.shape[0], step)]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _recorded(X: sparse.csr_matrix) -> sparse.csr_matrix:
    """One wherever a case has an entry other than zero."""
    made = sparse.csr_matrix(X, dtype=np.float64, copy=True)
    made.data = (made.data != 0).astype(np.float64)
    made.eliminate_zeros()
    return made


def _unit(found: sparse.csr_matrix, weight: npt.NDArray[np.float64]) -> sparse.csr_matrix:
    """Weigh the columns and bring every row to length 1 (a row without entries stays empty)."""
    weighed = found @ sparse.diags(weight)
    length = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
    made = sparse.csr_matrix(sparse.diags(1.0 / np.where(length > 0, length, 1.0)) @ weighed, dtype=np.float32)
    made.eliminate_zeros()
    made.sort_indices()
    return made


def _turned(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    turned = rows.T.tocsr()
    turned.sort_indices()
    return turned


def _nearest(
    asked: sparse.csr_matrix,
    columns: sparse.csr_matrix,
    own: npt.NDArray[np.int64] | None = None,
    patient: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.float64]:
    """The largest cosine of each asked row with any other; with patients, with any of another patient."""
    best = np.zeros(asked.shape[0])
    filled = asked.shape[0] >= _MANY and np.prod(columns.shape) <= min(_FILLED * columns.nnz, _MOST_NUMBERS)
    dense = columns.toarray() if filled else None
    for first in range(0, asked.shape[0], _BLOCK):
        block = asked[first : first + _BLOCK]
        mine = None if own is None else own[first : first + _BLOCK]
        among = None if dense is None else _candidates(block, dense, mine, patient)
        cosine = (block @ (columns if among is None else columns[:, among])).tocsr()
        if mine is not None and patient is not None:
            other = patient if among is None else patient[among]
            cosine.data[other[cosine.indices] == np.repeat(mine, np.diff(cosine.indptr))] = 0.0
        some = np.flatnonzero(np.diff(cosine.indptr))
        if some.size:
            best[first + some] = np.maximum.reduceat(cosine.data, cosine.indptr[some])
    return np.minimum(best, 1.0)


def _candidates(
    block: sparse.csr_matrix,
    dense: npt.NDArray[np.float32],
    own: npt.NDArray[np.int64] | None,
    patient: npt.NDArray[np.int64] | None,
) -> npt.NDArray[np.intp]:
    """Which cases may be the nearest of one of the block: a dense product is many times faster, but rounds."""
    cosine = block.toarray() @ dense
    if own is not None and patient is not None:
        cosine[patient[None, :] == own[:, None]] = -1.0
    found: npt.NDArray[np.intp] = np.flatnonzero((cosine >= cosine.max(axis=1, keepdims=True) - _ROUNDING).any(axis=0))
    return found
