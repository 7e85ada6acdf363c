"""From one clinic's prevalence to another's: every probability times new over old prior, renormalised.

On the log scale that is a number added to each diagnosis' base, so no contribution changes. It is right where the same
diseases look the same and only come at other rates (label shift: Saerens, Latinne, Decaestecker, Neural Computation
14:21, 2002). A prior counted in few cases is drawn towards the one of training (Dirichlet).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from diagnosis.errors import InputError
from diagnosis.models.protocol import FloatArray

__all__ = ["ShrunkPrior", "dirichlet_strength", "log_shift", "shrunk_prior"]

_STRENGTHS = (1.0, 1e6)


@dataclass(frozen=True, slots=True, eq=False)
class ShrunkPrior:
    """A prior from counts.

    Parameters
    ----------
    prior : ndarray of shape (n_diagnoses,)
        All above 0; sums to 1.
    strength : float
        How many cases the prior of training was taken to be worth.
    n : float
        How many cases were counted.
    """

    prior: FloatArray
    strength: float
    n: float


def log_shift(prior: ArrayLike, training_prior: ArrayLike) -> FloatArray:
    """Return what to add to each calibrated score: log(new / old), zero everywhere where nothing changes.

    Parameters
    ----------
    prior, training_prior : array of shape (n_diagnoses,)
        Shares above 0; brought to the sum 1.

    Raises
    ------
    InputError
        A share is 0 or less, or not a number.
    """
    shares = [np.asarray(one, dtype=np.float64) for one in (prior, training_prior)]
    for one in shares:
        if not (np.isfinite(one).all() and (one > 0).all()):
            wrong = int((~(np.isfinite(one) & (one > 0))).sum())
            raise InputError(
                "a prior gives every diagnosis a share above 0",
                f"{wrong} of {one.size} have none",
                "give a small share to what is rare: a share of 0 would exclude it whatever is found",
            )
    new, old = (np.log(one / one.sum()) for one in shares)
    shift: FloatArray = new - old
    return shift


def shrunk_prior(counts: ArrayLike, training_prior: ArrayLike, strength: float | None = None) -> ShrunkPrior:
    """Draw the shares of counted cases towards the prior of training: ``(n_k + a pi_k) / (n + a)``.

    Parameters
    ----------
    counts : array of shape (n_diagnoses,)
        Cases (or weights) of each diagnosis in the new place.
    training_prior : array of shape (n_diagnoses,)
        Shares above 0.
    strength : float, optional
        `a`, in cases; None: chosen by `dirichlet_strength`.

    Examples
    --------
    >>> shrunk_prior([0, 10], [0.5, 0.5], strength=10.0).prior.tolist()
    [0.25, 0.75]
    """
    n = np.asarray(counts, dtype=np.float64)
    old = np.asarray(training_prior, dtype=np.float64)
    old = old / old.sum()
    if strength is not None and not (strength > 0 and math.isfinite(strength)):
        raise InputError(
            "the strength of the training prior is a number of cases above 0",
            f"it is {strength!r}",
            "give such a number, or leave it out to have it chosen",
        )
    a = dirichlet_strength(n, old) if strength is None else float(strength)
    return ShrunkPrior((n + a * old) / (n.sum() + a), a, float(n.sum()))


def dirichlet_strength(counts: ArrayLike, training_prior: ArrayLike) -> float:
    """Choose how many cases the prior of training is worth, by the likelihood of the counts.

    The counts are taken as drawn with shares that are themselves drawn around the prior of training (Dirichlet); the
    strength with the highest likelihood says how far places differ, judged by this one. Between 1 and a million.

    Parameters
    ----------
    counts : array of shape (n_diagnoses,)
    training_prior : array of shape (n_diagnoses,)
    """
    n, old = np.asarray(counts, dtype=np.float64), np.asarray(training_prior, dtype=np.float64)

    def loss(log_a: float) -> float:
        a = math.exp(log_a)
        marginal = gammaln(a) - gammaln(n.sum() + a) + (gammaln(n + a * old) - gammaln(a * old)).sum()
        return -float(marginal)

    low, high = (math.log(s) for s in _STRENGTHS)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))
