"""The weights of the hybrid, and that a weight of zero costs nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from diagnosis.errors import InputError
from diagnosis.models import BoostedModel, HybridModel, LinearModel, fit_with_cross_scores, softmax
from diagnosis.models.calibration import log_loss
from diagnosis.models.hybrid_fit import blend_weights

SMALL = BoostedModel(rounds=12, min_cases_leaf=2, early_stopping=4)


def drawn(scores: np.ndarray, seed: int) -> np.ndarray:
    """Return diagnoses drawn from the softmax of scores."""
    chance = np.random.default_rng(seed).random((scores.shape[0], 1))
    return np.minimum((softmax(scores).cumsum(axis=1) < chance).sum(axis=1), scores.shape[1] - 1)


def test_weights_find_the_true_blend():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 15_000, 4))
    y = drawn(0.4 * first + 1.3 * second, seed=1)
    assert blend_weights(first, second, y, np.ones(y.size)) == pytest.approx((0.4, 1.3), abs=0.06)


def test_weights_are_the_best_and_never_negative():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 500, 3))
    y, weight = drawn(first - second, seed=3), rng.integers(0, 4, 500).astype(float)
    a, b = blend_weights(first, second, y, weight)
    assert b == 0.0
    best = minimize(lambda a: log_loss(a[0] * first, y, weight), x0=[1.0], method="Nelder-Mead")
    assert a == pytest.approx(best.x[0], abs=1e-3)


def test_two_useless_scores_keep_an_order_near_even_odds():
    rng = np.random.default_rng(4)
    first = rng.normal(size=(300, 3))
    y = drawn(-3 * first, seed=5)
    assert blend_weights(first, first, y, np.ones(300)) == (0.01, 0.0)


def test_huge_scores_do_not_overflow():
    rng = np.random.default_rng(6)
    first = rng.normal(size=(300, 3))
    y = drawn(first, seed=7)
    a, b = blend_weights(first, 1e5 * rng.normal(size=(300, 3)), y, np.ones(300))
    assert a > 0.5
    assert b < 1e-4


def test_scores_and_contributions_are_the_weighted_sums(cohort):
    cases = cohort(n=200, k=3)
    model = HybridModel(boosted=SMALL).fit(cases.X, cases.y, groups=cases.groups)
    a, b = model.weights_
    assert a > 0
    assert b > 0
    np.testing.assert_allclose(
        model.scores(cases.X), a * model.linear_.scores(cases.X) + b * model.boosted_.scores(cases.X), atol=1e-12
    )
    linear, boosted = (m.contributions(cases.X, [1]) for m in (model.linear_, model.boosted_))
    np.testing.assert_allclose(model.contributions(cases.X, [1]).phi, a * linear.phi + b * boosted.phi, atol=1e-12)


def test_out_of_fold_scores_blend_those_of_the_parts(cohort):
    cases = cohort(n=200, k=3)
    fitted, scores = fit_with_cross_scores(
        HybridModel(boosted=SMALL), cases.X, cases.y, groups=cases.groups, folds=4, seed=3
    )
    parts = [
        fit_with_cross_scores(m, cases.X, cases.y, groups=cases.groups, folds=4, seed=3)[1]
        for m in (LinearModel(), SMALL)
    ]
    a, b = fitted.weights_
    np.testing.assert_allclose(scores, a * parts[0] + b * parts[1], atol=1e-12)
    index = np.searchsorted(fitted.classes_, cases.y)
    assert log_loss(scores, index) <= min(log_loss(part, index) for part in parts) + 1e-9


@pytest.mark.parametrize(("weights", "left_out"), [((0.0, 1.0), "linear_"), ((1.0, 0.0), "boosted_")])
def test_a_part_of_weight_zero_is_left_out(cohort, monkeypatch, tmp_path, weights, left_out):
    cases = cohort(k=3)
    monkeypatch.setattr("diagnosis.models.hybrid_fit.blend_weights", lambda *_: weights)
    model = HybridModel(boosted=SMALL).fit(cases.X, cases.y)
    assert getattr(model, left_out) is None
    model.to_files(tmp_path)
    assert not list(tmp_path.glob(f"{left_out.rstrip('_')}*"))
    loaded = HybridModel.from_files(tmp_path)
    np.testing.assert_array_equal(loaded.scores(cases.X), model.scores(cases.X))
    parts = loaded.contributions(cases.X, [0])
    np.testing.assert_allclose(parts.base + parts.phi.sum(-1), model.scores(cases.X)[:, [0]], atol=1e-9)


def test_given_parts_stay_unfitted_and_keep_their_options(cohort):
    cases = cohort(n=200, k=3)
    linear = LinearModel(C=0.2)
    model = HybridModel(linear=linear, boosted=SMALL).fit(cases.X, cases.y)
    assert not hasattr(linear, "coef_")
    assert model.linear_.C == 0.2
    assert model.boosted_.rounds == 12


def test_one_patient_cannot_be_cross_fitted(cohort):
    cases = cohort()
    with pytest.raises(InputError, match="two patients"):
        HybridModel().fit(cases.X, cases.y, groups=np.zeros(120))
