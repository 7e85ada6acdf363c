"""A differential as a RiskAssessment: valid FHIR, percentages, no treatment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.commands import done
from tests.small import small_records

import diagnosis as dx
from diagnosis.readers import write_records
from diagnosis.readers.fhir import risk_assessment
from diagnosis.readers.fhir.out import NOTE
from diagnosis.suggestions import Diagnoser

CODES = st.sampled_from(["ICD10:B05.9", "SNOMED:14189004", "HP:0001945", "http://a.example#b", "measles", "麻疹"])
DIFFERENTIALS = st.fixed_dictionaries(
    {
        "case_id": st.text(min_size=1, max_size=80),
        "model": st.just("m"),
        "reading": st.just("posterior"),
        "as_of": st.just("end"),
        "ranked": st.lists(st.fixed_dictionaries({"diagnosis": CODES, "probability": st.floats(0, 1)}), max_size=4),
        "other": st.none() | st.floats(0, 1),
        "must_not_miss": st.lists(CODES, max_size=2),
        "abstained": st.booleans(),
        "abstain_reason": st.none() | st.just("too little is recorded"),
        "unknown_codes": st.lists(CODES, max_size=2),
    }
)
BASIS = st.lists(st.tuples(CODES, CODES, st.sampled_from(["present", "absent", "39.4 Cel"])), max_size=3)


def valid(resource: dict[str, Any]) -> Any:
    """The resource as fhir.resources' own R4B model takes it."""
    model = pytest.importorskip("fhir.resources.R4B.riskassessment").RiskAssessment
    return model.model_validate(json.loads(json.dumps(resource)))


@given(DIFFERENTIALS, st.none() | st.text(min_size=1, max_size=80), BASIS)
def test_every_differential_is_a_valid_resource(differential: dict[str, Any], patient: str | None, basis: Any) -> None:
    made = risk_assessment(differential, {"measles": "Measles"}, patient=patient, basis=basis)
    assert valid(made).get_resource_type() == "RiskAssessment"
    assert "mitigation" not in made
    assert made["note"][0] == {"text": NOTE}
    percents = [p["probabilityDecimal"] for p in made.get("prediction", [])]
    assert len(percents) == len(differential["ranked"]) + (differential["other"] is not None)
    assert all(0 <= p <= 100 for p in percents)


def test_what_a_clinician_finds_in_it() -> None:
    made = risk_assessment(
        {
            "case_id": "e1",
            "model": "clinic",
            "reading": "posterior",
            "as_of": "arrival",
            "other": 0.2,
            "ranked": [{"diagnosis": "ICD10:B05.9", "probability": 0.62}, {"diagnosis": "flu", "probability": 0.18}],
            "must_not_miss": ["ICD10:B05.9"],
            "abstained": True,
            "abstain_reason": "too little is recorded",
            "unknown_codes": ["x"],
            "set": [],
            "flags": [],
        },
        {"ICD10:B05.9": "measles", "flu": "influenza"},
        patient="p1",
        basis=[("LOINC:8310-5", "body temperature", "39.4 Cel"), ("rash", "rash", "absent")],
    )
    assert (made["status"], made["subject"], made["encounter"]) == (
        "preliminary",
        {"reference": "Patient/p1"},
        {"reference": "Encounter/e1"},
    )
    measles, flu, other = made["prediction"]
    coding = {"system": "http://hl7.org/fhir/sid/icd-10", "code": "B05.9", "display": "measles"}
    assert measles["outcome"] == {"coding": [coding], "text": "measles"}
    assert (measles["probabilityDecimal"], flu["probabilityDecimal"]) == (62.0, 18.0)
    assert other["outcome"]["text"] == "None of the listed"
    assert [one["type"] for one in made["basis"]] == ["Observation", "Observation"]
    assert [one["display"] for one in made["basis"]] == ["body temperature (LOINC:8310-5): 39.4 Cel", "rash: absent"]
    text = " ".join(n["text"] for n in made["note"])
    for part in (
        "no dose",
        "As of arrival",
        "rather not answer: too little is recorded",
        "Must not be missed",
        "1 recorded findings",
    ):
        assert part in text


def test_from_a_fitted_model_and_from_the_command(tmp_path: Path) -> None:
    records = small_records(120)
    diagnoser = Diagnoser(model="linear").fit(records)
    made = [d.to_fhir() for d in diagnoser.suggest(records[:3])]
    for one, row in zip(made, records.frame("cases").itertuples(), strict=False):
        valid(one)
        assert one["subject"] == {"reference": f"Patient/{row.patient_id}"}
        assert one["encounter"] == {"reference": f"Encounter/{row.case_id}"}
        assert 99 < sum(p["probabilityDecimal"] for p in one["prediction"]) <= 100 + 1e-6
    by_hand = dx.Case(
        findings=[
            dx.Finding("cough", status="absent"),
            dx.Finding("rash", status="uncertain"),
            dx.Finding("wheeze"),
            dx.Finding("LOINC:8310-5", value=39.4, unit="Cel", comparator=">="),
            dx.Finding("asthma_history", subject="mother", status="absent"),
            dx.Finding("stool", text="watery"),
            dx.Finding("nobody knows"),
        ]
    )
    basis = valid(diagnoser.suggest(by_hand).to_fhir()).basis
    assert [one.display for one in basis] == [
        "body temperature (LOINC:8310-5): ≥39.4 Cel",
        "mother: asthma in the family (asthma_history): absent",
        "cough: absent",
        "rash: uncertain",
        "stool: watery",
        "wheeze: present",
    ]
    diagnoser.save(tmp_path / "model")
    write_records(records[:3], tmp_path / "records")
    lines = done("suggest", tmp_path / "model", tmp_path / "records", "--format", "fhir").stdout.splitlines()
    assert [json.loads(line)["prediction"] for line in lines] == [one["prediction"] for one in made]
