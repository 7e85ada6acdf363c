"""What answering fewer cases buys: the error among the answered ones as the least sure are left to a person.

Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", NeurIPS 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RiskCoverage", "risk_coverage"]

_SHOWN = tuple(k / 20 for k in range(1, 21))


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """The risk-coverage curve of the first suggestion.

    Parameters
    ----------
    coverage : tuple of float
        Share of the cases answered, the surest first.
    risk : tuple of float
        Share of those whose diagnosis is not the first one.
    area : float
        Mean of the risk over all coverages; among equal probabilities errors are spread evenly.
    best : float
        The same if every right answer were surer than every wrong one.
    error : float
        Risk at full coverage: the area of an order by chance.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float
    best: float
    error: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: list(v) if isinstance(v := getattr(self, name), tuple) else v for name in self.__slots__}

    def to_frame(self) -> pd.DataFrame:
        """Return one row a coverage."""
        import pandas as pd

        return pd.DataFrame({"coverage": self.coverage, "risk": self.risk})


def risk_coverage(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], weights: NDArray[np.float64]
) -> RiskCoverage:
    """Compute the curve.

    Parameters
    ----------
    confidence : ndarray of shape (n,)
        Largest probability of each case.
    correct : ndarray of shape (n,), bool
    weights : ndarray of shape (n,)
        Not all zero.
    """
    keep = weights > 0
    confidence, wrong, w = confidence[keep], ~correct[keep], weights[keep]
    _, level = np.unique(-confidence, return_inverse=True)
    spread = (np.bincount(level, w * wrong) / np.bincount(level, w))[level]
    order = np.argsort(level, kind="stable")
    share, risk = _curve(spread[order], w[order])
    ideal = np.argsort(wrong, kind="stable")
    _, least = _curve(wrong[ideal].astype(float), w[ideal])
    at = np.minimum(np.searchsorted(share, np.array(_SHOWN) - 1e-12), len(share) - 1)
    return RiskCoverage(
        coverage=_SHOWN,
        risk=tuple(risk[at].tolist()),
        area=float(np.average(risk, weights=w[order])),
        best=float(np.average(least, weights=w[ideal])),
        error=float(np.average(wrong, weights=w)),
    )


def _curve(wrong: NDArray[np.float64], w: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mass = np.cumsum(w)
    return mass / mass[-1], np.cumsum(w * wrong) / mass
