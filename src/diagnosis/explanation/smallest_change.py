"""The fewest answers that make another diagnosis come first: single answers, then a few together, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnosis.explanation.answered_rows import Answers, Kin, answered_rows
from diagnosis.features import Lineage

__all__ = ["Margin", "flipping_answers"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
#: From encoded cases to how far the wanted diagnosis is ahead, shape (n_rows,); above 0: it comes first.
Margin = Callable[[sparse.csr_matrix], FloatArray]

# The best sets of each size from which larger ones are made.
_KEPT = 4


def flipping_answers(
    row: sparse.csr_matrix,
    lineage: Lineage,
    answers: Answers,
    margin: Margin,
    most: int,
    kin: Kin | None = None,
    settled: Margin | None = None,
) -> Iterator[tuple[int, ...]]:
    """Find sets of answers that put the wanted diagnosis ahead, those of fewest answers and largest margin first.

    All single answers are tried; then each that could follow the best sets so far, so that a pair that only works
    together may be missed.

    Parameters
    ----------
    row : csr_matrix of shape (1, n_columns)
    lineage : Lineage
    answers : Answers
        What may be changed, one answer each.
    margin : callable
    most : int
        Answers in a set at most.
    kin : Kin, optional
        As in `answered_rows`.
    settled : callable, optional
        A margin of the same sign that takes longer to work out; by it the sets that are ahead are put in order.

    Yields
    ------
    tuple of int
        Places among the answers; no two of one finding.
    """
    sets: list[tuple[int, ...]] = [()]
    rows = [sparse.csr_matrix(row, dtype=np.float64)]
    for size in range(1, most + 1):
        made = [_further(base, taken, lineage, answers, kin) for taken, base in zip(sets, rows, strict=True)]
        made = [one for one in made if len(one[0])]
        if not made:
            return
        which = np.concatenate([one[0] for one in made])
        X = sparse.vstack([one[1] for one in made], format="csr") if len(made) > 1 else made[0][1]
        if len(made) > 1:
            which, first = np.unique(which, axis=0, return_index=True)
            X = X[first]
        ahead = margin(X)
        leading = np.flatnonzero(ahead > 0)
        by = ahead[leading] if settled is None or not leading.size else settled(X[leading])
        yield from (tuple(which[i].tolist()) for i in leading[_order(by, which[leading])].tolist())
        if size < most:
            best = _order(ahead, which)[:_KEPT].tolist()
            sets, rows = [tuple(which[i].tolist()) for i in best], [X[[i]] for i in best]


def _further(
    base: sparse.csr_matrix, taken: tuple[int, ...], lineage: Lineage, answers: Answers, kin: Kin | None
) -> tuple[IntArray, sparse.csr_matrix]:
    """Every set with one answer more, its places ascending, shape (n_sets, size), and its rows."""
    free = np.flatnonzero(~np.isin(answers.key, answers.key[list(taken)]))
    sets = np.sort(np.column_stack([np.full((len(free), len(taken)), taken, np.int64), free]), axis=1)
    return sets, answered_rows(base, lineage, answers[free], kin) if len(free) else base


def _order(ahead: FloatArray, which: IntArray) -> IntArray:
    """By margin, the largest first; of equals by their places."""
    return np.lexsort((*which.T[::-1], -ahead))
