"""What to ask next: gains that are information, chances from training, nothing recorded or unfit, and a stop."""

from __future__ import annotations

from dataclasses import replace
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
from diagnosis.explanation.next_questions import LEAST_NAMED, information_gain, most_moved
from diagnosis.records import OTHER, Case, Finding
from diagnosis.suggestions import Diagnoser, load_bundle, simulate_workup
from diagnosis.suggestions.askable import Measured, askable, phase_of
from diagnosis.suggestions.questions import Question, by_worth, case_gains, enough
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
    # It separates what the answer moves most, times its chance, and says which of the two is not listed.
    moved = np.array(first.chances)[:, None] * (after - asked.proba)
    answer, classes = moved.max(axis=1).argmax(), linear_diagnoser.classes_
    assert first.separates == (classes[moved[answer].argmax()], classes[moved[answer].argmin()])
    assert first.favoured_by == ("absent", "present")[answer]
    assert first.beyond == (False, False)
    for question in linear_diagnoser.suggest(COUGH, top=1).next_questions(9):
        shown = linear_diagnoser.suggest(COUGH, top=1)[0].diagnosis
        assert question.beyond == tuple(one != shown for one in question.separates)
        assert question.why().count("(not on this list)") == sum(question.beyond) == question.why("zh").count("未列出")


@settings(deadline=None, max_examples=100)
@given(
    arrays(np.float64, 3, elements=st.floats(0, 1, width=32).map(float)),
    arrays(np.float64, (4, 5), elements=shares),
    st.integers(1, 6),
)
def test_what_an_answer_is_said_to_move_it_moves(chance: np.ndarray, drawn: np.ndarray, power: int) -> None:
    # High powers leave most diagnoses under 1 %.
    before, *after = drawn**power / (drawn**power).sum(axis=1, keepdims=True)
    answer, up, down = most_moved(chance, before, np.array(after))
    move = chance[:, None] * (np.array(after) - before)
    move[np.maximum(np.array(after), before) < LEAST_NAMED] = 0.0
    for place, sign in ((up, 1), (down, -1)):
        if place is not None:
            assert sign * after[answer][place] > sign * before[place]
            assert max(after[answer][place], before[place]) >= LEAST_NAMED
            assert sign * move[answer, place] == (sign * move[answer]).max()
    # Two are named wherever some answer moves two apart: those of the answer with the largest gain.
    apart = (move.max(axis=1) > 1e-9) & (move.min(axis=1) < -1e-9)
    assert (up is not None and down is not None) == apart.any()
    if apart.any():
        assert move[answer].max() == move[apart].max()


def test_words_of_an_answer_are_true_of_the_changed_list() -> None:
    diagnoser = Diagnoser(model="linear", folds=2).fit(small_records(160, seed=3, rare=25))
    classes, said = diagnoser.classes_.tolist(), []
    for one in diagnoser.suggest(small_records(25, seed=9, rare=5), top=3):
        for question in one.next_questions(6):
            if question.favoured_by not in ("present", "absent") or "/" in question.code:
                continue
            after = one.what_if(add=Finding(question.code, question.favoured_by)).after.proba
            (up, was_up), (down, was_down) = (
                (classes.index(c), one.proba[classes.index(c)]) for c in question.separates
            )
            assert after[up] > was_up
            assert after[down] < was_down
            assert min(max(after[up], was_up), max(after[down], was_down)) >= LEAST_NAMED
            assert not any(b for b, c in zip(question.beyond, question.separates, strict=True) if c == OTHER)
            if OTHER in question.separates:
                said.append((question.favoured_by, question.why(), question.why("zh")))
    assert {found[0] for found in said} == {"present", "absent"}
    for answer, en, zh in said:
        assert en.startswith(f"if {answer}, would raise ")
        assert "“none of the listed”" in en
        assert zh.startswith({"present": "若有", "absent": "若无"}[answer])
        assert "“不在所列诊断之中”" in zh


def test_little_is_said_of_answers_that_move_one_or_none() -> None:
    question = Question("x", "x", "x", None, None, "history", 0.0, ("A",), None, (False,), (("a", "甲"),), (), ())
    assert question.why() == "would change how likely a is"
    question = replace(question, separates=(), beyond=(), separates_names=())
    assert question.why("zh") == "不会改变任何概率在 1% 以上的诊断"
    same = np.full((2, 3), 1 / 3)
    assert most_moved(np.array([0.5, 0.5]), same[0], same)[1:] == (None, None)


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
