"""Draw a cohort of any size: in memory as tables, or block by block into a folder of Parquet parts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from diagnosis.sample.cases import case_rows, draw_disposition, draw_informant, draw_stay
from diagnosis.sample.chart import new_chart
from diagnosis.sample.clock import draw_clock
from diagnosis.sample.findings import draw_course
from diagnosis.sample.labels import NOISE, draw_labels, draw_recorded
from diagnosis.sample.model import sample_model
from diagnosis.sample.ordering import ask_and_examine, derive_signs, follow_orders, repeat_vitals
from diagnosis.sample.population import PATIENTS_PER_CASE, draw_encounters
from diagnosis.sample.rows import finding_rows

__all__ = ["BLOCK", "draw_block"]

#: Cases drawn together, each block from a seed of its own.
BLOCK = 8192


def draw_block(seed: int, block: int, n: int) -> tuple[dict[str, pa.Table], np.ndarray]:
    """Draw the `block`-th block of a cohort; it depends on the seed, its number and its size alone."""
    rng = np.random.default_rng([seed, block])
    model = sample_model()
    e = draw_encounters(rng, n)
    chart = new_chart(rng, model, e)
    ask_and_examine(rng, chart, model)
    follow_orders(rng, chart, model)
    repeat_vitals(rng, chart, model)
    derive_signs(chart, model)
    age_days = np.where(np.isnan(e.age_days), e.age_years * 365.25, e.age_days)
    draw_course(rng, chart, model, age_days)
    disposition = draw_disposition(rng, model, e.state, e.site)
    clock = draw_clock(rng, model, e.start, e.site, draw_stay(rng, disposition), chart.status >= 0)
    recorded = draw_recorded(rng, e.illness, NOISE)
    informant = draw_informant(rng, chart)
    ids = _ids("C", block * BLOCK, np.arange(n)), _ids("P", round(block * BLOCK * PATIENTS_PER_CASE), e.patient)
    tables = {
        "cases": case_rows(rng, model, e, chart, clock, ids, informant, recorded, disposition),
        "findings": finding_rows(chart, clock, ids[0], informant, model),
        "labels": draw_labels(rng, model, ids[0], e.illness, recorded, e.follow_up, clock),
    }
    return tables, e.illness


def _ids(letter: str, first: int, index: np.ndarray) -> pa.Array:
    return pa.array(np.char.add(letter, np.char.zfill((first + 1 + index).astype(str), 7)), pa.string())
