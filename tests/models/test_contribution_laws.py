"""Contributions beside shap's own, of one case as of many, among hundreds of diagnoses, and from several threads."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import sparse

from diagnosis.errors import InputError
from diagnosis.models import BoostedModel, HybridModel, LinearModel, RankerModel
from diagnosis.models.one_row import RowPredictor
from diagnosis.models.paths import Forest
from diagnosis.models.scoring import scores_near
from diagnosis.models.trees import Trees, load_lightgbm

SHAP_IMPORT = pytest.mark.filterwarnings(
    # shap 0.51 sets colours the way matplotlib is about to give up: shap/plots/colors/_colors.py
    r"ignore:The set_(bad|over|under) function:PendingDeprecationWarning:shap.plots.colors._colors"
)


def sums(model, cases, m=5):
    """The scores of the best diagnoses, and what base and contributions add up to; both (n_cases, m)."""
    scores = model.scores(cases)
    which = np.argsort(-scores, axis=1, kind="stable")[:, :m]
    parts = model.contributions(cases, which)
    return np.take_along_axis(scores, which, axis=1), parts.base + parts.phi.sum(axis=-1)


@pytest.mark.parametrize("name", ["linear", "boosted", "ranker"])
@pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
def test_sums_and_contrasts_hold_among_500_diagnoses(cohort, name, dense):
    cases = cohort(n=1000, k=500, p=30, dense=dense)
    model = {
        "linear": LinearModel(tol=0.05),
        "boosted": BoostedModel(rounds=2, early_stopping=0, min_cases_leaf=2),
        "ranker": RankerModel(rounds=3, leaves=4, folds=2),
    }[name].fit(cases.X, cases.y, groups=cases.groups)
    scores, added = sums(model, cases.X[:20])
    np.testing.assert_allclose(added, scores, rtol=0, atol=1e-9)
    np.testing.assert_allclose(added[:, 0] - added[:, 1], scores[:, 0] - scores[:, 1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
@pytest.mark.parametrize("k", [2, 11])
def test_sums_hold_where_trees_learn_what_the_linear_scores_leave(cohort, k, dense):
    cases = cohort(n=150, k=k, dense=dense)
    boosted = BoostedModel(rounds=6, min_cases_leaf=2, early_stopping=0)
    model = HybridModel(boosted=boosted, folds=3, residual=True).fit(cases.X, cases.y, groups=cases.groups)
    scores, added = sums(model, cases.X, min(k, 5))
    np.testing.assert_allclose(added, scores, rtol=0, atol=1e-9)


def test_rows_near_a_case_score_as_they_do_alone(cohort, model):
    cases, rng = cohort(k=5, p=20), np.random.default_rng(0)
    fitted = model.fit(cases.X, cases.y, groups=cases.groups)
    one = cases.X[[3]]
    other = np.repeat(one.toarray(), 60, axis=0)
    for row, cell in enumerate(rng.integers(0, 20, (60, 3))):  # of the last row nothing changes
        other[row, cell[: row % 4]] = rng.choice([0.0, 1.0, -0.7], len(cell[: row % 4]))
    other = sparse.csr_matrix(other)
    np.testing.assert_allclose(fitted.scores_near(one, other), fitted.scores(other), rtol=0, atol=1e-12)
    some = np.array([4, 0])
    near = scores_near(fitted, one, other, some)
    np.testing.assert_allclose(near, fitted.scores(other)[:, some], rtol=0, atol=1e-12)


def test_splits_that_only_lightgbm_walks_are_left_to_it(cohort):
    cases = cohort()
    trees = BoostedModel(rounds=3, min_cases_leaf=2, early_stopping=0).fit(cases.X, cases.y).trees_
    odd = Trees(trees.text.replace("num_cat=0", "num_cat=1"), trees.n_classes)
    assert Forest.of(odd.text, 3) is None
    assert Forest.of(trees.text, 3) is not None
    assert Forest.of(trees.text.replace("decision_type=2", "decision_type=6"), 3) is None, "zeros as missing"


@SHAP_IMPORT
def test_trees_are_explained_as_shap_explains_them(cohort):
    import shap

    cases = cohort(k=4)
    model = BoostedModel(rounds=12, min_cases_leaf=2, early_stopping=0).fit(cases.X, cases.y)
    explainer = shap.TreeExplainer(load_lightgbm().Booster(model_str=model.trees_.text))
    stock = np.moveaxis(np.asarray(explainer.shap_values(cases.X.toarray())), 2, 1)
    ours = model.contributions(cases.X, np.arange(4))
    np.testing.assert_allclose(ours.phi, stock, rtol=0, atol=1e-9)
    margins = np.asarray(explainer.expected_value) + stock.sum(axis=-1)
    np.testing.assert_allclose(ours.base + ours.phi.sum(axis=-1), margins, rtol=0, atol=1e-9)


@SHAP_IMPORT
def test_linear_scores_are_explained_as_shap_explains_them(cohort):
    import shap

    cases = cohort(k=3, dense=True)
    model = LinearModel().fit(cases.X, cases.y)
    ours = model.contributions(cases.X, np.arange(3))
    for k in range(3):
        explainer = shap.LinearExplainer((model.coef_[k], model.intercept_[k]), model.mean_[None, :])
        np.testing.assert_allclose(ours.phi[:, k], explainer.shap_values(cases.X), rtol=0, atol=1e-9)
        np.testing.assert_allclose(ours.base[:, k], explainer.expected_value, rtol=0, atol=1e-9)


def test_one_case_is_explained_as_among_many(model, cohort):
    cases = cohort(k=5)
    model.fit(cases.X, cases.y)
    single = cases.X.astype(np.float32)
    many = model.contributions(single, [0, 3])
    for i in range(5):
        one = model.contributions(single[i], [0, 3])
        assert one.phi.dtype == np.float64
        np.testing.assert_array_equal(one.phi[0], many.phi[i])
        np.testing.assert_array_equal(one.base[0], many.base[i])
        np.testing.assert_array_equal(model.scores(single[i])[0], model.scores(single)[i])


def test_threads_share_a_model_and_what_is_kept_for_speed_is_not_pickled(cohort):
    cases = cohort(k=6)
    model = BoostedModel(rounds=8, min_cases_leaf=2, early_stopping=0).fit(cases.X, cases.y)
    before = len(pickle.dumps(model))
    rows = [cases.X[i] for i in range(60)]
    with ThreadPoolExecutor(4) as pool:
        scores = list(pool.map(model.scores, rows))
        phi = list(pool.map(lambda x: model.contributions(x, [1, 4]).phi, rows))
    np.testing.assert_array_equal(np.vstack(scores), model.scores(cases.X)[:60])
    np.testing.assert_array_equal(np.vstack(phi), model.contributions(cases.X, [1, 4]).phi[:60])
    assert len(pickle.dumps(model)) == before


def test_a_row_that_is_no_case_is_refused(model, cohort):
    cases = cohort(k=3)
    model.fit(cases.X, cases.y)
    wrong = cases.X[0].copy()
    wrong.data[0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.scores(wrong)
    with pytest.raises((InputError, ValueError), match="feature"):
        model.scores(cases.X[0][:, :5])


def test_without_the_fast_path_the_answers_are_the_same(cohort, monkeypatch):
    cases = cohort(k=3)
    model = BoostedModel(rounds=8, min_cases_leaf=2, early_stopping=0).fit(cases.X, cases.y)
    fast = model.scores(cases.X[0]), model.contributions(cases.X[0], [1]).phi
    monkeypatch.setattr(RowPredictor, "of", classmethod(lambda *_, **__: None))
    slow = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(slow.scores(cases.X[0]), fast[0])
    np.testing.assert_array_equal(slow.contributions(cases.X[0], [1]).phi, fast[1])
