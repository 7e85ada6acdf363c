"""What became of each case: its true diagnosis against its suggestion, one number a case and aspect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError
from diagnosis.evaluation.credit import Credit, any_confirmed_rank, category_rank
from diagnosis.models.batch import Batch

__all__ = ["FLOOR", "Outcomes", "blocks", "score_cases"]

FLOOR = 1e-15
"""Smallest probability a true diagnosis is taken to have, so that log-loss stays finite."""

_SUM_TOLERANCE = 1e-6
_CELLS = 2_000_000


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Outcomes:
    """Aspects of `n` evaluated cases, each an array of shape (n,).

    Parameters
    ----------
    label : ndarray of int64
        The true diagnosis, numbered over all that occur, those never seen in training included.
    column : ndarray of int64
        Column of the true diagnosis among those the model names; -1: unreachable, the model cannot name it.
    patient : ndarray of int64
        Patients, numbered from 0.
    rank : ndarray of int64
        Place of the true diagnosis, from 1; among equal probabilities the worst place. 0: unreachable.
    log_loss : ndarray of float64
        ``-log(max(p_true, 1e-15))``, natural; an unreachable diagnosis has p = 0.
    brier : ndarray of float64
        ``sum_k (p_k - y_k)^2``, which is ``1 + sum_k p_k^2`` where the diagnosis is unreachable.
    confidence : ndarray of float64
        The largest probability.
    covered, abstained, critical, critical_flagged : ndarray of bool
        In the set; abstained; must not be missed; and flagged as such.
    set_size, n_flags : ndarray of int64
    prior_rank, prior_log_loss : ndarray
        Rank and log-loss of a model that always answers the training prior.
    any_rank, category_rank : ndarray of int64
        Best place of any confirmed diagnosis of the case, and of a diagnosis of the right ICD category; 0: none can be
        named; -1: not known.
    n_train : ndarray of int64
        Training cases of the true diagnosis; 0: never seen.
    case : ndarray of int64
        Which case it is; equal where a case was answered several times.
    """

    label: NDArray[np.int64]
    column: NDArray[np.int64]
    patient: NDArray[np.int64]
    rank: NDArray[np.int64]
    log_loss: NDArray[np.float64]
    brier: NDArray[np.float64]
    confidence: NDArray[np.float64]
    covered: NDArray[np.bool_]
    abstained: NDArray[np.bool_]
    critical: NDArray[np.bool_]
    critical_flagged: NDArray[np.bool_]
    set_size: NDArray[np.int64]
    n_flags: NDArray[np.int64]
    prior_rank: NDArray[np.int64]
    prior_log_loss: NDArray[np.float64]
    any_rank: NDArray[np.int64]
    category_rank: NDArray[np.int64]
    n_train: NDArray[np.int64]
    case: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rank)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """First and alone in first place."""
        return self.rank == 1

    @property
    def n_cases(self) -> int:
        """Different cases."""
        return len(np.unique(self.case))

    def take(self, rows: NDArray[np.int64]) -> Outcomes:
        """Return the outcomes of these cases."""
        return Outcomes(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def score_cases(
    batch: Batch,
    truth: NDArray[np.object_],
    patients: NDArray[np.object_],
    must_not_miss: NDArray[np.bool_] | None = None,
    credit: Credit | None = None,
    case: NDArray[np.int64] | None = None,
) -> Outcomes:
    """Compare each case of a batch with its true diagnosis.

    Parameters
    ----------
    batch : Batch of n cases
    truth : ndarray of shape (n,), object
        True diagnoses; none missing. One that is not in ``batch.diagnoses`` is unreachable and stays in as a miss.
    patients : ndarray of shape (n,), object
    must_not_miss : ndarray of shape (n,), bool, optional
        Whether the case's diagnosis must not be missed; on top of ``batch.must_not_miss``, for diagnoses the
        model cannot name.
    credit : Credit, optional
        What else counts as right, in measures of its own.
    case : ndarray of shape (n,), int64, optional
        Which case each row is, where cases were answered several times. None: each row is a case.

    Raises
    ------
    InputError
        Lengths differ, or probabilities are missing, outside [0, 1] or do not sum to 1; rows are named by number.
    """
    _check(batch, truth, patients)
    rows = np.arange(len(batch))
    column = _columns(batch, truth)
    reachable, at = column >= 0, np.maximum(column, 0)
    p_true = np.where(reachable, batch.proba[rows, at], 0.0)
    rank, squares, confidence = _scan(batch, p_true)
    critical = reachable & batch.must_not_miss[at]
    if must_not_miss is not None:
        critical = critical | must_not_miss
    rank = np.where(reachable, rank, 0)
    prior_rank = (batch.prior[None, :] >= batch.prior[:, None]).sum(axis=1)
    return Outcomes(
        label=_number(truth),
        column=column,
        patient=_number(patients),
        rank=rank,
        log_loss=-np.log(np.maximum(p_true, FLOOR)),
        brier=np.maximum(squares - 2.0 * p_true + 1.0, 0.0),
        confidence=confidence,
        covered=reachable & batch.in_set[rows, at],
        abstained=batch.abstained.astype(bool),
        critical=critical,
        critical_flagged=critical & reachable & batch.flagged[rows, at],
        set_size=batch.in_set.sum(axis=1, dtype=np.int64),
        n_flags=batch.flagged.sum(axis=1, dtype=np.int64),
        prior_rank=np.where(reachable, prior_rank[at], 0),
        prior_log_loss=-np.log(np.maximum(np.where(reachable, batch.prior[at], 0.0), FLOOR)),
        any_rank=any_confirmed_rank(batch, rank, credit),
        category_rank=category_rank(batch, rank, credit),
        n_train=np.where(reachable, batch.n_train[at], 0),
        case=rows if case is None else case,
    )


def blocks(n: int, width: int) -> Iterator[slice]:
    """Yield slices over `n` rows of `width` columns, small enough that work on one stays in a few MiB."""
    step = max(1, _CELLS // max(width, 1))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _columns(batch: Batch, truth: NDArray[np.object_]) -> NDArray[np.int64]:
    place = {diagnosis: k for k, diagnosis in enumerate(batch.diagnoses)}
    column = np.fromiter((place.get(t, -1) for t in truth), dtype=np.int64, count=len(truth))
    if batch.nameable is not None:
        known = batch.nameable[np.arange(len(batch)), np.maximum(column, 0)]
        column = np.where(known, column, -1)
    return column


def _scan(
    batch: Batch, p_true: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    n, K = batch.proba.shape
    rank, squares, confidence = np.empty(n, np.int64), np.empty(n), np.empty(n)
    for block in blocks(n, K):
        p = batch.proba[block]
        ahead = p >= p_true[block, None]
        if batch.nameable is not None:
            ahead &= batch.nameable[block]
        rank[block] = ahead.sum(axis=1)
        squares[block] = np.einsum("ij,ij->i", p, p)
        confidence[block] = p.max(axis=1)
    return rank, squares, np.minimum(confidence, 1.0)


def _number(values: NDArray[np.object_]) -> NDArray[np.int64]:
    seen: dict[object, int] = {}
    return np.fromiter((seen.setdefault(v, len(seen)) for v in values), dtype=np.int64, count=len(values))


def _check(batch: Batch, truth: NDArray[np.object_], patients: NDArray[np.object_]) -> None:
    n, K = batch.proba.shape
    if len(truth) != n or len(patients) != n:
        raise InputError(
            f"An evaluation of {n} cases wants one true diagnosis and one patient a case",
            f"found {len(truth)} and {len(patients)}",
            "give arrays in the order of the batch",
        )
    if n == 0 or K == 0:
        raise InputError(
            "An evaluation wants at least one labelled case and one diagnosis",
            f"found {n} cases and {K} diagnoses",
            "check the filters and the labels of the records",
        )
    for block in blocks(n, K):
        p = batch.proba[block]
        with np.errstate(invalid="ignore"):
            fine = (p >= 0.0).all(axis=1) & (np.abs(p.sum(axis=1) - 1.0) <= _SUM_TOLERANCE)
        if not fine.all():
            row = block.start + int(np.argmin(fine))
            raise InputError(
                "Probabilities of a case are numbers from 0 to 1 that sum to 1",
                f"counted from 1, row {row + 1} has a missing or negative one, or another sum",
                "normalise the rows, or hand over `predict_proba` unchanged",
            )
    if not (np.isfinite(batch.prior).all() and (batch.prior >= 0).all() and abs(batch.prior.sum() - 1) <= 1e-6):
        raise InputError(
            "The training prior is one share a diagnosis, with sum 1",
            f"found sum {float(batch.prior.sum()):.6g}",
            "give the label shares of the training cases",
        )
