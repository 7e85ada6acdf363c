"""How the hybrid learns: two models side by side, or trees on what the linear scores leave; many folds, or one part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.optimize import minimize
from sklearn.base import clone

from diagnosis.models.boosted import BoostedModel
from diagnosis.models.booster import Beside
from diagnosis.models.calibration import fit_temperature, log_softmax
from diagnosis.models.crossfit import fit_with_cross_scores, fold_parts, is_better, with_floor
from diagnosis.models.linear import LinearModel
from diagnosis.models.linear_fit import work_of
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.validation import TrainingSet, rows_of

__all__ = ["HUGE_WORK", "Fitted", "Folds", "Residual", "blend_weights", "fit_hybrid"]

Folds: TypeAlias = int | Literal["auto"]
Residual: TypeAlias = bool | Literal["auto"]

# Stored entries times diagnoses from which one held-out part takes the place of folds, and from which the trees only
# learn what the linear scores leave: at 150 million (100,000 cases of 43 diagnoses) both forms were equally good, and
# this one took a quarter of the time.
LARGE_WORK, HUGE_WORK = 20_000_000, 500_000_000
# What the linear scores get where neither model is of any use: enough to keep an order.
_LEAST = 0.01
_MOST = 100.0
# One part of five chooses weights and rounds where the work is large; the residual's few trees are content with one of
# ten, and are not grown a second time.
_PARTS, _RESIDUAL_PARTS = 5, 10
# The trees start from this share of the calibrated linear scores, so that they choose splits of their own and not only
# corrections; the weights are fitted afterwards. On 20,000 cases of 43 diagnoses 1.0 left .896 nats, 0.6 .870.
_SHARE = 0.6
# Cases the temperature of the linear scores is chosen on, where there are more.
_ENOUGH = 50_000
# Scores (cases times diagnoses) the residual's trees learn from at most.
_ENOUGH_SCORES = 100_000_000


@dataclass(frozen=True, slots=True)
class Fitted:
    """Both models (None where the weight is 0), their weights, and the out-of-fold scores the weights were chosen on.

    `scores` is nan in the rows of cases that no model was held back from.
    """

    linear: LinearModel | None
    boosted: BoostedModel | None
    weights: tuple[float, float]
    scores: FloatArray


def fit_hybrid(
    cases: TrainingSet,
    linear: LinearModel,
    boosted: BoostedModel,
    *,
    folds: int,
    one_part: bool,
    residual: bool,
    seed: int,
) -> Fitted:
    """Fit both models and their weights; the models given stay unfitted."""
    if residual:
        return _fit_residual(cases, linear, boosted, 2 if one_part else folds, one_part, seed)
    return (_fit_one_part if one_part else _fit_folds)(cases, linear, boosted, folds, seed)


def is_large(cases: TrainingSet) -> bool:
    """Whether one held-out part takes the place of folds by itself."""
    return work_of(cases.X, len(cases.classes)) >= LARGE_WORK


def is_huge(cases: TrainingSet) -> bool:
    """Whether the trees learn what the linear scores leave by themselves."""
    return work_of(cases.X, len(cases.classes)) >= HUGE_WORK


def _fit_folds(cases: TrainingSet, linear: LinearModel, boosted: BoostedModel, folds: int, seed: int) -> Fitted:
    (linear_, linear_scores), (boosted_, boosted_scores) = (
        fit_with_cross_scores(
            model, cases.X, cases.y, sample_weight=cases.weight, groups=cases.groups, folds=folds, seed=seed
        )
        for model in (linear, boosted)
    )
    a, b = blend_weights(linear_scores, boosted_scores, cases.y, cases.weight)
    return _named(cases, linear_, boosted_, (a, b), a * linear_scores + b * boosted_scores)


def _fit_one_part(cases: TrainingSet, linear: LinearModel, boosted: BoostedModel, _: int, seed: int) -> Fitted:
    """Choose weights and rounds on a fifth of the patients, then learn from all, the linear model from where it was."""
    train, rows = next(fold_parts(cases, _PARTS, seed))
    held_out = cases.take(rows)
    firsts, linear_scores = _held_back_scores(linear, [(train, rows)], cases)
    linear_scores = linear_scores[rows]
    (trees,), rounds = boosted.grow([(Beside(train), Beside(held_out))])
    boosted_scores = with_floor(trees.raw_scores(held_out.X, boosted.n_jobs), train)
    a, b = blend_weights(linear_scores, boosted_scores, held_out.y, held_out.weight)
    linear_ = clone(linear).fit_checked(cases, start=_start(firsts)) if a else None
    boosted_ = clone(boosted).fit_checked(Beside(cases), rounds) if b else None
    scores = np.full((cases.y.size, len(cases.classes)), np.nan)
    scores[rows] = a * linear_scores + b * boosted_scores
    return _named(cases, linear_, boosted_, (a, b), scores)


def _fit_residual(
    cases: TrainingSet, linear: LinearModel, boosted: BoostedModel, folds: int, one_part: bool, seed: int
) -> Fitted:
    """Grow trees on what out-of-fold linear scores leave; where nothing is left to learn there are none."""
    parts = list(fold_parts(cases, folds, seed))
    firsts, left = _held_back_scores(linear, parts, cases)
    some = np.unique(np.linspace(0, cases.y.size - 1, _ENOUGH).astype(np.int64))
    heat = fit_temperature(left[some], cases.y[some], cases.weight[some])
    left *= _SHARE * heat
    linear_ = clone(linear).fit_checked(cases, start=_start(firsts) if one_part else None)
    whole = Beside(cases, left)
    if one_part:
        train, rows = next(fold_parts(cases, _RESIDUAL_PARTS, seed))
        parts = [(train, rows)]
    pairs = [(whole.take(_others(rows, left.shape)), whole.take(rows)) for _, rows in parts]
    grown, rounds = boosted.grow(pairs)
    rows = np.concatenate([rows for _, rows in parts])
    added = np.zeros((cases.y.size if rounds else 0, left.shape[1]))
    for trees, (_, part) in zip(grown, parts, strict=bool(rounds)):
        added[part] = trees.raw_scores(rows_of(cases.X, part), boosted.n_jobs)
    a, b = _worth_it(left[rows], added[rows], cases.take(rows)) if rounds else (1 / _SHARE, 0.0)
    boosted_ = None
    if b:
        boosted_ = clone(boosted)
        boosted_ = boosted_.keep(grown[0], pairs[0][0]) if one_part else boosted_.fit_checked(whole, rounds)
    blended = a * left[rows] + (b * added[rows] if b else 0.0)
    left[:] = np.nan
    left[rows] = blended
    return _named(cases, linear_, boosted_, (a * _SHARE * heat, b), left)


def _held_back_scores(
    linear: LinearModel, parts: list[tuple[TrainingSet, IntArray]], cases: TrainingSet
) -> tuple[list[LinearModel], FloatArray]:
    """Return linear models fitted on the first of each pair, and scores of the rows in the second, zero elsewhere."""
    models, scores = [], np.zeros((cases.y.size, len(cases.classes)))
    for train, rows in parts:
        if np.count_nonzero(train.prior) > 1:
            models.append(clone(linear).fit_checked(train))
            scores[rows] = models[-1].scores_of(rows_of(cases.X, rows))
        scores[rows] = with_floor(scores[rows], train)
    return models, scores


def _worth_it(linear: FloatArray, added: FloatArray, held_out: TrainingSet) -> tuple[float, float]:
    """Return the weights of both scores; 0 for the trees where what they save is within its standard error."""
    a, b = blend_weights(linear, added, held_out.y, held_out.weight)
    alone = blend_weights(linear, np.zeros_like(linear), held_out.y, held_out.weight)[0]
    return (a, b) if is_better(a * linear + b * added, alone * linear, held_out) else (alone, 0.0)


def _others(rows: IntArray, shape: tuple[int, ...]) -> IntArray:
    """Return the rows that are not held out, thinned where there are more than a few small trees need."""
    others = np.flatnonzero(np.bincount(rows, minlength=shape[0]) == 0)
    return others[:: max(1, -(-others.size * shape[1] // _ENOUGH_SCORES))]


def _start(models: list[LinearModel]) -> FloatArray | None:
    """Return where a fit on all cases starts: between the fits on parts of them."""
    if not models:
        return None
    coef = np.mean([model.coef_.T for model in models], axis=0)
    intercept = np.mean([model.intercept_ for model in models], axis=0)
    # A diagnosis that one part had no case of stands at the floor, where no gradient reaches.
    usual = intercept[intercept > np.median(intercept) - 10]
    return np.vstack([coef, np.maximum(intercept, usual.min() - 1)])


def _named(
    cases: TrainingSet,
    linear: LinearModel | None,
    boosted: BoostedModel | None,
    weights: tuple[float, float],
    scores: FloatArray,
) -> Fitted:
    """Give models that were fitted on class numbers the names, and leave out those of weight 0."""
    a, b = weights
    for model in (linear, boosted):
        if model is not None:
            model.classes_ = cases.classes
    return Fitted(linear if a else None, boosted if b else None, weights, scores)


def blend_weights(linear: FloatArray, boosted: FloatArray, y: IntArray, weight: FloatArray) -> tuple[float, float]:
    """Return a, b >= 0 with the lowest weighted log-loss of ``softmax(a * linear + b * boosted)``.

    The loss is convex. Where neither score is of use (a = b = 0), `a` is 0.01, which keeps an order and is near to
    even odds.

    Parameters
    ----------
    linear, boosted : ndarray of shape (n_cases, n_diagnoses)
        Out-of-fold scores.
    y : ndarray of int64, shape (n_cases,)
    weight : ndarray of shape (n_cases,)
    """
    used = np.flatnonzero(weight > 0)
    both = np.stack([linear[used], boosted[used]])
    both = both - both.max(axis=2, keepdims=True)
    share, rows, true = weight[used] / weight[used].sum(), np.arange(used.size), y[used]
    at_truth = both[:, rows, true]

    def loss(ab: FloatArray) -> tuple[float, FloatArray]:
        log_p = log_softmax(np.tensordot(ab, both, axes=1))
        expected = (np.exp(log_p) * both).sum(axis=2)
        return -float(share @ log_p[rows, true]), (expected - at_truth) @ share

    found = minimize(
        loss,
        x0=(0.5, 0.5),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, _MOST)] * 2,
        options={"ftol": 1e-13, "gtol": 1e-9},
    )
    a, b = (float(w) for w in found.x)
    return (a, b) if a + b else (_LEAST, 0.0)
