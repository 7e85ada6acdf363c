"""Fitting both stages: the re-ranker sees only first-stage scores of cases that the first stage had not seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from diagnosis.models.calibration import fit_temperature
from diagnosis.models.folds import grouped_folds
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.ranker.contributions import Reference
from diagnosis.models.ranker.first_stage import Evidence, FirstStage, Rows, clean_rows, filled, stage_weights
from diagnosis.models.ranker.knowledge import KnownCells
from diagnosis.models.ranker.likelihood import likelihood_of, tally, value_columns
from diagnosis.models.ranker.logistic import LogisticKind, choose_logistic, fit_logistic
from diagnosis.models.ranker.pairs import Pairs, pairs_of, portions, stack_pairs
from diagnosis.models.ranker.rerank import Lists, RerankOptions, added_scores, grow, grow_together, trees_of_rounds
from diagnosis.models.trees import Trees
from diagnosis.models.validation import TrainingSet

__all__ = ["Learned", "Plan", "learn", "scored"]

# Numbers (cases times diagnoses) that weights and temperature are chosen on: some hundred cases per parameter at least.
_CHOSEN_ON = 2_000_000
_FEWEST = 500


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
    stage : FirstStage
    trees : Trees or None
        None where they make nothing better.
    beta : float
        Scores are multiplied by it.
    reference : Reference
    logistic : {"exact", "batches", "none"}
    """

    stage: FirstStage
    trees: Trees | None
    beta: float
    reference: Reference
    logistic: LogisticKind


@dataclass(frozen=True, slots=True)
class _Fold:
    """Cases of one fold, and what was learned from all others."""

    rows: IntArray
    X: Rows
    evidence: Evidence


def scored(
    stage: FirstStage, trees: Trees | None, X: Rows, candidates: int, n_jobs: int
) -> tuple[FloatArray, FloatArray]:
    """Return the scores of both stages before the temperature, and the first stage's alone."""
    first = stage.scores(X)
    if trees is None:
        return first, first
    pairs = pairs_of(stage, X, first, min(candidates, first.shape[1]))
    return _with_added(first, pairs, added_scores(trees, pairs.features, n_jobs)), first


def learn(cases: TrainingSet, plan: Plan) -> tuple[Learned, FloatArray | None]:
    """Fit; return also the out-of-fold scores of all cases where the plan asks for them."""
    X = clean_rows(cases.X)
    valued = value_columns(X)
    kind = plan.logistic or choose_logistic(cases, X.nnz)
    folds = list(_folds(cases, X, valued, kind, plan))
    weights = _weights(folds, cases)
    shown = _shown(cases.y.size, plan)
    looked_at = [np.flatnonzero(np.isin(fold.rows, shown)) for fold in folds]
    lists = [_lists(fold, rows, weights, cases, plan) for fold, rows in zip(folds, looked_at, strict=True)]
    held_out = range(len(folds)) if plan.every_case else range(1)
    parts = [(_joined([one for g, one in enumerate(lists) if g != f], plan), lists[f]) for f in held_out]
    boosters, rounds = grow_together(parts, plan.trees, plan.rounds, plan.patience)
    by_fold = [trees_of_rounds(booster, rounds) if rounds else None for booster in boosters]
    last = by_fold[0]
    if rounds and plan.every_case:
        last = trees_of_rounds(grow(_joined(lists, plan), plan.trees, rounds), rounds)
    scores = np.concatenate(
        [_fold_scores(folds[f], weights, trees, plan) for f, trees in zip(held_out, by_fold, strict=True)]
    )
    rows = np.concatenate([folds[f].rows for f in held_out])
    beta = _temperature(scores, cases.y[rows], cases.weight[rows])
    learned = Learned(_whole(cases, X, valued, kind, weights, plan), last, beta, _mean_case(X, valued, cases), kind)
    if not plan.every_case:
        return learned, None
    out = np.empty_like(scores)
    out[rows] = beta * scores
    return learned, out


def _folds(cases: TrainingSet, X: Rows, valued: IntArray, kind: LogisticKind, plan: Plan) -> Iterator[_Fold]:
    fold = grouped_folds(cases.y, cases.groups, plan.folds, plan.seed)
    whole = tally(X, cases.y, cases.weight, len(cases.classes), valued)
    for f in range(int(fold.max()) + 1):
        rows, rest = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        train = replace(cases.take(rest), X=X[rest])
        assert not np.isin(cases.groups[rows], train.groups).any(), "a patient stands on both sides"
        own = tally(X[rows], cases.y[rows], cases.weight[rows], len(cases.classes), valued)
        ratios = likelihood_of(whole.less(own), valued, plan.smoothing, plan.known)
        yield _Fold(rows, X[rows], Evidence(ratios, fit_logistic(kind, train, plan.C, plan.seed), valued))
