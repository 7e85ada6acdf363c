"""Abstaining keeps the declared error among the answers."""

from __future__ import annotations

import numpy as np
import pytest

from diagnosis.errors import InputError
from diagnosis.models import softmax
from diagnosis.models.abstention import abstain_threshold, risk_curve


def made(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    proba = softmax(3 * rng.normal(size=(n, 5)))
    return proba, (proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=4)


def test_new_answers_keep_the_declared_error_nine_times_in_ten():
    new, truth = made(20_000, seed=0)
    kept = []
    for seed in range(1, 31):
        at = abstain_threshold(*made(1500, seed), error=0.2)
        answered = new.max(axis=1) >= at
        kept.append((new.argmax(axis=1) != truth)[answered].mean() <= 0.2)
        assert answered.mean() > 0.5
    assert np.mean(kept) >= 0.9


def test_the_curve_reaches_all_cases_and_its_bounds_lie_above():
    proba, y = made(800, seed=2)
    curve = risk_curve(proba, y)
    assert curve[-1].answered == 1.0
    assert curve[-1].error == pytest.approx((proba.argmax(axis=1) != y).mean())
    assert all(point.error < point.at_most for point in curve)
    assert [p.confidence for p in curve] == sorted((p.confidence for p in curve), reverse=True)
    assert set(curve[0].to_json()) == {"answered", "confidence", "error", "at_most"}


def test_easy_errors_answer_all_and_impossible_ones_none():
    proba, y = made(800, seed=3)
    assert abstain_threshold(proba, y, error=0.95) == 0.0
    assert abstain_threshold(proba, y, error=0.001) is None
    assert abstain_threshold(proba, np.full(800, -1), error=0.9) is None
    assert abstain_threshold(proba[:0], y[:0], error=0.5) is None


def test_equal_cases_are_answered_together_and_ties_are_wrong():
    proba = np.array([[0.5, 0.5]] * 10 + [[0.9, 0.1]] * 10)
    points = risk_curve(proba, np.zeros(20, int))
    assert [(p.answered, p.error) for p in points] == [(0.5, 0.0), (1.0, 0.5)]


def test_weights_count_for_what_they_leave_certain():
    proba, y = made(400, seed=4)
    plain, equal = (risk_curve(proba, y, sample_weight=w) for w in (None, np.full(400, 3.0)))
    uneven = risk_curve(proba, y, sample_weight=np.where(np.arange(400) % 10 == 0, 10.0, 0.1))
    assert [p.at_most for p in plain] == pytest.approx([p.at_most for p in equal])
    assert uneven[-1].at_most - uneven[-1].error > plain[-1].at_most - plain[-1].error


@pytest.mark.parametrize("error", [0.0, 1.0, float("nan")])
def test_an_impossible_error_is_refused(error):
    with pytest.raises(InputError, match="error"):
        abstain_threshold([[1.0]], [0], error)
