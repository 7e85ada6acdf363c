"""Windows as plain Python would find them, order that does not matter, and no event lost in silence."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.readers.meds.folders import table_of, write_folder

from diagnosis.readers.meds import read_meds
from diagnosis.records import Records

START = datetime(2024, 1, 1)
CODES = ("ADMISSION//ED", "COUGH", "LAB//CRP//mg/L", "DIAGNOSIS//A", "DIAGNOSIS//B", "MEDICATION//X", "MEDS_DEATH")


@st.composite
def histories(draw: st.DrawFn) -> list[list[Any]]:
    """Events of some subjects, each history in order of time."""
    made = []
    for subject in range(draw(st.integers(1, 4))):
        hours = st.none() | st.integers(0, 12)
        events = draw(st.lists(st.tuples(hours, st.sampled_from(CODES)), max_size=10))
        events.sort(key=lambda e: -1 if e[0] is None else e[0])
        made.append(
            [(subject, None if h is None else START + timedelta(hours=h), code, None, None) for h, code in events]
        )
    return made


def plainly(histories: list[list[Any]], index: str, before: float, after: float, judged: float) -> list[Any]:
    """(subject, index time, findings, diagnoses at or after it, actions) of each case, event by event."""
    cases = []
    for history in histories:
        timed = [e for e in history if e[1] is not None]
        if index == "last":
            times = [e[1] for e in timed if e[2] != "MEDS_DEATH"][-1:]
        else:
            times = sorted({e[1] for e in timed if e[2].startswith("ADMISSION")})
        for i, at in enumerate(times):
            low, high = at - timedelta(hours=before), at + timedelta(hours=after)
            until = at + timedelta(hours=judged)
            seen = [e for e in history if e[1] is None] + [e for e in timed if low <= e[1] <= high]
            own = [e for e in timed if low <= e[1] <= until and not (i + 1 < len(times) and e[1] >= times[i + 1])]
            diagnoses = [e[2] for e in own if e[2].startswith("DIAGNOSIS") and (e[1] >= at or index == "last")]
            cases.append(
                (
                    str(history[0][0]),
                    at.replace(tzinfo=UTC),
                    [e[2] for e in seen if e[2] in ("COUGH", "LAB//CRP//mg/L")],
                    list(dict.fromkeys(diagnoses)),
                    [e[2] for e in own if e[2].startswith("MEDICATION")],
                )
            )
    return cases


def told(records: Records) -> list[Any]:
    """The same, from records."""
    labels = records.arrow("labels").to_pylist() if "labels" in records.names else []
    actions = records.arrow("actions").to_pylist() if "actions" in records.names else []
    made = []
    for i, case in enumerate(records.arrow("cases").to_pylist()):
        mine = [r for r in labels if r["case_id"] == case["case_id"] and r["role"] != "comorbidity"]
        assert [r["role"] for r in mine] == ["principal", "secondary"][: len(mine)]
        done = [r["code"] for r in actions if r["case_id"] == case["case_id"]]
        findings = [f.code for f in records.case(i).findings]
        made.append((case["patient_id"], case["index_time"], findings, [r["diagnosis"] for r in mine], done))
    return made


hours = st.integers(0, 13).map(float)


@settings(max_examples=80)
@given(histories(), st.sampled_from(["last", "ADMISSION//*"]), hours, hours, hours, st.data())
def test_windows_are_what_they_say(
    drawn: list[list[Any]], index: str, before: float, after: float, judged: float, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(drawn)))
    shards = {str(i): table_of([*chain(*part)]) for i, part in enumerate((drawn[:cut], drawn[cut:]))}
    with tempfile.TemporaryDirectory() as name:
        folder = write_folder(Path(name), shards)
        records = read_meds(folder, index=index, window_hours=before, after_hours=after, judged_hours=judged)
    assert told(records) == plainly(drawn, index, before, after, judged)
    counts = {p.kind: p.count for p in records.report.notes if p.table == "events"}
    assert counts.pop("account") == sum(map(len, drawn)) == sum(counts.values())


@settings(max_examples=40)
@given(histories(), st.data())
def test_order_between_times_does_not_matter(drawn: list[list[Any]], data: st.DataObject) -> None:
    """Events out of order are put in order; those of one time stay as they stand."""
    events = [e for history in drawn for e in {(e[0], e[1]): e for e in history}.values()]
    with tempfile.TemporaryDirectory() as name:
        one = read_meds(write_folder(Path(name) / "a", {"0": table_of(events)}), index="ADMISSION//*")
        mixed = data.draw(st.permutations(events))
        other = read_meds(write_folder(Path(name) / "b", {"0": table_of(mixed)}), index="ADMISSION//*")
    assert one.digest() == other.digest()
    told_so = [p for p in other.report.warnings if p.kind == "odd"]
    subjects = [e[0] for e in mixed]
    apart = sum(a != b for a, b in pairwise(subjects)) + 1 > len(set(subjects))
    rank = [START - timedelta(1) if e[1] is None else e[1] for e in mixed]
    back = any(a == b and s > t for (a, s), (b, t) in pairwise(zip(subjects, rank, strict=True)))
    assert bool(told_so) == (bool(mixed) and (apart or back))


def test_the_future_changes_nothing() -> None:
    """Events after the windows change no finding, label or action."""
    base = [(1, START, "ADMISSION//ED", None, None), (1, START + timedelta(hours=1), "COUGH", None, None)]
    later = [(1, START + timedelta(hours=9), code, None, None) for code in CODES[1:6]]
    with tempfile.TemporaryDirectory() as name:
        options = {"index": "ADMISSION//*", "after_hours": 2.0, "judged_hours": 4.0}
        short = read_meds(write_folder(Path(name) / "a", {"0": table_of(base)}), **options)
        long = read_meds(write_folder(Path(name) / "b", {"0": table_of(base + later)}), **options)
    assert short.digest() == long.digest()


def test_values_of_32_bits_stay_as_they_were_written() -> None:
    events = [(1, START, "T", value, None) for value in (39.4, 0.1, 1e-7, 3.0, float("nan"))]
    with tempfile.TemporaryDirectory() as name:
        records = read_meds(write_folder(Path(name), {"0": table_of(events)}))
    assert records.arrow("findings")["value"].to_pylist() == [39.4, 0.1, 1e-7, 3.0, None]
    assert records.arrow("findings")["value"].type == pa.float64()
