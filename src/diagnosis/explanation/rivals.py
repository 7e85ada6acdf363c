"""Many cases at once: what every column adds to one diagnosis, against the diagnoses it competes with in each case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnosis.models.calibration import softmax
from diagnosis.models.protocol import Model
from diagnosis.models.scale import Scale

__all__ = ["AgainstRivals", "against_rivals"]

FloatArray = npt.NDArray[np.float64]

# Cases whose contributions are held at once: 64 cases, 6 diagnoses and 10,000 columns are 31 MB.
_BLOCK = 64


@dataclass(frozen=True, slots=True, eq=False)
class AgainstRivals:
    """One diagnosis against its rivals in many cases: ``base + by_key.sum(1)`` is its score less theirs, to 1e-9.

    Parameters
    ----------
    base : ndarray of shape (n_cases,), nats
        What is there before any finding is looked at.
    by_key : ndarray of shape (n_cases, n_keys), nats
        What each finding adds.
    """

    base: FloatArray
    by_key: FloatArray


def against_rivals(
    X: sparse.csr_matrix,
    model: Model,
    scale: Scale,
    target: int,
    rivals: npt.NDArray[np.int64],
    finding: npt.NDArray[np.int32],
    n_keys: int,
    top: int,
) -> AgainstRivals:
    """Take the score of a diagnosis apart in every case, less that of its rivals there.

    Parameters
    ----------
    X : csr_matrix of shape (n_cases, n_columns)
    model, scale
        Fitted; contributions are those of the calibrated score.
    target : int
        Class index of the diagnosis.
    rivals : ndarray of int64
        Class indices that may be rivals; of these each case's `top` most probable ones are.
    finding : ndarray of int32, shape (n_columns,)
        The finding of each column, below `n_keys`.
    n_keys, top : int

    Notes
    -----
    The rivals' contributions are averaged by their probabilities, the diagnosis itself left out: ``phi_A - sum_B w_B
    phi_B`` over the others. It is the line that a page shows (centred on the whole list) divided by one less the
    diagnosis' own share, so it has the same sign, and it does not vanish where the diagnosis is nearly certain. Adding
    any function of the case to all scores leaves it as it is.
    """
    made = [
        _block(X[start : start + _BLOCK].astype(np.float64), model, scale, target, rivals, top)
        for start in range(0, X.shape[0], _BLOCK)
    ]
    columns = np.concatenate([one[1] for one in made])
    into = sparse.csr_matrix((np.ones(len(finding)), (np.arange(len(finding)), finding)), (len(finding), n_keys))
    return AgainstRivals(np.concatenate([one[0] for one in made]), np.asarray(columns @ into))


def _block(
    X: sparse.csr_matrix, model: Model, scale: Scale, target: int, rivals: npt.NDArray[np.int64], top: int
) -> tuple[FloatArray, FloatArray]:
    raw = model.scores(X)
    factor, scores = scale.factors(raw), scale.apply(raw)
    order = np.argsort(-scores[:, rivals], axis=1, kind="stable")[:, :top]
    others = rivals[order]
    which = np.column_stack([np.full(len(others), target), others])
    parts = model.contributions(X, which)
    base = factor[:, None] * parts.base
    if scale.shift:
        base = base + np.asarray(scale.shift)[which]
    weight = softmax(np.take_along_axis(scores, others, axis=1))
    own = factor[:, None] * (parts.phi[:, 0] - np.einsum("nm,nmc->nc", weight, parts.phi[:, 1:]))
    return base[:, 0] - (weight * base[:, 1:]).sum(axis=1), own
