"""Cases whose written diagnosis is all but excluded by what was found: wrong labels, or cases for a second look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.suspicion import Suspicion

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.models.batch import Batch

__all__ = ["DoubtfulLabels", "doubtful_labels"]

_BELOW = 0.002
_ERRORS = 3.0
_LEAST_EXCESS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class DoubtfulLabels:
    """Cases to read again, least likely first.

    Parameters
    ----------
    rows : ndarray of int64, shape (n_doubtful,)
        Rows of the batch.
    probability : ndarray of shape (n_doubtful,)
        That of the written diagnosis.
    n : int
        Cases with a diagnosis the model can name.
    below : float
        The probability under which a diagnosis is doubtful.
    expected : float
        How many such cases there would be if the probabilities were exactly right.
    """

    rows: NDArray[np.int64]
    probability: NDArray[np.float64]
    n: int
    below: float
    expected: float

    def to_json(self) -> dict[str, Any]:
        """Return counts alone: no row of a case."""
        return {"n": self.n, "n_doubtful": len(self.rows), "below": self.below, "expected": self.expected}

    def to_frame(self) -> pd.DataFrame:
        """Return a row a case: its row and the probability of its written diagnosis."""
        import pandas as pd

        return pd.DataFrame({"row": self.rows, "probability": self.probability})

    def __repr__(self) -> str:
        return f"<DoubtfulLabels: {len(self.rows):,} of {self.n:,} cases, {self.expected:.1f} expected>"

    def suspicions(self) -> tuple[Suspicion, ...]:
        """One suspicion where there are clearly more such cases than expected, by 3 standard errors and 5 cases."""
        excess = len(self.rows) - self.expected
        if excess < max(_LEAST_EXCESS, _ERRORS * max(self.expected, 0.0) ** 0.5):
            return ()
        n = len(self.rows)
        says = (
            f"{n:,} of {self.n:,} cases have a diagnosis the model gives less than {self.below:.1%}, where "
            f"{self.expected:.0f} are to be expected: their diagnoses may be written down wrongly, or the model is too "
            "sure of itself."
        )
        return (Suspicion("doubtful_labels", says, n, n / max(self.n, 1)),)


def doubtful_labels(batch: Batch, truth: NDArray[np.object_], *, below: float = _BELOW) -> DoubtfulLabels:
    """List the cases whose own diagnosis has next to no probability, by a model that has not seen them.

    After confident learning (Northcutt, Jiang and Chuang, Journal of Artificial Intelligence Research 70:1373, 2021),
    with the probabilities taken as they are because they are calibrated. Not every one is wrong, and a wrong
    label between two diagnoses that look alike is not among them.

    Parameters
    ----------
    batch : Batch of n cases
        Answers to unseen cases.
    truth : ndarray of shape (n,), object
        Written diagnoses; None, and what the model cannot name, is left out.
    below : float
        The probability under which a diagnosis is doubtful.
    """
    place = {str(d): k for k, d in enumerate(batch.diagnoses)}
    column = np.array([-1 if t is None else place.get(str(t), -1) for t in truth], dtype=np.int64)
    known = np.flatnonzero(column >= 0)
    p = batch.proba[known, column[known]]
    low = known[p < below]
    own = batch.proba[low, column[low]]
    order = np.argsort(own, kind="stable")
    expected = sum(
        float(block[block < below].sum()) for block in np.array_split(batch.proba[known], 1 + len(known) // 2000)
    )
    return DoubtfulLabels(low[order], own[order], len(known), below, expected)
