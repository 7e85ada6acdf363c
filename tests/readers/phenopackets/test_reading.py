"""Phenopackets as a clinician would read them: what becomes of every part."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.readers.phenopackets.packets import CHILD, Json, age, packet, term, write_lines

from diagnosis.readers import read_records
from diagnosis.readers.phenopackets import read_phenopackets
from diagnosis.readers.phenopackets.times import ONSETS, age_text, element_of, when, years_of
from diagnosis.records import Records


def read(tmp_path: Path, *packets: Any, **options: Any) -> Records:
    return read_phenopackets(write_lines(tmp_path / "in.ndjson", list(packets)), **options)


def test_a_child_is_read(tmp_path: Path) -> None:
    records = read(tmp_path, CHILD)
    case = {name: value for name, value in records.arrow("cases").to_pylist()[0].items() if value is not None}
    assert case == {
        "case_id": "case-1",
        "patient_id": "proband",
        "age_years": 3.5,
        "sex": "female",
        "group": "PMID:1",
        "diagnosis": "OMIM:615859",
        "outcome": "deceased",
        "x_disease_onset_age_years": pytest.approx(2 / 12),
    }
    found = {f["code"]: {k: v for k, v in f.items() if v is not None} for f in records.arrow("findings").to_pylist()}
    assert found["HP:0001250"]["onset_age_years"] == 0.25
    assert found["HP:0001250"]["severity"] == "severe"
    assert found["HP:0001252"] == {"case_id": "case-1", "code": "HP:0001252", "status": "absent"}
    assert found["HP:0001627"]["onset_age_years"] == pytest.approx((22 * 7 + 3 - 280) / 365.25)
    microcephaly = found["HP:0000252"]
    assert (microcephaly["onset_age_years"], microcephaly["x_onset"]) == (0.0, "HP:0003577")
    assert microcephaly["laterality"] == "left"
    assert microcephaly["modifiers"] == "HP:0025303|HP:0012827", "a severity without a word is a modifier"
    glucose = found["LOINC:2345-7"]
    assert (glucose["value"], glucose["unit"], glucose["ref_low"], glucose["ref_high"]) == (300, "mg/dL", 70, 100)
    assert str(glucose["time"]) == "2020-05-01 10:00:00+00:00"
    assert (found["LOINC:94500-6"]["status"], found["LOINC:94500-6"]["interpretation"]) == ("absent", "NEG")
    assert (found["LOINC:883-9"]["status"], found["LOINC:883-9"]["text"]) == ("present", "Group A")
    labels = records.arrow("labels").to_pylist()
    assert [(row["diagnosis"], row["status"]) for row in labels] == [("OMIM:300672", "ruled_out")]
    assert records.frame("actions")[["kind", "code"]].to_numpy().tolist() == [["medication", "DrugCentral:2844"]]
    assert records.info["systems"] == {"HP": "2025-01-16"}
    assert records.vocabulary.name("HP:0001250") == "Seizure"


def test_no_gene_and_no_disease_is_among_the_findings(tmp_path: Path) -> None:
    features = [{"type": term(c)} for c in ("HGNC:21197", "OMIM:1", "MONDO:2", "ORPHA:3", "HP:0000001")]
    features.append({"type": term("OMIM:4"), "excluded": True})
    records = read(tmp_path, CHILD, packet("b", phenotypicFeatures=features, diseases=[{"term": term("OMIM:1")}]))
    everything = json.dumps([*records.vocabulary.findings, *records.coded.codes.tolist()])
    for word in ("HGNC", "NECAP1", "OMIM", "MONDO", "ORPHA", "encephalopathy"):
        assert word not in everything
        assert word not in json.dumps([t.fields for t in records.vocabulary.findings.values()], default=str)
    labels = records.frame("labels")
    named = labels[labels.case_id == "b"][["diagnosis", "role", "status"]].astype(object).to_numpy().tolist()
    assert [row[:1] + row[2:] for row in named] == [
        ["MONDO:2", "confirmed"],
        ["ORPHA:3", "confirmed"],
        ["OMIM:4", "ruled_out"],
    ]
    assert {(p.kind, p.count) for p in records.report.notes if p.kind in ("disease", "gene")} == {
        ("disease", 4),
        ("gene", 1),
    }


def interpreted(status: str, code: str) -> Json:
    return {"id": "i", "progressStatus": status, "diagnosis": {"disease": term(code)}}


@pytest.mark.parametrize(
    ("diseases", "interpretations", "first", "none"),
    [
        (["A"], [], "A", "A"),
        ([], [("SOLVED", "A")], "A", "A"),
        (["A"], [("SOLVED", "A")], "A", "A"),
        (["B"], [("SOLVED", "A")], "A", "A"),
        (["A", "B"], [], "A", None),
        (["A", "B"], [("SOLVED", "B")], "B", "B"),
        ([], [("SOLVED", "B"), ("SOLVED", "A")], "B", None),
        ([], [("IN_PROGRESS", "A")], None, None),
        ([], [("UNSOLVED", "A")], None, None),
        (["A"], [("COMPLETED", "B")], "A", "A"),
        ([], [], None, None),
    ],
)
def test_principal_diagnosis(
    tmp_path: Path, diseases: list[str], interpretations: list[Any], first: str | None, none: str | None
) -> None:
    one = packet(
        diseases=[{"term": term(d)} for d in diseases], interpretations=[interpreted(*pair) for pair in interpretations]
    )
    assert read(tmp_path, one).y.tolist() == [first]
    assert read(tmp_path, one, several="none").y.tolist() == [none]


def test_what_is_not_settled_is_no_confirmed_label(tmp_path: Path) -> None:
    status = {"IN_PROGRESS": "provisional", "COMPLETED": "provisional", "UNSOLVED": "differential"}
    one = packet(interpretations=[*(interpreted(s, s) for s in status), {"id": "i", "progressStatus": "SOLVED"}])
    labels = read(tmp_path, one).frame("labels")
    assert dict(zip(labels.diagnosis, labels.status, strict=True)) == status


@pytest.mark.parametrize(
    ("text", "years", "days"),
    [
        ("P3Y4M", 3 + 4 / 12, None),
        ("P2W", 14 / 365.25, 14.0),
        ("P3D", 3 / 365.25, 3.0),
        ("PT12H", 0.5 / 365.25, 0.5),
        ("P0D", 0.0, 0.0),
        ("P1.5Y", 1.5, None),
        ("P1Y2M3DT0S", 1 + 2 / 12 + 3 / 365.25, None),
    ],
)
def test_durations(tmp_path: Path, text: str, years: float, days: float | None) -> None:
    assert years_of(text) == (pytest.approx(years), days)
    assert years_of(age_text(*years_of(text)))[0] == years_of(text)[0], "what is written is the same age"
    case = read(tmp_path, packet(subject={"timeAtLastEncounter": age(text)})).arrow("cases").to_pylist()[0]
    assert case["age_years"] == pytest.approx(years)
    assert case.get("age_days") == days


def test_classes_of_onset_begin_where_the_ontology_says(tmp_path: Path) -> None:
    assert all(-1 < years < 100 for years in ONSETS.values())
    for code in ONSETS:
        element = element_of(None, code)
        assert element is not None
        assert when(element).years == ONSETS[code]
    feature = {"type": term("HP:1"), "onset": {"ontologyClass": term("HP:9999999")}}
    records = read(tmp_path, packet(phenotypicFeatures=[feature]))
    assert records.arrow("findings").to_pylist()[0]["x_onset"] == "HP:9999999"
    assert [p.count for p in records.report.warnings if p.kind == "onset_unplaced"] == [1]


def test_an_age_before_birth_is_no_age(tmp_path: Path) -> None:
    """A fetus has no age of 0; a class of ages is no age either. Both are kept beside."""
    times = [{"gestationalAge": {"weeks": 20, "days": 0}}, {"ontologyClass": term("HP:0003581", "Adult onset")}]
    times.append({"ageRange": {"start": {"iso8601duration": "P40Y"}, "end": {"iso8601duration": "P50Y"}}})
    records = read(tmp_path, *(packet(str(i), subject={"timeAtLastEncounter": time}) for i, time in enumerate(times)))
    rows = records.arrow("cases").to_pylist()
    assert [(row["age_years"], row["x_age"]) for row in rows] == [
        (None, "20w0d"),
        (None, "HP:0003581"),
        (45.0, "P40Y/P50Y"),
    ]


def test_dates_become_ages_where_the_birth_is_known(tmp_path: Path) -> None:
    onset = {"onset": {"timestamp": "2015-01-01T00:00:00Z"}}
    subject = {"dateOfBirth": "2010-01-01T00:00:00Z", "timeAtLastEncounter": {"timestamp": "2020-01-01T00:00:00Z"}}
    features = [{"type": term("HP:1"), **onset}]
    known, unknown = (
        read(
            tmp_path,
            packet("a", subject=subject, phenotypicFeatures=features),
            packet("b", phenotypicFeatures=features),
        )
        .arrow("findings")
        .to_pylist()
    )
    assert known["onset_age_years"] == pytest.approx(5, abs=0.01)
    assert known["x_onset"] is None
    assert (unknown["onset_age_years"], unknown["x_onset"]) == (None, "2015-01-01T00:00:00+00:00")
    case = read(tmp_path, packet("a", subject=subject)).arrow("cases").to_pylist()[0]
    assert case["age_years"] == pytest.approx(10, abs=0.01)
    assert case["time"].year == 2020


def test_a_feature_that_went_has_a_duration(tmp_path: Path) -> None:
    feature = {"type": term("HP:1"), "onset": age("P2Y"), "resolution": age("P4Y")}
    row = read(tmp_path, packet(phenotypicFeatures=[feature])).arrow("findings").to_pylist()[0]
    assert (row["duration_days"], row["x_resolution"]) == (730.5, "P4Y")


def test_several_quantities_are_several_findings(tmp_path: Path) -> None:
    quantities = [
        {"type": term(c), "quantity": {"unit": term("UO:1", "mm[Hg]"), "value": v}} for c, v in (("S", 120), ("D", 80))
    ]
    pressure = {"assay": term("BP"), "complexValue": {"typedQuantities": quantities}}
    rows = read(tmp_path, packet(measurements=[pressure])).arrow("findings").to_pylist()
    assert [(row["code"], row["value"], row["unit"]) for row in rows] == [("S", 120.0, "mm[Hg]"), ("D", 80.0, "mm[Hg]")]


def test_patient_1_of_two_publications_is_two_people(tmp_path: Path) -> None:
    def of(identity: str, subject: str, paper: str) -> Json:
        meta = {"metaData": {"externalReferences": [{"id": paper}]}}
        return packet(identity, subject={"id": subject}, **meta)

    records = read(
        tmp_path, of("a", "P1", "PMID:1"), of("b", "P1", "PMID:2"), of("c", "P1", "PMID:2"), of("d", "P2", "PMID:1")
    )
    assert records.groups.tolist() == ["PMID:1/P1", "PMID:2/P1", "PMID:2/P1", "P2"]
    assert [p.count for p in records.report.warnings if p.kind == "shared_ids"] == [1]


def test_a_code_keeps_its_usual_name(tmp_path: Path) -> None:
    names = ["Intellectual disability, severe", "Severe intellectual disability", "Severe intellectual disability"]
    packets = [packet(str(i), phenotypicFeatures=[{"type": term("HP:1", name)}]) for i, name in enumerate(names)]
    words = read(tmp_path, *packets).vocabulary
    assert words.name("HP:1") == "Severe intellectual disability"
    assert words.resolve("Intellectual disability, severe") == "HP:1"


def test_snake_case_is_read_alike(tmp_path: Path) -> None:
    def snake(value: Any) -> Any:
        if isinstance(value, dict):
            return {"".join("_" + c.lower() if c.isupper() else c for c in k): snake(v) for k, v in value.items()}
        return [snake(v) for v in value] if isinstance(value, list) else value

    made = snake(CHILD)
    assert "phenotypic_features" in made
    assert read(tmp_path, made).digest() == read(tmp_path, CHILD).digest()


def test_every_form_of_file_is_read(tmp_path: Path) -> None:
    plain = read(tmp_path, CHILD, packet("b"), packet("c")).digest()
    packets = [CHILD, packet("b"), packet("c")]
    forms = {
        "lines.jsonl": "".join(json.dumps(p) + "\r\n\n" for p in packets),
        "array.json": json.dumps(packets, indent=2),
        "one_after_another.json": "\n".join(json.dumps(p, indent=1) for p in packets),
        "cohort.json": json.dumps({"id": "cohort", "members": packets}),
    }
    for name, text in forms.items():
        for zipped in (False, True):
            content = text.encode()
            file = tmp_path / (f"{name}.gz" if zipped else name)
            file.write_bytes(gzip.compress(content) if zipped else content)
            assert read_records(file, format="phenopackets").digest() == plain, name
    folder = tmp_path / "folder" / "deep"
    folder.mkdir(parents=True)
    for i, one in enumerate(packets):
        (folder / f"{i}.json").write_text(json.dumps(one))
    (folder / "README.md").write_text("no packet")
    records = read_phenopackets(tmp_path / "folder")
    assert records.digest() == plain
    assert [p.count for p in records.report.notes if p.kind == "ignored"] == [1]


def test_a_family_is_a_group(tmp_path: Path) -> None:
    family = {"id": "family 1", "proband": packet("a"), "relatives": [packet("b")], "pedigree": {}}
    records = read(tmp_path, family)
    assert records.case_ids.tolist() == ["a", "b"]
    assert set(records.column("group")) == {"family 1"}
