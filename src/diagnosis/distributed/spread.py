"""A matrix whose rows lie with the workers, encoded there or sent there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from diagnosis.distributed.cluster import Workers
from diagnosis.distributed.parts import CasePart, shares_of
from diagnosis.errors import InputError
from diagnosis.features import FindingEncoder
from diagnosis.features.apart import encoder_of
from diagnosis.models.also import rows_also
from diagnosis.models.protocol import IntArray
from diagnosis.models.validation import TrainingSet

__all__ = ["Spread", "encode_apart", "send_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Encoded cases, each with one worker, in the order of the workers.

    Attributes
    ----------
    workers : Workers
    bounds : tuple of int
        Worker `i` holds the rows from ``bounds[i]`` up to ``bounds[i + 1]``.
    n_columns : int
    n_entries : int
    """

    workers: Workers
    bounds: tuple[int, ...]
    n_columns: int
    n_entries: int

    @property
    def shape(self) -> tuple[int, int]:
        """Cases and columns."""
        return self.bounds[-1], self.n_columns

    def learn_from(self, cases: TrainingSet, fold: IntArray) -> None:
        """Tell the workers the diagnosis, the weight, the fold and the further diagnoses of each case."""
        own = [slice(*ends) for ends in pairwise(self.bounds)]
        told = [(cases.y[o], cases.weight[o], fold[o], cases.classes, rows_also(cases.also, o)) for o in own]
        self.workers.each("learn_from", told)

    def rows(self, which: IntArray) -> Any:
        """Bring some rows here, given in ascending order."""
        own = [(which[(which >= start) & (which < stop)] - start,) for start, stop in pairwise(self.bounds)]
        return sparse.vstack(self.workers.each("rows", own), format="csr")


def encode_apart(workers: Workers, parts: Sequence[CasePart], encoder: FindingEncoder) -> tuple[FindingEncoder, Spread]:
    """Count and encode cases where they are read; return the encoder that was learned, and where the rows are.

    The encoder is the one that `FindingEncoder.fit` makes of all cases on one machine.
    """
    sizes = np.array([part.n_cases for part in parts], dtype=np.int64)
    shares = shares_of(sizes, len(workers))
    workers.each("hold", [(list(parts[share]),) for share in shares])
    counts = [one for one in workers.all("count", encoder) if one is not None]
    fitted = encoder_of(counts, encoder)
    entries = workers.all("encode", fitted.to_json())
    return fitted, _spread(workers, [int(sizes[share].sum()) for share in shares], fitted.n_features_out_, entries)


def send_rows(workers: Workers, X: Any) -> Spread:
    """Send rows that are encoded already to the workers, about as many to each."""
    ends = np.linspace(0, X.shape[0], len(workers) + 1).astype(np.int64).tolist()
    entries = workers.each("take", [(X[start:stop],) for start, stop in pairwise(ends)])
    return _spread(workers, np.diff(ends).tolist(), int(X.shape[1]), entries)


def _spread(workers: Workers, sizes: Sequence[int], n_columns: int, entries: Sequence[int]) -> Spread:
    if 0 in sizes:
        raise InputError(
            f"Cases for each of {len(workers)} Dask workers",
            f"{sizes.count(0)} of them would have none of {sum(sizes):,} cases",
            "Ask for fewer workers with `dask.workers`.",
        )
    bounds = (0, *np.cumsum(sizes).tolist())
    return Spread(workers, bounds, n_columns, sum(entries))
