"""The hybrid model: linear and boosted scores added up, with weights chosen on cases neither had seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from diagnosis.errors import BundleError
from diagnosis.models.boosted import BoostedModel
from diagnosis.models.calibration import log_softmax
from diagnosis.models.crossfit import fit_with_cross_scores
from diagnosis.models.files import model_header, read_json, restore_header, write_json
from diagnosis.models.linear import LinearModel
from diagnosis.models.protocol import Contributions, FloatArray, IntArray, Matrix
from diagnosis.models.scoring import ScoreClassifier
from diagnosis.models.validation import check_option, check_training, check_which, checked_matrix

__all__ = ["HybridModel", "blend_weights"]

# What the linear scores get where neither model is of any use: enough to keep an order.
_LEAST = 0.01
_MOST = 100.0
# Beside the linear scores few rounds are left to learn: by 5-fold cross-validation on five real sets 60 rounds are as
# good as 300 or better (up to .002 nats), in half to nine tenths of the time.
_ROUNDS = 60


class HybridModel(ScoreClassifier):
    """``score = a * linear + b * boosted`` with a, b >= 0, fitted by log-loss on cross-fitted scores.

    The weights calibrate as well: they were chosen on patients that neither model had seen.

    Parameters
    ----------
    linear : LinearModel, optional
        Unfitted; the default one if None.
    boosted : BoostedModel, optional
        Unfitted; one of at most 60 rounds, with this `seed` and `n_jobs`, if None.
    folds : int
        At least 2.
    seed : int
        Divides the patients.
    n_jobs : int
        LightGBM's threads, where `boosted` is None.

    Attributes
    ----------
    classes_ : ndarray of shape (n_diagnoses,)
    weights_ : tuple of float
        `a` and `b`.
    linear_ : LinearModel or None
    boosted_ : BoostedModel or None
        None where the weight is 0: it then costs nothing.
    n_features_in_ : int
    """

    def __init__(
        self,
        *,
        linear: LinearModel | None = None,
        boosted: BoostedModel | None = None,
        folds: int = 5,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.linear = linear
        self.boosted = boosted
        self.folds = folds
        self.seed = seed
        self.n_jobs = n_jobs

    def fit(
        self, X: Any, y: ArrayLike, *, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Self:
        """Learn both models and their weights.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_cases, n_columns)
        y : array of shape (n_cases,)
        sample_weight : array of shape (n_cases,), optional
        groups : array of shape (n_cases,), optional
            The patient of each case: never on both sides of a fold.

        Raises
        ------
        InputError
            For fewer than two diagnoses or patients, missing labels, wrong weights or options.
        """
        self.fit_cross(X, y, sample_weight=sample_weight, groups=groups, folds=self.folds, seed=self.seed)
        return self

    def fit_cross(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        folds: int = 5,
        seed: int = 0,
    ) -> FloatArray:
        """Fit, and return the out-of-fold scores the weights were chosen on, shape (n_cases, n_diagnoses).

        Parameters are those of `fit`, with the number of folds and the seed that divides the patients.
        """
        check_option("HybridModel", "folds", self.folds, 2)
        cases = check_training(self, X, y, sample_weight, groups)
        self.classes_ = cases.classes
        linear = LinearModel(seed=self.seed) if self.linear is None else self.linear
        boosted = self.boosted
        if boosted is None:
            boosted = BoostedModel(rounds=_ROUNDS, seed=self.seed, n_jobs=self.n_jobs)
        (linear_, linear_scores), (boosted_, boosted_scores) = (
            fit_with_cross_scores(
                model, cases.X, cases.y, sample_weight=cases.weight, groups=cases.groups, folds=folds, seed=seed
            )
            for model in (linear, boosted)
        )
        # The two were fitted on class numbers; they are shown with the names.
        linear_.classes_ = boosted_.classes_ = self.classes_
        a, b = self.weights_ = blend_weights(linear_scores, boosted_scores, cases.y, cases.weight)
        self.linear_ = linear_ if a else None
        self.boosted_ = boosted_ if b else None
        blended: FloatArray = a * linear_scores + b * boosted_scores
        return blended

    def scores(self, X: Any) -> FloatArray:
        """Return the blended scores, float64, shape (n_cases, n_diagnoses)."""
        return self.scores_of(checked_matrix(self, X))

    def scores_of(self, X: Matrix) -> FloatArray:
        """Return the scores of a matrix that is checked already."""
        scores = np.zeros((X.shape[0], len(self.classes_)))
        for weight, model in self._used():
            scores += weight * model.scores_of(X)
        return scores

    def contributions(self, X: Any, which: ArrayLike) -> Contributions:
        """Take the scores of chosen diagnoses apart: the weighted sum of both models' contributions.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_cases, n_columns)
        which : int array of shape (n_cases, m) or (m,)
            Positions in `classes_`.
        """
        X = checked_matrix(self, X)
        return self.contributions_of(X, check_which(which, X.shape[0], len(self.classes_)))

    def contributions_of(self, X: Matrix, which: IntArray) -> Contributions:
        """Return the contributions for a checked matrix and (n_cases, m) class indices."""
        base, phi = np.zeros(which.shape), np.zeros((*which.shape, X.shape[1]))
        for weight, model in self._used():
            part = model.contributions_of(X, which)
            base += weight * part.base
            phi += weight * part.phi
        return Contributions(base=base, phi=phi)

    def _used(self) -> list[tuple[float, LinearModel | BoostedModel]]:
        both = zip(self.weights_, (self.linear_, self.boosted_), strict=True)
        return [(weight, model) for weight, model in both if model is not None]

    def to_files(self, folder: Path) -> None:
        """Write `hybrid.json` and the files of both models into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        options = {
            "folds": self.folds,
            "seed": self.seed,
            "linear": _options_of(self.linear),
            "boosted": _options_of(self.boosted),
        }
        weights = dict(zip(("linear", "boosted"), self.weights_, strict=True))
        write_json(folder / "hybrid.json", model_header("hybrid", self, options) | {"weights": weights})
        for _, model in self._used():
            model.to_files(folder)

    @classmethod
    def from_files(cls, folder: Path) -> Self:
        """Read a model back.

        Raises
        ------
        BundleError
            If a file is missing, damaged, or of another model.
        """
        stored = read_json(folder / "hybrid.json", "hybrid")
        options = stored["options"]
        linear, boosted = options["linear"], options["boosted"]
        model = cls(
            linear=None if linear is None else LinearModel(**linear),
            boosted=None if boosted is None else BoostedModel(**boosted),
            folds=options["folds"],
            seed=options["seed"],
        )
        restore_header(model, stored)
        a, b = model.weights_ = (stored["weights"]["linear"], stored["weights"]["boosted"])
        model.linear_ = LinearModel.from_files(folder) if a else None
        model.boosted_ = BoostedModel.from_files(folder) if b else None
        for _, part in model._used():
            if part.n_features_in_ != model.n_features_in_ or len(part.classes_) != len(model.classes_):
                raise BundleError(
                    "the two models of a hybrid should have the same diagnoses and columns",
                    "they differ",
                    "save the model again",
                )
        return model


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


def _options_of(model: LinearModel | BoostedModel | None) -> dict[str, Any] | None:
    return None if model is None else {name: v for name, v in model.get_params().items() if name != "n_jobs"}
