"""How far apart the groups are: the best and the worst value of each group, with the interval of their difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.bootstrap import Ratio, interval, ratio_draws
from diagnosis.evaluation.outcomes import Outcomes
from diagnosis.evaluation.scores import ratios_of

__all__ = ["LOWER_IS_BETTER", "Gap", "gaps_between"]

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece", "set.mean_size", "must_not_miss.flags_per_case"})
METRICS = ("top.1", "top.3", "log_loss", "brier", "set.coverage", "set.mean_size", "must_not_miss.sensitivity")


@dataclass(frozen=True, slots=True)
class Gap:
    """Two groups of cases, the best and the worst by one metric.

    Parameters
    ----------
    group, metric : str
    best, worst : str
        Values of the group.
    difference : float
        Of the better from the worse estimate, at least 0.
    interval : (low, high) or None
        95 % over draws of patients, for these two values; since they were picked as the extremes, a gap that is only
        chance lies above 0 more often than one time in twenty.
    """

    group: str
    metric: str
    best: str
    worst: str
    difference: float
    interval: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return plain | {"interval": None if self.interval is None else list(self.interval)}


def gaps_between(
    outcomes: Outcomes,
    members: Mapping[str, Mapping[str, NDArray[np.int64]]],
    weights: NDArray[np.float64],
    counts: NDArray[np.int16],
    metrics: Sequence[str] = METRICS,
) -> tuple[Gap, ...]:
    """Find the gap of each group and metric where at least two values are shown and defined.

    Parameters
    ----------
    outcomes : Outcomes of n cases
    members : mapping of str to mapping of str to ndarray of int64
        By group and value, the rows of its cases; those too few to show left out.
    weights : ndarray of shape (n,)
    counts : ndarray of shape (n_boot, n_patients), int16
    metrics : sequence of str
    """
    every = ratios_of(outcomes)
    found = []
    for group, values in members.items():
        own = {
            (value, metric): _inside(every[metric], rows, len(outcomes))
            for value, rows in values.items()
            for metric in metrics
        }
        keys = {f"{i}": key for i, key in enumerate(own)}
        named = {i: own[key] for i, key in keys.items()}
        drawn = ratio_draws(counts, outcomes.patient, weights, named) if len(counts) and own else {}
        draws = {keys[i]: one for i, one in drawn.items()}
        for metric in metrics:
            known = {v: x for v in values if (x := own[v, metric].value(weights)) is not None}
            if len(known) > 1:
                found.append(_gap(group, metric, known, draws))
    return tuple(found)


def _inside(ratio: Ratio, rows: NDArray[np.int64], n: int) -> Ratio:
    inside = np.zeros(n)
    inside[rows] = 1.0
    return Ratio(ratio.numerator * inside, ratio.denominator * inside, ratio.offset)


def _gap(
    group: str, metric: str, known: Mapping[str, float], draws: Mapping[tuple[str, str], NDArray[np.float64]]
) -> Gap:
    order = sorted(known, key=lambda value: (known[value], value))
    worst, best = (order[-1], order[0]) if metric in LOWER_IS_BETTER else (order[0], order[-1])
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    ends = interval(sign * (draws[best, metric] - draws[worst, metric])) if draws else None
    return Gap(group, metric, best, worst, sign * (known[best] - known[worst]), ends)
