"""What is asked, looked at and ordered: that depends on what is recorded, site and chance, never on the illness."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from diagnosis.errors import InputError
from diagnosis.sample.chart import (
    ABSENT,
    PRESENT,
    REPEATED,
    UNCERTAIN,
    UNRECORDED,
    Chart,
    sample_layout,
)
from diagnosis.sample.findings import (
    UNSURE_IF_ABSENT,
    UNSURE_IF_PRESENT,
    draw_picture,
    draw_quantity,
    draw_repeat,
    draw_test,
)
from diagnosis.sample.model import Model
from diagnosis.sample.quantities import Quantity
from diagnosis.sample.tables import GROUPS, Row, applicable, number, read_table

__all__ = ["ask_and_examine", "derive_signs", "follow_orders", "repeat_vitals"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_LOW = 2.5
_SIMPLE = re.compile(r"(age|temp)(>=|<)([\d.]+)$")


def ask_and_examine(rng: np.random.Generator, chart: Chart, model: Model) -> None:
    """Record what is volunteered, asked and seen on examination."""
    n, layout = len(chart), sample_layout()
    applies = model.applies[chart.context.band, chart.context.sex]
    there = rng.random((n, len(model.yes_no)), dtype=np.float32) < _share32(model)[chart.state]
    there &= applies
    told = there & (rng.random((n, len(model.yes_no)), dtype=np.float32) < model.volunteered.astype(np.float32))
    chance = _ask_chance(model)[chart.group, chart.site]
    asked = applies & (rng.random((n, len(model.yes_no)), dtype=np.float32) < chance)
    unsure = np.where(there, UNSURE_IF_PRESENT, UNSURE_IF_ABSENT) * _site_number(model, "unsure")[chart.site][:, None]
    status = np.where(there, PRESENT, ABSENT)
    status = np.where(rng.random((n, len(model.yes_no)), dtype=np.float32) < unsure, UNCERTAIN, status)
    status = np.where(told, PRESENT, np.where(asked, status, UNRECORDED)).astype(np.int8)
    own = np.array([model.yes_no.index(c) for c in model.complaints])[chart.complaint]
    status[np.arange(n), own] = PRESENT
    told[np.arange(n), own] = True
    slots = np.array([layout.at[k] for k in model.yes_no])
    chart.status[:, slots] = status
    chart.volunteered[:, slots] = told
    _ask_about_pictures(rng, chart, model)


@lru_cache(maxsize=1)
def _share32(model: Model) -> npt.NDArray[np.float32]:
    return model.share.astype(np.float32)


@lru_cache(maxsize=1)
def _ask_chance(model: Model) -> npt.NDArray[np.float32]:
    """Chance that each yes-or-no finding is asked or looked for, by group of complaints and site."""
    rows = {f["key"]: f for f in model.findings}
    ask = np.array([[number(rows[k], f"ask_{g}") for k in model.yes_no] for g in GROUPS])
    looked = np.array([rows[k]["phase"] == "examination" for k in model.yes_no])
    habit = np.where(looked, _site_number(model, "examine")[:, None], _site_number(model, "ask")[:, None])
    return np.minimum(ask[:, None, :] * habit[None], 0.985).astype(np.float32)


def _site_number(model: Model, column: str) -> Floats:
    return np.array([float(s[column]) for s in model.sites])


def _ask_about_pictures(rng: np.random.Generator, chart: Chart, model: Model) -> None:
    """Ask what a symptom is like, or describe a rash, where it is recorded as present."""
    habit = _site_number(model, "ask")
    for row in (f for f in model.findings if f["model"] == "choice" and f["gate"]):
        ask = np.array([number(row, f"ask_{g}") for g in GROUPS])[chart.group] * habit[chart.site]
        open_ = np.logical_or.reduce([chart.present(k) for k in row["gate"].split(",")])
        fits = applicable(row)[chart.context.band, chart.context.sex]
        rows = np.flatnonzero(open_ & fits & (rng.random(len(chart)) < np.minimum(ask, 0.985)))
        draw_picture(rng, chart, model, row["key"], rows, normal_first=False)


def follow_orders(rng: np.random.Generator, chart: Chart, model: Model) -> dict[str, Bools]:
    """Order the panels one after the other, each by its rules, and record their results; returns what was done."""
    quantities = {q.key: q for q in model.quantities}
    done = {}
    for panel in read_table("panels"):
        name = panel["panel"]
        available = np.array([float(panel[s["site"]]) for s in model.sites])[chart.site]
        skipped = np.ones(len(chart))
        for rule in (r for r in read_table("orders") if r["panel"] == name):
            skipped *= 1 - float(rule["share"]) * _holds(chart, model, rule["when"])
        done[name] = rng.random(len(chart)) < available * (1 - skipped)
        rows = np.flatnonzero(done[name])
        for f in (f for f in model.findings if f["panel"] == name):
            _result(rng, chart, model, f, rows, quantities)
    return done


def _result(
    rng: np.random.Generator, chart: Chart, model: Model, f: Row, rows: Ints, quantities: dict[str, Quantity]
) -> None:
    if f["model"] == "value":
        q = quantities[f["key"]]
        draw_quantity(rng, chart, q, rows, quantities.get(q.leader))
    elif f["model"] == "choice":
        draw_picture(rng, chart, model, f["key"], rows, normal_first=True)
    else:
        draw_test(rng, chart, model, f["key"], rows)


def _holds(chart: Chart, model: Model, when: str) -> Bools:
    """Return where every part of a rule holds; an empty rule always does."""
    parts = [_part(chart, model, p) for p in when.split()]
    return np.logical_and.reduce(parts) if parts else np.ones(len(chart), dtype=bool)


def _part(chart: Chart, model: Model, part: str) -> Bools:
    simple = _SIMPLE.match(part)
    if simple:
        value = chart.age_years if simple[1] == "age" else chart.value("temp")
        return value >= float(simple[3]) if simple[2] == ">=" else value < float(simple[3])
    kind, _, names = part.partition(":")
    options = names.split("|")
    if kind == "group":
        return np.isin(chart.group, [GROUPS.index(g) for g in options])
    if kind == "complaint":
        return np.isin(chart.complaint, [model.complaints.index(c) for c in options if c in model.complaints])
    if kind == "present":
        return np.logical_or.reduce([chart.present(k) for k in options])
    if kind == "sex":
        return chart.context.sex == "FM".index(names)
    if kind == "picture":
        key, _, which = names.partition("=")
        return np.isin(chart.picture[:, sample_layout().at[key]], [int(i) for i in which.split("|")])
    if kind == "value":
        key, _, limit = names.partition(">")
        return chart.value(key) > float(limit)
    if kind in ("low", "high"):
        return _unusual(chart, next(q for q in model.quantities if q.key == names), low=kind == "low")
    raise InputError("A rule in orders.csv.", f"The part {part!r} is not known.", "Use group, complaint, present, ...")


def _unusual(chart: Chart, q: Quantity, *, low: bool) -> Bools:
    distance = (q.scale(chart.value(q.key)) - chart.healthy(q)) / q.sd_healthy
    found: Bools = distance < -_LOW if low else distance > _LOW
    return found


def repeat_vitals(rng: np.random.Generator, chart: Chart, model: Model) -> None:
    """Take vital signs again: more often where the first were unusual."""
    quantities = {q.key: q for q in model.quantities}
    worrying = np.logical_or.reduce([_unusual(chart, quantities[k], low=k in ("spo2", "sbp")) for k in REPEATED])
    habit = np.array([0.5, 0.4, 0.3, 0.1])[chart.site]
    chance = np.where(worrying, 0.6, 0.12) * habit
    for again in (1, 2):
        taken = rng.random(len(chart)) < chance
        for key in REPEATED:
            q, slot = quantities[key], sample_layout().at[key]
            rows = np.flatnonzero(taken & (chart.status[:, slot + again - 1] == PRESENT))
            draw_repeat(rng, chart, q, rows, quantities.get(q.leader), again)


def derive_signs(chart: Chart, model: Model) -> None:
    """Record the signs that follow from a vital sign and the age, where the site's system computes them."""
    quantities = {q.key: q for q in model.quantities}
    derives = np.array([s["derives"] == "true" for s in model.sites])[chart.site]
    for row in read_table("derived"):
        q = quantities[row["from"]]
        distance = (q.scale(chart.value(q.key)) - chart.healthy(q)) / q.sd_healthy
        beyond = distance < -float(row["sd"]) if row["direction"] == "below" else distance > float(row["sd"])
        status = np.where(beyond, PRESENT, ABSENT)
        # Only what stands out is put on the chart: a computed "no" for every case would tell nobody anything.
        shown = derives & ~np.isnan(distance) & beyond
        chart.status[:, sample_layout().at[row["finding"]]] = np.where(shown, status, UNRECORDED)
