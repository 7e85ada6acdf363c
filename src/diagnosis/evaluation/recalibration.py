"""Calibration of one diagnosis at a time: in the large, intercept and slope, with intervals over patients.

Van Calster et al., "A calibration hierarchy for risk models was defined", Journal of Clinical Epidemiology 74:167,
2016: mean calibration (observed over expected; the intercept with slope 1) and weak calibration (intercept and slope
of logistic recalibration). Intervals are Wald's with the variance of Huber and White, summed by patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from diagnosis.evaluation.outcomes import FLOOR

__all__ = ["DiagnosisCalibration", "calibrate_each", "recalibrate"]

# Newton's steps are squared near the end: what is left after such a step is far below it.
_STEPS, _WIDEST, _CLOSE = 50, 3.0, 1e-6
_Z = 1.959963984540054
_COLUMNS = 16
# Beyond this a slope stands for probabilities that separate the cases: no finite one is best.
_SLOPE_LIMIT = 200.0

Fitted = tuple[float, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class DiagnosisCalibration:
    """What the probabilities of one diagnosis are worth, against whether the case has it.

    Parameters
    ----------
    diagnosis : str
    n : int
        Cases that have it.
    observed, expected : float
        Share of the cases that have it, and its mean probability.
    in_the_large : float or None
        Shift of the log-odds that makes the mean right, slope 1: below 0 the probabilities are too high.
    slope : float or None
        Of logistic recalibration: below 1 too extreme, above 1 too timid. None where no finite one is best.
    intercept : float or None
        Beside that slope.
    intervals : mapping of str to (low, high)
        95 %, by the names of the numbers above.
    """

    diagnosis: str
    n: int
    observed: float
    expected: float
    in_the_large: float | None
    slope: float | None
    intercept: float | None
    intervals: dict[str, tuple[float, float]]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return plain | {"intervals": {name: list(ends) for name, ends in self.intervals.items()}}


def calibrate_each(
    proba: NDArray[np.float64],
    column: NDArray[np.int64],
    weights: NDArray[np.float64],
    patient: NDArray[np.int64],
    diagnoses: NDArray[np.object_],
    shown: NDArray[np.bool_],
) -> tuple[DiagnosisCalibration, ...]:
    """Judge each diagnosis that has enough cases.

    Parameters
    ----------
    proba : ndarray of shape (n, K)
    column : ndarray of shape (n,), int64
        Column of the true diagnosis; -1: none of them.
    weights : ndarray of shape (n,)
    patient : ndarray of shape (n,), int64
    diagnoses : ndarray of shape (K,), object
    shown : ndarray of shape (K,), bool
    """
    made, w = [], weights
    for k, p in _columns(proba, np.flatnonzero(shown)):
        y = (column == k).astype(float)
        x = logit(np.clip(p, FLOOR, 1.0 - FLOOR))
        shift, line = recalibrate(x, y, w, patient, slope=False), recalibrate(x, y, w, patient, slope=True)
        found: dict[str, Fitted] = {} if shift is None else {"in_the_large": shift[0]}
        found |= {} if line is None else {"intercept": line[0], "slope": line[1]}
        made.append(
            DiagnosisCalibration(
                diagnosis=str(diagnoses[k]),
                n=int(y.sum()),
                observed=float(np.average(y, weights=w)),
                expected=float(np.average(p, weights=w)),
                in_the_large=None if shift is None else shift[0][0],
                slope=None if line is None else line[1][0],
                intercept=None if line is None else line[0][0],
                intervals={name: one[1] for name, one in found.items()},
            )
        )
    return tuple(made)


def recalibrate(
    x: NDArray[np.float64], y: NDArray[np.float64], w: NDArray[np.float64], patient: NDArray[np.int64], *, slope: bool
) -> list[Fitted] | None:
    """Fit ``P(y) = expit(a + b x)``, b = 1 unless `slope`, by Newton's method.

    Returns
    -------
    list of (estimate, (low, high)) or None
        Of a, and of b with `slope`. None where the likelihood has no finite maximum.
    """
    if not 0.0 < float(w @ y) < float(w.sum()) or (slope and np.ptp(x[w > 0]) == 0.0):
        return None
    a, b = 0.0, 1.0
    for _ in range(_STEPS):
        q = expit(a + b * x)
        residual, bend = w * (y - q), w * q * (1.0 - q)
        hessian, gradient = bend.sum()[None, None], residual.sum()[None]
        if slope:
            tilted = bend * x
            hessian = np.array([[hessian[0, 0], tilted.sum()], [tilted.sum(), tilted @ x]])
            gradient = np.append(gradient, residual @ x)
        if not np.isfinite(hessian).all() or np.linalg.cond(hessian) > 1e14:
            return None
        step = np.linalg.solve(hessian, gradient)
        step *= min(1.0, _WIDEST / max(float(np.abs(step).max()), 1e-300))
        a, b = a + float(step[0]), b + (float(step[1]) if slope else 0.0)
        if max(abs(a), abs(b)) > _SLOPE_LIMIT:
            return None
        if np.abs(step).max() <= _CLOSE:
            return _with_intervals((a, b)[: len(step)], hessian, [residual, residual * x][: len(step)], patient)
    return None


def _with_intervals(
    theta: Sequence[float],
    hessian: NDArray[np.float64],
    scores: Sequence[NDArray[np.float64]],
    patient: NDArray[np.int64],
) -> list[Fitted]:
    by_patient = np.vstack([np.bincount(patient, one) for one in scores])
    inverse = np.linalg.inv(hessian)
    spread = _Z * np.sqrt(np.diag(inverse @ (by_patient @ by_patient.T) @ inverse))
    return [(t, (float(t - s), float(t + s))) for t, s in zip(theta, spread, strict=True)]


def _columns(proba: NDArray[np.float64], which: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield some columns, copied a few at a time: one by one they would be read across all rows each time."""
    for start in range(0, len(which), _COLUMNS):
        part = which[start : start + _COLUMNS]
        yield from zip(part.tolist(), np.ascontiguousarray(proba[:, part].T), strict=True)
