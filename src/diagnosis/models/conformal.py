"""Sets of diagnoses that hold the true one with a declared frequency (split conformal prediction).

Two rules decide which diagnoses belong: LAC takes those above one probability (the smallest sets on average), APS those
with little probability ahead of them (sets that grow where the case is hard). Either has one cutoff for all cases, one
that depends on the groups a case belongs to, or one a diagnosis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagnosis.errors import InputError, nearest
from diagnosis.models.protocol import FloatArray, IntArray

__all__ = ["LEAST_CASES", "SET_KINDS", "SetKind", "SetRule", "aps_scores", "choose_sets", "lac_quantile", "sets"]

SetKind = Literal["lac", "aps"]
SET_KINDS: tuple[SetKind, ...] = ("lac", "aps")

#: A group or diagnosis with fewer cases takes the cutoff of all cases: with 100 the coverage of its new cases is off by
#: more than 5 points in 1 of 20 fits.
LEAST_CASES = 100

# What rounding may move a sum by.
_ROUNDING = 1e-12
_ALL = math.inf
_TURNS = 20

Groups: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class SetRule:
    """Which diagnoses are in the set of a case: those whose score is at most the cutoff.

    Parameters
    ----------
    kind : {"lac", "aps"}
        The score of a diagnosis: minus its probability, or the probability of all that are likelier (`aps_scores`).
    coverage : float
        Declared.
    cutoff : float
        Of all cases; infinite where there were too few to choose on: every diagnosis is in.
    by_group : mapping of str to mapping of str to float
        For each way of grouping what is added to the cutoff in each group; nothing in a group that is not there.
    by_diagnosis : tuple of float
        One cutoff a diagnosis; empty: `cutoff` for all.
    """

    kind: SetKind
    coverage: float
    cutoff: float
    by_group: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    by_diagnosis: tuple[float, ...] = ()

    def members(self, proba: ArrayLike, groups: Groups | None = None) -> NDArray[np.bool_]:
        """Return which diagnoses are in the set of each case, shape (n_cases, n_diagnoses).

        A set is never empty: the most probable diagnosis is always in it, which can only raise the coverage.

        Parameters
        ----------
        proba : array of shape (n_cases, n_diagnoses)
        groups : mapping of str to array of shape (n_cases,), optional
            The group of each case, for each way of grouping; missing or not seen in training: the cutoff of all cases.
        """
        p: FloatArray = np.asarray(proba, dtype=np.float64)
        cutoffs: FloatArray = np.full((p.shape[0], 1), self.cutoff)
        if self.by_diagnosis:
            cutoffs = np.asarray(self.by_diagnosis, dtype=np.float64)[None, :]
        for name, offsets in self.by_group.items():
            if groups is not None and name in groups:
                cutoffs = cutoffs + np.array([offsets.get(g, 0.0) for g in groups[name].tolist()])[:, None]
        inside = _scores(p, self.kind) <= cutoffs + _ROUNDING
        inside[np.arange(p.shape[0]), p.argmax(axis=1)] = True
        return inside

    def to_json(self) -> dict[str, Any]:
        """The rule as plain values; an infinite cutoff is null."""
        return {
            "kind": self.kind,
            "coverage": self.coverage,
            "cutoff": _plain(self.cutoff),
            "by_group": {name: dict(offsets) for name, offsets in self.by_group.items()},
            "by_diagnosis": [_plain(c) for c in self.by_diagnosis],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> SetRule:
        """Read what `to_json` wrote."""
        by_diagnosis = tuple(_ALL if c is None else float(c) for c in plain["by_diagnosis"])
        cutoff = _ALL if plain["cutoff"] is None else float(plain["cutoff"])
        return cls(plain["kind"], float(plain["coverage"]), cutoff, plain["by_group"], by_diagnosis)


def choose_sets(
    proba: ArrayLike,
    y_index: ArrayLike,
    coverage: float,
    *,
    kind: SetKind = "lac",
    groups: Groups | None = None,
    class_conditional: bool = False,
    sample_weight: ArrayLike | None = None,
    least_cases: int = LEAST_CASES,
) -> SetRule:
    """Choose the cutoffs on cases the model was not trained on.

    Parameters
    ----------
    proba : array of shape (n_cases, n_diagnoses)
        With cross-fitted instead of held-out cases there is no finite-sample guarantee.
    y_index : int array of shape (n_cases,)
        Column of each case's diagnosis; negative: one the model cannot name, which no set can hold.
    coverage : float
        Wanted share of sets that hold the case's diagnosis, strictly between 0 and 1.
    kind : {"lac", "aps"}
    groups : mapping of str to array of shape (n_cases,), optional
        The coverage holds in each group of at least `least_cases` cases, for each way of grouping: exactly with one,
        nearly with several (the cutoff is then a sum, fitted by turns).
    class_conditional : bool
        The coverage holds for the cases of each diagnosis with at least `least_cases`, at the price of larger sets.
    sample_weight : array of shape (n_cases,), optional

    Raises
    ------
    InputError
        For a coverage, kind or weight that cannot be, or groups and `class_conditional` together.

    Notes
    -----
    Sadinle, Lei, Wasserman: Least ambiguous set-valued classifiers with bounded error levels (JASA 2019). Romano,
    Sesia, Candès: Classification with valid and adaptive coverage (NeurIPS 2020), here without randomisation. Vovk:
    Conditional validity of inductive conformal predictors (ACML 2012).
    """
    if kind not in SET_KINDS:
        do, near = "use lac or aps", nearest(str(kind), SET_KINDS)
        raise InputError("a kind of prediction set", f"there is no {kind!r}", do, near=near)
    if groups and class_conditional:
        raise InputError(
            "sets that keep their coverage by group or by diagnosis", "both were asked for", "choose one of them"
        )
    p: FloatArray = np.asarray(proba, dtype=np.float64)
    y: IntArray = np.asarray(y_index, dtype=np.int64)
    own = np.full(y.shape, _ALL)
    known = np.flatnonzero(y >= 0)
    own[known] = _scores(p[known], kind)[np.arange(known.size), y[known]]
    w = np.ones(y.shape) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    cutoff = _quantile(own, coverage, w)
    by_group = _offsets(own, coverage, w, cutoff, groups or {}, least_cases)
    by_diagnosis: tuple[float, ...] = ()
    if class_conditional:
        large = _large(y.astype(object), w, least_cases)
        by_diagnosis = tuple(
            _quantile(own[large[k]], coverage, w[large[k]]) if k in large else cutoff for k in range(p.shape[1])
        )
    return SetRule(kind, coverage, cutoff, by_group, by_diagnosis)


def aps_scores(proba: ArrayLike, u: ArrayLike = 1.0) -> FloatArray:
    """Return for each diagnosis the probability of all that are likelier, and 1 - `u` of its own.

    Parameters
    ----------
    proba : array of shape (n_cases, n_diagnoses)
    u : float or array of shape (n_cases,), from 0 to 1
        Romano et al. draw it anew for each case, so that a case's set is not the same twice; 1, the default, draws
        nothing and never gives an empty set: the most probable diagnosis has the score 0.
    """
    p: FloatArray = np.asarray(proba, dtype=np.float64)
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    upto = np.cumsum(ranked, axis=1)
    # Equal probabilities share what is ahead of the first of them, or the order of the columns would decide.
    first = np.maximum.accumulate(np.where(np.diff(ranked, axis=1, prepend=2.0) != 0, np.arange(p.shape[1]), 0), axis=1)
    ahead = np.take_along_axis(upto - ranked, first, axis=1)
    found = np.empty_like(p)
    np.put_along_axis(found, order, np.where(np.arange(p.shape[1]) == 0, 0.0, ahead), axis=1)
    left: FloatArray = 1.0 - np.broadcast_to(np.asarray(u, dtype=np.float64), p.shape[:1])
    return found + left[:, None] * p


def lac_quantile(proba_true: ArrayLike, coverage: float, weights: ArrayLike | None = None) -> float:
    """Return the probability a diagnosis must reach to be in the set.

    The least ambiguous set-valued classifier: the threshold is the ceil((n + 1) coverage)-th largest probability that
    the held-out cases gave to their own diagnosis, so that the set of a new, exchangeable case holds its diagnosis
    with at least that frequency.

    Parameters
    ----------
    proba_true : array of shape (n_cases,)
        Probability of the true diagnosis in cases the model was not trained on; 0 for a diagnosis it cannot name.
    coverage : float
        Wanted share, strictly between 0 and 1.
    weights : array of shape (n_cases,), optional
        The case to come is taken to weigh as much as the mean one; equal weights give the unweighted rule.

    Returns
    -------
    float
        The threshold; 0.0 (every diagnosis is in the set) where there are too few cases for the coverage.

    Raises
    ------
    InputError
        If the coverage is not between 0 and 1, or a weight is negative.

    Examples
    --------
    >>> lac_quantile([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], coverage=0.8)
    0.2
    """
    p = np.asarray(proba_true, dtype=np.float64)
    w = np.ones(p.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    return max(-_quantile(-p, coverage, w), 0.0)


def sets(proba: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Return which diagnoses reach the threshold in each case; the most probable one always does.

    Examples
    --------
    >>> sets([[0.5, 0.3, 0.2], [0.4, 0.35, 0.25]], threshold=0.45).tolist()
    [[True, False, False], [True, False, False]]
    """
    if math.isnan(threshold):
        raise InputError("the threshold of the sets must be a number", "it is nan", "use the result of lac_quantile")
    return SetRule("lac", math.nan, -threshold).members(proba)


def _plain(cutoff: float) -> float | None:
    return cutoff if math.isfinite(cutoff) else None


def _scores(p: FloatArray, kind: SetKind) -> FloatArray:
    return -p if kind == "lac" else aps_scores(p)


def _quantile(own: FloatArray, coverage: float, w: FloatArray) -> float:
    """Return the ceil((n + 1) coverage)-th smallest score, by weight; infinite where there are too few cases."""
    if not 0.0 < coverage < 1.0:
        raise InputError("coverage must lie between 0 and 1", f"it is {coverage!r}", "use for example 0.9")
    if (w < 0).any():
        raise InputError("weights must not be negative", f"{int((w < 0).sum())} are", "use weights of 0 or more")
    own, w = own[w > 0], w[w > 0]
    if not own.size:
        return _ALL
    order = np.argsort(own, kind="stable")
    reached = np.cumsum(w[order] / w.mean())
    # (n + 1) * coverage is a whole number for many usual choices; rounding error must not add one to it.
    needed = (own.size + 1) * coverage - 1e-9 * own.size
    at = int(np.searchsorted(reached, needed))
    return float(own[order[at]]) if at < own.size else _ALL


def _offsets(
    own: FloatArray, coverage: float, w: FloatArray, cutoff: float, groups: Groups, least: int
) -> dict[str, dict[str, float]]:
    """Fit what each group adds to the cutoff, one way of grouping after the other, until nothing moves."""
    large = {name: _large(np.asarray(values, dtype=object), w, least) for name, values in groups.items()}
    found = {name: dict.fromkeys(rows, 0.0) for name, rows in large.items()}
    cutoffs = np.full(own.shape, cutoff)
    if not math.isfinite(cutoff):
        return {}
    for _ in range(_TURNS if len(groups) > 1 else 1):
        moved = 0.0
        for name, members in large.items():
            for group, rows in members.items():
                step = _quantile(own[rows] - cutoffs[rows], coverage, w[rows])
                if math.isfinite(step):
                    found[name][group] += step
                    cutoffs[rows] += step
                    moved = max(moved, abs(step))
        if moved < _ROUNDING:
            break
    return found


def _large(groups: NDArray[np.object_], w: FloatArray, least: int) -> dict[Any, IntArray]:
    """Return the rows of each group with at least `least` cases of positive weight."""
    rows: dict[Any, list[int]] = {}
    for i in np.flatnonzero(w > 0).tolist():
        if groups[i] is not None:
            rows.setdefault(groups[i], []).append(i)
    return {g: np.array(r, dtype=np.int64) for g, r in sorted(rows.items()) if len(r) >= max(least, 1)}
