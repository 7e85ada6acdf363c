"""Diagnoses that cases have beside their own: laws that every model keeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from diagnosis.errors import DiagnosisWarning, InputError
from diagnosis.models import BoostedModel, HybridModel, LinearModel, RankerModel, fit_with_cross_scores, softmax
from diagnosis.models.also import also_lists, also_matrix, learned, shut_copy
from diagnosis.models.batches import in_memory
from diagnosis.models.booster import Beside, _start_loss, warn_if_diverged
from diagnosis.models.crossfit import is_better
from diagnosis.models.hybrid_fit import _calibrated, blend_weights
from diagnosis.models.monotone import held_down
from diagnosis.models.ranker import Knowledge
from diagnosis.models.ranker.first_stage import stage_weights
from diagnosis.models.ranker.learning import _pairs, _tally, _temperature, whole_stage
from diagnosis.models.ranker.logistic import fit_logistic
from diagnosis.models.ranker.pairs import FEATURES, Pairs
from diagnosis.models.ranker.rerank import Lists, stack_lists
from diagnosis.models.validation import TrainingSet, check_training

FEW_TREES = BoostedModel(rounds=10, min_cases_leaf=2, early_stopping=0)
RESIDUAL = HybridModel(boosted=FEW_TREES, folds=2, residual=True)


@pytest.fixture(params=["linear", "boosted", "hybrid", "ranker", "residual", "one part", "residual part", "batches"])
def model(request, named_model):
    """A model of each kind, and the other ways some of them learn."""
    other = {
        "residual": RESIDUAL,
        "one part": HybridModel(boosted=FEW_TREES, folds=1),
        "residual part": HybridModel(boosted=FEW_TREES, folds=1, residual=True),
        "batches": RankerModel(rounds=8, leaves=4, candidates=3, logistic="batches"),
    }
    return other.get(request.param) or named_model(request.param)


def two_at_once(n: int = 240) -> tuple[sparse.csr_matrix, np.ndarray, list[list[str]], np.ndarray]:
    """Cases of a, b and c; every second case of a shows the finding of b as well, and has b beside a."""
    rng = np.random.default_rng(5)
    y = np.array(["a", "b", "c"])[np.arange(n) % 3]
    both = (y == "a") & (rng.random(n) < 0.5)
    signs = np.column_stack([y == "a", (y == "b") | both, y == "c"])
    X = np.where(signs, rng.random((n, 3)) < 0.9, rng.random((n, 3)) < 0.1).astype(float)
    return sparse.csr_matrix(X), y, [["b"] if one else [] for one in both], both


def test_a_case_is_no_evidence_against_what_it_has_too(model):
    X, y, also, both = two_at_once()
    (_, without), (told, with_) = (fit_with_cross_scores(model, X, y, also=beside, folds=3) for beside in (None, also))
    known = both & ~np.isnan(without).any(axis=1)
    before, after = (softmax(scores[known])[:, 1].mean() for scores in (without, with_))
    assert after > 1.3 * before
    assert np.isfinite(told.scores(X)).all()  # nothing is shut where a case is answered
    alone = told.predict_proba(sparse.csr_matrix(np.eye(3)))
    assert alone.argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("also", [[[]] * 240, [{"another"}, *[()] * 239], [[one] for one in two_at_once()[1]]])
@pytest.mark.parametrize("name", ["linear", "boosted", "hybrid", "ranker"])
def test_nothing_beside_a_case_is_as_if_it_were_not_said(name, named_model, also, tmp_path):
    X, y, _, _ = two_at_once()
    for place, beside in (("said", also), ("unsaid", None)):
        named_model(name).fit(X, y, also=beside).to_files(tmp_path / place)
    said, unsaid = ({f.name: f.read_bytes() for f in (tmp_path / p).iterdir()} for p in ("said", "unsaid"))
    assert said == unsaid


def test_only_cases_that_weigh_speak_of_what_they_have_too(model):
    """The way that cases with further diagnoses are learned from ends where the other does."""
    X, y, also, both = two_at_once()
    weight = np.where(both, 0.0, 1.0)
    fits = [learned(copy_of(model).fit, X, y, sample_weight=weight, also=beside) for beside in (None, also)]
    np.testing.assert_allclose(fits[1].scores(X), fits[0].scores(X), rtol=0, atol=2e-3)


def copy_of(model):
    return type(model)(**model.get_params(deep=False))


@pytest.mark.parametrize("start", [None, "large"])
def test_a_case_with_everything_else_beside_it_says_nothing_to_the_linear_model(start, monkeypatch):
    """Nothing is left for it to be told from: whatever it shows, and however often, the coefficients stay."""
    if start:
        monkeypatch.setattr("diagnosis.models.linear_fit.LARGE_WORK", 1)
    X, y, also, _ = two_at_once()
    odd = sparse.csr_matrix(np.tile([0.0, 1.0, 1.0], (150, 1)))
    more = sparse.vstack([X, odd], format="csr"), np.concatenate([y, ["a"] * 150]), [*also, *[("b", "c")] * 150]
    model = LinearModel(tol=1e-8)
    few, many = model.fit(X, y, also=also), LinearModel(tol=1e-8).fit(more[0], more[1], also=more[2])
    np.testing.assert_allclose(many.coef_, few.coef_, rtol=0, atol=1e-5)
    np.testing.assert_allclose(many.intercept_, few.intercept_, rtol=0, atol=1e-5)
    read_again = LinearModel(tol=1e-8).fit(in_memory(more[0], 3), more[1], also=more[2])
    np.testing.assert_allclose(read_again.coef_, few.coef_, rtol=0, atol=1e-5)
    W, rule = np.vstack([few.coef_.T, few.intercept_]), np.array([[False, True, False]])
    sides = checked(X, y, also), checked(*more)
    held = [held_down(cases, rule, [0], W, 1.0, 1e-8) for cases in sides]
    np.testing.assert_allclose(held[1], held[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["linear", "boosted", "hybrid"])
def test_new_cases_are_no_negatives_of_what_they_have_too_either(name, named_model):
    X, y, also, both = two_at_once()
    fitted = named_model(name).fit(X[:120], y[:120], also=also[:120])
    told, plain = (fitted.update(X[120:], y[120:], also=beside) for beside in (also[120:], None))
    assert told.predict_proba(X[both])[:, 1].mean() > plain.predict_proba(X[both])[:, 1].mean()


def test_a_diagnosis_known_from_a_table_alone_may_be_beside_a_case():
    X, y, _, _ = two_at_once()
    knowledge = Knowledge(("told",), (1,), (0.9,), (20.0,))
    also = [["told"] if one == "b" else [] for one in y]
    fits = [RankerModel(rounds=4, candidates=4, knowledge=knowledge).fit(X, y, also=one) for one in (also, None)]
    told, plain = (fit.predict_proba(X[y == "b"])[:, 3].mean() for fit in fits)
    assert fits[0].classes_.tolist() == ["a", "b", "c", "told"]
    assert told > plain


def checked(X, y, also) -> TrainingSet:
    return check_training(LinearModel(), X, y, None, None, also)


def misled() -> tuple[TrainingSet, np.ndarray]:
    """Cases of a that have b as well, and scores of most of them that put b first."""
    scores = np.tile([2.0, 4.0, 0.0], (66, 1))
    scores[:6], scores[60:] = [0.0, 4.0, 2.0], [0.0, 0.0, 4.0]
    X = sparse.csr_matrix(scores[:, :1])
    return checked(X, ["a"] * 60 + ["b", "c"] * 3, [["b"]] * 60 + [[]] * 6), scores


def test_weights_and_temperatures_do_not_count_it_as_wrong():
    """Scores that put first what a case has too are right: they are kept, and not flattened."""
    cases, scores = misled()
    kept, y, also, plain = scores.copy(), cases.y, cases.also, replace(cases, also=None)
    rows = [np.arange(66)]
    assert _temperature([scores], rows, cases) > _temperature([scores], rows, plain)
    weights = [blend_weights(scores, np.zeros_like(scores), y, np.ones(66), one)[0] for one in (also, None)]
    assert weights[0] > weights[1]
    weights = [stage_weights([scores, np.zeros_like(scores)], y, np.ones(66), one)[0] for one in (also, None)]
    assert weights[0] > weights[1]
    (heat, loss), (heat_before, loss_before) = (_calibrated(scores.copy(), one) for one in (cases, plain))
    assert heat > heat_before
    assert loss < loss_before
    assert is_better(scores, np.zeros_like(scores), cases)
    assert not is_better(scores, np.zeros_like(scores), plain)
    np.testing.assert_array_equal(scores, kept)
    assert softmax(shut_copy(scores, also))[:60, 1].max() == 0


def test_trees_are_not_said_to_diverge_for_what_a_case_has_too():
    cases, _ = misled()

    class Says:
        def raw_scores(self, X, n_jobs):
            return np.where(cases.y[:, None] == 0, [3.0, 6.0, 0.0], 6.0 * np.eye(3)[cases.y])

    plain = replace(cases, also=None)
    warn_if_diverged(Says(), Beside(cases), 1)
    with pytest.warns(DiagnosisWarning, match="diverged"):
        warn_if_diverged(Says(), Beside(plain), 1)
    assert _start_loss(Beside(cases)) < _start_loss(Beside(plain))


@pytest.mark.parametrize("kind", ["exact", "batches"])
def test_the_stages_of_the_ranker_learn_nothing_where_nothing_is_to_be_told_apart(kind):
    X, y, _, _ = two_at_once()
    logistic = fit_logistic(kind, checked(X, y, [("a", "b", "c")] * 240), 1.0, 0)
    assert np.abs(logistic.coef).max() < 1e-4
    # Two candidates of three: the case's own, one that it has too, and the third, which is no candidate.
    pairs = Pairs(np.array([[1, 0]]), np.array([[3.0, 1.0]]), np.array([-1e9]), np.zeros((1, 2, len(FEATURES))))
    lists = Lists.of(pairs, np.array([0]), np.ones(1), also_matrix([["b"]], np.array(["a", "b", "c"]), np.array([0])))
    joined = stack_lists([lists.take(np.array([0])), lists])
    assert joined.loss(np.zeros((2, 2))) == 0
    gradient, curvature = joined.objective()(np.zeros(4), None)
    assert not gradient.any()
    assert not curvature.any()


def test_what_a_case_has_too_is_not_among_the_rest_of_its_list_either():
    X, y, _, _ = two_at_once()
    cases, no_values = checked(X, y, None), np.arange(0)
    stage = whole_stage(_tally(cases, no_values), None, np.ones(3), no_values, 2.0, None)
    scores = stage.scores(cases.X[:1])
    third = int(scores[0].argmin())
    also = sparse.csr_matrix(np.eye(3)[[third]])
    with_, without = (_pairs(stage, cases.X[:1], scores, 2, one) for one in (also, None))
    assert with_.rest[0] < -1e8 < without.rest[0]
    np.testing.assert_array_equal(with_.first, without.first)
    np.testing.assert_array_equal(with_.features, without.features)


def test_lists_and_matrix_say_the_same():
    classes, own = np.array(["a", "b", "c"]), np.array([0, 1, 2])
    lists = [["b", "a", "?", "b"], (), {"a", "b"}]
    matrix = also_matrix(lists, classes, own)
    assert also_lists(matrix, classes) == [["b"], [], ["a", "b"]]
    with pytest.raises(InputError, match="one collection of diagnoses for each of 3 cases"):
        also_matrix([["b"]], classes, own)


def test_a_model_that_does_not_ask_for_it_learns_as_before():
    class Plain(LinearModel):
        def fit(self, X, y, *, sample_weight=None, groups=None):
            return super().fit(X, y, sample_weight=sample_weight, groups=groups)

    X, y, also, _ = two_at_once(60)
    fits = [fit_with_cross_scores(Plain(), X, y, also=one, folds=2) for one in (also, None)]
    np.testing.assert_array_equal(fits[0][0].coef_, fits[1][0].coef_)
    np.testing.assert_array_equal(fits[0][1], fits[1][1])
