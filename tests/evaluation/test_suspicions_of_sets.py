"""What is found in the sample and in real sets: every planted fault, every known trait, and what else is said."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from diagnosis.evaluation import find_suspicions
from diagnosis.evaluation.context_leaks import told_by_place_or_date
from diagnosis.evaluation.duplicates import find_twins
from diagnosis.evaluation.leaks import names_diagnosis
from diagnosis.evaluation.recording import asked_only
from diagnosis.evaluation.single_findings import reference_results
from diagnosis.readers import read_phenopackets, read_records
from diagnosis.sample.load import sample_folder


@pytest.fixture(scope="module")
def planted():
    return json.loads((sample_folder() / "planted.json").read_text(encoding="utf-8"))


def test_the_planted_faults_of_the_sample_are_found_and_nothing_else(sample, planted):
    counts = Counter(entry["kind"] for entry in planted)
    found = {(s.kind, s.code): s.n for s in find_suspicions(sample, sample.y)}
    visits = (sample.column("visit") == "follow_up").sum()
    later = sample.as_of("end").as_of("index")
    assert found.pop(("known_after_end", None)) == counts["known_after_end"]
    assert found.pop(("names_diagnosis", "dx:told_elsewhere")) == counts["names_diagnosis"]
    assert found.pop(("near_duplicates", None)) == 2 * counts["near_duplicate"]
    # Not planted, and so: stated by the columns themselves.
    assert found.pop(("follow_up", None)) == visits
    assert (
        found.pop(("known_later", None))
        == (later.coded.offsets[1:] - later.coded.offsets[:-1] < _lengths(sample)).sum()
    )
    assert found == {}


def _lengths(records):
    end = records.as_of("end").coded.offsets
    return end[1:] - end[:-1]


def test_the_near_copies_of_the_sample_are_the_planted_ones(sample, planted):
    pairs = find_twins(sample).pairs
    ids = sample.case_ids
    copies = {frozenset((e["case_id"], e["code"])) for e in planted if e["kind"] == "near_duplicate"}
    assert {frozenset((ids[a], ids[b])) for a, b in pairs.tolist()} == copies


def test_names_of_the_diagnosis_are_found_in_paediatric_consultations(real_data):
    records = read_records(real_data / "mz4_test")
    found = {(s.code, s.diagnosis): s.n for s in names_diagnosis(records, records.y)}
    assert found["腹泻", "小儿腹泻"] == 76
    assert found["支气管炎", "小儿支气管炎"] == 31
    assert found["消化不良", "小儿消化不良"] == 25
    other = read_records(real_data / "gmd12_dev")
    assert names_diagnosis(other, other.y) == []


@pytest.mark.parametrize(("name", "asked", "answered"), [("mz4_train", 0.75, 0.76), ("gmd12_train", 0.80, 0.85)])
def test_the_asked_only_effect_is_found(real_data, name, asked, answered):
    records = read_records(real_data / name)
    found = asked_only(records, records.y)
    assert found.asked_only == pytest.approx(asked, abs=0.015)
    assert found.with_answers == pytest.approx(answered, abs=0.015)


def test_the_asked_only_effect_is_found_across_publications(real_data):
    records = read_phenopackets(real_data / "phenopackets")[::6]
    found = asked_only(records, records.y)
    assert found.by == "group"
    assert found.asked_only >= found.with_answers > 3 * found.prior


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("heart4", {"major_vessels_coloured", "thallium_scan"}),
        ("appendicitis", {"AppendixDiameter"}),
        ("mz4_train", set()),
        ("gmd12_train", set()),
        ("primary_tumor", set()),
    ],
)
def test_results_next_to_the_reference_standard_are_found(real_data, name, codes):
    records = read_records(real_data / name)
    assert {s.code for s in reference_results(records, records.y.astype(str))} == codes


def test_a_hospital_that_names_the_diagnosis_is_found(real_data):
    records = read_records(real_data / "heart4")
    assert [s.kind for s in told_by_place_or_date(records, records.y.astype(str))] == ["site_predicts"]
