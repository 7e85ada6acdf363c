"""MEDS as a clinician would read it: which events become what."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.readers.meds.folders import STAYS, event, table_of, write_folder
from tests.small import small_records

from diagnosis.errors import InputError
from diagnosis.readers import read_records
from diagnosis.readers.meds import MedsCodes, read_meds, write_meds
from diagnosis.records import Records


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    codes = {
        "code": ["LAB//50912//mg/dL", "DIAGNOSIS//ICD//10//I21", "unused"],
        "description": ["Creatinine", "Acute myocardial infarction", "?"],
        "parent_codes": [["LOINC/2160-0"], None, None],
    }
    return write_folder(tmp_path, {"train/0": table_of(STAYS[:-1]), "held_out/0": table_of(STAYS[-1:])}, codes)


def notes(records: Records) -> dict[str, int]:
    return {p.kind: p.count for p in records.report.notes if p.table == "events"}


def test_each_admission_is_a_case(folder: Path) -> None:
    records = read_meds(folder, index="HOSPITAL_ADMISSION//*", window_hours=24)
    assert records.case_ids.tolist() == ["7-1", "7-2"]
    assert records.groups.tolist() == ["7", "7"]
    assert records.column("sex").tolist() == ["female", "female"]
    assert records.column("age_years")[1] == pytest.approx(41.17, abs=0.01)
    assert records.column("disposition").tolist() == ["HOME", "DIED"]
    assert records.column("outcome").tolist() == ["deceased", "deceased"], "death may come after many stays"
    assert str(records.column("index_time")[1]) == "2021-05-02T00:00:00.000000"
    assert str(records.column("end_time")[1]) == "2021-05-06T12:00:00.000000"
    found = {f.code: f for f in records.case("7-2").findings}
    assert set(found) == {"RACE//UNKNOWN", "LAB//50912//mg/dL", "CHIEF_COMPLAINT"}, "what came later is not there"
    assert (found["LAB//50912//mg/dL"].value, found["LAB//50912//mg/dL"].unit) == (39.4, "mg/dL")
    assert found["CHIEF_COMPLAINT"].text == "chest pain"
    assert {f.status for f in found.values()} == {"present"}


def test_diagnoses_are_judgements_of_their_stay(folder: Path) -> None:
    records = read_meds(folder, index="HOSPITAL_ADMISSION//*")
    assert records.y.tolist() == ["DIAGNOSIS//ICD//10//E11", "DIAGNOSIS//ICD//10//I21"]
    labels = records.frame("labels")
    second = labels[labels.case_id == "7-2"][["diagnosis", "role"]]
    assert [tuple(row) for row in second.to_numpy()] == [
        ("DIAGNOSIS//ICD//10//E11", "comorbidity"),
        ("DIAGNOSIS//ICD//10//I21", "principal"),
        ("DIAGNOSIS//ICD//10//I10", "secondary"),
    ]
    assert not set(records.coded.codes) & set(labels.diagnosis), "not even a word of them is among the findings"
    none = read_meds(folder, index="HOSPITAL_ADMISSION//*", several="none")
    assert none.y.tolist() == ["DIAGNOSIS//ICD//10//E11", None]


def test_medications_and_procedures_are_actions(folder: Path) -> None:
    actions = read_meds(folder, index="HOSPITAL_ADMISSION//*").frame("actions")
    assert actions[["case_id", "kind", "code"]].to_numpy().tolist() == [
        ["7-2", "medication", "MEDICATION//aspirin"],
        ["7-2", "procedure", "PROCEDURE//ICD//10//027034Z"],
    ]
    assert actions.dose[0] == 300.0


def test_judgements_end_after_their_hours(folder: Path) -> None:
    records = read_meds(folder, index="HOSPITAL_ADMISSION//*", judged_hours=24, window_hours=24)
    assert records.y.tolist() == [None, None]
    assert "labels" not in records.names
    assert records.frame("actions").code.tolist() == ["MEDICATION//aspirin"]


def test_the_last_event_of_each_subject(folder: Path) -> None:
    records = read_meds(folder, window_hours=24 * 7)
    assert records.case_ids.tolist() == ["8", "7"], "shards in the order of their names"
    assert str(records.column("index_time")[1]) == "2021-05-06T12:00:00.000000", "death is no index"
    assert records.y.tolist() == [None, "DIAGNOSIS//ICD//10//I21"]
    assert math.isnan(records.column("age_years")[0])


def test_findings_may_come_after_the_index(folder: Path) -> None:
    late = read_meds(folder, index="HOSPITAL_ADMISSION//*", window_hours=0, after_hours=6)
    codes = {f.code for f in late.case("7-2").findings}
    assert codes == {"RACE//UNKNOWN", "LAB//51003//ng/mL"}, "both ends are inside"


def test_every_event_has_one_fate(folder: Path) -> None:
    records = read_meds(folder, index="HOSPITAL_ADMISSION//*", window_hours=24)
    counted = notes(records)
    assert counted.pop("account") == len(STAYS) == sum(counted.values())
    # Two laboratory values, one of the stay before and one of after admission, are in no window.
    assert counted == {
        "outside": 2,
        "no_index": 1,
        "administrative": 3,
        "context": 5,
        "finding": 3,
        "label": 3,
        "action": 2,
    }
    assert records.report.counts["events"].loaded == len(STAYS)


def test_words_come_from_the_metadata(folder: Path) -> None:
    records = read_meds(folder)
    assert records.vocabulary.name("LAB//50912//mg/dL") == "Creatinine"
    assert records.vocabulary.parents("LAB//50912//mg/dL") == ("LOINC/2160-0",)
    assert records.vocabulary.diagnosis_name("DIAGNOSIS//ICD//10//I21") == "Acute myocardial infarction"
    assert "unused" not in records.vocabulary.findings


def test_codes_may_be_others(folder: Path) -> None:
    codes = MedsCodes(diagnosis=("CHIEF_COMPLAINT",), administrative=())
    records = read_meds(folder, index=["hospital_admission//*"], codes=codes, window_hours=1)
    assert records.frame("labels").diagnosis.tolist() == ["CHIEF_COMPLAINT"]
    assert "ED_OUT" in records.coded.codes


def test_splits_and_zone_are_kept(folder: Path) -> None:
    split = {"subject_id": pa.array([7, 8]), "split": ["train", "held_out"]}
    pq.write_table(pa.table(split), folder / "metadata" / "subject_splits.parquet")
    records = read_meds(folder, timezone="America/New_York")
    assert records.column("x_split").tolist() == ["held_out", "train"]
    assert str(records.column("index_time")[1]) == "2021-05-06T16:00:00.000000"
    assert not [p for p in records.report.warnings if p.kind == "no_time_zone"]


def test_a_long_text_is_a_note(tmp_path: Path) -> None:
    text = "The patient was admitted with " + "pain " * 100
    events = [event(1, "2020-01-01", "NOTE//DS", None, text), event(1, "2020-01-02", "X", None, "y")]
    records = read_meds(write_folder(tmp_path, {"0": table_of(events)}))
    assert records.frame("notes").text.tolist() == [text]
    assert [f.text for f in records.case("1").findings] == [None, "y"]


def test_older_types_are_read(tmp_path: Path) -> None:
    """0.3 had plain strings; extractions also write wider numbers, other units of time and dictionaries."""
    table = table_of(STAYS)
    for name, kind in (("text_value", pa.string()), ("time", pa.timestamp("ns")), ("numeric_value", pa.float64())):
        i = table.column_names.index(name)
        table = table.set_column(i, name, table[name].cast(kind))
    table = table.set_column(2, "code", table["code"].dictionary_encode())
    wide = read_meds(write_folder(tmp_path / "a", {"0": table}), index="HOSPITAL_ADMISSION//*")
    plain = read_meds(write_folder(tmp_path / "b", {"0": table_of(STAYS)}), index="HOSPITAL_ADMISSION//*")
    assert wide.arrow("findings").drop_columns(["value"]) == plain.arrow("findings").drop_columns(["value"])
    assert wide.y.tolist() == plain.y.tolist()


def test_columns_may_be_missing(tmp_path: Path) -> None:
    table = table_of([event(1, "2020-01-01", "COUGH")]).select(["subject_id", "time", "code"])
    records = read_records(write_folder(tmp_path, {"0": table}), format="meds")
    assert [f.code for f in records.case("1").findings] == ["COUGH"]


def test_no_index_event_no_case(folder: Path) -> None:
    records = read_meds(folder, index="NOWHERE")
    assert len(records) == 0
    assert notes(records)["no_index"] == len(STAYS)


def test_what_we_write_others_can_read(tmp_path: Path) -> None:
    """By its index events, without the extra columns: present findings are there, denied ones under another code."""
    records = small_records(40)
    folder = write_meds(records, tmp_path / "meds")
    seen = read_meds(folder, index="ENCOUNTER//START", after_hours=48)
    assert len(seen) == len(records)
    assert sorted(d for d in seen.y) == sorted(f"DIAGNOSIS//{d}" for d in records.y)
    theirs = {code for code in seen.coded.codes if "//" not in code}
    ours = records.frame("findings")
    assert theirs == set(ours[(ours.status == "present") & ours.subject.isna()].code)
    assert {code.rpartition("//")[2] for code in set(seen.coded.codes) - theirs} >= {"ABSENT"}


@pytest.mark.parametrize("records", [small_records(5)])
def test_a_written_folder_is_not_overwritten(records: Records, tmp_path: Path) -> None:
    write_meds(records, tmp_path / "meds")
    with pytest.raises(InputError, match="empty folder"):
        write_meds(records, tmp_path / "meds")
    assert (tmp_path / "meds").stat().st_mode & 0o777 == 0o700


def test_what_is_not_confirmed_is_no_finding(tmp_path: Path) -> None:
    """A provisional or ruled-out diagnosis of ours is neither a finding nor a diagnosis to those who read events."""
    status, day = ["confirmed", "provisional", "ruled_out", None], "2024-01-02T00:00:00Z"
    records = Records.from_tables(
        {
            "cases": {"case_id": ["a"], "time": ["2024-01-01T00:00:00Z"], "end_time": ["2024-01-03T00:00:00Z"]},
            "findings": {"case_id": ["a"], "code": ["fever"], "status": ["present"], "time": ["2024-01-01T01:00:00Z"]},
            "labels": {"case_id": ["a"] * 4, "diagnosis": list("ABCD"), "status": status, "time": [day] * 4},
            "actions": {"case_id": ["a"], "kind": ["referral"], "code": ["D"], "time": [day]},
        }
    )
    seen = read_meds(write_meds(records, tmp_path / "meds"), index="ENCOUNTER//START", after_hours=48)
    assert seen.coded.codes.tolist() == ["fever"]
    assert seen.frame("labels").diagnosis.tolist() == ["DIAGNOSIS//A"]
