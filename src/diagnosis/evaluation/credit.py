"""Answers beside the principal diagnosis that deserve credit: another confirmed one, or the right ICD category."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.records.labels import OTHER, confirmed_diagnoses

if TYPE_CHECKING:
    from diagnosis.models.batch import Batch
    from diagnosis.records.records import Records

__all__ = ["Credit", "any_confirmed_rank", "category_rank", "credit_of"]

_CELLS = 2_000_000
_CATEGORY = 3


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Credit:
    """What else counts as right, case by case.

    Parameters
    ----------
    named : ndarray of shape (n,), object
        The true diagnoses as they were written down, before rare ones were pooled.
    also : ndarray of shape (n,), object, or None
        A tuple of further confirmed diagnoses of each case. None: the records hold no judgements but the principal one.
    category : mapping of str to str
        ICD-10 category of diagnoses; empty where the vocabulary has none.
    """

    named: NDArray[np.object_]
    also: NDArray[np.object_] | None
    category: Mapping[str, str]

    def take(self, rows: NDArray[np.int64]) -> Credit:
        """Return the credit of these cases."""
        return Credit(self.named[rows], None if self.also is None else self.also[rows], self.category)


def credit_of(records: Records, named: NDArray[np.object_]) -> Credit:
    """Read from records what else deserves credit.

    Further confirmed diagnoses are those of `confirmed_diagnoses`. The category is the first three characters of
    ``icd10`` in the vocabulary.
    """
    terms = records.vocabulary.diagnoses
    codes = {code: term.fields.get("icd10") for code, term in terms.items()}
    category = {code: str(icd)[:_CATEGORY].upper() for code, icd in codes.items() if icd}
    return Credit(named, confirmed_diagnoses(records), category)


def any_confirmed_rank(batch: Batch, rank: NDArray[np.int64], credit: Credit | None) -> NDArray[np.int64]:
    """Return the best place of any confirmed diagnosis of each case; 0: none can be named; -1: not known.

    Among equal probabilities a diagnosis has the worst place, as everywhere.

    Parameters
    ----------
    batch : Batch of n cases
    rank : ndarray of shape (n,), int64
        Place of the principal diagnosis.
    credit : Credit or None
    """
    if credit is None or credit.also is None:
        return np.full(len(batch), -1, dtype=np.int64)
    column = {code: k for k, code in enumerate(batch.diagnoses) if code != OTHER}
    pairs = [(i, column[code]) for i, codes in enumerate(credit.also) for code in codes if code in column]
    best = np.where(rank > 0, rank, np.iinfo(np.int64).max)
    if pairs:
        rows, columns = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
        place = _places(batch, rows, columns)
        np.minimum.at(best, rows, np.where(place > 0, place, np.iinfo(np.int64).max))
    return np.where(best < np.iinfo(np.int64).max, best, 0)


def category_rank(batch: Batch, rank: NDArray[np.int64], credit: Credit | None) -> NDArray[np.int64]:
    """Return the first place of a diagnosis of the right ICD category; 0: none can be named; -1: not known.

    The diagnosis itself counts too, whether or not it has a category. Diagnoses of other categories with equal
    probability stand before.
    """
    if credit is None or not any(code in credit.category for code in credit.named):
        return np.full(len(batch), -1, dtype=np.int64)
    of_column = np.array([credit.category.get(code, "") for code in batch.diagnoses], dtype=object)
    of_case = np.array([credit.category.get(code, "") for code in credit.named], dtype=object)
    best = np.where(rank > 0, rank, np.iinfo(np.int64).max)
    for name in sorted(set(of_case.tolist()) - {""}):
        inside = of_column == name
        if inside.any():
            for rows in _chunks(np.flatnonzero(of_case == name), len(of_column)):
                best[rows] = np.minimum(best[rows], _first_inside(batch, rows, inside))
    return np.where(best < np.iinfo(np.int64).max, best, 0)


def _first_inside(batch: Batch, rows: NDArray[np.int64], inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    p = batch.proba[rows]
    if batch.nameable is not None:
        p = np.where(batch.nameable[rows], p, -1.0)
    best = p[:, inside].max(axis=1)
    place = 1 + (p >= best[:, None]).sum(axis=1) - (p[:, inside] >= best[:, None]).sum(axis=1)
    return np.where(best >= 0, place, np.iinfo(np.int64).max)


def _places(batch: Batch, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of a diagnosis in a case, for each pair; 0 where the case's model cannot name it."""
    place = np.zeros(len(rows), dtype=np.int64)
    for part in _chunks(np.arange(len(rows)), batch.proba.shape[1]):
        at = rows[part]
        ahead = batch.proba[at] >= batch.proba[at, columns[part]][:, None]
        if batch.nameable is not None:
            ahead &= batch.nameable[at] & batch.nameable[at, columns[part]][:, None]
        place[part] = ahead.sum(axis=1)
    return place


def _chunks(rows: NDArray[np.int64], width: int) -> Iterator[NDArray[np.int64]]:
    step = max(1, _CELLS // max(width, 1))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
