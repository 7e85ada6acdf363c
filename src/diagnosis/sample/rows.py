"""From a filled-in chart to the rows of the findings table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.sample.chart import ABSENT, PRESENT, Chart, sample_layout
from diagnosis.sample.clock import Clock, minutes_to_utc
from diagnosis.sample.findings import ONSETS
from diagnosis.sample.model import Model, sample_model
from diagnosis.sample.tables import AGE_BANDS, SEVERITIES

__all__ = ["finding_rows"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_TIME = pa.timestamp("us", tz="UTC")
_STATES = ["present", "absent", "uncertain"]
_REPORTER = {"examination": "doctor", "bedside": "nurse", "laboratory": "laboratory", "imaging": "doctor"}
_FAR = 2.0


def finding_rows(chart: Chart, clock: Clock, case_ids: pa.Array, informant: Sequence[str], model: Model) -> pa.Table:
    """Return the findings of a block of cases, sorted by case and within it by phase."""
    slots = chart.status.shape[1]
    flat = np.flatnonzero(chart.status.ravel() >= 0)
    case, slot = flat // slots, flat % slots
    status = chart.status.ravel()[flat]
    own = np.array([sample_layout().at[c] for c in model.complaints])[chart.complaint][case] == slot
    value = chart.given.ravel()[flat]
    low, high = _references(model)
    site = chart.site[case]
    band = chart.context.band[case]
    low, high = low[band, site, slot], high[band, site, slot]
    bound = chart.bound.ravel()[flat]
    columns = {
        "case_id": pa.DictionaryArray.from_arrays(pa.array(case.astype(np.int32)), case_ids),
        "code": _coded(_column("code")[0][slot], _column("code")[1]),
        "status": _coded(status, _STATES),
        "value": _numbers(value),
        "comparator": _coded(np.where(bound < 0, 0, np.where(bound > 0, 1, -1)), ["<", ">"]),
        "unit": _coded(np.where(np.isnan(value), -1, _units()[0][site, slot]), _units()[1]),
        "text": _texts(chart.picture.ravel()[flat], slot, model),
        "time": pa.array(minutes_to_utc(clock.observed.ravel()[flat]), _TIME),
        "known": pa.array(minutes_to_utc(clock.known.ravel()[flat]), _TIME),
        "onset_days": _numbers(np.where(own & (chart.onset[case] >= 0), ONSETS[chart.onset[case]], np.nan)),
        "phase": _phase(slot, own),
        "elicited": _elicited(slot, chart.volunteered.ravel()[flat]),
        "reporter": _reporter(slot, np.array([r == "self" for r in informant])[case]),
        "subject": _coded(_column("subject")[0][slot], _column("subject")[1]),
        "severity": _coded(np.where(own, chart.how_bad[case], -1), list(SEVERITIES)),
        "ref_low": _numbers(np.where(np.isnan(value), np.nan, low)),
        "ref_high": _numbers(np.where(np.isnan(value), np.nan, high)),
        "interpretation": _interpretation(value, low, high, status, slot),
        "specimen": _coded(_column("specimen")[0][slot], _column("specimen")[1]),
    }
    return pa.table(columns)


def _coded(codes: npt.NDArray[np.integer], names: Sequence[str]) -> pa.DictionaryArray:
    """Return a dictionary column; code -1 is missing."""
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def _numbers(values: Floats) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)


@lru_cache(maxsize=8)
def _column(name: str) -> tuple[Ints, list[str]]:
    """Return one column of the findings' table by slot, as codes and names; empty is -1."""
    texts = [r[name] for r in sample_layout().rows]
    names = sorted({t for t in texts if t})
    return np.array([names.index(t) if t else -1 for t in texts]), names


@lru_cache(maxsize=1)
def _units() -> tuple[Ints, list[str]]:
    """Unit of each slot by site, as codes and names."""
    model = sample_model()
    quantities = {q.key: q for q in model.quantities}
    names = sorted({u for q in model.quantities for u in (q.unit, q.alt_unit) if u})
    codes = np.full((len(model.sites), len(sample_layout())), -1)
    for i, s in enumerate(model.sites):
        for j, row in enumerate(sample_layout().rows):
            q = quantities.get(row["key"])
            if q is not None:
                codes[i, j] = names.index(q.alt_unit if s["units"] == "conventional" and q.alt_unit else q.unit)
    return codes, names


@lru_cache(maxsize=1)
def _references(model: Model) -> tuple[Floats, Floats]:
    """Reference ranges by age band, site and slot: where 95 % of the healthy lie; NaN where a site states none."""
    shape = (len(AGE_BANDS), len(model.sites), len(sample_layout()))
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    for q in model.quantities:
        slot = sample_layout().at[q.key]
        if sample_layout().rows[slot]["kind"] != "laboratory":
            continue
        for i, s in enumerate(model.sites):
            if s["ranges"] != "true":
                continue
            other = s["units"] == "conventional" and bool(q.alt_unit)
            for side, table, sign in (("low", low, -1), ("high", high, 1)):
                if q.reference in (side, "both"):
                    edge = q.unscale(q.healthy[:, i] + sign * 1.96 * q.sd_healthy)
                    edge = np.round(np.clip(edge, q.lowest, q.highest), q.decimals).astype(np.float64)
                    table[:, i, slot] = np.round(edge * q.alt_factor + q.alt_offset, q.alt_decimals) if other else edge
    return low, high


def _texts(picture: npt.NDArray[np.int8], slot: Ints, model: Model) -> pa.DictionaryArray:
    names: list[str] = []
    first = np.zeros(len(sample_layout()), dtype=np.int64)
    for key, pictures in zip(model.choices, model.picture_names, strict=True):
        first[sample_layout().at[key]] = len(names)
        names.extend(pictures)
    unique = sorted(set(names))
    at = np.array([unique.index(n) for n in names])
    codes = np.where(picture >= 0, at[np.where(picture >= 0, first[slot] + picture, 0)], -1)
    return _coded(codes, unique)


def _phase(slot: Ints, own: Bools) -> pa.DictionaryArray:
    codes, names = _column("phase")
    return _coded(np.where(own, len(names), codes[slot]), [*names, "chief_complaint"])


def _elicited(slot: Ints, volunteered: Bools) -> pa.DictionaryArray:
    names = ["volunteered", "asked", "measured", "derived"]
    rows = sample_layout().rows
    usual = np.array([3 if r["model"] == "derived" else 1 if r["phase"] == "history" else 2 for r in rows])
    return _coded(np.where(volunteered, 0, usual[slot]), names)


def _reporter(slot: Ints, by_self: Bools) -> pa.DictionaryArray:
    names = ["patient", "guardian", "nurse", "doctor", "laboratory", "algorithm", "device"]
    rows = sample_layout().rows
    usual = np.array([names.index(_REPORTER.get(r["phase"], "patient")) for r in rows])
    usual = np.where([r["model"] == "derived" for r in rows], names.index("algorithm"), usual)
    usual = np.where([r["panel"] in ("oximetry", "ecg", "tcb") for r in rows], names.index("device"), usual)
    told = np.array([r["phase"] == "history" for r in rows])
    return _coded(np.where(told[slot], np.where(by_self, 0, 1), usual[slot]), names)


def _interpretation(
    value: Floats, low: Floats, high: Floats, status: npt.NDArray[np.int8], slot: Ints
) -> pa.DictionaryArray:
    """L, H and N against the stated range, LL and HH far out; POS and NEG of tests; A and NEG of pictures."""
    names = ["L", "LL", "H", "HH", "N", "A", "POS", "NEG"]
    rows = sample_layout().rows
    test = np.array([r["model"] == "yes_no" and r["panel"] != "" for r in rows])[slot]
    picture = np.array([r["model"] == "choice" and r["panel"] != "" for r in rows])[slot]
    below, above = value < low, value > high
    codes = np.where(below, np.where(value * _FAR < low, 1, 0), np.where(above, np.where(value > _FAR * high, 3, 2), 4))
    codes = np.where(np.isnan(low) & np.isnan(high), -1, codes)
    codes = np.where(np.isnan(value), -1, codes)
    for kind, positive in ((test, 6), (picture, 5)):
        codes = np.where(kind & (status == PRESENT), positive, np.where(kind & (status == ABSENT), 7, codes))
    return _coded(codes, names)
