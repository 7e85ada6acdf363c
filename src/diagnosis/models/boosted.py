"""The boosted model: gradient-boosted trees (LightGBM), one score a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone

from diagnosis.models.also import Also
from diagnosis.models.booster import Beside, BoostingOptions, boost, boost_together, trees_of, warn_if_diverged
from diagnosis.models.crossfit import fold_parts, is_better, with_floor
from diagnosis.models.files import model_header, read_json, restore_header, write_json
from diagnosis.models.folds import grouped_folds
from diagnosis.models.networked import Together
from diagnosis.models.protocol import Contributions, FloatArray, IntArray, Matrix
from diagnosis.models.scoring import ScoreClassifier
from diagnosis.models.sequence import in_memory_rows, is_on_disk
from diagnosis.models.trees import Trees, join_trees, read_trees
from diagnosis.models.validation import (
    TrainingSet,
    check_batched,
    check_columns,
    check_option,
    check_training,
    check_update,
    rows_of,
    take_names,
)

__all__ = ["BoostedModel"]

# The least value of each option that has one.
_LEAST = {
    "rounds": 1,
    "leaves": 2,
    "min_cases_leaf": 1,
    "lambda_l2": 0,
    "min_hessian": 0,
    "max_bin": 2,
    "early_stopping": 0,
    "seed": 0,
    "n_jobs": 1,
}


class BoostedModel(ScoreClassifier):
    """Gradient-boosted trees for many diagnoses and sparse columns.

    Scores are LightGBM's raw scores (softmax objective, also for two diagnoses). A zero means "nothing recorded",
    stored or not. The defaults were chosen by cross-validation on five real sets of 339 to 1,912 cases and 2 to 21
    diagnoses: small trees and few columns a split, so that 0/1 findings share the work.

    Parameters
    ----------
    rounds : int
        Rounds at most; each grows one tree a diagnosis.
    leaves : int
        Leaves of a tree, at least 2.
    learning_rate : float
    min_cases_leaf : int
        Cases (not weights) in a leaf at least.
    lambda_l2, min_hessian : float
        Penalty and floor of the Newton step; with many rare diagnoses training diverges without them.
    max_bin : int
        Values told apart in a column at most.
    column_share : float
        Share of the columns looked at for a split, above 0, at most 1.
    early_stopping : int
        The number of rounds is the one with the lowest log-loss on held-out patients; a training ends this many rounds
        after its lowest. 0: always `rounds`.
    interactions : sequence of sequences of int, optional
        Groups of columns, by number: those of one branch of a tree are all in one group. A column may be in several
        (age and sex in each of the body systems); one in none stands alone. None: any columns may meet.
    left_out : sequence of int, optional
        Columns that no tree looks at.
    seed : int
    n_jobs : int
        LightGBM's threads. The model is the same for any number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_diagnoses,)
    trees_ : Trees
    n_rounds_ : int
    n_features_in_ : int

    Notes
    -----
    "A finding that is denied never raises its diagnosis" cannot be asked for here: LightGBM's monotone constraints hold
    for a column in the trees of all diagnoses alike, and after the softmax a lower score of one raises all others. What
    can be done is to leave the column out, and to let a linear model speak of it (`HybridModel(monotone=...)`).
    """

    def __init__(
        self,
        *,
        rounds: int = 300,
        leaves: int = 7,
        learning_rate: float = 0.1,
        min_cases_leaf: int = 10,
        lambda_l2: float = 3.0,
        min_hessian: float = 0.1,
        max_bin: int = 63,
        column_share: float = 0.3,
        early_stopping: int = 25,
        interactions: Sequence[Sequence[int]] | None = None,
        left_out: Sequence[int] | None = None,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.rounds = rounds
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.min_cases_leaf = min_cases_leaf
        self.lambda_l2 = lambda_l2
        self.min_hessian = min_hessian
        self.max_bin = max_bin
        self.column_share = column_share
        self.early_stopping = early_stopping
        self.interactions = interactions
        self.left_out = left_out
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
        """Learn from cases and their diagnoses.

        With `early_stopping`, a fifth of the patients chooses the number of rounds, then all cases are learned from.

        Parameters
        ----------
        X : array, CSR matrix or `Shards` of shape (n_cases, n_columns)
            Shards are read in portions, without a full copy; the trees are the same.
        y : array of shape (n_cases,)
        sample_weight : array of shape (n_cases,), optional
        groups : array of shape (n_cases,), optional
            The patient of each case.
        also : sequence of collections of diagnoses, one a case, optional
            What a case has beside `y`: it is no negative of these.

        Raises
        ------
        InputError
            For fewer than two diagnoses, missing labels, wrong weights or options.

        Warns
        -----
        DiagnosisWarning
            If training diverged.
        """
        cases = self._checked(X, y, sample_weight, groups, also)
        rounds, used = self.rounds, cases.weighing()
        if self.early_stopping and np.ptp(used.groups):
            held_out = grouped_folds(used.y, used.groups, 5, self.seed) == 0
            part = Beside(used.take(np.flatnonzero(~held_out))), Beside(used.take(np.flatnonzero(held_out)))
            _, rounds = self.grow([part])
        return self.fit_checked(Beside(cases), rounds)

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
        """Fit on all cases and return out-of-fold scores; the folds together choose the number of rounds.

        Parameters are those of `fit`, with the number of folds and the seed that divides the patients.

        Returns
        -------
        ndarray of float64, shape (n_cases, n_diagnoses)
            A diagnosis without a case in a fold's training part has the floor of `crossfit.with_floor` there.
        """
        cases = self._checked(X, y, sample_weight, groups, also)
        parts = [(train, rows) for train, rows in fold_parts(cases, folds, seed)]
        grown, rounds = self.grow([(Beside(train), Beside(cases.take(rows))) for train, rows in parts])
        scores = np.empty((cases.y.size, len(cases.classes)))
        for trees, (train, rows) in zip(grown, parts, strict=True):
            scores[rows] = with_floor(trees.raw_scores(in_memory_rows(rows_of(cases.X, rows)), self.n_jobs), train)
        self.fit_checked(Beside(cases), rounds)
        return scores

    def grow(
        self, parts: Sequence[tuple[Beside, Beside]], *, together: Together | None = None
    ) -> tuple[list[Trees], int]:
        """Grow trees on the first of each pair of checked cases, and choose one number of rounds on the second.

        With `together` other processes do the same on other first parts, and the trees are those of all.
        """
        boosters, rounds = boost_together(parts, self._options(), self.rounds, self.early_stopping, together=together)
        n_classes = len(parts[0][0].cases.classes)
        return [trees_of(booster, rounds, n_classes) for booster in boosters] if rounds else [], rounds

    def fit_checked(self, part: Beside, rounds: int) -> Self:
        """Learn from cases that are checked already, with this number of rounds."""
        return self.keep(trees_of(boost(part, self._options(), rounds), rounds, len(part.cases.classes)), part)

    def keep(self, trees: Trees, part: Beside) -> Self:
        """Take over trees that were grown on these cases.

        Warns
        -----
        DiagnosisWarning
            If they diverged.
        """
        self.n_features_in_, self.classes_ = int(part.cases.X.shape[1]), part.cases.classes
        self.trees_, self.n_rounds_ = trees, trees.n_rounds
        warn_if_diverged(self.trees_, part, self.n_jobs)
        return self

    def update(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        also: Also = None,
        rounds: int = 20,
        start: FloatArray | None = None,
    ) -> Self:
        """Return a new model with further trees, grown on new confirmed cases; this one stays as it is.

        The new trees start from this model's scores. A fifth of the new patients chooses their number; where what
        they save there is within its standard error, none is added.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_cases, n_columns)
        y : array of shape (n_cases,)
            Diagnoses the model knows; they need not all occur.
        sample_weight, groups : array of shape (n_cases,), optional
        also : sequence of collections of diagnoses, one a case, optional
            As of `fit`.
        rounds : int
            Further rounds at most.
        start : ndarray of shape (n_cases, n_diagnoses), optional
            Scores the new trees start from, where this model's own are a part of a sum.

        Raises
        ------
        InputError
            For a diagnosis the model does not know, what `fit` refuses, or cases of a single patient.
        """
        check_option("update", "rounds", rounds, 1)
        cases = check_update(self, X, y, sample_weight, groups, also)
        start = self.scores_of(cases.X) if start is None else start
        part, fold = Beside(cases, start), grouped_folds(cases.y, cases.groups, 5, self.seed)
        sides = part.take(np.flatnonzero(fold != 0)), part.take(np.flatnonzero(fold == 0))
        (first,), found = boost_together([sides], self._options(), rounds, self.early_stopping or rounds)
        new = clone(self)
        take_names(new, self)
        new.classes_, new.trees_ = self.classes_, self.trees_
        if found and self._helps(first, found, sides[1]):
            further = trees_of(boost(part, self._options(), found), found, len(self.classes_))
            warn_if_diverged(further, part, self.n_jobs)
            new.trees_ = Trees(join_trees(self.trees_.text, further.text), len(self.classes_))
        new.n_rounds_ = new.trees_.n_rounds
        return new

    def _helps(self, booster: Any, rounds: int, held_out: Beside) -> bool:
        assert held_out.init is not None
        added = trees_of(booster, rounds, len(held_out.cases.classes)).raw_scores(held_out.cases.X, self.n_jobs)
        return is_better(held_out.init + added, held_out.init, held_out.cases)

    def checked(self) -> Self:
        """Return the model itself, or raise InputError for an impossible option."""
        for name, low in _LEAST.items():
            check_option("BoostedModel", name, getattr(self, name), low)
        check_option("BoostedModel", "learning_rate", self.learning_rate, 0.0, above=True)
        check_option("BoostedModel", "column_share", self.column_share, 0.0, 1.0, above=True)
        return self

    def _checked(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None, also: Also
    ) -> TrainingSet:
        self.checked()
        check = check_batched if is_on_disk(X) else check_training
        cases = check(self, X, y, sample_weight, groups, also)
        check_columns("BoostedModel", "interactions", self.interactions or (), self.n_features_in_)
        check_columns("BoostedModel", "left_out", [self.left_out or ()], self.n_features_in_)
        return cases

    def _options(self) -> BoostingOptions:
        return BoostingOptions(**{f.name: getattr(self, f.name) for f in fields(BoostingOptions)})

    def scores_of(self, X: Matrix) -> FloatArray:
        """Return the scores of a matrix that is checked already."""
        return self.trees_.raw_scores(X, self.n_jobs)

    def scores_near(self, one: sparse.csr_matrix, X: sparse.csr_matrix, which: IntArray | None = None) -> FloatArray:
        """Return the scores of rows near one; see `ScoreClassifier.scores_near`."""
        scores = self.trees_.raw_scores_near(one, X, self.n_jobs)
        return scores if which is None else scores[:, which]

    def contributions_of(self, X: Matrix, which: IntArray) -> Contributions:
        """Return the contributions for a checked matrix and (n_cases, m) class indices.

        By path-dependent TreeSHAP (Lundberg et al. 2020). Only the trees of the diagnoses asked for are walked. The
        base is their mean over the training cases, counted without weights.
        """
        return self.trees_.contributions_of(X, which, self.n_jobs)

    def to_files(self, folder: Path) -> None:
        """Write `boosted.json` and LightGBM's own text, `boosted.txt`, into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        later = ("n_jobs", *(() if self.left_out else ("left_out",)))  # as releases before wrote it
        options = {name: value for name, value in self.get_params().items() if name not in later}
        write_json(folder / "boosted.json", model_header("boosted", self, options))
        (folder / "boosted.txt").write_bytes(self.trees_.text.encode("ascii"))

    @classmethod
    def from_files(cls, folder: Path) -> Self:
        """Read a model back; it scores with one thread unless `n_jobs` is set.

        Raises
        ------
        BundleError
            If a file is missing, damaged, or of another model.
        """
        stored = read_json(folder / "boosted.json", "boosted")
        model = cls(**stored["options"])
        restore_header(model, stored)
        model.trees_ = read_trees(folder / "boosted.txt", len(model.classes_), model.n_features_in_)
        model.n_rounds_ = model.trees_.n_rounds
        return model
