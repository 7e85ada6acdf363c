"""Patients and encounters as cases; who belongs to whom; what was done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.readers.fhir.resources import (
    SNOMED,
    bundle,
    concept,
    condition,
    encounter,
    note,
    observation,
    patient,
    read,
    rows,
    temperature,
    without,
    write,
)

from diagnosis.errors import RecordsError
from diagnosis.readers import read_fhir, read_records, write_records


def test_a_case_is_an_encounter_with_its_context(tmp_path: Path) -> None:
    stay = encounter(
        serviceProvider={"reference": "Organization/ward"},
        serviceType={"text": "paediatrics"},
        hospitalization={"dischargeDisposition": concept(None, "home", "Home")},
        type=[concept(SNOMED, "390906007", "Follow-up encounter")],
    ) | {"class": {"code": "EMER"}}
    ward = {"resourceType": "Organization", "id": "ward", "name": "Children's ward"}
    records = read(tmp_path, ward, {"resourceType": "Organization", "id": "other"}, patient(), stay)
    (row,) = rows(records, "cases")
    assert {k: v for k, v in row.items() if "time" not in k} == {
        "case_id": "e1",
        "patient_id": "p1",
        "age_years": pytest.approx(10.0, abs=0.01),
        "sex": "female",
        "site": "ward",
        "setting": "emergency",
        "department": "paediatrics",
        "visit": "follow_up",
        "disposition": "home",
    }
    assert (row["time"].hour, row["end_time"].hour) == (8, 10)
    assert rows(records, "sites") == [{"site": "ward", "name": "Children's ward"}]
    assert note(records, "Organization") == "2 read: 1 used, 1 that nothing refers to"


@pytest.mark.parametrize(
    ("born", "years", "days"),
    [
        ("2024-02-28", 2 / 365.25, 2.0),
        ("2024-03-01", 0.0, 0.0),
        ("2014-03-01", 10.0, None),
        ("2014-03", 10.0, None),
        ("2014", 9.7, None),
        ("2024", 0.0, None),
    ],
)
def test_age_is_in_days_for_the_young_and_by_the_middle_of_what_is_known(
    tmp_path: Path, born: str, years: float, days: float | None
) -> None:
    (row,) = rows(read(tmp_path, patient(birthDate=born), encounter()), "cases")
    assert row["age_years"] == pytest.approx(years, abs=0.05)
    assert row.get("age_days") == days


def test_a_birth_after_the_visit_is_an_error_of_its_case_alone(tmp_path: Path) -> None:
    late = patient("p2", birthDate="2030-01-01")
    everyone = (
        patient(),
        late,
        encounter(),
        encounter("e2", "p2"),
        temperature(),
        temperature("o2", of="e2", subject=None),
    )
    with pytest.raises(RecordsError, match="age_years"):
        read(tmp_path, *everyone)
    assert read(tmp_path, *everyone, on_error="quarantine").case_ids.tolist() == ["e1"]


def test_a_case_may_be_a_patient(tmp_path: Path) -> None:
    visits = [encounter("e1"), encounter("e2", day="2024-03-05")]
    loose = without(temperature("2", 37.5), "encounter") | {"effectiveDateTime": "2030-01-01T00:00:00Z"}
    records = read(tmp_path, patient(), *visits, temperature("1"), loose, condition(), case="patient")
    (row,) = rows(records, "cases")
    assert (row["case_id"], row["time"].day, row["end_time"].day) == ("p1", 1, 5)
    assert [r["value"] for r in rows(records)] == [38.9, 37.5]
    assert records.y.tolist() == ["SNOMED:14189004"]


@pytest.mark.parametrize(
    "reference",
    ["Encounter/e1", "https://ward.example/fhir/Encounter/e1", "Encounter/e1/_history/3", "urn:uuid:e1"],
)
def test_references_come_in_every_form(tmp_path: Path, reference: str) -> None:
    records = read(tmp_path, patient(), encounter(), temperature(encounter={"reference": reference}))
    assert len(rows(records)) == 1


def test_a_bundle_names_its_resources_by_urn(tmp_path: Path) -> None:
    sent: dict[str, Any] = bundle()
    named = {
        "urn:uuid:11": without(patient(), "id"),
        "urn:uuid:22": encounter("stored-elsewhere") | {"subject": {"reference": "urn:uuid:11"}},
        "urn:uuid:33": temperature(subject={"reference": "urn:uuid:11"}, encounter={"reference": "urn:uuid:22"}),
    }
    sent["entry"] = [{"fullUrl": url, "resource": one} for url, one in named.items()]
    records = read_fhir(write(tmp_path / "b.json", sent))
    assert rows(records)[0]["case_id"] == "stored-elsewhere"
    assert rows(records, "cases")[0]["patient_id"] == "11"


def test_what_was_ordered_and_done_are_actions(tmp_path: Path) -> None:
    common = {"subject": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"}}
    drug = {
        "resourceType": "MedicationRequest",
        "id": "m",
        "status": "active",
        "intent": "order",
        **common,
        "medicationCodeableConcept": concept("http://www.nlm.nih.gov/research/umls/rxnorm", "161", "paracetamol"),
        "authoredOn": "2024-03-01T09:00:00Z",
        "dosageInstruction": [
            {"route": {"text": "oral"}, "doseAndRate": [{"doseQuantity": {"value": 240, "code": "mg"}}]}
        ],
        "reasonCode": [{"text": "fever"}],
    }
    done = {
        "resourceType": "Procedure",
        "id": "x",
        "status": "completed",
        **common,
        "code": concept(SNOMED, "1", "X-ray"),
        "performedPeriod": {"start": "2024-03-01T09:10:00Z"},
    }
    not_done = done | {"id": "y", "status": "not-done"}
    ordered = {"resourceType": "ServiceRequest", "id": "s", "status": "active", "intent": "order", **common}
    records = read(tmp_path, patient(), encounter(), drug, done, not_done, ordered | {"code": {"text": "blood count"}})
    made = {r["kind"]: r for r in rows(records, "actions")}
    assert {"dose": 240.0, "unit": "mg", "route": "oral", "reason": "fever", "code": "RXNORM:161"}.items() <= made[
        "medication"
    ].items()
    assert made["procedure"]["time"].minute == 10
    assert made["order"]["code"] == "blood count"
    assert note(records, "Procedure") == "2 read: 1 used, 1 cancelled or not done"


def test_a_cancelled_encounter_takes_what_is_its_along(tmp_path: Path) -> None:
    records = read(
        tmp_path, patient(), encounter(), encounter("e2", status="cancelled"), temperature(), temperature("o2", of="e2")
    )
    assert records.case_ids.tolist() == ["e1"]
    assert "1 of an encounter that was left out" in note(records, "Observation")


def test_another_patient_than_the_encounters_is_an_error(tmp_path: Path) -> None:
    everyone = (patient(), patient("p2"), encounter(), temperature(subject={"reference": "Patient/p2"}))
    with pytest.raises(RecordsError, match="another patient than its encounter"):
        read(tmp_path, *everyone)


def test_two_patients_with_one_id_are_set_aside_with_all_that_is_theirs(tmp_path: Path) -> None:
    file, aside = tmp_path / "two.json", tmp_path / "aside.jsonl"
    write(
        file,
        bundle(
            patient(), encounter(), temperature(), patient(birthDate="1950-01-01"), patient("p2"), encounter("e2", "p2")
        ),
    )
    with pytest.raises(RecordsError, match="two patients with different birth dates"):
        read_fhir(file)
    records = read_fhir(file, on_error="quarantine", quarantine=aside)
    assert records.case_ids.tolist() == ["e2"]
    entries = [json.loads(line) for line in aside.read_text().splitlines()]
    assert [(e["table"], e["entry"]) for e in entries] == [
        ("Patient", 1),
        ("Encounter", 2),
        ("Observation", 3),
        ("Patient", 4),
    ]
    assert aside.stat().st_mode & 0o777 == 0o600


def test_the_same_patient_twice_is_one(tmp_path: Path) -> None:
    records = read(tmp_path, patient(), patient(), encounter(), encounter())
    assert len(records) == 1
    assert note(records, "Patient") == "2 read: 1 used, 1 replaced by another version of the same id"


def test_a_visit_inside_a_stay_and_an_encounter_without_an_end(tmp_path: Path) -> None:
    stay = encounter("stay", period={"start": "2024-03-01T00:00:00Z", "end": "2024-03-09T00:00:00Z"})
    visit = encounter("visit", day="2024-03-03")
    opened = encounter("open", period={"start": "2024-04-01T08:00:00Z"})
    times = ("2024-03-03T09:00:00Z", "2024-03-04T09:00:00Z", "2024-04-01T20:00:00Z", "2024-04-03T00:00:00Z")
    loose = [without(temperature(str(i)), "encounter") | {"effectiveDateTime": t} for i, t in enumerate(times)]
    records = read(tmp_path, patient(), stay, visit, opened, *loose)
    assert sorted(r["case_id"] for r in rows(records)) == ["open", "stay", "visit"]


def test_read_and_written_and_read_again_as_tables(tmp_path: Path) -> None:
    file = write(
        tmp_path / "x.ndjson",
        patient(),
        encounter(),
        temperature(),
        observation("2", code={"text": "cough"}, valueBoolean=False),
        condition(),
    )
    records = read_records(file, format="fhir")
    again = read_records(write_records(records, tmp_path / "tables"))
    assert again.digest() == records.digest()
