"""Which Condition becomes a label of which encounter, and which is a symptom."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.readers.fhir.resources import (
    ICD10,
    SNOMED,
    concept,
    condition,
    encounter,
    kinds,
    note,
    patient,
    read,
    rows,
    without,
)

FLU = concept(SNOMED, "6142004", "Influenza (disorder)")
MEASLES = concept(SNOMED, "14189004", "Measles (disorder)")
COUGH = concept(SNOMED, "49727002", "Cough (finding)")
ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"


def listed(ident: str, use: str | None = None, rank: int | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"condition": {"reference": f"Condition/{ident}"}}
    return made | ({"use": concept(ROLE, use)} if use else {}) | ({"rank": rank} if rank else {})


def test_encounter_diagnosis_counts_first_by_use_and_rank(tmp_path: Path) -> None:
    stay = encounter(diagnosis=[listed("flu", "AD"), listed("measles", "DD", 1), listed("cold", "DD", 2)])
    cold = condition("cold", concept(ICD10, "J00"))
    records = read(tmp_path, patient(), stay, condition("flu", FLU), condition("measles", MEASLES), cold)
    assert records.y.tolist() == ["SNOMED:14189004"]
    roles = {r["diagnosis"]: (r["role"], r["status"], r["rank"]) for r in rows(records, "labels")}
    assert roles == {
        "SNOMED:14189004": ("principal", "confirmed", 1),
        "ICD10:J00": ("secondary", "confirmed", 2),
        "SNOMED:6142004": ("admission", "confirmed", 3),
    }
    assert "1 by Encounter.diagnosis" in note(records, "labels")


def test_a_condition_that_is_listed_elsewhere_still_names_the_disease(tmp_path: Path) -> None:
    old = condition("flu", FLU, encounter={"reference": "Encounter/gone"})
    records = read(tmp_path, patient(), encounter(diagnosis=[listed("flu"), listed("lost")]), old)
    assert records.y.tolist() == ["SNOMED:6142004"]
    assert "unresolved" in kinds(records)


def test_then_a_condition_that_names_the_encounter_then_one_that_begins_in_it(tmp_path: Path) -> None:
    begun = without(condition("2", MEASLES, onsetDateTime="2024-03-05T09:00:00Z"), "encounter")
    recorded = without(condition("3", FLU, onsetDateTime="2024-01-01", recordedDate="2024-03-09"), "encounter")
    never = without(condition("4", FLU, onsetDateTime="2020"), "encounter")
    days = ("2024-03-01", "2024-03-05", "2024-03-09", "2024-03-12")
    visits = [encounter(f"e{i}", day=day) for i, day in enumerate(days, 1)]
    records = read(tmp_path, patient(), *visits, condition("1", FLU), begun, recorded, never)
    assert records.y.tolist() == ["SNOMED:6142004", "SNOMED:14189004", "SNOMED:6142004", None]
    says = note(records, "labels")
    assert "3 of 4 cases" in says
    assert "1 by Conditions that name the encounter; 2 by Conditions that begin or are recorded in it" in says
    assert "1 did not (1 no Condition)" in says
    assert "1 outside every encounter" in note(records, "Condition")


@pytest.mark.parametrize(
    ("status", "label", "state"),
    [
        ("confirmed", "confirmed", "present"),
        (None, "confirmed", "present"),
        ("provisional", "provisional", "uncertain"),
        ("unconfirmed", "provisional", "uncertain"),
        ("differential", "differential", "uncertain"),
        ("refuted", "ruled_out", "absent"),
    ],
)
def test_a_disease_is_judged_and_a_symptom_has_a_state(
    tmp_path: Path, status: str | None, label: str, state: str
) -> None:
    records = read(
        tmp_path, patient(), encounter(), condition("1", FLU, status=status), condition("2", COUGH, status=status)
    )
    (judged,) = rows(records, "labels")
    (found,) = rows(records)
    assert (judged["diagnosis"], judged["status"]) == ("SNOMED:6142004", label)
    assert (found["code"], found["status"], found["phase"]) == ("SNOMED:49727002", state, "history")
    assert (judged["role"] == "principal") == (label in ("confirmed", "provisional"))
    assert records.y.tolist() == (["SNOMED:6142004"] if label == "confirmed" else [None])
    assert ("unverified" in kinds(records)) == (status is None)


def test_a_symptom_is_told_by_its_code_wherever_the_name_stands(tmp_path: Path) -> None:
    nameless = condition("1", concept(SNOMED, "49727002"))
    phenotype = condition("2", concept("http://human-phenotype-ontology.org", "HP:0001945", "Fever"))
    past = condition("3", concept(SNOMED, "161615003", "History of surgery (situation)"))
    records = read(tmp_path, patient(), encounter(), nameless, phenotype, past, condition("4", COUGH))
    assert "labels" not in records.names
    assert {r["code"] for r in rows(records)} == {"SNOMED:49727002", "HP:0001945", "SNOMED:161615003"}
    assert "1 only findings or situations" in note(records, "labels")


def test_a_symptom_keeps_onset_severity_and_when_it_was_recorded(tmp_path: Path) -> None:
    ill = condition(
        code=COUGH,
        onsetDateTime="2024-02-27T08:00:00Z",
        recordedDate="2024-03-01T08:10:00Z",
        severity=concept(SNOMED, "24484000", "Severe"),
    )
    (row,) = rows(read(tmp_path, patient(), encounter(), ill))
    assert (row["onset_days"], row["severity"]) == (3.0, "severe")
    assert row["time"] == row["known"] == datetime.fromisoformat("2024-03-01T08:10:00+00:00")


@pytest.mark.parametrize("several", ["first", "none"])
def test_of_several_the_first_recorded_is_principal_or_none_by_choice(tmp_path: Path, several: Any) -> None:
    late = condition("a", FLU, recordedDate="2024-03-01T09:00:00Z")
    early = condition("b", MEASLES, recordedDate="2024-03-01T08:30:00Z")
    records = read(tmp_path, patient(), encounter(), late, early, several=several)
    assert records.y.tolist() == (["SNOMED:14189004"] if several == "first" else [None])
    assert [r["rank"] for r in rows(records, "labels")] == [1, 2]
    assert "1 cases have several" in next(p.says for p in records.report.notes if p.kind == "several")


def test_an_encounter_diagnosis_category_ranks_before_the_problem_list(tmp_path: Path) -> None:
    known = condition("a", FLU, recordedDate="2024-03-01T08:30:00Z", category=[concept(None, "problem-list-item")])
    new = condition("b", MEASLES, recordedDate="2024-03-01T09:00:00Z", category=[concept(None, "encounter-diagnosis")])
    records = read(tmp_path, patient(), encounter(), known, new, several="none")
    assert records.y.tolist() == ["SNOMED:14189004"]


def test_one_disease_recorded_twice_is_one_label(tmp_path: Path) -> None:
    records = read(tmp_path, patient(), encounter(), condition("1", FLU), condition("2", FLU), several="none")
    assert records.y.tolist() == ["SNOMED:6142004"]
    assert len(rows(records, "labels")) == 1


def test_a_coding_in_icd_beside_snomed_is_kept(tmp_path: Path) -> None:
    both = {"coding": [*concept(ICD10, "B05.9", "Measles")["coding"], *MEASLES["coding"]]}
    records = read(tmp_path, patient(), encounter(), condition(code=both))
    (words,) = rows(records, "diagnoses")
    assert words == {"code": "SNOMED:14189004", "system": SNOMED, "name": "Measles (disorder)", "icd10": "B05.9"}


def test_editions_of_icd_keep_their_names(tmp_path: Path) -> None:
    american = condition("1", concept("http://hl7.org/fhir/sid/icd-10-cm", "B05.9"))
    records = read(tmp_path, patient(), encounter(), american, condition("2", concept(ICD10, "B05.9")))
    assert {r["diagnosis"] for r in rows(records, "labels")} == {"ICD10CM:B05.9", "ICD10:B05.9"}


def test_allergies_and_family_history_hold_for_every_later_encounter(tmp_path: Path) -> None:
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "a",
        "patient": {"reference": "Patient/p1"},
        "code": concept(SNOMED, "91936005", "Allergy to penicillin"),
        "recordedDate": "2024-03-03",
    }
    family = {
        "resourceType": "FamilyMemberHistory",
        "id": "f",
        "status": "completed",
        "date": "2024-02-01",
        "patient": {"reference": "Patient/p1"},
        "relationship": concept(None, "MTH"),
        "condition": [{"code": concept(SNOMED, "195967001", "Asthma")}],
    }
    records = read(tmp_path, patient(), encounter("e1"), encounter("e2", day="2024-03-05"), allergy, family)
    found = [(r["case_id"], r["code"], r["subject"]) for r in rows(records)]
    assert found == [
        ("e1", "SNOMED:195967001", "family"),
        ("e2", "SNOMED:91936005", "patient"),
        ("e2", "SNOMED:195967001", "family"),
    ]


def allergy(ident: str, status: str | None = None, **more: Any) -> dict[str, Any]:
    made = {"resourceType": "AllergyIntolerance", "id": ident, "patient": {"reference": "Patient/p1"}, **more}
    made["encounter"] = {"reference": "Encounter/e1"}
    return made | ({"verificationStatus": concept(None, status)} if status else {})


def test_an_allergy_has_a_state_too(tmp_path: Path) -> None:
    codes = {name: {"code": {"text": name}} for name in ("nuts", "milk", "eggs", "fish")}
    made = [
        allergy("1", **codes["nuts"]),
        allergy("2", "refuted", **codes["milk"]),
        allergy("3", "unconfirmed", **codes["eggs"]),
        allergy("4", "entered-in-error", **codes["fish"]),
        allergy("5"),
    ]
    records = read(tmp_path, patient(), encounter(), *made)
    assert {r["code"]: r["status"] for r in rows(records)} == {"nuts": "present", "milk": "absent", "eggs": "uncertain"}
    assert note(records, "AllergyIntolerance") == "5 read: 3 used, 1 entered in error, 1 without a value"


def test_a_family_history_in_error_and_one_without_a_condition_say_nothing(tmp_path: Path) -> None:
    common = {"resourceType": "FamilyMemberHistory", "patient": {"reference": "Patient/p1"}}
    asthma = [{"code": {"text": "asthma"}}]
    wrong = {**common, "id": "1", "status": "entered-in-error", "condition": asthma}
    unknown = {**common, "id": "2", "status": "health-unknown"}
    undated = {**common, "id": "3", "status": "completed", "condition": asthma}
    records = read(tmp_path, patient(), encounter(), wrong, unknown, undated)
    assert not rows(records)
    says = "3 read: 0 used, 1 entered in error, 1 without a value, 1 outside every encounter of the patient"
    assert note(records, "FamilyMemberHistory") == says


@pytest.mark.parametrize(("unit", "years"), [("a", 3.0), ("mo", 0.25), ("d", 3 / 365.25), ("furlong", None)])
def test_an_onset_as_an_age(tmp_path: Path, unit: str, years: float | None) -> None:
    (row,) = rows(read(tmp_path, patient(), encounter(), condition(code=COUGH, onsetAge={"value": 3, "code": unit})))
    assert row.get("onset_age_years") == (None if years is None else pytest.approx(years))
