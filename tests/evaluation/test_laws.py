"""What holds for every evaluation, whatever the probabilities."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis.errors import InputError
from diagnosis.evaluation import evaluate_batch as evaluate_all

# What goes beyond single numbers has tests of its own.
evaluate_batch = partial(evaluate_all, details=False)

seeds = st.integers(0, 10_000)
sizes = st.integers(1, 40)
widths = st.integers(1, 12)


def _same(a: dict, b: dict) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert b[name] == pytest.approx(value, rel=1e-6, abs=1e-8), name


def _permuted(batch, order):
    return replace(
        batch,
        diagnoses=batch.diagnoses[order],
        proba=batch.proba[:, order],
        in_set=batch.in_set[:, order],
        flagged=batch.flagged[:, order],
        prior=batch.prior[order],
        must_not_miss=batch.must_not_miss[order],
        n_train=batch.n_train[order],
    )


@given(n=sizes, K=widths, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_the_order_of_diagnoses_does_not_matter(drawn, n, K, seed):
    batch, truth, patients = drawn(n, K, seed)
    order = np.random.default_rng(seed).permutation(K)
    one = evaluate_batch(batch, truth, patients, n_boot=5)
    other = evaluate_batch(_permuted(batch, order), truth, patients, n_boot=5)
    _same(one.metrics(), other.metrics())
    assert one.overall.intervals.keys() == other.overall.intervals.keys()


@given(n=sizes, K=widths, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_the_order_of_cases_does_not_matter(drawn, n, K, seed):
    batch, truth, patients = drawn(n, K, seed)
    rows = np.random.default_rng(seed).permutation(n)
    one = evaluate_batch(batch, truth, patients, n_boot=0)
    other = evaluate_batch(batch.take(rows), truth[rows], patients[rows], n_boot=0)
    _same(one.metrics(), other.metrics())


@given(n=sizes, K=widths, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_a_case_of_weight_three_counts_as_the_case_written_three_times(drawn, n, K, seed):
    batch, truth, patients = drawn(n, K, seed)
    weights = np.random.default_rng(seed).integers(0, 4, size=n)
    weights[0] = 1
    rows = np.repeat(np.arange(n), weights)
    one = evaluate_batch(batch, truth, patients, weights=weights.astype(float), n_boot=0)
    other = evaluate_batch(batch.take(rows), truth[rows], patients[rows], n_boot=0)
    _same(one.metrics(), other.metrics())
    assert one.weighted
    assert not other.weighted


@given(n=sizes, K=widths, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_every_metric_stays_in_its_range(drawn, n, K, seed):
    batch, truth, patients = drawn(n, K, seed)
    value = evaluate_batch(batch, truth, patients, n_boot=0).overall.values
    assert 0 <= value["top.1"] <= value["top.3"] <= value["top.5"] <= value["top.10"] <= 1
    assert value["top.1"] <= value["mrr"] <= 1
    assert 0 <= value["brier"] <= 2
    assert 0 <= value["ece"] <= 1
    assert 0 <= value["log_loss"] <= -np.log(1e-15) + 1e-9
    assert 0 <= value["set.coverage"] <= 1
    assert 0 <= value["set.mean_size"] <= K


@given(n=sizes, K=widths, k=st.sampled_from([1, 3, 5, 10]))
@settings(max_examples=40, deadline=None)
def test_a_constant_model_is_right_only_where_it_may_name_everything(make_batch, n, K, k):
    truth = np.array([f"D{i % K}" for i in range(n)], dtype=object)
    got = evaluate_batch(make_batch(np.full((n, K), 1 / K)), truth, np.arange(n).astype(object), n_boot=0)
    assert got.overall.values[f"top.{k}"] == float(k >= K)
    assert got.overall.values[f"baseline.top.{k}"] == float(k >= K)
    assert got.overall.values["mrr"] == pytest.approx(1 / K)
    assert got.overall.values["log_loss"] == pytest.approx(np.log(K))


@given(n=sizes, K=st.integers(2, 8), seed=seeds)
@settings(max_examples=30, deadline=None)
def test_a_perfect_model_loses_nothing(make_batch, n, K, seed):
    column = np.random.default_rng(seed).integers(K, size=n)
    proba = np.eye(K)[column]
    batch = make_batch(proba, in_set=proba, flagged=proba, must_not_miss=np.ones(K))
    got = evaluate_batch(batch, batch.diagnoses[column], np.arange(n).astype(object), n_boot=20).overall
    for name in ("top.1", "mrr", "macro_top1", "set.coverage", "set.mean_size", "must_not_miss.sensitivity"):
        assert got.values[name] == 1
    for name in ("log_loss", "brier", "ece"):
        assert got.values[name] == pytest.approx(0, abs=1e-12)
    assert got.values["calibration.slope"] is None
    assert got.values["calibration.intercept"] is None


@given(n=sizes, K=widths, seed=seeds)
@settings(max_examples=30, deadline=None)
def test_a_diagnosis_never_seen_is_always_a_miss(drawn, n, K, seed):
    batch, _, patients = drawn(n, K, seed)
    got = evaluate_batch(batch, np.full(n, "never seen", dtype=object), patients, n_boot=0)
    value = got.overall.values
    assert got.overall.n_unreachable == n
    for name in ("top.1", "top.3", "top.5", "top.10", "mrr", "macro_top1", "set.coverage", "baseline.top.10"):
        assert value[name] == 0
    assert value["log_loss"] == pytest.approx(-np.log(1e-15))
    assert value["baseline.log_loss"] == pytest.approx(-np.log(1e-15))
    assert value["brier"] == pytest.approx(1 + (batch.proba**2).sum(axis=1).mean())
    assert value["calibration.slope"] is None


@given(n=st.integers(2, 40), K=widths, seed=seeds)
@settings(max_examples=30, deadline=None)
def test_a_further_case_never_seen_lowers_every_rate_by_its_share(drawn, n, K, seed):
    batch, truth, patients = drawn(n, K, seed, never=0)
    spoiled = truth.copy()
    spoiled[0] = "never seen"
    before = evaluate_batch(batch.take(np.arange(1, n)), truth[1:], patients[1:], n_boot=0).overall.values
    after = evaluate_batch(batch, spoiled, patients, n_boot=0).overall.values
    for name in ("top.1", "top.3", "top.5", "top.10", "mrr", "set.coverage"):
        assert after[name] == pytest.approx(before[name] * (n - 1) / n)


@given(n=sizes, K=st.integers(2, 12), seed=seeds)
@settings(max_examples=30, deadline=None)
def test_the_reliability_table_adds_up(drawn, n, K, seed):
    batch, truth, patients = drawn(n, K, seed)
    got = evaluate_batch(batch, truth, patients, n_boot=0)
    table = got.reliability
    assert table.n.sum() == n
    assert table.mass.sum() == pytest.approx(1)
    assert table.mass @ table.accuracy == pytest.approx(got.overall.values["top.1"])
    assert table.mass @ table.confidence == pytest.approx(batch.proba.max(axis=1).mean())
    assert (np.diff(table.confidence) > 0).all()
    assert table.n.max() <= np.ceil(n / 15) + 1


@given(n=sizes, K=widths, seed=seeds)
@settings(max_examples=20, deadline=None)
def test_the_batch_is_left_as_it_was(drawn, n, K, seed):
    batch, truth, patients = drawn(n, K, seed)
    before = batch.proba.copy(), truth.copy(), patients.copy()
    evaluate_batch(
        batch, truth, patients, n_boot=3, groups={"half": np.where(np.arange(n) % 2, "a", "b").astype(object)}
    )
    assert (batch.proba == before[0]).all()
    assert (truth == before[1]).all()
    assert (patients == before[2]).all()


@given(
    bad=st.sampled_from([np.nan, np.inf, -0.1, 1.5, 0.3]),
    n=st.integers(1, 6),
    row=st.integers(0, 5),
)
@settings(max_examples=30, deadline=None)
def test_what_is_no_probability_is_refused_by_row_number(make_batch, bad, n, row):
    proba = np.full((n, 2), 0.5)
    proba[row % n, 0] = bad
    with pytest.raises(InputError, match=f"row {row % n + 1} "):
        evaluate_batch(make_batch(proba), np.full(n, "D0", dtype=object), np.arange(n).astype(object))
