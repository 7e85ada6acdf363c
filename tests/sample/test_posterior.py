"""The generator's posterior is exact: calibrated, sharp, and blind to labels; and the room below it is wide."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from diagnosis.sample import make_tables, posterior

N = 3000
Tables = dict[str, pa.Table]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return make_tables(N, seed=11)


@pytest.fixture(scope="module")
def full(tables: Tables) -> np.ndarray:
    return posterior(tables)[1]


@pytest.fixture(scope="module")
def truth(tables: Tables) -> np.ndarray:
    diagnoses, _ = posterior({name: t.slice(0, 1) for name, t in tables.items()}, findings=False)
    return np.array([diagnoses.index(d) for d in tables["cases"]["diagnosis"].to_pylist()])


def top1(proba: np.ndarray, truth: np.ndarray) -> float:
    return float((proba.argmax(axis=1) == truth).mean())


def log_losses(proba: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return -np.log(np.maximum(proba[np.arange(len(truth)), truth], 1e-15))


def test_rows_sum_to_one(full: np.ndarray) -> None:
    assert full.shape == (N, 43)
    assert np.allclose(full.sum(axis=1), 1)
    assert (full >= 0).all()


def test_it_is_calibrated(full: np.ndarray, truth: np.ndarray) -> None:
    # Of an exact posterior the mean log-loss is the mean entropy, and each diagnosis comes as often as expected.
    entropy = -(full * np.log(np.maximum(full, 1e-300))).sum(axis=1)
    difference = log_losses(full, truth) - entropy
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(N)
    spread = np.sqrt((full * (1 - full)).sum(axis=0))
    assert (np.abs(np.bincount(truth, minlength=43) - full.sum(axis=0)) < 4.5 * spread).all()
    confidence, right = full.max(axis=1), full.argmax(axis=1) == truth
    bins = np.array_split(np.argsort(confidence), 15)
    assert sum(abs(right[b].mean() - confidence[b].mean()) * len(b) for b in bins) / N < 0.03


def test_from_prior_to_ceiling_is_a_long_way(tables: Tables, full: np.ndarray, truth: np.ndarray) -> None:
    counts = np.bincount(truth, minlength=43) / N
    context = posterior(tables, findings=False)[1]
    assert counts.max() < 0.15
    assert top1(context, truth) < 0.25
    assert 0.75 < top1(full, truth) < 0.9
    assert log_losses(full, truth).mean() < 0.7
    assert log_losses(context, truth).mean() > 2.4


def test_no_single_kind_of_row_gives_it_away(tables: Tables, truth: np.ndarray) -> None:
    phase = pc.cast(tables["findings"]["phase"], pa.string())
    for kept, limit in ((["chief_complaint"], 0.6), (["laboratory", "imaging"], 0.6), (["bedside"], 0.5)):
        some = tables["findings"].filter(pc.is_in(phase, pa.array(kept)))
        _, proba = posterior({"cases": tables["cases"], "findings": some})
        assert top1(proba, truth) < limit


def test_every_state_counts(tables: Tables, full: np.ndarray, truth: np.ndarray) -> None:
    status = pc.cast(tables["findings"]["status"], pa.string())
    without = tables["findings"].filter(pc.not_equal(status, "absent"))
    _, proba = posterior({"cases": tables["cases"], "findings": without})
    assert log_losses(proba, truth).mean() > log_losses(full, truth).mean() + 0.02


def test_labels_outcomes_and_order_of_rows_do_not_matter(tables: Tables, full: np.ndarray) -> None:
    hidden = ["diagnosis", "weight", "disposition", "triage_level", "outcome", "end_time", "outcome_time"]
    cases = tables["cases"].drop_columns(hidden)
    shuffled = tables["findings"].take(pa.array(np.random.default_rng(0).permutation(tables["findings"].num_rows)))
    assert np.allclose(posterior({"cases": cases, "findings": shuffled})[1], full)


def test_it_reads_either_unit(tables: Tables) -> None:
    one = tables["findings"].filter(pc.equal(pc.cast(tables["findings"]["unit"], pa.string()), "[degF]")).slice(0, 1)
    case = tables["cases"].filter(pc.equal(tables["cases"]["case_id"], one["case_id"].cast(pa.string())[0]))
    celsius = pc.round(pc.divide(pc.subtract(one["value"], 32.0), 1.8), 3)
    other = one.set_column(one.schema.get_field_index("value"), "value", celsius)
    other = other.set_column(one.schema.get_field_index("unit"), "unit", pa.array(["Cel"]))
    first = posterior({"cases": case, "findings": one})[1]
    assert np.allclose(first, posterior({"cases": case, "findings": other})[1], atol=2e-3)


def test_without_noise_it_is_the_posterior_of_the_truth(tables: Tables, full: np.ndarray) -> None:
    _, pure = posterior(tables, noise=0.0)
    assert np.allclose(pure.sum(axis=1), 1)
    assert pure.max(axis=1).mean() > full.max(axis=1).mean() + 0.01
