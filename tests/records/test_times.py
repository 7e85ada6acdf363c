"""Times are kept as UTC; what a zone leaves open is decided one way and said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diagnosis.records import Records
from diagnosis.records.times import UTC_TIME, coerce_times, utc_of

ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kathmandu")


def with_times(*times: str | None, zone: str | None = None) -> Records:
    ids = [f"c{i}" for i in range(len(times))]
    tables = {"cases": {"case_id": ids, "time": list(times)}, "findings": {"case_id": [], "code": [], "status": []}}
    return Records.from_tables(tables, {"timezone": zone} if zone else None)


def utc(*texts: str) -> list[np.datetime64]:
    return [np.datetime64(t, "us") for t in texts]


def test_a_zone_that_is_given_counts() -> None:
    records = with_times(
        "2024-01-01T08:00:00Z", "2024-01-01T08:00+08:00", "2024-01-01 08:00:00.5-0530", zone="Asia/Tokyo"
    )
    assert records.column("time").tolist() == [
        datetime(2024, 1, 1, 8),
        datetime(2024, 1, 1, 0),
        datetime(2024, 1, 1, 13, 30, 0, 500_000),
    ]
    assert not [p for p in records.report.warnings if p.column == "time"]


def test_a_time_without_a_zone_takes_that_of_the_records() -> None:
    records = with_times("2024-01-01T08:00", "2024-01-01", zone="Asia/Shanghai")
    assert list(records.column("time")) == utc("2024-01-01T00:00", "2023-12-31T16:00")
    assert [(p.kind, p.count) for p in records.report.warnings if p.column == "time"] == [("no_hour", 1)]


def test_a_time_without_any_zone_is_reported() -> None:
    records = with_times("2024-01-01T08:00", "2024-01-01", "2024-01-01T08:00Z", None)
    assert list(records.column("time")[:2]) == utc("2024-01-01T08:00", "2024-01-01")
    assert np.isnat(records.column("time")[3])
    assert [(p.kind, p.count) for p in records.report.warnings if p.column == "time"] == [
        ("no_hour", 1),
        ("no_time_zone", 2),
    ]


@pytest.mark.parametrize(
    "dates", [["2024-01-01", "2024-01-01T00:00", None], pa.array([19_000, None, None], pa.date32())]
)
def test_dates_without_an_hour_are_reported(dates: Any) -> None:
    """A result of that day counts as known before the patient came: nobody should believe that unwarned."""
    records = Records.from_tables(
        {
            "cases": {"case_id": ["a", "b", "c"], "time": dates},
            "findings": {"case_id": ["a"], "code": ["cough"], "status": ["present"]},
        },
        {"timezone": "UTC"},
    )
    assert [(p.kind, p.count) for p in records.report.warnings] == [("no_hour", 1)]


def test_zones_may_differ_from_row_to_row() -> None:
    records = with_times("2024-01-01T08:00", "2024-01-01T08:00Z", "2024-07-01T08:00", zone="America/New_York")
    assert list(records.column("time")) == utc("2024-01-01T13:00", "2024-01-01T08:00", "2024-07-01T12:00")


def test_an_hour_that_the_clocks_skip_keeps_order_and_distance() -> None:
    records = with_times(
        "2024-03-10T01:59", "2024-03-10T02:10", "2024-03-10T02:50", "2024-03-10T03:51", zone="America/New_York"
    )
    assert list(records.column("time")) == utc(
        "2024-03-10T06:59", "2024-03-10T07:10", "2024-03-10T07:50", "2024-03-10T07:51"
    )
    assert [(p.kind, p.count) for p in records.report.warnings if p.column == "time"] == [("skipped_hour", 2)]


def test_of_an_hour_that_stands_twice_the_first_is_meant() -> None:
    assert list(with_times("2024-11-03T01:30", zone="America/New_York").column("time")) == utc("2024-11-03T05:30")


def test_digits_beyond_a_microsecond_are_cut() -> None:
    texts = ["2024-01-01T08:00:00.123456789Z", "2024-01-01T08:00:00,5Z", "2024-01-01T08:00:00.1Z"]
    microseconds = [t.microsecond for t in with_times(*texts).column("time").tolist()]
    assert microseconds == [123456, 500000, 100000]


def test_leap_years() -> None:
    found = coerce_times(pa.array(["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", None, "2024-04-31"]), None)
    assert found.bad.tolist() == [False, True, True, False, False, True]


def test_times_that_python_could_not_show_are_none() -> None:
    found = coerce_times(
        pa.array(["0001-01-01T00:00+10:00", "9999-12-31T23:00-10:00", "0000-05-05", "0001-01-01Z"]), None
    )
    assert found.bad.all()
    assert found.values.to_pylist() == [None] * 4


@settings(max_examples=60)
@given(time=st.datetimes(timezones=st.just(UTC)), form=st.sampled_from(["T", " "]), zone=st.sampled_from(ZONES))
def test_what_python_writes_is_read(time: datetime, form: str, zone: str) -> None:
    try:
        local = time.astimezone(ZoneInfo(zone))
    except OverflowError:
        local = time
    if local.utcoffset() is not None and local.utcoffset().total_seconds() % 60:  # type: ignore[union-attr]
        local = time  # a local mean time of the 19th century, whose seconds ISO 8601 cannot write
    # With a row that is no time, the column takes the slower way; both must agree.
    for others in ([], ["no time"], ["2024-01-01"]):
        found = coerce_times(pa.array([local.isoformat(form), *others]), "UTC")
        assert found.values[0].as_py() == time
        assert not found.bad[0]


@settings(max_examples=100)
@given(text=st.text("0123456789-:TZ+., ", max_size=26))
@example("2024-01-01T08")
@example("2024-01-01T08Z")
@example("2024-01-01T08:00:00+00")
@example("2024-01-01T08:00:00,")
def test_any_text_is_a_time_alone_and_in_company_or_neither(text: str) -> None:
    alone = coerce_times(pa.array([text or None]), "Asia/Tokyo")
    for company in (["x"], ["2024-01-01T00:00:00Z", "2024-01-01", "y"]):
        found = coerce_times(pa.array([text or None, *company]), "Asia/Tokyo")
        assert found.bad[0] == alone.bad[0]
        assert found.values[0] == alone.values[0]


@settings(max_examples=60)
@given(local=st.datetimes(datetime(1971, 1, 1), datetime(2037, 1, 1)), zone=st.sampled_from(ZONES), gap=st.booleans())
def test_local_times_become_what_python_says(local: datetime, zone: str, gap: bool) -> None:
    if gap:  # the last Sunday of March at 01:30 does not exist in London, the second one at 02:30 not in New York
        local = datetime(2024, 3, 31, 1, 30) if zone == "Europe/London" else datetime(2024, 3, 10, 2, 30)
    made, skipped = utc_of(pa.array([local], pa.timestamp("us")), zone)
    expected = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert made.type == UTC_TIME
    assert made[0].as_py() == expected
    assert skipped == (expected.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local)
    assert abs(made[0].as_py().replace(tzinfo=None) - local) <= timedelta(hours=15)
