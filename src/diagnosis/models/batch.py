"""`Batch`: what a fitted diagnoser says about many cases at once, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError

__all__ = ["Batch"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Batch:
    """Probabilities, sets, flags and abstentions of `n` cases over `K` diagnoses.

    Parameters
    ----------
    case_ids : ndarray of shape (n,), object
    diagnoses : ndarray of shape (K,), object
        Codes of the diagnoses that can be named, ``OTHER`` among them where rare ones were pooled.
    proba : ndarray of shape (n, K), float64
        Calibrated probabilities; rows sum to 1.
    in_set : ndarray of shape (n, K), bool
        Members of the conformal set of each case.
    flagged : ndarray of shape (n, K), bool
        Must-not-miss diagnoses raised by the policy.
    abstained : ndarray of shape (n,), bool
    prior : ndarray of shape (K,), float64
        Share of each diagnosis among the training cases; sums to 1.
    must_not_miss : ndarray of shape (K,), bool
    coverage : float
        Declared coverage of the sets, for instance 0.9.
    reading : str
        ``posterior`` or ``differential``.
    as_of : str
        The moment the suggestions were made for.
    n_train : ndarray of shape (K,), int64
        Training cases of each diagnosis.
    nameable : ndarray of shape (n, K), bool, optional
        Which diagnoses the model of each case knew. None: all. Differs between cases only where batches of several
        models were put together.

    Raises
    ------
    InputError
        The shapes do not agree.
    """

    case_ids: NDArray[np.object_]
    diagnoses: NDArray[np.object_]
    proba: NDArray[np.float64]
    in_set: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    abstained: NDArray[np.bool_]
    prior: NDArray[np.float64]
    must_not_miss: NDArray[np.bool_]
    coverage: float
    reading: str
    as_of: str
    n_train: NDArray[np.int64]
    nameable: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        n, K = len(self.case_ids), len(self.diagnoses)
        wanted = {
            "case_ids": (n,),
            "diagnoses": (K,),
            "proba": (n, K),
            "in_set": (n, K),
            "flagged": (n, K),
            "abstained": (n,),
            "prior": (K,),
            "must_not_miss": (K,),
            "n_train": (K,),
        }
        if self.nameable is not None:
            wanted["nameable"] = (n, K)
        for name, shape in wanted.items():
            found = getattr(self, name).shape
            if found != shape:
                raise InputError(
                    f"A batch of {n} cases and {K} diagnoses wants `{name}` of shape {shape}",
                    f"found shape {found}",
                    "give every array one row a case and one column a diagnosis, in the same order",
                )

    def __len__(self) -> int:
        return len(self.case_ids)

    def __repr__(self) -> str:
        n, K = self.proba.shape
        return f"Batch({n} cases, {K} diagnoses, reading={self.reading!r}, as_of={self.as_of!r})"

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Batch:
        """Return the batch of these cases, in this order; rows may repeat."""
        return Batch(
            case_ids=self.case_ids[rows],
            diagnoses=self.diagnoses,
            proba=self.proba[rows],
            in_set=self.in_set[rows],
            flagged=self.flagged[rows],
            abstained=self.abstained[rows],
            prior=self.prior,
            must_not_miss=self.must_not_miss,
            coverage=self.coverage,
            reading=self.reading,
            as_of=self.as_of,
            n_train=self.n_train,
            nameable=None if self.nameable is None else self.nameable[rows],
        )
