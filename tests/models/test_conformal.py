"""Conformal sets: the quantile, coverage, and agreement with MAPIE."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin

from diagnosis.errors import InputError
from diagnosis.models import lac_quantile, sets, softmax
from diagnosis.models.conformal import LEAST_CASES, SetRule, aps_scores, choose_sets


def made(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    proba = softmax(2 * rng.normal(size=(n, k)))
    return proba, (proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=k - 1)


class Prefit(ClassifierMixin, BaseEstimator):
    """Gives back the probabilities it is handed as X."""

    def __init__(self, k: int = 4) -> None:
        self.k = k

    def fit(self, X, y):
        self.classes_ = np.arange(self.k)
        self.n_features_in_ = self.k
        self.is_fitted_ = True
        return self

    def predict_proba(self, X):
        return np.asarray(X)

    def predict(self, X):
        return np.asarray(X).argmax(axis=1)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.97])
def test_sets_are_those_of_mapie(coverage):
    from mapie.classification import SplitConformalClassifier

    (held_out, y), (new, _) = made(333, 4, seed=0), made(500, 4, seed=1)
    theirs = SplitConformalClassifier(Prefit().fit(held_out, y), confidence_level=coverage, prefit=True)
    theirs.conformalize(held_out, y)
    expected = theirs.predict_set(new)[1][:, :, 0]
    ours = sets(new, lac_quantile(held_out[np.arange(333), y], coverage))
    empty = ~expected.any(axis=1)
    np.testing.assert_array_equal(ours[~empty], expected[~empty])
    np.testing.assert_array_equal(ours[empty], np.eye(4, dtype=bool)[new[empty].argmax(axis=1)])


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_aps_scores_quantile_and_sets_are_those_of_mapie(coverage):
    from mapie.classification import SplitConformalClassifier

    (held_out, y), (new, _) = made(333, 4, seed=0), made(500, 4, seed=1)
    theirs = SplitConformalClassifier(
        Prefit().fit(held_out, y), confidence_level=coverage, conformity_score="aps", prefit=True, random_state=7
    )
    theirs.conformalize(held_out, y)
    own = aps_scores(held_out, np.random.RandomState(7).uniform(size=333))[np.arange(333), y]
    quantile = np.sort(own)[int(np.ceil(334 * coverage)) - 1]
    expected = theirs.predict_set(new, conformity_score_params={"include_last_label": True})[1][:, :, 0]
    np.testing.assert_allclose(theirs._mapie_classifier.conformity_score_function_.quantiles_, quantile, atol=1e-9)
    np.testing.assert_array_equal(aps_scores(new) < quantile, expected)


@pytest.mark.parametrize("kind", ["lac", "aps"])
def test_coverage_holds_on_new_cases_in_groups_and_by_diagnosis(kind):
    (held_out, y), (new, truth) = made(6000, 6, seed=2), made(20_000, 6, seed=3)
    # In the second group the model is too sure of itself: its sets have to be larger.
    group, new_group = (np.arange(n) % 2 for n in (6000, 20_000))
    held_out[group == 1], new[new_group == 1] = softmax(3 * np.log(held_out[1::2])), softmax(3 * np.log(new[1::2]))
    names = np.array(["calibrated", "too sure"], dtype=object)

    def coverage(rule, groups=None):
        return rule.members(new, groups)[np.arange(20_000), truth]

    marginal = coverage(choose_sets(held_out, y, 0.8, kind=kind))
    assert marginal.mean() == pytest.approx(0.8, abs=0.015)
    assert abs(marginal[new_group == 1].mean() - 0.8) > 0.05
    groups, new_groups = ({"kind": names[g], "third": np.arange(len(g)) % 3 == 0} for g in (group, new_group))
    grouped = coverage(choose_sets(held_out, y, 0.8, kind=kind, groups=groups), new_groups)
    by_class = coverage(choose_sets(held_out, y, 0.8, kind=kind, class_conditional=True))
    for g in (new_group == 0, new_group == 1, new_groups["third"], ~new_groups["third"]):
        assert grouped[g].mean() == pytest.approx(0.8, abs=0.03)
    assert all(by_class[truth == k].mean() == pytest.approx(0.8, abs=0.04) for k in range(6))


def test_a_small_or_unknown_group_takes_the_cutoff_of_all():
    proba, y = made(300, 4, seed=5)
    groups = np.array(["large"] * 200 + ["small"] * (LEAST_CASES - 1) + [None], dtype=object)
    rule, all_ = (choose_sets(proba, y, 0.9, groups=g) for g in ({"size": groups}, None))
    assert set(rule.by_group["size"]) == {"large"}
    for name in ("small", "never seen", None):
        np.testing.assert_array_equal(rule.members(proba, {"size": np.array([name] * 300)}), all_.members(proba))
    assert SetRule.from_json(json.loads(json.dumps(rule.to_json()))) == rule
    rare = choose_sets(proba, np.where(y == 3, -1, y), 0.9, class_conditional=True)
    assert rare.by_diagnosis[3] == rare.cutoff


def test_aps_does_not_depend_on_the_order_of_diagnoses():
    proba = np.array([[0.25, 0.25, 0.4, 0.1], [0.25, 0.25, 0.25, 0.25]])
    assert aps_scores(proba).round(12).tolist() == [[0.4, 0.4, 0.0, 0.9], [0.0] * 4]
    other = [3, 1, 0, 2]
    np.testing.assert_allclose(aps_scores(proba)[:, other], aps_scores(proba[:, other]), atol=1e-12)


def test_a_diagnosis_the_model_cannot_name_is_in_no_set_and_enlarges_all():
    proba, y = made(400, 4, seed=6)
    for kind in ("lac", "aps"):
        some = choose_sets(proba, np.where(np.arange(400) < 20, -1, y), 0.9, kind=kind)
        assert some.cutoff > choose_sets(proba, y, 0.9, kind=kind).cutoff
        nothing = choose_sets(proba, np.full(400, -1), 0.9, kind=kind, groups={"one": np.zeros(400)})
        assert SetRule.from_json(json.loads(json.dumps(nothing.to_json()))).members(proba).all()


def test_sets_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="both"):
        choose_sets([[1.0]], [0], 0.9, groups={"a": np.array(["b"])}, class_conditional=True)
    with pytest.raises(InputError, match="'aspic'"):
        choose_sets([[1.0]], [0], 0.9, kind="aspic")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0.05, 0.95))
def test_the_quantile_is_the_rule_of_n_plus_one(p, coverage):
    threshold = lac_quantile(p, coverage)
    needed = np.ceil((len(p) + 1) * coverage - 1e-9)
    if needed > len(p):
        assert threshold == 0.0
    else:
        assert threshold == sorted(p, reverse=True)[int(needed) - 1]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=30), st.floats(0.05, 0.95))
def test_equal_weights_are_no_weights_and_zero_is_not_there(rows, coverage):
    p, w = np.array(rows).T
    assert lac_quantile(p, coverage, np.full(p.size, 2.5)) == lac_quantile(p, coverage)
    assert lac_quantile(p, coverage, (w > 0) * 1.0) == lac_quantile(p[w > 0], coverage)


def test_heavier_misses_lower_the_threshold():
    p = np.linspace(0.05, 0.95, 19)
    assert lac_quantile(p, 0.8, np.where(p < 0.3, 3.0, 1.0)) < lac_quantile(p, 0.8)


def test_a_set_is_never_empty():
    proba, _ = made(100, 5, seed=4)
    inside = sets(proba, 1.1)
    assert (inside.sum(axis=1) == 1).all()
    assert inside[np.arange(100), proba.argmax(axis=1)].all()


def test_too_few_cases_put_every_diagnosis_in_the_set():
    assert lac_quantile([0.9] * 8, 0.9) == 0.0
    assert lac_quantile([], 0.9) == 0.0
    assert sets([[1.0, 0.0]], 0.0).all()


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 90, float("nan")])
def test_an_impossible_coverage_is_refused(coverage):
    with pytest.raises(InputError, match="coverage"):
        lac_quantile([0.5], coverage)


def test_negative_weights_and_no_threshold_are_refused():
    with pytest.raises(InputError):
        lac_quantile([0.5, 0.5], 0.5, [-1.0, 1.0])
    with pytest.raises(InputError):
        sets([[1.0]], float("nan"))
