"""Must-not-miss thresholds keep the declared sensitivity on new cases with the fewest flags."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis.errors import InputError
from diagnosis.models import burden_curve, flag_thresholds, softmax
from diagnosis.models.policy import burden_at


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 60),
    sensitivity=st.floats(0.05, 1.0),
    weighted=st.booleans(),
    per=st.sampled_from(["case", "diagnosis"]),
)
def test_the_share_of_n_plus_one_is_kept_and_no_higher_threshold_keeps_it(seed, n, sensitivity, weighted, per):
    rng = np.random.default_rng(seed)
    proba, y = softmax(rng.normal(size=(n, 3))), rng.integers(-1, 3, n)
    w = rng.integers(0, 3, n).astype(float) if weighted else np.ones(n)
    thresholds = flag_thresholds(proba, y, [True, False, True], sensitivity, sample_weight=w, per=per)
    assert np.isnan(thresholds[1])
    usable = [k for k in (0, 2) if w[y == k].any()]
    assert np.isnan(thresholds).tolist() == [k not in usable for k in range(3)]
    for members in [usable] if per == "case" and usable else [[k] for k in usable]:
        own = np.flatnonzero(np.isin(y, members) & (w > 0))
        p, weight = proba[own, y[own]], w[own]
        needed = sensitivity * (weight.sum() + weight.mean())
        assert weight[p > thresholds[members[0]]].sum() < needed
        caught = weight[p >= thresholds[members[0]]].sum()
        assert caught >= needed - 1e-6 or (p >= thresholds[members[0]]).all()
        assert len({thresholds[k] for k in members}) == 1


def test_new_cases_are_caught_as_declared_and_no_rule_of_equal_burden_catches_more():
    rng = np.random.default_rng(0)
    proba = softmax(3 * rng.normal(size=(60_000, 6)))
    y = (proba.cumsum(axis=1) < rng.random((60_000, 1))).sum(axis=1).clip(max=5)
    which, half = np.array([True, True, False, False, True, False]), slice(30_000, None)
    found = {}
    for per in ("case", "diagnosis"):
        flag_at = flag_thresholds(proba[:30_000], y[:30_000], which, 0.9, per=per)
        found[per] = burden_at(proba[half], y[half], which, flag_at, declared=0.9)
        assert found[per].sensitivity == pytest.approx(0.9, abs=0.01)
    assert found["case"].flags_per_case <= found["diagnosis"].flags_per_case + 0.01


def test_the_curve_rises_and_counts_what_stands_on_the_list_anyway():
    rng = np.random.default_rng(1)
    proba, y = softmax(2 * rng.normal(size=(400, 8))), rng.integers(0, 8, 400)
    which = np.arange(8) < 4
    curve = burden_curve(proba, y, which, top=2)
    burden = [(point.sensitivity, point.flags_per_case, point.beyond_list) for point in curve]
    assert burden == sorted(burden)
    assert all(s >= p.declared - 1e-9 for p, (s, _, _) in zip(curve, burden, strict=True))
    assert curve[-1].to_json()["declared"] == 0.99
    # Flags beyond the list, counted by hand at the last point.
    flag_at = flag_thresholds(proba, y, which, 0.99)
    second = np.sort(proba, axis=1)[:, -2]
    by_hand = ((proba >= flag_at) & which & (proba < second[:, None])).sum(axis=1).mean()
    assert curve[-1].beyond_list == pytest.approx(by_hand)


def test_meningitis_is_flagged_from_its_least_likely_case_on():
    proba = np.array([[0.7, 0.3], [0.9, 0.1], [0.98, 0.02], [0.4, 0.6]])
    assert flag_thresholds(proba, [1, 1, 0, 1], [False, True], sensitivity=1.0)[1] == 0.1
    # Three cases promise 3 of 4 at most: more than that asks for the lowest of them.
    assert flag_thresholds(proba, [1, 1, 0, 1], [False, True], sensitivity=0.95)[1] == 0.1
    assert flag_thresholds(proba, [1, 1, 0, 1], [False, True], sensitivity=0.5)[1] == 0.3


def test_too_few_cases_give_no_threshold_no_flag_and_no_curve():
    proba = np.array([[0.2, 0.8], [0.6, 0.4]])
    thresholds = flag_thresholds(proba, [1, 0], [True, True], 0.95, min_cases=2)
    assert np.isnan(thresholds).all()
    assert not (proba >= thresholds).any()
    assert burden_curve(proba, [-1, -1], [True, True]) == ()
    nothing = burden_at(proba, [-1, -1], [True, True], thresholds, declared=0.95)
    assert nothing.sensitivity is None
    assert nothing.flags_per_case == 0.0


@pytest.mark.parametrize("sensitivity", [0.0, 1.1, math.nan])
def test_an_impossible_sensitivity_is_refused(sensitivity):
    with pytest.raises(InputError, match="sensitivity"):
        flag_thresholds([[1.0]], [0], [True], sensitivity)


def test_which_must_fit_the_diagnoses_and_per_is_one_of_two():
    with pytest.raises(InputError, match="which"):
        flag_thresholds([[0.5, 0.5]], [0], [True], 0.9)
    with pytest.raises(InputError, match="Nearest: diagnosis"):
        flag_thresholds([[0.5, 0.5]], [0], [True, True], 0.9, per="diagnoses")
