"""What every model does alike: check the matrix, and what follows from scores alone."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin

from diagnosis.models.calibration import softmax
from diagnosis.models.protocol import Contributions, FloatArray, IntArray, Matrix, Model
from diagnosis.models.validation import check_which, checked_matrix

__all__ = ["ScoreClassifier", "scores_near"]


def scores_near(
    model: Model, one: sparse.csr_matrix, X: sparse.csr_matrix, which: IntArray | None = None
) -> FloatArray:
    """Return the scores of rows near one, as `ScoreClassifier.scores_near`; of another model all are worked out."""
    if isinstance(model, ScoreClassifier):
        return model.scores_near(one, X, which)
    scores = model.scores(X)
    return scores if which is None else scores[:, which]


class ScoreClassifier(ClassifierMixin, BaseEstimator):
    """Base of the models: a scikit-learn classifier that has only to say `scores_of` and `contributions_of`."""

    classes_: NDArray[Any]

    def scores_of(self, X: Matrix) -> FloatArray:
        """Return the scores of a matrix that is checked already."""
        raise NotImplementedError

    def contributions_of(self, X: Matrix, which: IntArray) -> Contributions:
        """Return the contributions for a checked matrix and (n_cases, m) class indices."""
        raise NotImplementedError

    def scores(self, X: Any) -> FloatArray:
        """Return one score a diagnosis, log scale, float64, shape (n_cases, n_diagnoses)."""
        return self.scores_of(checked_matrix(self, X))

    def scores_near(self, one: sparse.csr_matrix, X: sparse.csr_matrix, which: IntArray | None = None) -> FloatArray:
        """Return the scores of rows that differ from one row in a few cells, as a case with other answers does.

        Equal to `scores` to 1e-12, and with trees many times faster: those that no changed cell touches are not walked.

        Parameters
        ----------
        one : csr_matrix of shape (1, n_columns)
        X : csr_matrix of shape (n_rows, n_columns)
            As `answered_rows` makes it: float64, without duplicates.
        which : ndarray of int64, optional
            The diagnoses whose scores are asked for, by their place in `classes_`; all of them when not given.
        """
        del one
        scores = self.scores(X)
        return scores if which is None else scores[:, which]

    def contributions(self, X: Any, which: ArrayLike) -> Contributions:
        """Take the scores of chosen diagnoses apart by column.

        Holds n_cases x m x n_columns numbers: ask for the suggested diagnoses, in portions of cases.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_cases, n_columns)
        which : int array of shape (n_cases, m) or (m,)
            Positions in `classes_`.
        """
        X = checked_matrix(self, X)
        return self.contributions_of(X, check_which(which, X.shape[0], len(self.classes_)))

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the softmax of the scores, shape (n_cases, n_diagnoses); rows sum to 1."""
        return softmax(self.scores(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the diagnosis with the highest score of each case; of equals the first in `classes_`."""
        best = self.scores(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
