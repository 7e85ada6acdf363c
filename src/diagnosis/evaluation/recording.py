"""The asked-only control: how far the choice of what to record gives the diagnosis away, its answers thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.naive_bayes import BernoulliNB

from diagnosis.evaluation.suspicion import Suspicion

if TYPE_CHECKING:
    from diagnosis.records.coded import CodedFindings
    from diagnosis.records.records import Records

__all__ = ["recording_pattern"]

_MOST_CASES = 6000
_LEAST_CASES = 100
_FOLDS = 3
_LEAST_GAIN = 0.05
_LEAST_SHARE = 0.7
_LEAST_NEGATIVE = 0.05
_SMOOTHING = 0.1


def recording_pattern(records: Records, labels: NDArray[np.object_], *, seed: int = 0) -> list[Suspicion]:
    """Compare naive Bayes on which findings were recorded with naive Bayes on what they said.

    Where most of what a model gains over the prior is there without a single answer, it has learned what doctors
    ask when they already suspect something. Looked at on at most 6,000 cases, by 3-fold cross-validation over
    patients; nothing is said of fewer than 100 cases, of cases where fewer than 5 % of findings are absent or
    uncertain (there, recorded and present are one), or where answers gain less than 5 points.

    Returns
    -------
    list of Suspicion
        At most one; `share` is the share of the gain over the prior that is left without the answers.
    """
    rows = np.arange(len(records))
    if len(rows) > _MOST_CASES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_CASES, replace=False))
    patients = np.unique(records.groups[rows], return_inverse=True)[1]
    y = np.unique(labels[rows], return_inverse=True)[1]
    coded = records.coded
    if len(rows) < _LEAST_CASES or len(np.unique(patients)) < _FOLDS or len(np.unique(y)) < 2:
        return []
    if len(coded) == 0 or (coded.status > 0).mean() < _LEAST_NEGATIVE:
        return []
    full = _states(coded)[rows]
    recorded = sparse.csr_array((full[:, 0::3] + full[:, 1::3] + full[:, 2::3]) > 0).astype(np.float64)
    folds = list(GroupKFold(_FOLDS).split(rows, groups=patients))

    def top1(model: BernoulliNB | DummyClassifier, X: sparse.csr_array) -> float:
        """Share of cases whose diagnosis comes first, by cross-validation over patients."""
        return float(np.mean(cross_val_score(model, X, y, cv=folds, scoring="accuracy")))

    prior = top1(DummyClassifier(), full)
    with_answers, without = (top1(BernoulliNB(alpha=_SMOOTHING), X) for X in (full, recorded))
    gain = with_answers - prior
    if gain < _LEAST_GAIN or without - prior < _LEAST_SHARE * gain:
        return []
    says = (
        f"Which findings were recorded, their answers thrown away, names the diagnosis in {without:.0%} of cases "
        f"({with_answers:.0%} with the answers, {prior:.0%} by the commonest alone; naive Bayes, {_FOLDS} folds): the "
        "choice of what to ask carries much of the result, and holds only where doctors ask alike."
    )
    return [Suspicion("recording_pattern", says, len(rows), min(1.0, (without - prior) / gain))]


def _states(coded: CodedFindings) -> sparse.csr_array:
    """Return one column a code and state, in threes, and a row a case."""
    use = np.flatnonzero(coded.latest & (coded.subject < 0))
    cells = (coded.case[use], 3 * coded.code[use] + coded.status[use])
    return sparse.csr_array((np.ones(len(use)), cells), shape=(coded.n_cases, 3 * len(coded.codes)))
