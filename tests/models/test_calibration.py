"""Softmax, temperature and their edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax as scipy_log_softmax

from diagnosis.errors import InputError
from diagnosis.models import fit_temperature, log_softmax, softmax
from diagnosis.models.calibration import log_loss

scores = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(-1e5, 1e5))


@settings(deadline=None, max_examples=50)
@given(scores)
def test_softmax_is_stable_and_sums_to_one(s):
    p, log_p = softmax(s), log_softmax(s)
    assert np.isfinite(log_p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(np.exp(log_p), p, atol=1e-12)
    np.testing.assert_allclose(log_p, scipy_log_softmax(s, axis=1), atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(scores, st.floats(-1e3, 1e3))
def test_a_number_added_to_all_scores_of_a_case_changes_nothing(s, shift):
    np.testing.assert_allclose(softmax(s + shift), softmax(s), atol=1e-9)


@pytest.mark.parametrize("beta", [0.3, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(beta):
    rng = np.random.default_rng(0)
    s = 2 * rng.normal(size=(40_000, 5))
    y = (softmax(beta * s).cumsum(axis=1) < rng.random((40_000, 1))).sum(axis=1)
    assert fit_temperature(s, y) == pytest.approx(beta, rel=0.03)


def test_the_temperature_never_raises_the_loss_and_scales_with_the_scores():
    rng = np.random.default_rng(1)
    s, y, w = 5 * rng.normal(size=(200, 3)), rng.integers(0, 3, 200), rng.random(200)
    beta = fit_temperature(s, y, w)
    assert log_loss(beta * s, y, w) <= log_loss(s, y, w)
    informed = s + 9 * np.eye(3)[y]
    assert fit_temperature(2 * informed, y, w) == pytest.approx(fit_temperature(informed, y, w) / 2, rel=1e-4)


def test_weights_act_as_repetition():
    rng = np.random.default_rng(2)
    s, y = rng.normal(size=(100, 3)), rng.integers(0, 3, 100)
    s[np.arange(100), y] += 0.5
    w = rng.integers(0, 4, 100)
    assert fit_temperature(s, y, w) == pytest.approx(fit_temperature(s.repeat(w, 0), y.repeat(w)), rel=1e-5)


def test_diagnoses_without_a_column_are_left_out():
    rng = np.random.default_rng(3)
    s, y = rng.normal(size=(100, 3)), rng.integers(0, 3, 100)
    y[:30] = -1
    assert fit_temperature(s, y) == fit_temperature(s[30:], y[30:])
    assert log_loss(s, y) == pytest.approx(log_loss(s[30:], y[30:]))


@pytest.mark.parametrize(
    ("s", "y", "w"),
    [
        (np.zeros((0, 3)), [], None),
        (np.ones((4, 3)), [0, 1, 2, 0], None),
        (np.arange(4.0)[:, None], [0, 0, 0, 0], None),
        (np.eye(3), [-1, -1, -1], None),
        (np.eye(3), [0, 1, 2], [0.0, 0.0, 0.0]),
    ],
    ids=["no case", "equal scores", "one diagnosis", "none known", "no weight"],
)
def test_nothing_to_choose_on_is_exactly_one(s, y, w):
    assert fit_temperature(s, np.array(y, dtype=int), w) == 1.0


def test_a_separated_set_stays_finite():
    beta = fit_temperature(1e5 * np.eye(3), [0, 1, 2])
    assert 0 < beta <= 100
    assert fit_temperature(1e5 * np.eye(3), [1, 2, 0]) == pytest.approx(0.01, rel=1e-3)


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(InputError):
        fit_temperature([[np.nan, 0.0]], [0])
