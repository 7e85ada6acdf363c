"""Cases, judgements and findings of packets -> tables of format 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from diagnosis.readers.phenopackets.judgements import Judgement
from diagnosis.readers.phenopackets.packets import Packets

__all__ = ["safe_patients", "tables_of"]

_CASES: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("case_id", "patient_id"), pa.string()),
    **dict.fromkeys(("age_years", "age_days"), pa.float64()),
    **dict.fromkeys(("sex", "time", "end_time", "group", "diagnosis", "outcome", "outcome_time"), pa.string()),
    **dict.fromkeys(("x_age", "x_death", "x_disease_onset"), pa.string()),
    "x_disease_onset_age_years": pa.float64(),
}
_LABELS: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("diagnosis", "role", "status"), pa.string()),
    "rank": pa.int64(),
    "probability": pa.float64(),
}


def tables_of(read: Packets) -> tuple[dict[str, pa.Table], int]:
    """The tables, without empty columns, and how many patient ids had to be qualified by their group."""
    qualified = safe_patients(read.cases)
    cases = _table_of(read.cases, _CASES, ("case_id",))
    ids = cases["case_id"].combine_chunks()
    made = {"cases": cases, "findings": read.findings.table(ids)}
    if read.labels:
        whose = ids.take(pa.array(np.asarray(read.label_case)))
        made["labels"] = _labels(read.labels).add_column(0, "case_id", whose)
    if len(read.actions):
        made["actions"] = read.actions.table(ids)
    vocabulary = read.findings.words()
    used = dict.fromkeys([*(c["diagnosis"] for c in read.cases if "diagnosis" in c), *(j[0] for j in read.labels)])
    diagnoses = read.diseases.table(used)
    made |= {name: t for name, t in (("vocabulary", vocabulary), ("diagnoses", diagnoses)) if t is not None}
    return made, qualified


def safe_patients(cases: list[dict[str, Any]]) -> int:
    """Qualify the ids of subjects that stand in several groups: "patient 1" of two publications is two people.

    Returns how many ids were. An id that stands in one group is left as it is.
    """
    groups: dict[str, set[Any]] = {}
    for case in cases:
        if "patient_id" in case:
            groups.setdefault(case["patient_id"], set()).add(case.get("group"))
    shared = {identity for identity, named in groups.items() if len(named) > 1}
    for case in cases:
        if case.get("patient_id") in shared and "group" in case:
            case["patient_id"] = f"{case['group']}/{case['patient_id']}"
    return len(shared)


def _table_of(rows: list[dict[str, Any]], types: Mapping[str, pa.DataType], needed: Iterable[str]) -> pa.Table:
    filled = {name for row in rows for name in row} | set(needed)
    return pa.table(
        {name: pa.array([r.get(name) for r in rows], kind) for name, kind in types.items() if name in filled}
    )


def _labels(labels: list[Judgement]) -> pa.Table:
    columns = {name: pa.array([getattr(j, name) for j in labels], kind) for name, kind in _LABELS.items()}
    return pa.table({n: c for n, c in columns.items() if c.null_count < len(c) or n in ("diagnosis", "status")})
