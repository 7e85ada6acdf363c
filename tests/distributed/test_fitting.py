"""A model fitted on cases that lie apart is the one of a single machine, also where a worker lacks a diagnosis."""

from __future__ import annotations

import numpy as np
import pytest

from diagnosis.distributed import check_model, fit_apart, send_rows
from diagnosis.errors import InputError, WorkError
from diagnosis.features import FindingEncoder
from diagnosis.models import BoostedModel, HybridModel, LinearModel, RankerModel, fit_with_cross_scores
from diagnosis.models.calibration import log_softmax


@pytest.fixture(scope="module")
def matrix(cases):
    return FindingEncoder().fit_transform(cases), cases.y.astype(str), cases.groups


def log_loss(scores: np.ndarray, y: np.ndarray) -> float:
    known = np.flatnonzero(~np.isnan(scores[:, 0]))
    true = np.unique(y, return_inverse=True)[1][known]
    return float(-log_softmax(scores[known])[np.arange(len(known)), true].mean())


def beside(y: np.ndarray) -> list[list[str]]:
    """What some cases have too: in every fifth the diagnosis of another case."""
    return [[str(y[i - 1])] if i % 5 == 0 else [] for i in range(len(y))]


def test_the_linear_fit_is_that_of_one_machine(matrix, two):
    X, y, groups = matrix
    weight = np.where(np.arange(len(y)) % 7 == 0, 0.0, 1.0 + np.arange(len(y)) % 3)
    model = LinearModel(tol=1e-12)
    options = {"sample_weight": weight, "groups": groups, "also": beside(y), "folds": 3}
    fitted, scores = fit_apart(send_rows(two, X), y, model, **options)
    single, of_single = fit_with_cross_scores(model, X, y, **options)
    np.testing.assert_allclose(fitted.coef_, single.coef_, rtol=0, atol=1e-9)
    np.testing.assert_allclose(fitted.predict_proba(X), single.predict_proba(X), rtol=0, atol=1e-9)
    np.testing.assert_allclose(scores, of_single, rtol=0, atol=1e-9)
    np.testing.assert_allclose(fitted.mean_, single.mean_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fitted.square_, single.square_, rtol=1e-12)


def test_sums_do_not_depend_on_how_many_add_them_up(matrix, two, three):
    X, y, groups = matrix
    fits = [fit_apart(send_rows(of, X), y, LinearModel(tol=1e-12), groups=groups, folds=2)[0] for of in (two, three)]
    np.testing.assert_allclose(fits[0].coef_, fits[1].coef_, rtol=0, atol=1e-9)


def test_trees_are_grown_together_and_repeatably(matrix, two):
    X, y, groups = matrix
    model = BoostedModel(rounds=40, early_stopping=5, learning_rate=0.3)
    fits = [fit_apart(send_rows(two, X), y, model, groups=groups, folds=2) for _ in range(2)]
    (fitted, scores), (again, of_again) = fits
    assert fitted.trees_.text == again.trees_.text
    np.testing.assert_array_equal(scores, of_again)
    single, of_single = fit_with_cross_scores(model, X, y, groups=groups, folds=2)
    assert fitted.classes_.tolist() == single.classes_.tolist()
    assert 1 < fitted.n_rounds_ < 40
    # 400 cases and other draws of columns: bins that differ between workers would double the loss.
    assert log_loss(scores, y) < 1.05 * log_loss(of_single, y)


def test_a_hybrid_holds_one_part_back_where_it_is_asked_to(matrix, two):
    X, y, groups = matrix
    model = HybridModel(folds=1, boosted=BoostedModel(rounds=10))
    fitted, scores = fit_apart(send_rows(two, X), y, model, groups=groups, also=beside(y))
    single, of_single = fit_with_cross_scores(model, X, y, groups=groups, also=beside(y))
    np.testing.assert_array_equal(np.isnan(scores), np.isnan(of_single))
    assert log_loss(scores, y) < 1.02 * log_loss(of_single, y)
    assert fitted.predict_proba(X).shape == single.predict_proba(X).shape


def test_what_is_fitted_on_one_machine_only_is_refused(matrix, two):
    X, y, groups = matrix
    for model, says in (
        (RankerModel(), "RankerModel"),
        (LinearModel(monotone=[(0, 1)]), "monotone"),
        (HybridModel(monotone="cardinal"), "monotone"),
        (HybridModel(residual=True), "residual"),
        (HybridModel(linear=LinearModel(monotone=[(0, 1)])), "monotone"),
    ):
        with pytest.raises(InputError, match=says):
            check_model(model)
    with pytest.raises(InputError, match="at least two diagnoses"):
        fit_apart(send_rows(two, X), np.full(len(y), "flu"), LinearModel(), groups=groups)
    weight = np.where(np.arange(len(y)) < len(y) // 2, 0.0, 1.0)
    with pytest.raises(InputError, match="have none in a fold"):
        fit_apart(send_rows(two, X), y, BoostedModel(), sample_weight=weight, groups=groups)


def test_workers_that_end_with_other_trees_are_refused(matrix, two, monkeypatch):
    X, y, groups = matrix
    monkeypatch.setattr("diagnosis.distributed.share.sha256", lambda _: type("", (), {"hexdigest": lambda _: id(_)})())
    with pytest.raises(WorkError, match="different trees"):
        fit_apart(send_rows(two, X), y, BoostedModel(rounds=2, early_stopping=0), groups=groups, folds=2)
