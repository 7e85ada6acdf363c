"""What a packet can hold is written and read again, value for value, and is valid by the schema's own classes."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.readers.phenopackets.packets import CHILD, Json, packets, write_lines
from tests.small import small_records

from diagnosis.errors import DiagnosisWarning, InputError
from diagnosis.readers.phenopackets import read_phenopackets, write_phenopackets
from diagnosis.records import Case, Finding, Records
from diagnosis.records.digest import digest_of

MADE = "2024-01-01T00:00:00Z"


def written(records: Records, folder: str, name: str = "out.ndjson") -> Path:
    return write_phenopackets(records, Path(folder) / name, created=MADE)


@settings(max_examples=40)
@given(packets(), st.sampled_from(["out.ndjson", "out.jsonl.gz", "folder"]))
def test_what_is_read_is_written_and_read(drawn: list[Json], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        records = read_phenopackets(write_lines(Path(folder) / "in.ndjson", drawn))
        with warnings.catch_warnings():
            warnings.simplefilter("error", DiagnosisWarning)
            again = read_phenopackets(written(records, folder, name))
    for table in records.names:
        assert again.arrow(table).to_pylist() == records.arrow(table).to_pylist(), table
    assert again.digest() == records.digest()


codes = st.sampled_from(["fever", "HP:1", "体温", 'a"b', "001", "NA"])
numbers = st.floats(-1e9, 1e9)


@st.composite
def holdable(draw: st.DrawFn) -> Records:
    """Records made elsewhere, of columns that packets have a place for."""
    cases: list[Json] = []
    findings: list[Json] = []
    for i in range(draw(st.integers(1, 4))):
        case: Json = {"case_id": f"c{i}", "patient_id": f"p{i // 2}", "group": "ward"}
        days = draw(st.none() | st.integers(0, 700).map(float))
        years = draw(st.none() | st.floats(0, 120).map(abs)) if days is None else None
        case |= {
            "age_days": days,
            "age_years": days / 365.25 if days is not None else None if years is None else abs(years),
        }
        case["sex"] = draw(st.sampled_from([None, "female", "male", "other", "unknown"]))
        case["diagnosis"] = draw(st.sampled_from([None, "flu", "OMIM:1"]))
        case["outcome"] = draw(st.sampled_from([None, "alive", "deceased"]))
        cases.append(case)
        rows = [draw(rows_of(code)) for code in draw(st.lists(codes, unique=True, max_size=4))]
        # A packet lists its features before its measurements.
        rows.sort(key=lambda row: any(row.get(name) is not None for name in ("value", "text", "interpretation")))
        findings += [{"case_id": f"c{i}", **row} for row in rows]
    columns = dict.fromkeys(name for row in findings for name in row) or dict.fromkeys(("case_id", "code", "status"))
    return Records.from_tables(
        {
            "cases": {name: [case[name] for case in cases] for name in cases[0]},
            "findings": {name: [row.get(name) for row in findings] for name in columns},
        }
    )


@st.composite
def rows_of(draw: st.DrawFn, code: str) -> Json:
    kind = draw(st.sampled_from(["feature", "value", "text", "result"]))
    if kind == "value":
        span = draw(st.sampled_from([{}, {"ref_low": 1.0, "ref_high": 2.0}]))
        unit = draw(st.sampled_from([None, "mg/dL", "不"]))
        return {"code": code, "status": "present", "value": draw(numbers), "unit": unit} | span
    if kind == "text":
        return {"code": code, "status": "present", "text": draw(st.sampled_from(["dry", "干"]))}
    if kind == "result":
        status, said = draw(st.sampled_from([("present", "POS"), ("absent", "NEG")]))
        return {"code": code, "status": status, "interpretation": said}
    before = st.integers(-280, -1).map(lambda d: d / 365.25)
    return {
        "code": code,
        "status": draw(st.sampled_from(["present", "absent"])),
        "onset_age_years": draw(st.none() | before | st.floats(0, 120).map(abs)),
        "severity": draw(st.sampled_from([None, "mild", "moderate", "severe", "profound"])),
        "laterality": draw(st.sampled_from([None, "left", "bilateral"])),
        "modifiers": draw(st.sampled_from([None, "HP:0025303", "a|b"])),
    }


def content(records: Records) -> str:
    """Fingerprint of cases and findings without columns that are empty."""
    tables = {}
    for name in ("cases", "findings"):
        table = records.arrow(name)
        tables[name] = table.drop_columns([c for c in table.column_names if table[c].null_count == len(table)])
    return digest_of(tables)


def filled(row: Json) -> Json:
    return {name: value for name, value in row.items() if value is not None}


@settings(max_examples=40)
@given(holdable())
def test_records_from_elsewhere_come_back(records: Records) -> None:
    with tempfile.TemporaryDirectory() as folder:
        again = read_phenopackets(written(records, folder))
    for name in ("cases", "findings"):
        for ours, theirs in zip(again.arrow(name).to_pylist(), records.arrow(name).to_pylist(), strict=True):
            assert {k: v for k, v in ours.items() if v is not None} == {
                k: v for k, v in theirs.items() if v is not None
            }
    assert content(again) == content(records)
    assert again.y.tolist() == records.y.tolist()


@settings(max_examples=15)
@given(packets())
def test_packets_are_valid_by_the_schemas_own_classes(drawn: list[Json]) -> None:
    v2 = pytest.importorskip("phenopackets.schema.v2")
    from google.protobuf import json_format

    with tempfile.TemporaryDirectory() as folder:
        records = read_phenopackets(write_lines(Path(folder) / "in.ndjson", [*drawn, CHILD]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosisWarning)
            lines = written(records, folder).read_text(encoding="utf-8").splitlines()
    for line in lines:
        made = json_format.ParseDict(json.loads(line), v2.Phenopacket())
        assert made.id
        assert made.meta_data.created_by == "diagnosis"
    assert json_format.ParseDict(CHILD, v2.Phenopacket()), "what the tests read is valid as well"


class Suggested:
    """What `suggest` gives, as far as a packet needs it."""

    def __init__(self, case_id: str, ranked: list[tuple[str, float]]) -> None:
        self.case_id = case_id
        self.ranked = ranked

    def to_json(self) -> dict[str, Any]:
        ranked = [{"diagnosis": d, "probability": p} for d, p in self.ranked]
        return {"case_id": self.case_id, "model": "hybrid", "reading": "posterior", "as_of": "end", "ranked": ranked}


def test_a_differential_becomes_interpretations_in_progress(tmp_path: Path) -> None:
    records = Records.from_cases([Case([Finding("HP:1")], case_id="a"), Case([Finding("HP:2")], case_id="b")])
    suggested = [Suggested("b", [("OMIM:1", 0.7), ("OMIM:2", 0.2)])]
    file = write_phenopackets(records, tmp_path / "out.ndjson", suggested, created=MADE)
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert "interpretations" not in first
    assert [one["progressStatus"] for one in second["interpretations"]] == ["IN_PROGRESS"] * 2
    assert second["interpretations"][0]["diagnosis"]["disease"]["id"] == "OMIM:1"
    assert "diseases" not in second, "a suggestion is no diagnosis"
    labels = read_phenopackets(file).frame("labels")
    assert labels[["case_id", "diagnosis", "status", "role", "rank", "probability"]].to_numpy().tolist() == [
        ["b", "OMIM:1", "provisional", "differential", 1, 0.7],
        ["b", "OMIM:2", "provisional", "differential", 2, 0.2],
    ]
    assert not any(read_phenopackets(file).y)


def test_a_real_differential_is_taken(tmp_path: Path) -> None:
    from diagnosis.suggestions import Diagnoser

    records = small_records(80)
    diagnoser = Diagnoser(model="linear").fit(records)
    with pytest.warns(DiagnosisWarning):
        file = write_phenopackets(records[:2], tmp_path / "out.ndjson", diagnoser.suggest(records[:2], top=3))
    packet = json.loads(file.read_text().splitlines()[0])
    listed = [one for one in packet["interpretations"] if one["progressStatus"] == "IN_PROGRESS"]
    assert [json.loads(one["summary"])["rank"] for one in listed] == [1, 2, 3]


def test_what_has_no_place_is_counted(tmp_path: Path) -> None:
    findings = [
        Finding("fever", status="uncertain"),
        Finding("asthma", subject="mother"),
        Finding("crp", value=5.0, unit="mg/L", comparator="<"),
        Finding("cough", phase="history"),
    ]
    records = Records.from_cases([Case(findings, case_id="a")])
    with pytest.warns(DiagnosisWarning) as caught:
        write_phenopackets(records, tmp_path / "out.ndjson")
    said = str(caught[0].message)
    for part in ("1 uncertain findings", "1 findings about others", "findings.comparator", "findings.phase"):
        assert part in said
    again = read_phenopackets(tmp_path / "out.ndjson")
    assert again.frame("findings").code.tolist() == ["cough", "crp"], (
        "an uncertain finding is not made present or absent"
    )


def test_one_case_is_one_file_and_several_a_folder(tmp_path: Path) -> None:
    records = Records.from_cases(
        [Case([], case_id="../../etc/passwd", diagnosis="x"), Case([], case_id="b", diagnosis="x")]
    )
    folder = write_phenopackets(records, tmp_path / "out")
    assert sorted(p.name for p in folder.iterdir()) == ["packet-000001.json", "packet-000002.json"]
    assert read_phenopackets(folder).case_ids.tolist() == ["../../etc/passwd", "b"]
    file = write_phenopackets(records[[1]], tmp_path / "one.json")
    assert json.loads(file.read_text())["id"] == "b"
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="one case"):
        write_phenopackets(records, tmp_path / "two.json")
    with pytest.raises(InputError, match="empty folder"):
        write_phenopackets(records, folder)
    with pytest.raises(InputError, match="other cases"):
        write_phenopackets(records, tmp_path / "x.ndjson", [Suggested("z", [])])
    with pytest.raises(InputError, match="ISO 8601"):
        write_phenopackets(records, tmp_path / "x.ndjson", created="today")
