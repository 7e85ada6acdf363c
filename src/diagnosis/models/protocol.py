"""What every model on a matrix of findings promises: one score a diagnosis, a sum that can be taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

__all__ = ["Contributions", "CrossFitted", "FloatArray", "IntArray", "Matrix", "Model"]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Matrix: TypeAlias = "FloatArray | sparse.csr_matrix[np.float64]"


@dataclass(frozen=True, slots=True)
class Contributions:
    """The scores of `m` diagnoses a case, taken apart by column.

    Attributes
    ----------
    base : ndarray of shape (n_cases, m), log scale
        The score before any column of the case is looked at.
    phi : ndarray of shape (n_cases, m, n_columns), log scale
        What each column adds; ``base + phi.sum(-1)`` is the score to 1e-9.
    """

    base: FloatArray
    phi: FloatArray


@runtime_checkable
class Model(Protocol):
    """A classifier over encoded cases whose scores are sums.

    Columns of the matrix that are zero mean "nothing recorded"; a model treats a stored and an implicit zero alike.
    """

    classes_: NDArray[Any]

    def fit(
        self, X: Any, y: ArrayLike, *, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Self:
        """Learn from cases (rows of `X`) and their diagnoses `y`; `groups` names the patient of each case."""
        ...

    def scores(self, X: Any) -> FloatArray:
        """Return one score a diagnosis, shape (n_cases, n_diagnoses), also with two; the softmax is the probability."""
        ...

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the softmax of the scores; rows sum to 1."""
        ...

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the diagnosis with the highest score of each case."""
        ...

    def contributions(self, X: Any, which: ArrayLike) -> Contributions:
        """Take the scores of chosen diagnoses apart; `which` holds class indices, shape (n_cases, m) or (m,)."""
        ...

    def to_files(self, folder: Path) -> None:
        """Write the fitted model as plain files; equal fits give equal bytes."""
        ...

    @classmethod
    def from_files(cls, folder: Path) -> Self:
        """Read what `to_files` wrote; scores are bitwise those of the written model."""
        ...


@runtime_checkable
class CrossFitted(Protocol):
    """A model that makes its own out-of-fold scores while it is fitted (no fold inside a fold)."""

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
        """Fit on all cases and return the out-of-fold scores, shape (n_cases, n_diagnoses).

        Rows of cases that no model was held back from are nan.
        """
        ...
