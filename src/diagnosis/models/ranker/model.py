"""The ranker: a cheap first stage over all diagnoses, and trees that put its candidates in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from diagnosis.errors import InputError, nearest
from diagnosis.models.also import Also, also_matrix
from diagnosis.models.protocol import Contributions, FloatArray, IntArray, Matrix
from diagnosis.models.ranker.contributions import first_stage_contributions, propagated
from diagnosis.models.ranker.first_stage import clean_rows
from diagnosis.models.ranker.knowledge import Knowledge
from diagnosis.models.ranker.learning import Plan, learn, scored
from diagnosis.models.ranker.pairs import pairs_of, portions
from diagnosis.models.ranker.rerank import RerankOptions
from diagnosis.models.ranker.stored import read_ranker, write_ranker
from diagnosis.models.scoring import ScoreClassifier
from diagnosis.models.validation import TrainingSet, check_option, check_training

__all__ = ["RankerModel"]

_LEAST = {
    "candidates": 2,
    "leaves": 2,
    "rounds": 1,
    "early_stopping": 1,
    "rerank_cases": 1,
    "lambda_l2": 0,
    "folds": 2,
    "seed": 0,
    "n_jobs": 1,
}
_LOGISTIC = ("auto", "exact", "batches", "none")


class RankerModel(ScoreClassifier):
    """For hundreds or thousands of diagnoses: candidates first, then their order.

    The first stage is linear: naive Bayes (each state of a finding a column of its own, what is not recorded with its
    own weight), the prior, and a logistic regression where it is worth its time. Its best `candidates` of each case are
    scored again by one small LightGBM, which sees numbers of the pair (case, diagnosis), such as the margin to the
    first of the list, the share of typical findings seen, and what is left unexplained, and no column. A diagnosis that
    is no candidate keeps its first-stage score. The trees learn on first-stage scores of patients it had not seen; one
    temperature then calibrates the whole list, on patients neither had seen.

    Parameters
    ----------
    candidates : int
        At least 2.
    smoothing : float
        How many cases of the whole each diagnosis is pulled to in naive Bayes; above 0.
    logistic : {"auto", "exact", "batches", "none"}
        The logistic part of the first stage: Newton's method, one run over the cases in small batches, or none.
        ``"auto"``: exact where that takes a second or two, otherwise batches; none with fewer than 4 cases a diagnosis,
        or where `knowledge` alone tells of a diagnosis, which a logistic regression cannot compare.
    C : float
        Inverse strength of the exact logistic part's penalty.
    knowledge : Knowledge, optional
        P(column filled | diagnosis) from elsewhere: a diagnosis in it can be suggested without any training case.
    rounds, leaves, learning_rate, lambda_l2, early_stopping
        Of the trees; rounds at most. There are none where they lower no held-out log-loss.
    rerank_cases : int
        Cases that the trees learn from, at most.
    folds : int
        At least 2.
    seed : int
        Divides the patients.
    n_jobs : int
        LightGBM's threads. The model is the same for any number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_diagnoses,)
        Those of the labels and of `knowledge`.
    learned_ : Learned
        Both stages.
    weights_ : dict of str to float
        Of the first stage's parts.
    n_features_in_ : int
    """

    def __init__(
        self,
        *,
        candidates: int = 10,
        smoothing: float = 2.0,
        logistic: Literal["auto", "exact", "batches", "none"] = "auto",
        C: float = 1.0,
        knowledge: Knowledge | None = None,
        rounds: int = 40,
        leaves: int = 15,
        learning_rate: float = 0.2,
        lambda_l2: float = 5.0,
        early_stopping: int = 10,
        rerank_cases: int = 10_000,
        folds: int = 3,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.candidates = candidates
        self.smoothing = smoothing
        self.logistic = logistic
        self.C = C
        self.knowledge = knowledge
        self.rounds = rounds
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.lambda_l2 = lambda_l2
        self.early_stopping = early_stopping
        self.rerank_cases = rerank_cases
        self.folds = folds
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
        """Learn both stages.

        One fold chooses the rounds and the temperature, and the trees learn from the others; memory and time grow with
        the candidates of `rerank_cases`.

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
        self._check_options()
        cases = check_training(self, X, y, sample_weight, groups, also)
        self._fit(cases, also, self.folds, self.seed, every_case=False)
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
        """Fit, and return the out-of-fold scores of both stages, shape (n_cases, n_diagnoses).

        Every fold is held out in turn, and the trees are grown once more on all. Parameters are those of `fit`, with
        the number of folds and the seed that divides the patients.
        """
        self._check_options()
        cases = check_training(self, X, y, sample_weight, groups, also)
        scores = self._fit(cases, also, folds, seed, every_case=True)
        assert scores is not None
        return scores

    def _fit(self, cases: TrainingSet, also: Also, folds: int, seed: int, *, every_case: bool) -> FloatArray | None:
        if self.knowledge is not None:
            cases = _with_classes(cases, also, self.knowledge)
        known = None if self.knowledge is None else self.knowledge.cells(cases.classes, cases.X.shape[1])
        plan = Plan(
            candidates=self.candidates,
            smoothing=self.smoothing,
            logistic=None if self.logistic == "auto" else self.logistic,
            C=self.C,
            rounds=self.rounds,
            patience=self.early_stopping,
            rerank_cases=self.rerank_cases,
            folds=folds,
            seed=seed,
            trees=RerankOptions(self.leaves, self.learning_rate, self.lambda_l2, 20, self.seed, self.n_jobs),
            known=known,
            every_case=every_case,
        )
        self.learned_, scores = learn(cases, plan)
        self.classes_ = cases.classes
        return scores

    def _check_options(self) -> None:
        for name, low in _LEAST.items():
            check_option("RankerModel", name, getattr(self, name), low)
        for name in ("smoothing", "C", "learning_rate"):
            check_option("RankerModel", name, getattr(self, name), 0.0, above=True)
        if self.logistic not in _LOGISTIC:
            raise InputError(
                f"logistic of RankerModel must be one of {', '.join(_LOGISTIC)}",
                f"it is {self.logistic!r}",
                "set another value",
                near=nearest(str(self.logistic), _LOGISTIC),
            )

    @property
    def weights_(self) -> dict[str, float]:
        """Weights of the first stage's parts; of `logistic` only where there is one."""
        names = ("recorded", "unrecorded", "prior", "logistic")
        return dict(zip(names, self.learned_.stage.weights.tolist(), strict=False))

    def scores_of(self, X: Matrix) -> FloatArray:
        """Return the scores of a matrix that is checked already."""
        rows, found, start = clean_rows(X), self.learned_, 0
        scores = np.empty((rows.shape[0], len(self.classes_)))
        for part in portions(rows, self.candidates):
            made = scored(found.stage, found.trees, part, self.candidates, self.n_jobs)
            np.multiply(made, found.beta, out=scores[start : start + part.shape[0]])
            start += part.shape[0]
        return scores

    def scores_near(self, one: sparse.csr_matrix, X: sparse.csr_matrix, which: IntArray | None = None) -> FloatArray:
        """As `ScoreClassifier.scores_near`; only the pairs that are asked for are put before the trees."""
        if which is None:
            return super().scores_near(one, X)
        rows, found = clean_rows(X), self.learned_
        made = [
            scored(found.stage, found.trees, part, self.candidates, self.n_jobs, which)[:, which]
            for part in portions(rows, self.candidates)
        ]
        return found.beta * np.concatenate([np.empty((0, len(which))), *made])

    def contributions_of(self, X: Matrix, which: IntArray) -> Contributions:
        """Return the contributions for a checked matrix and (n_cases, m) class indices, through both stages.

        What the trees add is handed from the numbers of the pair to the columns these were made from, after Chen,
        Lundberg, Lee (2022): it adds up to the score and is no Shapley value of the whole. What belongs to no column,
        such as the prior, is in the base.
        """
        rows, found = clean_rows(X), self.learned_
        parts = first_stage_contributions(found.stage, rows, which, found.reference)
        base, phi = parts.base, parts.phi
        if found.trees is not None and which.size:
            m = min(self.candidates, len(self.classes_))
            pairs = pairs_of(found.stage, rows, found.stage.scores(rows), m)
            case, asked, place = np.nonzero(which[:, :, None] == pairs.candidates[:, None, :])
            if case.size:
                added = propagated(found.stage, found.trees, rows, pairs, case, place, self.n_jobs)
                base[case, asked] += added[0]
                phi[case, asked] += added[1]
        return Contributions(base=found.beta * base, phi=found.beta * phi)

    def to_files(self, folder: Path) -> None:
        """Write `ranker.json`, `ranker.npz` and, if there are trees, LightGBM's text `ranker.txt` into a folder."""
        write_ranker(self, folder)

    @classmethod
    def from_files(cls, folder: Path) -> Self:
        """Read a model back; it scores with one thread unless `n_jobs` is set.

        Raises
        ------
        BundleError
            If a file is missing, damaged, or of another model.
        """
        return read_ranker(cls, folder)


def _with_classes(cases: TrainingSet, also: Also, knowledge: Knowledge) -> TrainingSet:
    """Add the diagnoses of the knowledge table that no case has."""
    told = np.array(sorted(set(knowledge.diagnoses)))
    if cases.classes.dtype == object:
        told = told.astype(object)
    elif told.dtype.kind != cases.classes.dtype.kind:
        raise InputError(
            "the knowledge table must name diagnoses as the labels do",
            f"its names are of the type {told.dtype}, the labels {cases.classes.dtype}",
            "use the same type for both",
        )
    classes, place = np.unique(np.concatenate([cases.classes, told]), return_inverse=True)
    y = place[: len(cases.classes)].astype(np.int64)[cases.y]
    # The table may tell of a diagnosis that cases have only beside another.
    return TrainingSet(cases.X, y, classes, cases.weight, cases.groups, also_matrix(also, classes, y))
