"""Fitting both stages: the re-ranker sees only first-stage scores of cases that the first stage had not seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diagnosis.models.also import AlsoMatrix, rows_also, shut_copy
from diagnosis.models.calibration import fit_temperature
from diagnosis.models.crossfit import fold_parts
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.ranker.contributions import Reference
from diagnosis.models.ranker.first_stage import Evidence, FirstStage, Logistic, Rows, clean_rows, filled, stage_weights
from diagnosis.models.ranker.knowledge import KnownCells
from diagnosis.models.ranker.likelihood import Tally, likelihood_of, tally, value_columns
from diagnosis.models.ranker.logistic import LogisticKind, choose_logistic, fit_logistic
from diagnosis.models.ranker.pairs import Pairs, pairs_of, portions, rest_of, stack_pairs
from diagnosis.models.ranker.rerank import (
    Lists,
    RerankOptions,
    added_scores,
    grow,
    grow_together,
    stack_lists,
    trees_of_rounds,
)
from diagnosis.models.trees import Trees
from diagnosis.models.validation import TrainingSet

__all__ = ["Learned", "Plan", "learn", "scored", "whole_stage"]

# Numbers (cases times diagnoses) that weights and temperature are chosen on, and cases at least. A temperature from 500
# cases was off by 7 %.
_CHOSEN_ON = 500_000
_FEWEST_WEIGHED, _FEWEST_WARM = 1_000, 3_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be fitted, and how; see `RankerModel`."""

    candidates: int
    smoothing: float
    logistic: LogisticKind | None
    C: float
    rounds: int
    patience: int
    rerank_cases: int
    folds: int
    seed: int
    trees: RerankOptions
    known: KnownCells | None
    every_case: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """Both stages.

    Attributes
    ----------
    counts : Tally
        What the first stage's likelihood follows from.
    stage : FirstStage
    trees : Trees or None
        None where they make nothing better.
    beta : float
        Scores are multiplied by it.
    reference : Reference
    """

    counts: Tally
    stage: FirstStage
    trees: Trees | None
    beta: float
    reference: Reference


@dataclass(frozen=True, slots=True)
class _Fold:
    """Cases of one fold, and what was learned from all others."""

    rows: IntArray
    evidence: Evidence


def scored(
    stage: FirstStage, trees: Trees | None, X: Rows, candidates: int, n_jobs: int, which: IntArray | None = None
) -> FloatArray:
    """Return the scores of both stages, before the temperature; with `which`, only those are right."""
    scores = stage.scores(X)
    if trees is not None:
        pairs = pairs_of(stage, X, scores, min(candidates, scores.shape[1]))
        _add(scores, pairs, trees, n_jobs, which)
    return scores


def learn(cases: TrainingSet, plan: Plan) -> tuple[Learned, FloatArray | None]:
    """Fit; return also the out-of-fold scores of all cases where the plan asks for them."""
    X = clean_rows(cases.X)
    cases = replace(cases, X=X)
    valued, never = value_columns(X), _never(cases.prior, plan.known)
    kind = plan.logistic or choose_logistic(cases, X.nnz, plan.known)
    folds = list(_folds(cases, valued, kind, plan))
    weights = _weights(folds, cases)
    scores = np.empty((cases.y.size if plan.every_case else 0, len(cases.classes)))
    looked_at = _looked_at(folds, cases.y.size, plan)
    lists: list[Lists] = []
    kept: list[FloatArray] = []
    for fold, rows in zip(folds, looked_at, strict=True):
        stage = FirstStage.of(fold.evidence, weights, never)
        made, first = _lists(stage, cases.take(rows), plan, keep=plan.every_case or not lists)
        lists.append(made)
        kept.append(first)
    held_out = range(len(folds)) if plan.every_case else range(1)
    trees, by_fold = _trees(lists, held_out, plan)
    for f in held_out:
        _add(kept[f], lists[f].pairs, by_fold[f], plan.trees.n_jobs)
    beta = _temperature([kept[f] for f in held_out], [looked_at[f] for f in held_out], cases)
    for f in held_out if plan.every_case else ():
        scores[looked_at[f]] = beta * kept[f]
    counts, logistic = _tally(cases, valued), fit_logistic(kind, cases, plan.C, plan.seed)
    stage = whole_stage(counts, logistic, weights, valued, plan.smoothing, plan.known)
    learned = Learned(counts, stage, trees, beta, _mean_case(cases, valued))
    return learned, scores if plan.every_case else None


def whole_stage(
    counts: Tally,
    logistic: Logistic | None,
    weights: FloatArray,
    valued: IntArray,
    smoothing: float,
    known: KnownCells | None,
) -> FirstStage:
    """Return the first stage that follows from the sums over all cases."""
    evidence = Evidence(likelihood_of(counts, valued, smoothing, known), logistic, valued)
    return FirstStage.of(evidence, weights, _never(counts.cases, known))


def _never(cases: FloatArray, known: KnownCells | None) -> NDArray[np.bool_]:
    """Return which diagnoses have neither a weighing case nor a row of knowledge."""
    never = cases <= 0
    if known is not None:
        never[known.diagnosis] = False
    return never


def _tally(cases: TrainingSet, valued: IntArray, *, single: bool = False) -> Tally:
    return tally(clean_rows(cases.X), cases.y, cases.weight, len(cases.classes), valued, single=single)


def _folds(cases: TrainingSet, valued: IntArray, kind: LogisticKind, plan: Plan) -> Iterator[_Fold]:
    for train, rows in fold_parts(cases, plan.folds, plan.seed):
        likelihood = likelihood_of(_tally(train, valued, single=True), valued, plan.smoothing, plan.known)
        yield _Fold(rows, Evidence(likelihood, fit_logistic(kind, train, plan.C, plan.seed), valued))


def _weights(folds: list[_Fold], cases: TrainingSet) -> FloatArray:
    """Choose the weights of the first stage's parts on cases of all folds."""
    chosen = _spaced(np.flatnonzero(cases.weight > 0), max(_FEWEST_WEIGHED, _CHOSEN_ON // len(cases.classes)))
    rows = [fold.rows[np.isin(fold.rows, chosen)] for fold in folds]
    parts = [fold.evidence.parts(clean_rows(cases.X[r])) for fold, r in zip(folds, rows, strict=True)]
    every = np.concatenate(rows)
    beside = rows_also(cases.also, every)
    return stage_weights(
        [np.concatenate(p) for p in zip(*parts, strict=True)], cases.y[every], cases.weight[every], beside
    )


def _looked_at(folds: list[_Fold], n: int, plan: Plan) -> list[IntArray]:
    """Return the cases of each fold whose lists are made: all of them, or enough to learn from."""
    if plan.every_case:
        return [fold.rows for fold in folds]
    shown = _spaced(np.arange(n), plan.rerank_cases * len(folds) // max(len(folds) - 1, 1))
    return [fold.rows[np.isin(fold.rows, shown)] for fold in folds]


def _lists(stage: FirstStage, cases: TrainingSet, plan: Plan, *, keep: bool) -> tuple[Lists, FloatArray]:
    """Make the lists of cases, portion by portion; return also their first-stage scores if they are to be kept."""
    m = min(plan.candidates, len(cases.classes))
    first = np.empty((cases.y.size if keep else 0, len(cases.classes)))
    made, start = [], 0
    for X in portions(clean_rows(cases.X), m):
        scores = stage.scores(X)
        made.append(_pairs(stage, X, scores, m, rows_also(cases.also, slice(start, start + X.shape[0]))))
        if keep:
            first[start : start + X.shape[0]] = scores
        start += X.shape[0]
    return Lists.of(stack_pairs(made), cases.y, cases.weight, cases.also), first


def _pairs(stage: FirstStage, X: Rows, scores: FloatArray, m: int, also: AlsoMatrix) -> Pairs:
    """Return pairs to learn from: what a case has too stands for nothing among the others either."""
    pairs = pairs_of(stage, X, scores, m)
    return pairs if also is None else replace(pairs, rest=rest_of(shut_copy(scores, also), pairs.candidates))


def _trees(lists: list[Lists], held_out: range, plan: Plan) -> tuple[Trees | None, list[Trees | None]]:
    """Grow trees for each held-out fold on the others; return those to keep, and one for each fold."""

    def join(which: list[Lists]) -> Lists:
        each = plan.rerank_cases // len(which) + 1
        return stack_lists([one.at_most(each) for one in which])

    parts = [(join([one for g, one in enumerate(lists) if g != f]), lists[f]) for f in held_out]
    if not all(train.weight.any() and held.weight.any() for train, held in parts):
        return None, [None] * len(parts)
    boosters, rounds = grow_together(parts, plan.trees, plan.rounds, plan.patience)
    if not rounds:
        return None, [None] * len(parts)
    by_fold: list[Trees | None] = [trees_of_rounds(booster, rounds) for booster in boosters]
    if not plan.every_case:
        return by_fold[0], by_fold
    return trees_of_rounds(grow(join(lists), plan.trees, rounds), rounds), by_fold


def _add(first: FloatArray, pairs: Pairs, trees: Trees | None, n_jobs: int, which: IntArray | None = None) -> None:
    """Add what the trees say to the first stage's scores of the candidates (among `which`), in place."""
    if trees is not None and which is not None:
        case, place = np.nonzero(np.isin(pairs.candidates, which))
        added = trees.raw_scores(np.ascontiguousarray(pairs.features[case, place]), n_jobs)
        first[case, pairs.candidates[case, place]] += added[:, 0]
    elif trees is not None:
        added = pairs.first + added_scores(trees, pairs.features, n_jobs)
        np.put_along_axis(first, pairs.candidates, added, axis=1)


def _temperature(scores: list[FloatArray], rows: list[IntArray], cases: TrainingSet) -> float:
    weight = np.concatenate([cases.weight[r] for r in rows])
    most = max(_FEWEST_WARM, _CHOSEN_ON // len(cases.classes))
    chosen = _spaced(np.flatnonzero(weight > 0), most)
    ends = np.cumsum([r.size for r in rows])
    picked = [
        one[chosen[(chosen >= end - r.size) & (chosen < end)] - (end - r.size)]
        for one, r, end in zip(scores, rows, ends, strict=True)
    ]
    every = np.concatenate(rows)[chosen]
    looked_at = shut_copy(np.concatenate(picked), rows_also(cases.also, every))
    return fit_temperature(looked_at, cases.y[every], weight[chosen])


def _mean_case(cases: TrainingSet, valued: IntArray) -> Reference:
    share = cases.weight / cases.weight.sum()
    return Reference(np.asarray(cases.X.T @ share), np.asarray(filled(clean_rows(cases.X), valued).T @ share))


def _spaced(rows: IntArray, most: int) -> IntArray:
    """Return at most so many of the rows, evenly spaced."""
    return rows[np.linspace(0, rows.size - 1, min(most, rows.size)).astype(np.int64)]
