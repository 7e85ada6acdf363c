"""How far the findings that count would be the same, had other patients been drawn: refits on bootstrap draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

__all__ = ["Stability", "draw_patients", "stability_of"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_TOP = 10


@dataclass(frozen=True, slots=True, eq=False)
class Stability:
    """Importances of refits on bootstrap draws of patients, beside those of the fitted model.

    Parameters
    ----------
    n_refits : int
    rank_correlation : ndarray of shape (n_refits,)
        Spearman correlation of each refit's importances with the model's.
    in_top_ten : mapping of str to float
        Share of the refits in which each finding is among the ten that count most.
    low, high : mapping of str to float, nats
        5 % and 95 % quantiles of each finding's importance over the refits.
    """

    n_refits: int
    rank_correlation: FloatArray
    in_top_ten: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]

    def __str__(self) -> str:
        return self.words()

    def words(self, lang: str = "en") -> str:
        """One sentence, in English (``en``) or Chinese (``zh``)."""
        from diagnosis.pages.translations import phrase

        low, middle, high = np.quantile(self.rank_correlation, [0.0, 0.5, 1.0])
        values = {"n": self.n_refits, "low": f"{low:.2f}", "middle": f"{middle:.2f}", "high": f"{high:.2f}"}
        return phrase("global.stability", lang, values)

    def to_json(self) -> dict[str, Any]:
        """The stability as plain values."""
        return {
            "n_refits": self.n_refits,
            "rank_correlation": self.rank_correlation.tolist(),
            "in_top_ten": dict(self.in_top_ten),
        }


def draw_patients(patients: npt.NDArray[np.object_], rng: np.random.Generator) -> IntArray:
    """Draw as many patients as there are, with replacement, each with all own cases; returns rows, shape (n_drawn,)."""
    _, patient = np.unique(np.asarray(patients).astype(str), return_inverse=True)
    order = np.argsort(patient, kind="stable")
    ends = np.searchsorted(patient[order], np.arange(patient.max() + 2))
    drawn = rng.integers(0, patient.max() + 1, patient.max() + 1)
    return np.concatenate([order[ends[one] : ends[one + 1]] for one in drawn.tolist()]).astype(np.int64)


def stability_of(codes: list[str], importance: FloatArray, refits: FloatArray) -> Stability:
    """Compare importances.

    Parameters
    ----------
    codes : list of str, length n_findings
    importance : ndarray of shape (n_findings,)
        Of the fitted model.
    refits : ndarray of shape (n_refits, n_findings)
    """
    rank = np.argsort(np.argsort(-refits, axis=1, kind="stable"), axis=1, kind="stable")
    constant = importance.std() == 0 or (refits.std(axis=1) == 0).any()
    alike = [np.nan if constant else float(spearmanr(importance, one).statistic) for one in refits]
    low, high = np.quantile(refits, [0.05, 0.95], axis=0)
    return Stability(
        n_refits=len(refits),
        rank_correlation=np.array(alike),
        in_top_ten=dict(zip(codes, (rank < _TOP).mean(axis=0).tolist(), strict=True)),
        low=dict(zip(codes, low.tolist(), strict=True)),
        high=dict(zip(codes, high.tolist(), strict=True)),
    )
