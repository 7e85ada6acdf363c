"""Draw what is found: yes or no, a value, a picture. It depends on the hidden state and on age, sex and site."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from diagnosis.sample.chart import ABSENT, PRESENT, UNCERTAIN, Chart, sample_layout
from diagnosis.sample.model import Model
from diagnosis.sample.quantities import Quantity

__all__ = [
    "CARRY",
    "HOW_BAD",
    "ONSETS",
    "UNSURE_IF_ABSENT",
    "UNSURE_IF_PRESENT",
    "draw_course",
    "draw_picture",
    "draw_quantity",
    "draw_repeat",
    "draw_test",
    "expected",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Chance that a question or look stays unsettled, times the site's own factor.
UNSURE_IF_PRESENT, UNSURE_IF_ABSENT = 0.05, 0.02
_NO_RESULT = 0.01
#: Correlation of a vital sign with the one before.
CARRY = 0.7
#: Days since the complaint began, as people say them.
ONSETS = np.array(
    [0.02, 0.04, 0.08, 0.17, 0.25, 0.5, 1, 2, 3, 4, 5, 6, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 365], dtype=float
)
#: How bad a complaint is said to be, by the severity of the illness.
HOW_BAD = np.array([[0.6, 0.33, 0.07], [0.25, 0.55, 0.2], [0.06, 0.34, 0.6]])
_CUT = np.log(np.sqrt(ONSETS[1:] * ONSETS[:-1]))


def expected(chart: Chart, q: Quantity, rows: Ints, leader: Quantity | None) -> Floats:
    """Return the mean of a value on the normal scale, given the hidden state and the value it follows."""
    mean = chart.healthy(q)[rows] + q.shift[chart.state[rows]]
    if leader is not None:
        found = leader.scale(chart.value(leader.key)[rows])
        usual = chart.healthy(leader)[rows]
        if not q.from_healthy:
            usual = usual + leader.shift[chart.state[rows]]
        mean = mean + q.slope * np.nan_to_num(found - usual)
    return mean


def draw_quantity(rng: np.random.Generator, chart: Chart, q: Quantity, rows: Ints, leader: Quantity | None) -> None:
    """Draw and record a value for some cases."""
    raw = expected(chart, q, rows, leader) + q.sd[chart.state[rows]] * rng.standard_normal(len(rows))
    _record(chart, q, rows, sample_layout().at[q.key], raw)


def draw_repeat(
    rng: np.random.Generator, chart: Chart, q: Quantity, rows: Ints, leader: Quantity | None, again: int
) -> None:
    """Draw and record a vital sign taken again: close to the one before, drawn back to what is expected."""
    slot = sample_layout().at[q.key] + again
    mean = expected(chart, q, rows, leader)
    before = q.scale(chart.canonical[rows, slot - 1])
    sd = q.sd[chart.state[rows]] * np.sqrt(1 - CARRY**2)
    _record(chart, q, rows, slot, mean + CARRY * (before - mean) + sd * rng.standard_normal(len(rows)))


def _record(chart: Chart, q: Quantity, rows: Ints, slot: int, raw: Floats) -> None:
    value = q.unscale(raw)
    bound = np.zeros(len(rows), dtype=np.int8)
    if q.censored:
        bound = np.where(value < q.lowest, -1, np.where(value > q.highest, 1, 0)).astype(np.int8)
    value = np.clip(np.round(np.clip(value, q.lowest, q.highest), q.decimals), q.lowest, q.highest)
    conventional = chart.site[rows] == 1
    other = bool(q.alt_unit) & conventional
    converted = np.round(value * q.alt_factor + q.alt_offset, q.alt_decimals)
    given = np.where(other, converted, value)
    chart.given[rows, slot] = given
    chart.canonical[rows, slot] = np.where(other, (given - q.alt_offset) / q.alt_factor, given)
    chart.bound[rows, slot] = bound
    chart.status[rows, slot] = PRESENT


def draw_test(rng: np.random.Generator, chart: Chart, model: Model, key: str, rows: Ints) -> None:
    """Draw and record a positive or negative test; one in a hundred comes without a result."""
    share = model.share[chart.state[rows], model.yes_no.index(key)]
    status = np.where(rng.random(len(rows)) < share, PRESENT, ABSENT)
    chart.status[rows, sample_layout().at[key]] = np.where(rng.random(len(rows)) < _NO_RESULT, UNCERTAIN, status)


def draw_picture(
    rng: np.random.Generator, chart: Chart, model: Model, key: str, rows: Ints, *, normal_first: bool
) -> None:
    """Draw and record a picture; the first is normal where the finding has a normal one, and then it is absent."""
    which = model.choices.index(key)
    cumulative = np.cumsum(model.pictures[which], axis=1)[chart.state[rows]]
    picture = (rng.random(len(rows))[:, None] * cumulative[:, -1:] > cumulative).sum(axis=1)
    slot = sample_layout().at[key]
    status = np.where(normal_first & (picture == 0), ABSENT, PRESENT)
    lost = normal_first & (rng.random(len(rows)) < _NO_RESULT)
    chart.status[rows, slot] = np.where(lost, UNCERTAIN, status)
    chart.picture[rows, slot] = np.where(lost | (status == ABSENT), -1, picture)


def draw_course(rng: np.random.Generator, chart: Chart, model: Model, age_days: Floats) -> None:
    """Draw when the complaint began (never before birth) and how bad it is; some records leave either out."""
    n = len(chart)
    longest = np.searchsorted(ONSETS, np.maximum(age_days, 0.5), side="right") - 1
    bins = np.cumsum(onset_share(model), axis=1)[model.states.subtype[chart.state]]
    top = np.take_along_axis(bins, longest[:, None], axis=1)
    onset = np.minimum((rng.random(n)[:, None] * top > bins).sum(axis=1), longest)
    chart.onset = np.where(rng.random(n) < 0.9, onset, -1)
    bad = np.cumsum(HOW_BAD, axis=1)[model.states.severity[chart.state]]
    level = (rng.random(n)[:, None] > bad).sum(axis=1).clip(0, 2)
    chart.how_bad = np.where(rng.random(n) < np.array([0.5, 0.5, 0.3, 0.2])[chart.site], level, -1).astype(np.int8)


def onset_share(model: Model) -> Floats:
    """Return the probability of each entry of `ONSETS` by subtype, shape (subtypes, onsets)."""
    edge = (_CUT[None, :] - model.onset[:, :1]) / model.onset[:, 1:]
    cumulative = np.concatenate([np.zeros((len(edge), 1)), ndtr(edge), np.ones((len(edge), 1))], axis=1)
    share = np.diff(cumulative, axis=1) + 1e-6
    whole: Floats = share / share.sum(axis=1, keepdims=True)
    return whole
