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
from diagnosis.models.calibration import log_loss


class Batched:
    """A matrix in small batches of rows."""

    def __init__(self, X, rows=17):
        self.X, self.rows, self.shape = X, rows, X.shape

    def batches(self):
        for start in range(0, self.X.shape[0], self.rows):
            yield self.X[start : start + self.rows].astype(np.float32)


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


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("dense", [False, True])
def test_large_work_ends_where_small_work_does(cohort, monkeypatch, k, dense):
    """Newton's steps in blocks, from a part of the cases, against scikit-learn's on all of them."""
    cases = cohort(n=400, k=k, dense=dense)
    weight = np.where(np.arange(400) % 7 == 0, 0.0, cases.weight)
    small = LinearModel(tol=1e-9).fit(cases.X, cases.y, sample_weight=weight)
    monkeypatch.setattr("diagnosis.models.linear_fit.LARGE_WORK", 0)
    monkeypatch.setattr("diagnosis.models.batches._CACHED", 300)
    large = LinearModel(tol=1e-9).fit(cases.X, cases.y, sample_weight=weight)
    np.testing.assert_allclose(large.coef_, small.coef_, atol=1e-6)
    np.testing.assert_allclose(large.intercept_, small.intercept_, atol=1e-6)
    coarse = LinearModel().fit(cases.X, cases.y, sample_weight=weight)
    assert 1e-9 < np.abs(coarse.coef_ - small.coef_).max() < 0.1


def test_batches_give_the_fit_in_memory(cohort):
    cases = cohort(n=300, k=4)
    X = cases.X.astype(np.float32).astype(np.float64)
    weight = np.where(cases.y == "diagnosis 02", 0.0, cases.weight)
    whole = LinearModel(tol=1e-9).fit(X, cases.y, sample_weight=weight)
    streamed = LinearModel(tol=1e-9).fit(Batched(X), cases.y, sample_weight=weight)
    np.testing.assert_allclose(streamed.coef_, whole.coef_, atol=1e-6)
    np.testing.assert_allclose(streamed.scores(X), whole.scores(X), atol=1e-5)
    for name in ("mean_", "square_", "seen_"):
        np.testing.assert_allclose(getattr(streamed, name), getattr(whole, name), atol=1e-9)
    assert streamed.classes_.tolist() == whole.classes_.tolist()
    assert streamed.n_features_in_ == 12


def test_batches_that_do_not_hold_up_are_refused(cohort):
    cases = cohort()
    holed = cases.X.copy()
    holed.data[5] = np.nan
    with pytest.raises(InputError, match=r"NaN or infinity among the rows 0 to 16"):
        LinearModel().fit(Batched(holed), cases.y)
    short = Batched(cases.X)
    short.shape = (121, 12)
    with pytest.raises(InputError, match=r"they held 120"):
        LinearModel().fit(short, [*cases.y, cases.y[0]])
    with pytest.raises(InputError, match="one label for each of 120 cases"):
        LinearModel().fit(Batched(cases.X), cases.y[:-1])


def test_an_update_goes_towards_the_fit_on_old_and_new_cases(cohort):
    cases = cohort(n=1500, k=4, p=20)
    old, new, later = np.arange(300), np.arange(300, 900), np.arange(900, 1500)
    before = LinearModel().fit(cases.X[old], cases.y[old])
    coef = before.coef_.copy()
    after = before.update(cases.X[new], cases.y[new])
    both = LinearModel().fit(cases.X[:900], cases.y[:900])
    index = np.searchsorted(before.classes_, cases.y[later])
    without, updated, refit = (log_loss(m.scores(cases.X[later]), index) for m in (before, after, both))
    assert refit < without
    assert updated - refit < 0.5 * (without - refit), (without, updated, refit)
    np.testing.assert_array_equal(before.coef_, coef)
    np.testing.assert_allclose(after.mean_, both.mean_, atol=1e-12)
    assert after.seen_ == 900


def test_an_update_learns_that_a_diagnosis_became_frequent_and_keeps_what_it_did_not_see(cohort):
    cases = cohort(n=600, k=3)
    model = LinearModel().fit(cases.X, cases.y)
    outbreak = cases.X[cases.y == "diagnosis 01"][:80]
    outbreak = outbreak.multiply(np.arange(12) < 6).tocsr()
    new = model.update(outbreak, ["diagnosis 01"] * 80)
    assert (new.intercept_ - model.intercept_).argmax() == 1
    assert new.predict_proba(np.zeros((1, 12)))[0, 1] > model.predict_proba(np.zeros((1, 12)))[0, 1]
    np.testing.assert_allclose(new.coef_[:, 6:], model.coef_[:, 6:], atol=1e-9)


def test_an_update_refuses_what_it_cannot_learn(cohort, tmp_path):
    cases = cohort()
    model = LinearModel().fit(cases.X, cases.y)
    with pytest.raises(InputError, match="1 have another or none, first in row 1"):
        model.update(cases.X[:2], [cases.y[0], "unheard of"])
    model.to_files(tmp_path)
    arrays = dict(np.load(tmp_path / "linear.npz"))
    assert {"square", "seen"} < set(arrays)
    np.savez(tmp_path / "linear.npz", **{name: arrays[name] for name in ("coef", "intercept", "mean")})
    first_release = LinearModel.from_files(tmp_path)
    np.testing.assert_array_equal(first_release.scores(cases.X), model.scores(cases.X))
    with pytest.raises(InputError, match="older release"):
        first_release.update(cases.X, cases.y)
