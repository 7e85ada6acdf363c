"""When things happen: what is observed and known when, when a suggestion is asked for, when the case ends.

Nothing here depends on the illness, except how long a patient stays, and that is no feature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from diagnosis.sample.chart import sample_layout
from diagnosis.sample.model import Model
from diagnosis.sample.population import START
from diagnosis.sample.tables import read_table

__all__ = ["Clock", "draw_clock", "minutes_to_utc"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PHASE_WINDOW = {"history": (3, 12), "examination": (10, 25), "bedside": (1, 9)}
_ZONE_MINUTES = 8 * 60
_MICROSECONDS = 60 * 1_000_000
_EPOCH = int(START.astype("datetime64[us]").astype(np.int64))
_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Clock:
    """Minutes since the start of the cohort; one entry a case unless said.

    Parameters
    ----------
    observed, known : arrays of shape (cases, slots), int32
    """

    start: Ints
    index: Ints
    end: Ints
    observed: npt.NDArray[np.int32]
    known: npt.NDArray[np.int32]


def draw_clock(
    rng: np.random.Generator, model: Model, start: Ints, site: Ints, stay_days: Floats, recorded: npt.NDArray[np.bool_]
) -> Clock:
    """Draw all times of a block of cases; no result of a case is known after its end."""
    layout = sample_layout()
    n = len(start)
    taken = np.zeros((n, len(layout)), dtype=np.int32)
    known = np.zeros_like(taken)
    windows = {name: rng.integers(low, high, n) for name, (low, high) in _PHASE_WINDOW.items()}
    sent = rng.integers(18, 55, n)
    again = np.cumsum(np.column_stack([np.zeros(n, dtype=np.int64), rng.integers(60, 180, (n, 2))]), axis=1)
    late = np.array([float(s["turnaround"]) for s in model.sites])[site]
    panels = {p["panel"]: float(p["minutes"]) for p in read_table("panels")}
    wait = {name: minutes * late * rng.lognormal(0, 0.35, n) for name, minutes in panels.items() if minutes > 0}
    for slot, row in enumerate(layout.rows):
        at = windows[row["phase"]] + again[:, layout.repeat[slot]] if row["phase"] in windows else sent
        taken[:, slot] = start + at
        known[:, slot] = taken[:, slot] + wait.get(row["panel"], 0)
    index = start + rng.integers(75, 200, n)
    last = np.where(recorded, known, 0).max(axis=1)
    end = np.maximum(start + (stay_days * _DAY).astype(np.int64), np.maximum(last, index) + rng.integers(10, 90, n))
    return Clock(start, index, end, taken, known)


def minutes_to_utc(minutes: npt.NDArray[np.integer]) -> Ints:
    """Return local minutes since the start of the cohort as microseconds since 1970 in UTC."""
    found: Ints = (minutes.astype(np.int64) - _ZONE_MINUTES) * _MICROSECONDS + _EPOCH
    return found
