"""What a diagnoser has learned for one diagnosis, over many cases."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import clone

from diagnosis.errors import InputError, UnknownCodeError, nearest
from diagnosis.explanation.explain_globally import ByFinding, by_finding, global_evidence_of, importance_of
from diagnosis.explanation.global_evidence import GlobalEvidence
from diagnosis.explanation.stability import Stability, draw_patients, stability_of
from diagnosis.models.scale import Scale
from diagnosis.records import OTHER, Records
from diagnosis.records.given import checked_records
from diagnosis.suggestions.inputs import plausible

if TYPE_CHECKING:
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["global_evidence"]

FloatArray = npt.NDArray[np.float64]
# Draws without a case of the diagnosis say nothing of it; so many in a row are tried for one refit.
_MOST_DRAWS = 20


def global_evidence(
    diagnoser: Diagnoser,
    records: Records,
    diagnosis: str,
    *,
    max_cases: int = 1_000,
    refits: int = 0,
    seed: int = 0,
) -> GlobalEvidence:
    """Say what a diagnoser has learned for a diagnosis: what counts, which way, over which values, how surely.

    Every case is taken apart as on its page, for this diagnosis against its rivals there: the diagnoses that share the
    top of the list, averaged by their probabilities. `OTHER` is never a rival.

    Parameters
    ----------
    diagnoser : Diagnoser
        Fitted.
    records : Records
        Cases to look at; findings that go together are grouped in all of them. With `refits`, the labelled cases the
        diagnoser was trained on.
    diagnosis : str
        Code or name.
    max_cases : int
        How many cases are taken apart at most: drawn from the others, those with the diagnosis first (up to half).
    refits : int
        Models fitted again on patients drawn with replacement, for the stability of what counts. Encoder and
        calibration stay as they are.
    seed : int

    Raises
    ------
    UnknownCodeError
        The model does not know the diagnosis.
    InputError
        No case, an option out of range, or refits without labels.
    """
    if max_cases < 1 or refits < 0:
        raise InputError("max_cases from 1 and refits from 0", f"found {max_cases} and {refits}", "change them")
    seen = diagnoser.as_known(checked_records(records).with_vocabulary(diagnoser.vocabulary_))
    seen = plausible(seen)
    if not len(seen):
        raise InputError("cases to look at", "there is none", "give records with cases")
    target = _index(diagnoser, diagnosis)
    code, truth = str(diagnoser.classes_[target]), diagnoser.truth(seen)
    X = diagnoser.encoder_.transform(seen)
    rows = _chosen(truth == code, max_cases, np.random.default_rng(seed))
    looked = seen[rows]
    found = _apart(diagnoser, looked, X[rows], diagnoser.model_, diagnoser.calibration_.scale, code)
    stability = None
    if refits:
        stability = _refitted(diagnoser, (seen, X, truth), (looked, X[rows]), found, code, refits, seed)
    return global_evidence_of(
        looked, X[rows], diagnoser.encoder_, found, code, diagnoser.vocabulary_, training=(seen, X), stability=stability
    )


def _apart(
    diagnoser: Diagnoser, looked: Records, X: sparse.csr_matrix, model: object, scale: Scale, code: str
) -> ByFinding:
    classes = [str(one) for one in model.classes_]  # type: ignore[attr-defined]
    target = classes.index(code)
    rivals = np.array([k for k, one in enumerate(classes) if k != target and one != OTHER], dtype=np.int64)
    if not len(rivals):
        rivals = np.array([k for k in range(len(classes)) if k != target], dtype=np.int64)
    return by_finding(looked, X, diagnoser.encoder_, model, scale, target, rivals, diagnoser.top)  # type: ignore[arg-type]


def _refitted(
    diagnoser: Diagnoser,
    training: tuple[Records, sparse.csr_matrix, npt.NDArray[np.object_]],
    looked: tuple[Records, sparse.csr_matrix],
    found: ByFinding,
    code: str,
    refits: int,
    seed: int,
) -> Stability:
    """Fit the model again on bootstrap draws of patients, and take the same cases apart with each."""
    seen, X, truth = training
    known = np.flatnonzero(np.isin(truth.astype(str), diagnoser.classes_.astype(str)))
    y, patients = truth[known].astype(str), np.asarray(seen.groups, dtype=object)[known]
    if not (y == code).any() or len(set(y)) < 2:
        raise InputError(
            "labelled cases to fit again on, some with the diagnosis",
            f"{int((y == code).sum())} of {len(y)} have it",
            "give the cases the diagnoser was trained on, or leave refits at 0",
        )
    # The shift, one number a diagnosis, moves bases alone; a draw may lack a diagnosis.
    rng, scale, made = np.random.default_rng(seed), replace(diagnoser.calibration_.scale, shift=()), []
    for _ in range(refits):
        drawn = next(
            (rows for _ in range(_MOST_DRAWS) if (y[rows := draw_patients(patients, rng)] == code).any()),
            np.arange(len(y)),
        )
        model = clone(diagnoser.model_).fit(X[known[drawn]], y[drawn], groups=patients[drawn])
        made.append(importance_of(_apart(diagnoser, *looked, model, scale, code)))
    keys = [str(one) for one in diagnoser.encoder_.lineage_.keys]
    there = np.flatnonzero((found.contributions != 0).any(axis=0) | (np.stack(made) > 0).any(axis=0))
    return stability_of([keys[i] for i in there], importance_of(found)[there], np.stack(made)[:, there])


def _chosen(is_it: npt.NDArray[np.bool_], most: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Rows to look at, in order: up to half of them with the diagnosis, so that a rare one is seen at all."""
    if len(is_it) <= most:
        return np.arange(len(is_it))
    own, others = (rng.permutation(np.flatnonzero(one)) for one in (is_it, ~is_it))
    n_own = min(len(own), max(most // 2, most - len(others)))
    return np.sort(np.concatenate([own[:n_own], others[: most - n_own]]))


def _index(diagnoser: Diagnoser, diagnosis: str) -> int:
    codes = [str(one) for one in diagnoser.codes()]
    if diagnosis not in codes:
        with suppress(UnknownCodeError):
            diagnosis = diagnoser.vocabulary_.resolve_diagnosis(diagnosis, known=codes)
    if diagnosis not in codes:
        names = [diagnoser.vocabulary_.diagnosis_name(one) for one in codes]
        raise UnknownCodeError(
            "asked what was learned for a diagnosis",
            f"the model does not know {diagnosis!r}; it knows {len(codes)}",
            "use one it knows (`diagnoser.classes_`)",
            codes=[diagnosis],
            near=nearest(diagnosis, [*codes, *names]),
        )
    return codes.index(diagnosis)
