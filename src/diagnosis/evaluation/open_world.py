"""`open_world`: leave some diagnoses out of training on purpose, and see whether the model notices them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from diagnosis.errors import InputError
from diagnosis.evaluation.bootstrap import draw_patients
from diagnosis.evaluation.evaluate import given_labels
from diagnosis.evaluation.evaluate_batch import is_label
from diagnosis.evaluation.fits import fit_copy
from diagnosis.evaluation.novelty import Detection, detect
from diagnosis.evaluation.progress import watched
from diagnosis.models.folds import grouped_folds
from diagnosis.records.labels import OTHER

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.records.records import Records

__all__ = ["OpenWorld", "open_world"]


@dataclass(frozen=True, slots=True, repr=False)
class OpenWorld:
    """How well diagnoses that were left out of training are told from those that were learned.

    Parameters
    ----------
    n_unknown, n_known : int
        Test cases of diagnoses left out of the fit that judged them, and others.
    left_out : tuple of tuple of str
        Diagnoses left out, fit by fit.
    doubt : Detection
        By ``1 - max p``.
    other : Detection or None
        By the probability of ``OTHER``; None where no fit had one.
    by_diagnosis : mapping of str to float
        By doubt: each left-out diagnosis against the known cases of the same fit; those with enough cases to be shown.
    """

    n_unknown: int
    n_known: int
    left_out: tuple[tuple[str, ...], ...]
    doubt: Detection
    other: Detection | None
    by_diagnosis: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "n_unknown": self.n_unknown,
            "n_known": self.n_known,
            "left_out": [list(names) for names in self.left_out],
            "doubt": self.doubt.to_json(),
            "other": None if self.other is None else self.other.to_json(),
            "by_diagnosis": dict(self.by_diagnosis),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row a left-out diagnosis, hardest to notice first."""
        import pandas as pd

        rows = sorted(self.by_diagnosis.items(), key=lambda item: (item[1], item[0]))
        return pd.DataFrame(rows, columns=["diagnosis", "auroc"])

    def __repr__(self) -> str:
        def said(one: Detection) -> str:
            ends = "" if one.interval is None else f" ({one.interval[0]:.3f} to {one.interval[1]:.3f})"
            return f"{one.auroc:.3f}{ends}"

        other = "" if self.other is None else f"; by the probability of OTHER {said(self.other)}"
        return (
            f"Open world: {self.n_unknown:,} cases of diagnoses left out of training among {self.n_known:,} others, in "
            f"{len(self.left_out)} fits. Area under the ROC curve by doubt (1 - max p) {said(self.doubt)}{other}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Labelled test cases of one fit."""

    label: NDArray[np.object_]
    unknown: NDArray[np.bool_]
    doubt: NDArray[np.float64]
    other: NDArray[np.float64] | None
    patient: NDArray[np.object_]


def open_world(
    diagnoser: Any,
    records: Records,
    *,
    folds: int = 5,
    min_cases: int = 5,
    y: ArrayLike | None = None,
    n_boot: int = 200,
    seed: int = 0,
    min_cell: int = 10,
    n_jobs: int = 1,
) -> OpenWorld:
    """Leave each diagnosis out of training once, and ask whether its cases are noticed.

    Patients and, apart from that, diagnoses are dealt into as many folds. A fit learns from the patients of the other
    folds, without the cases of the diagnoses of its own; it is tried on the patients of its fold.

    Parameters
    ----------
    diagnoser : Diagnoser, search or classifier over records
        Copies are fitted.
    records : Records
    folds : int
    min_cases : int
        Rarer diagnoses are never left out: they are learned as ``OTHER``, or not at all, as the diagnoser has it.
    y : array-like of shape (n_cases,), optional
        True diagnoses, instead of those in the records.
    n_boot, seed, min_cell
        As in `evaluate`.
    n_jobs : int
        Fits at once, each in a process of its own.

    Raises
    ------
    InputError
        Fewer diagnoses than folds and two more: there would be nothing left to tell apart.
    """
    named = given_labels(records, y)
    has = is_label(named)
    codes, counts = np.unique(named[has].astype(str), return_counts=True)
    common = codes[counts >= min_cases]
    if len(common) < folds + 2 or folds < 2:
        raise InputError(
            f"At least {max(folds, 2) + 2} diagnoses with {min_cases} cases, to leave them out in {folds} parts",
            f"found {len(common)}",
            "ask for fewer folds",
        )
    fold = grouped_folds(named.astype(str), records.groups.astype(str), folds, seed)
    gone = [tuple(part.tolist()) for part in np.array_split(np.random.default_rng(seed).permutation(common), folds)]
    fits = (delayed(_side)(diagnoser, records, named, fold == f, gone[f]) for f in range(int(fold.max()) + 1))
    done = Parallel(n_jobs=n_jobs, return_as="generator")(fits)
    sides = list(watched(done, len(gone), f"Fit {len(gone)} times without some diagnoses"))
    return _put_together(sides, gone, n_boot, seed, min_cell)


def _side(
    estimator: Any,
    records: Records,
    named: NDArray[np.object_],
    inside: NDArray[np.bool_],
    gone: tuple[str, ...],
) -> _Side:
    left_out = np.isin(named.astype(str), gone)
    train, test = np.flatnonzero(~inside & ~left_out), np.flatnonzero(inside & is_label(named))
    fitted = fit_copy(estimator, records[train], named[train])
    batch = fitted.batch(records[test])
    other = np.flatnonzero(batch.diagnoses == OTHER)
    return _Side(
        label=named[test],
        unknown=left_out[test],
        doubt=1.0 - batch.proba.max(axis=1),
        other=batch.proba[:, other[0]] if len(other) else None,
        patient=records.groups[test],
    )


def _put_together(sides: list[_Side], gone: list[tuple[str, ...]], n_boot: int, seed: int, min_cell: int) -> OpenWorld:
    unknown = np.concatenate([side.unknown for side in sides])
    if not unknown.any() or unknown.all():
        raise InputError("Test cases of known and of left-out diagnoses", "found only one kind", "use other folds")
    _, patient = np.unique(np.concatenate([side.patient for side in sides]).astype(str), return_inverse=True)
    counts, ones = draw_patients(int(patient.max()) + 1, n_boot, seed), np.ones(len(unknown))
    doubt = np.concatenate([side.doubt for side in sides])
    others = [side.other for side in sides if side.other is not None]
    other = None
    if len(others) == len(sides):
        other = detect(unknown, np.concatenate(others), ones, patient, counts)
    return OpenWorld(
        n_unknown=int(unknown.sum()),
        n_known=int((~unknown).sum()),
        left_out=tuple(gone),
        doubt=detect(unknown, doubt, ones, patient, counts),
        other=other,
        by_diagnosis=_by_diagnosis(sides, min_cell),
    )


def _by_diagnosis(sides: list[_Side], min_cell: int) -> dict[str, float]:
    found = {}
    for side in sides:
        known = np.flatnonzero(~side.unknown)
        for code in np.unique(side.label[side.unknown].astype(str)):
            own = np.flatnonzero(side.unknown & (side.label.astype(str) == code))
            if len(own) >= max(min_cell, 1) and len(known):
                rows = np.concatenate([own, known])
                none = np.empty((0, len(rows)), np.int16)
                found[str(code)] = detect(
                    side.unknown[rows], side.doubt[rows], np.ones(len(rows)), np.arange(len(rows)), none
                ).auroc
    return dict(sorted(found.items()))
