"""Differentials of many cases as plain values, without the objects that explain them: for answers that go to files."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from diagnosis.records import OTHER
from diagnosis.suggestions.answers import asked_for, batch_of, facts_of, probabilities_of
from diagnosis.suggestions.flags import TOO_LITTLE, UNSURE, case_flags, plausible
from diagnosis.suggestions.neighbours import Neighbours

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from diagnosis.records import Records
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["PlainAnswers"]

_FEW = 256


class PlainAnswers:
    """Answers many cases with what `Differential.to_json` would say of each.

    Parameters
    ----------
    diagnoser : Diagnoser
    top : int, optional
    reading : str, optional
        As in `Diagnoser.suggest`.
    """

    def __init__(self, diagnoser: Diagnoser, top: int | None = None, reading: str | None = None) -> None:
        self.top, self.reading = asked_for(diagnoser, top, reading)
        self.diagnoser = copy(diagnoser)
        if diagnoser.neighbours_ is not None:
            self.diagnoser.neighbours_ = cast("Neighbours", _NearEnough(diagnoser.neighbours_))

    def __call__(self, records: Records) -> list[dict[str, Any]]:
        """Answer some cases; their order is kept."""
        d, top, reading = self.diagnoser, self.top, self.reading
        given = records.with_vocabulary(d.vocabulary_)
        seen = d.as_known(given)
        later = (np.diff(given.coded.offsets) - np.diff(seen.coded.offsets)).tolist()
        X, unknown = d.encoder_.transform(plausible(seen)), d.encoder_.unknown(seen)
        batch = batch_of(d, seen, X)
        facts = facts_of(d, seen, X, unknown, batch.proba)
        shown = batch.proba if reading == "posterior" else probabilities_of(d, X, reading)
        codes = [str(code) for code in d.codes(reading)]
        ranked, other = _ranked(shown, codes, top), _other(shown, codes)
        members = _members(batch.proba, [str(code) for code in batch.diagnoses], batch.in_set)
        name, flag_at, made = d.name, d.calibration_.flag_at, []
        for i, case in enumerate(facts):
            flags = case_flags(batch.proba[i], batch.diagnoses, flag_at, case)
            abstained = bool(batch.abstained[i])
            made.append(
                {
                    "schema": 1,
                    "case_id": str(batch.case_ids[i]),
                    "model": name,
                    "reading": reading,
                    "as_of": batch.as_of,
                    "ranked": ranked[i],
                    "other": other[i],
                    "set": members[i],
                    "must_not_miss": [f.diagnosis for f in flags if f.kind == "must_not_miss" and f.diagnosis],
                    "flags": [f.to_json() for f in flags],
                    "abstained": abstained,
                    "abstain_reason": None if not abstained else UNSURE if case.understood else TOO_LITTLE,
                    "unknown_codes": list(unknown[i]),
                    "not_used": {
                        "after_moment": later[i],
                        "unknown": len(unknown[i]),
                        "values": case.n_values_not_used,
                    },
                }
            )
        return made


def _order(proba: npt.NDArray[np.float64], codes: list[str]) -> npt.NDArray[np.intp]:
    """Columns by probability, ties by code, shape (n_cases, n_diagnoses)."""
    by_code = np.argsort(np.array(codes))
    order: npt.NDArray[np.intp] = by_code[np.argsort(-proba[:, by_code], axis=1, kind="stable")]
    return order


def _ranked(proba: npt.NDArray[np.float64], codes: list[str], top: int) -> list[list[dict[str, Any]]]:
    order = _order(proba, codes)[:, : top + 1]
    values = np.take_along_axis(proba, order, axis=1).tolist()
    made = []
    for row, probabilities in zip(order.tolist(), values, strict=True):
        listed = [(codes[k], p) for k, p in zip(row, probabilities, strict=True) if codes[k] != OTHER]
        found = (listed or [(codes[k], p) for k, p in zip(row, probabilities, strict=True)])[:top]
        made.append([{"diagnosis": code, "probability": p} for code, p in found])
    return made


def _other(proba: npt.NDArray[np.float64], codes: list[str]) -> list[float | None]:
    found: list[float | None] = proba[:, codes.index(OTHER)].tolist() if OTHER in codes else [None] * len(proba)
    return found


def _members(proba: npt.NDArray[np.float64], codes: list[str], in_set: npt.NDArray[np.bool_]) -> list[list[str]]:
    order = _order(proba, codes)
    inside = np.take_along_axis(in_set, order, axis=1)
    ends = np.cumsum(inside.sum(axis=1))[:-1]
    return [[codes[k] for k in some] for some in np.split(order[inside], ends)]


@dataclass(slots=True)
class _NearEnough:
    """Similarity to training cases, looked for among a few of them first.

    What counts is whether a case is nearer than `far`. Where one of the few is, the others need not be asked; where
    none is, all are, so that the flag and its number are those of `Neighbours`.
    """

    index: Neighbours
    few: Neighbours | None = field(default=None)

    @property
    def far(self) -> float:
        """Below which similarity a case is unlike any."""
        return self.index.far

    def similarity(self, X: csr_matrix) -> npt.NDArray[np.float64]:
        """The cosine with the nearest training case, or with one that is near enough; shape (n_cases,)."""
        if self.few is None:
            some = slice(0, _FEW)
            self.few = Neighbours(self.index.columns[:, some].tocsr(), self.index.weight, self.far)
        near = self.few.similarity(X)
        alone = np.flatnonzero(near < self.far)
        if len(alone):
            near[alone] = self.index.similarity(X[alone])
        return near
