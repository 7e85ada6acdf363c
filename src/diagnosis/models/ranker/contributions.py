"""From a score of two stages back to the columns of the case.

The first stage is linear: ``coef * (x - mean)``. What the trees add is first given to the numbers of the pair by
TreeSHAP, and each number hands its part down to the columns it was made from, in proportion to what they put into it
(Chen, Lundberg, Lee 2022, "Explaining a series of models by propagating Shapley values"). The result adds up to the
score; it is additive, not a Shapley value of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.models.protocol import Contributions, FloatArray, IntArray
from diagnosis.models.ranker.first_stage import FirstStage, Rows, filled
from diagnosis.models.ranker.pairs import FEATURES, Entries, Pairs, entries_of
from diagnosis.models.trees import Trees

__all__ = ["Reference", "first_stage_contributions", "propagated"]

# A number made of columns that nearly cancel would hand down multiples of its part; this much of the columns' own size
# beside their sum keeps every share below 11.
_EVEN = 0.1


@dataclass(frozen=True, slots=True)
class Reference:
    """The mean case: `mean` of shape (n_columns,), `filled` of (n_value_columns,), how often a value stands."""

    mean: FloatArray
    filled: FloatArray


def first_stage_contributions(stage: FirstStage, X: Rows, which: IntArray, reference: Reference) -> Contributions:
    """Take the first stage's scores apart, with the mean case as base; shapes as in `Contributions`."""
    valued = stage.evidence.valued
    phi = np.moveaxis(stage.coef[:, which], 0, -1) * (X.toarray() - reference.mean)[:, None, :]
    asked, place = np.unique(which, return_inverse=True)
    base = stage.intercept[asked] + reference.mean @ stage.coef[:, asked]
    if valued.size:
        away = filled(X, valued).toarray() - reference.filled
        phi[..., valued] += np.moveaxis(stage.heights[:, which], 0, -1) * away[:, None, :]
        base = base + reference.filled @ stage.heights[:, asked]
    return Contributions(base=base[place.reshape(which.shape)], phi=phi)


def propagated(
    stage: FirstStage, trees: Trees, X: Rows, pairs: Pairs, case: IntArray, place: IntArray, n_jobs: int
) -> tuple[FloatArray, FloatArray]:
    """Hand what the trees add to chosen pairs down to the columns.

    Parameters
    ----------
    stage, trees
    X : CSR matrix of shape (n_cases, n_columns)
    pairs : Pairs of these cases
    case, place : ndarray of int64, shape (n_pairs,)
        Row of the case and place in its list.
    n_jobs : int

    Returns
    -------
    base : ndarray of shape (n_pairs,)
        With what belongs to no column: the prior, and numbers to which no column put anything.
    phi : ndarray of shape (n_pairs, n_columns)
    """
    by_feature = trees.contributions(np.ascontiguousarray(pairs.features[case, place]), 0, n_jobs)
    base, phi = by_feature[:, -1].copy(), np.zeros((case.size, X.shape[1]))
    for i, (row, at) in enumerate(zip(case.tolist(), place.tolist(), strict=True)):
        shares = _shares(_sources(stage, X[row], pairs.candidates[row], at))
        phi[i] = by_feature[i, :-1] @ shares
        base[i] += by_feature[i, :-1][~shares.any(axis=1)].sum()
    return base, phi


def _shares(sources: FloatArray) -> FloatArray:
    """Turn what columns put into each number, shape (n_features, n_columns), into shares that sum to 1, or all to 0."""
    sums = sources.sum(axis=1, keepdims=True)
    sized = np.where(sums < 0, -1.0, 1.0) * sources + _EVEN * np.abs(sources)
    total = sized.sum(axis=1, keepdims=True)
    shares: FloatArray = np.divide(sized, total, out=np.zeros_like(sized), where=total > 0)
    return shares


def _sources(stage: FirstStage, x: Rows, candidates: IntArray, at: int) -> FloatArray:
    """Return what each column of one case put into each number of one pair, shape (n_features, n_columns)."""
    n_list = candidates.size
    rival = candidates[0] if at else candidates[min(1, n_list - 1)]
    two = np.array([[candidates[at], rival]])
    entries = entries_of(stage, x, two)
    column, found = entries.column, stage.evidence.likelihood
    own = entries.ratio[:, 0]
    made = dict.fromkeys(FEATURES, np.zeros(x.shape[1]))
    # Nothing stands for the prior, the number of cases and what else belongs to no column.
    away = _away(stage, x, int(candidates[at])) - _away(stage, x, int(rival))
    made |= dict.fromkeys(("margin", "log_share", "place"), away)
    made["lead"] = _away(stage, x, int(candidates[0])) - _away(stage, x, int(candidates[min(1, n_list - 1)]))
    made["recorded"] = _spread(x, column, own)
    made["recorded_margin"] = _spread(x, column, own - entries.ratio[:, 1])
    unrecorded = found.U[:, candidates[at]].astype(np.float64)
    unrecorded[column] -= entries.unfilled[:, 0]
    made["unrecorded"] = unrecorded
    made["for"] = _spread(x, column, np.maximum(own, 0.0))
    made["against"] = _spread(x, column, np.minimum(own, 0.0))
    made["typical_seen"] = _spread(x, column, entries.typical[:, 0])
    made["unexplained"] = _spread(x, column, entries.unexplained[:, 0])
    made["n_recorded"] = _spread(x, column, np.ones(column.size))
    if column.size:
        made |= _extremes(x, entries)
    if (logistic := stage.evidence.logistic) is not None:
        slope = logistic.coef[column, candidates[at]] - logistic.coef[column, rival]
        made["logistic_margin"] = _spread(x, column, slope * x.data)
    return np.stack([made[name] for name in FEATURES])


def _extremes(x: Rows, entries: Entries) -> dict[str, FloatArray]:
    """Return the numbers that one column alone decides."""
    own, left = entries.ratio[:, 0], entries.unexplained[:, 0]
    chosen = {
        "strongest_for": own.argmax(),
        "strongest_against": own.argmin(),
        "most_unexplained": left.argmax(),
    }
    return {name: _spread(x, entries.column[[at]], np.ones(1)) for name, at in chosen.items()}


def _away(stage: FirstStage, x: Rows, which: int) -> FloatArray:
    """Return what each column adds to the first stage's score of one diagnosis, against a case without entries."""
    made = _spread(x, x.indices, stage.coef[x.indices, which] * x.data)
    valued = stage.evidence.valued
    if valued.size:
        made[valued] += filled(x, valued).toarray()[0] * stage.heights[:, which]
    return made


def _spread(x: Rows, column: NDArray[np.integer[Any]], values: FloatArray) -> FloatArray:
    made = np.zeros(x.shape[1])
    made[column] = values
    return made
