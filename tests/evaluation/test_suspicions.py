"""What may give a diagnosis away is found, and what may not is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from diagnosis.evaluation import find_suspicions
from diagnosis.evaluation.cohort import follow_up, known_later, near_duplicates
from diagnosis.evaluation.leaks import names_diagnosis, one_finding_rules
from diagnosis.evaluation.recording import recording_pattern
from diagnosis.readers import read_records
from diagnosis.records import Case, Finding, Records


def _case(i, diagnosis, *findings, **columns):
    found = [f if isinstance(f, Finding) else Finding(f) for f in findings]
    return Case(found, case_id=f"c{i}", diagnosis=diagnosis, **columns)


def _named(findings, diagnosis, vocabulary=None, diagnoses=None):
    records = Records.from_cases([_case(0, diagnosis, *findings)], vocabulary=vocabulary, diagnoses=diagnoses)
    return names_diagnosis(records, records.y)


@pytest.mark.parametrize(
    ("finding", "diagnosis"),
    [
        ("measles", "measles"),
        ("Measles", "measles"),
        ("suspected_measles", "measles"),
        ("腹泻", "小儿腹泻"),
        ("小儿腹泻两天", "小儿腹泻"),
        ("bronchitis", "acute bronchitis"),
        ("Ｍeasles", "measles"),
    ],
)
def test_a_finding_that_names_the_diagnosis_is_found(finding, diagnosis):
    (one,) = _named([finding, "fever"], diagnosis)
    assert (one.kind, one.code, one.diagnosis, one.n, one.share) == ("names_diagnosis", finding, diagnosis, 1, 1.0)
    assert finding in one.says


@pytest.mark.parametrize(
    ("finding", "diagnosis"),
    [
        ("fever", "measles"),
        ("fever", "dengue haemorrhagic fever"),
        ("流涕", "上呼吸道感染"),
        ("rash", "thrashing"),
        ("X12", "X12.5"),
        (Finding("measles", "absent"), "measles"),
        (Finding("measles", "uncertain"), "measles"),
        (Finding("measles", subject="family"), "measles"),
    ],
)
def test_other_findings_are_left_alone(finding, diagnosis):
    assert _named([finding], diagnosis) == []


def test_names_and_synonyms_of_any_language_count():
    vocabulary = [{"code": "F1", "name": "Morbilli"}, {"code": "F2", "name": "contact", "synonyms": "met measles"}]
    diagnoses = [{"code": "B05.9", "name": "measles", "synonyms_la": "morbilli|rubeola"}]
    import pandas as pd

    found = _named(["F1", "F2"], "B05.9", pd.DataFrame(vocabulary), pd.DataFrame(diagnoses))
    assert [s.code for s in found] == ["F1", "F2"]
    assert "“Morbilli” is named like the diagnosis “measles”" in found[0].says


def test_an_exposure_to_the_disease_is_not_the_disease():
    import pandas as pd

    vocabulary = pd.DataFrame([{"code": "F2", "name": "contact with measles", "kind": "exposure"}])
    assert _named(["F2"], "measles", vocabulary) == []


def test_the_share_is_of_the_cases_of_the_diagnosis():
    cases = [_case(i, "croup", *(["croup"] if i < 3 else ["cough"])) for i in range(4)]
    cases.append(_case(9, "flu", "croup"))
    records = Records.from_cases(cases)
    (one,) = names_diagnosis(records, records.y)
    assert (one.n, one.share) == (3, 0.75)


def test_a_single_finding_that_settles_the_diagnosis_is_found():
    cases = [_case(i, "flu", "koplik spots", "fever") for i in range(25)]
    cases += [_case(100 + i, "croup", "stridor", "fever") for i in range(19)]
    cases += [_case(200 + i, "cold", "fever") for i in range(20)]
    records = Records.from_cases(cases)
    (one,) = one_finding_rules(records, records.y)
    assert (one.code, one.diagnosis, one.n, one.share) == ("koplik spots", "flu", 25, 1.0)


def test_a_finding_of_a_diagnosis_most_cases_have_is_no_rule():
    cases = [_case(i, "flu", "myalgia") for i in range(30)] + [_case(99, "croup", "stridor")]
    records = Records.from_cases(cases)
    assert one_finding_rules(records, records.y) == []


def test_findings_known_after_the_moment_are_counted():
    late = Finding("culture", known="2024-01-03T00:00:00Z")
    early = Finding("fever", known="2024-01-01T10:00:00Z")
    when = "2024-01-01T12:00:00Z"
    records = Records.from_cases(
        [_case(0, "flu", early, late, index_time=when), _case(1, "flu", early, index_time=when)]
    )
    (one,) = known_later(records)
    assert (one.kind, one.n, one.share) == ("known_later", 1, 0.5)
    assert known_later(records.as_of("index")) == []
    assert known_later(Records.from_cases([_case(0, "flu", "fever")])) == []


def test_follow_up_visits_are_counted():
    records = Records.from_cases([_case(0, "flu", "fever", visit="follow_up"), _case(1, "flu", "fever")])
    (one,) = follow_up(records)
    assert (one.n, one.share) == (1, 0.5)
    assert follow_up(records[[1]]) == []


def test_twins_of_different_patients_are_counted():
    six = [Finding(f"f{i}", "absent" if i % 2 else "present") for i in range(6)]
    other = [*six[:5], Finding("f5", "present")]
    cases = [
        _case(0, "flu", *six, patient_id="a"),
        _case(1, "flu", *reversed(six), patient_id="b"),
        _case(2, "flu", *other, patient_id="c"),
        _case(3, "flu", *six[:5], patient_id="d"),
        _case(4, "flu", *six[:5], patient_id="e"),
    ]
    records = Records.from_cases(cases)
    (one,) = near_duplicates(records, records.y)
    assert (one.kind, one.n, one.share) == ("near_duplicates", 2, 0.4)
    assert "100% of them in agreement" in one.says


def test_twins_of_one_patient_or_of_other_values_are_not():
    def six(value):
        return [*(f"f{i}" for i in range(5)), Finding("temperature", value=value, unit="Cel")]

    same_patient = Records.from_cases([_case(i, "flu", *six(39.0), patient_id="a") for i in range(2)])
    assert near_duplicates(same_patient, same_patient.y) == []
    other_value = Records.from_cases([_case(i, "flu", *six(39.0 + i), patient_id=f"p{i}") for i in range(2)])
    assert near_duplicates(other_value, other_value.y) == []


def _asked(rng, i, telling):
    """Two diagnoses; what is asked tells them apart only where `telling`, the answers always do."""
    k = i % 2
    asked = range(3 * k, 3 * k + 3) if telling else range(6)
    answer = [Finding(f"f{j}", "present" if (j < 3) == (k == 0) and rng.random() < 0.9 else "absent") for j in asked]
    return _case(i, f"d{k}", *answer)


@pytest.mark.parametrize("telling", [True, False])
def test_a_recording_pattern_that_does_the_work_is_found(telling):
    rng = np.random.default_rng(0)
    records = Records.from_cases([_asked(rng, i, telling) for i in range(200)])
    found = recording_pattern(records, records.y.astype(str))
    assert [s.kind for s in found] == (["recording_pattern"] if telling else [])
    if telling:
        assert found[0].share > 0.9


def test_where_only_presence_is_written_down_the_pattern_says_nothing():
    records = Records.from_cases([_case(i, f"d{i % 2}", f"f{i % 2}") for i in range(200)])
    assert recording_pattern(records, records.y.astype(str)) == []


def test_clean_cases_raise_no_suspicion():
    rng = np.random.default_rng(1)
    codes = [f"f{i}" for i in range(12)]
    cases = [
        _case(i, f"d{i % 4}", *(Finding(c, "present" if rng.random() < 0.4 else "absent") for c in codes), f"own{i}")
        for i in range(120)
    ]
    records = Records.from_cases(cases)
    assert find_suspicions(records, records.y) == ()


def test_a_long_list_ends_with_the_count_of_the_rest():
    records = Records.from_cases([_case(i, f"disease {chr(97 + i)}", f"disease {chr(97 + i)}") for i in range(25)])
    found = find_suspicions(records, records.y)
    assert len(found) == 21
    assert found[-1].says.startswith("5 more of this kind")
    assert found[-1].code is None


def test_no_findings_no_suspicions():
    records = Records.from_cases([_case(0, "flu", "fever"), _case(1, "flu")])
    assert find_suspicions(records[[1]], records.y[[1]]) == ()


@pytest.mark.real_data
def test_names_of_the_diagnosis_are_found_in_paediatric_consultations():
    folder = os.environ.get("DIAGNOSIS_DATA")
    if not folder:
        pytest.skip("DIAGNOSIS_DATA is not set")
    records = read_records(Path(folder) / "mz4_test")
    found = {(s.code, s.diagnosis): s.n for s in names_diagnosis(records, records.y)}
    assert found["腹泻", "小儿腹泻"] == 76
    assert found["支气管炎", "小儿支气管炎"] == 31
    assert names_diagnosis(*(lambda r: (r, r.y))(read_records(Path(folder) / "gmd12_dev"))) == []
