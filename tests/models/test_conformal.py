"""Conformal sets: the quantile, coverage, and agreement with MAPIE."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin

from diagnosis.errors import InputError
from diagnosis.models import lac_quantile, sets, softmax


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


def test_coverage_holds_on_new_cases():
    (held_out, y), (new, truth) = made(2000, 6, seed=2), made(20_000, 6, seed=3)
    inside = sets(new, lac_quantile(held_out[np.arange(2000), y], 0.9))
    assert 0.88 < inside[np.arange(20_000), truth].mean() < 0.93


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
