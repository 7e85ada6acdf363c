"""The ranker: its two stages agree with what they are made of, hostile cohorts, and knowledge instead of cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from diagnosis.errors import InputError
from diagnosis.models import Knowledge, RankerModel, fit_with_cross_scores
from diagnosis.models.calibration import fit_temperature, log_loss, log_softmax
from diagnosis.models.ranker.contributions import _shares
from diagnosis.models.ranker.first_stage import clean_rows
from diagnosis.models.ranker.likelihood import likelihood_of, tally, value_columns
from diagnosis.models.ranker.pairs import FEATURES, pairs_of
from diagnosis.models.ranker.rerank import Lists

SMALL = RankerModel(rounds=8, leaves=4, candidates=4)


def many(n: int, k: int, p: int, seed: int = 0) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return sparse 0/1 cases of many diagnoses, five columns typical of each."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    typical = rng.integers(0, p, (k, 5))
    X = sparse.lil_matrix((n, p))
    for column in range(5):
        rows = np.flatnonzero(rng.random(n) < 0.7)
        X[rows, typical[y[rows], column]] = 1.0
    return X.tocsr(), y


def ratios(X: np.ndarray, y: list[int], k: int, smoothing: float = 2.0):
    rows = clean_rows(X)
    valued = value_columns(rows)
    counts = tally(rows, np.array(y), np.ones(len(y)), k, valued)
    return likelihood_of(counts, valued, smoothing)


def test_ratios_are_those_of_smoothed_shares():
    found = ratios(np.array([[1.0], [1.0], [0.0], [0.0]]), [0, 0, 0, 1], 2)
    share = 2.5 / 5
    own = np.array([(2 + 2 * share) / 5, (0 + 2 * share) / 3])
    np.testing.assert_allclose(found.R[0], np.log(own / share))
    np.testing.assert_allclose(found.U[0], np.log((1 - own) / (1 - share)))
    np.testing.assert_allclose(found.prior, np.log([0.75, 0.25]))


def test_a_column_that_tells_nothing_says_nothing():
    found = ratios(np.array([[1.0, 3.0], [1.0, 3.0], [1.0, 3.0], [1.0, 3.0]]), [0, 0, 1, 1], 2)
    np.testing.assert_allclose(found.R, 0.0, atol=0.06)
    np.testing.assert_allclose(found.H, 0.0, atol=1e-9)


def test_a_value_speaks_for_the_diagnosis_whose_mean_it_is_near():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 400)
    found = ratios((rng.normal(size=800) + np.where(y == 0, 1.0, 3.0))[:, None], y.tolist(), 2)

    def says(x: float) -> np.ndarray:
        return x * found.R[0] + found.H[0]

    assert says(1.0)[0] > says(1.0)[1]
    assert says(3.0)[0] < says(3.0)[1]
    # Two normals a standard deviation of 1 and a distance of 2 apart: log ratio 2 at either mean.
    assert says(3.0)[1] - says(3.0)[0] == pytest.approx(2.0, abs=0.3)


def test_candidates_are_the_best_and_ties_take_the_first():
    X, y = many(60, 6, 20)
    stage = SMALL.fit(X, y).learned_.stage
    scores = np.array([[0.0, 5.0, 3.0, 3.0, 3.0, 1.0], [0.0] * 6])
    pairs = pairs_of(stage, clean_rows(X[:2]), scores, 3)
    assert pairs.candidates.tolist() == [[1, 2, 3], [0, 1, 2]]
    np.testing.assert_allclose(pairs.rest, np.log([1 + np.exp(3) + np.exp(1), 3.0]))


def test_the_loss_of_lists_is_that_of_all_diagnoses_and_its_slope_is_right():
    rng = np.random.default_rng(1)
    X, y = many(60, 6, 20)
    scores, added = rng.normal(size=(60, 6)), rng.normal(size=(60, 3))
    weight = rng.integers(1, 4, 60).astype(float)
    lists = Lists.of(pairs_of(SMALL.fit(X, y).learned_.stage, clean_rows(X), scores, 3), y, weight)
    whole = scores.copy()
    np.put_along_axis(whole, lists.pairs.candidates, lists.pairs.first + added, axis=1)
    # Truths that are no candidate share one place with all others that are none.
    others = np.logaddexp.reduce(np.where(whole == scores, scores, -np.inf), axis=1)
    own = np.where(lists.place >= 0, whole[np.arange(60), y], others)
    expected = np.average(np.logaddexp.reduce(whole, axis=1) - own, weights=weight)
    assert lists.loss(added) == pytest.approx(expected)
    slope = lists.objective()(added.ravel(), None)[0].reshape(60, 3)
    step = np.zeros((60, 3))
    step[7, 1] = 1e-6
    measured = (lists.loss(added + step) - lists.loss(added - step)) / 2e-6 * weight.sum()
    assert slope[7, 1] == pytest.approx(measured, abs=1e-5)


def test_who_is_no_candidate_keeps_the_score_of_the_first_stage():
    X, y = many(900, 12, 30)
    model = RankerModel(candidates=3, leaves=4, rounds=20).fit(X, y)
    found, scores = model.learned_, model.scores(X)
    assert found.trees is not None
    first = found.beta * found.stage.scores(clean_rows(X))
    outside = np.ones(scores.shape, dtype=bool)
    np.put_along_axis(outside, np.argsort(-first, axis=1, kind="stable")[:, :3], False, axis=1)
    np.testing.assert_array_equal(scores[outside], first[outside])
    assert not np.array_equal(scores[~outside], first[~outside])


def test_both_stages_find_what_is_there_and_the_probabilities_are_calibrated():
    X, y = many(1000, 40, 100, seed=3)
    model, scores = fit_with_cross_scores(RankerModel(rounds=30), X, y, folds=3)
    assert np.mean(scores.argmax(axis=1) == y) > 0.75
    assert fit_temperature(scores, y) == pytest.approx(1.0, abs=0.1)
    unseen, y_unseen = many(400, 40, 100, seed=3)
    assert log_loss(model.scores(unseen), y_unseen) < 1.0


def test_shares_hand_everything_down_and_stay_small():
    sources = np.array([[1.0, -1.0, 1e-9], [2.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    shares = _shares(sources)
    np.testing.assert_allclose(shares.sum(axis=1), [1.0, 1.0, 0.0])
    assert np.abs(shares).max() <= 11.0
    np.testing.assert_allclose(shares[1], [2 / 3, 1 / 3, 0.0])


def test_a_finding_that_is_all_the_case_has_gets_what_the_trees_add():
    X, y = many(900, 12, 30)
    model = RankerModel(candidates=3, leaves=4, rounds=20).fit(X, y)
    assert model.learned_.trees is not None
    case = sparse.csr_matrix(np.eye(1, 30))
    best = int(model.scores(case).argmax())
    parts = model.contributions(case, [best])
    np.testing.assert_allclose(parts.base + parts.phi.sum(-1), model.scores(case)[:, [best]], atol=1e-9)
    assert np.abs(parts.phi[0, 0]).argmax() == 0


@pytest.mark.parametrize("k", [250, 2])
def test_two_cases_a_diagnosis_are_enough_to_answer(k):
    X, y = many(2 * k, k, 60)
    model = RankerModel(rounds=2, candidates=5).fit(X, y)
    proba = model.predict_proba(X[:20])
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert np.isfinite(model.fit_cross(X, y, folds=2)).all()


def test_hostile_cohorts_are_answered(cohort):
    X, y = many(120, 4, 12)
    lone = np.where(np.arange(120) == 7, 99, y)
    assert RankerModel(rounds=2).fit(X, lone).predict_proba(X).shape == (120, 5)
    empty = sparse.csr_matrix((120, 12))
    proba = RankerModel(rounds=2).fit(empty, y).predict_proba(empty)
    np.testing.assert_allclose(proba, 0.25, atol=0.02)
    ones = np.ones((120, 3))
    np.testing.assert_allclose(RankerModel(rounds=2).fit(ones, y).predict_proba(ones), 0.25, atol=0.02)
    few = np.where(np.isin(np.arange(120), (3, 4, 7)), 1.0, 0.0)
    for learned in (RankerModel().fit(X, y, sample_weight=few), RankerModel(folds=2).fit(X, y, sample_weight=few)):
        assert learned.learned_.trees is None
        assert np.isfinite(learned.scores(X)).all()
    huge = np.where(np.arange(120)[:, None] == 3, 1e6, np.random.default_rng(0).normal(size=(120, 2)))
    assert np.isfinite(log_softmax(RankerModel(rounds=2).fit(huge, y).scores(huge))).all()


def test_a_diagnosis_without_a_case_is_suggested_where_the_table_says_so(tmp_path):
    X, y = many(300, 5, 18)
    # Two findings that tell nothing and seldom go together; the table knows a diagnosis where they do.
    X = sparse.hstack([X, np.random.default_rng(0).random((300, 2)) < 0.1], format="csr", dtype=float)
    names = np.array(["a", "b", "c", "d", "e"], dtype=object)[y]
    table = Knowledge(("new", "new"), (18, 19), (0.95, 0.95), (50.0, 50.0))
    model = RankerModel(rounds=4, knowledge=table).fit(X, names)
    assert model.classes_.tolist() == ["a", "b", "c", "d", "e", "new"]
    assert "logistic" not in model.weights_
    case = sparse.csr_matrix((np.ones(2), ([0, 0], [18, 19])), shape=(1, 20))
    assert model.predict(case)[0] == "new"
    assert model.predict_proba(X)[:, 5].mean() < 0.05
    model.to_files(tmp_path)
    loaded = RankerModel.from_files(tmp_path)
    np.testing.assert_array_equal(loaded.scores(X), model.scores(X))
    assert loaded.knowledge == table


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ((("a",), (0, 1), (0.5,), (1.0,)), "one entry a row"),
        ((("a",), (0,), (1.5,), (1.0,)), "first in row 0"),
        ((("a",), (0,), (0.5,), (0.0,)), "first in row 0"),
    ],
)
def test_a_wrong_table_is_refused(fields, says):
    with pytest.raises(InputError, match=says):
        Knowledge(*fields)


def test_a_table_of_other_columns_is_refused():
    X, y = many(60, 3, 20)
    with pytest.raises(InputError, match="from 0 to 19"):
        RankerModel(knowledge=Knowledge((7,), (20,), (0.5,), (1.0,))).fit(X, y)
    with pytest.raises(InputError, match="the same type"):
        RankerModel(knowledge=Knowledge(("new",), (2,), (0.5,), (1.0,))).fit(X, y)


def test_options_out_of_range_are_refused(cohort):
    cases = cohort()
    for option in ({"candidates": 1}, {"smoothing": 0.0}, {"logistic": "exakt"}):
        with pytest.raises(InputError, match=next(iter(option))):
            RankerModel(**option).fit(cases.X, cases.y)


@pytest.mark.parametrize("logistic", ["exact", "batches", "none"])
def test_the_logistic_part_is_found_by_either_way(logistic):
    X, y = many(1500, 5, 30)
    model = RankerModel(rounds=4, logistic=logistic).fit(X, y)
    assert ("logistic" in model.weights_) == (logistic != "none")
    found = model.learned_.stage.evidence.logistic
    if found is not None:
        assert np.mean((X @ found.coef + found.intercept).argmax(axis=1) == y) > 0.85


def test_features_have_one_name_each():
    X, y = many(60, 6, 20)
    pairs = pairs_of(SMALL.fit(X, y).learned_.stage, clean_rows(X), np.zeros((60, 6)), 3)
    assert pairs.features.shape == (60, 3, len(FEATURES))
    assert np.isfinite(pairs.features).all()
