"""The tables say what they should, where it comes from, and what a clinician would expect."""

from __future__ import annotations

import re

import numpy as np
import pytest

from diagnosis.sample.model import sample_model
from diagnosis.sample.tables import AGE_BANDS, EDGES, age_band, read_table

# fmt: off
LISTED = [
    "J06.9", "J20.9", "J21.9", "J18.9", "J15.7", "J11.1", "J45.9", "J05.0", "T17.9*", "B08.4", "B05.9", "A38",
    "M30.3*", "D69.0", "A09.9", "K56.1*", "K35.8*", "K21.9", "K85.9*", "N23", "N39.0", "O00.9*", "R56.0", "G00.9*",
    "A41.9*", "P36.9*", "P59.9", "I21.9*", "I26.9*", "I71.0*", "I50.9", "J44.1", "A16.2", "F41.0", "G43.9",
    "I60.9*", "I63.9*", "H81.1", "E10.1*", "T78.2*", "T58*", "N44*",
]
# fmt: on


def share(diagnosis: str, finding: str) -> float:
    """Chance that a finding is recorded as present in a case of a diagnosis of an ordinary age mix."""
    model = sample_model()
    illness = [r["code"] for r in model.illnesses].index(diagnosis)
    weight = np.where(model.states.illness == illness, model.state_share.mean(axis=0), 0)
    return float(weight @ model.share[:, model.yes_no.index(finding)] / weight.sum())


def likeliest(finding: str, n: int = 1) -> set[str]:
    codes = [r["code"] for r in sample_model().illnesses]
    return set(sorted(codes, key=lambda d: -share(d, finding))[:n])


def test_the_listed_diagnoses_are_there_and_flagged() -> None:
    rows = {r["code"]: r for r in read_table("diagnoses") if r["hidden"] != "true"}
    assert set(rows) == {d.rstrip("*") for d in LISTED}
    assert {c for c, r in rows.items() if r["must_not_miss"] == "true"} == {d[:-1] for d in LISTED if d.endswith("*")}
    assert all(r["name"] and r["name_zh"] and r["severity"] in "12345" for r in rows.values())


@pytest.mark.parametrize("table", ["frequencies", "shifts", "pictures", "complaints", "subtypes", "orders", "panels"])
def test_every_number_says_where_it_comes_from(table: str) -> None:
    assert all(r["source"] == "assumed" or re.search(r"\D, .+ \d{4}$", r["source"]) for r in read_table(table))


@pytest.mark.parametrize("table", ["frequencies", "shifts", "pictures", "complaints"])
def test_tables_name_known_diagnoses_subtypes_and_findings(table: str) -> None:
    subtypes = {(r["diagnosis"], r["subtype"]) for r in read_table("subtypes")}
    known = subtypes | {(d, "") for d, _ in subtypes} | {("*", "")}
    findings = {r["key"] for r in read_table("findings")}
    for row in read_table(table):
        assert (row["diagnosis"], row["subtype"]) in known
        assert row["finding"] in findings


def test_findings_have_two_names_one_code_and_questions() -> None:
    rows = read_table("findings")
    assert 200 <= len(rows) <= 260
    assert len({r["code"] for r in rows}) == len({r["key"] for r in rows}) == len(rows)
    assert all(r["name"] and re.search(r"[\u4e00-\u9fffβD]", r["name_zh"]) for r in rows)
    assert all(r["question"] and r["question_zh"] for r in rows if r["askable"] == "true")
    assert all(r["code"] == r["hpo"] for r in rows if r["hpo"])


def test_loinc_codes_have_their_check_digit() -> None:
    codes = [r["loinc"] for r in read_table("findings") if r["loinc"]]
    assert len(codes) > 35
    for code in codes:
        body, check = code.split("-")
        odd = str(int(body[::-1][::2][::-1]) * 2)
        even = body[::-1][1::2][::-1]
        total = sum(int(c) for c in even + odd)
        assert (10 - total % 10) % 10 == int(check), code


def test_shares_add_up() -> None:
    model = sample_model()
    totals = np.zeros((len(AGE_BANDS), len(model.illnesses)))
    np.add.at(totals.T, model.states.illness, model.state_share.T)
    assert np.all(np.isclose(totals, 1) | (totals == 0))
    assert np.allclose(model.complaint_share.sum(axis=-1), 1)
    assert all(np.allclose(p.sum(axis=1), 1) for p in model.pictures)


@pytest.mark.parametrize(
    ("finding", "diagnoses"),
    [
        ("koplik", {"B05.9"}),
        ("barking_cough", {"J05.0"}),
        ("choking_onset", {"T17.9"}),
        ("unilateral_wheeze", {"T17.9"}),
        ("strawberry_tongue", {"A38", "M30.3"}),
        ("sausage_mass", {"K56.1"}),
        ("palm_vesicles", {"B08.4"}),
        ("dix_hallpike", {"H81.1"}),
        ("sudden_headache", {"I60.9"}),
        ("deep_breathing", {"E10.1"}),
        ("hives", {"T78.2"}),
        ("indoor_stove", {"T58"}),
        ("no_cremasteric", {"N44"}),
        ("pulse_deficit", {"I71.0"}),
        ("hcg", {"O00.9"}),
        ("nonblanching", {"D69.0"}),
        ("yellow_skin", {"P59.9"}),
        ("facial_droop", {"I63.9"}),
        ("bulging_fontanelle", {"G00.9"}),
        ("amylase", {"K85.9"}),
        ("cohb", {"T58"}),
        ("glucose", {"E10.1"}),
        ("tcb", {"P59.9"}),
        ("csf_wbc", {"G00.9"}),
        ("troponin", {"I21.9"}),
        ("bnp", {"I50.9"}),
    ],
)
def test_classic_pointers_point_where_they_should(finding: str, diagnoses: set[str]) -> None:
    model = sample_model()
    if finding in model.yes_no:
        assert likeliest(finding, len(diagnoses)) == diagnoses
        return
    q = next(q for q in model.quantities if q.key == finding)
    assert {model.illnesses[model.states.illness[int(np.argmax(q.shift))]]["code"]} == diagnoses


def test_currant_jelly_stool_means_intussusception() -> None:
    model = sample_model()
    which = model.choices.index("stool_look")
    share_of = model.pictures[which][:, model.picture_names[which].index("currant jelly")]
    assert model.illnesses[model.states.illness[int(share_of.argmax())]]["code"] == "K56.1"


def test_age_bands_meet_without_gap() -> None:
    ages = np.array([0.0, 7, 8, 28, 29, 90, 91, 365, 366, 75 * 365.25])
    assert age_band(ages).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 12]
    assert np.all(np.diff(EDGES) > 0)
