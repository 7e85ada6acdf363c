"""Findings over time: what a patient's earlier encounters say, as far as it was known by the moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.small import small_records

from diagnosis.errors import InputError
from diagnosis.features import FindingEncoder, timeline, windows
from diagnosis.features.rows import batches
from diagnosis.records import Records

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = {"1d": 1.0, "7d": 7.0, "ever": np.inf}


def cases_of(*days: float | None, patient: str = "p") -> list[dict[str, object]]:
    """Encounters of one patient that begin on these days and last six hours."""
    made: list[dict[str, object]] = []
    for i, day in enumerate(days):
        began = None if day is None else START + timedelta(days=day)
        ended = None if began is None else began + timedelta(hours=6)
        made.append(
            {"case_id": f"{patient}{i}", "patient_id": patient, "sex": "male", "time": began, "end_time": ended}
        )
    return made


def row(case: str, code: str, status: str = "present", day: float | None = None, **rest: object) -> dict[str, object]:
    known = rest.pop("known", day)
    at = [None if d is None else START + timedelta(days=float(str(d))) for d in (day, known)]
    return {"case_id": case, "code": code, "status": status, "time": at[0], "known": at[1], **rest}


def records_of(cases: list[dict[str, object]], rows: list[dict[str, object]]) -> Records:
    columns = ("case_id", "code", "status", "value", "unit", "time", "known", "subject")
    findings = {c: [one.get(c) for one in rows] for c in columns}
    return Records.from_tables({"cases": {c: [one[c] for one in cases] for c in cases[0]}, "findings": findings})


def cell(encoder: FindingEncoder, records: Records, case: str, column: str) -> float:
    names = encoder.get_feature_names_out().tolist()
    return float(encoder.transform(records)[records.case_ids.tolist().index(case), names.index(column)])


@pytest.fixture(scope="module")
def visits() -> Records:
    cases = [*cases_of(0, 5, 40, patient="p"), *cases_of(3, patient="q")]
    rows = [
        row("p0", "cough", day=0.1),
        row("p1", "cough", "absent", day=5.1),
        row("p1", "cough", day=5.2),
        row("p0", "CRP", day=0.1, value=80.0, unit="mg/L"),
        row("p1", "CRP", day=5.0, value=40.0, unit="mg/L"),
        row("p1", "CRP", day=5.2, value=2.0, unit="mg/dL"),
        row("p2", "CRP", day=40.0, value=5.0, unit="mg/L"),
        row("q0", "cough", day=3.0),
    ]
    return records_of(cases, rows)


def test_a_case_sees_what_was_before_it_and_nobody_else_s(visits: Records) -> None:
    encoder = FindingEncoder(min_cases=1, windows=[7, "ever"]).fit(visits)
    assert np.expm1(cell(encoder, visits, "p1", "7d:present:cough")) == pytest.approx(2)
    assert np.expm1(cell(encoder, visits, "p1", "7d:absent:cough")) == pytest.approx(1)
    assert cell(encoder, visits, "p2", "7d:present:cough") == 0.0
    assert np.expm1(cell(encoder, visits, "p2", "ever:present:cough")) == pytest.approx(2)
    assert np.expm1(cell(encoder, visits, "q0", "ever:present:cough")) == pytest.approx(1)
    assert np.expm1(cell(encoder, visits, "p2", "ever:count:CRP")) == pytest.approx(4)


def test_values_come_on_the_scale_of_their_finding_in_one_unit(visits: Records) -> None:
    encoder = FindingEncoder(min_cases=1, windows=[7]).fit(visits)
    scale = encoder.values_["CRP"].encode
    expected = {"first": 80.0, "last": 20.0, "min": 20.0, "max": 80.0}
    for name, value in expected.items():
        assert cell(encoder, visits, "p1", f"7d:{name}:CRP") == pytest.approx(float(scale(np.array(value))), rel=1e-5)
    assert cell(encoder, visits, "p1", "7d:trend:CRP") < 0
    assert cell(encoder, visits, "p0", "7d:trend:CRP") == 0.0


def brute_force(records: Records, encoder: FindingEncoder) -> dict[tuple[str, str], float]:
    """Every cell by its definition, one at a time."""
    cases = records.frame("cases").set_index("case_id")
    rows = records.frame("findings").merge(
        cases[["patient_id", "time", "end_time"]], on="case_id", suffixes=("", "_of")
    )
    rows["known"] = rows["known"].fillna(rows["time"]).fillna(rows["end_time"])
    rows["clock"] = rows["time"].fillna(rows["known"])
    found: dict[tuple[str, str], float] = {}
    for case_id, case in cases.iterrows():
        earlier = (rows["time_of"] < case["time"]) & (rows["known"] <= case["end_time"])
        seen = rows[(rows["patient_id"] == case["patient_id"]) & (earlier | (rows["case_id"] == case_id))]
        for (code, subject), mine in seen.groupby(["code", seen["subject"].astype(object).fillna("")]):
            key = f"{subject}/{code}" if subject else code
            for window, days in DAYS.items():
                near = mine[(case["end_time"] - mine["clock"]).dt.total_seconds() <= days * 86400]
                for name, value in statistics(near, encoder, key):
                    found[str(case_id), f"{window}:{name}:{key}"] = value
    return found


def statistics(near, encoder: FindingEncoder, key: str) -> list[tuple[str, float]]:  # type: ignore[no-untyped-def]
    made = [(s, np.log1p(((near["status"] == s) & near["value"].isna()).sum())) for s in ("present", "absent")]
    near = near[near["value"].notna()].sort_values(["clock", "known", "value"])
    if len(near) == 0 or key not in encoder.values_:
        return made
    fahrenheit = near["unit"].astype(object) == "[degF]"
    values = np.where(fahrenheit, (near["value"] - 32) / 1.8, near["value"])
    v = encoder.values_[key].encode(values)
    days = (near["clock"] - near["clock"].iloc[0]).dt.total_seconds().to_numpy() / 86400
    made += [("count", np.log1p(len(v))), ("first", v[0]), ("last", v[-1]), ("min", v.min()), ("max", v.max())]
    if days[-1] > 0:
        made.append(("trend", np.polyfit(days, v, 1)[0] * days[-1]))
    return made


def test_every_cell_is_as_defined(monkeypatch: pytest.MonkeyPatch) -> None:
    records = small_records(30)
    encoder = FindingEncoder(min_cases=1, windows=[1, 7, "ever"]).fit(records)
    monkeypatch.setattr(windows, "LOOKS", 50)
    monkeypatch.setattr(batches, "__kwdefaults__", {"rows": 40, "max_cases": None})
    X = encoder.transform(records).toarray()
    expected = np.zeros_like(X)
    column = {name: i for i, name in enumerate(encoder.get_feature_names_out())}
    for (case, name), value in brute_force(records, encoder).items():
        if name in column:
            expected[records.case_ids.tolist().index(case), column[name]] = value
    over_time = encoder.lineage_.state == "history"
    assert over_time.sum() > 30
    np.testing.assert_allclose(X[:, over_time], expected[:, over_time], atol=1e-5)
    assert (encoder.recorded(records)[:, encoder.lineage_.history].sum(axis=0) > 0).all()
    assert FindingEncoder.from_json(json.loads(json.dumps(encoder.to_json()))).to_json() == encoder.to_json()
    plain = FindingEncoder(min_cases=1).fit(records)
    assert np.array_equal(X[:, ~over_time], plain.transform(records).toarray())


@pytest.mark.parametrize(
    "late",
    [
        row("p0", "cough", day=4.0, known=30.0),
        row("p1", "cough", day=5.3, known=41.0),
        row("p2", "cough", day=39.0),
        row("p3", "CRP", value=300.0, unit="mg/L"),
    ],
)
def test_what_was_not_known_by_then_changes_nothing(visits: Records, late: dict[str, object]) -> None:
    """Known after the moment; or in a later encounter, whenever it is said to have been observed."""
    encoder = FindingEncoder(min_cases=1, windows=[7, "ever"]).fit(visits)
    cases = [*cases_of(0, 5, 40, None, patient="p"), *cases_of(3, patient="q")]
    rows = visits.frame("findings").astype(object).where(visits.frame("findings").notna(), None).to_dict("records")
    before, after = records_of(cases, rows), records_of(cases, [*rows, late])
    X, Y = encoder.transform(before.as_of("end")), encoder.transform(after.as_of("end"))
    assert (X[:2] != Y[:2]).nnz == 0
    if late["case_id"] != "p1":
        assert (encoder.transform(before)[1] != encoder.transform(after)[1]).nnz == 0


def test_encounters_without_a_start_or_with_the_same_one_are_nobody_s_past() -> None:
    cases = cases_of(None, 2, 2)
    rows = [row(f"p{i}", "cough") for i in range(3)]
    records = records_of(cases, rows)
    encoder = FindingEncoder(min_cases=1, windows=["ever"]).fit(records)
    counts = np.expm1([cell(encoder, records, f"p{i}", "ever:present:cough") for i in range(3)])
    assert counts.round(6).tolist() == [0.0, 1.0, 1.0]


def test_the_moment_decides_how_far_back_a_window_reaches() -> None:
    records = small_records(20)
    began = timeline.Timeline.of(records.as_of("arrival")).moment
    assert (timeline.Timeline.of(records.as_of(3.0)).moment - began == 3 * timeline.DAY // 24).all()
    assert (timeline.Timeline.of(records.as_of("end")).moment - began == 6 * timeline.DAY // 24).all()
    assert (timeline.Timeline.of(records.as_of("index")).moment - began == 6 * timeline.DAY // 24).all()


@pytest.mark.parametrize("bad", [[0], [-1], ["never"], [7, 7], [True], [float("inf")], "7d"])
def test_windows_that_are_none_are_refused(visits: Records, bad: object) -> None:
    with pytest.raises(InputError, match="windows"):
        FindingEncoder(windows=bad).fit(visits)  # type: ignore[arg-type]


def test_parts_must_hold_whole_patients(visits: Records, tmp_path: Path) -> None:
    parts = [visits[:3], visits[3:]]
    encoder = FindingEncoder(min_cases=1, windows=["ever"]).fit(parts)
    assert encoder.to_json() == FindingEncoder(min_cases=1, windows=["ever"]).fit(visits).to_json()
    assert (encoder.transform(parts) != encoder.transform(visits)).nnz == 0
    for look in (encoder.fit, encoder.transform, encoder.fit_transform):
        with pytest.raises(InputError, match="cut a patient"):
            look(tmp_path)
