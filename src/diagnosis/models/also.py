"""Diagnoses that a case has beside the one it is learned as: it is no negative of theirs.

A softmax takes every diagnosis but the case's own for wrong. One that the case has too is left out of its sum instead:
its score in this case is shut, so that it has no probability there, no slope, and no share in what the case says.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diagnosis.errors import InputError
from diagnosis.models.protocol import FloatArray, IntArray

__all__ = ["Also", "AlsoMatrix", "also_lists", "also_matrix", "learned", "rows_also", "shut", "shut_copy", "takes_also"]

#: For each case the diagnoses it has too; None: none has any.
Also: TypeAlias = Sequence[Collection[Any]] | None
#: The same as a matrix of cases and diagnoses, 1 where the case has it too.
AlsoMatrix: TypeAlias = "sparse.csr_matrix[np.float64] | None"

# Far below any score, also when it is multiplied by a temperature: its exponential is 0 in every precision.
_SHUT = -1e9


def also_matrix(also: Also, classes: NDArray[Any], index: IntArray) -> AlsoMatrix:
    """Return which diagnoses cases have too, shape (n_cases, n_diagnoses); None where no case has any.

    Parameters
    ----------
    also : sequence of collections of labels, one a case, or None
        Labels that are not in `classes`, and the case's own, are left out.
    classes : ndarray of shape (n_diagnoses,)
    index : ndarray of int64, shape (n_cases,)
        The case's own diagnosis, as a position in `classes`.

    Raises
    ------
    InputError
        If there is not one entry a case.

    Examples
    --------
    >>> also_matrix([["measles", "flu"], []], np.array(["flu", "measles"]), np.array([0, 1])).toarray().tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    if also is None:
        return None
    if len(also) != index.size:
        raise InputError(
            f"also must have one collection of diagnoses for each of {index.size:,} cases",
            f"it has {len(also):,}",
            "give an empty one where a case has no other diagnosis",
        )
    position = {label: k for k, label in enumerate(classes.tolist())}
    pairs = {
        (i, position[label])
        for i, (own, labels) in enumerate(zip(index.tolist(), also, strict=True))
        for label in labels
        if position.get(label, own) != own
    }
    if not pairs:
        return None
    rows, columns = (np.array(side, dtype=np.int64) for side in zip(*sorted(pairs), strict=True))
    return sparse.csr_matrix((np.ones(rows.size), (rows, columns)), shape=(index.size, len(classes)))


def also_lists(matrix: AlsoMatrix, classes: NDArray[Any]) -> list[list[Any]] | None:
    """Return the labels of each case that `also_matrix` made a matrix of."""
    if matrix is None:
        return None
    ends, columns, names = matrix.indptr.tolist(), matrix.indices.tolist(), classes.tolist()
    return [[names[k] for k in columns[a:b]] for a, b in pairwise(ends)]


def rows_also(matrix: AlsoMatrix, rows: Any) -> AlsoMatrix:
    """Return the rows of some cases."""
    return None if matrix is None else matrix[rows]


def shut(scores: NDArray[Any], also: AlsoMatrix) -> None:
    """Shut the scores of the diagnoses that cases have too, in place; shape (n_cases, n_diagnoses)."""
    if also is not None and also.nnz:
        scores[np.repeat(np.arange(scores.shape[0]), np.diff(also.indptr)), also.indices] = _SHUT


def shut_copy(scores: FloatArray, also: AlsoMatrix) -> FloatArray:
    """Return the scores with those shut; the scores themselves where there are none."""
    if also is None or not also.nnz:
        return scores
    made = scores.copy()
    shut(made, also)
    return made


def takes_also(method: Callable[..., Any]) -> bool:
    """Whether a `fit`, `fit_cross` or `update` can be told of further diagnoses; a model of one's own need not."""
    return "also" in inspect.signature(method).parameters


def learned(
    method: Callable[..., Any], X: Any, y: Any, *, sample_weight: Any = None, groups: Any = None, also: Also = None
) -> Any:
    """Call the `fit` or `update` of a model, and tell it of further diagnoses where it asks for them."""
    if also is None or not takes_also(method):
        return method(X, y, sample_weight=sample_weight, groups=groups)
    return method(X, y, sample_weight=sample_weight, groups=groups, also=also)
