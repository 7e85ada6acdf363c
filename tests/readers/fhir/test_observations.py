"""What an Observation says about a finding: its state, value, unit, range, and when it was known."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.readers.fhir.resources import (
    LOINC,
    SNOMED,
    concept,
    encounter,
    kinds,
    note,
    observation,
    patient,
    read,
    rows,
    temperature,
    without,
)

from diagnosis.vocabulary import is_unit

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
COUGH = concept(SNOMED, "49727002", "Cough")


def findings(folder: Path, *observations: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    return rows(read(folder, patient(), encounter(), *observations, **options))


def test_a_measured_value_keeps_unit_range_interpretation_comparator_and_both_times(tmp_path: Path) -> None:
    one = temperature(
        issued="2024-03-01T09:15:00.250+01:00",
        category=[concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
        interpretation=[concept(INTERPRETATION, "HU")],
        referenceRange=[{"low": {"value": 36.1, "code": "Cel"}, "high": {"value": 37.5, "code": "Cel"}}],
        bodySite={"text": "ear"},
    )
    one["valueQuantity"]["comparator"] = ">="
    (row,) = findings(tmp_path, one)
    assert row == {
        "case_id": "e1",
        "code": "LOINC:8310-5",
        "status": "present",
        "value": 38.9,
        "comparator": ">=",
        "unit": "Cel",
        "time": datetime.fromisoformat("2024-03-01T08:30:00+00:00"),
        "known": datetime.fromisoformat("2024-03-01T08:15:00.250+00:00"),
        "phase": "examination",
        "body_site": "ear",
        "ref_low": 36.1,
        "ref_high": 37.5,
        "interpretation": "H",
    }


def test_names_kinds_and_the_usual_unit_come_from_the_codings(tmp_path: Path) -> None:
    lab = [concept("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")]
    records = read(
        tmp_path, patient(), encounter(), temperature(), observation("o2", code=COUGH, valueBoolean=True, category=lab)
    )
    words = {row["code"]: row for row in rows(records, "vocabulary")}
    assert words["LOINC:8310-5"] == {"code": "LOINC:8310-5", "system": LOINC, "name": "Body temperature", "unit": "Cel"}
    assert words["SNOMED:49727002"]["kind"] == words["SNOMED:49727002"]["phase"] == "laboratory"


@pytest.mark.parametrize(
    ("answer", "status", "interpretation"),
    [
        (concept(SNOMED, "373066001"), "present", None),
        (concept(SNOMED, "373067005"), "absent", None),
        (concept(LOINC, "LA33-6", "Yes"), "present", None),
        (concept(LOINC, "LA32-8", "No"), "absent", None),
        (concept(INTERPRETATION, "POS"), "present", "POS"),
        (concept(INTERPRETATION, "NEG"), "absent", "NEG"),
        (concept(INTERPRETATION, "ND"), "absent", "NEG"),
        (concept(INTERPRETATION, "DET"), "present", "POS"),
        (concept(SNOMED, "260415000", "Not detected"), "absent", "NEG"),
        (concept(SNOMED, "82334004", "Indeterminate"), "uncertain", None),
        (concept("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "ASKU"), "uncertain", None),
    ],
)
def test_a_coded_answer_is_a_state(
    tmp_path: Path, answer: dict[str, Any], status: str, interpretation: str | None
) -> None:
    (row,) = findings(tmp_path, observation(code=COUGH, valueCodeableConcept=answer))
    assert (row["status"], row.get("interpretation"), row.get("text")) == (status, interpretation, None)


def test_booleans_words_categories_and_numbers(tmp_path: Path) -> None:
    made = findings(
        tmp_path,
        observation("1", code=COUGH, valueBoolean=True),
        observation("2", code=COUGH, valueBoolean=False),
        observation("3", code=COUGH, valueString="  barking\n and dry "),
        observation("4", code=COUGH, valueCodeableConcept=concept(SNOMED, "1", "Productive")),
        observation("5", code=COUGH, valueInteger=3),
        observation("6", code=COUGH, valueString="no growth", interpretation=[concept(INTERPRETATION, "NEG")]),
        observation("7", code=COUGH, interpretation=[concept(INTERPRETATION, "NEG")]),
        on_error="quarantine",  # present and absent at one instant
    )
    assert not made
    apart = [
        observation(str(i), code=COUGH, **value, effectiveDateTime=f"2024-03-01T08:3{i}:00Z")
        for i, value in enumerate(
            (
                {"valueBoolean": True},
                {"valueBoolean": False},
                {"valueString": "  barking\n and dry "},
                {"valueCodeableConcept": concept(SNOMED, "1", "Productive")},
                {"valueInteger": 3},
                {"valueString": "no growth", "interpretation": [concept(INTERPRETATION, "NEG")]},
                {"interpretation": [concept(INTERPRETATION, "NEG")]},
            )
        )
    ]
    made = findings(tmp_path, *apart)
    assert [(r["status"], r.get("text"), r.get("value")) for r in made] == [
        ("present", None, None),
        ("absent", None, None),
        ("present", "barking and dry", None),
        ("present", "Productive", None),
        ("present", None, 3.0),
        ("absent", "no growth", None),
        ("absent", None, None),
    ]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("unknown", "uncertain"),
        ("asked-unknown", "uncertain"),
        ("temp-unknown", "uncertain"),
        ("error", "uncertain"),
        ("ASKU", "uncertain"),
        ("NASK", None),
        ("asked-declined", None),
        ("not-asked", None),
        ("not-performed", None),
        ("masked", None),
    ],
)
def test_a_missing_value_is_uncertain_where_it_was_asked_and_no_row_where_not(
    tmp_path: Path, reason: str, status: str | None
) -> None:
    records = read(tmp_path, patient(), encounter(), observation(dataAbsentReason=concept(ABSENT_REASON, reason)))
    assert [r["status"] for r in rows(records)] == ([status] if status else [])
    assert ("1 not asked, not performed or withheld" in note(records, "Observation")) == (status is None)


def test_components_are_findings_of_their_own_and_a_panel_alone_is_none(tmp_path: Path) -> None:
    pressure = observation(
        code=concept(LOINC, "85354-9", "Blood pressure"),
        component=[
            {"code": concept(LOINC, "8480-6"), "valueQuantity": {"value": 120, "unit": "mm[Hg]"}},
            {"code": concept(LOINC, "8462-4"), "dataAbsentReason": concept(ABSENT_REASON, "not-performed")},
        ],
    )
    records = read(tmp_path, patient(), encounter(), pressure, observation("panel"))
    assert [(r["code"], r["value"], r["unit"]) for r in rows(records)] == [("LOINC:8480-6", 120.0, "mm[Hg]")]
    assert note(records, "Observation") == "2 read: 1 used, 1 without a value"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "entered-in-error"}, "entered in error"),
        ({"status": "cancelled"}, "cancelled or not done"),
        ({"status": "registered"}, "registered without a result"),
        ({"focus": [{"reference": "Patient/baby"}]}, "about somebody or something else"),
        ({"subject": {"reference": "Device/1"}}, "about somebody or something else"),
        ({"encounter": {"reference": "Encounter/elsewhere"}}, "of an encounter that is not among these files"),
    ],
)
def test_what_is_no_finding_is_left_out_and_counted(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    records = read(
        tmp_path, patient(), encounter(), temperature(**changes), temperature("o2", 37.0, status="preliminary")
    )
    assert [r["value"] for r in rows(records)] == [37.0]
    assert f"1 used, 1 {reason}" in note(records, "Observation")
    assert not records.report.errors


def test_a_corrected_result_replaces_and_one_entered_in_error_takes_back(tmp_path: Path) -> None:
    records = read(
        tmp_path,
        *(patient(), encounter()),
        *(temperature("a", 39.0, status="corrected"), temperature("a", 93.0)),
        *(temperature("b", 38.0), temperature("b", 38.0, status="entered-in-error")),
        temperature("c", 37.1, meta={"lastUpdated": "2024-03-02T00:00:00Z"}),
        temperature("c", 37.9, meta={"lastUpdated": "2024-03-01T00:00:00Z"}),
    )
    assert [r["value"] for r in rows(records)] == [39.0, 37.1]
    assert "2 used" in note(records, "Observation")
    assert "3 replaced" in note(records, "Observation")


def test_a_narrative_and_an_unknown_kind_of_value_are_not_read_and_said(tmp_path: Path) -> None:
    records = read(
        tmp_path,
        *(patient(), encounter()),
        observation("1", valueString="word " * 40),
        observation("2", valueDateTime="2024-02-11"),
        observation("3", valueSampledData={"dimensions": 1}),
        observation("4", valueRatio={"numerator": {"value": 1}}),
        observation("5", valueRange={"low": {"value": 1, "code": "mg"}, "high": {"value": 2, "code": "g"}}),
    )
    assert not rows(records)
    says = [p.says for p in records.report.warnings if p.kind == "value_not_read"]
    assert says == [
        f"1 values are not read: {what}"
        for what in (
            *("valueString of more than 120 characters", "valueDateTime", "valueSampledData"),
            *("valueRatio without numbers that fit together", "valueRange without numbers that fit together"),
        )
    ]


def _side(value: float, code: str | None = None, comparator: str | None = None) -> dict[str, object]:
    named = (("value", value), ("code", code), ("comparator", comparator))
    return {name: part for name, part in named if part is not None}


@pytest.mark.parametrize(
    ("ratio", "value", "comparator", "unit"),
    [
        ((_side(1), _side(160)), 160.0, None, "{titer}"),
        ((_side(1, comparator="<"), _side(10)), 10.0, "<", "{titer}"),
        ((_side(1), _side(1280, comparator=">=")), 1280.0, ">=", "{titer}"),
        ((_side(30, "mg"), _side(2, "mmol")), 15.0, None, "mg/mmol"),
        ((_side(5, "mL"), _side(2, "h.m2")), 2.5, None, "mL/(h.m2)"),
        ((_side(3, "g"), _side(4, "g")), 0.75, None, "1"),
    ],
)
def test_a_ratio_is_a_titre_or_a_quotient(
    tmp_path: Path, ratio: tuple[Any, Any], value: float, comparator: str | None, unit: str
) -> None:
    (row,) = findings(tmp_path, observation(valueRatio={"numerator": ratio[0], "denominator": ratio[1]}))
    assert (row["status"], row["value"], row.get("comparator"), row["unit"]) == ("present", value, comparator, unit)
    assert is_unit(unit)


def test_a_range_is_what_was_written_and_no_middle_is_made_up(tmp_path: Path) -> None:
    high = _side(5, "/[HPF]")
    spans = ({"low": _side(3), "high": high}, {"low": _side(50, "/[HPF]")}, {"high": high}, {"low": high, "high": high})
    found = findings(tmp_path, *(observation(str(i), valueRange=span) for i, span in enumerate(spans)))
    assert [(r.get("value"), r.get("comparator"), r.get("text")) for r in found] == [
        (None, None, "3-5 /[HPF]"),
        (50.0, ">=", None),
        (5.0, "<=", None),
        (5.0, None, None),
    ]


def test_resources_inside_others_are_counted_and_a_prescribed_medication_is_read(tmp_path: Path) -> None:
    inner = {"resourceType": "Medication", "id": "m", "code": concept(SNOMED, "27658006", "Amoxicillin")}
    prescribed = {
        "resourceType": "MedicationRequest",
        "id": "r",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "contained": [inner],
        "medicationReference": {"reference": "#m"},
    }
    seen = temperature(contained=[{"resourceType": "Device", "id": "d"}])
    records = read(tmp_path, patient(), encounter(), seen, prescribed)
    assert rows(records, "actions")[0]["code"] == "SNOMED:27658006"
    told = [p.says for p in records.report.notes if p.kind == "contained"]
    assert told[0].endswith(": Device 1, Medication 1")


def test_an_assertion_names_the_finding_in_its_value(tmp_path: Path) -> None:
    assertion = concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "ASSERTION")
    (row,) = findings(tmp_path, observation(code=assertion, valueCodeableConcept=COUGH))
    assert row["code"] == "SNOMED:49727002"
    assert row["status"] == "present"
    assert "text" not in row


def test_of_several_codings_the_best_known_system_counts_and_words_alone_are_a_code(tmp_path: Path) -> None:
    local = {"system": "http://ward.example/codes", "code": "T", "display": "Temp"}
    both = {"coding": [local, {"system": LOINC, "code": "8310-5", "display": "Body temperature"}]}
    records = read(
        tmp_path,
        *(patient(), encounter()),
        observation("1", code=both, valueInteger=1),
        observation("2", code={"coding": [local]}, valueInteger=1),
        observation("3", code={"text": "体温"}, valueInteger=1),
    )
    assert [r["code"] for r in rows(records)] == ["LOINC:8310-5", "http://ward.example/codes#T", "体温"]
    assert records.vocabulary.name("体温", "zh") == "体温"
    assert "no_code" in kinds(records)


def test_an_answer_that_was_not_asked_for_is_no_row(tmp_path: Path) -> None:
    not_asked = concept("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "NASK")
    records = read(tmp_path, patient(), encounter(), observation(code=COUGH, valueCodeableConcept=not_asked))
    assert not rows(records)
    assert "1 not asked" in note(records, "Observation")


def test_an_instant_and_a_period_without_an_end_are_times_too(tmp_path: Path) -> None:
    plain = [without(temperature(str(i), 37.0 + i), "effectiveDateTime") for i in range(3)]
    plain[0] |= {"effectiveInstant": "2024-03-01T08:40:00.5Z"}
    plain[1] |= {"effectivePeriod": {"start": "2024-03-01T08:50:00Z"}}
    made = findings(tmp_path, *plain)
    assert [r["time"].minute if "time" in r else None for r in made] == [40, 50, None]


def test_the_unit_is_ucums_code_else_the_words(tmp_path: Path) -> None:
    local = {"value": 1.0, "unit": "mg", "system": SNOMED, "code": "258684004"}
    words = {"value": 1.0, "unit": "beats a minute"}
    made = findings(tmp_path, temperature("1", valueQuantity=local), temperature("2", valueQuantity=words))
    assert [r["unit"] for r in made] == ["mg", "beats a minute"]


def test_an_unknown_unit_is_kept_and_warned_of(tmp_path: Path) -> None:
    odd = temperature(valueQuantity={"value": 1.0, "unit": "smidgens"})
    records = read(tmp_path, patient(), encounter(), odd)
    assert rows(records)[0]["unit"] == "smidgens"
    assert "unknown_unit" in kinds(records)


def test_a_range_in_another_unit_or_one_of_several_is_not_used(tmp_path: Path) -> None:
    other = [{"low": {"value": 97, "code": "[degF]"}}]
    several = [{"low": {"value": 36}}, {"low": {"value": 36.5}, "text": "children"}]
    made = findings(tmp_path, temperature("1", referenceRange=other), temperature("2", referenceRange=several))
    assert all("ref_low" not in r and "ref_high" not in r for r in made)


def test_a_date_is_a_day_that_is_known_by_its_end_or_that_of_the_encounter(tmp_path: Path) -> None:
    records = read(
        tmp_path, patient(), encounter(), temperature(effectiveDateTime="2024-03-01"), timezone="Asia/Shanghai"
    )
    (row,) = rows(records)
    assert row["time"] == datetime.fromisoformat("2024-02-29T16:00:00+00:00")
    assert row["known"] == datetime.fromisoformat("2024-03-01T10:00:00+00:00")
    assert len(records.as_of("arrival").coded) == 0
    assert len(records.as_of("end").coded) == 1


def test_odd_dates_are_kept_out_of_the_clock_and_said(tmp_path: Path) -> None:
    records = read(
        tmp_path,
        *(patient(), encounter()),
        temperature("1", effectiveDateTime="2024-03"),
        temperature("2", effectiveDateTime="yesterday"),
        temperature("3", effectiveDateTime="2024-03-01T08:30:00"),
        temperature("4", effectiveDateTime="2016-12-31T23:59:60Z"),
    )
    assert kinds(records) >= {"partial_date", "bad_time", "no_time_zone"}
    times = [r.get("time") for r in rows(records)]
    assert times[:2] == [None, None]
    assert times[2] == datetime.fromisoformat("2024-03-01T08:30:00+00:00")
    assert times[3] == datetime.fromisoformat("2016-12-31T23:59:59+00:00")


def test_what_lasted_is_known_at_its_end(tmp_path: Path) -> None:
    span = {"start": "2024-03-01T08:00:00Z", "end": "2024-03-01T09:00:00Z"}
    (row,) = findings(tmp_path, without(temperature(), "effectiveDateTime") | {"effectivePeriod": span})
    assert (row["time"].hour, row["known"].hour) == (8, 9)


def test_without_an_encounter_the_time_decides(tmp_path: Path) -> None:
    loose = [without(temperature(str(i), 37.0 + i), "encounter") for i in range(3)]
    loose[1]["effectiveDateTime"] = "2024-03-05T09:00:00Z"
    loose[2]["effectiveDateTime"] = "2024-03-09T09:00:00Z"
    records = read(tmp_path, patient(), encounter("e1"), encounter("e2", day="2024-03-05"), *loose)
    assert [(r["case_id"], r["value"]) for r in rows(records)] == [("e1", 37.0), ("e2", 38.0)]
    assert "1 outside every encounter" in note(records, "Observation")
