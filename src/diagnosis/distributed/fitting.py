"""A model fitted on cases that lie with the workers, with scores of cases by fits that had not seen them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone

from diagnosis.distributed.boosting import cross_boosted
from diagnosis.distributed.linear import cross_linear
from diagnosis.distributed.spread import Spread
from diagnosis.errors import InputError
from diagnosis.models.also import Also, rows_also
from diagnosis.models.boosted import BoostedModel
from diagnosis.models.folds import grouped_folds
from diagnosis.models.hybrid import HybridModel
from diagnosis.models.hybrid_fit import LARGE_WORK, blend_weights
from diagnosis.models.linear import LinearModel
from diagnosis.models.protocol import FloatArray
from diagnosis.models.validation import TrainingSet, check_labels

__all__ = ["check_model", "fit_apart"]

# Of so many parts of the patients one is held out where the work is large.
_PARTS = 5


def check_model(model: object) -> None:
    """Raise InputError for a model that is fitted on one machine only."""
    asked = "A model whose fit can be spread over Dask workers"
    if not isinstance(model, LinearModel | BoostedModel | HybridModel):
        do = "Choose linear, boosted or hybrid, or engine: local."
        raise InputError(asked, f"found {type(model).__name__}", do)
    if not isinstance(model, BoostedModel) and model.monotone not in (None, "none", ()):
        raise InputError(asked, "found the option monotone, which is not", "Leave it out, or choose engine: local.")
    if isinstance(model, HybridModel) and model.residual is True:
        raise InputError(asked, "found residual: true, which is not", "Leave it out, or choose engine: local.")
    if isinstance(model, HybridModel) and model.linear is not None:
        check_model(model.linear)


def fit_apart(
    spread: Spread,
    y: ArrayLike,
    model: Any,
    *,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    also: Also = None,
    folds: int = 5,
    seed: int = 0,
) -> tuple[Any, FloatArray]:
    """Fit a copy of a model on all cases, and score cases by fits that saw no case of their patient.

    As `models.fit_with_cross_scores`. The linear model always scores all cases; where stored entries times diagnoses
    are 20 million or more, the others hold back a single part, a fifth of the patients, and the rows of all other cases
    are nan.

    Raises
    ------
    InputError
        For a model that `check_model` refuses, or what `fit` refuses.
    WorkError
        A worker was lost, or its work failed.
    """
    check_model(model)
    fitted = clone(model)
    # The numbers are with the workers.
    cases = check_labels(fitted, sparse.csr_matrix(spread.shape), y, sample_weight, groups, also)
    large = spread.n_entries * len(cases.classes) >= LARGE_WORK
    if isinstance(model, LinearModel):
        return _cross(cross_linear, spread, cases, model, folds, False, seed)
    if isinstance(model, BoostedModel):
        return _cross(cross_boosted, spread, cases, model, folds, large, seed)
    if model.folds != "auto":
        large = model.folds == 1
    fitted.classes_ = cases.classes
    linear, boosted = fitted.structured(cases, fitted.boosted_part(residual=False))
    linear_, of_linear = _cross(cross_linear, spread, cases, linear, folds, large, seed)
    boosted_, of_boosted = _cross(cross_boosted, spread, cases, boosted, folds, large, seed)
    rows = np.flatnonzero(~np.isnan(of_linear[:, 0]))
    judged = cases.y[rows], cases.weight[rows], rows_also(cases.also, rows)
    a, b = blend_weights(of_linear[rows], of_boosted[rows], *judged)
    fitted.linear_, fitted.boosted_ = (linear_ if a else None), (boosted_ if b else None)
    fitted.weights_ = (a, b)
    return fitted, a * of_linear + b * of_boosted


def _cross(
    fit: Any, spread: Spread, cases: TrainingSet, model: Any, folds: int, one_part: bool, seed: int
) -> tuple[Any, FloatArray]:
    fold = grouped_folds(cases.y, cases.groups, _PARTS if one_part else folds, seed)
    spread.learn_from(cases, fold)
    scores: tuple[Any, FloatArray] = fit(spread, cases, fold, [0] if one_part else range(int(fold.max()) + 1), model)
    return scores
