"""What the fits of a design said of the cases they had not seen, put together into one `Evaluation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError
from diagnosis.evaluation.baselines import BASELINES, baseline_batches
from diagnosis.evaluation.concatenate import concatenate
from diagnosis.evaluation.credit import credit_of
from diagnosis.evaluation.designs import Part
from diagnosis.evaluation.evaluate import Evaluated, must_not_miss
from diagnosis.evaluation.evaluate_batch import evaluate_batch, is_label
from diagnosis.evaluation.fits import fit_copy, refuse_seen
from diagnosis.evaluation.suspicions import find_suspicions

if TYPE_CHECKING:
    from diagnosis.evaluation.evaluation import Evaluation
    from diagnosis.evaluation.scores import Scores
    from diagnosis.models.batch import Batch
    from diagnosis.records.records import Records

__all__ = ["Answered", "Judging", "answer_labelled", "answer_part", "beside_prior", "pooled", "with_baselines"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Judging:
    """The cases of a design and how they are judged.

    Parameters
    ----------
    records : Records
    y : ndarray of shape (n_cases,), object, or None
        Diagnoses, instead of those in the records.
    named : ndarray of shape (n_cases,), object
        Diagnoses as they are written down; None where there is none.
    groups : mapping of str to ndarray of shape (n_cases,)
    n_boot, seed, min_cell, primary, suspicions
        As in `evaluate`.
    """

    records: Records
    y: NDArray[np.object_] | None
    named: NDArray[np.object_]
    groups: Mapping[str, NDArray[np.object_]]
    n_boot: int
    seed: int
    min_cell: int
    primary: str
    suspicions: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Answered:
    """What one fit said of the labelled cases of its test side.

    Parameters
    ----------
    name : str
    rows : ndarray of int64
        Positions of the cases among all records.
    answers : Batch or None
        None where there is no such case.
    truth : ndarray of object
        Their diagnoses, as this fit could name them.
    baselines : mapping of str to Batch
    n_train : int
    left_out : int
    """

    name: str
    rows: NDArray[np.int64]
    answers: Batch | None
    truth: NDArray[np.object_]
    baselines: Mapping[str, Batch] = field(default_factory=dict)
    n_train: int = 0
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def batch(self) -> Batch:
        """The answers; there are some."""
        assert self.answers is not None
        return self.answers


def answer_part(
    estimator: Any, records: Records, y: NDArray[np.object_] | None, part: Part, *, baselines: bool
) -> Answered:
    """Fit a copy on the training side of a part and answer the labelled cases of the other."""
    nothing = Answered(part.name, part.test[:0], None, np.empty(0, object), {}, len(part.train), part.left_out)
    if not len(part.test):
        return nothing
    fitted = fit_copy(estimator, records[part.train], None if y is None else y[part.train])
    refuse_seen(fitted, records[part.test])
    found = answer_labelled(fitted, records, y, part.test)
    if not len(found):
        return nothing
    if baselines:
        found = with_baselines(found, fitted, records, y, part.train)
    return replace(found, name=part.name, n_train=len(part.train), left_out=part.left_out)


def answer_labelled(
    fitted: Evaluated, records: Records, y: NDArray[np.object_] | None, rows: NDArray[np.int64]
) -> Answered:
    """Answer those of some cases that have a diagnosis."""
    side = records[rows]
    truth = np.asarray(fitted.truth(side, None if y is None else y[rows]), dtype=object)
    kept = np.flatnonzero(is_label(truth))
    if not len(kept):
        return Answered("", rows[:0], None, truth[:0])
    return Answered("", rows[kept], fitted.batch(side[kept]), truth[kept])


def with_baselines(
    found: Answered, fitted: Evaluated, records: Records, y: NDArray[np.object_] | None, train: NDArray[np.int64]
) -> Answered:
    """Fit the baselines on the cases a model was fitted on, and let them answer the same test cases."""
    as_known = getattr(fitted, "as_known", lambda side: side)
    side = records[train]
    named = np.asarray(fitted.truth(side, None if y is None else y[train]), dtype=object)
    kept = np.flatnonzero(is_label(named))
    made = baseline_batches(as_known(side[kept]), named[kept], as_known(records[found.rows]), found.batch)
    return replace(found, baselines=made)


def pooled(judging: Judging, answered: Sequence[Answered]) -> Evaluation:
    """Judge every case by the fits that had not seen its patient; several answers to a case share its weight.

    Raises
    ------
    InputError
        No case of any test side has a diagnosis.
    """
    if not answered:
        raise InputError(
            "Test sides with a diagnosed case",
            "found none",
            "check the labels, and whether every patient of a test side is also trained on",
        )
    rows = np.concatenate([one.rows for one in answered])
    distinct, case = np.unique(rows, return_inverse=True)
    truth = np.concatenate([one.truth for one in answered])
    some = judging.records[distinct]
    # Diagnoses by a label rule of the estimator's own stand in where the records name none.
    named = np.where(is_label(judging.named[rows]), judging.named[rows], truth)
    by_case = np.empty(len(distinct), dtype=object)
    by_case[case] = named
    found = find_suspicions(some, by_case, seed=judging.seed) if judging.suspicions else ()
    common: dict[str, Any] = {
        "patients": judging.records.groups[rows],
        "n_boot": judging.n_boot,
        "seed": judging.seed,
        "case": None if len(distinct) == len(rows) else case,
    }
    evaluation = evaluate_batch(
        concatenate([one.batch for one in answered]),
        truth,
        groups={name: values[rows] for name, values in judging.groups.items()},
        must_not_miss=must_not_miss(some, named),
        suspicions=found,
        min_cell=judging.min_cell,
        n_unlabelled=int((~is_label(judging.named)).sum()),
        credit=credit_of(some, by_case).take(case),
        sites=some.column("site")[case],
        primary=judging.primary,
        **common,
    )
    simple = {
        name: evaluate_batch(concatenate([one.baselines[name] for one in answered]), truth, details=False, **common)
        for name in (BASELINES if answered[0].baselines else ())
    }
    baselines = {name: one.overall for name, one in simple.items()}
    return replace(evaluation, baselines=baselines, overall=beside_prior(evaluation.overall, baselines.get("prior")))


def beside_prior(scores: Scores, prior: Scores | None) -> Scores:
    """Put beside the figures those of the prior of each fit; the mean of the priors would know the test sides' own."""
    if prior is None:
        return scores
    own = {name: prior.values[name.removeprefix("baseline.")] for name in scores.values if name.startswith("baseline.")}
    return replace(scores, values={**scores.values, **own})
