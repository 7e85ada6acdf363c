"""What may give a diagnosis away is found, and what may not is left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diagnosis.errors import InputError
from diagnosis.evaluation import find_suspicions
from diagnosis.evaluation.cohort import follow_up, known_later
from diagnosis.evaluation.context_leaks import told_by_place_or_date
from diagnosis.evaluation.doubtful_labels import doubtful_labels
from diagnosis.evaluation.duplicates import find_twins, inside_train, near_duplicates
from diagnosis.evaluation.leaks import names_diagnosis
from diagnosis.evaluation.recording import recording_pattern
from diagnosis.evaluation.single_findings import one_finding_rules, reference_results, treatment_codes
from diagnosis.evaluation.suspicions import between_sides, score_jump
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
        ("F1", "F12"),
        ("fever", "J45.9"),
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
    found = _named(["F1", "F2"], "B05.9", pd.DataFrame(vocabulary), pd.DataFrame(diagnoses))
    assert [s.code for s in found] == ["F1", "F2"]
    assert "“Morbilli” is named like the diagnosis “measles”" in found[0].says


@pytest.mark.parametrize(
    ("finding", "diagnosis"), [("J45", "J45.9"), ("ICD10:J45.901", "J45.9"), ("j459", "ICD-10:J45")]
)
def test_a_finding_with_the_code_of_a_parent_or_child_is_found(finding, diagnosis):
    (one,) = _named([finding], diagnosis)
    assert "has the code of a parent or child of" in one.says


def test_names_of_parents_and_children_count():
    diagnoses = pd.DataFrame(
        [{"code": "d1", "name": "acute bronchiolitis", "parents": "d0"}, {"code": "d0", "name": "LRTI"}]
    )
    assert "named like a parent or child" in _named(["lrti"], "d1", diagnoses=diagnoses)[0].says
    assert "named like a parent or child" in _named(["acute bronchiolitis"], "d0", diagnoses=diagnoses)[0].says


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("contact with measles", "exposure"),
        ("measles in the family", "family_history"),
        ("known measles", "history"),
        ("measles IgM", "microbiology"),
        ("measles spots", "sign"),
        ("acute measles", "symptom"),
    ],
)
def test_what_shares_a_word_for_reasons_of_its_own_is_left_alone(name, kind):
    assert _named(["F2"], "measles", pd.DataFrame([{"code": "F2", "name": name, "kind": kind}])) == []


@pytest.mark.parametrize("kind", ["symptom", "sign", "laboratory", "social"])
def test_a_declared_finding_of_the_very_name_is_found(kind):
    (one,) = _named(["F2"], "measles", pd.DataFrame([{"code": "F2", "name": "Measles", "kind": kind}]))
    assert "is named like" in one.says


def test_a_text_that_is_the_diagnosis_is_found():
    told = [Finding("told", text="Measles"), Finding("told", text="croup"), Finding("told", "absent", text="measles")]
    records = Records.from_cases([_case(i, "measles", t) for i, t in enumerate(told)])
    (one,) = names_diagnosis(records, records.y)
    assert (one.code, one.diagnosis, one.n) == ("told", None, 1)


def test_a_name_other_cases_have_as_often_tells_nothing():
    records = Records.from_cases([_case(i, ("lung", "breast")[i % 2], "lung") for i in range(20)])
    assert names_diagnosis(records, records.y) == []


def test_the_share_is_of_the_cases_of_the_diagnosis():
    cases = [_case(i, "croup", *(["croup"] if i < 3 else ["cough"])) for i in range(4)]
    cases += [_case(9, "flu", "croup"), _case(10, "flu", "cough"), _case(11, "flu", "cough")]
    records = Records.from_cases(cases)
    (one,) = names_diagnosis(records, records.y)
    assert (one.n, one.share) == (3, 0.75)


def test_a_single_finding_that_settles_the_diagnosis_is_found():
    cases = [_case(i, "flu", "koplik spots", "fever") for i in range(45)]
    cases += [_case(100 + i, "croup", "stridor", "fever") for i in range(39)]
    cases += [_case(200 + i, "cold", "fever") for i in range(20)]
    records = Records.from_cases(cases)
    (one,) = one_finding_rules(records, records.y)
    assert (one.code, one.diagnosis, one.n, one.share) == ("koplik spots", "flu", 45, 1.0)


def test_a_finding_of_a_diagnosis_most_cases_have_is_no_rule():
    cases = [_case(i, "flu", "myalgia") for i in range(30)] + [_case(99, "croup", "stridor")]
    records = Records.from_cases(cases)
    assert one_finding_rules(records, records.y) == []


def test_a_rule_for_few_cases_of_the_diagnosis_carries_no_figure():
    cases = [_case(i, "stroke", *(["arm drift"] if i < 45 else ["fever"])) for i in range(200)]
    cases += [_case(200 + i, "cold", "fever") for i in range(210)]
    records = Records.from_cases(cases)
    assert one_finding_rules(records, records.y) == []


@pytest.mark.parametrize("code", ["ATC:J01CA04", "antibiotic given", "F1"])
def test_a_treatment_that_goes_with_one_diagnosis_is_found(code):
    cases = [_case(i, "otitis", code, "ATC:N02BE01") for i in range(20)]
    cases += [_case(20 + i, f"d{i % 4}", "ATC:N02BE01") for i in range(80)]
    vocabulary = pd.DataFrame([{"code": "F1", "name": "amoxicillin", "kind": "medication"}])
    records = Records.from_cases(cases, vocabulary=vocabulary)
    (one,) = treatment_codes(records, records.y)
    assert (one.kind, one.code, one.diagnosis, one.n) == ("treatment", code, "otitis", 20)


def _measured(rng, i, *, telling, share=0.5, **more):
    sick = i % 2
    value = 9.0 * sick * telling + rng.normal()
    done = [Finding("diameter", value=value, unit="mm", **more)] if rng.random() < share else []
    return _case(i, f"d{sick}", "pain", *done)


def test_a_result_that_nearly_is_the_diagnosis_is_found():
    rng = np.random.default_rng(0)
    records = Records.from_cases([_measured(rng, i, telling=True) for i in range(300)])
    (one,) = reference_results(records, records.y.astype(str))
    assert (one.kind, one.code) == ("reference_standard", "diameter")
    assert 0.4 < one.share < 0.6


@pytest.mark.parametrize(
    "more", [{"telling": False}, {"telling": True, "share": 1.0}, {"telling": True, "phase": "history"}]
)
def test_other_results_are_left_alone(more):
    rng = np.random.default_rng(0)
    records = Records.from_cases([_measured(rng, i, **more) for i in range(300)])
    assert reference_results(records, records.y.astype(str)) == []


@pytest.mark.parametrize("column", ["site", "group", "time"])
@pytest.mark.parametrize("telling", [True, False])
def test_a_place_or_date_that_names_the_diagnosis_is_found(column, telling):
    rng = np.random.default_rng(0)
    cases = []
    for i in range(240):
        where = i % 4 if telling else int(rng.integers(4))
        cases.append(
            _case(
                i,
                f"d{i % 4}",
                "fever",
                **{column: f"2024-0{where + 1}-01T00:00:00Z" if column == "time" else f"s{where}"},
            )
        )
    records = Records.from_cases(cases)
    kinds = [s.kind for s in told_by_place_or_date(records, records.y.astype(str))]
    assert kinds == ([f"{'date' if column == 'time' else column}_predicts"] if telling else [])


def test_findings_known_after_the_moment_are_counted():
    late = Finding("culture", known="2024-01-03T00:00:00Z")
    early = Finding("fever", known="2024-01-01T10:00:00Z")
    when, end = "2024-01-01T12:00:00Z", "2024-01-02T00:00:00Z"
    records = Records.from_cases(
        [_case(0, "flu", early, late, index_time=when), _case(1, "flu", early, index_time=when)]
    )
    (one,) = known_later(records)
    assert (one.kind, one.n, one.share) == ("known_later", 1, 0.5)
    assert known_later(records.as_of("index")) == []
    assert known_later(Records.from_cases([_case(0, "flu", "fever")])) == []
    (one,) = known_later(Records.from_cases([_case(0, "flu", early, late, index_time=when, end_time=end)]))
    assert one.kind == "known_after_end"


def test_follow_up_visits_are_counted():
    records = Records.from_cases([_case(0, "flu", "fever", visit="follow_up"), _case(1, "flu", "fever")])
    (one,) = follow_up(records)
    assert (one.n, one.share) == (1, 0.5)
    assert follow_up(records[[1]]) == []


def _drawn(rng, i, n_codes=20, **columns):
    return _case(
        i,
        f"d{i % 3}",
        *(Finding(f"f{j}", ("present", "absent")[int(rng.random() < 0.5)]) for j in range(n_codes)),
        **columns,
    )


def _nearly(case, i):
    """The same case under another patient, one finding short and one the other way round."""
    first, *rest = list(case.findings)[1:]
    turned = Finding(first.code, "absent" if first.status == "present" else "present")
    return _case(i, case.diagnosis, turned, *rest, patient_id=f"other{i}")


def test_copies_and_near_copies_of_other_patients_are_found_and_no_others():
    rng = np.random.default_rng(0)
    cases = [_drawn(rng, i, 30, patient_id=f"p{i}") for i in range(60)]
    cases += [
        _nearly(cases[3], 60),
        _case(61, "d0", *cases[7].findings, patient_id="q"),
        _case(62, "d0", *cases[9].findings, patient_id="p9"),
    ]
    records = Records.from_cases(cases)
    twins = find_twins(records)
    assert twins.pairs.tolist() == [[3, 60], [7, 61]]
    assert twins.likeness[1] == pytest.approx(1.0)
    assert twins.likeness[0] < 0.95
    assert twins.to_json()["n_with_twin"] == 4
    (one,) = near_duplicates(records, records.y)
    assert (one.n, one.kind) == (4, "near_duplicates")
    across = find_twins(records[60:], records[:60])
    assert across.pairs.tolist() == [[0, 6], [1, 10]]
    (one,) = inside_train(records[60:], records[:60])
    assert one.n == 2


def test_cases_of_few_answers_are_no_twins():
    rng = np.random.default_rng(0)
    records = Records.from_cases([_drawn(rng, i, 6) for i in range(200)])
    assert near_duplicates(records, records.y) == []


def symptom_table(rng, copies=120):
    """The structure of the well-known symptom table: 41 diagnoses, 132 symptoms, copies that lack one now and then."""
    common = [f"s{j}" for j in range(32)]
    own = np.array_split(np.array([f"s{j}" for j in range(32, 132)]), 41)
    rows = []
    for d in range(41):
        has = [*own[d], *rng.choice(common, 5 + d % 3, replace=False)]
        forms = [has, *([s for s in has if s != gone] for gone in rng.choice(has, 6, replace=False))]
        rows += [(d, forms[int(min(rng.geometric(0.4) - 1, 6))]) for _ in range(copies)]
    return rows


def _as_records(rows, start):
    cases = {"case_id": [f"c{start + i}" for i in range(len(rows))], "diagnosis": [f"d{d}" for d, _ in rows]}
    found = [(f"c{start + i}", s, "present") for i, (_, has) in enumerate(rows) for s in has]
    return Records.from_tables({"cases": cases, "findings": pd.DataFrame(found, columns=["case_id", "code", "status"])})


def test_the_copied_rows_and_the_test_set_inside_training_of_the_symptom_table_are_found():
    rows = symptom_table(np.random.default_rng(0))
    train, test = _as_records(rows, 0), _as_records(rows[::120], 10_000)
    assert (len(train), len(test), train.shape[1]) == (4920, 41, 132)
    (copied,) = near_duplicates(train, train.y)
    assert copied.share > 0.95
    (inside,) = inside_train(test, train)
    assert inside.share == 1.0
    assert "stands inside the training set" in inside.says


def test_a_jump_from_cross_validation_to_test_is_said():
    (up,) = score_jump(0.70, 4000, 1.0, 41)
    assert "may stand in training" in up.says
    (down,) = score_jump(0.80, 2000, 0.70, 1000)
    assert "differ" in down.says
    assert score_jump(0.80, 2000, 0.78, 1000) == ()
    assert score_jump(0.80, 200, 0.70, 40) == ()
    with pytest.raises(InputError, match="shares from 0 to 1"):
        score_jump(80, 200, 0.7, 40)


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


def test_both_sides_of_a_split_are_looked_at_together():
    rng = np.random.default_rng(0)
    cases = [_drawn(rng, i, 30, patient_id=f"p{i}") for i in range(60)]
    copies = [_case(100 + i, "d0", *cases[i].findings, patient_id=f"q{i}") for i in range(50)]
    train, test = Records.from_cases(cases), Records.from_cases(copies)
    assert [s.kind for s in between_sides(test, train, 0.95, (0.50, 60))] == ["inside_train", "score_jump"]
    assert [s.kind for s in between_sides(test, train, None, None)] == ["inside_train"]
    assert between_sides(train[:20], train[20:], 0.5, (0.5, 40)) == ()


def _written(make_batch, wrong):
    """Cases whose diagnoses follow the probabilities, some of them written down wrongly."""
    rng = np.random.default_rng(0)
    proba = np.exp(4 * rng.standard_normal((2000, 6)))
    batch = make_batch(proba / proba.sum(axis=1, keepdims=True))
    truth = (batch.proba.cumsum(axis=1) < rng.random((2000, 1))).sum(axis=1)
    swapped = rng.choice(2000, wrong, replace=False)
    truth[swapped] = (truth[swapped] + rng.integers(1, 6, wrong)) % 6
    return batch, np.array([f"D{k}" for k in truth], dtype=object), set(swapped.tolist())


def test_wrong_diagnoses_are_among_the_doubtful_ones(make_batch):
    batch, truth, _ = _written(make_batch, 0)
    assert doubtful_labels(batch, truth).suspicions() == ()
    batch, truth, wrong = _written(make_batch, 60)
    found = doubtful_labels(batch, truth)
    assert len(wrong & set(found.rows.tolist())) > 0.5 * len(found.rows) > 10
    assert found.probability.tolist() == sorted(found.probability)
    (one,) = found.suspicions()
    assert (one.kind, one.n) == ("doubtful_labels", len(found.rows))
    assert found.to_json()["n_doubtful"] == len(found.to_frame())


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
