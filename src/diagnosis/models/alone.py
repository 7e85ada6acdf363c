"""One encoded case to its probabilities in one go.

In separate steps, each of which checks and wraps what it is given, numpy and Python take as long as the sums.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from diagnosis.models.boosted import BoostedModel
from diagnosis.models.hybrid import HybridModel
from diagnosis.models.linear import LinearModel
from diagnosis.models.protocol import FloatArray, Model
from diagnosis.models.scale import Scale
from diagnosis.models.validation import is_encoded_row

__all__ = ["probabilities_alone"]


def probabilities_alone(model: Model, scale: Scale, X: csr_matrix) -> FloatArray | None:
    """Return the calibrated probabilities of one case, equal to 1e-12 to those it gets among others.

    Parameters
    ----------
    model : Model
        Fitted.
    scale : Scale
    X : csr_matrix of shape (1, n_columns)

    Returns
    -------
    ndarray of shape (1, n_diagnoses), or None
        None: the model is of a kind that has no short way, or the case is not as an encoder gives it.
    """
    linear, boosted, a, b = None, None, 1.0, 1.0
    if type(model) is HybridModel:
        linear, boosted, (a, b) = model.linear_, model.boosted_, model.weights_
    elif type(model) is LinearModel:
        linear = model
    elif type(model) is BoostedModel:
        boosted = model
    if (linear is None and boosted is None) or not is_encoded_row(X, model):
        return None
    columns, values = X.indices.astype(np.intp), X.data.astype(np.float64)
    scores: FloatArray | float = 0.0
    if boosted is not None:
        row = boosted.trees_.row()
        if row is None:
            return None
        scores = row.of_cells(columns, values)
        scores *= b
    if linear is not None:
        own: FloatArray = values.dot(linear.coef_.T.take(columns, axis=0))
        own += linear.intercept_
        own *= a
        scores = scores + own
    return scale.alone(np.asarray(scores))[None]
