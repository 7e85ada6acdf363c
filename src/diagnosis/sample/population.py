"""Who comes, when and where: patients, their encounters, and the illness behind each."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from diagnosis.sample.model import Model, sample_model
from diagnosis.sample.prior import Context, sample_prior
from diagnosis.sample.tables import AGE_BANDS, EDGES, age_band

__all__ = ["DAYS", "START", "Encounters", "draw_encounters"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: The cohort's two years, in local days.
START = np.datetime64("2022-01-01")
DAYS = 730
_MINUTES = 24 * 60
_YEAR = 365.25
#: Encounters of one patient: three of four are the patient's first here.
PATIENTS_PER_CASE = 0.75
_FOLLOW_UP = 0.3
_DATES = START + np.arange(DAYS + 60)
_MONTH_OF_DAY = _DATES.astype("datetime64[M]").astype(np.int64) % 12
_DAY_OF_MONTH = (_DATES - _DATES.astype("datetime64[M]")).astype(np.int64)
_TWO_YEARS = 730


@dataclass(frozen=True, slots=True)
class Encounters:
    """One entry a case, in order of time.

    Parameters
    ----------
    patient : index within the block
    start : minutes since the cohort's first local midnight
    age_days, age_years : as recorded; `age_days` is NaN from two years on
    gestation, birth_weight : weeks and grams, NaN from one year on
    state : index of the hidden state the findings are drawn from
    """

    patient: Ints
    start: Ints
    site: Ints
    sex: Ints
    age_days: Floats
    age_years: Floats
    gestation: Floats
    birth_weight: Floats
    pregnant: Ints
    pregnancy_weeks: Floats
    follow_up: Bools
    illness: Ints
    state: Ints

    def context(self) -> Context:
        """Return what the prior depends on, computed from what is recorded."""
        return context_of(self)

    def take(self, rows: Ints) -> Encounters:
        """Return some of the cases."""
        return Encounters(*(getattr(self, f.name)[rows] for f in fields(self)))


def context_of(e: Encounters) -> Context:
    """Return the context of encounters from what is recorded of them."""
    preterm = (e.gestation < 37) & (e.age_years < 1)
    return Context(e.site, _MONTH_OF_DAY[e.start // _MINUTES], _band(e), e.sex, e.pregnant, preterm.astype(np.int64))


def _band(e: Encounters) -> Ints:
    return age_band(np.where(np.isnan(e.age_days), e.age_years * _YEAR, e.age_days))


def draw_encounters(rng: np.random.Generator, n: int) -> Encounters:
    """Draw `n` encounters of about three quarters as many patients, with the illness and hidden state of each."""
    model = sample_model()
    n_patients = max(1, round(n * PATIENTS_PER_CASE))
    first = _with_illness(rng, model, _first_visits(rng, model, n_patients))
    review = _reviews(rng, model, first, n - n_patients)
    again = _with_illness(rng, model, _returns(rng, first, n - n_patients - len(review.patient)))
    parts = (first, review, again)
    joined = Encounters(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Encounters)))
    return joined.take(np.argsort(joined.start, kind="stable"))


def _first_visits(rng: np.random.Generator, model: Model, n: int) -> Encounters:
    site = rng.choice(len(model.sites), size=n, p=_normalised([float(s["share"]) for s in model.sites]))
    by_site = np.cumsum([_normalised([float(s[b]) for b in AGE_BANDS]) for s in model.sites], axis=1)
    band = (rng.random(n)[:, None] > by_site[site]).sum(axis=1).clip(0, len(AGE_BANDS) - 1)
    age = EDGES[band] + rng.random(n) * (EDGES[band + 1] - EDGES[band])
    early = rng.random(n) < 0.1
    born = np.where(early, rng.triangular(28, 36, 36.6, n), rng.normal(39.2, 1.1, n).clip(37, 42))
    gestation: Floats = np.round(born, 1).astype(np.float64)
    weight = 3300 + 190 * (gestation - 39.2) + rng.normal(0, 330, n)
    return _recorded(
        rng,
        patient=np.arange(n),
        start=rng.integers(0, DAYS * _MINUTES, n),
        site=site,
        sex=(rng.random(n) < 0.52).astype(np.int64),
        age=age,
        gestation=gestation,
        weight=np.round(weight.clip(600, 5200), -1),
    )


def _recorded(
    rng: np.random.Generator,
    *,
    patient: Ints,
    start: Ints,
    site: Ints,
    sex: Ints,
    age: Floats,
    gestation: Floats,
    weight: Floats,
) -> Encounters:
    """Round ages as a record holds them, and draw what is known of a pregnancy."""
    n = len(patient)
    age = np.floor(age)
    fertile = (sex == 0) & (age > 14 * _YEAR) & (age < 48 * _YEAR)
    u = rng.random(n)
    pregnant = np.where(fertile, np.where(u < 0.06, 0, np.where(u < 0.3, 2, 1)), 1)
    none = np.zeros(n, dtype=np.int64)
    return Encounters(
        patient=patient,
        start=start,
        site=site,
        sex=sex,
        age_days=np.where(age < _TWO_YEARS, age, np.nan),
        age_years=np.floor(age / _YEAR * 100) / 100,
        gestation=np.where(age < _YEAR, gestation, np.nan),
        birth_weight=np.where(age < _YEAR, weight, np.nan),
        pregnant=pregnant,
        pregnancy_weeks=np.where(pregnant == 0, np.floor(5 + 34 * rng.random(n)), np.nan),
        follow_up=none.astype(bool),
        illness=none,
        state=none,
    )


def _with_illness(rng: np.random.Generator, model: Model, e: Encounters) -> Encounters:
    context = e.context()
    cumulative = sample_prior().cumulative[context.cell()]
    illness = (rng.random(len(e.patient))[:, None] * cumulative[:, -1:] > cumulative).sum(axis=1)
    return _with(e, illness=illness, state=draw_state(rng, model, illness, context.band))


def draw_state(rng: np.random.Generator, model: Model, illness: Ints, band: Ints) -> Ints:
    """Draw subtype and severity of each case's illness at its age; returns indices of hidden states."""
    cumulative = np.cumsum(model.state_share, axis=1)  # per band: the illnesses' totals (0 or 1) one after the other
    first = np.searchsorted(model.states.illness, np.arange(len(model.illnesses)))
    below = np.where(first[illness] > 0, cumulative[band, first[illness] - 1], 0.0)
    target = below + rng.random(len(illness)) * (1 - 1e-9)
    offset = np.arange(len(cumulative))[:, None] * (len(model.illnesses) + 1)
    flat = (cumulative + offset).ravel()
    found = np.searchsorted(flat, target + band * (len(model.illnesses) + 1), side="right")
    state: Ints = found - band * cumulative.shape[1]
    return state


def _reviews(rng: np.random.Generator, model: Model, first: Encounters, most: int) -> Encounters:
    """Draw follow-up visits: same patient and illness a few days later, in the same month and age band."""
    days = rng.integers(3, 13, len(first.patient))
    later = first.start + days * _MINUTES + rng.integers(-120, 120, len(first.patient))
    day = first.start // _MINUTES
    age = np.where(np.isnan(first.age_days), first.age_years * _YEAR, first.age_days)
    stays = (_DAY_OF_MONTH[day] < 14) & (later < DAYS * _MINUTES) & (age_band(age + 14) == age_band(age))
    wanted = stays & (rng.random(len(day)) < _FOLLOW_UP * sample_prior().follow_up[first.illness])
    rows = np.flatnonzero(wanted)[:most]
    e = first.take(rows)
    older = np.where(np.isnan(e.age_days), e.age_days, e.age_days + days[rows])
    band = _band(e)
    return _with(
        e,
        start=later[rows],
        age_days=np.where(older < _TWO_YEARS, older, e.age_days),
        follow_up=np.ones(len(rows), dtype=bool),
        state=draw_state(rng, model, e.illness, band),
    )


def _returns(rng: np.random.Generator, first: Encounters, n: int) -> Encounters:
    """Draw later encounters of earlier patients for another reason, 20 to 180 days after."""
    early = np.flatnonzero((first.start < (DAYS - 181) * _MINUTES) & (first.age_years < 94))
    rows = rng.choice(early, size=n, replace=n > len(early)) if len(early) else rng.integers(0, len(first.patient), n)
    days = rng.integers(20, 181, n)
    before = np.where(np.isnan(first.age_days), first.age_years * _YEAR, first.age_days)
    age: Floats = before[rows] + days
    start = first.start[rows] + days * _MINUTES + rng.integers(-300, 300, n)
    too_old = (first.site[rows] == 0) & (age >= 18 * _YEAR - 1)
    age = np.where(too_old, 18 * _YEAR - 2, age).astype(np.float64)
    return _recorded(
        rng,
        patient=first.patient[rows],
        start=np.clip(start, 0, DAYS * _MINUTES - 1),
        site=first.site[rows],
        sex=first.sex[rows],
        age=age,
        gestation=first.gestation[rows],
        weight=first.birth_weight[rows],
    )


def _with(e: Encounters, **changed: npt.NDArray[np.generic]) -> Encounters:
    return Encounters(*(changed.get(f.name, getattr(e, f.name)) for f in fields(e)))


def _normalised(weights: list[float]) -> Floats:
    found = np.array(weights)
    normal: Floats = found / found.sum()
    return normal
