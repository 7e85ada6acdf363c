"""The estimator: scikit-learn's habits, labels, moments, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from tests.small import small_records

from diagnosis.errors import InputError, UnknownCodeError, UnknownNameError
from diagnosis.features import FindingEncoder
from diagnosis.models import LinearModel
from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions import Diagnoser


@pytest.fixture(scope="module")
def train() -> Records:
    return small_records(240, seed=3)


@pytest.fixture(scope="module")
def fitted(train: Records) -> Diagnoser:
    return Diagnoser(model="linear", folds=3).fit(train)


def test_cross_validate_takes_records(train: Records) -> None:
    found = cross_validate(
        Diagnoser(model="linear", folds=2), train, train.y, groups=train.groups, cv=GroupKFold(3), error_score="raise"
    )
    assert found["test_score"].mean() > 0.6


def test_grid_search_reaches_inside(train: Records) -> None:
    search = GridSearchCV(
        Diagnoser(model=LinearModel(), encoder=FindingEncoder(), folds=2),
        {"encoder__min_cases": [2, 5], "model__C": [0.1, 1.0]},
        cv=2,
        error_score="raise",
    ).fit(train, train.y)
    assert set(search.best_params_) == {"encoder__min_cases", "model__C"}


def test_encoder_and_model_make_a_pipeline(train: Records) -> None:
    pipeline = make_pipeline(FindingEncoder(), LinearModel()).fit(train, train.y.astype(str))
    assert pipeline.score(train, train.y.astype(str)) > 0.6


def test_y_wins_over_the_labels_inside(train: Records) -> None:
    other = np.where(train.y == "J45.9", "asthma", "the rest")
    made = Diagnoser(model="linear", folds=2).fit(train, other)
    assert made.classes_.tolist() == ["asthma", "the rest"]
    assert made.score(train, other) > 0.8


def test_cases_without_a_label_are_counted_and_not_learned(train: Records) -> None:
    y = train.y.copy()
    y[:30] = None
    made = Diagnoser(model="linear", folds=2).fit(train, y)
    assert made.card_["n_unlabelled"] == 30
    assert made.card_["n_cases"] == len(train) - 30


def test_truth_names_labels_as_the_model_could(train: Records) -> None:
    y = train.y.copy()
    y[:3] = "seen three times"
    made = Diagnoser(model="linear", folds=2, min_cases=5).fit(train, y)
    asked = np.array(["seen three times", "never seen", "J45.9", None], dtype=object)
    assert made.truth(train[:4], asked).tolist() == ["OTHER", "never seen", "J45.9", None]


def test_rare_diagnoses_can_be_dropped_or_refused(train: Records) -> None:
    y = train.y.copy()
    y[:3] = "seen three times"
    dropped = Diagnoser(model="linear", folds=2, rest="drop").fit(train, y)
    assert "OTHER" not in dropped.classes_
    assert dropped.suggest(train[:1])[0].other is None
    with pytest.raises(InputError, match="1 of 6 have fewer"):
        Diagnoser(model="linear", folds=2, rest="error").fit(train, y)


def test_a_case_by_hand_goes_by_names(fitted: Diagnoser) -> None:
    case = Case(
        age_years=4, findings=[Finding("Wheeze"), Finding("咳嗽"), Finding("body temperature", value=36.8, unit="Cel")]
    )
    found = fitted.suggest(case)
    assert found.ranked[0].diagnosis == "J45.9"
    assert found.unknown_codes == ()
    assert "wheeze" in [line.code for line in found.explain()["J45.9"].for_]


def test_units_do_not_change_the_answer(fitted: Diagnoser) -> None:
    celsius = fitted.suggest(Case([Finding("LOINC:8310-5", value=39.0, unit="Cel")]))
    american = fitted.suggest(Case([Finding("LOINC:8310-5", value=102.2, unit="[degF]")]))
    np.testing.assert_allclose(celsius.proba, american.proba, atol=1e-6)


@pytest.mark.parametrize(("value", "unit"), [(38.5, "C"), (38.5, "c"), (101.3, "F"), (101.3, "f")])
def test_degrees_without_their_sign_are_a_fever(fitted: Diagnoser, value: float, unit: str) -> None:
    found = fitted.suggest(Case([Finding("LOINC:8310-5", value=value, unit=unit)], age_days=20))
    assert found.not_used["values"] == 0
    assert "febrile_newborn" in {f.values["code"] for f in found.flags if f.kind == "red_flag"}


def test_without_names_a_code_is_printed_once_and_the_rest_is_none_of_the_listed() -> None:
    records = small_records(80, seed=2, rare=9)
    bare = Records.from_tables({name: records.arrow(name) for name in ("cases", "findings")})
    fitted = Diagnoser(model="linear", folds=2).fit(bare)
    one = fitted.suggest(bare[:1])[0]
    lines = str(one).splitlines()
    assert [line.split("%")[1].split() for line in lines[1:6]] == [[s.diagnosis] for s in one.ranked]
    assert lines[6].endswith("%  none of the listed")
    with pytest.raises(UnknownCodeError, match="it knows 5 diagnoses and OTHER"):
        one.explain(["scurvy"])


def test_values_are_shown_as_recorded(fitted: Diagnoser) -> None:
    found = fitted.suggest(Case([Finding("LOINC:8310-5", value=102.2, unit="[degF]")])).explain()
    line = next(line for line in found[0].lines if line.code == "LOINC:8310-5")
    assert (line.value, line.unit) == (102.2, "[degF]")


def test_a_case_with_nothing_abstains_and_still_lists(fitted: Diagnoser) -> None:
    found = fitted.suggest(Case())
    assert found.abstained
    assert found.abstain_reason == "no finding that the model can use"
    assert len(found.ranked) == 5
    assert {f.kind for f in found.flags} >= {"too_little_evidence"}
    assert found.explain()[0].for_ == ()
    assert "no finding" in found.to_html()


def test_a_case_of_unknown_codes_abstains_and_says_which(fitted: Diagnoser) -> None:
    found = fitted.suggest(Case([Finding("never"), Finding("seen", "absent")]))
    assert found.abstained
    assert found.unknown_codes == ("never", "seen")
    assert found.not_used == {"after_moment": 0, "unknown": 2, "values": 0}
    assert "not understood: never, seen" in str(found)


def test_a_value_in_a_foreign_unit_is_said_and_not_used(fitted: Diagnoser) -> None:
    found = fitted.suggest(Case([Finding("wheeze"), Finding("LOINC:8310-5", value=39.0, unit="kg")]))
    assert found.not_used["values"] == 1
    assert "values_not_used" in {f.kind for f in found.flags}
    assert "not used, the unit does not convert: " in str(found)
    assert "(LOINC:8310-5) 39 kg" in str(found)
    assert "39 kg." in found.to_html("en")
    assert "39 kg。" in found.to_html("zh")


def test_a_value_without_a_unit_is_used_and_said(fitted: Diagnoser) -> None:
    found = fitted.suggest(Case([Finding("LOINC:8310-5", value=39.5), Finding("wheeze")]))
    (flag,) = (f for f in found.flags if f.kind == "assumed_unit")
    assert flag.values == {"n": 1, "assumed": {"LOINC:8310-5": {"value": 39.5, "unit": "Cel"}}}
    assert "without a unit, taken as recorded in training: " in str(found)
    assert "(LOINC:8310-5) 39.5 Cel" in str(found)
    assert "1 value without a unit was taken as recorded in training" in found.to_html("en")
    assert "1个未注明单位的数值按训练数据的单位理解" in found.to_html("zh")
    assert "39.5 (°C)" in found.to_html("zh")


def test_an_age_not_seen_in_training_is_flagged(fitted: Diagnoser) -> None:
    assert "out_of_range_age" in {f.kind for f in fitted.suggest(Case(age_years=120)).flags}
    assert "out_of_range_age" not in {f.kind for f in fitted.suggest(Case(age_years=5)).flags}


def test_the_moment_sets_later_rows_aside(train: Records) -> None:
    made = Diagnoser(model="linear", folds=2, as_of=1.0).fit(train)
    # Glucose is known two hours after the start.
    assert "LOINC:2345-7" not in made.encoder_.lineage_.keys
    assert made.moment == "1 h"
    assert any(d.not_used["after_moment"] for d in made.suggest(train[:20]))


def test_weights_restore_the_prevalence_they_speak_of(train: Records) -> None:
    cases = train.frame("cases")
    cases["weight"] = np.where(cases["diagnosis"] == "G00.9", 0.05, 1.0)
    tables = {"cases": cases, "findings": train.arrow("findings")}
    records = Records.from_tables(tables, train.info)
    plain, weighted = (Diagnoser(model="linear", folds=2, weighted=w).fit(records) for w in (False, True))
    rare = plain.classes_.tolist().index("G00.9")
    assert weighted.predict_proba(records)[:, rare].mean() < 0.5 * plain.predict_proba(records)[:, rare].mean()


def test_batch_says_what_suggest_says(fitted: Diagnoser, train: Records) -> None:
    batch = fitted.batch(train[:30])
    for i, one in enumerate(fitted.suggest(train[:30], top=5)):
        assert one.case_id == batch.case_ids[i]
        np.testing.assert_array_equal(one.proba, batch.proba[i])
        assert set(one.set) == set(batch.diagnoses[batch.in_set[i]])
        assert set(one.must_not_miss) == set(batch.diagnoses[batch.flagged[i]])
    assert batch.prior.sum() == pytest.approx(1)


def test_the_policy_reaches_the_declared_sensitivity_where_it_was_chosen(train: Records) -> None:
    made = Diagnoser(model="linear", folds=3, sensitivity=0.95).fit(train)
    own = train.y == "G00.9"
    k = made.classes_.tolist().index("G00.9")
    assert made.batch(train).flagged[own, k].mean() >= 0.95


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda d, r: d.fit(r.frame("cases")), "records to work on"),
        (lambda d, r: d.fit(r, ["flu"]), "(?i)one label for each"),
        (lambda d, r: d.fit(r, [None] * len(r)), "(?i)none of 240 cases has one"),
        (lambda d, r: d.fit(r, ["flu"] * len(r)), "(?i)two diagnoses"),
        (lambda d, r: d.fit(r[:0]), "(?i)none of 0 cases"),
        (lambda d, r: Diagnoser(model="hybird").fit(r), "hybrid"),
        (lambda d, r: d.fit(r).suggest(r, top=0), "(?i)at least one"),
        (lambda d, r: d.fit(r).suggest(r, reading="differential"), "posterior"),
        (lambda d, r: d.fit(r).suggest(["fever"]), "a Case"),
        (lambda d, r: d.fit(r).suggest(r[:1])[0].contrast("J45.9", "measels"), "measles"),
    ],
)
def test_bad_input_says_what_to_do(train: Records, bad: object, message: str) -> None:
    with pytest.raises((InputError, UnknownNameError), match=message):
        bad(Diagnoser(model="linear", folds=2), train)  # type: ignore[operator]


def test_not_fitted(train: Records) -> None:
    with pytest.raises(NotFittedError):
        Diagnoser().suggest(train)
    with pytest.raises(NotFittedError):
        Diagnoser().save("nowhere")


def test_json_of_a_differential_has_the_promised_keys(fitted: Diagnoser, train: Records) -> None:
    found = fitted.suggest(train[:1])[0].to_json()
    assert list(found) == [
        *("schema", "case_id", "model", "reading", "as_of", "ranked", "other", "set", "must_not_miss", "flags"),
        *("abstained", "abstain_reason", "unknown_codes", "not_used"),
    ]
    assert found["schema"] == 1
    assert set(found["ranked"][0]) == {"diagnosis", "probability"}


def test_json_of_evidence_has_the_promised_keys(fitted: Diagnoser, train: Records) -> None:
    found = fitted.suggest(train[:1])[0].explain().to_json()
    assert set(found) == {"schema", "case_id", "reading", "suggestions"}
    one = found["suggestions"][0]
    assert set(one) == {"diagnosis", "probability", "log_probability", "score", "base", "contributions"}
    assert set(one["contributions"][0]) == {"code", "state", "value", "unit", "text", "contribution", "relative"}
    states = [c["state"] for c in one["contributions"]]
    assert states.count("unrecorded") == 1
    assert next(c["code"] for c in one["contributions"] if c["state"] == "unrecorded") is None
    assert {c["code"] for c in one["contributions"] if c["state"] == "context"} >= {"age", "sex"}


def test_explaining_one_diagnosis_is_still_relative_to_the_list(fitted: Diagnoser, train: Records) -> None:
    one = fitted.suggest(train[:1], top=3)[0]
    whole, last = one.explain(), one.ranked[-1].diagnosis
    assert one.explain([last])[last] == whole[last]
    beyond = next(c for c in fitted.classes_ if c not in [s.diagnosis for s in one.ranked])
    assert len(one.explain([beyond])) == 1
    assert one.explain(["measles"]).suggestions[0].diagnosis == "B05.9"


def test_reprs_help(fitted: Diagnoser, train: Records) -> None:
    one = fitted.suggest(train[:1])[0]
    assert "5 shown" in repr(one)
    assert "%" in str(one)
    assert "For:" in str(one.explain())
    assert "log ratio" in str(one.contrast("J45.9", "A09.9"))
    assert f"  {one.ranked[0].diagnosis}  {one.ranked[0].name}\n" in str(one)
    assert "<script" not in one._repr_html_()
    assert len(one.explain().to_frame()) == sum(len(s.lines) for s in one.explain().suggestions)
