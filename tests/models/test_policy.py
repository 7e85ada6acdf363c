"""Must-not-miss thresholds keep the declared sensitivity and are as high as they can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis.errors import InputError
from diagnosis.models import flag_thresholds, softmax


@settings(deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 60), sensitivity=st.floats(0.05, 1.0), weighted=st.booleans())
def test_the_share_is_kept_and_no_higher_threshold_keeps_it(seed, n, sensitivity, weighted):
    rng = np.random.default_rng(seed)
    proba, y = softmax(rng.normal(size=(n, 3))), rng.integers(-1, 3, n)
    w = rng.integers(0, 3, n).astype(float) if weighted else np.ones(n)
    thresholds = flag_thresholds(proba, y, [True, False, True], sensitivity, sample_weight=w)
    assert np.isnan(thresholds[1])
    for k in (0, 2):
        own = y == k
        if not w[own].any():
            assert np.isnan(thresholds[k])
            continue
        p, total = proba[own, k], w[own].sum()
        assert w[own][p >= thresholds[k]].sum() >= (sensitivity - 1e-9) * total
        assert w[own][p > thresholds[k]].sum() < sensitivity * total


def test_meningitis_is_flagged_from_its_least_likely_case_on():
    proba = np.array([[0.7, 0.3], [0.9, 0.1], [0.98, 0.02], [0.4, 0.6]])
    thresholds = flag_thresholds(proba, [1, 1, 0, 1], [False, True], sensitivity=1.0)
    assert thresholds[1] == 0.1


def test_too_few_cases_give_no_threshold_and_no_flag():
    proba = np.array([[0.2, 0.8], [0.6, 0.4]])
    thresholds = flag_thresholds(proba, [1, 0], [True, True], 0.95, min_cases=2)
    assert np.isnan(thresholds).all()
    assert not (proba >= thresholds).any()


@pytest.mark.parametrize("sensitivity", [0.0, 1.1, float("nan")])
def test_an_impossible_sensitivity_is_refused(sensitivity):
    with pytest.raises(InputError, match="sensitivity"):
        flag_thresholds([[1.0]], [0], [True], sensitivity)


def test_which_must_fit_the_diagnoses():
    with pytest.raises(InputError, match="which"):
        flag_thresholds([[0.5, 0.5]], [0], [True], 0.9)
