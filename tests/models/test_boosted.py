"""The boosted model against LightGBM's and shap's own numbers."""

from __future__ import annotations

import os
import subprocess
import sys

import lightgbm
import numpy as np
import pytest

from diagnosis.errors import BundleError, DiagnosisWarning, InputError, WorkError
from diagnosis.models import BoostedModel, fit_with_cross_scores
from diagnosis.models.calibration import log_loss
from diagnosis.models.trees import cut_trees, join_trees, load_lightgbm


def stock(model: BoostedModel) -> lightgbm.Booster:
    return lightgbm.Booster(model_str=model.trees_.text)


@pytest.mark.parametrize("k", [2, 3, 13])
def test_contributions_are_bitwise_those_of_the_whole_booster(cohort, k):
    cases = cohort(n=200, k=k, dense=True)
    model = BoostedModel(rounds=15, min_cases_leaf=2).fit(cases.X, cases.y, sample_weight=cases.weight)
    whole = stock(model).predict(cases.X, pred_contrib=True).reshape(200, k, -1)
    which = np.argsort(-model.scores(cases.X), axis=1)[:, :2]
    parts = model.contributions(cases.X, which)
    rows = np.arange(200)[:, None]
    np.testing.assert_array_equal(parts.phi, whole[rows, which, :-1])
    np.testing.assert_array_equal(parts.base, whole[rows, which, -1])
    np.testing.assert_array_equal(model.scores(cases.X), stock(model).predict(cases.X, raw_score=True))


# shap 0.51 colours its maps at import in a way matplotlib will drop; github.com/shap/shap, plots/colors/_colors.py.
@pytest.mark.filterwarnings("ignore:The set_(bad|over|under) function will be:PendingDeprecationWarning:shap")
def test_contributions_are_those_of_tree_explainer(cohort):
    import shap

    cases = cohort(n=150, k=4, dense=True)
    model = BoostedModel(rounds=15, min_cases_leaf=2).fit(cases.X, cases.y)
    explainer = shap.TreeExplainer(stock(model), feature_perturbation="tree_path_dependent")
    theirs = np.asarray(explainer.shap_values(cases.X))
    parts = model.contributions(cases.X, np.arange(4))
    np.testing.assert_allclose(parts.phi, np.moveaxis(theirs, 2, 1), rtol=0, atol=1e-10)
    np.testing.assert_allclose(parts.base[0], explainer.expected_value, rtol=0, atol=1e-10)


def test_many_rows_come_in_portions_of_the_same_numbers(cohort, monkeypatch):
    cases = cohort(n=60, k=3)
    model = BoostedModel(rounds=10, min_cases_leaf=2).fit(cases.X, cases.y)
    at_once = model.contributions(cases.X, [0, 2])
    monkeypatch.setattr("diagnosis.models.trees._PORTION", 7 * 12)
    np.testing.assert_array_equal(model.contributions(cases.X, [0, 2]).phi, at_once.phi)


def test_a_diagnosis_may_be_asked_for_twice_in_one_case(cohort):
    cases = cohort(n=60, k=3)
    model = BoostedModel(rounds=10, min_cases_leaf=2).fit(cases.X, cases.y)
    parts = model.contributions(cases.X, [1, 1])
    np.testing.assert_array_equal(parts.phi[:, 0], parts.phi[:, 1])
    assert np.abs(parts.phi).sum() > 0


def test_threads_change_no_byte_of_the_model(cohort, tmp_path):
    cases = cohort(k=3)
    for n_jobs in (1, 2):
        BoostedModel(rounds=10, n_jobs=n_jobs).fit(cases.X, cases.y).to_files(tmp_path / str(n_jobs))
    for name in ("boosted.txt", "boosted.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_the_prior_is_in_the_base(cohort):
    """Without a column to split on, the probabilities are the weighted shares of the diagnoses."""
    cases = cohort(k=3)
    model = BoostedModel(rounds=3).fit(np.zeros((120, 2)), cases.y, sample_weight=cases.weight)
    share = np.bincount(np.unique(cases.y, return_inverse=True)[1], cases.weight) / cases.weight.sum()
    np.testing.assert_allclose(model.predict_proba(np.zeros((1, 2)))[0], share, atol=1e-6)
    parts = model.contributions(np.zeros((1, 2)), np.arange(3))
    np.testing.assert_allclose(parts.base + parts.phi.sum(-1), model.scores(np.zeros((1, 2))), atol=1e-9)


def test_divergence_is_told(cohort):
    cases = cohort(n=200, k=40, seed=3)
    wild = BoostedModel(
        rounds=60, leaves=31, learning_rate=1.0, min_cases_leaf=1, lambda_l2=0.0, min_hessian=0.0, early_stopping=0
    )
    with pytest.warns(DiagnosisWarning, match="diverged"):
        wild.fit(cases.X, cases.y)


def test_divergence_that_early_stopping_hides_is_told(cohort):
    """Held-out patients end the training long before its scores look odd."""
    cases = cohort(n=200, k=40, seed=3)
    wild = {"rounds": 60, "leaves": 31, "min_cases_leaf": 1, "lambda_l2": 0.0, "min_hessian": 0.0}
    with pytest.warns(DiagnosisWarning, match=r"held-out cases its log-loss rose to .* first \d+ rounds are kept"):
        BoostedModel(learning_rate=0.8, **wild).fit(cases.X, cases.y)


def test_a_training_that_lightgbm_breaks_off_says_what_to_do(cohort, monkeypatch):
    cases = cohort(k=3)

    def refuse(*_):
        raise lightgbm.basic.LightGBMError("Check failed: (best_split_info.left_count) > (0)")

    monkeypatch.setattr(lightgbm.Booster, "update", refuse)
    with pytest.raises(WorkError, match=r"gave up after 0 rounds. Raise lambda_l2"):
        BoostedModel().fit(cases.X, cases.y)


def test_joined_trees_add_up(cohort):
    cases = cohort(n=200, k=3)
    first, second = (BoostedModel(rounds=5, min_cases_leaf=2, seed=s).fit(cases.X, cases.y) for s in (1, 2))
    both = lightgbm.Booster(model_str=join_trees(first.trees_.text, second.trees_.text))
    np.testing.assert_allclose(
        both.predict(cases.X, raw_score=True), first.scores(cases.X) + second.scores(cases.X), atol=1e-12
    )


def test_an_update_adds_trees_that_help_with_the_new_cases(cohort, tmp_path):
    """The clinic's new cases look otherwise: the old trees stay in front, the new ones bring the loss down."""
    old, new = cohort(n=400, k=3), cohort(n=900, k=3, seed=7)
    model = BoostedModel(rounds=20, min_cases_leaf=5).fit(old.X, old.y)
    text = model.trees_.text
    updated = model.update(new.X[:600], new.y[:600], rounds=30)
    assert updated.n_rounds_ > model.n_rounds_
    assert model.trees_.text == text
    index = np.searchsorted(model.classes_, new.y[600:])
    assert log_loss(updated.scores(new.X[600:]), index) < log_loss(model.scores(new.X[600:]), index) - 0.1
    updated.to_files(tmp_path)
    parts = BoostedModel.from_files(tmp_path).contributions(new.X, np.arange(3))
    np.testing.assert_allclose(parts.base + parts.phi.sum(-1), updated.scores(new.X), atol=1e-9)


def test_an_update_adds_nothing_where_nothing_helps(cohort):
    """Labels by lot, near even odds: every tree would learn chance."""
    cases, rng = cohort(n=300, k=3), np.random.default_rng(0)
    model = BoostedModel(rounds=1, early_stopping=0).fit(cases.X, cases.y)
    updated = model.update(rng.random((300, 12)).round(), rng.permutation(cases.y), rounds=3)
    np.testing.assert_array_equal(updated.scores(cases.X), model.scores(cases.X))


def test_the_rounds_are_chosen_on_patients_not_learned_from(cohort):
    """A patient's cases carry a mark of their own: seen on both sides it would call for every round."""
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(60), 4)
    y = np.repeat(rng.integers(0, 2, 60), 4)
    marks = (rng.random((60, 8)) < 0.5).astype(float)[patient]
    options = {"rounds": 80, "leaves": 15, "min_cases_leaf": 2, "lambda_l2": 0.0, "early_stopping": 10}
    kept_whole = BoostedModel(**options).fit(marks, y, groups=patient).n_rounds_
    split = BoostedModel(**options).fit(marks, y).n_rounds_
    assert kept_whole < 15 < split


def test_without_early_stopping_all_rounds_are_grown(cohort):
    cases = cohort(k=3)
    model = BoostedModel(rounds=7, min_cases_leaf=2, early_stopping=0).fit(cases.X, cases.y)
    crossed, _ = fit_with_cross_scores(model, cases.X, cases.y)
    assert model.n_rounds_ == crossed.n_rounds_ == 7
    np.testing.assert_array_equal(model.scores(cases.X), crossed.scores(cases.X))


def test_columns_of_two_groups_never_meet_in_a_branch(cohort, tmp_path):
    """Columns 0 to 4 and 4 to 9 are two body systems, both with column 4; 10 and 11 stand alone."""
    cases, groups = cohort(n=400, k=3), [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8, 9]]
    model = BoostedModel(rounds=20, min_cases_leaf=2, interactions=groups).fit(cases.X, cases.y)
    met = set()

    def walk(node, above):
        if "split_feature" not in node:
            met.add(above)
            return
        for side in ("left_child", "right_child"):
            walk(node[side], above | {node["split_feature"]})

    for tree in stock(model).dump_model()["tree_info"]:
        walk(tree["tree_structure"], frozenset())
    allowed = [set(g) for g in (*groups, [10], [11])]
    assert all(any(columns <= group for group in allowed) for columns in met)
    assert max(map(len, met)) > 1
    assert met & {frozenset({10}), frozenset({11})}
    model.to_files(tmp_path)
    assert BoostedModel.from_files(tmp_path).interactions == groups
    with pytest.raises(InputError, match="interactions of BoostedModel holds column numbers from 0 to 11"):
        BoostedModel(interactions=[[0, 12]]).fit(cases.X, cases.y)


def test_a_users_own_wait_policy_stays(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    load_lightgbm()
    assert os.environ["OMP_WAIT_POLICY"] == "active"


def test_one_patient_is_enough_for_a_fit(cohort):
    cases = cohort(k=2)
    assert BoostedModel(rounds=3).fit(cases.X, cases.y, groups=np.zeros(120)).n_rounds_ == 3


def test_lightgbm_is_loaded_only_when_needed():
    code = (
        "import sys, diagnosis.models as m; m.BoostedModel(); assert 'lightgbm' not in sys.modules;"
        "from diagnosis.models.trees import load_lightgbm; load_lightgbm();"
        "import os; assert os.environ['OMP_WAIT_POLICY'] == 'passive'"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.parametrize("which", [3, -1])
def test_trees_of_an_unknown_class_are_refused(cohort, which):
    cases = cohort(k=3)
    text = BoostedModel(rounds=3).fit(cases.X, cases.y).trees_.text
    with pytest.raises(BundleError):
        cut_trees(text, which)
    with pytest.raises(BundleError):
        cut_trees("not a model", 0)


@pytest.mark.parametrize(
    "options", [{"rounds": 0}, {"leaves": 1}, {"learning_rate": 0.0}, {"lambda_l2": -1.0}, {"column_share": 1.5}]
)
def test_impossible_options_are_refused(cohort, options):
    cases = cohort()
    with pytest.raises(InputError, match=next(iter(options))):
        BoostedModel(**options).fit(cases.X, cases.y)
