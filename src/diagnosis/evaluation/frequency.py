"""Is it good at what is rare: the ranking by how many training cases the true diagnosis had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.bootstrap import Ratio, interval, ratio_draws
from diagnosis.evaluation.outcomes import Outcomes
from diagnosis.evaluation.scores import ratios_of
from diagnosis.evaluation.small_cells import hidden_cells

__all__ = ["FrequencyBand", "by_frequency"]

_BANDS = (("never seen", 0), ("1-9", 1), ("10-29", 10), ("30-99", 30), ("100-299", 100), ("300 and more", 300))
_METRICS = ("top.1", "top.3", "top.5", "top.10", "mrr", "log_loss")


@dataclass(frozen=True, slots=True)
class FrequencyBand:
    """Cases whose diagnosis had about equally many training cases.

    Parameters
    ----------
    training_cases : str
        ``never seen``, ``1-9`` ... ``300 and more``; a pooled diagnosis counts as the pool.
    n, n_diagnoses : int
        Cases, and diagnoses among them.
    values : mapping of str to float
        By path, as in `Scores`; empty where it may not be shown.
    intervals : mapping of str to (low, high)
        95 %, over draws of patients.
    """

    training_cases: str
    n: int
    n_diagnoses: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        head = {"training_cases": self.training_cases, "n": self.n}
        if not self.values:
            return head | {"suppressed": True}
        intervals = {name: list(ends) for name, ends in self.intervals.items()}
        return head | {"n_diagnoses": self.n_diagnoses, "values": dict(self.values), "intervals": intervals}


def by_frequency(
    outcomes: Outcomes, weights: NDArray[np.float64], counts: NDArray[np.int16], min_cell: int
) -> tuple[FrequencyBand, ...]:
    """Rank by band, rarest first; bands without a case are left out.

    Parameters
    ----------
    outcomes : Outcomes of n cases
    weights : ndarray of shape (n,)
    counts : ndarray of shape (n_boot, n_patients), int16
    min_cell : int
        Bands of fewer cases are counted and not shown, and the next smallest where all less the others would tell.
    """
    band = np.searchsorted([least for _, least in _BANDS], outcomes.n_train, side="right") - 1
    members = {name: np.flatnonzero(band == b) for b, (name, _) in enumerate(_BANDS)}
    some = {name: outcomes.take(rows) for name, rows in members.items() if len(rows)}
    hidden = hidden_cells({name: (one.n_cases,) for name, one in some.items()}, min_cell)
    all_of = ratios_of(outcomes)
    made = []
    for name, one in some.items():
        n_diagnoses = len(np.unique(one.label))
        inside = np.zeros(len(outcomes))
        inside[members[name]] = 1.0
        if name in hidden or not (weights * inside).sum() > 0:
            made.append(FrequencyBand(name, one.n_cases, n_diagnoses, {}, {}))
            continue
        own = {m: Ratio(all_of[m].numerator * inside, all_of[m].denominator * inside) for m in _METRICS}
        drawn = ratio_draws(counts, outcomes.patient, weights, own) if len(counts) else {}
        ends = {m: found for m, draws in drawn.items() if (found := interval(draws)) is not None}
        values = {m: value for m, ratio in own.items() if (value := ratio.value(weights)) is not None}
        made.append(FrequencyBand(name, one.n_cases, n_diagnoses, values, ends))
    return tuple(made)
