"""The fewest answers that make another diagnosis come first: single answers, then a few together, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnosis.explanation.answered_rows import Answers, Kin, answered_rows
from diagnosis.features import Lineage

__all__ = ["flipping_answers"]

FloatArray = npt.NDArray[np.float64]
#: From encoded cases to how far the wanted diagnosis is ahead, shape (n_rows,); above 0: it comes first.
Margin = Callable[[sparse.csr_matrix], FloatArray]

# The best sets of each size from which larger ones are made.
_KEPT = 4


def flipping_answers(
    row: sparse.csr_matrix, lineage: Lineage, answers: Answers, margin: Margin, most: int, kin: Kin | None = None
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

    Yields
    ------
    tuple of int
        Places among the answers; no two of one finding.
    """
    sets: list[tuple[int, ...]] = [()]
    rows = [sparse.csr_matrix(row, dtype=np.float64)]
    for _ in range(most):
        tried: dict[tuple[int, ...], float] = {}
        made = {}
        for taken, base in zip(sets, rows, strict=True):
            used = answers.key[list(taken)]
            free = np.flatnonzero(~np.isin(answers.key, used))
            if not len(free):
                continue
            further = answered_rows(base, lineage, answers[free], kin)
            for place, ahead in enumerate(margin(further)):
                one = tuple(sorted((*taken, int(free[place]))))
                if one not in tried:
                    tried[one], made[one] = float(ahead), (further, place)
        best = sorted(tried, key=lambda one: (-tried[one], one))
        yield from (one for one in best if tried[one] > 0)
        sets = best[:_KEPT]
        rows = [made[one][0][[made[one][1]]] for one in sets]
