"""Cases of diagnoses that were never trained on leave more over than others, and the alarms are as declared."""

from __future__ import annotations

import json

import numpy as np
from scipy import sparse
from sklearn.metrics import roc_auc_score
from tests.small import small_records

from diagnosis.models import softmax
from diagnosis.models.unlisted import Habits, Unlisted, learn_unlisted
from diagnosis.suggestions import Diagnoser, load_bundle

TYPICAL = np.kron(np.eye(6), np.ones(3))  # three findings of each of six diagnoses; the last is never trained on
ALL_TOLD = np.ones(18, bool)


def cohort(n: int, seed: int) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """Findings, diagnoses, and the scores of a model that knows five of the six."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 6, n)
    X = sparse.csr_matrix((rng.random((n, 18)) < 0.1 + 0.6 * TYPICAL[y]).astype(float))
    return X, y, np.asarray(X @ (3.0 * TYPICAL[:5].T))


def habits(X: sparse.csr_matrix, y: np.ndarray) -> Habits:
    having = np.array([np.asarray(X[np.flatnonzero(y == k)].sum(axis=0)).ravel() for k in range(5)])
    return Habits.of(having, np.bincount(y, minlength=5).astype(float), ALL_TOLD)


def test_unseen_diagnoses_are_told_better_than_by_the_largest_probability_and_alarms_are_as_declared():
    X, y, s = cohort(3000, seed=0)
    known = np.flatnonzero(y < 5)
    usual = habits(X[known], y[known])
    rule = learn_unlisted(s[known], y[known], X[known], usual, 0.05)
    assert rule is not None
    new, truth, scores = cohort(3000, seed=1)
    left, unseen = rule.score(usual.signals(softmax(scores), new)), truth == 5
    assert abs((left[~unseen] > rule.at).mean() - 0.05) < 0.02
    assert (left[unseen] > rule.at).mean() > 0.25
    assert roc_auc_score(unseen, left) > roc_auc_score(unseen, -softmax(scores).max(axis=1))
    assert Unlisted.from_json(json.loads(json.dumps(rule.to_json()))) == rule


def test_a_case_taken_out_of_the_counts_is_as_if_never_counted():
    X, y, s = cohort(300, seed=2)
    known = np.flatnonzero(y < 5)
    X, y, proba = X[known], y[known], softmax(s[known])
    others = np.arange(1, len(y))
    base = habits(X, y).base
    without = Habits.of(
        np.array([np.asarray(X[others[y[others] == k]].sum(axis=0)).ravel() for k in range(5)]),
        np.bincount(y[others], minlength=5).astype(float),
        ALL_TOLD,
    )
    # The share among all cases keeps the case: one of hundreds.
    one = habits(X, y).signals(proba[:1], X[:1], y[:1])
    np.testing.assert_allclose(one, without.signals(proba[:1], X[:1]), atol=0.05)
    assert np.abs(base - without.base).max() < 0.01


def test_too_few_cases_or_diagnoses_give_no_rule():
    X, y, s = cohort(150, seed=3)
    known = np.flatnonzero(y < 5)
    assert learn_unlisted(s[known], y[known], X[known], habits(X[known], y[known]), 0.05) is None


def test_a_diagnoser_flags_a_disease_it_was_not_shown_and_its_bundle_does_too(tmp_path):
    records = small_records(700, seed=31)
    shown, hidden = (np.flatnonzero((records.y == "J45.9") == one) for one in (False, True))  # asthma
    diagnoser = Diagnoser(model="linear", folds=2).fit(records[shown[:400]])
    new = {"shown": records[shown[400:480]], "hidden": records[hidden[:40]]}
    answered = {name: diagnoser.suggest(cases) for name, cases in new.items()}
    share = {
        name: np.mean(["unlisted" in {f.kind for f in one.flags} for one in answers])
        for name, answers in answered.items()
    }
    assert share["shown"] < 0.12
    assert share["hidden"] > 3 * share["shown"]
    again = load_bundle(diagnoser.save(tmp_path / "model"))
    assert [one.flags for one in again.suggest(new["hidden"][:10])] == [one.flags for one in answered["hidden"][:10]]
    page = next(one for one in answered["hidden"] if "unlisted" in {f.kind for f in one.flags})
    assert "it may be none of these" in page.to_html()
    assert "可能不在列表之内" in page.to_html("zh")
    np.testing.assert_allclose(diagnoser.predict_proba(records).sum(axis=1), 1.0)
