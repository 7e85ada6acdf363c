"""The linear model: multinomial logistic regression whose contributions are exact Shapley values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from diagnosis.errors import InputError
from diagnosis.models.also import Also
from diagnosis.models.batches import in_memory, is_batched, moments
from diagnosis.models.files import (
    check_arrays,
    model_header,
    read_arrays,
    read_json,
    restore_header,
    write_arrays,
    write_json,
)
from diagnosis.models.linear_fit import (
    LARGE_WORK,
    UNWEIGHTED_SCORE,
    Anchor,
    LinearOptions,
    fit_anchored,
    fit_by_batches,
    fit_coefficients,
    penalty_of,
    work_of,
)
from diagnosis.models.monotone import Pairs, cardinal, held_down, lowest
from diagnosis.models.protocol import Contributions, FloatArray, IntArray, Matrix
from diagnosis.models.scoring import ScoreClassifier
from diagnosis.models.validation import (
    TrainingSet,
    check_batched,
    check_columns,
    check_option,
    check_training,
    check_update,
    dense_of,
    take_names,
)

__all__ = ["UNWEIGHTED_SCORE", "LinearModel", "fit_coefficients"]


class LinearModel(ScoreClassifier):
    """Multinomial logistic regression with an L2 penalty on cases encoded as columns.

    Scores are ``intercept_ + X @ coef_.T``, centred over diagnoses (they sum to the same number in every case). Two
    diagnoses have two opposite columns. A column of zeros (nothing recorded) adds nothing to the score.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty, as in scikit-learn; above 0. Columns are not rescaled.
    max_iter : int
        Newton steps at most.
    tol : float, optional
        Largest component of the gradient of the mean loss at which the fit ends. None: 1e-6; 5e-4 where stored entries
        times diagnoses are 4 million or more, or the cases come in batches.
    monotone : sequence of (int, int), optional
        Columns of findings, *present* and *absent*. Where a finding is cardinal for a diagnosis (half or more of its
        training cases have it, half as often again as all cases do), its absence never raises the probability of the
        diagnosis, whatever else the case records. The fit is then done twice.
    seed : int
        Kept for the common signature of models; the fit has no chance in it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_diagnoses,)
    coef_ : ndarray of float64, shape (n_diagnoses, n_columns), log odds per unit
    intercept_ : ndarray of float64, shape (n_diagnoses,)
    mean_ : ndarray of float64, shape (n_columns,)
        Weighted mean of the training cases, the reference of the contributions.
    square_ : ndarray of float64, shape (n_columns,)
        Weighted sum of squares of the training cases, and
    seen_ : float
        their weight: what `update` holds the old coefficients with.
    n_iter_ : int
        Newton steps taken.
    cardinal_ : ndarray of float64, shape (n_rules, 2)
        Diagnosis (position in `classes_`) and column of absence of each rule of `monotone`.
    n_features_in_ : int
    """

    square_: FloatArray | None

    def __init__(
        self,
        *,
        C: float = 1.0,
        max_iter: int = 200,
        tol: float | None = None,
        monotone: Pairs | None = None,
        seed: int = 0,
    ) -> None:
        self.C = C
        self.max_iter = max_iter
        self.tol = tol
        self.monotone = monotone
        self.seed = seed

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        also: Also = None,
    ) -> Self:
        """Learn from cases and their diagnoses; a weight of 2 is the same as the case twice.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_cases, n_columns), or RowBatches
            What comes in batches is read again at every step and is never held whole; the fit is the same.
        y : array of shape (n_cases,)
        sample_weight : array of shape (n_cases,), optional
        groups : array of shape (n_cases,), optional
            The patient of each case; checked, and of no effect on this model.
        also : sequence of collections of diagnoses, one a case, optional
            What a case has beside `y`: it is no negative of these.

        Raises
        ------
        InputError
            For fewer than two diagnoses, missing labels, wrong weights or options.
        """
        for name, value in (("C", self.C), ("max_iter", self.max_iter), ("tol", 1.0 if self.tol is None else self.tol)):
            check_option("LinearModel", name, value, 0.0, above=True)
        if not is_batched(X):
            return self.fit_checked(check_training(self, X, y, sample_weight, groups, also))
        if self.monotone:
            raise InputError("monotone evidence", "the cases come in batches", "give them in memory, or leave it out")
        cases = check_batched(self, X, y, sample_weight, groups, also)
        self.cardinal_ = np.empty((0, 2))
        found = fit_by_batches(X, cases, LinearOptions(self.C, self.max_iter, self.tol, self.seed))
        return self.keep(cases.classes, found, moments(X, cases.weight))

    def fit_checked(self, cases: TrainingSet, *, start: FloatArray | None = None) -> Self:
        """Learn from cases that are checked already, from coefficients (n_columns + 1, n_diagnoses) near the end."""
        found = fit_coefficients(cases, self.C, self.max_iter, self.tol, self.seed, start=start)
        self.cardinal_ = np.empty((0, 2))
        if self.monotone:
            found = self._monotone(cases, found)
        return self.keep(
            cases.classes, found, moments(in_memory(cases.X, len(cases.classes), single=False), cases.weight)
        )

    def _monotone(
        self, cases: TrainingSet, found: tuple[FloatArray, FloatArray, int]
    ) -> tuple[FloatArray, FloatArray, int]:
        """Fit again so that no absent finding raises a diagnosis it is cardinal for."""
        assert self.monotone is not None
        check_columns("LinearModel", "monotone", self.monotone, int(cases.X.shape[1]))
        options, columns = LinearOptions(self.C, self.max_iter, self.tol, self.seed), [a for _, a in self.monotone]
        which, (coef, intercept, steps) = cardinal(cases, self.monotone), found
        W = np.vstack([coef.T, intercept])
        tol = options.tolerance(large=work_of(cases.X, len(cases.classes)) >= LARGE_WORK)
        W = held_down(cases, which, columns, W, penalty_of(self.C, int(np.count_nonzero(cases.prior))), tol)
        finding, diagnosis = np.nonzero(which)
        self.cardinal_ = np.column_stack([diagnosis, np.array(columns)[finding]]).astype(np.float64)
        return np.asfortranarray(W[:-1].T), W[-1], steps

    def keep(
        self,
        classes: NDArray[Any],
        found: tuple[FloatArray, FloatArray, int],
        of_columns: tuple[FloatArray, FloatArray, float],
    ) -> Self:
        """Take over coefficients, intercepts and steps that were fitted, and the `moments` of the training cases."""
        self.coef_, self.intercept_, self.n_iter_ = found
        self.n_features_in_, self.classes_ = self.coef_.shape[1], classes
        self.mean_, self.square_, self.seen_ = of_columns
        if not hasattr(self, "cardinal_"):
            self.cardinal_ = np.empty((0, 2))
        return self

    def update(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        also: Also = None,
    ) -> Self:
        """Return a new model that has also learned from new confirmed cases; this one stays as it is.

        The old coefficients are the anchor: each is held by the penalty and by what the cases of before said about it,
        counted from how often its column was filled. Much evidence moves slowly, a finding never seen moves freely.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_cases, n_columns)
        y : array of shape (n_cases,)
            Diagnoses the model knows; they need not all occur.
        sample_weight, groups : array of shape (n_cases,), optional
        also : sequence of collections of diagnoses, one a case, optional
            As of `fit`.

        Raises
        ------
        InputError
            For a diagnosis the model does not know, or what `fit` refuses; for a model of an older release, which did
            not store what the old cases weigh.
        """
        cases = check_update(self, X, y, sample_weight, groups, also)
        if self.square_ is None:
            raise InputError(
                "a model that knows what its old cases weigh", "it was saved by an older release", "fit it again"
            )
        new = clone(self)
        take_names(new, self)
        new.classes_ = self.classes_
        anchor = Anchor(self.coef_, self.intercept_, self.mean_, self.square_, self.seen_)
        options = LinearOptions(self.C, self.max_iter, self.tol, self.seed)
        new.coef_, new.intercept_, new.n_iter_ = fit_anchored(cases, options, anchor)
        new.cardinal_ = self.cardinal_
        for column in np.unique(self.cardinal_[:, 1]).astype(int):
            among = np.isin(np.arange(len(self.classes_)), self.cardinal_[self.cardinal_[:, 1] == column, 0])
            new.coef_[:, column] = lowest(new.coef_[:, column], among)
        mean, square, seen = moments(in_memory(cases.X, len(self.classes_), single=False), cases.weight)
        new.seen_ = self.seen_ + seen
        new.mean_ = (self.seen_ * self.mean_ + seen * mean) / new.seen_
        new.square_ = self.square_ + square
        return new

    def scores_of(self, X: Matrix) -> FloatArray:
        """Return the scores of a matrix that is checked already."""
        scores: FloatArray = np.asarray(X @ self.coef_.T) + self.intercept_
        return scores

    def contributions_of(self, X: Matrix, which: IntArray) -> Contributions:
        """Return the contributions for a checked matrix and (n_cases, m) class indices.

        ``phi = coef * (x - mean)``: the exact Shapley values of a linear model with independent columns (Štrumbelj and
        Kononenko 2014).
        """
        base = self.intercept_ + self.coef_ @ self.mean_
        return Contributions(base=base[which], phi=self.coef_[which] * (dense_of(X) - self.mean_)[:, None, :])

    def to_files(self, folder: Path) -> None:
        """Write `linear.json` and `linear.npz` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        options = {k: v for k, v in self.get_params().items() if k != "monotone" or v}  # as releases before wrote it
        header = model_header("linear", self, options) | {"n_iter": self.n_iter_}
        write_json(folder / "linear.json", header)
        arrays = {"coef": self.coef_, "intercept": self.intercept_, "mean": self.mean_}
        if self.square_ is not None:
            arrays |= {"square": self.square_, "seen": np.array([self.seen_])}
        if len(self.cardinal_):
            arrays["cardinal"] = self.cardinal_
        write_arrays(folder / "linear.npz", arrays)

    @classmethod
    def from_files(cls, folder: Path) -> Self:
        """Read a model back.

        Raises
        ------
        BundleError
            If a file is missing, damaged, or of another model.
        """
        stored = read_json(folder / "linear.json", "linear")
        arrays = read_arrays(folder / "linear.npz")
        model = cls(**stored["options"])
        restore_header(model, stored)
        model.n_iter_ = stored["n_iter"]
        k, p = len(model.classes_), model.n_features_in_
        shapes: dict[str, tuple[int, ...]] = {"coef": (k, p), "intercept": (k,), "mean": (p,)}
        if "square" in arrays:
            shapes |= {"square": (p,), "seen": (1,)}
        model.cardinal_ = arrays.get("cardinal", np.empty((0, 2)))
        if "cardinal" in arrays:
            shapes["cardinal"] = (len(model.cardinal_), 2)
        check_arrays(folder / "linear.npz", arrays, shapes)
        model.coef_, model.intercept_, model.mean_ = arrays["coef"], arrays["intercept"], arrays["mean"]
        # A model of the first release has none: it answers, and cannot be updated.
        model.square_, model.seen_ = (arrays["square"], float(arrays["seen"][0])) if "square" in arrays else (None, 0.0)
        return model
