"""Log density of measured values under each hidden state, as the generator draws them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from diagnosis.sample.chart import REPEATED
from diagnosis.sample.findings import CARRY
from diagnosis.sample.model import Model
from diagnosis.sample.quantities import Quantity
from diagnosis.sample.reading import Recorded

__all__ = ["quantity_log_density"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def quantity_log_density(model: Model, seen: Recorded, q: Quantity, score: Floats) -> None:
    """Add the log density of one measured finding to `score`, shape (cases, states)."""
    rows, case = _in_order(seen, _which(model, q.key))
    if not len(rows):
        return
    leader = model.quantities[_which(model, q.leader)] if q.leader else None
    follows = leader.shift if leader and not q.from_healthy else np.zeros_like(q.shift)
    # Many hidden states leave a value alone: compute each different effect once.
    (shift, sd, of_leader), same = _different(np.stack([q.shift, q.sd, follows]))
    mean = _healthy(seen, q, case)[:, None] + shift
    if leader:
        mean = mean + q.slope * np.nan_to_num(_distance(model, seen, leader)[case][:, None] - of_leader)
    sd = np.broadcast_to(sd, mean.shape)
    if q.key in REPEATED:
        again = np.flatnonzero(case[1:] == case[:-1]) + 1
        before = q.scale(seen.value[rows])[again - 1]
        mean[again] += CARRY * (before[:, None] - mean[again])
        sd = sd.copy()
        sd[again] *= np.sqrt(1 - CARRY**2)
    np.add.at(score, case, _log_density(q, seen.value[rows], seen.bound[rows], mean, sd)[:, same])


def _different(effects: Floats) -> tuple[Floats, Ints]:
    """Different columns of an array, and which of them each column is."""
    columns, same = np.unique(effects, axis=1, return_inverse=True)
    return columns, same.reshape(-1)


def _which(model: Model, key: str) -> int:
    return next(i for i, q in enumerate(model.quantities) if q.key == key)


def _in_order(seen: Recorded, which: int) -> tuple[Ints, Ints]:
    """Rows of one finding by case and time, and their cases."""
    rows = np.flatnonzero(seen.value_of == which)
    rows = rows[np.lexsort((seen.time[rows], seen.value_case[rows]))]
    return rows, seen.value_case[rows]


def _healthy(seen: Recorded, q: Quantity, case: Ints) -> Floats:
    found: Floats = q.healthy[seen.context.band[case], seen.site[case]]
    return found


def _distance(model: Model, seen: Recorded, leader: Quantity) -> Floats:
    """How far the first value of a finding others follow lies from health, by case; NaN where it is not recorded."""
    rows, case = _in_order(seen, _which(model, leader.key))
    first = np.full(seen.n, np.nan)
    first[case[::-1]] = leader.scale(seen.value[rows])[::-1]
    distance: Floats = first - leader.healthy[seen.context.band, seen.site]
    return distance


def _log_density(q: Quantity, value: Floats, bound: Ints, mean: Floats, sd: Floats) -> Floats:
    """Log probability of recorded values: of the interval they were rounded from, or of all beyond a limit."""
    half = 0.5 * 10.0**-q.decimals
    low, high = value - half, value + half
    if not q.censored:
        low = np.where(value <= q.lowest + half / 10, -np.inf, low)
        high = np.where(value >= q.highest - half / 10, np.inf, high)
    low = np.where(bound < 0, -np.inf, np.where(bound > 0, value, low))
    high = np.where(bound < 0, value, np.where(bound > 0, np.inf, high))
    a = (_scaled(q, low)[:, None] - mean) / sd
    b = (_scaled(q, high)[:, None] - mean) / sd
    return _log_interval(a, b)


def _scaled(q: Quantity, edge: Floats) -> Floats:
    inner = np.where(np.isfinite(edge), edge, 1.0)
    return np.where(np.isfinite(edge), q.scale(inner), edge)


def _log_interval(a: Floats, b: Floats) -> Floats:
    """Return log(Phi(b) - Phi(a)), also far out in either tail."""
    flip = a + b > 0
    lower, upper = np.where(flip, -b, a), np.where(flip, -a, b)
    top, bottom = log_ndtr(upper), log_ndtr(lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = top + np.log1p(-np.exp(np.minimum(bottom - top, -1e-12)))
    return found
