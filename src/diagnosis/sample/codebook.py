"""The cohort's vocabulary, diagnoses, sites and records.json, from the tables it is drawn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from diagnosis.sample.model import OTHER, Model, sample_model
from diagnosis.sample.prior import sample_prior
from diagnosis.sample.tables import AGE_BANDS, EDGES, Row

__all__ = ["NOTICE", "diagnoses_table", "records_info", "sites_table", "vocabulary_table"]

NOTICE = "Synthetic: no row stands for a person. For software tests and teaching, not for the care of patients."


def vocabulary_table() -> pa.Table:
    """Return the vocabulary of the cohort, one row a code."""
    rows = sample_model().findings
    text = ("code", "system", "name", "name_zh", "synonyms", "kind", "phase", "unit", "question", "question_zh")
    columns: dict[str, pa.Array] = {name: _text(rows, name) for name in text}
    columns["askable"] = pa.array([r["askable"] == "true" for r in rows])
    columns["invasive"] = pa.array([r["specimen"] in ("cerebrospinal fluid", "arterial blood") for r in rows])
    columns["hpo"] = _text(rows, "hpo")
    columns["loinc"] = _text(rows, "loinc")
    return pa.table(columns)


def diagnoses_table() -> pa.Table:
    """Return the listed diagnoses and `OTHER`; ages are those at which the cohort holds them."""
    model = sample_model()
    rows = [r for r in model.illnesses if r["hidden"] != "true"]
    youngest, oldest = _ages(model)
    here = [i for i, r in enumerate(model.illnesses) if r["hidden"] != "true"]
    columns: dict[str, pa.Array] = {"code": pa.array([*(r["code"] for r in rows), OTHER])}
    columns["system"] = pa.array([*("ICD-10" for _ in rows), "diagnosis"])
    other = {
        "name": "None of the listed",
        "name_zh": "不在所列诊断之中",
        "synonyms": "other diagnosis;out of scope".replace(";", "|"),
        "synonyms_zh": "其他诊断",
    }
    for name, last in other.items():
        columns[name] = pa.array([*((r[name].replace(";", "|") or None) for r in rows), last])
    columns["icd10"] = pa.array([*(r["code"] for r in rows), None])
    columns["severity"] = pa.array([*(int(r["severity"]) for r in rows), None], pa.int64())
    columns["must_not_miss"] = pa.array([*(r["must_not_miss"] == "true" for r in rows), False])
    columns["department"] = pa.array([*(r["department"] for r in rows), None])
    columns["sex"] = pa.array([*((r["sex"] or None) for r in rows), None], pa.string())
    columns["age_min_days"] = pa.array([*(float(youngest[i]) for i in here), None], pa.float64())
    columns["age_max_days"] = pa.array([*(float(oldest[i]) for i in here), None], pa.float64())
    return pa.table(columns)


def sites_table() -> pa.Table:
    """Return the four sites."""
    rows = sample_model().sites
    columns: dict[str, pa.Array] = {n: _text(rows, n) for n in ("site", "name", "name_zh", "tier", "region")}
    columns["altitude_m"] = pa.array([float(r["altitude_m"]) for r in rows])
    columns["timezone"] = _text(rows, "timezone")
    return pa.table(columns)


def records_info(seed: int) -> dict[str, object]:
    """Return what `records.json` holds."""
    return {
        "format": 1,
        "synthetic": True,
        "notice": NOTICE,
        "source": f"diagnosis.sample generator, seed {seed}",
        "licence": "CC0-1.0",
        "timezone": "Asia/Shanghai",
        "systems": {"ICD-10": "2019", "HPO": "2025-01-16", "LOINC": "unstated", "UCUM": "2.1", "diagnosis": "1"},
        "sampling": "enriched",
        "period": ["2022-01-01", "2023-12-31"],
    }


def _ages(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """First and last day of age at which each illness is drawn."""
    shape = (len(model.sites), 12, len(AGE_BANDS), -1, len(model.illnesses))
    seen = sample_prior().drawn.reshape(shape).sum(axis=(0, 1, 3)) > 0
    first = seen.argmax(axis=0)
    last = len(AGE_BANDS) - 1 - seen[::-1].argmax(axis=0)
    return np.ceil(EDGES[first]), np.ceil(EDGES[last + 1])


def _text(rows: Sequence[Row], column: str) -> pa.Array:
    return pa.array([r[column] or None for r in rows], pa.string())
