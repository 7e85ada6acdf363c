"""The first stage: one linear map from a case to a score for every diagnosis.

``score = w1 * recorded + w2 * unrecorded + w3 * prior + w4 * logistic``: the parts of naive Bayes with weights of their
own, because findings that go together are counted twice by naive Bayes and the weights take that back, and a logistic
regression where there are cases enough for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from diagnosis.models.also import AlsoMatrix, shut
from diagnosis.models.calibration import log_softmax
from diagnosis.models.protocol import FloatArray, IntArray, Matrix
from diagnosis.models.ranker.likelihood import Floats, Likelihood

__all__ = ["Evidence", "FirstStage", "Logistic", "Rows", "clean_rows", "stage_weights"]

Rows = sparse.csr_matrix
_MOST = 100.0
# Where no case and nothing known stands for a diagnosis: the floor of all models.
_NEVER = float(np.log(1e-15))
# What naive Bayes gets where no part is of any use: enough to keep an order.
_LEAST = 0.01


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic regression by column: `coef` of shape (n_columns, n_diagnoses), `intercept` of (n_diagnoses,).

    The coefficients are float32 where they were learned in batches: there are many, and they are as good as that.
    """

    coef: Floats
    intercept: FloatArray


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was learned from some cases, before its parts are weighed.

    Attributes
    ----------
    likelihood : Likelihood
    logistic : Logistic or None
    valued : ndarray of int64
        Columns of values.
    """

    likelihood: Likelihood
    logistic: Logistic | None
    valued: IntArray

    def parts(self, X: Rows) -> list[FloatArray]:
        """Return recorded, unrecorded, prior and logistic scores, each of shape (n_cases, n_diagnoses)."""
        found = self.likelihood
        recorded = _times(X, found.R) + np.asarray(filled(X, self.valued) @ found.H)
        unrecorded = found.empty - _times(X, found.U)
        prior = np.broadcast_to(found.prior, recorded.shape)
        made = [recorded, unrecorded, prior]
        if self.logistic is not None:
            made.append(_times(X, self.logistic.coef) + self.logistic.intercept)
        return made


@dataclass(frozen=True, slots=True)
class FirstStage:
    """`Evidence` and the weights of its parts, as one linear map.

    Attributes
    ----------
    evidence : Evidence
    weights : ndarray of shape (3,) or (4,)
    coef : ndarray of shape (n_columns, n_diagnoses)
    heights : ndarray of shape (n_value_columns, n_diagnoses)
    intercept : ndarray of shape (n_diagnoses,)
    """

    evidence: Evidence
    weights: FloatArray
    coef: Floats
    heights: Floats
    intercept: FloatArray

    @classmethod
    def of(cls, evidence: Evidence, weights: FloatArray, never: NDArray[np.bool_] | None = None) -> FirstStage:
        """Weigh the parts; diagnoses of `never` (no case, nothing known) get the floor of models."""
        found, logistic = evidence.likelihood, evidence.logistic
        w = weights.tolist()
        coef = w[0] * found.R
        part = w[1] * found.U
        coef -= part
        intercept = weights[1] * found.empty + weights[2] * found.prior
        if logistic is not None:
            coef += np.multiply(logistic.coef, w[3], out=part)
            intercept = intercept + weights[3] * logistic.intercept
        if never is not None:
            intercept = np.where(never, _NEVER, intercept)
        return cls(evidence, weights, coef, w[0] * found.H, intercept)

    def scores(self, X: Rows) -> FloatArray:
        """Return the scores of cleaned rows, shape (n_cases, n_diagnoses)."""
        made = _times(X, self.coef)
        if self.evidence.valued.size:
            made += np.asarray(filled(X, self.evidence.valued) @ self.heights)
        made += self.intercept
        return made


def _times(X: Rows, table: Floats) -> FloatArray:
    """Return the product in the precision of the table, as float64."""
    return np.asarray(X.astype(table.dtype, copy=False) @ table).astype(np.float64, copy=False)


def clean_rows(X: Matrix) -> Rows:
    """Return CSR rows with sorted columns and no stored zeros, so that storage decides no bit of a score."""
    rows = sparse.csr_matrix(X, dtype=np.float64, copy=False)
    if not (rows.has_canonical_format and rows.data.all()):
        rows = rows.copy()
        rows.sum_duplicates()
        rows.eliminate_zeros()
    return rows


def filled(X: Rows, valued: IntArray) -> Rows:
    """Return 1 where a column of values is filled, shape (n_cases, n_value_columns)."""
    part = X[:, valued].tocsr()
    part.data = np.ones_like(part.data)
    return part


def stage_weights(parts: Sequence[FloatArray], y: IntArray, weight: FloatArray, also: AlsoMatrix = None) -> FloatArray:
    """Return the weights, none negative, with the lowest log-loss of the weighted sum of parts.

    That of the prior is at most 1: where all diagnoses are about as common the cases do not say what it is, and a
    diagnosis without a case would be as good as shut out.

    Parameters
    ----------
    parts : sequence of ndarray, each of shape (n_cases, n_diagnoses)
        Out of fold.
    y : ndarray of int64, shape (n_cases,)
    weight : ndarray of shape (n_cases,)
    also : CSR matrix of shape (n_cases, n_diagnoses), optional
        Diagnoses that a case has too: they have no part in its loss.
    """
    stacked = np.stack([part - part.max(axis=1, keepdims=True) for part in parts])
    share, rows = weight / weight.sum(), np.arange(y.size)
    at_truth = stacked[:, rows, y]

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        scores = np.tensordot(weights, stacked, axes=1)
        shut(scores, also)
        log_p = log_softmax(scores)
        p = np.exp(log_p)
        expected = np.array([np.einsum("ik,ik->i", p, part) for part in stacked])
        return -float(share @ log_p[rows, y]), (expected - at_truth) @ share

    found = minimize(
        loss,
        x0=np.full(len(parts), 0.4),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, most) for most in (_MOST, _MOST, 1.0, _MOST)[: len(parts)]],
        options={"ftol": 1e-7, "gtol": 1e-5},
    )
    weights: FloatArray = found.x
    if not weights.any():
        weights[0] = _LEAST
    return weights
