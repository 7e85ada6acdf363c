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


def test_one_held_out_part_chooses_weights_and_rounds(cohort):
    cases = cohort(n=400, k=3)
    model = HybridModel(boosted=SMALL, folds=1)
    fitted, scores = fit_with_cross_scores(model, cases.X, cases.y, groups=cases.groups)
    scored = np.isfinite(scores).all(axis=1)
    assert np.isnan(scores[~scored]).all()
    assert 0.15 < scored.mean() < 0.25
    assert not np.isin(cases.groups[scored], cases.groups[~scored]).any()
    whole = HybridModel(boosted=SMALL, folds=5).fit(cases.X, cases.y, groups=cases.groups)
    index = np.searchsorted(whole.classes_, cases.y)
    assert log_loss(fitted.scores(cases.X), index) == pytest.approx(log_loss(whole.scores(cases.X), index), abs=0.1)


@pytest.mark.parametrize(
    ("large", "rest", "huge", "share", "rounds"),
    [(1e9, 1e9, 1e9, 1.0, 60), (0, 1e9, 1e9, 0.2, 60), (0, 0, 1e9, 0.2, 25), (0, 0, 0, 0.1, 9)],
)
def test_the_size_of_the_work_chooses_the_form(cohort, monkeypatch, large, rest, huge, share, rounds):
    cases = cohort(n=300, k=3)
    monkeypatch.setattr("diagnosis.models.hybrid_fit.LARGE_WORK", large)
    monkeypatch.setattr("diagnosis.models.hybrid_fit.REST_WORK", rest)
    monkeypatch.setattr("diagnosis.models.hybrid_fit.HUGE_WORK", huge)
    X = cases.X.toarray()
    y = np.where(X[:, 1] != X[:, 2], "exclusive", cases.y)
    fitted, scores = fit_with_cross_scores(HybridModel(), X, y)
    assert np.isfinite(scores).all(axis=1).mean() == pytest.approx(share, abs=0.01)
    assert fitted.boosted_.rounds == rounds


@pytest.mark.parametrize("folds", [1, 4])
def test_the_residual_form_is_one_sum_and_learns_what_is_left(cohort, tmp_path, folds):
    """An exclusive-or of two findings is nothing to a linear score and everything to the trees beside it."""
    cases = cohort(n=700, k=3)
    X = cases.X.toarray()
    y = np.where(X[:, 1] != X[:, 2], "exclusive", cases.y)
    model = HybridModel(boosted=SMALL, folds=folds, residual=True).fit(X, y, groups=cases.groups)
    a, b = model.weights_
    assert b > 0
    assert log_loss(model.scores(X), np.searchsorted(model.classes_, y)) < 0.7 * log_loss(
        model.linear_.scores(X), np.searchsorted(model.classes_, y)
    )
    np.testing.assert_allclose(model.scores(X), a * model.linear_.scores(X) + b * model.boosted_.scores(X), atol=1e-12)
    parts = model.contributions(X[:40], np.arange(4))
    np.testing.assert_allclose(parts.base + parts.phi.sum(-1), model.scores(X[:40]), rtol=0, atol=1e-9)
    model.to_files(tmp_path / "first")
    HybridModel(boosted=SMALL, folds=folds, residual=True).fit(X, y, groups=cases.groups).to_files(tmp_path / "again")
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
    loaded = HybridModel.from_files(tmp_path / "first")
    np.testing.assert_array_equal(loaded.scores(X), model.scores(X))
    assert loaded.residual is True


@pytest.mark.parametrize("folds", [1, 4])
def test_where_trees_add_nothing_there_are_none(folds):
    rng = np.random.default_rng(5)
    X = (rng.random((1200, 8)) < 0.3).astype(float)
    y = drawn(X @ rng.normal(size=(8, 3)), seed=6)
    fitted, scores = fit_with_cross_scores(HybridModel(folds=folds, residual=True), X, y, folds=4)
    assert fitted.boosted_ is None
    assert fitted.weights_[0] == pytest.approx(1.0, abs=0.25)
    assert np.isfinite(scores).all(axis=1).any()


def test_large_residual_work_is_thinned_and_what_is_all_but_solved_gets_no_trees(cohort, monkeypatch):
    cases = cohort(n=1200, k=3)
    X = cases.X.toarray()
    y = np.where(X[:, 1] != X[:, 2], "exclusive", cases.y)
    for name, enough in (("_ENOUGH_SCORES", 2000), ("_JUDGED_SCORES", 400), ("_ENOUGH_WORK", 8000)):
        monkeypatch.setattr(f"diagnosis.models.hybrid_fit.{name}", enough)
    model = HybridModel(boosted=SMALL, folds=1, residual=True)
    scores = model.fit_cross(X, y, groups=cases.groups)
    judged = np.isfinite(scores).all(axis=1)
    assert 20 < judged.sum() <= 100
    assert model.weights_[1] > 0
    index = np.searchsorted(model.classes_, y)
    assert log_loss(model.scores(X), index) < 0.9 * log_loss(model.linear_.scores(X), index)
    monkeypatch.setattr("diagnosis.models.hybrid_fit._LITTLE", 10.0)
    assert HybridModel(boosted=SMALL, folds=1, residual=True).fit(X, y, groups=cases.groups).boosted_ is None


@pytest.mark.parametrize("residual", [False, True])
def test_parts_of_one_diagnosis_each_still_give_a_model(residual):
    X, y = np.eye(4), np.array(["a", "a", "b", "b"])
    model = HybridModel(folds=1, residual=residual).fit(X, y, groups=[0, 0, 1, 1])
    assert np.isfinite(model.scores(X)).all()


def test_an_update_gives_a_new_model_that_knows_the_new_cases(cohort):
    old, new = cohort(n=400, k=3), cohort(n=900, k=3, seed=7)
    model = HybridModel(boosted=SMALL, folds=3).fit(old.X, old.y, groups=old.groups)
    before = model.scores(new.X)
    updated = model.update(new.X[:600], new.y[:600], groups=new.groups[:600])
    np.testing.assert_array_equal(model.scores(new.X), before)
    assert updated.weights_ == model.weights_
    index = np.searchsorted(model.classes_, new.y[600:])
    assert log_loss(updated.scores(new.X[600:]), index) < log_loss(before[600:], index) - 0.1
    parts = updated.contributions(new.X[:20], [0, 2])
    np.testing.assert_allclose(parts.base + parts.phi.sum(-1), updated.scores(new.X[:20])[:, [0, 2]], atol=1e-9)
    with pytest.raises(InputError, match="diagnoses that the model knows"):
        model.update(new.X[:2], ["diagnosis 00", "diagnosis 99"])


@pytest.mark.parametrize("options", [{"folds": 0}, {"residual": "perhaps"}])
def test_impossible_options_are_refused(cohort, options):
    cases = cohort()
    with pytest.raises(InputError, match=next(iter(options))):
        HybridModel(**options).fit(cases.X, cases.y)
