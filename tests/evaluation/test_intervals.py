"""Intervals from one matrix product are those of resampling patient by patient."""

from __future__ import annotations

import numpy as np
import pytest

from diagnosis.evaluation import evaluate_batch
from diagnosis.evaluation.bootstrap import draw_patients
from diagnosis.evaluation.calibration import fit_intercept, fit_slope
from diagnosis.evaluation.outcomes import score_cases

N_BOOT = 40


def _resampled(batch, truth, patients, seed):
    """Every draw written out case by case and evaluated from the start."""
    names = list(dict.fromkeys(patients))
    place = np.array([names.index(p) for p in patients])
    for counts in draw_patients(len(names), N_BOOT, seed):
        rows = np.repeat(np.arange(len(patients)), counts[place])
        yield evaluate_batch(batch.take(rows), truth[rows], patients[rows], n_boot=0, details=False).overall.values


def _percentiles(values):
    return np.percentile(values, [2.5, 97.5])


@pytest.mark.parametrize(("n", "K", "seed"), [(90, 5, 1), (150, 12, 2)])
def test_intervals_agree_with_a_plain_loop(drawn, n, K, seed):
    batch, truth, patients = drawn(n, K, seed)
    got = evaluate_batch(batch, truth, patients, n_boot=N_BOOT, seed=seed).overall
    draws = list(_resampled(batch, truth, patients, seed))
    exact = set(got.intervals) - {"calibration.slope", "calibration.intercept", "ece", "macro_top1"}
    assert exact >= {"top.1", "mrr", "log_loss", "brier", "set.coverage", "abstained.top1_of_rest"}
    for name in exact:
        wanted = _percentiles([d[name] for d in draws if d[name] is not None])
        assert got.intervals[name] == pytest.approx(wanted, abs=1e-9), name
    for name in ("ece", "macro_top1"):
        drawn_alone = np.array([d[name] for d in draws])
        moved = np.clip(drawn_alone - drawn_alone.mean() + got.values[name], 0, 1)
        assert got.intervals[name] == pytest.approx(_percentiles(moved), abs=1e-9)


def test_one_step_intervals_of_the_calibration_fits_come_close_to_refitting(drawn):
    batch, truth, patients = drawn(600, 4, 3)
    got = evaluate_batch(batch, truth, patients, n_boot=N_BOOT, seed=3).overall
    draws = list(_resampled(batch, truth, patients, 3))
    for name in ("calibration.slope", "calibration.intercept"):
        low, high = _percentiles([d[name] for d in draws])
        assert got.intervals[name] == pytest.approx((low, high), abs=0.1 * (high - low)), name


def test_weights_enter_the_draws(drawn):
    batch, truth, patients = drawn(60, 4, 4)
    doubled = evaluate_batch(batch, truth, patients, weights=np.full(60, 2.0), n_boot=30).overall
    plain = evaluate_batch(batch, truth, patients, n_boot=30).overall
    for name, ends in plain.intervals.items():
        assert doubled.intervals[name] == pytest.approx(ends), name


def test_equal_seeds_give_equal_intervals_and_others_do_not(drawn):
    batch, truth, patients = drawn(80, 4, 5)
    one, same, other = (evaluate_batch(batch, truth, patients, n_boot=30, seed=s).overall.intervals for s in (1, 1, 2))
    assert one == same
    assert one != other


def test_all_cases_of_a_patient_are_drawn_together(make_batch):
    # Two patients: one always right, one always wrong. Drawing cases would centre the draws on one half.
    proba = np.tile([0.8, 0.2], (40, 1))
    truth = np.array(["D0"] * 20 + ["D1"] * 20, dtype=object)
    together = evaluate_batch(make_batch(proba), truth, np.repeat(["a", "b"], 20).astype(object), n_boot=100).overall
    alone = evaluate_batch(make_batch(proba), truth, np.arange(40).astype(object), n_boot=100).overall
    assert together.intervals["top.1"] == (0.0, 1.0)
    assert alone.intervals["top.1"][0] > 0.2
    assert alone.intervals["top.1"][1] < 0.8


def test_one_patient_and_no_draws_give_no_interval(drawn):
    batch, truth, _ = drawn(30, 4, 6)
    assert evaluate_batch(batch, truth, np.full(30, "a", dtype=object)).overall.intervals == {}
    assert evaluate_batch(batch, truth, np.arange(30).astype(object), n_boot=0).overall.intervals == {}


def test_the_interval_of_a_small_calibration_error_holds_the_error(drawn):
    batch, truth, patients = drawn(3000, 6, 8, never=0)
    got = evaluate_batch(batch, truth, patients, n_boot=60).overall
    low, high = got.intervals["ece"]
    assert low <= got.values["ece"] <= high


def test_one_step_terms_vanish_at_the_fit(drawn):
    batch, truth, patients = drawn(100, 5, 9)
    outcomes = score_cases(batch, truth, patients)
    weights = np.ones(100)
    for fit in (
        fit_slope(batch.proba, outcomes.column, weights),
        fit_intercept(outcomes.confidence, outcomes.correct, weights),
    ):
        assert fit.score.sum() == pytest.approx(0, abs=1e-6)
        assert fit.curvature.sum() > 0
