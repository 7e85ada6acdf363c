"""Would acting on the probabilities do more good than harm: decision curves of each diagnosis.

Vickers and Elkin, "Decision curve analysis", Medical Decision Making 26:565, 2006: acting on everyone with a
probability of at least t weighs a false alarm as ``t / (1 - t)`` of a hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.cells import THRESHOLDS, Cells

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DecisionCurves", "decision_curves"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DecisionCurves:
    """Net benefit of acting at each threshold, by diagnosis, beside acting on everyone; acting on no one is 0.

    Parameters
    ----------
    thresholds : tuple of float
    diagnoses : tuple of str
        Those with enough cases to be shown.
    prevalence : ndarray of shape (n_diagnoses,)
        Share of the evaluated cases.
    net_benefit, treat_all : ndarray of shape (n_diagnoses, n_thresholds)
        In cases found a case, net of false alarms.
    """

    thresholds: tuple[float, ...]
    diagnoses: tuple[str, ...]
    prevalence: NDArray[np.float64]
    net_benefit: NDArray[np.float64]
    treat_all: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.diagnoses)

    @property
    def useful(self) -> NDArray[np.bool_]:
        """Where acting on the probabilities beats acting on everyone and on no one; shape as `net_benefit`."""
        return self.net_benefit > np.maximum(self.treat_all, 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, a list item a diagnosis."""
        curves = zip(self.diagnoses, self.prevalence.tolist(), self.net_benefit, self.treat_all, strict=True)
        return {
            "thresholds": list(self.thresholds),
            "curves": [
                {"diagnosis": d, "prevalence": share, "net_benefit": own.tolist(), "treat_all": every.tolist()}
                for d, share, own, every in curves
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row a diagnosis and threshold."""
        import pandas as pd

        return pd.DataFrame(
            {
                "diagnosis": np.repeat(np.array(self.diagnoses, dtype=object), len(self.thresholds)),
                "threshold": np.tile(self.thresholds, len(self)),
                "net_benefit": self.net_benefit.ravel(),
                "treat_all": self.treat_all.ravel(),
            }
        )

    def __repr__(self) -> str:
        return f"<DecisionCurves: {len(self)} diagnoses, {len(self.thresholds)} thresholds>"


def decision_curves(cells: Cells, diagnoses: NDArray[np.object_], shown: NDArray[np.bool_]) -> DecisionCurves:
    """Compute the net benefit of each diagnosis from its cells.

    Parameters
    ----------
    cells : Cells of K diagnoses
    diagnoses : ndarray of shape (K,), object
    shown : ndarray of shape (K,), bool
        Which have enough cases.
    """
    at = np.array(THRESHOLDS)
    odds = at / (1 - at)
    # Acting from a threshold on takes every band above it.
    hits = np.cumsum(cells.y[shown, ::-1], axis=1)[:, ::-1][:, 1:] / cells.total
    acted = np.cumsum(cells.mass[shown, ::-1], axis=1)[:, ::-1][:, 1:] / cells.total
    share = cells.y[shown].sum(axis=1) / cells.total
    return DecisionCurves(
        thresholds=THRESHOLDS,
        diagnoses=tuple(str(d) for d in diagnoses[shown]),
        prevalence=share,
        net_benefit=hits - (acted - hits) * odds,
        treat_all=share[:, None] - (1 - share)[:, None] * odds,
    )
