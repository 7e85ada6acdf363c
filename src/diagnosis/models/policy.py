"""The must-not-miss policy: from which probability on a dangerous diagnosis is flagged, whatever its rank.

Of all rules that flag a given number of diagnoses a case, the one that flags wherever the calibrated probability is at
least some number, the same for all, catches the most (Neyman and Pearson 1933). So one threshold serves all diagnoses:
it is the lowest burden at a declared sensitivity, and it is chosen on all must-not-miss cases together, where a single
diagnosis often has too few. Whoever wants every diagnosis to reach the sensitivity by itself pays with more flags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagnosis.errors import InputError, nearest
from diagnosis.models.protocol import FloatArray, IntArray

__all__ = ["PER", "BurdenPoint", "Per", "burden_at", "burden_curve", "flag_thresholds"]

Per = Literal["case", "diagnosis"]
PER: tuple[Per, ...] = ("case", "diagnosis")

_ROUNDING = 1e-9
_CURVE = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99)
_BLOCK = 2**22


@dataclass(frozen=True, slots=True)
class BurdenPoint:
    """What one declared sensitivity costs, on the cases it was chosen on (out of fold).

    Parameters
    ----------
    declared : float
        The sensitivity asked for.
    sensitivity : float or None
        Share of the must-not-miss cases whose own diagnosis is flagged; None where there is none.
    flags_per_case : float
        Mean number of flags, over all cases.
    beyond_list : float
        Mean number of flags of diagnoses that do not stand among the `top` most probable ones anyway.
    """

    declared: float
    sensitivity: float | None
    flags_per_case: float
    beyond_list: float

    def to_json(self) -> dict[str, float | None]:
        """The point as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def flag_thresholds(
    proba: ArrayLike,
    y_index: ArrayLike,
    which: ArrayLike,
    sensitivity: float,
    *,
    sample_weight: ArrayLike | None = None,
    per: Per = "case",
    min_cases: int = 1,
) -> FloatArray:
    """Choose from which probability on each must-not-miss diagnosis is flagged.

    Parameters
    ----------
    proba : array of shape (n_cases, n_diagnoses)
        Out-of-fold probabilities: on training rows the thresholds would come out too high and miss cases.
    y_index : int array of shape (n_cases,)
        Column of each case's diagnosis; negative: none of them.
    which : bool array of shape (n_diagnoses,)
        The must-not-miss diagnoses.
    sensitivity : float
        Share (by weight) of new cases with a must-not-miss diagnosis whose diagnosis is to be flagged; above 0, at
        most 1. The threshold is the ceil((n + 1) sensitivity)-th largest probability that the n own cases gave to their
        diagnosis, so that an exchangeable new case reaches it with at least that probability. Where that is more than
        n, the lowest of them is taken: all cases seen are caught, and n / (n + 1) is what can be promised.
    sample_weight : array of shape (n_cases,), optional
    per : {"case", "diagnosis"}
        One threshold for all, so that the share holds over all must-not-miss cases with the fewest flags; or one for
        each diagnosis, so that it holds for each.
    min_cases : int
        A diagnosis with fewer own cases (of positive weight) gets no threshold.

    Returns
    -------
    ndarray of shape (n_diagnoses,)
        Thresholds; nan for a diagnosis that is not in `which` or has no case to choose on. ``proba >= nan`` is false:
        such a diagnosis is never flagged, and the caller has to say so.

    Raises
    ------
    InputError
        If the sensitivity is out of range, or `which` has another length than there are diagnoses.

    Examples
    --------
    >>> proba = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]
    >>> flag_thresholds(proba, [0, 1, 1, 1], [False, True], sensitivity=0.5).tolist()
    [nan, 0.4]
    """
    if not 0.0 < sensitivity <= 1.0:
        raise InputError("sensitivity must be above 0 and at most 1", f"it is {sensitivity!r}", "use for example 0.95")
    if per not in PER:
        raise InputError(
            "thresholds are chosen per case or per diagnosis",
            f"asked for {per!r}",
            "use one of them",
            near=nearest(str(per), PER),
        )
    p, y, chosen, w = _checked(proba, y_index, which, sample_weight)
    thresholds = np.full(p.shape[1], np.nan)
    n_own = np.bincount(y[(y >= 0) & (w > 0)], minlength=p.shape[1])
    enough = np.flatnonzero(chosen & (n_own >= max(min_cases, 1)))
    for members in [enough] if per == "case" else [np.array([k]) for k in enough]:
        rows = np.flatnonzero(np.isin(y, members) & (w > 0))
        if rows.size:
            thresholds[members] = _keeping(p[rows, y[rows]], w[rows], sensitivity)
    return thresholds


def burden_curve(
    proba: ArrayLike,
    y_index: ArrayLike,
    which: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    per: Per = "case",
    top: int = 5,
    declared: Sequence[float] = _CURVE,
) -> tuple[BurdenPoint, ...]:
    """Say what each declared sensitivity costs: the curve of sensitivity over flags a case.

    Parameters
    ----------
    proba, y_index, which, sample_weight, per
        As for `flag_thresholds`.
    top : int
        Length of the shown list, for `BurdenPoint.beyond_list`.
    declared : sequence of float
        In rising order.

    Returns
    -------
    tuple of BurdenPoint
        Empty where no case has a must-not-miss diagnosis.
    """
    p, y, chosen, w = _checked(proba, y_index, which, sample_weight)
    if not (chosen[np.maximum(y, 0)] & (y >= 0) & (w > 0)).any():
        return ()
    points = []
    for share in declared:
        flag_at = flag_thresholds(p, y, chosen, share, sample_weight=w, per=per)
        points.append(burden_at(p, y, chosen, flag_at, declared=share, sample_weight=w, top=top))
    return tuple(points)


def burden_at(
    proba: ArrayLike,
    y_index: ArrayLike,
    which: ArrayLike,
    flag_at: ArrayLike,
    *,
    declared: float,
    sample_weight: ArrayLike | None = None,
    top: int = 5,
) -> BurdenPoint:
    """Measure thresholds on cases: what they catch, and how many flags that takes.

    Parameters
    ----------
    proba, y_index, which, sample_weight
        As for `flag_thresholds`.
    flag_at : array of shape (n_diagnoses,)
        Thresholds; nan: never flagged.
    declared : float
        Carried into the result.
    top : int
    """
    p, y, chosen, w = _checked(proba, y_index, which, sample_weight)
    at = np.asarray(flag_at, dtype=np.float64)
    own = np.flatnonzero((y >= 0) & chosen[np.maximum(y, 0)] & (w > 0))
    caught = p[own, y[own]] >= at[y[own]]
    members = np.flatnonzero(chosen)
    flags = beyond = 0.0
    for block in _blocks(len(y), p.shape[1]):
        raised = p[block][:, members] >= at[members]
        flags += float(w[block] @ raised.sum(axis=1))
        listed = p[block][:, members] >= _least_listed(p[block], top)[:, None]
        beyond += float(w[block] @ (raised & ~listed).sum(axis=1))
    total = float(w.sum())
    return BurdenPoint(
        declared=declared,
        sensitivity=float(np.average(caught, weights=w[own])) if own.size else None,
        flags_per_case=flags / total if total else 0.0,
        beyond_list=beyond / total if total else 0.0,
    )


def _keeping(p: FloatArray, w: FloatArray, share: float) -> float:
    """Return the highest of `p` that a further, exchangeable one reaches with at least this probability."""
    order = np.argsort(-p, kind="stable")
    # The case to come is taken to weigh as much as the mean one; with weights of one this is the rule of n + 1.
    reached = np.cumsum(w[order] / w.mean())
    needed = (p.size + 1) * share - _ROUNDING * p.size
    return float(p[order[min(int(np.searchsorted(reached, needed)), p.size - 1)]])


def _least_listed(p: FloatArray, top: int) -> FloatArray:
    """Return the probability of the last diagnosis on a list of `top`."""
    place = max(p.shape[1] - top, 0)
    least: FloatArray = np.partition(p, place, axis=1)[:, place]
    return least


def _blocks(n: int, width: int) -> Iterator[slice]:
    step = max(_BLOCK // max(width, 1), 1)
    yield from (slice(first, first + step) for first in range(0, n, step))


def _checked(
    proba: ArrayLike, y_index: ArrayLike, which: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[FloatArray, IntArray, NDArray[np.bool_], FloatArray]:
    p: FloatArray = np.asarray(proba, dtype=np.float64)
    y: IntArray = np.asarray(y_index, dtype=np.int64)
    chosen: NDArray[Any] = np.asarray(which, dtype=np.bool_)
    if chosen.shape != (p.shape[1],):
        raise InputError(
            f"which must have one entry for each of the {p.shape[1]} diagnoses",
            f"it has the shape {chosen.shape}",
            "give a bool array in the order of the columns of proba",
        )
    w = np.ones(y.shape) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    return p, y, chosen, w
