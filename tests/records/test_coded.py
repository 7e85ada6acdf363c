"""Findings as plain arrays: which row counts, and that the arrays say what the tables say."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import record_tables

from diagnosis.records import CodedFindings, Records
from diagnosis.records.schema import INTERPRETATIONS, STATES


def repeated(*rows: tuple[str, str, int | None, int | None]) -> CodedFindings:
    """Rows (code, status, hour observed, hour known) of one case."""

    def clock(hours: list[int | None]) -> pa.Array:
        return pa.array([None if h is None else h * 3_600_000_000 for h in hours], pa.timestamp("us", "UTC"))

    findings = {
        "case_id": ["a"] * len(rows),
        "code": [r[0] for r in rows],
        "status": [r[1] for r in rows],
        "time": clock([r[2] for r in rows]),
        "known": clock([r[3] for r in rows]),
    }
    return Records.from_tables({"cases": {"case_id": ["a"]}, "findings": findings}).coded


def counting(coded: CodedFindings) -> dict[str, str]:
    """The state of each code that counts."""
    rows = np.flatnonzero(coded.latest)
    return {str(coded.codes[coded.code[i]]): STATES[coded.status[i]] for i in rows}


def test_the_latest_known_counts() -> None:
    assert counting(repeated(("x", "absent", 1, None), ("x", "present", 5, None), ("x", "absent", 3, None))) == {
        "x": "present"
    }
    # Taken first and known last: the culture.
    assert counting(repeated(("x", "present", 1, 48), ("x", "absent", 5, 6))) == {"x": "present"}
    # Known together: the last observed.
    assert counting(repeated(("x", "present", 5, 9), ("x", "absent", 1, 9))) == {"x": "present"}


def test_a_row_with_a_time_counts_before_one_without() -> None:
    assert counting(repeated(("x", "present", 1, None), ("x", "absent", None, None))) == {"x": "present"}


def test_of_rows_without_times_the_last_counts() -> None:
    rows = {"case_id": ["a"] * 3, "code": ["x", "y", "x"], "status": ["present", "present", "uncertain"]}
    records = Records.from_tables({"cases": {"case_id": ["a"]}, "findings": rows})
    assert counting(records.coded) == {"x": "uncertain", "y": "present"}


def test_another_subject_is_another_finding() -> None:
    rows = {
        "case_id": ["a"] * 4,
        "code": ["asthma"] * 4,
        "status": ["absent", "present", "uncertain", "absent"],
        "subject": ["patient", "mother", None, "mother"],
        "time": pa.array([0, 1, 2, 3], pa.timestamp("s", "UTC")),
    }
    coded = Records.from_tables({"cases": {"case_id": ["a"]}, "findings": rows}).coded
    assert coded.latest.tolist() == [False, False, True, True]
    assert coded.subject[0] == coded.subject[2] == -1
    assert coded.subjects[coded.subject[1]] == "mother"


@settings(max_examples=20)
@given(tables=record_tables())
def test_arrays_say_what_the_tables_say(tables: dict[str, pa.Table]) -> None:
    records = Records.from_tables(tables)
    coded, rows = records.coded, records.arrow("findings").to_pylist()
    assert len(coded) == len(rows)
    assert coded.n_cases == len(records)
    assert coded.offsets[0] == 0
    assert coded.offsets[-1] == len(rows)
    for i, row in enumerate(rows):
        assert records.case_ids[coded.case[i]] == row["case_id"]
        assert coded.offsets[coded.case[i]] <= i < coded.offsets[coded.case[i] + 1]
        assert coded.codes[coded.code[i]] == row["code"]
        assert STATES[coded.status[i]] == row["status"]
        assert np.array_equal(coded.value[i], np.nan if row["value"] is None else row["value"], equal_nan=True)
        assert np.array_equal(coded.ref_high[i], np.nan if row["ref_high"] is None else row["ref_high"], equal_nan=True)
        for numbers, words, name in ((coded.unit, coded.units, "unit"), (coded.text, coded.texts, "text")):
            assert (None if numbers[i] < 0 else words[numbers[i]]) == row[name]
        flag = coded.interpretation[i]
        assert (None if flag < 0 else INTERPRETATIONS[flag]) == row["interpretation"]


@settings(max_examples=20)
@given(tables=record_tables(), data=st.data())
def test_the_order_of_rows_is_irrelevant_when_times_differ(tables: dict[str, pa.Table], data: st.DataObject) -> None:
    """The strategy gives each row of a repeated finding a time of its own."""
    findings = tables["findings"]
    order = data.draw(st.permutations(range(len(findings))))
    shuffled = findings.take(pa.array(order, pa.int64()))
    one, other = (Records.from_tables({**tables, "findings": f}) for f in (findings, shuffled))

    def that_count(records: Records) -> list[str]:
        rows = records.arrow("findings").filter(pa.array(records.coded.latest)).to_pylist()
        return sorted(map(repr, rows))

    assert that_count(one) == that_count(other)
    keys = [(r["case_id"], r["code"], r["subject"] or "patient") for r in findings.to_pylist()]
    assert one.coded.latest.sum() == len(set(keys))
