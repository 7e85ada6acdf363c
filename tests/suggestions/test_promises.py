"""What stands beside the list: the policy's choices, abstention, what the input does not bear, who was trained on."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from sklearn.base import clone
from tests.small import small_records

from diagnosis.errors import DiagnosisWarning, InputError, RecordsError
from diagnosis.evaluation import evaluate
from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions import Diagnoser, Policy, load_bundle
from diagnosis.suggestions.inputs import near_names
from diagnosis.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def train() -> Records:
    return small_records(500, seed=11)


@pytest.fixture(scope="module")
def test() -> Records:
    return small_records(120, seed=12)


@pytest.fixture(scope="module")
def fitted(train: Records) -> Diagnoser:
    return Diagnoser(model="linear", folds=3, policy=Policy(abstain_error=0.15)).fit(train)


def test_the_card_says_what_the_promises_cost(fitted: Diagnoser) -> None:
    chosen = fitted.card_["chosen"]
    flags = chosen["must_not_miss"]
    assert flags["sensitivity"] >= flags["declared"] == 0.95
    assert flags["by_diagnosis"]["G00.9"]["n"] == flags["n"] > 50
    burden = [point["flags_per_case"] for point in flags["curve"]]
    assert burden == sorted(burden)
    assert len(chosen["abstention"]["risk_coverage"]) > 10
    assert chosen["calibration"]["log_loss_after"] <= chosen["calibration"]["log_loss_before"]
    assert chosen["sets"]["coverage"] == pytest.approx(0.9, abs=0.02)
    json.dumps(fitted.card_)


def test_abstaining_keeps_the_declared_error_and_says_why(fitted: Diagnoser, test: Records) -> None:
    batch = fitted.batch(test)
    wrong = fitted.predict(test) != fitted.truth(test)
    assert 0 < batch.abstained.mean() < 0.9
    assert wrong[~batch.abstained].mean() < wrong[batch.abstained].mean()
    one = fitted.suggest(test[[int(np.flatnonzero(batch.abstained)[0])]])[0]
    assert one.abstained
    assert "too unsure" in (one.abstain_reason or "")
    assert "too unsure" in one.to_html()
    assert "把握不足" in one.to_html("zh")
    assert len(one.ranked) == 5


def test_an_error_no_case_keeps_is_said_at_the_fit(train: Records) -> None:
    with pytest.warns(DiagnosisWarning, match="abstain on every case"):
        made = Diagnoser(model="linear", folds=2, policy=Policy(abstain_error=0.0001)).fit(train)
    assert made.batch(train).abstained.all()


@pytest.mark.parametrize(
    "policy",
    [
        Policy(sets="aps", set_by=("site",), flags_per="diagnosis", calibration="temperature"),
        Policy(class_conditional=True, red_flags=False),
    ],
)
def test_a_policy_is_kept_by_clone_and_bundle(train: Records, test: Records, policy: Policy, tmp_path) -> None:
    made = clone(Diagnoser(model="linear", folds=2, policy=policy)).fit(train)
    again = load_bundle(made.save(tmp_path / "model"))
    assert again.policy == policy
    np.testing.assert_array_equal(again.batch(test).in_set, made.batch(test).in_set)
    np.testing.assert_array_equal(again.batch(test).flagged, made.batch(test).flagged)
    assert Policy.from_json(json.loads(json.dumps(policy.to_json()))) == policy


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sets": "aap"}, "Nearest: aps"),
        ({"set_by": ("sight",)}, "Nearest: site"),
        ({"flags_per": "cases"}, "Nearest: case"),
        ({"calibration": "adaptiv"}, "Nearest: adaptive"),
        ({"abstain_error": 1.0}, "between 0 and 1"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Policy(**options)


def test_a_misspelt_finding_gets_the_nearest_names(fitted: Diagnoser) -> None:
    found = fitted.suggest(Case([Finding("coufh"), Finding("wheeze"), Finding("HP:0012735")]))
    flag = next(f for f in found.flags if f.kind == "unknown_codes")
    assert flag.values == {"n": 2, "near": {"coufh": ["cough"]}}
    assert "perhaps cough?" in found.to_html()
    assert "not understood: HP:0012735, coufh (perhaps cough?)" in str(found)
    assert "是否指cough" in found.to_html("zh")


def test_a_name_where_a_code_belongs_gets_the_code() -> None:
    terms = [
        {"code": "LOINC:8310-5", "name": "Body temperature", "name_zh": "体温"},
        {"code": "cough", "name": "Cough"},
    ]
    found = near_names(["Body temperature", "体温", "coufh", "zzz"], Vocabulary.from_rows(terms, []))
    assert found == {
        "Body temperature": ("LOINC:8310-5 Body temperature",),
        "体温": ("LOINC:8310-5 体温",),
        "coufh": ("cough",),
    }


def test_a_value_no_patient_has_is_flagged(fitted: Diagnoser) -> None:
    found = fitted.suggest(Case([Finding("LOINC:8310-5", value=394.0, unit="Cel"), Finding("cough")]))
    flag = next(f for f in found.flags if f.kind == "implausible_value")
    assert flag.values == {"n": 1, "codes": ["LOINC:8310-5"]}
    assert "body temperature: no living patient has such a value" in found.to_html()
    assert "no living patient has this value: body temperature (LOINC:8310-5)" in str(found)
    assert "体温" in found.to_html("zh")
    fine = fitted.suggest(Case([Finding("LOINC:8310-5", value=39.4, unit="Cel")]))
    assert "implausible_value" not in {f.kind for f in fine.flags}


def test_patients_of_the_training_are_recognised_also_after_loading(
    fitted: Diagnoser, train: Records, tmp_path
) -> None:
    folder = fitted.save(tmp_path / "model")
    seen = train[:40]
    for diagnoser in (fitted, load_bundle(folder)):
        found = {s.kind: s for s in evaluate(diagnoser, seen, n_boot=0, suspicions=False, on_seen="report").suspicions}
        assert (found["trained_on"].n, found["trained_on"].share) == (40, 1.0)
        assert "c0" not in found["trained_on"].says
        assert "trained_on" in {f.kind for f in diagnoser.suggest(seen[:1])[0].flags}
        assert "among the training cases" in diagnoser.suggest(seen[:1])[0].to_html()
    # Another number of the same patient is recognised; a patient whose number is that of a case is not.
    cases = {"case_id": ["new", "other"], "patient_id": [str(train.groups[0]), str(train.case_ids[0])]}
    new = Records.from_tables(
        {"cases": cases, "findings": {"case_id": ["new"], "code": ["cough"], "status": ["present"]}}
    )
    assert fitted.training_ids_.seen(new).tolist() == [True, False]
    shutil.rmtree(folder / "local")
    assert not load_bundle(folder).training_ids_.seen(seen).any()


def test_a_suggestion_that_rests_on_what_was_not_recorded_says_so(fitted: Diagnoser) -> None:
    found = fitted.suggest(Case([Finding("LOINC:2345-7", value=5.2, unit="mmol/L")]))
    top = found.explain()[0]
    others = [abs(line.relative) for line in top.lines if line.state != "unrecorded"]
    assert top.rests_on_unrecorded
    assert top.unrecorded.relative > max(others)
    assert "moves the first suggestion more than any recorded finding" in found.to_html()
    plain = fitted.suggest(Case([Finding("wheeze"), Finding("rash", "absent"), Finding("stiff_neck", "absent")]))
    assert not plain.explain()[0].rests_on_unrecorded


def test_one_diagnosis_that_fills_the_list_is_set_against_its_rival(fitted: Diagnoser) -> None:
    sure = [
        Finding("vomiting"),
        Finding("stool", text="watery"),
        Finding("cough", "absent"),
        Finding("wheeze", "absent"),
    ]
    found = fitted.suggest(Case([*sure, Finding("rash", "absent"), Finding("stiff_neck", "absent")], age_years=9))
    top = found.explain()[0]
    assert found.ranked[0].probability > 0.95
    assert max((x.relative for x in top.for_), default=0.0) < np.log(1.05)
    rival = found.diagnoser.vocabulary_.diagnosis_name(found.ranked[1].diagnosis)
    assert f"versus {rival}" in str(found.explain()).splitlines()[1]
    shown = found.to_html().replace("\xa0", " ")
    assert "For: nothing" not in shown
    assert "versus " in shown[: shown.index("Against:")]


def test_cases_without_a_name_are_numbered(fitted: Diagnoser) -> None:
    found = fitted.suggest([Case([Finding("cough")]), Case([Finding("wheeze")], case_id="b"), Case()])
    assert [one.case_id for one in found] == ["case 1", "b", "case 3"]


@pytest.mark.parametrize(
    ("cases", "says"),
    [
        (Case([Finding("wheeze"), Finding("cough"), Finding("cough", "absent")]), "finding 2 of the case, finding 3"),
        (Case([Finding("cough", confidence=7)]), "finding 1 of the case: confidence must be"),
        ([Case([], case_id="a"), Case([Finding("")], case_id="b")], "finding 1 of case 2: code is required"),
        ([Case(case_id="a"), Case(case_id="a")], "case 1, case 2: case_id must be unique"),
    ],
)
def test_a_wrong_finding_by_hand_is_named_by_its_place(fitted: Diagnoser, cases: Case | list[Case], says: str) -> None:
    with pytest.raises(RecordsError) as caught:
        fitted.suggest(cases)
    assert says in str(caught.value)
    assert "row" not in str(caught.value)
    assert "on_error" not in str(caught.value)
