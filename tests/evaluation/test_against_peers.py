"""Where scikit-learn, or a plain search, has the same number, it is the same number."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss, top_k_accuracy_score

from diagnosis.evaluation import evaluate_batch
from diagnosis.evaluation.calibration import fit_intercept, fit_slope
from diagnosis.models.calibration import fit_temperature


@pytest.fixture(params=[(1, 60, 4), (2, 200, 12), (3, 31, 3)], ids=["small", "wide", "odd"])
def cases(request, drawn):
    seed, n, K = request.param
    return drawn(n, K, seed, never=0)


@pytest.fixture
def column(cases):
    batch, truth, _ = cases
    return np.array([np.flatnonzero(batch.diagnoses == t)[0] for t in truth])


def test_top_k_and_log_loss(cases, column):
    batch, truth, patients = cases
    value = evaluate_batch(batch, truth, patients, n_boot=0).overall.values
    labels = np.arange(len(batch.diagnoses))
    for k in (k for k in (1, 3, 5, 10) if k < len(labels)):
        assert value[f"top.{k}"] == pytest.approx(top_k_accuracy_score(column, batch.proba, k=k, labels=labels))
    assert value["log_loss"] == pytest.approx(log_loss(column, batch.proba, labels=labels))
    prior = np.tile(batch.prior, (len(batch), 1))
    assert value["baseline.log_loss"] == pytest.approx(log_loss(column, prior, labels=labels))
    assert value["baseline.top.1"] == pytest.approx(top_k_accuracy_score(column, prior, k=1, labels=labels))


def test_weighted_top_k_and_log_loss(cases, column):
    batch, truth, patients = cases
    weights = np.random.default_rng(0).gamma(1.0, size=len(batch))
    value = evaluate_batch(batch, truth, patients, weights=weights, n_boot=0).overall.values
    labels = np.arange(len(batch.diagnoses))
    same = log_loss(column, batch.proba, labels=labels, sample_weight=weights)
    assert value["log_loss"] == pytest.approx(same)
    same = top_k_accuracy_score(column, batch.proba, k=1, labels=labels, sample_weight=weights)
    assert value["top.1"] == pytest.approx(same)


def test_brier_is_the_sum_over_diagnoses(cases, column):
    batch, truth, patients = cases
    value = evaluate_batch(batch, truth, patients, n_boot=0).overall.values
    onehot = np.eye(len(batch.diagnoses))[column]
    assert value["brier"] == pytest.approx(((batch.proba - onehot) ** 2).sum(axis=1).mean())


def test_two_diagnoses_have_twice_the_binary_brier(drawn):
    from sklearn.metrics import brier_score_loss

    batch, truth, patients = drawn(80, 2, 5, never=0)
    value = evaluate_batch(batch, truth, patients, n_boot=0).overall.values
    assert value["brier"] == pytest.approx(2 * brier_score_loss(truth == "D1", batch.proba[:, 1]))


def test_macro_top1_is_balanced_accuracy(cases):
    batch, truth, patients = cases
    value = evaluate_batch(batch, truth, patients, n_boot=0).overall.values
    present = batch.diagnoses[batch.proba.argmax(axis=1)].astype(str)
    recall = [np.mean(present[truth == d] == d) for d in set(truth)]
    assert value["macro_top1"] == pytest.approx(np.mean(recall))
    if set(present) <= set(truth):
        assert value["macro_top1"] == pytest.approx(balanced_accuracy_score(truth.astype(str), present))


def test_calibration_slope_is_the_best_exponent(cases, column):
    batch = cases[0]
    logs = np.log(batch.proba)

    def loss(b: float) -> float:
        return -log_softmax(b * logs, axis=1)[np.arange(len(column)), column].sum()

    best = minimize_scalar(loss, bounds=(-10, 10), method="bounded", options={"xatol": 1e-9}).x
    assert fit_slope(batch.proba, column, np.ones(len(batch))).value == pytest.approx(best, abs=1e-5)


def test_calibration_slope_is_the_temperature_that_models_fit(cases, column):
    batch = cases[0]
    got = fit_slope(batch.proba, column, np.ones(len(batch))).value
    assert got == pytest.approx(fit_temperature(np.log(batch.proba), column), rel=1e-4)


def test_calibration_slope_of_two_diagnoses_is_logistic_recalibration(drawn):
    batch, truth, _ = drawn(300, 2, 7, never=0)
    y = (truth == "D1").astype(int)
    x = logit(batch.proba[:, 1])[:, None]
    peer = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(x, y).coef_[0, 0]
    assert fit_slope(batch.proba, y, np.ones(len(y))).value == pytest.approx(peer, rel=1e-5)


def test_calibration_intercept_is_the_best_shift(cases, column):
    batch = cases[0]
    confidence, correct = batch.proba.max(axis=1), batch.proba.argmax(axis=1) == column

    def loss(a: np.ndarray) -> float:
        p = expit(logit(confidence) + a[0])
        return -np.sum(np.where(correct, np.log(p), np.log1p(-p)))

    best = minimize(loss, [0.0], method="BFGS", tol=1e-10).x[0]
    assert fit_intercept(confidence, correct, np.ones(len(column))).value == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("exponent", [0.3, 0.8, 1.0, 2.5])
def test_a_sharpened_model_gets_the_inverse_exponent_as_its_slope(drawn, exponent):
    batch, _, _ = drawn(20_000, 5, 3, never=0)
    rng = np.random.default_rng(1)
    true = np.exp(log_softmax(np.log(batch.proba) / exponent, axis=1))
    column = (true.cumsum(axis=1) < rng.random((len(true), 1))).sum(axis=1).clip(0, 4)
    got = fit_slope(batch.proba, column, np.ones(len(true))).value
    assert got == pytest.approx(1 / exponent, rel=0.05)


def test_a_calibrated_model_has_slope_one_intercept_zero_and_hardly_an_error(drawn):
    batch, truth, patients = drawn(20_000, 5, 11, never=0)
    value = evaluate_batch(batch, truth, patients, n_boot=0).overall.values
    assert value["calibration.slope"] == pytest.approx(1, abs=0.03)
    assert value["calibration.intercept"] == pytest.approx(0, abs=0.05)
    assert value["ece"] < 0.02
