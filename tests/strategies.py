"""Hypothesis strategies: small random sets of records, as tables of format 1."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from diagnosis.records import TABLES, Records
from diagnosis.records.schema import Column

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
    "onset_days": pa.float64(),
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
    row["onset_days"] = draw(st.none() | st.sampled_from([0.0, 1.0, 14.0, -3.0, 1e300]))
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


# Ids, codes and words that readers have spoilt somewhere: numbers to be, missing values to be, separators, line ends.
ODD_TEXTS = (
    *("001", "NA", "nan", "null", "None", "1e5", "39.4", "-0", "+5", "true", "2024-01-01", "0x10", "inf"),
    *("发热", "体温：高，咳嗽", "１２３", "ｆｅｖｅｒ", "é", "\u00a0", "\ufeff", "🤒", "a b", " a", "a ", "'", "=1+1"),
    *(",", '"', 'a"b', '""', "a,b", "a\nb", "a\r\nb", "\r", "\t", "\\", "|", ";", "#", "\x00", "\x1f"),
)
#: Columns that the format does not know; those that start with ``x_`` are meant to be there.
CARRIED = ("x_note", "x_1", "ward", "说明", "a,b", 'q"', "Code ")


def texts() -> st.SearchStrategy[str]:
    """Text that is not empty: words that have been spoilt somewhere, and any other."""
    return st.sampled_from(ODD_TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


def column_values(column: Column) -> st.SearchStrategy[Any]:
    """Anything that one column of the format may hold, other than nothing."""
    low = -1e300 if column.low is None else column.low
    high = 1e300 if column.high is None else column.high
    pairs = st.tuples(texts(), st.floats(0, 1)).map(lambda p: {"diagnosis": p[0], "probability": p[1]})
    return {
        "text": texts(),
        "code": texts(),
        "choice": st.sampled_from(column.choices or ("",)),
        "number": st.floats(low, high, allow_nan=False),
        "integer": st.integers(int(max(low, -(2**53))), int(min(high, 2**53))),
        "flag": st.booleans(),
        "time": st.datetimes(timezones=st.just(UTC)),
        "differential": st.lists(pairs, max_size=3),
    }[column.type]


@st.composite
def table_rows(draw: st.DrawFn, name: str, case_ids: list[str], max_rows: int = 4) -> dict[str, list[Any]]:
    """Columns of one table of the format: the required ones, some others, and some that the format does not know."""
    layout = TABLES[name].columns
    required = [c for c in layout.values() if c.required]
    optional = draw(st.lists(st.sampled_from([c for c in layout.values() if not c.required]), unique=True, max_size=6))
    n = draw(st.integers(0, max_rows))
    made: dict[str, list[Any]] = {}
    for column in (*required, *optional):
        some = st.sampled_from(case_ids) if column.name == "case_id" else column_values(column)
        filled = some if column.required else st.none() | some
        unique = column.name == "code" and name in ("vocabulary", "diagnoses")
        made[column.name] = draw(st.lists(filled, min_size=n, max_size=n, unique=unique))
    for extra in draw(st.lists(st.sampled_from(CARRIED), unique=True, max_size=2)):
        made[extra] = draw(st.lists(st.none() | texts(), min_size=n, max_size=n))
    return made


@st.composite
def whole_tables(draw: st.DrawFn, *, max_cases: int = 4) -> dict[str, pa.Table]:
    """A valid set of records with any tables and any columns of the format, typed as Arrow holds them."""
    ids = draw(st.lists(texts(), min_size=1, max_size=max_cases, unique=True))
    tables = {"cases": draw(table_rows("cases", ids)), "findings": draw(table_rows("findings", ids, max_rows=8))}
    tables["cases"] = {c: (v * len(ids))[: len(ids)] for c, v in tables["cases"].items() if v}
    tables["cases"]["case_id"] = ids
    _without_contradictions(tables["findings"])
    others = [n for n in TABLES if n not in ("cases", "findings")]
    for name in draw(st.lists(st.sampled_from(others), unique=True, max_size=3)):
        tables[name] = draw(table_rows(name, ids))
    return {name: typed_table(name, columns) for name, columns in tables.items()}


def typed_table(name: str, columns: dict[str, list[Any]]) -> pa.Table:
    """Columns of Python values as Arrow, in the types of the format (codes as plain text)."""
    made = {}
    for column, rows in columns.items():
        layout = TABLES[name].column(column)
        kind = layout.arrow if layout else pa.string()
        made[column] = pa.array(rows, pa.string() if pa.types.is_dictionary(kind) else kind)
    return pa.table(made)


def _without_contradictions(findings: dict[str, list[Any]]) -> None:
    """Make uncertain what says the opposite of an earlier row at the same instant; values stay with *present* alone."""
    n = len(findings["status"])
    blank: list[Any] = [None] * n
    keys = [findings["case_id"], findings["code"], [s or "patient" for s in findings.get("subject", blank)]]
    keys += [findings.get(c, blank) for c in ("body_site", "laterality", "time")]
    phases = zip(findings.get("time", blank), findings.get("phase", blank), strict=True)
    keys.append([None if time else phase for time, phase in phases])
    seen: dict[tuple[Any, ...], str] = {}
    for i, key in enumerate(zip(*keys, strict=True)):
        status = findings["status"][i]
        if status != "uncertain" and seen.setdefault(key, status) != status:
            findings["status"][i] = "uncertain"
        if findings["status"][i] != "present" and "value" in findings:
            findings["value"][i] = None


def whole_records() -> st.SearchStrategy[Records]:
    """Records with any tables and columns of the format."""
    info = st.fixed_dictionaries({"format": st.just(1)}, optional={"synthetic": st.booleans(), "source": texts()})
    return st.builds(Records.from_tables, whole_tables(), info)
