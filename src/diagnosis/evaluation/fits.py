"""One fit of a design: a copy of an estimator learns the training side and answers the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GroupKFold
from sklearn.utils.validation import has_fit_parameter

from diagnosis.errors import InputError
from diagnosis.evaluation.evaluate_batch import is_label
from diagnosis.models.batch import Batch
from diagnosis.records.splits import said_rows

if TYPE_CHECKING:
    from diagnosis.evaluation.evaluate import Evaluated
    from diagnosis.records.records import Records

__all__ = ["FittedClassifier", "fit_copy", "refuse_seen"]

_FOLDS_INSIDE = 5


@dataclass(frozen=True, slots=True, eq=False)
class FittedClassifier:
    """Any classifier over records as something that can be evaluated: no sets, no flags, no abstention.

    Parameters
    ----------
    estimator : fitted classifier with `classes_` and `predict_proba`
    n_train : ndarray of shape (n_diagnoses,), int64
        Training cases of each of its classes.
    """

    estimator: Any
    n_train: NDArray[np.int64]

    def batch(self, records: Records) -> Batch:
        """Probabilities of each case; every set is empty."""
        proba = np.asarray(self.estimator.predict_proba(records), dtype=np.float64)
        nothing = np.zeros(proba.shape, dtype=bool)
        return Batch(
            case_ids=records.case_ids,
            diagnoses=np.asarray(self.estimator.classes_, dtype=object),
            proba=proba,
            in_set=nothing,
            flagged=nothing,
            abstained=np.zeros(len(records), dtype=bool),
            prior=self.n_train / self.n_train.sum(),
            must_not_miss=np.array([d in records.vocabulary.must_not_miss for d in self.estimator.classes_], bool),
            coverage=0.0,
            reading="posterior",
            as_of="end",
            n_train=self.n_train,
        )

    def truth(self, records: Records, y: Any = None) -> NDArray[np.object_]:
        """The diagnosis of each case as it is written down."""
        return records.y if y is None else np.asarray(y, dtype=object)


def fit_copy(estimator: Any, train: Records, y: NDArray[np.object_] | None) -> Evaluated:
    """Fit a copy on training cases.

    A search (scikit-learn's `GridSearchCV` and its kin) tunes inside, on these cases alone; one that names only a
    number of folds, or none, gets folds that keep patients whole. The estimator it found is the one that answers.

    Parameters
    ----------
    estimator : Diagnoser, search or classifier over records
        Left as it is.
    train : Records
    y : ndarray of shape (n_cases,), object, optional
        Diagnoses, instead of those in the records.
    """
    copy, labels = clone(estimator), train.y if y is None else y
    if not hasattr(copy, "batch") and not is_label(labels).any():
        raise InputError("Training cases with a diagnosis", f"none of {len(train):,} has one", "check `labels`")
    if hasattr(copy, "cv") and hasattr(copy, "refit"):
        return _searched(copy, train, y, labels)
    if has_fit_parameter(copy, "groups"):
        copy.fit(train, y, groups=train.groups)
        return copy if hasattr(copy, "batch") else _counted(copy, labels)
    has = np.flatnonzero(is_label(labels))
    return _counted(copy.fit(train[has], labels[has].astype(str)), labels)


def _searched(search: Any, train: Records, y: NDArray[np.object_] | None, labels: NDArray[np.object_]) -> Evaluated:
    """Let a search tune on training cases; what it found is fitted on all of them."""
    if search.cv is None or isinstance(search.cv, int):
        search.set_params(cv=GroupKFold(search.cv or _FOLDS_INSIDE))
    if y is None and hasattr(search.estimator, "batch") and search.scoring is None:
        found = search.fit(train, None, groups=train.groups).best_estimator_  # by the label rule of its own
    else:
        has = np.flatnonzero(is_label(labels))
        found = search.fit(train[has], labels[has].astype(str), groups=train.groups[has]).best_estimator_
    return found if hasattr(found, "batch") else _counted(found, labels)


def _counted(fitted: Any, labels: NDArray[np.object_]) -> FittedClassifier:
    counts = dict(zip(*np.unique(labels[is_label(labels)].astype(str), return_counts=True), strict=True))
    return FittedClassifier(fitted, np.array([counts.get(str(c), 0) for c in fitted.classes_], dtype=np.int64))


def refuse_seen(fitted: Evaluated, test: Records) -> None:
    """Refuse test cases whose patient the fitted one says it was trained on, calibration included.

    Raises
    ------
    InputError
        With the number of cases and their rows on the test side.
    """
    ids = getattr(fitted, "training_ids_", None)
    seen = np.zeros(len(test), bool) if ids is None else ids.seen(test)
    if seen.any():
        raise InputError(
            "Test cases of patients that nothing was learned from",
            f"{int(seen.sum()):,} of {len(test):,} test cases are of patients the fitted diagnoser learned from "
            f"({said_rows(seen)} of the test side)",
            "give an unfitted estimator, and pairs of sides that share no patient",
        )
