"""The asked-only control: how far the choice of what to record gives the diagnosis away, its answers thrown away."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold
from sklearn.naive_bayes import BernoulliNB

from diagnosis.evaluation.suspicion import Suspicion
from diagnosis.models.linear import LinearModel

if TYPE_CHECKING:
    from diagnosis.records.coded import CodedFindings
    from diagnosis.records.records import Records

__all__ = ["AskedOnly", "asked_only", "recording_pattern"]

_MOST_CASES = 6000
_LEAST_CASES = 100
_MOST_LOGISTIC = 50_000
_FOLDS = 5
_LEAST_GAIN = 0.05
_LEAST_SHARE = 0.7
_LEAST_NEGATIVE = 0.05
_SMOOTHING = 0.1


def recording_pattern(records: Records, labels: NDArray[np.object_], *, seed: int = 0) -> list[Suspicion]:
    """Compare a model of which findings were recorded with one of what they said: the asked-only control.

    Where most of what a model gains over the prior is there without a single answer, it has learned what doctors
    ask when they already suspect something. Logistic regression, naive Bayes where cases times diagnoses are more than
    50,000; on at most 6,000 cases, by 5-fold cross-validation over patients, or over `group` where the cases have one.
    Nothing is said of fewer than 100 cases, of cases where fewer than 5 % of findings are absent or uncertain (there,
    recorded and present are one), or where answers gain less than 5 points.

    Returns
    -------
    list of Suspicion
        At most one; `share` is the share of the gain over the prior that is left without the answers.
    """
    found = asked_only(records, labels, seed=seed)
    if found is None:
        return []
    gain = found.with_answers - found.prior
    if gain < _LEAST_GAIN or found.asked_only - found.prior < _LEAST_SHARE * gain:
        return []
    says = (
        f"Which findings were recorded, their answers thrown away, names the diagnosis in {found.asked_only:.0%} of "
        f"cases ({found.with_answers:.0%} with the answers, {found.prior:.0%} by the commonest alone; {found.model}, "
        f"{_FOLDS} folds by {found.by}): the choice of what to ask carries much of the result, and holds only where "
        "doctors ask alike."
    )
    share = min(1.0, (found.asked_only - found.prior) / gain)
    return [Suspicion("recording_pattern", says, found.n, share)]


@dataclass(frozen=True, slots=True)
class AskedOnly:
    """Top-1 accuracy by cross-validation, with the answers and without.

    Parameters
    ----------
    n : int
        Cases looked at.
    with_answers, asked_only, prior : float
        Of a model of the states; of which findings were recorded alone; of always naming the commonest diagnosis.
    model : str
    by : str
        What no two folds share: ``patient`` or ``group``.
    """

    n: int
    with_answers: float
    asked_only: float
    prior: float
    model: str
    by: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def asked_only(records: Records, labels: NDArray[np.object_], *, seed: int = 0) -> AskedOnly | None:
    """Measure the asked-only control; None where there is too little to look at. See `recording_pattern`."""
    coded = records.coded
    if len(records) < _LEAST_CASES or len(coded) == 0 or (coded.status > 0).mean() < _LEAST_NEGATIVE:
        return None
    rows = np.arange(len(records))
    if len(rows) > _MOST_CASES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_CASES, replace=False))
    y = np.unique(labels[rows], return_inverse=True)[1]
    by, unit = _units(records, rows)
    if unit.max() + 1 < _FOLDS or y.max() < 1:
        return None
    full = _states(coded)[rows]
    recorded = sparse.csr_array((full[:, 0::3] + full[:, 1::3] + full[:, 2::3]) > 0).astype(np.float64)
    folds = list(GroupKFold(_FOLDS, shuffle=True, random_state=seed).split(full, groups=unit))
    cheap = len(rows) * (int(y.max()) + 1) > _MOST_LOGISTIC
    name, model = ("naive Bayes", BernoulliNB(alpha=_SMOOTHING)) if cheap else ("logistic regression", LinearModel())
    prior, with_answers, without = (
        _top1(m, X, y, folds) for m, X in ((DummyClassifier(), full), (model, full), (model, recorded))
    )
    return AskedOnly(len(rows), with_answers, without, prior, name, by)


def _units(records: Records, rows: NDArray[np.int64]) -> tuple[str, NDArray[np.intp]]:
    """Which cases must not be parted: those of a group where every case has one, else those of a patient."""
    group = records.column("group")[rows]
    named = not (group == None).any() and len(set(group.tolist())) >= _FOLDS  # noqa: E711 - elementwise
    values = group if named else records.groups[rows]
    return "group" if named else "patient", np.unique(values.astype(str), return_inverse=True)[1]


def _top1(
    model: BernoulliNB | DummyClassifier | LinearModel,
    X: sparse.csr_array,
    y: NDArray[np.intp],
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> float:
    """Share of cases whose diagnosis comes first, each judged by a fit that has not seen its unit."""
    hits = 0
    for train, test in folds:
        if len(np.unique(y[train])) < 2:
            continue
        hits += int((clone(model).fit(X[train], y[train]).predict(X[test]) == y[test]).sum())
    return hits / len(y)


def _states(coded: CodedFindings) -> sparse.csr_array:
    """Return one column a code and state, in threes, and a row a case."""
    use = np.flatnonzero(coded.latest & (coded.subject < 0))
    cells = (coded.case[use], 3 * coded.code[use] + coded.status[use])
    return sparse.csr_array((np.ones(len(use)), cells), shape=(coded.n_cases, 3 * len(coded.codes)))
