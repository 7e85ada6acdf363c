"""Which answer would tell most? Every question's possible answers are scored, all of a case in one matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import entr

from diagnosis.explanation.answer_counts import AnswerCounts
from diagnosis.explanation.answered_rows import Answers, Kin, answered_rows, state_columns
from diagnosis.features import Lineage

__all__ = ["LEAST_NAMED", "AnswerSheet", "Gains", "Measure", "Scorer", "gains_of", "information_gain", "most_moved"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
#: From encoded cases to calibrated probabilities, shape (n_rows, n_diagnoses).
Scorer = Callable[[sparse.csr_matrix], FloatArray]
#: From findings (places in `Lineage.keys`) and a scaled value of each to the cells that it sets.
Measure = Callable[[IntArray, FloatArray], Answers]

#: A diagnosis below this with and without an answer is not named as moved by it: pages show it as under 1 % both times.
LEAST_NAMED = 0.01
# Probabilities that an answer moves by less are not moved.
_LEAST_MOVE = 1e-9
# Chances of answers by diagnosis that are kept: 80 MB.
_MOST_KEPT = 10_000_000
# Three points that stand for a normal distribution: Gauss-Hermite.
_POINTS = np.array([-np.sqrt(3.0), 0.0, np.sqrt(3.0)])
_POINT_WEIGHTS = np.array([1.0, 4.0, 1.0]) / 6.0


@dataclass(frozen=True, slots=True, eq=False)
class AnswerSheet:
    """The questions an encoder knows, and the columns that their answers set.

    Parameters
    ----------
    lineage : Lineage
    outcomes : ndarray of int64, shape (n_keys, n_outcomes)
        Columns of the answers in words of each finding: absent, present, then texts; -1 where there is none.
    value : ndarray of int64, shape (n_keys,)
        Columns of a measured value.
    given : ndarray of shape (n_diagnoses, n_keys, n_outcomes) or None
        How likely each answer is with each diagnosis; None where that is too large to be kept.
    """

    lineage: Lineage
    outcomes: IntArray
    value: IntArray
    given: FloatArray | None

    @classmethod
    def of(cls, lineage: Lineage, counts: AnswerCounts) -> AnswerSheet:
        """Look up every finding's columns."""
        texts: list[list[int]] = [[] for _ in lineage.keys]
        for column in np.flatnonzero(lineage.state == "text").tolist():
            texts[lineage.finding[column]].append(column)
        width = 2 + max((len(one) for one in texts), default=0)
        outcomes = np.full((len(lineage.keys), width), -1, np.int64)
        outcomes[:, 0], outcomes[:, 1] = state_columns(lineage, "absent"), state_columns(lineage, "present")
        for key, columns in enumerate(texts):
            outcomes[key, 2 : 2 + len(columns)] = columns
        small = outcomes.size * len(counts.n_cases) <= _MOST_KEPT
        return cls(lineage, outcomes, state_columns(lineage, "value"), counts.given(outcomes) if small else None)

    @property
    def in_words(self) -> npt.NDArray[np.bool_]:
        """Which findings can be answered by present or a text, shape (n_keys,)."""
        found: npt.NDArray[np.bool_] = (self.outcomes[:, 1:] >= 0).any(axis=1) & ~self.lineage.context
        return found

    @property
    def in_numbers(self) -> npt.NDArray[np.bool_]:
        """Which findings can be measured and not answered in words, shape (n_keys,)."""
        return (self.value >= 0) & ~self.in_words & ~self.lineage.context


@dataclass(frozen=True, slots=True, eq=False)
class Gains:
    """What the answers to some questions would tell of one case.

    Parameters
    ----------
    key : ndarray of int64, shape (n_questions,)
        The findings asked for, by their place in `Lineage.keys`.
    chance : ndarray of shape (n_questions, n_outcomes), rows sum to 1
        How likely each answer is: absent first, or low, middle and high of a value; 0 where there is no such answer.
    proba : ndarray of shape (n_questions, n_outcomes, n_diagnoses)
        Probabilities after each answer.
    by_diagnosis : ndarray of shape (n_questions, n_diagnoses), nats
        The expected gain, by the diagnosis it is about; none is below 0.
    """

    key: IntArray
    chance: FloatArray
    proba: FloatArray
    by_diagnosis: FloatArray

    @property
    def gain(self) -> FloatArray:
        """Expected gain of information, nats, shape (n_questions,)."""
        found: FloatArray = self.by_diagnosis.sum(axis=1)
        return found


def information_gain(chance: FloatArray, proba: FloatArray) -> FloatArray:
    """Return how much the answer to a question tells of each diagnosis.

    Parameters
    ----------
    chance : ndarray of shape (n_questions, n_outcomes), rows sum to 1
    proba : ndarray of shape (n_questions, n_outcomes, n_diagnoses), rows sum to 1

    Returns
    -------
    ndarray of shape (n_questions, n_diagnoses), nats
        Summed over the diagnoses it is the mutual information of answer and diagnosis: the entropy of the mixture of
        the answers' probabilities less their expected entropy (Lindley: On a measure of the information provided by an
        experiment, Ann. Math. Statist. 1956). No part is below 0, so it may be weighted by diagnosis.
    """
    there = chance > 0
    each = np.zeros(proba.shape)
    each[there] = -entr(proba[there])
    mixture = np.einsum("qo,qod->qd", chance, proba)
    found: FloatArray = np.maximum(np.einsum("qo,qod->qd", chance, each) + entr(mixture), 0.0)
    return found


def most_moved(chance: FloatArray, before: FloatArray, after: FloatArray) -> tuple[int, int | None, int | None]:
    """Return the answer to one question that moves most, the diagnosis that it favours, and the one it takes most from.

    Moves are differences of probability times the chance of the answer. Where no answer moves two diagnoses apart, the
    answer that moves one most; the other is None, and both are where none is moved.

    Parameters
    ----------
    chance : ndarray of shape (n_outcomes,)
    before : ndarray of shape (n_diagnoses,)
    after : ndarray of shape (n_outcomes, n_diagnoses)
        Probabilities after each answer; those of an answer without a chance are not looked at.

    Notes
    -----
    What stands under `LEAST_NAMED` both before and after an answer is never named for it.
    """
    move = chance[:, None] * (after - before)
    move[np.maximum(after, before) < LEAST_NAMED] = 0.0
    up, down = move.max(axis=1), move.min(axis=1)
    apart = (up > _LEAST_MOVE) & (down < -_LEAST_MOVE)
    answer = int(np.argmax(np.where(apart, up, 0.0) if apart.any() else np.maximum(up, -down)))
    favoured = int(move[answer].argmax()) if up[answer] > _LEAST_MOVE else None
    other = int(move[answer].argmin()) if down[answer] < -_LEAST_MOVE else None
    return answer, favoured, other


def gains_of(
    row: sparse.csr_matrix,
    proba: FloatArray,
    keys: IntArray,
    sheet: AnswerSheet,
    counts: AnswerCounts,
    score: Scorer,
    measure: Measure,
    kin: Kin | None = None,
) -> Gains:
    """Score the possible answers to some questions of one case, as one matrix.

    Parameters
    ----------
    row : csr_matrix of shape (1, n_columns)
    proba : ndarray of shape (n_diagnoses,)
        The case's probabilities as the counts' diagnoses are ordered; with ``P(answer) = sum_d p_d P(answer | d)`` they
        say how likely each answer is.
    keys : ndarray of int64, shape (n_questions,)
        What may be asked: findings of `sheet.in_words` or `sheet.in_numbers`.
    sheet : AnswerSheet
    counts : AnswerCounts
    score, measure : callable
    kin : Kin, optional
        As in `answered_rows`.
    """
    is_word = sheet.in_words[keys]
    words, numbers = keys[is_word], keys[~is_word]
    chance, answers = _in_words(words, proba, sheet, counts)
    value = _likely_values(numbers, proba, sheet, counts)
    parts = [answers]
    if len(numbers):
        parts.append(measure(np.repeat(numbers, len(_POINTS)), value.ravel()))
    width = max(chance.shape[1], len(_POINTS))
    of_values = np.tile(_POINT_WEIGHTS, (len(numbers), 1))
    chance = np.concatenate([_widened(chance, width), _widened(of_values, width)])
    after = np.zeros((*chance.shape, len(proba)))
    if len(keys):
        after[chance > 0] = score(answered_rows(row, sheet.lineage, Answers.together(parts), kin))
    return Gains(np.concatenate([words, numbers]), chance, after, information_gain(chance, after))


def _in_words(
    keys: IntArray, proba: FloatArray, sheet: AnswerSheet, counts: AnswerCounts
) -> tuple[FloatArray, Answers]:
    """How likely each answer is, shape (n_questions, n_outcomes), and the answers that are possible, in that order."""
    outcomes = sheet.outcomes[keys]
    width = int(np.flatnonzero((outcomes >= 0).any(axis=0)).max(initial=1)) + 1
    outcomes = outcomes[:, :width]
    given = counts.given(outcomes) if sheet.given is None else sheet.given[:, keys, :width]
    chance = np.einsum("d,dqo->qo", proba, given)
    chance /= chance.sum(axis=1, keepdims=True)
    question, outcome = np.nonzero(chance > 0)
    answers = Answers.of_states(keys[question], outcomes[question, outcome])
    # A text comes on a row that is present.
    text = np.flatnonzero(outcome >= 2)
    present = outcomes[question[text], 1]
    text, present = text[present >= 0], present[present >= 0]
    return chance, Answers(
        answers.key,
        np.concatenate([answers.answer, text]),
        np.concatenate([answers.column, present]),
        np.concatenate([answers.value, np.ones(len(text))]),
    )


def _likely_values(keys: IntArray, proba: FloatArray, sheet: AnswerSheet, counts: AnswerCounts) -> FloatArray:
    """Low, middle and high scaled values of each finding, shape (n_questions, 3)."""
    if not len(keys):
        return np.zeros((0, len(_POINTS)))
    centre, spread = counts.spread(proba, sheet.value[keys])
    found: FloatArray = centre[:, None] + spread[:, None] * _POINTS
    return found


def _widened(chance: FloatArray, width: int) -> FloatArray:
    return np.pad(chance, ((0, 0), (0, width - chance.shape[1])))
