"""The flag for a case whose diagnosis may be none the model knows: learned once, looked up for each case."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnosis.explanation import AnswerCounts
from diagnosis.features import FindingEncoder
from diagnosis.models.protocol import FloatArray
from diagnosis.models.scale import Scale
from diagnosis.models.unlisted import Habits, Unlisted, learn_unlisted
from diagnosis.suggestions.learned import Labelled, OutOfFold

__all__ = ["learned_unlisted", "unlisted_scores"]

#: Flagged out of fold: one training case in twenty.
ALARMS = 0.05
_THERE = ("present", "high", "low", "text")
#: Training cases it is learned from at most, and numbers in a table of diagnoses by columns: above, there is no flag.
_MOST_CASES, _MOST_NUMBERS = 20_000, 2_000_000


def learned_unlisted(
    labelled: Labelled,
    encoder: FindingEncoder,
    answers: AnswerCounts,
    oof: OutOfFold,
    scale: Scale,
    y_index: npt.NDArray[np.int64],
    seed: int,
) -> Unlisted | None:
    """Choose from where on a case is flagged, on out-of-fold scores of whole training cases; see `learn_unlisted`."""
    n = len(labelled.y)
    if answers.having.shape[0] * answers.having.shape[1] > _MOST_NUMBERS:
        return None
    rows = np.flatnonzero(~np.isnan(oof.scores[:n]).any(axis=1))
    if len(rows) > _MOST_CASES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_CASES, replace=False))
    X = encoder.transform(labelled.records[rows])
    return learn_unlisted(
        scale.apply(oof.scores[rows]), y_index[rows], _cells(X, encoder), _habits(answers, encoder), ALARMS
    )


def unlisted_scores(
    rule: Unlisted, answers: AnswerCounts, encoder: FindingEncoder, X: sparse.csr_matrix, proba: FloatArray
) -> FloatArray:
    """Return how little the list of each encoded case accounts for, shape (n_cases,); above `rule.at` it is flagged."""
    return rule.score(_habits(answers, encoder).signals(proba, _cells(X, encoder)))


@lru_cache(maxsize=4)
def _habits(answers: AnswerCounts, encoder: FindingEncoder) -> Habits:
    lineage = encoder.lineage_
    columns = np.flatnonzero(~lineage.context[lineage.finding])
    having = np.asarray(answers.having[:, columns].todense(), dtype=np.float64)
    return Habits.of(having, answers.n_cases, np.isin(lineage.state[columns], _THERE))


def _cells(X: sparse.csr_matrix, encoder: FindingEncoder) -> sparse.csr_matrix:
    """One where a case has an entry other than zero in the column of a finding."""
    lineage = encoder.lineage_
    made = sparse.csr_matrix(X, dtype=np.float64)[:, np.flatnonzero(~lineage.context[lineage.finding])]
    made.data = (made.data != 0).astype(np.float64)
    made.eliminate_zeros()
    return made
