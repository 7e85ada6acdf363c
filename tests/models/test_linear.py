"""The linear model against scikit-learn, against brute-force Shapley values, and its own laws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from diagnosis.errors import InputError
from diagnosis.models import LinearModel, softmax


@pytest.mark.parametrize("k", [2, 5])
def test_probabilities_are_those_of_scikit_learn(cohort, k):
    cases = cohort(k=k)
    ours = LinearModel(C=0.7, tol=1e-9).fit(cases.X, cases.y, sample_weight=cases.weight)
    theirs = LogisticRegression(C=0.7, tol=1e-9, max_iter=5000).fit(cases.X, cases.y, sample_weight=cases.weight)
    np.testing.assert_allclose(ours.predict_proba(cases.X), theirs.predict_proba(cases.X), rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.coef_.sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(ours.scores(cases.X).sum(axis=1), 0.0, atol=1e-10)


def test_weights_act_as_repetition(cohort):
    cases = cohort(k=4)
    rows = np.repeat(np.arange(cases.y.size), cases.weight.astype(int))
    weighted = LinearModel(tol=1e-10).fit(cases.X, cases.y, sample_weight=cases.weight)
    repeated = LinearModel(tol=1e-10).fit(cases.X[rows], cases.y[rows])
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-7)
    np.testing.assert_allclose(weighted.mean_, repeated.mean_, atol=1e-12)
    which = np.arange(4)
    np.testing.assert_allclose(
        weighted.contributions(cases.X, which).phi, repeated.contributions(cases.X, which).phi, atol=1e-7
    )


def test_permuted_columns_permute_contributions(cohort):
    cases = cohort(k=3)
    order = np.random.default_rng(1).permutation(cases.X.shape[1])
    plain = LinearModel(tol=1e-10).fit(cases.X, cases.y).contributions(cases.X, [0, 2])
    permuted = LinearModel(tol=1e-10).fit(cases.X[:, order], cases.y).contributions(cases.X[:, order], [0, 2])
    np.testing.assert_allclose(permuted.phi, plain.phi[..., order], atol=1e-7)
    np.testing.assert_allclose(permuted.base, plain.base, atol=1e-7)


def test_contributions_are_shapley_values_over_the_training_cases(cohort):
    """Every coalition, the columns outside it taken from each training case in turn."""
    cases = cohort(n=40, p=4, k=3, dense=True)
    model = LinearModel().fit(cases.X, cases.y, sample_weight=cases.weight)
    x, share = cases.X[5], cases.weight / cases.weight.sum()

    def worth(inside: tuple[int, ...]) -> np.ndarray:
        mixed = cases.X.copy()
        mixed[:, list(inside)] = x[list(inside)]
        return share @ model.scores(mixed)

    parts = model.contributions(x[None], np.arange(3))
    np.testing.assert_allclose(parts.base[0], worth(()), atol=1e-10)
    for j in range(4):
        others = [i for i in range(4) if i != j]
        phi = sum(
            math.factorial(len(s)) * math.factorial(3 - len(s)) / 24 * (worth((*s, j)) - worth(s))
            for size in range(4)
            for s in itertools.combinations(others, size)
        )
        np.testing.assert_allclose(parts.phi[0, :, j], phi, atol=1e-10)


def test_two_diagnoses_have_opposite_scores(cohort):
    cases = cohort(k=2)
    model = LinearModel().fit(cases.X, cases.y)
    scores = model.scores(cases.X)
    np.testing.assert_array_equal(scores[:, 0], -scores[:, 1])
    np.testing.assert_allclose(softmax(scores), model.predict_proba(cases.X))


def test_nothing_recorded_is_the_intercept(cohort):
    cases = cohort(k=3)
    model = LinearModel().fit(cases.X, cases.y)
    np.testing.assert_array_equal(model.scores(np.zeros((1, 12)))[0], model.intercept_)


def test_a_fit_that_does_not_converge_says_so(cohort):
    cases = cohort()
    with pytest.warns(ConvergenceWarning):
        LinearModel(max_iter=1).fit(cases.X, cases.y)


@pytest.mark.parametrize("options", [{"C": 0.0}, {"C": np.nan}, {"tol": -1.0}, {"max_iter": 0}])
def test_impossible_options_are_refused(cohort, options):
    cases = cohort()
    with pytest.raises(InputError, match=next(iter(options))):
        LinearModel(**options).fit(cases.X, cases.y)
