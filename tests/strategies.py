"""Hypothesis strategies: small random sets of records, as tables of format 1."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

# Codes that have gone wrong somewhere: Chinese, full-width, JSON characters, a separator, what looks like a number,
# a missing value, a subject or a part of the context.
CODES = (
    "fever",
    "cough",
    "体温：高",
    'a"b{c}[d],e',
    "001",
    "NA",
    "mother/asthma",
    "age",
    "x:y=z",
    "CRP",
    "temperature",
)
MEASURED = {"CRP": ("mg/L", "mg/dL", None), "temperature": ("Cel", "[degF]", "kg")}
TEXTS = ("dry", "productive", "干咳", "dry=wet")
SUBJECTS = (None, None, "patient", "mother", "family")
START = datetime(2024, 1, 1, tzinfo=UTC)

_FINDING_TYPES = {
    "case_id": pa.string(),
    "code": pa.string(),
    "status": pa.string(),
    "value": pa.float64(),
    "unit": pa.string(),
    "text": pa.string(),
    "subject": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
    "known": pa.timestamp("us", tz="UTC"),
    "ref_low": pa.float64(),
    "ref_high": pa.float64(),
    "interpretation": pa.string(),
}
_CASE_TYPES = {
    "case_id": pa.string(),
    "age_years": pa.float64(),
    "age_days": pa.float64(),
    "sex": pa.string(),
    "pregnant": pa.string(),
    "diagnosis": pa.string(),
}


def values() -> st.SearchStrategy[float]:
    """Values as laboratories report them, and some that nobody should."""
    usual = st.sampled_from([0.0, 0.5, 3.0, 5.0, 12.5, 37.0, 39.4, 98.6, 365.0])
    return usual | st.floats(-1e12, 1e12, allow_nan=False) | st.sampled_from([1e300, -1e300, 5e-324])


@st.composite
def finding_rows(draw: st.DrawFn, repeats: bool = True) -> list[dict[str, Any]]:
    """Rows of one case: any states, and of a repeated finding each row at a time of its own."""
    names = st.tuples(st.sampled_from(CODES), st.sampled_from(SUBJECTS))
    findings = draw(st.lists(names, max_size=6, unique_by=lambda name: (name[0], name[1] or "patient")))
    rows: list[dict[str, Any]] = []
    for code, subject in findings:
        n = draw(st.integers(1, 3)) if repeats else 1
        hours = draw(st.lists(st.integers(0, 72), min_size=n, max_size=n, unique=True))
        rows += [draw(_row(code, subject, START + timedelta(hours=hour))) for hour in hours]
    return draw(st.permutations(rows))


@st.composite
def _row(draw: st.DrawFn, code: str, subject: str | None, time: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {"code": code, "subject": subject, "time": time}
    row["known"] = draw(st.none() | st.just(time + timedelta(minutes=30)))
    row["status"] = draw(st.sampled_from(["present", "absent", "uncertain"]))
    row["text"] = draw(st.none() | st.sampled_from(TEXTS))
    if row["status"] == "present" and code in MEASURED and draw(st.booleans()):
        row["value"] = draw(values())
        row["unit"] = draw(st.sampled_from(MEASURED[code]))
        row["ref_low"], row["ref_high"] = draw(st.sampled_from([(None, None), (0.0, 5.0), (None, 38.0), (36.0, None)]))
    row["interpretation"] = draw(st.none() | st.sampled_from(["L", "LL", "N", "H", "HH", "POS"]))
    return row


def case_rows() -> st.SearchStrategy[dict[str, Any]]:
    """One row of `cases` without its id; everything may be missing."""
    return st.fixed_dictionaries(
        {},
        optional={
            "age_years": st.none() | st.floats(0, 110),
            "age_days": st.none() | st.integers(0, 40_000).map(float),
            "sex": st.sampled_from([None, "female", "male", "other", "unknown"]),
            "pregnant": st.sampled_from([None, "yes", "no", "unknown"]),
            "diagnosis": st.sampled_from([None, "flu", "measles", "appendicitis"]),
        },
    )


@st.composite
def record_tables(
    draw: st.DrawFn, *, min_cases: int = 1, max_cases: int = 8, repeats: bool = True
) -> dict[str, pa.Table]:
    """A valid set of records: tables `cases` and `findings`.

    Parameters
    ----------
    min_cases, max_cases : int
    repeats : bool
        Whether a case may record a finding more than once, at different times.
    """
    n = draw(st.integers(min_cases, max_cases))
    cases = [{**draw(case_rows()), "case_id": f"{i:03d}"} for i in range(n)]
    findings = [{**row, "case_id": case["case_id"]} for case in cases for row in draw(finding_rows(repeats))]
    return {"cases": _table(cases, _CASE_TYPES), "findings": _table(findings, _FINDING_TYPES)}


def _table(rows: list[dict[str, Any]], types: dict[str, pa.DataType]) -> pa.Table:
    return pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in types.items()})
