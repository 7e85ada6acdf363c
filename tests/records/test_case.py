"""Cases by hand: their repr can be pasted, and they go through records unchanged."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import column_values, texts

from diagnosis.errors import InputError, RecordsError, UnknownNameError
from diagnosis.records import TABLES, Case, Finding, Records


@st.composite
def some_fields(draw: st.DrawFn, table: str) -> dict[str, Any]:
    """Any value for some columns of a table."""
    columns = [c for n, c in TABLES[table].columns.items() if n not in ("case_id", "code", "status", "value")]
    chosen = draw(st.lists(st.sampled_from(columns), unique=True, max_size=5))
    return {c.name: draw(column_values(c)) for c in chosen}


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    status = draw(st.sampled_from(["present", "absent", "uncertain"]))
    value = draw(st.none() | st.floats(-1e9, 1e9)) if status == "present" else None
    return Finding(draw(texts()), status, value, **draw(some_fields("findings")))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    # One row a code, so that none contradicts another.
    rows = draw(st.lists(findings(), max_size=3, unique_by=lambda f: f.code))
    given_ = draw(some_fields("cases"))
    if "differential" in given_:
        given_["differential"] = [(d["diagnosis"], d["probability"]) for d in given_["differential"]]
    return Case(rows, case_id=draw(texts()), **given_)


def test_field_names_are_the_columns_of_the_format() -> None:
    assert {f.name for f in fields(Finding)} == set(TABLES["findings"].columns) - {"case_id"}
    assert {f.name for f in fields(Case)} == {*TABLES["cases"].columns, "findings"}


@settings(max_examples=40)
@given(case=cases())
def test_repr_can_be_pasted(case: Case) -> None:
    assert eval(repr(case), {"Case": Case, "Finding": Finding}) == case


@settings(max_examples=40)
@given(made=st.lists(cases(), min_size=1, max_size=3, unique_by=lambda c: c.case_id))
def test_cases_go_through_records_unchanged(made: list[Case]) -> None:
    records = Records.from_cases(made)
    assert [records.case(i) for i in range(len(made))] == made
    assert [records.case(c.case_id) for c in made] == made
    assert records.case(np.int64(-1)) == made[-1]  # type: ignore[arg-type]


def test_a_repr_names_only_what_was_given() -> None:
    case = Case([Finding("fever", value=39.4, unit="Cel"), Finding("cough", "absent")], age_years=4, sex="female")
    assert repr(case) == (
        "Case(findings=(Finding('fever', value=39.4, unit='Cel'), Finding('cough', status='absent')), "
        "age_years=4, sex='female')"
    )


@pytest.mark.parametrize(
    "time",
    [
        "2024-06-30T08:00:00Z",
        "2024-06-30T16:00+08:00",
        datetime(2024, 6, 30, 8, tzinfo=UTC),
        datetime(2024, 6, 30, 16, tzinfo=timezone(timedelta(hours=8))),
        pd.Timestamp("2024-06-30T08:00:00Z"),
    ],
)
def test_the_same_time_is_the_same_however_it_is_given(time: Any) -> None:
    assert Finding("fever", time=time) == Finding("fever", time=datetime(2024, 6, 30, 8, tzinfo=UTC))
    assert "time='2024-06-30T08:00:00+00:00'" in repr(Finding("fever", time=time))


@pytest.mark.parametrize("time", ["2024-06-30", date(2024, 6, 30), datetime(2024, 6, 30), np.datetime64("2024-06-30")])
def test_a_time_without_a_zone_is_in_that_of_the_records(time: Any) -> None:
    case = Case(time=time, index_time="2024-06-30T00:00Z")
    assert case.time == datetime(2024, 6, 30)
    records = Records.from_cases([case], {"timezone": "Asia/Shanghai"})
    assert str(records.column("time")[0]) == "2024-06-29T16:00:00.000000"
    assert str(records.column("index_time")[0]) == "2024-06-30T00:00:00.000000"


@pytest.mark.parametrize("missing", [None, float("nan"), np.float64("nan"), np.datetime64("NaT"), pd.NaT, pd.NA])
def test_what_is_missing_is_none(missing: Any) -> None:
    assert Finding("fever", "absent", value=missing, time=missing) == Finding("fever", "absent")


def test_numbers_of_numpy_become_plain() -> None:
    assert repr(Finding("fever", value=np.float64(39.4), start=np.int64(3))) == "Finding('fever', value=39.4, start=3)"  # type: ignore[arg-type]


def test_a_differential_may_be_a_mapping() -> None:
    assert Case(differential={"flu": 0.7}).differential == (("flu", 0.7),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "near"),
    [
        (lambda: Finding("fever", "presnt"), "present"),
        (lambda: Finding("fever", "PRESENT"), "present"),
        (lambda: Finding("fever", phase="labratory"), "laboratory"),
        (lambda: Finding("fever", subject="mothr"), "mother"),
        (lambda: Finding("fever", interpretation="NEGG"), "NEG"),
        (lambda: Finding("fever", comparator="=<"), "<"),
        (lambda: Case(sex="femal"), "female"),
        (lambda: Case(visit="followup"), "follow_up"),
    ],
)
def test_a_misspelt_word_is_told_the_nearest_and_not_repeated(make: Any, near: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert near in caught.value.near
    assert caught.value.found == "found something else"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Finding("fever", "absent", value=39.4),
        lambda: Finding("fever", None),
        lambda: Finding("fever", 1),
        lambda: Finding("fever", time="yesterday"),
        lambda: Finding("fever", time=20240101),
        lambda: Case("fever"),
        lambda: Case(["fever"]),
        lambda: Case(Finding("fever")),
        lambda: Case(time="31.12.2024"),
        lambda: Records.from_cases([Finding("fever")]),
        lambda: Finding("fever", value=float("nan")),
        lambda: Finding("fever", value=np.float64("inf")),
        lambda: Finding("fever", value="39.4"),
        lambda: Case(age_years=-4),
        lambda: Case(age_years="四"),
        lambda: Case(age_years=True),
        lambda: Case(age_days=float("inf")),
        lambda: Case(age_years=400),
    ],
    ids=range(18),
)
def test_what_cannot_be_is_an_input_error(make: Any) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert "39.4" not in str(caught.value)
    assert caught.value.do


def test_what_only_the_format_knows_is_refused_when_records_are_made() -> None:
    with pytest.raises(RecordsError) as caught:
        Records.from_cases([Case([Finding("b", confidence=7)]), Case([Finding("a"), Finding("a", "absent")])])
    assert {p.kind for p in caught.value.report.errors} == {"bad_number", "duplicate_id", "contradiction"}


def test_no_cases_at_all() -> None:
    records = Records.from_cases([])
    assert len(records) == 0
    assert records.shape == (0, 0)
    assert records.y.tolist() == []
    assert len(records.coded) == 0


def test_vocabulary_and_diagnoses_come_along() -> None:
    records = Records.from_cases(
        [Case([Finding("fever")], diagnosis="B05.9")],
        vocabulary={"code": ["fever"], "name_zh": ["发热"]},
        diagnoses=pd.DataFrame({"code": ["B05.9"], "name": ["measles"], "must_not_miss": [True]}),
    )
    assert records.vocabulary.name("fever", "zh") == "发热"
    assert records.vocabulary.must_not_miss == {"B05.9"}


def test_an_unknown_id_is_not_repeated_in_the_message() -> None:
    with pytest.raises(UnknownNameError) as caught:
        Records.from_cases([Case()]).case("patient 77")
    assert "77" not in str(caught.value)
