"""What one worker holds: its cases, encoded, and what is asked of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diagnosis.distributed.parts import CasePart
from diagnosis.features import FindingEncoder
from diagnosis.features.apart import count_cases
from diagnosis.features.learning import Learner
from diagnosis.models.also import AlsoMatrix
from diagnosis.models.batches import in_memory, moments
from diagnosis.models.boosted import BoostedModel
from diagnosis.models.booster import Beside
from diagnosis.models.multinomial import CaseSums
from diagnosis.models.networked import Together, free_port
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.validation import TrainingSet
from diagnosis.records import Records

__all__ = ["Growing", "Grown", "HeldOut", "Share"]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """The held-out cases of a fold, the same for every worker.

    Attributes
    ----------
    fold : int
        Whose cases are left out of what is learned from; -1: none.
    X : csr_matrix of shape (n_cases, n_columns)
    y : ndarray of int64
    weight : ndarray of float64
    prior : ndarray of shape (n_diagnoses,)
        Share of each diagnosis among all cases that are learned from, wherever they are.
    also : CSR matrix of shape (n_cases, n_diagnoses), or None
        Diagnoses that a case has too; None only where no case of any worker has one.
    """

    fold: int
    X: Any
    y: IntArray
    weight: FloatArray
    prior: FloatArray
    also: AlsoMatrix = None


@dataclass(frozen=True, slots=True, eq=False)
class Growing:
    """What every worker is told of the trees to be grown.

    Attributes
    ----------
    model : BoostedModel
        Unfitted.
    parts : tuple of HeldOut
        For each booster.
    together : Together
    """

    model: BoostedModel
    parts: tuple[HeldOut, ...]
    together: Together


@dataclass(frozen=True, slots=True)
class Grown:
    """The trees that all workers have grown.

    Attributes
    ----------
    texts : tuple of str
        LightGBM's text of each booster; from the first worker alone.
    digest : str
        Of the texts.
    rounds : int
    warnings : tuple of str
    """

    texts: tuple[str, ...]
    digest: str
    rounds: int
    warnings: tuple[str, ...]


class Share:
    """The cases one worker holds; the client calls its methods in the worker's process, one after the other.

    Parameters
    ----------
    number : int
        Which worker this is.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._parts: tuple[CasePart, ...] = ()
        self._X: Any = None
        self._sums: CaseSums | None = None

    def sees(self, folder: str) -> bool:
        """Whether this worker can read a folder."""
        return Path(folder).is_dir()

    def hold(self, parts: Sequence[CasePart]) -> None:
        """Take the parts to be counted and encoded."""
        self._parts = tuple(parts)

    def count(self, encoder: FindingEncoder) -> Learner | None:
        """Count what the cases show, a part at a time; None where there are none."""
        return count_cases(self._records(), encoder) if self._parts else None

    def encode(self, plain: dict[str, Any]) -> int:
        """Encode the cases, a part at a time, and let go of their records; return the entries."""
        encoder = FindingEncoder.from_json(plain)
        rows = [encoder.transform(records) for records in self._records()]
        empty = sparse.csr_matrix(np.zeros((0, encoder.n_features_out_), np.float32))
        self._parts = ()
        return self.take(sparse.vstack([empty, *rows], format="csr"))

    def _records(self) -> Iterator[Records]:
        for part in self._parts:
            yield from part.records()

    def take(self, X: Any) -> int:
        """Take cases that are encoded already; return the entries."""
        self._X = sparse.csr_matrix(X).astype(np.float64)
        return int(self._X.nnz)

    def learn_from(
        self, y: IntArray, weight: FloatArray, fold: IntArray, classes: NDArray[Any], also: AlsoMatrix = None
    ) -> None:
        """Take the diagnosis, the weight, the fold and the further diagnoses of each case."""
        self._cases = TrainingSet(self._X, y, classes, weight, np.arange(y.size, dtype=np.int64), also)
        self._fold = fold

    def rows(self, which: IntArray) -> Any:
        """Return some cases as they are encoded."""
        return self._X[which]

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Return the weighted sum and the weighted sum of squares of each column."""
        weight = self._cases.weight
        if not weight.any():
            return np.zeros(self._X.shape[1]), np.zeros(self._X.shape[1])
        mean, square, total = moments(self._blocks(self._X), weight)
        return mean * total, square

    def begin(self, fold: int, present: IntArray, total: float, single: bool) -> None:
        """Begin sums over the weighing cases outside a fold, whose diagnoses are `present` and that weigh `total`."""
        cases = self._cases.take(np.flatnonzero((self._fold != fold) & (self._cases.weight > 0)))
        index = np.searchsorted(present, cases.y)
        also = None if cases.also is None else cases.also[:, present]
        self._sums = CaseSums(self._blocks(cases.X), index, cases.weight / total, single, also)

    def at(self, W: FloatArray) -> tuple[float, FloatArray]:
        """Return the sums of loss and gradient at a point."""
        return self._begun.at(W)

    def curvature(self) -> FloatArray:
        """Return the sum of the curvature's diagonal at the last point."""
        return self._begun.curvature()

    def product(self, V: FloatArray) -> FloatArray:
        """Return the sum of the curvature's product with `V` at the last point."""
        return self._begun.product(V)

    def linear_scores(self, fold: int, coef: FloatArray, intercept: FloatArray) -> FloatArray:
        """Return linear scores of the cases of a fold."""
        return np.asarray(self._X[self._fold == fold] @ coef.T) + intercept

    def port(self, host: str) -> int:
        """Return a free port."""
        return free_port(host)

    def grow(self, growing: Growing) -> Grown:
        """Grow trees together with the other workers."""
        pairs = [
            (Beside(self._outside(part.fold), prior=part.prior), Beside(self._held_out(part))) for part in growing.parts
        ]
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            grown, rounds = growing.model.grow(pairs, together=growing.together)
        texts = tuple(trees.text for trees in grown)
        digest = sha256("".join(texts).encode("ascii")).hexdigest()
        return Grown(texts if self.number == 0 else (), digest, rounds, tuple(str(one.message) for one in said))

    def _outside(self, fold: int) -> TrainingSet:
        return self._cases.take(np.flatnonzero(self._fold != fold))

    def _held_out(self, part: HeldOut) -> TrainingSet:
        groups = np.arange(part.y.size, dtype=np.int64)
        return TrainingSet(part.X, part.y, self._cases.classes, part.weight, groups, part.also)

    def _blocks(self, X: Any) -> Any:
        return in_memory(X, len(self._cases.classes))

    @property
    def _begun(self) -> CaseSums:
        assert self._sums is not None  # the client begins first
        return self._sums
