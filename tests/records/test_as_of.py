"""What was known at a moment: later rows change nothing, and everything set aside is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import record_tables

from diagnosis.errors import InputError
from diagnosis.records import Records
from diagnosis.records.schema import PHASES

HOUR = 3_600_000_000
DAY = 1_704_067_200_000_000  # 2024-01-01, in microseconds


def timed(rows: list[tuple[str, str, str, float | None, float | None]], **cases: list[float | None]) -> Records:
    """Findings (case, code, status, hour observed, hour known) of cases a and b, whose times are hours as well."""

    def clock(hours: list[float | None]) -> pa.Array:
        return pa.array([None if h is None else DAY + int(h * HOUR) for h in hours], pa.timestamp("us", "UTC"))

    return Records.from_tables(
        {
            "cases": {"case_id": ["a", "b"], **{name: clock(hours) for name, hours in cases.items()}},
            "findings": {
                "case_id": [r[0] for r in rows],
                "code": [r[1] for r in rows],
                "status": [r[2] for r in rows],
                "time": clock([r[3] for r in rows]),
                "known": clock([r[4] for r in rows]),
            },
        }
    )


def codes(records: Records) -> list[str]:
    return [str(records.coded.codes[c]) for c in records.coded.code]


ROWS: list[tuple[str, str, str, float | None, float | None]] = [
    ("a", "fever", "present", 1, None),
    ("a", "culture", "present", 1, 30),
    ("a", "cough", "absent", None, None),
    ("b", "fever", "absent", 3, 3),
    ("b", "rash", "present", 5, 6),
]


@pytest.mark.parametrize(
    ("at", "left", "later"),
    [
        ("arrival", ["cough"], 4),
        ("index", ["fever", "cough", "fever"], 2),
        ("end", ["fever", "culture", "cough", "fever"], 1),
        (1, ["fever", "cough"], 3),
        (3.0, ["fever", "cough", "fever"], 2),
        (np.float64(-5), ["cough"], 4),
    ],
)
def test_moments(at: Any, left: list[str], later: int) -> None:
    records = timed(ROWS, time=[0, 0], index_time=[2, 4], end_time=[48, 5.5])
    seen = records.as_of(at)
    assert codes(seen) == left
    assert seen.moment is not None
    assert (seen.moment.rows, seen.moment.later, seen.moment.untimed) == (5, later, 1)
    assert len(seen) == 2


def test_a_case_without_an_index_time_is_taken_as_of_its_end() -> None:
    seen = timed(ROWS, index_time=[None, 4], end_time=[2, None]).as_of("index")
    assert codes(seen) == ["fever", "cough", "fever"]
    assert seen.moment is not None
    assert seen.moment.no_moment == 0


def test_a_case_that_does_not_say_when_keeps_everything_and_is_counted() -> None:
    seen = timed(ROWS, end_time=[2, None]).as_of("end")
    assert codes(seen) == ["fever", "cough", "fever", "rash"]
    assert seen.moment is not None
    assert seen.moment.no_moment == 1
    assert "1 cases do not say when that is" in str(seen.moment)
    assert timed(ROWS).as_of("arrival").moment.no_moment == 2  # type: ignore[union-attr]


def test_what_becomes_of_findings_without_times() -> None:
    records = timed(ROWS, end_time=[48, 48])
    kept, dropped = (records.as_of("end", unknown_time=u) for u in ("keep", "drop"))  # type: ignore[arg-type]
    assert "cough" in codes(kept)
    assert "cough" not in codes(dropped)
    assert "20% without a time, kept" in str(kept.moment)
    assert "20% without a time, dropped" in str(dropped.moment)
    assert len(kept.coded) == len(dropped.coded) + 1


def test_by_phase_as_the_clock_where_there_are_no_times() -> None:
    columns = {"case_id": ["a"] * 9, "code": [*PHASES, "none"], "status": ["present"] * 9, "phase": [*PHASES, None]}
    records = Records.from_tables({"cases": {"case_id": ["a"]}, "findings": columns})
    assert codes(records.as_of(phase="examination")) == ["chief_complaint", "history", "examination", "none"]
    seen = records.as_of(phase="examination", unknown_time="drop")
    assert codes(seen) == ["chief_complaint", "history", "examination"]
    assert seen.moment is not None
    assert (seen.moment.at, seen.moment.later, seen.moment.untimed) == ("examination", 5, 1)
    # A row that names its phase says when it was known, so it is not dropped for want of a time.
    both = records.as_of("end", phase="history", unknown_time="drop")
    assert codes(both) == ["chief_complaint", "history"]
    assert both.moment.at == "end and history"  # type: ignore[union-attr]


def test_by_phase_where_no_row_says_one() -> None:
    records = timed(ROWS)
    assert len(records.as_of(phase="history").coded) == 5
    assert len(records.as_of(phase="history", unknown_time="drop").coded) == 0


def test_no_moment_is_the_records_themselves() -> None:
    records = timed(ROWS)
    assert records.as_of() is records
    assert records.moment is None


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        ({"at": "arival"}, ("arrival",)),
        ({"at": float("nan")}, ()),
        ({"at": float("inf")}, ()),
        ({"at": 1e300}, ()),
        ({"at": True}, ()),
        ({"at": [24]}, ()),
        ({"at": "end", "unknown_time": "kepp"}, ()),
        ({"unknown_time": "kepp"}, ()),
        ({"phase": "imagin"}, ("imaging",)),
    ],
)
def test_moments_that_are_none(arguments: dict[str, Any], near: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        timed(ROWS).as_of(**arguments)
    assert caught.value.near[:1] == near


@st.composite
def clocked(draw: st.DrawFn) -> Records:
    """Records whose cases have times, all or some."""
    tables = draw(record_tables(max_cases=4))
    n = len(tables["cases"])
    for name in ("time", "index_time", "end_time"):
        hours = draw(st.lists(st.none() | st.integers(-5, 80), min_size=n, max_size=n))
        made = pa.array([None if h is None else DAY + h * HOUR for h in hours], pa.timestamp("us", "UTC"))
        tables["cases"] = tables["cases"].append_column(name, made)
    return Records.from_tables(tables)


moments = st.sampled_from(["arrival", "index", "end"]) | st.floats(-10, 100)


@settings(max_examples=30)
@given(records=clocked(), at=moments, known=st.booleans())
def test_future_blind(records: Records, at: Any, known: bool) -> None:
    """Rows known after the moment change nothing, whatever they say."""
    findings = records.arrow("findings")
    # Each at an instant of its own, so that none contradicts another.
    ticks = [DAY + (500 + i) * HOUR for i in range(len(findings))]
    late = pa.array(ticks, pa.timestamp("us", "UTC"))
    later = findings.set_column(findings.column_names.index("time"), "time", late)
    later = later.set_column(
        later.column_names.index("known"), "known", late if known else pa.nulls(len(late), late.type)
    )
    plain = pa.concat_tables([t.cast(_plain(t.schema)) for t in (findings, later)])
    more = Records.from_tables({"cases": records.arrow("cases"), "findings": plain})
    seen, same = records.as_of(at), more.as_of(at)
    assert seen.moment is not None
    assert same.moment is not None
    if seen.moment.no_moment == 0:
        assert same.digest() == seen.digest()
        assert same.moment.later == seen.moment.later + len(findings)
    else:  # a case that does not say when keeps all of its rows
        without = {c for c, n in zip(records.case_ids, _has_no_moment(records, at), strict=True) if n}
        kept = np.array([c not in without for c in records.case_ids], bool)
        assert same[kept].digest() == seen[kept].digest()


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([f.with_type(pa.string()) if pa.types.is_dictionary(f.type) else f for f in schema])


def _has_no_moment(records: Records, at: Any) -> np.ndarray:
    missing = {n: np.isnat(records.column(n)) for n in ("time", "index_time", "end_time")}
    if at == "index":
        return missing["index_time"] & missing["end_time"]
    return missing[{"arrival": "time", "end": "end_time"}.get(at, "time")]


@settings(max_examples=30)
@given(records=clocked(), at=moments, unknown=st.sampled_from(["keep", "drop"]))
def test_counts_add_up(records: Records, at: Any, unknown: Any) -> None:
    seen = records.as_of(at, unknown_time=unknown)
    assert seen.moment is not None
    aside = seen.moment.later + (seen.moment.untimed if unknown == "drop" else 0)
    assert len(records.coded) == seen.moment.rows == len(seen.coded) + aside
    assert seen.as_of(at, unknown_time=unknown).digest() == seen.digest()
    assert seen.case_ids.tolist() == records.case_ids.tolist()
