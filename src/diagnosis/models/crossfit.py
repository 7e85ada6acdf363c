"""Scores of cases by models that did not see them or any other case of the same patient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from diagnosis.models.also import Also, also_lists, learned, shut_copy, takes_also
from diagnosis.models.calibration import log_softmax, log_sum_exp
from diagnosis.models.folds import grouped_folds
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.validation import TrainingSet, check_training, class_index

__all__ = ["fit_with_cross_scores", "fold_parts", "fold_scores", "is_better", "with_floor"]

M = TypeVar("M")


def fit_with_cross_scores(
    model: M,
    X: Any,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    also: Also = None,
    folds: int = 5,
    seed: int = 0,
) -> tuple[M, FloatArray]:
    """Fit a copy of a model on all cases, and score each case with a model that saw no case of its patient.

    Parameters
    ----------
    model : Model
        Left as it is. A model with a `fit_cross` of its own makes the scores itself.
    X : array or CSR matrix of shape (n_cases, n_columns)
    y : array of shape (n_cases,)
    sample_weight : array of shape (n_cases,), optional
    groups : array of shape (n_cases,), optional
        The patient of each case; without it every case is its own.
    also : sequence of collections of diagnoses, one a case, optional
        What a case has beside `y`: it is no negative of these. A model whose fit does not ask for it learns without.
    folds : int
        At least 2; fewer are made where there are fewer patients.
    seed : int
        Divides the patients.

    Returns
    -------
    fitted : Model
    scores : ndarray of float64, shape (n_cases, n_diagnoses)
        Columns follow ``fitted.classes_``. Where a fold's training part has no case of a diagnosis, that diagnosis
        gets the score of `with_floor`. A model with a `fit_cross` of its own may hold back a single part where the work
        is large: the rows of all other cases are nan.

    Raises
    ------
    InputError
        For what the model refuses, or cases of a single patient.
    """
    fitted: Any = clone(model)
    if hasattr(fitted, "fit_cross"):
        told = {"also": also} if also is not None and takes_also(fitted.fit_cross) else {}
        scores = fitted.fit_cross(X, y, sample_weight=sample_weight, groups=groups, folds=folds, seed=seed, **told)
        return fitted, scores
    cases = check_training(fitted, X, y, sample_weight, groups, also)
    scores = np.empty((cases.y.size, len(cases.classes)))
    for train, rows in fold_parts(cases, folds, seed):
        scores[rows] = fold_scores(model, train, cases.take(rows))
    learned(fitted.fit, X, y, sample_weight=sample_weight, groups=groups, also=also)
    return fitted, scores


def fold_parts(cases: TrainingSet, folds: int, seed: int) -> Iterator[tuple[TrainingSet, IntArray]]:
    """Yield, for each fold, the cases to learn from and the row numbers of the others."""
    fold = grouped_folds(cases.y, cases.groups, folds, seed)
    for f in range(int(fold.max()) + 1):
        train, rows = cases.take(np.flatnonzero(fold != f)), np.flatnonzero(fold == f)
        assert not np.isin(cases.groups[rows], train.groups).any(), "a patient stands on both sides"
        yield train, rows


def with_floor(scores: FloatArray, train: TrainingSet) -> FloatArray:
    """Give diagnoses that a fold could not learn a small probability.

    A diagnosis without a weighing case in the fold's training part gets 1 / (n + K) of the probability of all the
    others together, with n weighing cases and K diagnoses: what one pseudo-case a diagnosis would leave it. The scores
    of the others stay as they are.
    """
    learned = train.prior > 0
    if learned.all():
        return scores
    floor = -np.log(np.count_nonzero(train.weight) + learned.size)
    total = log_sum_exp(scores[:, learned])
    return np.where(learned, scores, (total + floor)[:, None])


def is_better(after: FloatArray, before: FloatArray, held_out: TrainingSet) -> bool:
    """Whether scores of held-out cases save more log-loss than its standard error over other scores of theirs."""
    share, true = held_out.weight / held_out.weight.sum(), (np.arange(held_out.y.size), held_out.y)
    after, before = shut_copy(after, held_out.also), shut_copy(before, held_out.also)
    saved = log_softmax(after)[true] - log_softmax(before)[true]
    gain = float(share @ saved)
    return gain > float(np.sqrt(share**2 @ (saved - gain) ** 2))


def fold_scores(model: Any, train: TrainingSet, held_out: TrainingSet) -> FloatArray:
    """Fit a copy of a model on one part and score the other; columns follow the classes of both, with the floor."""
    scores = np.zeros((held_out.y.size, len(train.classes)))
    if np.count_nonzero(train.prior) > 1:
        also = also_lists(train.also, np.arange(len(train.classes)))
        part = clone(model)
        learned(part.fit, train.X, train.y, sample_weight=train.weight, groups=train.groups, also=also)
        columns: NDArray[Any] = class_index(part.classes_, np.arange(len(train.classes)))
        scores[:, columns] = part.scores(held_out.X)
    return with_floor(scores, train)
