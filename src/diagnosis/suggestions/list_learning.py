"""Learning the differential reading: from reference lists as soft labels to a model of lists, and its temperature."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from sklearn.base import clone

from diagnosis.models.boosted import BoostedModel
from diagnosis.models.booster import Beside
from diagnosis.models.calibration import fit_temperature, softmax
from diagnosis.models.crossfit import fit_with_cross_scores, fold_parts, fold_scores
from diagnosis.models.hybrid import HybridModel
from diagnosis.models.hybrid_fit import HUGE_WORK, LARGE_WORK
from diagnosis.models.linear_fit import work_of
from diagnosis.models.protocol import FloatArray, Model
from diagnosis.models.validation import TrainingSet, check_training
from diagnosis.suggestions.reference_reading import ReferenceReading, SoftLabels

__all__ = ["learn_reading", "nearest_lists"]

# Logarithms between which the factor to the temperature of the lowest log-loss is looked for: sharper by half at most.
_TEMPERATURES = (0.0, 0.4)
# It is kept where it brings the lists nearer by a twentieth; less is not worth shares that are too sure on average.
_WORTH_IT = 0.95


def learn_reading(
    soft: SoftLabels,
    X: Any,
    groups: npt.NDArray[Any],
    model: Model,
    *,
    weight: FloatArray | None,
    folds: int,
    seed: int,
    n_copies: int = 0,
) -> ReferenceReading:
    """Fit a model on soft labels, and choose its temperature on scores of patients it did not see.

    Parameters
    ----------
    soft : SoftLabels
    X : csr_matrix of shape (n_cases, n_columns)
    groups : ndarray of shape (n_cases,)
        The patient of each case.
    model : Model
        Unfitted.
    weight : ndarray of shape (n_cases,), optional
        Of each case.
    folds, seed : int
    n_copies : int
        So many of the last cases are masked copies: learned from, and not counted.
    """
    share = soft.weight if weight is None else soft.weight * weight[soft.case]
    y, rows = soft.diagnosis.astype(str), X[soft.case]
    cases = check_training(clone(model), rows, y, share, groups[soft.case])
    model = _for_lists(model, cases)
    fitted: Model
    if isinstance(model, BoostedModel) and work_of(rows, len(cases.classes)) >= LARGE_WORK:
        fitted, oof = _with_one_part(model, cases, seed)
    else:
        fitted, oof = fit_with_cross_scores(
            model, rows, y, sample_weight=share, groups=groups[soft.case], folds=folds, seed=seed
        )
    classes = np.asarray(fitted.classes_, dtype=str)
    y_index = np.searchsorted(classes, y)
    own = soft.case < X.shape[0] - n_copies
    prior = np.bincount(y_index[own], share[own], minlength=len(classes))
    held = ~np.isnan(oof).any(axis=1)  # where the work is large one part of the cases has out-of-fold scores
    counts = Counter(y[own].tolist())
    return ReferenceReading(
        model=fitted,
        beta=nearest_lists(oof[held], y_index[held], share[held], soft.case[held]),
        n_by_diagnosis={str(c): counts[str(c)] for c in classes},
        prior=prior / prior.sum(),
        n_cases=len(np.unique(soft.case[own])),
    )


def nearest_lists(
    scores: FloatArray, y_index: npt.NDArray[np.int64], share: FloatArray, case: npt.NDArray[np.int64]
) -> float:
    """Return the temperature (a factor) with which lists come nearest to those of reference.

    Near is a small total variation: half the sum of the differences of shares, averaged over cases. The log-loss would
    rather choose the mean of all lists that are possible, which is longer than any of them; the total variation chooses
    the likeliest list. Where it is hardly nearer, the temperature of the lowest log-loss remains.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_diagnoses)
        Of models that did not see the case; a case stands in a row for each diagnosis on its list, all scored alike.
    y_index : ndarray of int64, shape (n_rows,)
        The listed diagnosis of each row.
    share : ndarray of shape (n_rows,)
        Its share of the list, times the weight of the case.
    case : ndarray of int64, shape (n_rows,)
        Whose list it is.
    """
    _, first, of_row = np.unique(case, return_index=True, return_inverse=True)
    weight: FloatArray = np.bincount(of_row, share).astype(np.float64)
    wanted = np.zeros((len(first), scores.shape[1]))
    np.add.at(wanted, (of_row, y_index), share)
    wanted /= np.maximum(weight, np.finfo(float).tiny)[:, None]
    start = fit_temperature(scores, y_index, share)
    far = partial(_apart, scores[first] * start, wanted, weight)
    found = minimize_scalar(far, bounds=_TEMPERATURES, method="bounded", options={"xatol": 1e-3})
    return float(start * np.exp(found.x if found.fun < _WORTH_IT * far(0.0) else 0.0))


def _apart(scores: FloatArray, wanted: FloatArray, weight: FloatArray, log_factor: float) -> float:
    """Mean total variation between lists and those of reference."""
    apart = np.abs(softmax(np.exp(log_factor) * scores) - wanted).sum(axis=1) / 2
    return float(np.average(apart, weights=weight))


def _for_lists(model: Model, cases: TrainingSet) -> Model:
    """Take trees alone, large ones that are hardly held back, in the place of a hybrid left to its defaults.

    A list is kept by rule more than by chance: what is not on it is to come close to nothing, and the rows of a case
    weigh its shares, which a penalty meant for whole cases outweighs. Of 3,380 DDXPlus patients, a fifth held out, 63
    leaves instead of 7 brought the lists from an F1 of .960 to .982, and the first of the list was right in .972 of
    cases, not in .928 as with a linear part beside them. How many rounds are enough cannot be seen in the log-loss,
    which rises while lists get better. Where the work is huge the hybrid's few trees on the linear scores remain.
    """
    huge = work_of(cases.X, len(cases.classes)) >= HUGE_WORK
    if not isinstance(model, HybridModel) or huge or _has_options(model):
        return model
    return BoostedModel(
        rounds=100,
        leaves=63,
        min_cases_leaf=5,
        lambda_l2=0.03,
        min_hessian=3e-4,
        early_stopping=0,
        seed=model.seed,
        n_jobs=model.n_jobs,
    )


def _has_options(model: HybridModel) -> bool:
    """Whether more than seed and threads was chosen."""
    plain = HybridModel(seed=model.seed, n_jobs=model.n_jobs)
    return bool(model.get_params(deep=False) != plain.get_params(deep=False))


def _with_one_part(model: BoostedModel, cases: TrainingSet, seed: int) -> tuple[BoostedModel, FloatArray]:
    """Hold back a fifth of the patients once, where folds would take too long; the other scores are nan."""
    train, rows = next(fold_parts(cases, 5, seed))
    scores = np.full((cases.y.size, len(cases.classes)), np.nan)
    scores[rows] = fold_scores(model, train, cases.take(rows))
    return clone(model).fit_checked(Beside(cases), model.rounds), scores
