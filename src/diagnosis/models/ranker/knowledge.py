"""What is known of a diagnosis without cases: how often it fills a column, as if from so many cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.validation import class_index

if TYPE_CHECKING:
    from diagnosis.models.ranker.likelihood import Tally

__all__ = ["Knowledge", "KnownCells"]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """A table of P(column filled | diagnosis); all fields have one entry a row.

    Parameters
    ----------
    diagnoses : tuple
        A diagnosis need not be among the training cases.
    columns : tuple of int
        Column of the matrix, 0/1.
    p_present : tuple of float
        Probability that a case of the diagnosis fills the column, 0 to 1.
    n : tuple of float
        How many cases the row is worth, above 0.
    prior : float
        How many cases a diagnosis without any counts for in the prior, above 0.

    Raises
    ------
    InputError
        For fields of different lengths, or numbers out of range.
    """

    diagnoses: tuple[Any, ...]
    columns: tuple[int, ...]
    p_present: tuple[float, ...]
    n: tuple[float, ...]
    prior: float = 0.5

    def __post_init__(self) -> None:
        lengths = {len(self.diagnoses), len(self.columns), len(self.p_present), len(self.n)}
        if len(lengths) > 1:
            raise InputError("knowledge needs one entry a row in every field", f"lengths {sorted(lengths)}", "fill up")
        p, n = np.asarray(self.p_present, dtype=np.float64), np.asarray(self.n, dtype=np.float64)
        wrong = np.flatnonzero(~((p >= 0) & (p <= 1) & (n > 0) & np.isfinite(n)))
        if wrong.size or not self.prior > 0:
            raise InputError(
                "p_present from 0 to 1, n and prior above 0 were expected in the knowledge table",
                f"wrong in {wrong.size} rows, first in row {wrong[0]}" if wrong.size else f"prior is {self.prior!r}",
                "correct them",
            )

    def cells(self, classes: NDArray[Any], n_columns: int) -> KnownCells:
        """Return the table by position in `classes`; rows of other diagnoses are not there."""
        column = np.asarray(self.columns, dtype=np.int64)
        if column.size and (column.min() < 0 or column.max() >= n_columns):
            raise InputError(
                f"columns of the knowledge table go from 0 to {n_columns - 1}",
                f"they go from {column.min()} to {column.max()}",
                "number them as in the matrix",
            )
        which = class_index(np.array(self.diagnoses, dtype=object), classes)
        known = which >= 0
        p, n = np.asarray(self.p_present, dtype=np.float64), np.asarray(self.n, dtype=np.float64)
        return KnownCells(column[known], which[known], p[known], n[known], self.prior)

    def to_json(self) -> dict[str, Any]:
        """Return plain values from which `from_json` builds the same."""
        return {name: list(getattr(self, name)) for name in ("diagnoses", "columns", "p_present", "n")} | {
            "prior": self.prior
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Knowledge:
        """Build what `to_json` told."""
        return cls(
            tuple(stored["diagnoses"]),
            tuple(stored["columns"]),
            tuple(stored["p_present"]),
            tuple(stored["n"]),
            prior=stored["prior"],
        )


@dataclass(frozen=True, slots=True)
class KnownCells:
    """The knowledge table by column and position of the diagnosis."""

    column: IntArray
    diagnosis: IntArray
    p: FloatArray
    n: FloatArray
    prior: float

    def blend(self, theta: FloatArray, counts: Tally, share: FloatArray, smoothing: float) -> None:
        """Add the table's cases to the counted ones, in place."""
        at = self.column, self.diagnosis
        ones = counts.ones[at] + self.n * self.p + smoothing * share[self.column]
        theta[at] = ones / (counts.cases[self.diagnosis] + self.n + smoothing)

    def priors(self, prior: FloatArray, cases: FloatArray) -> FloatArray:
        """Return the log prior with a share for each known diagnosis that has no case."""
        told = np.zeros(cases.size, dtype=bool)
        told[self.diagnosis] = True
        return np.where(told & (cases <= 0), np.log(self.prior / cases.sum()), prior)
