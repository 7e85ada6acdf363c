"""Folds keep patients whole, and out-of-fold scores come from models that saw neither the case nor its patient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin

from diagnosis.errors import InputError
from diagnosis.models import LinearModel, fit_with_cross_scores, grouped_folds, softmax

labelled = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 12)), min_size=2, max_size=60)


@settings(max_examples=80, deadline=None)
@given(rows=labelled, n_folds=st.integers(2, 7), seed=st.integers(0, 5))
def test_no_patient_is_on_two_sides(rows, n_folds, seed):
    y, groups = np.array(rows).T
    patients = np.unique(groups).size
    if patients < 2:
        with pytest.raises(InputError, match="two patients"):
            grouped_folds(y, groups, n_folds, seed)
        return
    folds = grouped_folds(y, groups, n_folds, seed)
    assert folds.shape == y.shape
    assert sorted(set(folds)) == list(range(min(n_folds, patients)))
    assert all(np.unique(folds[groups == g]).size == 1 for g in groups)
    np.testing.assert_array_equal(folds, grouped_folds(y, groups, n_folds, seed))


@settings(max_examples=50, deadline=None)
@given(y=st.lists(st.integers(0, 5), min_size=5, max_size=80), seed=st.integers(0, 5))
def test_diagnoses_are_spread_evenly(y, seed):
    y = np.array(y)
    folds = grouped_folds(y, np.arange(y.size), 5, seed)
    for k in np.unique(y):
        counts = np.bincount(folds[y == k], minlength=5)
        assert np.ptp(counts) <= 1
    assert np.ptp(np.bincount(folds, minlength=5)) <= 1


def test_the_seed_divides_otherwise():
    y, groups = np.zeros(40), np.arange(40)
    assert (grouped_folds(y, groups, 5, 0) != grouped_folds(y, groups, 5, 1)).any()


def test_a_single_fold_is_refused():
    with pytest.raises(InputError, match="two folds"):
        grouped_folds([0, 1], [0, 1], 1)


class PatientMemory(ClassifierMixin, BaseEstimator):
    """Remembers the patient numbers it saw (column 0) and says so in its scores."""

    def fit(self, X, y, *, sample_weight=None, groups=None):
        self.classes_ = np.unique(y)
        self.seen_ = set(X[:, 0])
        self.n_features_in_ = X.shape[1]
        return self

    def scores(self, X):
        seen = np.isin(X[:, 0], list(self.seen_)).astype(float)
        return np.tile(seen[:, None], (1, self.classes_.size))


@settings(max_examples=40, deadline=None)
@given(rows=labelled, n_folds=st.integers(2, 6))
def test_no_case_is_scored_by_a_model_that_knew_its_patient(rows, n_folds):
    y, groups = np.array(rows).T
    if np.unique(groups).size < 2 or np.unique(y).size < 2:
        return
    X = groups[:, None].astype(float)
    fitted, scores = fit_with_cross_scores(PatientMemory(), X, y, groups=groups, folds=n_folds)
    assert (fitted.scores(X) == 1).all()
    learned = scores >= -1e-9
    assert (scores[learned] == 0).all()


def test_each_fold_is_scored_by_a_fit_on_the_others(cohort):
    cases = cohort(k=3)
    model = LinearModel()
    fitted, scores = fit_with_cross_scores(
        model, cases.X, cases.y, sample_weight=cases.weight, groups=cases.groups, folds=4, seed=2
    )
    assert not hasattr(model, "coef_")
    folds = grouped_folds(cases.y, np.unique(cases.groups, return_inverse=True)[1], 4, 2)
    whole = LinearModel().fit(cases.X, cases.y, sample_weight=cases.weight)
    np.testing.assert_array_equal(fitted.coef_, whole.coef_)
    assert np.unique(folds).size == 4
    assert np.abs(scores - fitted.scores(cases.X)).max() > 0.01


@pytest.mark.parametrize("name", ["linear", "boosted", "hybrid"])
def test_a_diagnosis_with_one_case_gets_the_floor(cohort, named_model, name):
    cases = cohort(n=60, k=3)
    y = cases.y.copy()
    y[17] = "seen once"
    fitted, scores = fit_with_cross_scores(named_model(name), cases.X, y, folds=3)
    assert fitted.classes_[-1] == "seen once"
    assert np.isfinite(scores).all()
    if name != "hybrid":
        floor = 1 / (40 + 4)
        assert softmax(scores)[17, -1] == pytest.approx(floor / (1 + floor), rel=0.05)


def test_a_training_part_of_one_diagnosis_still_gives_scores(cohort, model):
    X, y = np.eye(4), np.array(["a", "a", "b", "b"])
    _, scores = fit_with_cross_scores(model, X, y, groups=[0, 0, 1, 1], folds=2)
    assert np.isfinite(scores).all()
    assert scores.shape == (4, 2)


def test_weightless_cases_are_scored_and_teach_nothing(cohort):
    cases = cohort(k=3)
    weight = cases.weight.copy()
    weight[:20] = 0.0
    other = cases.y.copy()
    other[:20] = np.roll(cases.y[:20], 1)
    folds = {"folds": 3, "groups": np.arange(120)}
    scores = [
        fit_with_cross_scores(LinearModel(), cases.X, y, sample_weight=weight, **folds)[1] for y in (cases.y, other)
    ]
    assert np.isfinite(scores[0]).all()
    assert scores[0].shape == scores[1].shape == (120, 3)
