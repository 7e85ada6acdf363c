"""What follows from scores alone: probabilities and predictions."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from diagnosis.models.calibration import softmax
from diagnosis.models.protocol import FloatArray

__all__ = ["ScoreClassifier"]


class ScoreClassifier(ClassifierMixin, BaseEstimator):
    """Base of the models: a scikit-learn classifier that has only to say its scores."""

    classes_: NDArray[Any]

    def scores(self, X: Any) -> FloatArray:
        """Return one score a diagnosis, log scale, shape (n_cases, n_diagnoses)."""
        raise NotImplementedError

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
