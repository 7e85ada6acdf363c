"""Small evaluations worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from diagnosis.evaluation import concatenate, evaluate_batch
from diagnosis.evaluation.calibration import assign_bins, ece, fit_intercept, fit_slope, reliability


@pytest.fixture
def four_cases(make_batch):
    """Croup right; flu second; measles in a tie for second; rubella was never seen."""
    batch = make_batch(
        [[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.6, 0.2, 0.2], [0.2, 0.5, 0.3]],
        ["croup", "flu", "measles"],
        prior=[0.5, 0.3, 0.2],
        in_set=[[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 1]],
        flagged=[[0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]],
        abstained=[0, 1, 0, 0],
        must_not_miss=[0, 0, 1],
    )
    return batch, np.array(["croup", "flu", "measles", "rubella"], dtype=object), np.array(list("aabc"), dtype=object)


def test_four_cases(four_cases):
    got = evaluate_batch(*four_cases, n_boot=0).overall
    assert (got.n, got.n_patients, got.n_diagnoses, got.n_unreachable, got.n_must_not_miss) == (4, 3, 4, 1, 1)
    floor = -np.log(1e-15)
    wanted = {
        "top.1": 1 / 4,
        "top.3": 3 / 4,
        "top.5": 3 / 4,
        "mrr": (1 + 1 / 2 + 1 / 3 + 0) / 4,
        "macro_top1": 1 / 4,
        "log_loss": (-np.log(0.7) - np.log(0.4) - np.log(0.2) + floor) / 4,
        "brier": (0.14 + 0.62 + 1.04 + 1.38) / 4,
        "set.target": 0.9,
        "set.coverage": 2 / 4,
        "set.mean_size": 6 / 4,
        "must_not_miss.sensitivity": 1.0,
        "must_not_miss.flags_per_case": 3 / 4,
        "abstained.rate": 1 / 4,
        "abstained.top1_of_rest": 1 / 3,
        "baseline.top.1": 1 / 4,
        "baseline.top.3": 3 / 4,
        "baseline.log_loss": (-np.log(0.5) - np.log(0.3) - np.log(0.2) + floor) / 4,
    }
    for name, value in wanted.items():
        assert got.values[name] == pytest.approx(value), name
    # confidences .5 .5 | .6 | .7 with 0 of 2, 0 of 1, 1 of 1 right
    assert got.values["ece"] == pytest.approx((2 * 0.5 + 0.6 + 0.3) / 4)


def test_macro_top1_counts_each_diagnosis_once(make_batch):
    proba = [[0.9, 0.1]] * 4
    truth = np.array(["D0", "D0", "D0", "D1"], dtype=object)
    value = evaluate_batch(make_batch(proba), truth, np.arange(4).astype(object), n_boot=0).overall.values
    assert value["top.1"] == 0.75
    assert value["macro_top1"] == 0.5


def test_a_diagnosis_that_must_not_be_missed_and_cannot_be_named_is_missed(four_cases):
    batch, truth, patients = four_cases
    urgent = np.array([False, False, False, True])
    got = evaluate_batch(batch, truth, patients, must_not_miss=urgent, n_boot=0).overall
    assert got.n_must_not_miss == 2
    assert got.values["must_not_miss.sensitivity"] == 0.5


def test_no_urgent_case_and_no_answered_case_leave_their_metrics_undefined(make_batch):
    batch = make_batch([[0.6, 0.4]], abstained=[1])
    plain = evaluate_batch(batch, np.array(["D0"], dtype=object), np.array(["a"], dtype=object)).to_json()
    assert plain["must_not_miss"] == {"sensitivity": None, "flags_per_case": 0.0, "n": 0}
    assert plain["abstained"] == {"rate": 1.0, "top1_of_rest": None}


def test_equal_mass_bins():
    assert assign_bins(np.ones(6), 3).tolist() == [0, 0, 1, 1, 2, 2]
    assert assign_bins(np.ones(3), 15).tolist() == [2, 7, 12]
    assert assign_bins(np.array([4.0, 1.0, 1.0]), 3).tolist() == [1, 2, 2]


def test_reliability_of_two_bins():
    confidence, correct = np.array([0.5, 0.6, 0.8, 0.9]), np.array([True, False, True, True])
    table = reliability(confidence, correct, np.ones(4), 2)
    assert table.n.tolist() == [2, 2]
    assert table.confidence == pytest.approx([0.55, 0.85])
    assert table.accuracy == pytest.approx([0.5, 1.0])
    assert ece(table) == pytest.approx((0.05 + 0.15) / 2)


def test_equal_confidences_share_a_bin():
    # Half right at one half: calibrated, whatever the order in which the cases stand.
    correct = np.array([True] * 15 + [False] * 15)
    assert ece(reliability(np.full(30, 0.5), correct, np.ones(30))) == pytest.approx(0)


def test_intercept_of_one_confidence_is_the_difference_of_log_odds():
    # Said 80 %, right in 50 %: log(1) - log(4).
    fit = fit_intercept(np.full(10, 0.8), np.arange(10) < 5, np.ones(10))
    assert fit.value == pytest.approx(-np.log(4))


def test_slope_of_one_probability_is_the_ratio_of_log_odds():
    # Said 80 : 20, true 50 : 50 -> the exponent that makes both equal is 0; true 80 : 20 -> 1; 20 : 80 -> -1.
    proba = np.tile([0.8, 0.2], (10, 1))
    for right, slope in ((5, 0.0), (8, 1.0), (2, -1.0)):
        column = (np.arange(10) >= right).astype(np.int64)
        assert fit_slope(proba, column, np.ones(10)).value == pytest.approx(slope, abs=1e-9)


def test_slope_leaves_out_what_the_model_cannot_name():
    proba = np.tile([0.8, 0.2], (12, 1))
    column = np.array([0] * 8 + [1] * 2 + [-1] * 2)
    fit = fit_slope(proba, column, np.ones(12))
    assert fit.value == pytest.approx(1.0)
    assert (fit.score[-2:] == 0).all()


@pytest.mark.parametrize(
    ("proba", "column"),
    [([[0.6, 0.4]] * 3, [0, 0, 0]), ([[0.6, 0.4]] * 3, [1, 1, 1]), ([[0.5, 0.5]] * 2, [0, 1]), ([[1.0]], [0])],
    ids=["always first", "always last", "all equal", "one diagnosis"],
)
def test_slope_without_a_best_exponent_is_undefined(proba, column):
    assert fit_slope(np.array(proba), np.array(column), np.ones(len(column))).value is None


def test_slope_is_found_far_from_one_and_from_zero_probabilities():
    proba = np.tile([0.501, 0.499], (10, 1))
    fit = fit_slope(proba, np.array([0] * 9 + [1]), np.ones(10))
    assert fit.value == pytest.approx(np.log(9) / np.log(0.501 / 0.499), rel=1e-6)
    zero = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    fit = fit_slope(zero, np.array([0, 0, 1]), np.ones(3))
    assert fit.value == pytest.approx(np.log(2) / -np.log(1e-15), rel=1e-6)


def test_one_case(make_batch):
    got = evaluate_batch(make_batch([[0.3, 0.7]]), np.array(["D1"], dtype=object), np.array(["a"], dtype=object))
    assert got.overall.values["top.1"] == 1
    assert got.overall.values["ece"] == pytest.approx(0.3)


def test_one_diagnosis(make_batch):
    truth = np.array(["D0", "D0"], dtype=object)
    got = evaluate_batch(make_batch([[1.0], [1.0]]), truth, np.array(["a", "b"], dtype=object)).overall
    assert got.values["top.1"] == 1
    assert got.values["log_loss"] == 0
    assert got.values["calibration.slope"] is None


def test_two_models_are_put_together_over_the_union_of_their_diagnoses(make_batch):
    first = make_batch([[0.6, 0.4]], ["flu", "croup"], prior=[0.8, 0.2], in_set=[[1, 0]], must_not_miss=[0, 1])
    second = make_batch([[0.3, 0.7]], ["measles", "flu"], prior=[0.5, 0.5], in_set=[[0, 1]])
    both = concatenate([first, second])
    assert both.diagnoses.tolist() == ["flu", "croup", "measles"]
    assert both.proba.tolist() == [[0.6, 0.4, 0.0], [0.7, 0.0, 0.3]]
    assert both.prior == pytest.approx([0.65, 0.1, 0.25])
    assert both.must_not_miss.tolist() == [False, True, False]
    assert both.case_ids.tolist() == ["case-0", "case-0"]
    # Croup is unreachable for the second model, though the first knows it: a miss at every k.
    got = evaluate_batch(both, np.array(["croup", "croup"], dtype=object), np.array(["a", "b"], dtype=object)).overall
    assert got.n_unreachable == 1
    assert got.values["top.10"] == 0.5
    assert got.values["mrr"] == 0.25


def test_one_batch_put_together_is_itself(drawn):
    batch, truth, patients = drawn(20, 4)
    half = np.arange(10)
    both = concatenate([batch.take(half), batch.take(half + 10)])
    one, other = (evaluate_batch(b, truth, patients, n_boot=5).to_json() for b in (batch, both))
    assert one == other
    assert both.nameable is None


def test_the_worst_rank_counts_only_what_the_case_s_own_model_names(make_batch):
    first = make_batch([[1.0, 0.0]], ["flu", "croup"])
    second = make_batch([[0.5, 0.3, 0.2]], ["measles", "mumps", "rubella"])
    got = evaluate_batch(
        concatenate([first, second]), np.array(["croup", "measles"], dtype=object), np.array(["a", "b"], dtype=object)
    )
    assert got.overall.values["mrr"] == (1 / 2 + 1) / 2
