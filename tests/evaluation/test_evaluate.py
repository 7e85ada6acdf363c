"""From records and a diagnoser to an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from diagnosis.errors import InputError, UnknownNameError
from diagnosis.evaluation import compare, evaluate, report
from diagnosis.evaluation.groups import age_groups, groups_of
from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions.diagnoser import Diagnoser

DIAGNOSES = np.array(["croup", "flu", "OTHER"], dtype=object)


@dataclass
class ByFever:
    """Answers flu with fever and croup without; anything else it was taught is OTHER."""

    make_batch: object
    pooled: tuple = ("measles",)
    seen: list = field(default_factory=list)

    def truth(self, records, y=None):
        given = records.y if y is None else np.asarray(y, dtype=object)
        return np.array(["OTHER" if g in self.pooled else g for g in given], dtype=object)

    def batch(self, records):
        self.seen.append(len(records))
        coded = records.coded
        fever = np.bincount(coded.case[coded.codes[coded.code] == "fever"], minlength=len(records)) > 0
        proba = np.where(fever[:, None], [0.2, 0.7, 0.1], [0.8, 0.1, 0.1])
        return self.make_batch(proba, DIAGNOSES, in_set=proba > 0.15, flagged=np.zeros(proba.shape))


@pytest.fixture
def diagnoser(make_batch):
    return ByFever(make_batch)


@pytest.fixture
def records():
    def case(i):
        diagnosis = ("croup", "flu", "measles", "tetanus", None)[i % 5]
        return Case(
            [Finding("fever" if diagnosis == "flu" else "cough"), Finding(f"own{i}")],
            case_id=f"c{i}",
            patient_id=f"p{i // 2}",
            diagnosis=diagnosis,
            sex="female" if i % 2 else None,
            age_years=float(i),
            site="north",
            weight=2.0 if diagnosis == "flu" else 1.0,
        )

    diagnoses = pd.DataFrame([{"code": "measles", "must_not_miss": True}, {"code": "tetanus", "must_not_miss": True}])
    return Records.from_cases([case(i) for i in range(40)], diagnoses=diagnoses)


def test_an_evaluation_of_records(diagnoser, records):
    got = evaluate(diagnoser, records, by=["sex", "age_band", "site"], n_boot=20).to_json()
    assert (got["n"], got["n_unlabelled"], got["n_patients"], got["n_unreachable"]) == (32, 8, 20, 8)
    assert got["n_diagnoses"] == 4
    assert got["top"] == {"1": 0.5, "3": 0.75, "5": 0.75, "10": 0.75}
    assert diagnoser.seen == [32]
    assert got["by"]["sex"].keys() == {"female", "unknown"}
    assert got["by"]["site"]["north"]["top"] == got["top"]
    assert got["by"]["age_band"]["infant" if "infant" in got["by"]["age_band"] else "neonate"]["suppressed"]


def test_a_fitted_diagnoser_scores_as_scikit_learn_scores_it():
    rng = np.random.default_rng(0)

    def case(i, diagnoses, side="train"):
        k = int(rng.integers(len(diagnoses)))
        found = [Finding(f"f{j}", "present" if rng.random() < (0.8 if j == k else 0.2) else "absent") for j in range(4)]
        return Case(found, case_id=f"{side}{i}", diagnosis=diagnoses[k], sex=("female", "male")[i % 2])

    train = Records.from_cases([case(i, ["croup", "flu", "measles"]) for i in range(150)])
    test = Records.from_cases([case(i, ["croup", "flu", "measles", "tetanus"], "test") for i in range(80)])
    diagnoser = Diagnoser(model="linear").fit(train)
    got = evaluate(diagnoser, test, by="sex", n_boot=10)
    seen = test.y != "tetanus"
    assert got.overall.n_unreachable == (~seen).sum()
    assert got.overall.values["top.1"] == pytest.approx(diagnoser.score(test))
    column = [list(diagnoser.classes_).index(label) for label in test.y[seen]]
    inside = log_loss(column, diagnoser.predict_proba(test)[seen], labels=np.arange(len(diagnoser.classes_)))
    wanted = inside * seen.mean() - np.log(1e-15) * (~seen).mean()
    assert got.overall.values["log_loss"] == pytest.approx(wanted)
    assert sum(cell.n for cell in got.by["sex"].values()) == 80


def test_pooled_and_unseen_diagnoses_that_must_not_be_missed_are_missed(diagnoser, records):
    got = evaluate(diagnoser, records, n_boot=0).to_json()
    assert got["must_not_miss"] == {"sensitivity": 0.0, "n": 16, "flags_per_case": 0.0}


def test_y_wins_over_the_labels_inside(diagnoser, records):
    y = np.full(40, "croup", dtype=object)
    got = evaluate(diagnoser, records, y=y, n_boot=0)
    assert got.n == 40
    assert got.overall.values["top.1"] == pytest.approx(32 / 40)
    with pytest.raises(InputError, match="`y`"):
        evaluate(diagnoser, records, y=y[:3])


def test_cases_count_once_unless_weights_are_asked_for(diagnoser, records):
    plain = evaluate(diagnoser, records, n_boot=0)
    weighted = evaluate(diagnoser, records, n_boot=0, weighted=True)
    assert plain.overall.values["top.1"] == pytest.approx(16 / 32)
    assert weighted.overall.values["top.1"] == pytest.approx(24 / 40)
    assert weighted.to_json()["weighted"] is True


def test_suspicions_are_looked_for_unless_declined(diagnoser, records):
    leaking = Records.from_cases([Case([Finding("flu")], case_id="c", diagnosis="flu")])
    assert [s.kind for s in evaluate(diagnoser, leaking).suspicions] == ["names_diagnosis"]
    assert evaluate(diagnoser, leaking).to_json()["suspicions"][0]["code"] == "flu"
    assert evaluate(diagnoser, leaking, suspicions=False).suspicions == ()


def test_records_without_a_diagnosis_cannot_be_evaluated(diagnoser):
    with pytest.raises(InputError, match="none of the 1 cases"):
        evaluate(diagnoser, Records.from_cases([Case([Finding("cough")])]))


def test_what_is_no_records_is_refused(diagnoser):
    for ask in (evaluate, report, lambda one, given: compare(one, one, given)):
        with pytest.raises(InputError, match="found str"):
            ask(diagnoser, "path")


def test_an_unknown_group_is_refused_with_the_nearest(diagnoser, records):
    with pytest.raises(UnknownNameError) as caught:
        evaluate(diagnoser, records, by=["sexe"])
    assert "sex" in caught.value.near
    assert diagnoser.seen == []


@pytest.mark.parametrize("name", ["case_id", "patient_id", "age_years", "time", "differential"])
def test_a_column_that_sorts_into_no_groups_is_refused(records, name):
    with pytest.raises(InputError, match=name):
        groups_of(records, [name])


def test_a_column_these_records_lack_puts_everybody_into_unknown(records):
    assert set(groups_of(records, ["department"])["department"]) == {"unknown"}


def test_a_column_of_ones_own_makes_groups():
    cases = pd.DataFrame({"case_id": ["a", "b"], "x_ward": ["1", "2"]})
    records = Records.from_tables({"cases": cases, "findings": pd.DataFrame({"case_id": [], "code": [], "status": []})})
    assert groups_of(records, ["x_ward"])["x_ward"].tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("days", "band"),
    [
        (0, "neonate"),
        (27, "neonate"),
        (28, "infant"),
        (365, "infant"),
        (366, "child"),
        (11.9 * 365.25, "child"),
        (12 * 365.25, "adolescent"),
        (17.9 * 365.25, "adolescent"),
        (18 * 365.25, "adult"),
        (64.9 * 365.25, "adult"),
        (65 * 365.25, "65+"),
        (110 * 365.25, "65+"),
    ],
)
def test_age_bands(days, band):
    assert age_groups(np.array([days / 365.25])).tolist() == [band]
    records = Records.from_cases([Case(case_id="a", age_days=days, age_years=40.0), Case(case_id="b")])
    assert groups_of(records, ["age_band"])["age_band"].tolist() == [band, "unknown"]
