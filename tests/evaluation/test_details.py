"""Calibration by diagnosis, Brier parts, decision curves, abstention, flags, novelty, gaps: beside independent sums."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, confusion_matrix, ndcg_score, roc_auc_score

from diagnosis.evaluation import evaluate_batch
from diagnosis.evaluation.abstaining import risk_coverage
from diagnosis.evaluation.calibration import ece, reliability
from diagnosis.evaluation.cells import THRESHOLDS
from diagnosis.evaluation.credit import Credit
from diagnosis.evaluation.details import expected_error
from diagnosis.evaluation.groups import groups_of
from diagnosis.evaluation.novelty import auroc_draws
from diagnosis.evaluation.recalibration import recalibrate
from diagnosis.models.policy import burden_at
from diagnosis.records import Case, Records

N_BOOT = 30


@pytest.fixture(scope="module")
def cases(drawn):
    return drawn(400, 5, 3)


@pytest.fixture(scope="module")
def found(cases):
    batch, truth, patients = cases
    return evaluate_batch(batch, truth, patients, n_boot=N_BOOT, seed=1)


def _column(batch, truth):
    place = {d: k for k, d in enumerate(batch.diagnoses)}
    return np.array([place.get(t, -1) for t in truth])


def test_brier_parts_add_up_and_agree_with_a_plain_loop(cases, found):
    batch, truth, _ = cases
    parts, column = found.details.brier, _column(batch, truth)
    assert parts.reliability - parts.resolution + parts.uncertainty + parts.within == pytest.approx(
        found.overall.values["brier"]
    )
    reliability = resolution = uncertainty = 0.0
    for k in [*range(5), -1]:
        p, y = (batch.proba[:, k], column == k) if k >= 0 else (np.zeros(len(batch)), column < 0)
        uncertainty += y.mean() * (1 - y.mean())
        for low, high in zip((0, *THRESHOLDS), (*THRESHOLDS, 2), strict=True):
            inside = (p >= low) & (p < high)
            if inside.any():
                reliability += inside.mean() * (p[inside].mean() - y[inside].mean()) ** 2
                resolution += inside.mean() * (y[inside].mean() - y.mean()) ** 2
    assert parts.reliability == pytest.approx(reliability)
    assert parts.resolution == pytest.approx(resolution)
    assert parts.uncertainty == pytest.approx(uncertainty)


def test_brier_of_known_diagnoses_is_scikit_learn_s(drawn):
    batch, truth, patients = drawn(200, 4, 1, never=0)
    value = evaluate_batch(batch, truth, patients, n_boot=0, details=False).overall.values["brier"]
    assert value == pytest.approx(
        brier_score_loss(truth.astype(str), batch.proba, labels=batch.diagnoses.astype(str), scale_by_half=False)
    )


def test_ndcg_is_scikit_learn_s(drawn):
    batch, truth, patients = drawn(200, 6, 2, never=0)
    value = evaluate_batch(batch, truth, patients, n_boot=0, details=False).overall.values["ndcg"]
    assert value == pytest.approx(ndcg_score(truth[:, None] == batch.diagnoses[None, :], batch.proba))


def test_decision_curves_count_hits_less_false_alarms(cases, found):
    batch, truth, _ = cases
    curves = found.details.decision
    assert curves.diagnoses == tuple(batch.diagnoses)
    for k, diagnosis in enumerate(batch.diagnoses):
        y = truth == diagnosis
        for t, ours, everyone in zip(THRESHOLDS, curves.net_benefit[k], curves.treat_all[k], strict=True):
            (_, false), (_, hits) = confusion_matrix(y, batch.proba[:, k] >= t, labels=[False, True])
            assert ours == pytest.approx((hits - false * t / (1 - t)) / len(y))
            assert everyone == pytest.approx(y.mean() - (1 - y.mean()) * t / (1 - t))
    assert len(curves.to_frame()) == 5 * len(THRESHOLDS)


def test_calibration_of_each_diagnosis_is_logistic_recalibration(cases, found):
    batch, truth, _ = cases
    assert [one.diagnosis for one in found.details.by_diagnosis] == list(batch.diagnoses)
    for k, one in enumerate(found.details.by_diagnosis):
        y, x = truth == one.diagnosis, logit(batch.proba[:, [k]])
        peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y)
        assert one.slope == pytest.approx(peer.coef_[0, 0], rel=1e-4)
        assert one.intercept == pytest.approx(peer.intercept_[0], abs=1e-4)
        assert expit(one.in_the_large + x).mean() == pytest.approx(y.mean())
        assert (one.observed, one.expected) == (pytest.approx(y.mean()), pytest.approx(batch.proba[:, k].mean()))
        for name, (low, high) in one.intervals.items():
            assert low < getattr(one, name) < high
    assert list(found.details.to_frame().diagnosis) == list(batch.diagnoses)


def test_intervals_of_recalibration_are_of_patients(drawn):
    # Every case written twice, under the same patient: the estimate and its interval stay what they were.
    batch, truth, _ = drawn(300, 3, 7)
    x, y = logit(batch.proba[:, 0]), (truth == "D0").astype(float)
    alone = recalibrate(x, y, np.ones(300), np.arange(300), slope=True)
    twice = recalibrate(np.tile(x, 2), np.tile(y, 2), np.ones(600), np.tile(np.arange(300), 2), slope=True)
    for one, other in zip(alone, twice, strict=True):
        assert one[0] == pytest.approx(other[0])
        assert one[1] == pytest.approx(other[1])
    # Without repeats, the variance of Huber and White is close to the inverse information of a true model.
    q = expit(alone[0][0] + alone[1][0] * x)
    design = np.column_stack([np.ones(300), x])
    standard = np.sqrt(np.diag(np.linalg.inv(design.T @ (design * (q * (1 - q))[:, None]))))
    assert np.diff(alone[1][1])[0] == pytest.approx(2 * 1.96 * standard[1], rel=0.3)


def test_recalibration_without_a_finite_best_is_none():
    x, ones, who = np.array([-1.0, -2.0, 1.0, 2.0]), np.ones(4), np.arange(4)
    assert recalibrate(x, np.array([0.0, 0.0, 1.0, 1.0]), ones, who, slope=True) is None
    assert recalibrate(x, np.zeros(4), ones, who, slope=False) is None
    assert recalibrate(np.ones(4), np.array([0.0, 1.0, 0.0, 1.0]), ones, who, slope=True) is None


def test_risk_coverage_by_hand_and_by_loop():
    curve = risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False]), np.ones(4))
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert curve.best == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert (curve.error, curve.risk[-1], curve.coverage[-1]) == (0.5, 0.5, 1.0)
    assert curve.risk[4] == 0.0  # a quarter of the cases
    rng = np.random.default_rng(0)
    confidence, correct = rng.random(200), rng.random(200) < 0.7
    order = np.argsort(-confidence)
    slow = [1 - correct[order[:m]].mean() for m in range(1, 201)]
    fast = risk_coverage(confidence, correct, np.ones(200))
    assert fast.area == pytest.approx(np.mean(slow))
    assert fast.risk[9] == pytest.approx(slow[99])


def test_equal_confidence_makes_the_area_the_error_in_any_order():
    correct = np.array([True, False, False, True, True])
    for rows in (np.arange(5), np.array([4, 2, 0, 3, 1])):
        curve = risk_coverage(np.full(5, 0.5), correct[rows], np.ones(5))
        assert curve.area == pytest.approx(0.4)


def test_the_expected_error_is_that_of_cases_drawn_by_the_probabilities(cases, found):
    confidence = cases[0].proba.max(axis=1)
    expected = found.details.expected_ece
    assert 0 < expected.mean < expected.percentile_95 < 0.2
    # These cases follow their probabilities, but for one in twenty that was never seen.
    assert found.overall.values["ece"] < expected.percentile_95
    assert expected_error(confidence, np.ones(len(confidence)), seed=1) == expected
    rng = np.random.default_rng(1)
    slow = [ece(reliability(confidence, rng.random(400) < confidence, np.ones(400))) for _ in range(200)]
    assert (expected.mean, expected.percentile_95) == pytest.approx((np.mean(slow), np.percentile(slow, 95)))
    certain = expected_error(np.ones(50), np.ones(50))
    assert (certain.mean, certain.percentile_95) == (0.0, 0.0)


def test_reliability_intervals_hold_the_accuracy_of_their_bin(found):
    ends = found.details.reliability_intervals
    assert len(ends) == len(found.reliability.n)
    for (low, high), accuracy in zip(ends, found.reliability.accuracy, strict=True):
        assert low <= accuracy <= high


def test_the_flag_curve_is_that_of_the_policy(drawn):
    batch, truth, patients = drawn(300, 5, 4, never=0)
    points = evaluate_batch(batch, truth, patients, n_boot=N_BOOT).details.flags
    column = _column(batch, truth)
    for point in points:
        at = np.where(batch.must_not_miss, point.flag_at, np.nan)
        peer = burden_at(batch.proba, column, batch.must_not_miss, at, declared=point.flag_at)
        assert point.sensitivity == pytest.approx(peer.sensitivity)
        assert point.flags_per_case == pytest.approx(peer.flags_per_case)
        assert point.interval[0] <= point.sensitivity <= point.interval[1]
    assert [p.flag_at for p in points] == sorted((p.flag_at for p in points), reverse=True)


def test_a_must_not_miss_diagnosis_that_cannot_be_named_is_missed_at_every_threshold(drawn):
    batch, truth, patients = drawn(100, 4, 5, never=1.0)
    urgent = np.ones(100, bool)
    points = evaluate_batch(batch, truth, patients, must_not_miss=urgent, n_boot=0).details.flags
    assert {p.sensitivity for p in points} == {0.0}
    none = replace(batch, must_not_miss=np.zeros(4, bool))
    assert evaluate_batch(none, truth, patients, n_boot=0).details.flags == ()


def test_novelty_is_the_area_under_the_curve(cases, found):
    batch, truth, _ = cases
    unknown = truth == "never seen"
    novelty = found.details.novelty
    assert (novelty.n_unknown, novelty.n_known) == (unknown.sum(), (~unknown).sum())
    assert novelty.doubt.auroc == pytest.approx(roc_auc_score(unknown, 1 - batch.proba.max(axis=1)))
    assert novelty.doubt.interval[0] <= novelty.doubt.auroc <= novelty.doubt.interval[1]
    assert novelty.other is None


def test_other_is_a_detector_of_its_own(drawn):
    batch, truth, patients = drawn(150, 4, 6, never=0.3)
    names = np.array(["D0", "D1", "D2", "OTHER"], dtype=object)
    novelty = evaluate_batch(replace(batch, diagnoses=names), truth, patients, n_boot=0).details.novelty
    unknown = ~np.isin(truth.astype(str), names.astype(str))
    assert novelty.other.auroc == pytest.approx(roc_auc_score(unknown, batch.proba[:, 3]))


def test_draws_of_the_area_agree_with_a_plain_loop():
    rng = np.random.default_rng(0)
    positive, score, patient = rng.random(60) < 0.3, rng.integers(8, size=60) / 8, rng.integers(40, size=60)
    counts = rng.poisson(1.0, size=(20, 40)).astype(np.int16)
    drawn = auroc_draws(positive, score, np.ones(60), patient, counts)
    for value, count in zip(drawn, counts, strict=True):
        rows = np.repeat(np.arange(60), count[patient])
        if 0 < positive[rows].sum() < len(rows):
            assert value == pytest.approx(roc_auc_score(positive[rows], score[rows]))
        else:
            assert np.isnan(value)


def test_bands_of_frequency_divide_the_cases(drawn):
    batch, truth, patients = drawn(200, 4, 8)
    batch = replace(batch, n_train=np.array([3, 12, 120, 500]))
    bands = {b.training_cases: b for b in evaluate_batch(batch, truth, patients, n_boot=20).details.by_frequency}
    counted = {"never seen": "never seen", "1-9": "D0", "10-29": "D1", "100-299": "D2", "300 and more": "D3"}
    assert {name: band.n for name, band in bands.items()} == {n: (truth == d).sum() for n, d in counted.items()}
    rank = 1 + (batch.proba[:, [1]] < batch.proba).sum(axis=1)
    assert bands["10-29"].values["top.1"] == pytest.approx((rank[truth == "D1"] == 1).mean())
    assert bands["never seen"].values["top.10"] == 0
    low, high = bands["10-29"].intervals["top.1"]
    assert low <= bands["10-29"].values["top.1"] <= high
    least = min(band.n for band in bands.values()) + 1
    few = evaluate_batch(batch, truth, patients, n_boot=0, min_cell=least).details.by_frequency
    assert sum(not band.values for band in few) == 2, "the next smallest would be what the others leave"


def test_any_confirmed_diagnosis_and_the_right_category_get_credit(make_batch):
    batch = make_batch(
        [[0.5, 0.3, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], ["J10", "J11.1", "A09", "B05"]
    )
    truth = np.array(["A09", "J11.1", "J10.9"], dtype=object)
    also = np.empty(3, dtype=object)
    also[:] = [("J11.1", "unknown"), (), ("B05",)]
    category = {"J10": "J10", "J10.9": "J10", "J11.1": "J11", "A09": "A09"}
    got = evaluate_batch(batch, truth, np.arange(3).astype(object), n_boot=0, credit=Credit(truth, also, category))
    value = got.overall.values
    # Ranks of the principal: tied for third, so fourth; third; never seen. Of any confirmed: second, third, fourth.
    assert (value["top.1"], value["top.3"], value["top.5"]) == (0, 1 / 3, 2 / 3)
    assert (value["any_confirmed.1"], value["any_confirmed.3"], value["any_confirmed.5"]) == (0, 2 / 3, 1)
    # J10.9 was never seen, and J10, of its category, stands first.
    assert (value["icd_category.1"], value["icd_category.3"], value["icd_category.5"]) == (1 / 3, 2 / 3, 1)
    plain = evaluate_batch(batch, truth, np.arange(3).astype(object), n_boot=0).to_json()
    assert set(plain["any_confirmed"].values()) == set(plain["icd_category"].values()) == {None}


def test_credit_is_never_less_than_for_the_principal_diagnosis(drawn):
    batch, truth, patients = drawn(120, 6, 9)
    also = np.empty(120, dtype=object)
    also[:] = [("D1", "D4")[: i % 3] for i in range(120)]
    credit = Credit(truth, also, {f"D{k}": f"C{k // 2}" for k in range(6)})
    value = evaluate_batch(batch, truth, patients, n_boot=0, credit=credit).overall.values
    for k in (1, 3, 5, 10):
        assert value[f"any_confirmed.{k}"] >= value[f"top.{k}"]
        assert value[f"icd_category.{k}"] >= value[f"top.{k}"]


def test_the_gap_is_between_the_best_and_the_worst_value(drawn):
    batch, truth, patients = drawn(240, 4, 10)
    ward = np.array(["a", "b", "c", "few"], dtype=object)[np.minimum(np.arange(240) % 80, 3 * 26) // 26]
    got = evaluate_batch(batch, truth, patients, groups={"ward": ward, "all": np.full(240, "x", object)}, n_boot=N_BOOT)
    gaps = {gap.metric: gap for gap in got.gaps}
    assert {gap.group for gap in got.gaps} == {"ward"}
    shown = {v: c.values for v, c in got.by["ward"].items() if hasattr(c, "values")}
    assert "few" not in shown
    for metric, gap in gaps.items():
        values = {v: one[metric] for v, one in shown.items()}
        best = min(values, key=values.get) if metric in ("log_loss", "brier") else None
        assert gap.difference == pytest.approx(max(values.values()) - min(values.values()))
        assert best is None or gap.best == best
    # Drawn by hand: the same patients for both sides of the difference.
    gap = gaps["top.1"]
    from diagnosis.evaluation.bootstrap import draw_patients

    names = list(dict.fromkeys(patients))
    place, hit = np.array([names.index(p) for p in patients]), batch.diagnoses[batch.proba.argmax(axis=1)] == truth
    drawn_gaps = []
    for counts in draw_patients(len(names), N_BOOT, 0):
        w = counts[place]
        best, worst = (np.average(hit[ward == v], weights=w[ward == v]) for v in (gap.best, gap.worst))
        drawn_gaps.append(best - worst)
    assert gap.interval == pytest.approx(np.percentile(drawn_gaps, [2.5, 97.5]))


def test_sets_have_an_exact_binomial_interval(cases, found):
    covered = round(found.overall.values["set.coverage"] * 400)
    wanted = binomtest(covered, 400).proportion_ci(0.95, method="exact")
    assert found.overall.binomial == (wanted.low, wanted.high)
    batch, truth, patients = cases
    weighted = evaluate_batch(batch, truth, patients, weights=np.full(400, 2.0), n_boot=0, details=False)
    assert weighted.to_json()["set"]["binomial"] is None


def test_whole_sites_are_drawn_beside_patients(make_batch):
    # One site always right, one always wrong: whichever sites are drawn, the share is 0, 1/2 or 1.
    proba = np.tile([0.8, 0.2], (40, 1))
    truth, site = np.repeat(["D0", "D1"], 20).astype(object), np.repeat(["north", "south"], 20).astype(object)
    got = evaluate_batch(make_batch(proba), truth, np.arange(40).astype(object), sites=site, n_boot=200)
    assert got.n_sites == 2
    assert got.overall.site_intervals["top.1"] == (0.0, 1.0)
    assert got.overall.intervals["top.1"][0] > 0.2
    one = evaluate_batch(make_batch(proba), truth, np.arange(40).astype(object), sites=np.full(40, None, object))
    assert (one.n_sites, one.overall.site_intervals) == (0, {})


def test_a_case_answered_several_times_counts_once(drawn):
    batch, truth, patients = drawn(60, 4, 11)
    rows = np.repeat(np.arange(60), np.arange(60) % 3 + 1)
    one = evaluate_batch(batch, truth, patients, n_boot=10)
    other = evaluate_batch(batch.take(rows), truth[rows], patients[rows], case=rows, n_boot=10)
    assert (other.n, other.overall.n_unreachable) == (one.n, one.overall.n_unreachable)
    assert other.metrics() == pytest.approx(one.metrics())
    assert other.overall.intervals["top.1"] == pytest.approx(one.overall.intervals["top.1"])


def test_calendar_periods_are_groups():
    cases = [Case(case_id="a", time="2023-12-31T23:00:00Z"), Case(case_id="b", time="2024-04-01T00:00:00Z"), Case()]
    records = Records.from_cases([replace(c, case_id=str(i)) for i, c in enumerate(cases)])
    found = groups_of(records, ["year", "quarter"])
    assert found["year"].tolist() == ["2023", "2024", "unknown"]
    assert found["quarter"].tolist() == ["2023-Q4", "2024-Q2", "unknown"]


@pytest.mark.parametrize(("n", "K", "never"), [(1, 3, 0.0), (1, 1, 0.0), (2, 2, 1.0), (30, 2, 0.5)])
def test_details_of_few_cases_are_finite(drawn, n, K, never):
    batch, truth, patients = drawn(n, K, 12, never=never)
    sex = np.full(n, "female", dtype=object)
    got = evaluate_batch(batch, truth, patients, groups={"sex": sex, "site": truth}, sites=truth, n_boot=5, min_cell=1)
    assert json.loads(json.dumps(got.to_json(), allow_nan=False))["details"]["risk_coverage"]["error"] >= 0
    assert repr(got)


def test_a_group_with_one_diagnosis_is_scored_and_its_slope_undefined_where_it_is(make_batch):
    batch = make_batch(np.tile([0.7, 0.3], (24, 1)))
    truth = np.array(["D0"] * 12 + ["D0", "D1"] * 6, dtype=object)
    site = np.repeat(["one diagnosis", "two"], 12).astype(object)
    by = evaluate_batch(batch, truth, np.arange(24).astype(object), groups={"site": site}, n_boot=10).by["site"]
    assert by["one diagnosis"].values["calibration.slope"] is None
    assert by["one diagnosis"].values["top.1"] == 1
    assert by["two"].values["calibration.slope"] is not None
