"""From encounters to the rows of the cases table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.sample.chart import Chart
from diagnosis.sample.clock import Clock, minutes_to_utc
from diagnosis.sample.model import Model
from diagnosis.sample.population import Encounters
from diagnosis.sample.prior import PREGNANT, sample_prior
from diagnosis.sample.tables import GROUPS

__all__ = ["case_rows", "draw_disposition", "draw_informant", "draw_stay", "draw_triage"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SETTINGS = ("emergency", "outpatient", "inpatient", "community", "telemedicine")
DISPOSITIONS = ("home", "admitted", "intensive_care")
_TIME = pa.timestamp("us", tz="UTC")
_ADULT_DEPARTMENT = {
    "R": "respiratory",
    "F": "internal_medicine",
    "S": "dermatology",
    "A": "gastroenterology",
    "U": "urology",
    "N": "neurology",
    "C": "cardiology",
    "I": "internal_medicine",
    "G": "internal_medicine",
}


def draw_informant(rng: np.random.Generator, chart: Chart) -> list[str]:
    """Draw who tells the story: a guardian of a child, somebody else for the confused, else the patient."""
    n = len(chart)
    child = (chart.age_years < 12) | ((chart.age_years < 16) & (rng.random(n) < 0.5))
    unable = (chart.present("confusion") | chart.present("loss_of_consciousness")) & (rng.random(n) < 0.7)
    names = np.where(child, "guardian", np.where(unable, "other", "self"))
    return [str(s) for s in names]


def draw_triage(rng: np.random.Generator, chart: Chart, model: Model) -> Ints:
    """Return the triage level, 1 most urgent to 5, from the vital signs and signs on the chart, with some chance."""
    quantities = {q.key: q for q in model.quantities}
    points = np.zeros(len(chart))
    for key, sign in (("temp", 1), ("hr", 1), ("rr", 1), ("spo2", -1), ("sbp", -1), ("gcs", -1)):
        q = quantities[key]
        distance = sign * (q.scale(chart.value(key)) - chart.healthy(q)) / q.sd_healthy
        points += np.clip(np.nan_to_num(distance) - 1.5, 0, 4)
    points += 3 * chart.present("looks_ill") + 4 * chart.present("drowsy") + rng.normal(0, 0.8, len(chart))
    return (5 - np.searchsorted(np.array([0.6, 3.0, 8.0, 15.0]), points)).astype(np.int64)


def draw_disposition(rng: np.random.Generator, model: Model, state: Ints, site: Ints) -> Ints:
    """Draw where each case goes: home, admitted, intensive care (none at the township clinic)."""
    share = np.array([[0.93, 0.07, 0.0], [0.66, 0.33, 0.01], [0.18, 0.6, 0.22]])
    cumulative = np.cumsum(share, axis=1)[model.states.severity[state]]
    found = (rng.random(len(state))[:, None] > cumulative).sum(axis=1).clip(0, 2)
    clinic = np.array([s["tier"] == "primary" for s in model.sites])[site]
    return np.where(clinic, np.minimum(found, 1), found)


def draw_stay(rng: np.random.Generator, disposition: Ints) -> Floats:
    """Draw the days from arrival to the end of the case."""
    days = np.array([0.2, 4.5, 9.0])[disposition]
    stay: Floats = days * rng.lognormal(0, 0.4, len(days))
    return stay


def case_rows(
    rng: np.random.Generator,
    model: Model,
    e: Encounters,
    chart: Chart,
    clock: Clock,
    ids: tuple[pa.Array, pa.Array],
    informant: list[str],
    recorded: Ints,
    disposition: Ints,
) -> pa.Table:
    """Return the cases table of a block; `weight` is the natural over the drawn frequency of the case's illness."""
    prior = sample_prior()
    cell = chart.context.cell()
    weight = prior.natural[cell, e.illness] / prior.drawn[cell, e.illness]
    setting = _draw_setting(rng, model, e.site)
    infant = ~np.isnan(e.gestation)
    fertile = (e.sex == 0) & (e.age_years >= 14) & (e.age_years < 48)
    columns = {
        "case_id": ids[0],
        "patient_id": ids[1],
        "age_years": _numbers(e.age_years),
        "age_days": _numbers(e.age_days),
        "gestational_age_weeks": _numbers(e.gestation),
        "birth_weight_g": _numbers(np.where(infant, e.birth_weight, np.nan)),
        "sex": _names(np.array(["female", "male"])[e.sex]),
        "pregnant": _names(np.array(PREGNANT)[e.pregnant], fertile),
        "pregnancy_weeks": _numbers(e.pregnancy_weeks),
        "site": _names(np.array([s["site"] for s in model.sites])[e.site]),
        "setting": _names(setting),
        "department": _names(_department(e, chart, setting)),
        "visit": _names(np.where(e.follow_up, "follow_up", "first")),
        "informant": _names(np.array(informant)),
        "time": pa.array(minutes_to_utc(clock.start), _TIME),
        "index_time": pa.array(minutes_to_utc(clock.index), _TIME),
        "end_time": pa.array(minutes_to_utc(clock.end), _TIME),
        "weight": _numbers(np.round(weight, 5)),
        "diagnosis": _names(np.array(model.diagnoses)[recorded]),
        "triage_scheme": _names(np.full(len(chart), "five_level")),
        "triage_level": _names(draw_triage(rng, chart, model).astype(str)),
        "disposition": _names(np.array(DISPOSITIONS)[disposition]),
        "outcome": _names(_draw_outcome(rng, disposition)),
        "outcome_time": pa.array(minutes_to_utc(clock.end), _TIME),
    }
    return pa.table(columns)


def _draw_setting(rng: np.random.Generator, model: Model, site: Ints) -> npt.NDArray[np.str_]:
    cumulative = np.cumsum([[float(s[name]) for name in _SETTINGS] for s in model.sites], axis=1)
    found = (rng.random(len(site))[:, None] > cumulative[site]).sum(axis=1).clip(0, len(_SETTINGS) - 1)
    return np.array(_SETTINGS)[found]


def _department(e: Encounters, chart: Chart, setting: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """The door a case comes in by: age, complaint, setting and site decide."""
    adult = np.array([_ADULT_DEPARTMENT[g] for g in GROUPS])[chart.group]
    found = np.where(e.age_years < 14, "paediatrics", adult)
    found = np.where(e.age_years * 365.25 < 29, "neonatology", found)
    found = np.where(setting == "emergency", "emergency", found)
    return np.where(e.site == 3, "general_practice", found)


def _draw_outcome(rng: np.random.Generator, disposition: Ints) -> npt.NDArray[np.str_]:
    dies = rng.random(len(disposition)) < np.array([0.0, 0.004, 0.09])[disposition]
    better = np.where(rng.random(len(disposition)) < 0.7, "recovered", "improved")
    return np.where(dies, "died", better)


def _names(values: npt.NDArray[np.str_], where: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(values, pa.string(), mask=None if where is None else ~where)


def _numbers(values: Floats) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)
