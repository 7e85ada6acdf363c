"""How the hybrid learns: two models side by side, or trees on what the linear scores leave; many folds, or one part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.base import clone

from diagnosis.models.also import AlsoMatrix, also_lists, rows_also, shut, shut_copy
from diagnosis.models.boosted import BoostedModel
from diagnosis.models.booster import Beside
from diagnosis.models.calibration import fit_temperature, log_loss, log_softmax
from diagnosis.models.crossfit import fit_with_cross_scores, fold_parts, is_better, with_floor
from diagnosis.models.folds import grouped_folds
from diagnosis.models.linear import LinearModel
from diagnosis.models.linear_fit import LARGE_WORK as LARGE_FIT
from diagnosis.models.linear_fit import work_of
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.validation import TrainingSet, rows_of

__all__ = ["HUGE_WORK", "Fitted", "Folds", "Residual", "blend_weights", "fit_hybrid"]

Folds: TypeAlias = int | Literal["auto"]
Residual: TypeAlias = bool | Literal["auto"]

# Stored entries times diagnoses from which one held-out part takes the place of folds, from which the trees only learn
# what the linear scores leave, and from which they do so in few rounds. At 32 million (20,000 cases of 43 diagnoses)
# both forms were as good, with 25 rounds of the second; at 77 million it saved .01 nats in six tenths of the time.
LARGE_WORK, REST_WORK, HUGE_WORK = 20_000_000, 60_000_000, 500_000_000
# What the linear scores get where neither model is of any use: enough to keep an order.
_LEAST = 0.01
_MOST = 100.0
# The trees start from this share of the calibrated linear scores, so that they choose splits of their own and not only
# corrections; the weights are fitted afterwards. On 20,000 cases of 43 diagnoses 1.0 left .896 nats, 0.6 .870.
_SHARE = 0.6
# Cases the temperature of the linear scores is chosen on, where there are more.
_ENOUGH = 10_000
# Where the linear scores leave less than this, in nats, large work grows no trees on it: there is little to gain.
_LITTLE = 0.02
# Scores (cases times diagnoses) the residual's trees learn from at most, and are judged on.
_ENOUGH_SCORES, _JUDGED_SCORES = 100_000_000, 12_000_000
# Where a part of the cases is large work, a linear model that only says what is left to learn ends at this gradient,
# twice that of the answering one (20,000 cases: the same top-1, .001 nats), and learns from this much work at most.
_ROUGH, _ENOUGH_WORK = 1e-3, 500_000_000


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
    quick: bool,
    seed: int,
) -> Fitted:
    """Fit both models and their weights; the models given stay unfitted.

    With `one_part` one of so many folds is held out; if it is `quick`, halves of the cases make all linear scores.
    """
    if residual and one_part:
        return _residual_one_part(cases, linear, boosted, folds, seed, quick=quick)
    if residual:
        return _residual_folds(cases, linear, boosted, folds, seed)
    return (_fit_one_part if one_part else _fit_folds)(cases, linear, boosted, folds, seed)


def is_large(cases: TrainingSet) -> bool:
    """Whether one held-out part takes the place of folds by itself."""
    return work_of(cases.X, len(cases.classes)) >= LARGE_WORK


def leaves_rest(cases: TrainingSet) -> bool:
    """Whether the trees learn what the linear scores leave by themselves."""
    return work_of(cases.X, len(cases.classes)) >= REST_WORK


def is_huge(cases: TrainingSet) -> bool:
    """Whether they do so in few rounds."""
    return work_of(cases.X, len(cases.classes)) >= HUGE_WORK


def _fit_folds(cases: TrainingSet, linear: LinearModel, boosted: BoostedModel, folds: int, seed: int) -> Fitted:
    also = also_lists(cases.also, np.arange(len(cases.classes)))
    (linear_, linear_scores), (boosted_, boosted_scores) = (
        fit_with_cross_scores(
            model, cases.X, cases.y, sample_weight=cases.weight, groups=cases.groups, also=also, folds=folds, seed=seed
        )
        for model in (linear, boosted)
    )
    a, b = blend_weights(linear_scores, boosted_scores, cases.y, cases.weight, cases.also)
    return _named(cases, linear_, boosted_, (a, b), a * linear_scores + b * boosted_scores)


def _fit_one_part(cases: TrainingSet, linear: LinearModel, boosted: BoostedModel, folds: int, seed: int) -> Fitted:
    """Choose weights and rounds on one part of the patients, then from all; the linear model from near its end."""
    train, rows = next(fold_parts(cases, folds, seed))
    held_out = cases.take(rows)
    firsts, linear_scores = _held_back_scores(linear, [(train, rows)], cases)
    linear_scores = linear_scores[rows]
    (trees,), rounds = boosted.grow([(Beside(train), Beside(held_out))])
    boosted_scores = with_floor(trees.raw_scores(held_out.X, boosted.n_jobs), train)
    a, b = blend_weights(linear_scores, boosted_scores, held_out.y, held_out.weight, held_out.also)
    linear_ = clone(linear).fit_checked(cases, start=_start(firsts)) if a else None
    boosted_ = clone(boosted).fit_checked(Beside(cases), rounds) if b else None
    scores = np.full((cases.y.size, len(cases.classes)), np.nan)
    scores[rows] = a * linear_scores + b * boosted_scores
    return _named(cases, linear_, boosted_, (a, b), scores)


def _residual_folds(cases: TrainingSet, linear: LinearModel, boosted: BoostedModel, folds: int, seed: int) -> Fitted:
    """Grow trees on what out-of-fold linear scores leave; where nothing is left to learn there are none."""
    parts = list(fold_parts(cases, folds, seed))
    _, left = _held_back_scores(linear, parts, cases)
    heat, _ = _calibrated(left, cases)
    linear_, whole = clone(linear).fit_checked(cases), Beside(cases, left)
    pairs = [(whole.take(np.flatnonzero(_others(rows, cases.y.size))), whole.take(rows)) for _, rows in parts]
    grown, rounds = boosted.grow(pairs)
    added = np.zeros_like(left)
    for trees, (_, rows) in zip(grown, parts, strict=bool(rounds)):
        added[rows] = trees.raw_scores(rows_of(cases.X, rows), boosted.n_jobs)
    a, b = _worth_it(left, added, cases) if rounds else (1 / _SHARE, 0.0)
    boosted_ = clone(boosted).fit_checked(whole, rounds) if b else None
    return _named(cases, linear_, boosted_, (a * _SHARE * heat, b), a * left + (b * added if b else 0.0))


def _residual_one_part(
    cases: TrainingSet, linear: LinearModel, boosted: BoostedModel, folds: int, seed: int, *, quick: bool
) -> Fitted:
    """Do the same with two halves for the linear scores, and one part that judges the trees, grown once."""
    held_out = grouped_folds(cases.y, cases.groups, folds, seed) == 0
    n_classes = len(cases.classes)
    judged = _thinned(np.flatnonzero(held_out), n_classes, _JUDGED_SCORES)
    rows = np.union1d(_thinned(np.flatnonzero(~held_out), n_classes, _ENOUGH_SCORES), judged)
    looked_at = cases.take(rows)
    parts = [*_halves(cases, rows, seed), *([] if quick else _others_of(cases, held_out, rows))]
    firsts, left = _held_back_scores(linear, parts, looked_at)
    heat, loss = _calibrated(left, looked_at)
    linear_, whole = clone(linear).fit_checked(cases, start=_start(firsts)), Beside(looked_at, left)
    train, judges = (whole.take(np.flatnonzero(held_out[rows] == side)) for side in (False, True))
    grown, rounds = boosted.grow([(train, judges)]) if loss > _LITTLE else ([], 0)
    added = grown[0].raw_scores(judges.cases.X, boosted.n_jobs) if rounds else np.zeros_like(left)
    assert judges.init is not None
    a, b = _worth_it(judges.init, added, judges.cases) if rounds else (1 / _SHARE, 0.0)
    boosted_ = clone(boosted).keep(grown[0], train) if b else None
    scores = np.full((cases.y.size, n_classes), np.nan)
    scores[judged] = a * judges.init + (b * added if b else 0.0)
    return _named(cases, linear_, boosted_, (a * _SHARE * heat, b), scores)


def _calibrated(left: FloatArray, cases: TrainingSet) -> tuple[float, float]:
    """Turn linear scores in place into what the trees start from; return inverse temperature and log-loss of before."""
    some = np.unique(np.linspace(0, cases.y.size - 1, _ENOUGH).astype(np.int64))
    y, weight, looked_at = cases.y[some], cases.weight[some], shut_copy(left[some], rows_also(cases.also, some))
    heat = fit_temperature(looked_at, y, weight)
    loss = log_loss(heat * looked_at, y, weight)
    left *= _SHARE * heat
    return heat, loss


def _halves(cases: TrainingSet, rows: IntArray, seed: int) -> Iterator[tuple[TrainingSet, IntArray]]:
    """Yield cases of each half of the patients, as many as are enough, and the places of the other half in `rows`."""
    half = grouped_folds(cases.y, cases.groups, 2, seed)
    work = work_of(cases.X, len(cases.classes)) // max(cases.y.size, 1)
    for f in (0, 1):
        yield (
            cases.take(_thinned(np.flatnonzero(half != f), max(work, 1), _ENOUGH_WORK)),
            np.flatnonzero(half[rows] == f),
        )


def _others_of(
    cases: TrainingSet, held_out: NDArray[np.bool_], rows: IntArray
) -> Iterator[tuple[TrainingSet, IntArray]]:
    """Yield cases that are not held out, as many as are enough, and the places of those held out in `rows`.

    A half leaves a worse model than all cases do, and sets chosen on its scores are too wide (.91 for .90).
    """
    work = work_of(cases.X, len(cases.classes)) // max(cases.y.size, 1)
    yield cases.take(_thinned(np.flatnonzero(~held_out), max(work, 1), _ENOUGH_WORK)), np.flatnonzero(held_out[rows])


def _thinned(rows: IntArray, each: int, enough: int) -> IntArray:
    """Return evenly spaced rows, of which each counts so much, and all together no more than is enough."""
    return rows[:: max(1, -(-rows.size * each // enough))]


def _held_back_scores(
    linear: LinearModel, parts: Iterable[tuple[TrainingSet, IntArray]], cases: TrainingSet
) -> tuple[list[LinearModel], FloatArray]:
    """Return linear models fitted on the first of each pair, and scores of the rows in the second, zero elsewhere."""
    models, scores = [], np.zeros((cases.y.size, len(cases.classes)))
    for train, rows in parts:
        if np.count_nonzero(train.prior) > 1:
            rough = linear.tol is None and work_of(train.X, len(train.classes)) >= LARGE_FIT
            models.append(clone(linear).set_params(tol=_ROUGH if rough else linear.tol).fit_checked(train))
            scores[rows] = models[-1].scores_of(rows_of(cases.X, rows))
        scores[rows] = with_floor(scores[rows], train)
    return models, scores


def _worth_it(linear: FloatArray, added: FloatArray, held_out: TrainingSet) -> tuple[float, float]:
    """Return the weights of both scores; 0 for the trees where what they save is within its standard error."""
    a, b = blend_weights(linear, added, held_out.y, held_out.weight, held_out.also)
    alone = blend_weights(linear, np.zeros_like(linear), held_out.y, held_out.weight, held_out.also)[0]
    return (a, b) if is_better(a * linear + b * added, alone * linear, held_out) else (alone, 0.0)


def _others(rows: IntArray, n: int) -> NDArray[np.bool_]:
    """Return which cases are not held out."""
    return np.bincount(rows, minlength=n) == 0


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


def blend_weights(
    linear: FloatArray, boosted: FloatArray, y: IntArray, weight: FloatArray, also: AlsoMatrix = None
) -> tuple[float, float]:
    """Return a, b >= 0 with the lowest weighted log-loss of ``softmax(a * linear + b * boosted)``.

    The loss is convex. Where neither score is of use (a = b = 0), `a` is 0.01, which keeps an order and is near to
    even odds.

    Parameters
    ----------
    linear, boosted : ndarray of shape (n_cases, n_diagnoses)
        Out-of-fold scores.
    y : ndarray of int64, shape (n_cases,)
    weight : ndarray of shape (n_cases,)
    also : CSR matrix of shape (n_cases, n_diagnoses), optional
        Diagnoses that a case has too: they have no part in its loss.
    """
    used = np.flatnonzero(weight > 0)
    both = np.stack([linear[used], boosted[used]])
    both = both - both.max(axis=2, keepdims=True)
    share, rows, true = weight[used] / weight[used].sum(), np.arange(used.size), y[used]
    at_truth, beside = both[:, rows, true], rows_also(also, used)

    def loss(ab: FloatArray) -> tuple[float, FloatArray]:
        scores = np.tensordot(ab, both, axes=1)
        shut(scores, beside)
        log_p = log_softmax(scores)
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
