"""The hybrid model: linear and boosted scores added up, with weights chosen on cases neither had seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone

from diagnosis.errors import BundleError, InputError
from diagnosis.models.also import Also, also_lists
from diagnosis.models.boosted import BoostedModel
from diagnosis.models.files import model_header, read_json, restore_header, write_json
from diagnosis.models.hybrid_fit import Folds, Residual, fit_hybrid, is_huge, is_large, leaves_rest
from diagnosis.models.linear import LinearModel
from diagnosis.models.monotone import Pairs, cardinal
from diagnosis.models.protocol import Contributions, FloatArray, IntArray, Matrix
from diagnosis.models.scoring import ScoreClassifier
from diagnosis.models.validation import (
    TrainingSet,
    check_choice,
    check_columns,
    check_option,
    check_training,
    check_update,
    take_names,
)

__all__ = ["HybridModel"]

# Beside the linear scores few rounds are left to learn: by 5-fold cross-validation on five real sets 60 rounds are as
# good as 300 or better (up to .002 nats), in half to nine tenths of the time.
_OPTIONS = {"rounds": 60}
# What linear scores leave is learned in few rounds, or in some more: 25 are worth .016 nats on 20,000 cases of 43
# diagnoses, for half as much time again.
_RESIDUAL_OPTIONS = {"rounds": 25, "leaves": 15, "learning_rate": 0.15, "early_stopping": 4}
_QUICK_OPTIONS = _RESIDUAL_OPTIONS | {"rounds": 9, "learning_rate": 0.25}
# One part of five chooses weights and rounds where the work is large; few trees are content with one of ten, and the
# residual's are not grown a second time.
_FOLDS, _QUICK_FOLDS = 5, 10

Interactions: TypeAlias = Literal["all", "body_system"] | Sequence[Sequence[int]]
Monotone: TypeAlias = Literal["none", "cardinal"] | Pairs


class HybridModel(ScoreClassifier):
    """``score = a * linear + b * boosted`` with a, b >= 0, fitted by log-loss on cross-fitted scores.

    The weights calibrate as well: they were chosen on patients that neither model had seen.

    Parameters
    ----------
    linear : LinearModel, optional
        Unfitted; the default one if None.
    boosted : BoostedModel, optional
        Unfitted; one of at most 60 rounds, with this `seed` and `n_jobs`, if None.
    folds : int or "auto"
        Parts of the patients that the weights are chosen on, each scored by models of the others; 1: a single part, a
        fifth (``residual=True``: a tenth) of them. "auto": 5, and 1 where stored entries times diagnoses are 20 million
        or more (25,000 cases of 20 findings and 40 diagnoses).
    residual : bool or "auto"
        Let the trees start from the out-of-fold linear scores and learn what is left: few trees, many times faster,
        a little less exact. Where they add nothing there are none. "auto": where the product is 60 million or more, up
        to 500 million with more trees, which is then the more exact form.
    interactions : {"all", "body_system"} or sequence of sequences of int
        Which findings may meet in a branch of a tree: any; those of one body system, as the vocabulary states it (age
        and sex meet all); or groups of columns, see `BoostedModel`.
    monotone : {"none", "cardinal"} or sequence of (int, int)
        With ``cardinal`` a finding's explicit absence never raises a diagnosis that it is cardinal for, whatever else
        the case records: its coefficients obey `LinearModel(monotone=...)`, and no tree looks at it. Or columns
        (*present*, *absent*) of the findings this is asked of.
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

    Notes
    -----
    ``body_system`` and ``cardinal`` speak of findings: a `Diagnoser` looks their columns up. The rule of `monotone`
    holds for the model's own probabilities and under one temperature. A calibration factor of the case (`adaptive`)
    keeps the order of the diagnoses, and may raise an improbable one where the case becomes less sure.
    """

    def __init__(
        self,
        *,
        linear: LinearModel | None = None,
        boosted: BoostedModel | None = None,
        folds: Folds = "auto",
        residual: Residual = "auto",
        interactions: Interactions = "all",
        monotone: Monotone = "none",
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.linear = linear
        self.boosted = boosted
        self.folds = folds
        self.residual = residual
        self.interactions = interactions
        self.monotone = monotone
        self.seed = seed
        self.n_jobs = n_jobs

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        also: Also = None,
    ) -> Self:
        """Learn both models and their weights.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_cases, n_columns)
        y : array of shape (n_cases,)
        sample_weight : array of shape (n_cases,), optional
        groups : array of shape (n_cases,), optional
            The patient of each case: never on both sides of a fold.
        also : sequence of collections of diagnoses, one a case, optional
            What a case has beside `y`: it is no negative of these.

        Raises
        ------
        InputError
            For fewer than two diagnoses or patients, missing labels, wrong weights or options.
        """
        folds = _FOLDS if self.folds in ("auto", 1) else int(self.folds)
        self.fit_cross(X, y, sample_weight=sample_weight, groups=groups, also=also, folds=folds, seed=self.seed)
        return self

    def fit_cross(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        also: Also = None,
        folds: int = 5,
        seed: int = 0,
    ) -> FloatArray:
        """Fit, and return the out-of-fold scores the weights were chosen on, shape (n_cases, n_diagnoses).

        Parameters are those of `fit`, with the number of folds and the seed that divides the patients. Where a single
        part is held out the rows of all other cases are nan.
        """
        if self.folds != "auto":
            check_option("HybridModel", "folds", self.folds, 1)
        check_choice("HybridModel", "residual", self.residual, (True, False, "auto"))
        cases = check_training(self, X, y, sample_weight, groups, also)
        self.classes_ = cases.classes
        one_part = is_large(cases) if self.folds == "auto" else self.folds == 1
        residual = leaves_rest(cases) if self.residual == "auto" else bool(self.residual)
        quick = residual and (self.residual != "auto" or is_huge(cases))
        linear, boosted = self.structured(cases, self.boosted_part(residual=residual, quick=quick))
        found = fit_hybrid(
            cases,
            linear,
            boosted,
            folds=(_QUICK_FOLDS if quick else _FOLDS) if one_part else folds,
            one_part=one_part,
            residual=residual,
            quick=quick,
            seed=seed,
        )
        self.linear_, self.boosted_, self.weights_ = found.linear, found.boosted, found.weights
        return found.scores

    def structured(self, cases: TrainingSet, boosted: BoostedModel) -> tuple[LinearModel, BoostedModel]:
        """Return both unfitted models, made to keep `interactions` and `monotone`."""
        linear, n_columns = LinearModel(seed=self.seed) if self.linear is None else self.linear, int(cases.X.shape[1])
        groups = _columns("interactions", self.interactions, ("all", "body_system"), n_columns)
        if groups is not None:
            boosted = clone(boosted).set_params(interactions=groups)
        pairs = _columns("monotone", self.monotone, ("none", "cardinal"), n_columns)
        if pairs is not None:
            which = cardinal(cases, pairs)
            pairs = [pairs[i] for i in np.flatnonzero(which.any(axis=1)).tolist()]
            linear = clone(linear).set_params(monotone=pairs)
            boosted = clone(boosted).set_params(left_out=sorted({absent for _, absent in pairs}))
        return linear, boosted

    def boosted_part(self, *, residual: bool, quick: bool = True) -> BoostedModel:
        """Return the unfitted boosted model, checked; the default one depends on what it is to learn."""
        if self.boosted is not None:
            return self.boosted.checked()
        given = (_QUICK_OPTIONS if quick else _RESIDUAL_OPTIONS) if residual else _OPTIONS
        return BoostedModel(seed=self.seed, n_jobs=self.n_jobs).set_params(**given)

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

        The linear coefficients move as far as the evidence they rest on lets them, further trees are grown on what the
        updated scores leave of the new cases, and the weights stay.

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
            For a diagnosis the model does not know, what `fit` refuses, or cases of a single patient.
        """
        cases = check_update(self, X, y, sample_weight, groups, also)
        labels, also = self.classes_[cases.y], also_lists(cases.also, self.classes_)
        a, b = self.weights_
        new = clone(self)
        take_names(new, self)
        new.classes_ = self.classes_
        new.weights_, new.linear_, new.boosted_ = self.weights_, None, None
        if self.linear_ is not None:
            new.linear_ = self.linear_.update(cases.X, labels, sample_weight=cases.weight, also=also)
        if self.boosted_ is not None:
            start = b * self.boosted_.scores_of(cases.X)
            if new.linear_ is not None:
                start += a * new.linear_.scores_of(cases.X)
            new.boosted_ = self.boosted_.update(
                cases.X, labels, sample_weight=cases.weight, groups=cases.groups, also=also, start=start
            )
        return new

    def scores_of(self, X: Matrix) -> FloatArray:
        """Return the scores of a matrix that is checked already."""
        parts = [weight * model.scores_of(X) for weight, model in self._used()]
        scores = parts.pop() if parts else np.zeros((X.shape[0], len(self.classes_)))
        for part in parts:
            scores += part
        return scores

    def scores_near(self, one: sparse.csr_matrix, X: sparse.csr_matrix, which: IntArray | None = None) -> FloatArray:
        """Return the scores of rows near one; see `ScoreClassifier.scores_near`."""
        scores = np.zeros((X.shape[0], len(self.classes_ if which is None else which)))
        for weight, model in self._used():
            scores += weight * model.scores_near(one, X, which)
        return scores

    def contributions_of(self, X: Matrix, which: IntArray) -> Contributions:
        """Return the weighted sum of both models' contributions for a checked matrix, (n_cases, m) class indices."""
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
            "residual": self.residual,
            **{name: v for name in ("interactions", "monotone") if not isinstance(v := getattr(self, name), str)},
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
            # A model of the first release had no such option.
            residual=options.get("residual", "auto"),
            interactions=options.get("interactions", "all"),
            monotone=options.get("monotone", "none"),
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


def _columns(name: str, asked: Any, words: tuple[str, str], n_columns: int) -> Any:
    """Return an option that names columns, checked; None for the word that asks for nothing."""
    if not isinstance(asked, str):
        check_columns("HybridModel", name, asked, n_columns)
        return asked
    check_choice("HybridModel", name, asked, words)
    if asked == words[1]:
        raise InputError(
            f"{name} of HybridModel names columns of the matrix",
            f"{asked!r} speaks of findings, which only a Diagnoser can look up",
            "fit it in a Diagnoser, or give the columns",
        )
    return None


def _options_of(model: LinearModel | BoostedModel | None) -> dict[str, Any] | None:
    return None if model is None else {name: v for name, v in model.get_params().items() if name != "n_jobs"}
