"""No patient ever stands on two sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.small import small_records

from diagnosis.errors import InputError
from diagnosis.records import Records, split


@st.composite
def visits(draw: st.DrawFn) -> Records:
    """Patients who come again, to other sites, in other groups, at other times; anything may be missing."""
    n = draw(st.integers(2, 30))

    def some(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(st.none() | values, min_size=n, max_size=n))

    cases = {
        "case_id": [f"c{i}" for i in range(n)],
        "patient_id": some(st.sampled_from(["p1", "p2", "p3", "case:c0", "p\x00", "p"])),
        "site": some(st.sampled_from(["A", "B", "发热门诊"])),
        "group": some(st.sampled_from(["g1", "g2", "None"])),
        "time": some(st.integers(1, 28).map(lambda day: f"2024-01-{day:02d}T00:00:00Z")),
    }
    return Records.from_tables({"cases": cases, "findings": {"case_id": [], "code": [], "status": []}})


@settings(max_examples=60)
@given(
    records=visits(),
    by=st.sampled_from(["patient", "site", "time", "group"]),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 5),
)
def test_no_patient_on_two_sides(records: Records, by: Any, share: float, seed: int) -> None:
    try:
        made = split(records, by=by, test_size=share, seed=seed)
    except InputError:
        return
    train, test = made
    assert not set(train.groups) & set(test.groups)
    assert not set(train.case_ids) & set(test.case_ids)
    assert len(train) + len(test) + made.left_out == len(records)
    if by == "patient":
        assert made.left_out == 0
    if by in ("site", "group"):
        shared = (set(train.column(by)) & set(test.column(by))) - ({None} if by == "group" else set())
        assert not shared
    if by == "time":
        late = test.column("time")
        early = train.column("time")
        assert not np.isnat(late).any()
        assert np.isnat(early).all() or np.nanmax(early.astype(np.int64)[~np.isnat(early)]) < late.min().astype(
            np.int64
        )
    again = split(records, by=by, test_size=share, seed=seed)
    assert again.test.case_ids.tolist() == test.case_ids.tolist()


@pytest.fixture(scope="module")
def records() -> Records:
    return small_records(300)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_share_is_of_cases(records: Records, share: float) -> None:
    assert len(split(records, test_size=share).test) == pytest.approx(share * 300, abs=6)


def test_another_seed_is_another_split(records: Records) -> None:
    one, other = (set(split(records, seed=s).test.case_ids) for s in (0, 1))
    assert one != other


def test_the_order_of_cases_does_not_matter(records: Records) -> None:
    turned = records[::-1]
    for by in ("patient", "site", "time"):
        assert set(split(turned, by=by).test.case_ids) == set(split(records, by=by).test.case_ids)  # type: ignore[arg-type]


def test_a_site_by_name(records: Records) -> None:
    made = split(records, by="site", test_size="site-1")
    assert set(made.test.column("site")) == {"site-1"}
    assert "site-1" not in set(made.train.column("site"))
    # Patients of site-1 who came to another site as well are on that side.
    both = set(made.train.groups)
    at_site = records.column("site") == "site-1"
    assert made.left_out == sum(g in both for g in records.groups[at_site]) > 0
    assert f"{made.left_out} left out" in repr(made)


def test_a_date(records: Records) -> None:
    made = split(records, by="time", test_size="2024-10-01")
    assert (made.test.column("time") >= np.datetime64("2024-10-01")).all()
    assert (made.train.column("time") < np.datetime64("2024-10-01")).all()
    same = split(records, by="time", test_size="2024-10-01T08:00+08:00")
    assert same.test.case_ids.tolist() == made.test.case_ids.tolist()


def test_a_date_is_one_of_the_records_own_zone() -> None:
    cases = {"case_id": ["a", "b"], "time": ["2024-06-30T23:00", "2024-07-01T01:00"]}
    tables = {"cases": cases, "findings": {"case_id": [], "code": [], "status": []}}
    made = split(Records.from_tables(tables, {"timezone": "Asia/Shanghai"}), by="time", test_size="2024-07-01")
    assert made.test.case_ids.tolist() == ["b"]


def test_cases_without_a_group_are_no_group() -> None:
    ids = [f"c{i}" for i in range(40)]
    cases = {"case_id": ids, "group": ["ward"] * 4 + [None] * 36}
    records = Records.from_tables({"cases": cases, "findings": {"case_id": [], "code": [], "status": []}})
    made = split(records, by="group", test_size=0.5)
    assert 18 <= len(made.test) <= 24


def test_a_small_share_takes_at_least_one(records: Records) -> None:
    assert len(split(records, test_size=1e-9).test) >= 1
    assert len(set(split(records, by="site", test_size=0.999).train.column("site"))) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"by": "pateint"}, "Nearest: patient"),
        ({"by": None}, "split by one of"),
        ({"test_size": 0}, "between 0 and 1"),
        ({"test_size": 1.0}, "between 0 and 1"),
        ({"test_size": float("nan")}, "between 0 and 1"),
        ({"test_size": True}, "between 0 and 1"),
        ({"test_size": None}, "between 0 and 1"),
        ({"by": "site", "test_size": "site-9"}, "Nearest: site-"),
        ({"by": "patient", "test_size": "p secret"}, "no case has that name"),
        ({"by": "time", "test_size": "June"}, "no ISO 8601 date"),
        ({"by": "time", "test_size": "today"}, "no ISO 8601 date"),
        ({"by": "time", "test_size": "1999-01-01"}, "0 cases to train"),
        ({"by": "time", "test_size": "2099-01-01"}, "0 to test"),
        ({"by": "group"}, "missing or empty"),
    ],
)
def test_splits_that_cannot_be(records: Records, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        split(records, **arguments)
    assert "secret" not in str(caught.value)


def test_one_patient_cannot_be_split() -> None:
    tables = {
        "cases": {"case_id": ["a", "b"], "patient_id": ["p", "p"]},
        "findings": {"case_id": [], "code": [], "status": []},
    }
    records = Records.from_tables(tables)
    with pytest.raises(InputError, match="0 to test"):
        split(records)
    with pytest.raises(InputError, match="no case has one"):
        split(records, by="time")
