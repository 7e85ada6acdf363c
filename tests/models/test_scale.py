"""A factor for each case: what it keeps, what it reaches, and where it stays away."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diagnosis.errors import InputError
from diagnosis.evaluation.calibration import ece, reliability
from diagnosis.models import softmax
from diagnosis.models.calibration import log_loss
from diagnosis.models.scale import Scale, fit_scale
from diagnosis.models.sureness import Sureness, fit_sureness

scores = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(2, 6)), elements=st.floats(-1e3, 1e3))
maps = st.builds(Sureness, st.floats(-1, 1), st.floats(0.5, 2), st.floats(0.9, 1.0))


def noisy(n: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a perfect model of the illness; a share of the diagnoses is written down as one that resembles it."""
    rng = np.random.default_rng(seed)
    s = 5 * rng.normal(size=(n, 6))
    drawn, mistaken = ((softmax(f * s).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=5) for f in (1.0, 0.2))
    return s, np.where(rng.random(n) < share, mistaken, drawn)


@settings(max_examples=60)
@given(scores, maps, st.floats(-1e3, 1e3))
def test_factors_are_finite_keep_the_order_and_ignore_a_number_added_to_a_case(s, sureness, shift):
    factors = sureness.factors(s)
    assert np.isfinite(factors).all()
    assert ((factors > 0) & (factors <= 2)).all()
    moved = softmax(sureness.factors(s + shift)[:, None] * (s + shift))
    np.testing.assert_allclose(moved, softmax(factors[:, None] * s), atol=1e-6)
    for one, other in zip(s, softmax(factors[:, None] * s), strict=True):
        assert (np.diff(other[np.argsort(one, kind="stable")]) >= -1e-12).all()


def test_the_wanted_probability_is_reached_and_a_case_alone_gets_the_same_factor():
    s, _ = noisy(400, 0.0, seed=1)
    sureness = Sureness(0.1, 1.05, 0.98)
    factors = sureness.factors(s)
    top = softmax(factors[:, None] * s).max(axis=1)
    free = factors < 2
    assert free.mean() > 0.9
    np.testing.assert_allclose(top[free], sureness.right(softmax(s).max(axis=1))[free], atol=1e-9)
    alone = [sureness.factors(s[[i]])[0] for i in range(len(s))]
    np.testing.assert_allclose(alone, factors, rtol=1e-12)


@settings(max_examples=60)
@given(scores, st.none() | maps, st.sampled_from([((), 1.0), ((), 0.7), (tuple(range(6)), 0.7)]))
def test_the_probabilities_of_a_case_alone_are_those_among_others(s, sureness, moved):
    shift, sharpness = moved
    scale = Scale(0.8, sureness, sharpness, tuple(float(one) for one in shift[: s.shape[1]]))
    together = softmax(scale.apply(s))
    for one, wanted in zip(s, together, strict=True):
        np.testing.assert_allclose(scale.alone(one.copy()), wanted, rtol=1e-9, atol=1e-12)


def test_wrong_labels_are_seen_as_a_ceiling_and_new_cases_are_better_calibrated():
    (s, y), (new, truth) = noisy(20_000, 0.05, seed=2), noisy(20_000, 0.05, seed=3)
    one, adaptive = (fit_scale(s, y, method=m) for m in ("temperature", "adaptive"))
    assert adaptive.sureness is not None
    right = new.argmax(axis=1) == truth
    sure = softmax(new).max(axis=1) > 0.999
    assert adaptive.sureness.ceiling == pytest.approx(right[sure].mean(), abs=0.01)
    assert log_loss(adaptive.apply(new), truth) < log_loss(one.apply(new), truth)

    def error(scale: Scale) -> float:
        top = softmax(scale.apply(new)).max(axis=1)
        return ece(reliability(top, right, np.ones(len(top))))

    assert error(adaptive) < 0.01 < error(one)


def test_where_one_temperature_is_right_or_cases_are_few_little_changes():
    s, y = noisy(20_000, 0.0, seed=4)
    np.testing.assert_allclose(softmax(fit_scale(s, y).apply(s)), softmax(s), atol=0.02)
    few, labels = noisy(40, 0.05, seed=5)
    found = fit_sureness(few, labels)
    assert found is None or found.ceiling > 0.97


def test_weights_of_zero_are_not_there_and_unknown_diagnoses_are_left_out():
    s, y = noisy(2000, 0.05, seed=6)
    w = (np.arange(2000) % 3 > 0) * 2.0
    expected = fit_scale(s[w > 0], y[w > 0])
    assert fit_scale(s, y, w) == expected
    assert fit_scale(s, np.where(w > 0, y, -1)) == expected


@pytest.mark.parametrize(("s", "y"), [(np.zeros((0, 3)), []), (np.ones((4, 3)), [0, 1, 2, 0]), (np.eye(1), [0])])
def test_nothing_to_fit_on_changes_nothing(s, y):
    scale = fit_scale(s, np.array(y, dtype=int))
    np.testing.assert_array_equal(scale.apply(s), s)


def test_a_scale_is_kept_as_plain_values():
    scale = Scale(0.9, Sureness(0.1, 1.1, 0.98), 1.2, (0.5, -0.5))
    assert Scale.from_json(json.loads(json.dumps(scale.to_json()))) == scale
    s = np.array([[1.0, 3.0]])
    np.testing.assert_allclose(scale.apply(s), scale.factors(s)[:, None] * s + [0.5, -0.5])
    with pytest.raises(InputError, match="Nearest: adaptive"):
        fit_scale(s, [0], method="adaptve")
