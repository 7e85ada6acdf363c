"""From a model's scores to calibrated ones: multiplied case by case, moved diagnosis by diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from diagnosis.errors import InputError, nearest
from diagnosis.models.calibration import fit_temperature
from diagnosis.models.protocol import FloatArray
from diagnosis.models.sureness import Sureness, fit_sureness

__all__ = ["METHODS", "Method", "Scale", "fit_scale"]

Method = Literal["adaptive", "temperature"]
METHODS: tuple[Method, ...] = ("adaptive", "temperature")


@dataclass(frozen=True, slots=True)
class Scale:
    """Calibrated score = factor of the case x score + shift of the diagnosis; the softmax is the probability.

    Parameters
    ----------
    beta : float
        One temperature for all cases.
    sureness : Sureness or None
        A further factor for each case, by how sure the model is.
    sharpness : float
        A further factor for all, where probabilities were adapted to another place.
    shift : tuple of float
        One number a diagnosis, likewise; empty: none.
    """

    beta: float
    sureness: Sureness | None = None
    sharpness: float = 1.0
    shift: tuple[float, ...] = ()

    def factors(self, scores: ArrayLike) -> FloatArray:
        """Return what the scores and contributions of each case are multiplied by, shape (n_cases,)."""
        s = self.beta * np.asarray(scores, dtype=np.float64)
        own = np.ones(s.shape[0]) if self.sureness is None else self.sureness.factors(s)
        return self.beta * self.sharpness * own

    def apply(self, scores: ArrayLike) -> FloatArray:
        """Return the calibrated scores, shape (n_cases, n_diagnoses)."""
        s = np.asarray(scores, dtype=np.float64)
        scaled: FloatArray = self.factors(s)[:, None] * s
        return scaled + np.asarray(self.shift) if self.shift else scaled

    def alone(self, scores: FloatArray) -> FloatArray:
        """Return the calibrated probabilities of one case, and write them over its scores; shape (n_diagnoses,)."""
        s = scores
        factor = self.beta * self.sharpness
        if self.sureness is not None:
            below = self.beta * s
            below -= below[below.argmax()]
            factor *= self.sureness.factor(below)
        s *= factor
        if self.shift:
            s += np.asarray(self.shift)
        s -= s[s.argmax()]
        np.exp(s, out=s)
        s /= np.add.reduce(s)
        return s

    def to_json(self) -> dict[str, Any]:
        """The scale as plain values."""
        return {**asdict(self), "shift": list(self.shift)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Scale:
        """Read what `to_json` wrote."""
        sureness = None if plain["sureness"] is None else Sureness(**plain["sureness"])
        return cls(float(plain["beta"]), sureness, float(plain["sharpness"]), tuple(map(float, plain["shift"])))


def fit_scale(
    scores: ArrayLike,
    y_index: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    method: Method = "adaptive",
    groups: ArrayLike | None = None,
) -> Scale:
    """Choose the scale on scores of cases the model was not trained on.

    Parameters
    ----------
    scores : array of shape (n_cases, n_diagnoses), log scale
    y_index : int array of shape (n_cases,)
        Column of each case's diagnosis; negative: left out.
    sample_weight : array of shape (n_cases,), optional
    method : {"adaptive", "temperature"}
        One temperature, and with ``adaptive`` a factor for each case where that clearly lowers the log-loss of cases
        it was not chosen on; see `fit_sureness`.
    groups : array of shape (n_cases,), optional
        The patient of each case.
    """
    if method not in METHODS:
        raise InputError(
            "a method of calibration: adaptive or temperature",
            f"found {method!r}",
            "use one of these",
            near=nearest(str(method), METHODS),
        )
    beta = fit_temperature(scores, y_index, sample_weight)
    if method == "temperature":
        return Scale(beta)
    scaled = beta * np.asarray(scores, dtype=np.float64)
    return Scale(beta, fit_sureness(scaled, y_index, sample_weight, groups=groups))
