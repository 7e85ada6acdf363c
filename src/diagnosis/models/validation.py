"""Check what a model is given, once and the same way for all models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from diagnosis.errors import InputError
from diagnosis.models.also import Also, AlsoMatrix, also_matrix, rows_also
from diagnosis.models.batches import RowBatches, blocks
from diagnosis.models.protocol import FloatArray, IntArray, Matrix
from diagnosis.models.sequence import RowsOnDisk, is_on_disk

__all__ = [
    "TrainingSet",
    "check_batched",
    "check_choice",
    "check_columns",
    "check_labels",
    "check_option",
    "check_training",
    "check_update",
    "check_which",
    "checked_matrix",
    "class_index",
    "dense_of",
    "is_encoded_row",
    "rows_of",
    "take_names",
]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Cases to learn from, checked.

    Attributes
    ----------
    X : float64 array or CSR matrix of shape (n_cases, n_columns)
    y : ndarray of int64, shape (n_cases,)
        Index into `classes`.
    classes : ndarray of shape (n_diagnoses,)
        Every diagnosis in the labels, sorted, also one whose cases all weigh nothing.
    weight : ndarray of float64, shape (n_cases,)
    groups : ndarray of int64, shape (n_cases,)
        The patient of each case, numbered; every case is its own patient where none was given.
    also : bool-like CSR matrix of shape (n_cases, n_diagnoses), or None
        Diagnoses that a case has too: it is no negative of theirs. None: nothing is known of any.
    """

    X: Matrix
    y: IntArray
    classes: NDArray[Any]
    weight: FloatArray
    groups: IntArray
    also: AlsoMatrix = None

    def take(self, rows: NDArray[Any]) -> TrainingSet:
        """Return the chosen cases; `classes` stays whole."""
        return replace(
            self,
            X=rows_of(self.X, rows),
            y=self.y[rows],
            weight=self.weight[rows],
            groups=self.groups[rows],
            also=rows_also(self.also, rows),
        )

    def weighing(self) -> TrainingSet:
        """Return the cases of positive weight: one that weighs nothing is as good as not there."""
        return self if (self.weight > 0).all() else self.take(np.flatnonzero(self.weight > 0))

    @property
    def prior(self) -> FloatArray:
        """Share of each diagnosis by weight, shape (n_diagnoses,)."""
        return np.bincount(self.y, self.weight, minlength=len(self.classes)) / self.weight.sum()


def check_training(
    model: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None, also: Also = None
) -> TrainingSet:
    """Validate what `fit` is given and set `n_features_in_` (and the feature names) of the model.

    Raises
    ------
    ValueError
        From scikit-learn, for a matrix with nan or infinity, wrong shapes or lengths.
    InputError
        For missing labels, weights or patients, negative weights, or fewer than two diagnoses with weight.
    """
    X, labels = validate_data(model, X, y, accept_sparse="csr", dtype=np.float64)
    return _labelled(_canonical(X), labels, sample_weight, groups, also)


def check_batched(
    model: Any,
    rows: RowBatches,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None,
    also: Also = None,
) -> TrainingSet:
    """Validate cases that come in batches, as `check_training` does; `X` of the answer is empty, or reads by number.

    Raises
    ------
    InputError
        Also for a value that is not finite, or another number of labels than of rows.
    """
    n, p = (int(size) for size in rows.shape)
    read_later: Any = RowsOnDisk.of(rows) if is_on_disk(rows) else sparse.csr_matrix((n, p))  # type: ignore[arg-type]
    cases = check_labels(model, read_later, y, sample_weight, groups, also)
    for part, X in blocks(rows):
        if not np.isfinite(X.data).all():
            raise InputError(
                "finite numbers in every batch",
                f"NaN or infinity among the rows {part.start} to {part.stop - 1}",
                "encode the cases again",
            )
    return cases


def check_labels(
    model: Any, X: Matrix, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None, also: Also = None
) -> TrainingSet:
    """Validate all but the numbers of a matrix, as `check_training` does; they may be elsewhere."""
    n, model.n_features_in_ = (int(size) for size in X.shape)
    labels = column_or_1d(y)
    if labels.shape != (n,):
        raise InputError(f"one label for each of {n:,} cases", f"{labels.size:,} labels", "give one a case")
    return _labelled(X, labels, sample_weight, groups, also)


def _labelled(
    X: Matrix, labels: NDArray[Any], sample_weight: ArrayLike | None, groups: ArrayLike | None, also: Also
) -> TrainingSet:
    _refuse_missing(labels, "y", "give every training case a diagnosis, or leave the case out")
    check_classification_targets(labels)
    classes, index = np.unique(labels, return_inverse=True)
    weight = _checked_weight(sample_weight, index.size)
    weighing = int(np.count_nonzero(np.bincount(index, weight)))
    if weighing < 2:
        raise InputError(
            "a model needs cases of at least two diagnoses (classes) to learn from",
            f"{weighing} class{'' if weighing == 1 else 'es'} with a positive weight",
            "add cases of another diagnosis, or lower the number of cases a diagnosis must have",
        )
    index = index.astype(np.int64)
    return TrainingSet(X, index, classes, weight, _numbered(groups, index.size), also_matrix(also, classes, index))


def check_update(
    model: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None, also: Also = None
) -> TrainingSet:
    """Validate new cases of a fitted model; the answer has the model's own diagnoses as `classes`.

    Raises
    ------
    InputError
        For a diagnosis the model does not know, or what `check_training` refuses.
    """
    X = checked_matrix(model, X)
    labels = column_or_1d(y)
    check_consistent_length(X, labels)
    index = class_index(labels, model.classes_)
    if index.size and index.min() < 0:
        rows = np.flatnonzero(index < 0)
        raise InputError(
            "new cases with diagnoses that the model knows",
            f"{rows.size} have another or none, first in row {rows[0]}",
            "leave them out, or fit on old and new cases together",
        )
    weight, patient = _checked_weight(sample_weight, index.size), _numbered(groups, index.size)
    return TrainingSet(X, index, model.classes_, weight, patient, also_matrix(also, model.classes_, index))


def checked_matrix(model: Any, X: Any) -> Matrix:
    """Validate the matrix of a fitted model's cases; float64, so that scores do not depend on the storage.

    A single encoded row is passed on as it is, also in float32: models take its numbers to float64 one by one.
    """
    if is_encoded_row(X, model):
        return X
    check_is_fitted(model)
    return _canonical(validate_data(model, X, accept_sparse="csr", dtype=np.float64, reset=False))


def check_which(which: ArrayLike, n_cases: int, n_classes: int) -> IntArray:
    """Return the class indices asked for, shape (n_cases, m).

    Raises
    ------
    InputError
        If an index is not an integer between 0 and `n_classes` - 1, or the shape fits no case.
    """
    asked = np.asarray(which)
    if asked.size and not np.issubdtype(asked.dtype, np.integer):
        raise InputError(
            "which must hold class indices", f"its type is {asked.dtype}", "look names up in classes_ first"
        )
    index = asked.astype(np.int64)
    if index.ndim not in (1, 2) or (index.ndim == 2 and index.shape[0] != n_cases):
        raise InputError(
            f"which must have the shape (m,) or ({n_cases}, m)",
            f"its shape is {index.shape}",
            "give the same diagnoses for all cases, or one row a case",
        )
    if index.size and (index.min() < 0 or index.max() >= n_classes):
        raise InputError(
            f"class indices go from 0 to {n_classes - 1}",
            f"they go from {index.min()} to {index.max()}",
            "use positions in classes_",
        )
    return np.broadcast_to(index, (n_cases, index.shape[-1]))


def class_index(y: ArrayLike, classes: NDArray[Any]) -> IntArray:
    """Return the position of each label in `classes`, -1 for a label that is not there."""
    position = {label: k for k, label in enumerate(classes.tolist())}
    labels = np.asarray(y).tolist()
    return np.fromiter((position.get(label, -1) for label in labels), dtype=np.int64, count=len(labels))


def check_option(owner: str, name: str, value: float, low: float, high: float = np.inf, *, above: bool = False) -> None:
    """Raise InputError unless a numeric option is finite, at least (with `above`: more than) `low`, at most `high`."""
    if np.isfinite(value) and (value > low if above else value >= low) and value <= high:
        return
    most = f" and at most {high:g}" if np.isfinite(high) else ""
    raise InputError(
        f"{name} of {owner} must be {'above' if above else 'at least'} {low:g}{most}",
        f"it is {value!r}",
        "set another value",
    )


def check_choice(owner: str, name: str, value: object, choices: Sequence[object]) -> None:
    """Raise InputError unless an option is one of a few values."""
    if not any(value is one or (isinstance(one, str) and value == one) for one in choices):
        raise InputError(
            f"{name} of {owner} must be one of {', '.join(map(repr, choices))}", f"it is {value!r}", "set one of them"
        )


def check_columns(owner: str, name: str, groups: Sequence[Sequence[int]], n_columns: int) -> None:
    """Raise InputError unless an option holds groups of column numbers."""
    numbers = [column for group in groups for column in group]
    wrong = [c for c in numbers if type(c) is not int or not 0 <= c < n_columns]
    if wrong:
        raise InputError(
            f"{name} of {owner} holds column numbers from 0 to {n_columns - 1}",
            f"it holds {wrong[0]!r}",
            "give the positions of columns in the matrix",
        )


def take_names(new: Any, old: Any) -> None:
    """Give a model the columns of another."""
    new.n_features_in_ = old.n_features_in_
    if hasattr(old, "feature_names_in_"):
        new.feature_names_in_ = old.feature_names_in_


def rows_of(X: Any, rows: NDArray[Any]) -> Any:
    """Return rows of a dense or CSR matrix; of one on disk, without reading them."""
    return X.take(rows) if isinstance(X, RowsOnDisk) else X[rows]


def dense_of(X: Matrix) -> FloatArray:
    """Return the matrix as a dense array, C order."""
    dense: FloatArray = X.toarray() if sparse.issparse(X) else np.ascontiguousarray(X)
    return dense


def is_encoded_row(X: Any, model: Any) -> bool:
    """Whether it is one case as an encoder returns it: scikit-learn's checks take longer than to score it."""
    fitted = vars(model)
    return (
        type(X) is sparse.csr_matrix
        and X.shape == (1, fitted.get("n_features_in_"))
        and X.data.dtype.char in "fd"
        and "classes_" in fitted
        and "feature_names_in_" not in fitted
        and bool(X.has_canonical_format)
        # Finite entries, unless some are too large to be squared, which the long way looks into.
        and math.isfinite(X.data.dot(X.data))
    )


def _canonical(X: Any) -> Matrix:
    """Return CSR without duplicate entries; a dense array as it is."""
    if not isinstance(X, np.ndarray) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def _checked_weight(sample_weight: ArrayLike | None, n: int) -> FloatArray:
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.ndim == 0:
        weight = np.full(n, float(weight))
    if weight.shape != (n,):
        raise InputError(
            f"sample_weight must have one entry for each of the {n} cases",
            f"sample_weight.shape == {weight.shape}",
            "give one weight a case",
        )
    wrong = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
    if wrong.size:
        raise InputError(
            "weights must be finite and not negative", f"{wrong.size} are not, first in row {wrong[0]}", "correct them"
        )
    if not weight.any():
        raise InputError("some case must have a positive weight", "every weight is zero", "give weights above zero")
    return weight


def _numbered(groups: ArrayLike | None, n: int) -> IntArray:
    if groups is None:
        return np.arange(n, dtype=np.int64)
    names = np.asarray(groups)
    if names.shape != (n,):
        raise InputError(
            f"groups must name the patient of each of the {n} cases", f"its shape is {names.shape}", "give one a case"
        )
    _refuse_missing(names, "groups", "give a case without a patient a group of its own")
    number: dict[Any, int] = {}
    return np.fromiter((number.setdefault(g, len(number)) for g in names.tolist()), dtype=np.int64, count=n)


def _refuse_missing(values: NDArray[Any], name: str, do: str) -> None:
    if values.dtype.kind not in "OfMm":
        return
    # nan is the one value that is not itself.
    listed: Sequence[Any] = values.tolist()
    missing = [i for i, v in enumerate(listed) if v is None or v != v]
    if missing:
        raise InputError(
            f"{name} must have no missing entry", f"{len(missing)} are missing, first in row {missing[0]}", do
        )
