"""Who takes part and who does not, whose diagnosis was verified, two judgements, and whether cases are enough."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from diagnosis.errors import InputError
from diagnosis.evaluation import evaluate_verified, label_agreement, participant_flow, sample_size
from diagnosis.evaluation.sample_size import expected_shrinkage, needed_cases
from diagnosis.evaluation.small_cells import hidden_cells, is_small
from diagnosis.evaluation.verification import label_basis, verified_shares
from diagnosis.records import Records, Split, split
from diagnosis.suggestions import Diagnoser


def _records(cases, labels):
    def table(rows, *names):
        return {n: [row.get(n) for row in rows] for n in names}

    findings = [{"case_id": c["case_id"], "code": "cough", "status": "present", "known": c.get("known")} for c in cases]
    return Records.from_tables(
        {
            "cases": table(cases, "case_id", "patient_id", "visit", "diagnosis", "site", "end_time"),
            "findings": table(findings, "case_id", "code", "status", "known"),
            "labels": table(labels, "case_id", "diagnosis", "role", "status", "basis"),
        }
    )


def _label(i, diagnosis, role="principal", status="confirmed", basis=None):
    return {"case_id": f"c{i}", "diagnosis": diagnosis, "role": role, "status": status, "basis": basis}


def _flow_records():
    cases = [{"case_id": f"c{i}", "patient_id": f"p{i // 2}", "visit": "first", "diagnosis": "flu"} for i in range(20)]
    for i in range(3):
        cases[i]["visit"] = "follow_up"
    for i in (4, 5, 6, 7):
        cases[i]["diagnosis"] = None
    cases[8] |= {"end_time": "2024-01-01T00:00:00Z", "known": "2024-01-02T00:00:00Z"}
    for i in range(14, 20):
        cases[i]["diagnosis"] = "cold"
    cases[9]["diagnosis"] = "plague"
    labels = [_label(4, "flu", status="provisional"), _label(5, "flu", "secondary"), _label(6, "flu", "admission")]
    return _records(cases, labels)


def test_every_case_is_counted_once_with_its_reason():
    flow = participant_flow(_flow_records(), min_cases=2)
    found = {step.what: (step.kind, step.cases) for step in flow.steps}
    assert found == {
        "cases read": ("stay", 20),
        "visit: follow_up": ("leave", 3),
        "no principal diagnosis": ("leave", 2),
        "principal diagnosis not confirmed": ("leave", 1),
        "no diagnosis written down": ("leave", 1),
        "with a diagnosis under the label rule": ("stay", 13),
        "findings after the moment (end) set aside": ("change", 1),
        "1 rare diagnoses (under 2 cases) pooled into OTHER": ("change", 1),
    }
    assert "- visit: follow_up" in repr(flow)
    assert len(flow.to_frame()) == len(flow.to_json()) == 8


def test_small_reasons_are_put_together():
    steps = participant_flow(_flow_records(), min_cases=2, min_cell=3).steps
    assert {s.what: s.cases for s in steps if s.kind == "leave"} == {"visit: follow_up": 3, "other reasons": 4}


def test_the_sides_and_who_is_on_neither_add_up():
    records = _flow_records()
    taken = records[[i for i in range(20) if records.y[i] is not None and i > 2]]
    sides = split(taken, seed=0, test_size=0.4)
    steps = {s.what: s.cases for s in participant_flow(records, sides=sides, min_cases=2).steps if s.kind == "stay"}
    assert steps["to train"] + steps["to test"] == steps["with a diagnosis under the label rule"]
    fewer = Split(sides.train[:-2], sides.test, "patient", 2)
    left = {s.what: s.cases for s in participant_flow(records, sides=fewer, min_cases=2).steps}
    assert left["their patient is trained on already"] == 2
    with pytest.raises(InputError, match="Two sides of the cases that take part"):
        participant_flow(records, sides=Split(records, records, "patient", 0))


def test_the_flow_of_the_sample(sample):
    counts = {s.what: s.cases for s in participant_flow(sample).steps}
    assert counts["cases read"] - counts["visit: follow_up"] == counts["with a diagnosis under the label rule"] == 5792


@pytest.fixture(scope="module")
def judged(sample):
    train, test = split(sample[:700], seed=0)
    return Diagnoser(model="linear", folds=2).fit(train), test


def test_figures_on_verified_diagnoses_stand_beside_those_of_all(judged):
    diagnoser, test = judged
    found = evaluate_verified(diagnoser, test, n_boot=0)
    assert found.verified.n + found.clinical.n == found.everyone.n == len(test)
    basis = label_basis(test)
    assert found.bases["clinical"] == (basis == "clinical").sum() == found.clinical.n
    assert sum(s.n for s in found.shares) == len(test)
    right = sum(one.values["top.1"] * one.n for one in (found.verified, found.clinical))
    assert found.everyone.values["top.1"] == pytest.approx(right / len(test))
    json.dumps(found.to_json(), allow_nan=False)
    assert set(found.to_frame().cases) == {"everyone", "verified", "clinical"}
    assert "verified, by site" in repr(found)


def test_figures_of_few_are_not_what_one_side_leaves_of_all(judged):
    diagnoser, test = judged
    n = min(evaluate_verified(diagnoser, test, n_boot=0).bases["clinical"], len(test) // 2)
    found = evaluate_verified(diagnoser, test, n_boot=0, min_cell=n + 1)
    assert (found.verified, found.clinical) == (None, None)


def test_without_a_basis_nothing_is_said_of_verification(judged):
    diagnoser, test = judged
    bare = Records.from_tables({n: test.arrow(n) for n in ("cases", "findings")})
    assert evaluate_verified(diagnoser, bare, n_boot=0) is None


def test_shares_of_few_cases_are_not_shown():
    sizes = {"a": (40, 20), "b": (40, 3), "c": (5, 5), "d": (30, 0), "e": (30, 15)}
    groups = np.repeat(np.array(list(sizes), dtype=object), [n for n, _ in sizes.values()])
    verified = np.concatenate([np.arange(n) < k for n, k in sizes.values()])
    shares = {s.value: s for s in verified_shares(groups, verified)}
    assert shares["a"].verified == 20
    assert (shares["a"].low, shares["a"].high) == pytest.approx((0.352, 0.648), abs=5e-4)  # Wilson, 20 of 40
    assert shares["b"].verified is None
    assert shares["c"].verified is None
    assert shares["d"].verified == 0
    assert shares["e"].verified is None, "b and c would have 8 verified together: all less the others"
    alone = verified_shares(np.array(["a"] * 40, dtype=object), np.arange(40) < 20)
    assert alone[0].verified == 20


_sides = st.tuples(st.integers(0, 40), st.integers(0, 40))


@given(st.dictionaries(st.text("abc", max_size=2), _sides, max_size=7), st.integers(0, 15))
def test_all_less_the_cells_shown_tells_of_no_small_cell(cells, least):
    hidden = hidden_cells(cells, least)
    shown = cells.keys() - hidden
    assert not any(is_small(cells[name], least) for name in shown)
    left = tuple(sum(n[side] for n in cells.values()) - sum(cells[c][side] for c in shown) for side in (0, 1))
    assert not shown or not is_small(left, least)
    assert bool(hidden) == any(is_small(n, least) for n in cells.values())


def test_two_judgements_are_compared_as_by_scikit_learn():
    rng = np.random.default_rng(0)
    first = rng.choice(["flu", "cold", "croup"], 60)
    second = np.where(rng.random(60) < 0.7, first, "flu")
    cases = [{"case_id": f"c{i}", "diagnosis": None} for i in range(61)]
    labels = [_label(i, d) for i, d in enumerate(first)] + [_label(i, d, "reviewer") for i, d in enumerate(second)]
    found = label_agreement(_records(cases, labels), n_boot=50)
    assert (found.n, found.n_patients) == (60, 60)
    assert found.agreed == pytest.approx(np.mean(first == second))
    assert found.kappa == pytest.approx(cohen_kappa_score(first, second))
    assert found.ceiling == pytest.approx(math.sqrt(found.agreed))
    assert found.intervals["agreed"][0] < found.agreed < found.intervals["agreed"][1]
    assert label_agreement(_records(cases, labels[:60])) is None


def test_the_ceiling_is_what_a_model_that_knows_the_truth_reaches():
    rng = np.random.default_rng(1)
    truth, wrong = rng.integers(50, size=20_000), rng.integers(50, size=(2, 20_000))
    judged = [np.where(rng.random(20_000) < 0.8, truth, w) for w in wrong]
    assert np.mean(judged[0] == truth) == pytest.approx(math.sqrt(np.mean(judged[0] == judged[1])), abs=0.01)


def test_two_judges_of_one_role_are_compared():
    labels = [_label(0, "flu"), _label(0, "cold"), _label(1, "flu"), _label(1, "flu"), _label(2, "flu")]
    found = label_agreement(_records([{"case_id": f"c{i}"} for i in range(3)], labels), second="principal", n_boot=0)
    assert (found.n, found.agreed) == (2, 0.5)


def test_two_that_name_one_diagnosis_throughout_have_no_kappa():
    labels = [_label(i, "flu", role) for i in range(4) for role in ("principal", "reviewer")]
    found = label_agreement(_records([{"case_id": f"c{i}"} for i in range(4)], labels), n_boot=20)
    assert math.isnan(found.kappa)
    assert (found.agreed, found.intervals.keys()) == (1.0, {"agreed", "ceiling"})
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["kappa"] is None
    assert plain["undefined"] in repr(found)
    labels += [_label(4, "cold"), _label(4, "cold", "reviewer")]
    assert label_agreement(_records([{"case_id": f"c{i}"} for i in range(5)], labels), n_boot=0).kappa == 1.0


def test_the_published_example_of_the_sample_size_is_met():
    # Riley et al., BMJ 368:m441 (2020) and their program pmsampsize: R² .288, 24 parameters, prevalence .174.
    assert needed_cases(24, 0.288, 0.174) == 662
    assert needed_cases(1, 0.288, 0.174) == 221  # the overall risk asks for more than one parameter does


@given(st.integers(1, 200), st.floats(0.01, 0.6), st.floats(0.5, 0.99))
def test_expected_shrinkage_is_the_inverse_of_the_size_asked_for(parameters, r2, shrinkage):
    n = parameters / ((shrinkage - 1) * math.log1p(-r2 / shrinkage)) if r2 < shrinkage else math.inf
    if math.isfinite(n) and shrinkage > 0.5 * (1 + r2):
        assert expected_shrinkage(math.ceil(n), parameters, r2) == pytest.approx(shrinkage, abs=0.1)
        assert expected_shrinkage(10 * math.ceil(n), parameters, r2) > shrinkage


def test_rare_diagnoses_shrink_most_and_small_ones_are_not_shown():
    labels = np.array(["a"] * 500 + ["b"] * 100 + ["c"] * 5 + [None] * 9, dtype=object)
    found = sample_size(labels, 20)
    assert [d.diagnosis for d in found.diagnoses] == ["a"], "605 less a and b would tell how many have c"
    assert (found.n, found.n_suppressed) == (605, 2)
    found = sample_size(labels, 20, min_cell=5)
    assert [d.diagnosis for d in found.diagnoses] == ["c", "b", "a"]
    assert found.diagnoses[0].shrinkage < found.diagnoses[1].shrinkage < 1
    assert found.to_frame().shape == (3, 6)
    assert "too few cases to show" in repr(sample_size(labels, 20))
    with pytest.raises(InputError, match="one parameter or more"):
        sample_size(labels, 0)
