"""A work-up played through: from the first complaint, question by question, over cases whose answers are recorded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from diagnosis.errors import InputError
from diagnosis.explanation.answered_rows import Kin
from diagnosis.features import finding_key
from diagnosis.records import Records
from diagnosis.suggestions.askable import WITHOUT_TESTS, Measured, askable, fit_for
from diagnosis.suggestions.kin import kin_of
from diagnosis.suggestions.questions import LEAST_GAIN, SURE, by_worth, case_gains, enough, scorer, weights_of

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["Workup", "simulate_workup"]

FloatArray = npt.NDArray[np.float64]
Unrecorded = Literal["absent", "unanswered"]


@dataclass(frozen=True, slots=True, eq=False)
class Workup:
    """How sure and how right a model is after each question, over many cases.

    Parameters
    ----------
    top1 : ndarray of shape (max_questions + 1,)
        Share of cases whose diagnosis is first after so many questions, the first complaint alone being 0. A case that
        stopped earlier counts as it stopped.
    log_loss : ndarray of shape (max_questions + 1,), nats
        Likewise.
    going_on : ndarray of shape (max_questions + 1,)
        Share of cases that ask a further question.
    n_questions : ndarray of int64, shape (n_cases,)
        Questions until the case stopped.
    stopped : ndarray of object, shape (n_cases,)
        Why: ``sure``, ``little``, ``nothing`` left to ask, or ``most`` questions asked.
    """

    top1: FloatArray
    log_loss: FloatArray
    going_on: FloatArray
    n_questions: npt.NDArray[np.int64]
    stopped: npt.NDArray[np.object_]

    def __str__(self) -> str:
        mean = float(self.n_questions.mean())
        return f"top-1 {self.top1[-1]:.3f} after {mean:.1f} questions on average, of at most {len(self.top1) - 1}"

    def to_frame(self) -> pd.DataFrame:
        """One row for each number of questions: `top1`, `log_loss`, `going_on`."""
        import pandas as pd

        return pd.DataFrame(
            {
                "questions": range(len(self.top1)),
                "top1": self.top1,
                "log_loss": self.log_loss,
                "going_on": self.going_on,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """The curve as plain values."""
        return {
            "n": len(self.n_questions),
            "questions": {"mean": float(self.n_questions.mean()), "most": len(self.top1) - 1},
            "top1": self.top1.tolist(),
            "log_loss": self.log_loss.tolist(),
            "going_on": self.going_on.tolist(),
        }


def simulate_workup(
    diagnoser: Diagnoser,
    records: Records,
    *,
    max_questions: int = 20,
    phases: Iterable[str] = WITHOUT_TESTS,
    tests: bool = False,
    unrecorded: Unrecorded = "unanswered",
    sure: float = SURE,
    least_gain: float = LEAST_GAIN,
) -> Workup:
    """Ask question after question of recorded cases, each time the one that would most change the list.

    A case begins with its context and its first complaint: the findings of phase ``chief_complaint`` or that were
    volunteered; where it marks none, its first finding. It goes on until the list is sure, no answer would tell much,
    or nothing is left to ask; never while a must-not-miss diagnosis is flagged that is not first and sure. Findings
    that the vocabulary asks for in the same words count as one question and are answered together.

    Parameters
    ----------
    diagnoser : Diagnoser
    records : Records
        Cases with a diagnosis; the others are left out.
    max_questions : int
    phases, tests
        As in `Differential.next_questions`.
    unrecorded : {"unanswered", "absent"}
        What the answer is to a question that the case does not record. The question counts either way.
    sure : float
        The probability of the first diagnosis that ends the questions.
    least_gain : float, nats
        The expected gain of information of the best question below which none is asked.

    Raises
    ------
    InputError
        No case with a diagnosis, or an option out of range.
    """
    if max_questions < 1 or not 0.0 < sure <= 1.0 or not least_gain >= 0 or unrecorded not in get_args(Unrecorded):
        raise InputError(
            "max_questions from 1, sure above 0 and at most 1, least_gain from 0, unrecorded absent or unanswered",
            f"found {max_questions!r}, {sure!r}, {least_gain!r} and {unrecorded!r}",
            "change what is out of range",
        )
    seen = records.as_of(diagnoser.as_of, unknown_time=diagnoser.unknown_time).with_vocabulary(diagnoser.vocabulary_)
    truth = diagnoser.truth(seen)
    has = np.flatnonzero([one is not None for one in truth])
    if not len(has):
        raise InputError("cases with a diagnosis to be found", "none has one", "give records with labels")
    plan = _Plan(diagnoser, max_questions, tuple(phases), tests, unrecorded, sure, least_gain)
    rows = diagnoser.encoder_.transform(seen)
    runs = [_played(plan, seen[[i]], rows[[i]]) for i in has.tolist()]
    place = {str(c): k for k, c in enumerate(diagnoser.classes_)}
    right = np.array([place.get(str(truth[i]), -1) for i in has])
    proba = np.stack([run[0] for run in runs])
    of_truth = np.where(right[:, None] >= 0, proba[np.arange(len(has)), :, np.maximum(right, 0)], 0.0)
    n = np.array([run[1] for run in runs], dtype=np.int64)
    return Workup(
        top1=(proba.argmax(axis=2) == right[:, None]).mean(axis=0),
        log_loss=-np.log(np.maximum(of_truth, 1e-15)).mean(axis=0),
        going_on=(n[:, None] > np.arange(max_questions + 1)).mean(axis=0),
        n_questions=n,
        stopped=np.array([run[2] for run in runs], dtype=object),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    diagnoser: Diagnoser
    most: int
    phases: tuple[str, ...]
    tests: bool
    unrecorded: Unrecorded
    sure: float
    least_gain: float


def _played(plan: _Plan, case: Records, full: csr_matrix) -> tuple[FloatArray, int, str]:
    """Probabilities after each question, shape (most + 1, n_diagnoses), how many were asked, and why no more."""
    diagnoser, able = plan.diagnoser, askable(plan.diagnoser)
    lineage, score = diagnoser.encoder_.lineage_, scorer(plan.diagnoser)
    known = lineage.context.copy()
    known[_first_complaint(case, able.code)] = True
    recorded = np.asarray(diagnoser.encoder_.recorded(case).todense()).ravel() > 0
    weights, measure = weights_of(diagnoser), Measured(case, diagnoser.encoder_)
    so_far = _SoFar(diagnoser, case, full)
    part, row, kin = so_far(known)
    proba = [score(row)[0]]
    why = "most"
    for _ in range(plan.most):
        # What may be asked follows from what is known so far, never from what the case will answer.
        open_ = fit_for(part, diagnoser, plan.phases, tests=plan.tests, recorded=known)
        if not len(open_):
            why = "nothing"
            break
        gains = case_gains(diagnoser, row, proba[-1], open_, measure, kin)
        best = by_worth(gains, able, weights)[0]
        if stop := enough(diagnoser, proba[-1], float(gains.gain.max()), plan.sure, plan.least_gain):
            why = stop
            break
        answered = (able.question == able.question[gains.key[best]]) & ~known
        known |= answered
        part, row, kin = so_far(known)
        if plan.unrecorded == "absent":
            column = able.sheet.outcomes[known & ~recorded & ~lineage.context, 0]
            row = row + _ones(column[column >= 0], full.shape)
        proba.append(score(row)[0])
    asked = len(proba) - 1
    return np.stack(proba + [proba[-1]] * (plan.most - asked)), asked, why


class _SoFar:
    """A case with what is known of it so far: its records, its row, and what they say through a hierarchy."""

    def __init__(self, diagnoser: Diagnoser, case: Records, full: csr_matrix) -> None:
        self._diagnoser, self._case, self._full = diagnoser, case, full
        lineage = diagnoser.encoder_.lineage_
        place = {str(key): i for i, key in enumerate(lineage.keys.tolist()) if not lineage.context[i]}
        keys = (
            finding_key(one.code, None if one.subject == "patient" else one.subject) for one in case.case(0).findings
        )
        self._of_row = np.array([place.get(key, -1) for key in keys], dtype=np.int64)

    def __call__(self, known: npt.NDArray[np.bool_]) -> tuple[Records, csr_matrix, Kin | None]:
        """`known` says so of each finding, shape (n_keys,)."""
        encoder = self._diagnoser.encoder_
        part = self._case.without((self._of_row < 0) | ~known[self._of_row])
        if not encoder.hierarchy:
            return part, _only(self._full, known[encoder.lineage_.finding]), None
        return part, encoder.transform(part).astype(np.float64), kin_of(self._diagnoser, part)


def _first_complaint(case: Records, place: dict[str, int]) -> list[int]:
    """Places of the findings a case begins with."""
    findings = case.case(0).findings
    own = [one for one in findings if one.code in place and one.subject in (None, "patient")]
    first = [one for one in own if one.phase == "chief_complaint" or one.elicited == "volunteered"] or own[:1]
    return [place[one.code] for one in first]


def _only(row: csr_matrix, column: npt.NDArray[np.bool_]) -> csr_matrix:
    return _masked(row, column[row.indices])


def _masked(row: csr_matrix, cells: npt.NDArray[np.bool_]) -> csr_matrix:
    parts = row.data[cells].astype(np.float64), row.indices[cells], np.array([0, int(cells.sum())], np.int32)
    return csr_matrix(parts, shape=row.shape)


def _ones(columns: npt.NDArray[np.int64], shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((np.ones(len(columns)), (np.zeros(len(columns), np.int64), columns)), shape=shape)
