"""What to ask next: gains that are information, chances from training, nothing recorded or unfit, and a stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse
from scipy.stats import entropy
from tests.small import small_records

from diagnosis.errors import InputError
from diagnosis.explanation import AnswerCounts
from diagnosis.explanation.next_questions import information_gain
from diagnosis.records import Case, Finding
from diagnosis.suggestions import Diagnoser, load_bundle, simulate_workup
from diagnosis.suggestions.askable import Measured, askable, phase_of
from diagnosis.suggestions.questions import by_worth, case_gains, enough
from diagnosis.vocabulary import Vocabulary

shares = st.floats(1 / 128, 1.0, width=32).map(float)
COUGH = Case([Finding("cough"), Finding("LOINC:8310-5", value=39.4, unit="Cel")], age_years=4)


@settings(deadline=None, max_examples=30)
@given(arrays(np.float64, (3, 2), elements=shares), arrays(np.float64, (3, 2, 4), elements=shares))
def test_gain_is_the_entropy_that_an_answer_takes_away(chance: np.ndarray, proba: np.ndarray) -> None:
    chance, proba = chance / chance.sum(axis=1, keepdims=True), proba / proba.sum(axis=2, keepdims=True)
    found = information_gain(chance, proba)
    assert (found >= 0).all()
    mixture = np.einsum("qo,qod->qd", chance, proba)
    left = (chance * entropy(proba, axis=2)).sum(axis=1)
    np.testing.assert_allclose(found.sum(axis=1), entropy(mixture, axis=1) - left, atol=1e-9)
    same = np.repeat(proba[:, :1], 2, axis=1)
    np.testing.assert_allclose(information_gain(chance, same), 0.0, atol=1e-12)


def test_chances_by_hand(tmp_path: Path) -> None:
    # Columns: present, absent, a value. Ten cases of one diagnosis, none of the other has the finding.
    X = sparse.csr_matrix(np.array([[1, 0, 0.5]] * 8 + [[0, 1, -0.5]] * 2 + [[0, 1, 0]] * 10))
    y = np.repeat([0, 1], 10)
    sex = np.array(["female"] * 10 + ["male"] * 10, dtype=object)
    counts = AnswerCounts.of(X, y, 2, np.array([False, False, True]), {"sex": sex})
    given_ = counts.given(np.array([[1, 0]]))
    overall = 8.5 / 21
    np.testing.assert_allclose(given_[:, 0, 1], [(8 + 2 * overall) / 12, 2 * overall / 12])
    np.testing.assert_allclose(given_.sum(axis=2), 1.0)
    # Where absent is never written down, a case without the finding counts as absent.
    np.testing.assert_allclose(counts.given(np.array([[-1, 0]])), given_)
    assert counts.never_in(["sex:male"], [np.array([0]), np.array([1])], 5).tolist() == [True, False]
    assert counts.never_in(["sex:male"], [np.array([0])], 11).tolist() == [False]
    for name in ("one", "two"):
        counts.to_file(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    back = AnswerCounts.from_file(tmp_path / "one")
    assert back.groups == counts.groups
    np.testing.assert_array_equal(back.given(np.array([[1, 0]])), given_)


def test_gain_of_a_question_is_that_of_its_scored_answers(linear_diagnoser: Diagnoser) -> None:
    asked = linear_diagnoser.suggest(COUGH)
    first = asked.next_questions()[0]
    after = np.stack([asked.what_if(add=Finding(first.code, s)).after.proba for s in ("absent", "present")])
    gain = information_gain(np.array([first.chances]), after[None])
    assert first.gain == pytest.approx(float(gain.sum()), abs=1e-6)
    assert sum(first.chances) == pytest.approx(1.0)
    # It separates the two that the answers move most in opposite directions, and says which of them is not listed.
    moved = after[1] - after[0]
    classes = linear_diagnoser.classes_
    assert first.separates == (classes[moved.argmax()], classes[moved.argmin()])
    assert first.beyond == (False, False)
    for question in linear_diagnoser.suggest(COUGH, top=1).next_questions(9):
        shown = linear_diagnoser.suggest(COUGH, top=1)[0].diagnosis
        assert question.beyond == tuple(one != shown for one in question.separates)
        assert question.why().count("(not on this list)") == sum(question.beyond) == question.why("zh").count("未列出")


def test_only_what_is_not_recorded_and_fit_is_asked(linear_diagnoser: Diagnoser) -> None:
    asked = linear_diagnoser.suggest(COUGH)
    codes = {q.code for q in asked.next_questions(20)}
    assert {"stiff_neck", "rash", "family/asthma_history"} <= codes
    assert not codes & {"cough", "LOINC:8310-5", "LOINC:2345-7", "age", "sex"}
    with_tests = {q.code: q.phase for q in asked.next_questions(20, tests=True)}
    assert with_tests["LOINC:2345-7"] == "laboratory"
    assert {q.phase for q in asked.next_questions(phases=["examination"])} == {"examination"}
    with pytest.raises(InputError, match="examination"):
        asked.next_questions(phases=["examinaton"])


def test_words_are_information_and_no_order(linear_diagnoser: Diagnoser) -> None:
    found = linear_diagnoser.suggest(COUGH).next_questions(2)
    assert str(found).splitlines()[0] == "Would most change this list"
    assert all("would separate" in line for line in str(found).splitlines()[1:3])
    assert found.words("zh").splitlines()[0] == "最可能改变本列表的信息"
    assert not {"should", "must", "please", "order"} & set(str(found).casefold().split())


def test_a_finding_s_phase_comes_from_the_vocabulary() -> None:
    words = Vocabulary.from_rows(
        [
            {"code": "spots", "kind": "sign"},
            {"code": "biopsy", "kind": "pathology"},
            {"code": "pulse", "kind": "laboratory", "phase": "bedside"},
            {"code": "hidden", "kind": "sign", "askable": False},
        ]
    )
    found = [phase_of(words, code, measured=False) for code in ("spots", "biopsy", "pulse", "hidden", "free")]
    assert found == ["examination", "pathology", "bedside", None, "history"]
    assert phase_of(words, "free", measured=True) == "laboratory"


def test_severity_weighs_and_cost_divides(linear_diagnoser: Diagnoser) -> None:
    asked = linear_diagnoser.suggest(COUGH)
    row, able = linear_diagnoser.encoder_.transform(asked.records), askable(linear_diagnoser)
    keys = np.flatnonzero(able.sheet.in_words & (able.phase == "examination"))
    gains = case_gains(linear_diagnoser, row, asked.proba, keys, Measured(asked.records, linear_diagnoser.encoder_))
    for k in range(len(linear_diagnoser.classes_)):
        only = np.eye(len(linear_diagnoser.classes_))[k]
        assert by_worth(gains, able, only)[0] == gains.by_diagnosis[:, k].argmax()


@settings(deadline=None, max_examples=40)
@given(arrays(np.float64, 5, elements=shares), st.floats(0, 1), st.floats(0.5, 1))
def test_no_stop_while_a_must_not_miss_diagnosis_is_flagged(
    linear_diagnoser: Diagnoser, drawn: np.ndarray, gain: float, sure: float
) -> None:
    proba = drawn**6 / (drawn**6).sum()
    at, flag_at = linear_diagnoser.classes_.tolist().index("G00.9"), linear_diagnoser.calibration_.flag_at
    assert np.isfinite(flag_at).tolist() == [code == "G00.9" for code in linear_diagnoser.classes_]
    is_first_and_sure = proba.argmax() == at and proba[at] >= sure
    if proba[at] >= flag_at[at] and not is_first_and_sure:
        assert enough(linear_diagnoser, proba, gain, sure) is None
    if enough(linear_diagnoser, proba, gain, sure) == "sure":
        assert proba.max() >= sure


def test_it_is_not_enough_while_something_dangerous_is_flagged(linear_diagnoser: Diagnoser) -> None:
    classes = linear_diagnoser.classes_.tolist()
    proba, dangerous = np.full(len(classes), 0.001), classes.index("G00.9")
    proba[classes.index("J11.1")] = 0.97
    assert enough(linear_diagnoser, proba, 0.5) == "sure"
    proba[dangerous] = linear_diagnoser.calibration_.flag_at[dangerous]
    assert enough(linear_diagnoser, proba, 0.0) is None
    proba[:] = 0.2
    proba[dangerous] = 0.0
    assert enough(linear_diagnoser, proba, 0.0) == "little"


def test_a_saved_model_asks_the_same_and_an_older_one_says_why_not(linear_diagnoser: Diagnoser, tmp_path: Path) -> None:
    linear_diagnoser.save(tmp_path / "model")
    back = load_bundle(tmp_path / "model")
    assert back.suggest(COUGH).next_questions().to_json() == linear_diagnoser.suggest(COUGH).next_questions().to_json()
    back.answers_ = None
    with pytest.raises(InputError, match="fit and save it again"):
        back.suggest(COUGH).next_questions()


def test_a_workup_gets_surer_with_every_answer(linear_diagnoser: Diagnoser) -> None:
    records = small_records(30, seed=21)
    found = simulate_workup(linear_diagnoser, records, max_questions=4)
    assert found.top1[-1] > found.top1[0]
    assert found.log_loss[-1] < found.log_loss[0]
    assert (np.diff(found.going_on) <= 0).all()
    assert found.going_on[-1] == 0.0
    assert ((found.n_questions < 4) == (found.stopped != "most")).all()
    denied = simulate_workup(linear_diagnoser, records, max_questions=4, unrecorded="absent")
    assert denied.to_frame().shape == (5, 4)
    with pytest.raises(InputError, match="max_questions"):
        simulate_workup(linear_diagnoser, records, max_questions=0)
