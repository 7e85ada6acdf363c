"""`Questions`: which answers would most change a case's list, and why. Never an order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from diagnosis.errors import InputError
from diagnosis.explanation.answered_rows import Kin
from diagnosis.explanation.next_questions import Gains, Scorer, gains_of, most_moved
from diagnosis.models.calibration import softmax
from diagnosis.models.scoring import scores_near
from diagnosis.pages.numbers import share_text
from diagnosis.pages.translations import phrase
from diagnosis.records import OTHER
from diagnosis.suggestions.answers import probabilities_of
from diagnosis.suggestions.askable import WITHOUT_TESTS, Askable, Measured, askable, fit_for
from diagnosis.suggestions.kin import kin_of

if TYPE_CHECKING:
    from diagnosis.suggestions.diagnoser import Diagnoser
    from diagnosis.suggestions.differential import Differential
    from diagnosis.vocabulary import Vocabulary

__all__ = ["Question", "Questions", "by_worth", "case_gains", "enough", "next_questions", "weights_of"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Enough = Literal["sure", "little"]

# A sure list, or nothing left that would tell: further questions are not offered as worth asking.
SURE = 0.95
LEAST_GAIN = 0.01


@dataclass(frozen=True, slots=True)
class Question:
    """A finding that is not recorded, and what its answer would tell.

    Parameters
    ----------
    code : str
        ``subject/CODE`` for another subject than the patient.
    name, name_zh : str
    question, question_zh : str or None
        How the vocabulary asks for it.
    phase : str
        ``history``, ``examination``, ``bedside``; of tests ``laboratory``, ``imaging`` or ``pathology``.
    gain : float, nats
        Expected gain of information over all diagnoses, not weighted.
    separates : tuple of str
        The diagnosis whose probability rises most with an answer, times the chance of that answer, and the one that
        falls most with the same answer; each may be `OTHER`, and none is under 1 % both with and without the answer.
        One diagnosis where no answer moves two of these apart, none where none is moved. `separates_names` are their
        names in English and Chinese.
    favoured_by : str or None
        The answer with which the first of two rises and the second falls: ``present``, ``absent``, ``text``, or of a
        measured value ``low``, ``middle``, ``high``; None where there are not two.
    beyond : tuple of bool
        Which of them are not on the shown list; the words say so. The list shows `OTHER` on a line of its own.
    chances : tuple of float
        How likely each answer is: absent, present, then texts; of a measured value low, middle, high.
    first_after : tuple of (str, float) or None
        The first diagnosis of the list after each answer, and its probability; None where there is no such answer.
    """

    code: str
    name: str
    name_zh: str
    question: str | None
    question_zh: str | None
    phase: str
    gain: float
    separates: tuple[str, ...]
    favoured_by: str | None
    beyond: tuple[bool, ...]
    separates_names: tuple[tuple[str, str], ...] = field(repr=False)
    chances: tuple[float, ...] = field(repr=False)
    first_after: tuple[tuple[str, float] | None, ...] = field(repr=False)

    def why(self, lang: str = "en") -> str:
        """Which two diagnoses the answer would separate, or which answer would raise or lower `OTHER`, in words."""
        named = [
            phrase("questions.beyond", lang, {"name": names[lang == "zh"]}) if beyond else names[lang == "zh"]
            for names, beyond in zip(self.separates_names, self.beyond, strict=True)
        ]
        if len(named) < 2:
            return phrase("questions.moves" if named else "questions.moves.none", lang, {"one": "".join(named)})
        key = f"questions.raise.{self.favoured_by}" if OTHER in self.separates else "questions.why"
        return phrase(key, lang, {"one": named[0], "two": named[1]})

    def to_json(self) -> dict[str, Any]:
        """The question as plain values."""
        return {
            "code": self.code,
            "phase": self.phase,
            "gain": self.gain,
            "separates": list(self.separates),
            "favoured_by": self.favoured_by,
            "beyond_list": list(self.beyond),
            "chances": list(self.chances),
            "first_after": [None if one is None else list(one) for one in self.first_after],
        }


@dataclass(frozen=True, slots=True)
class Questions:
    """The answers that would most change a list, those that would change it most first; a sequence of `Question`.

    Parameters
    ----------
    questions : tuple of Question
    enough : {"sure", "little"} or None
        Why no further question seems worth asking: the first diagnosis is sure, or no answer would tell much. None
        where some do, and always while a must-not-miss diagnosis stands at or above the probability from which it is
        flagged, unless it is the first and sure. Questions are listed all the same.
    """

    questions: tuple[Question, ...]
    enough: Enough | None

    def __len__(self) -> int:
        return len(self.questions)

    def __iter__(self) -> Iterator[Question]:
        return iter(self.questions)

    def __getitem__(self, place: int) -> Question:
        return self.questions[place]

    def __str__(self) -> str:
        return self.words()

    def words(self, lang: str = "en") -> str:
        """The list in words, in English (``en``) or Chinese (``zh``)."""
        rows = []
        for one in self.questions:
            name = one.name_zh if lang == "zh" else one.name
            name += phrase("parenthesis", lang, {"text": phrase(f"phase.{one.phase}", lang)})
            rows.append(f"  {name}{phrase('colon', lang)}{one.why(lang)}")
        head = [phrase("questions.title" if self.questions else "questions.none", lang)]
        last = [phrase(f"questions.{self.enough}", lang, {"sure": share_text(SURE, lang)})] if self.enough else []
        return "\n".join([*head, *rows, *last])

    def to_json(self) -> dict[str, Any]:
        """The questions as plain values."""
        return {"questions": [one.to_json() for one in self.questions], "enough": self.enough}


def next_questions(
    differential: Differential, k: int = 5, phases: Iterable[str] = WITHOUT_TESTS, *, tests: bool = False
) -> Questions:
    """Say which answers would most change a list; see `Differential.next_questions`."""
    if k < 1:
        raise InputError("at least one question", f"k is {k}", "ask for 1 or more")
    diagnoser, case = differential.diagnoser, differential.records
    able, row = askable(diagnoser), differential.row
    row = diagnoser.encoder_.transform(case) if row is None else row
    recorded = np.asarray(diagnoser.encoder_.recorded(case).todense()).ravel() > 0
    keys = fit_for(case, diagnoser, phases, tests=tests, recorded=recorded)
    proba = scorer(diagnoser)(row)[0]
    gains = case_gains(diagnoser, row, proba, keys, Measured(case, diagnoser.encoder_), kin_of(diagnoser, case))
    order = by_worth(gains, able, weights_of(diagnoser))[:k]
    most = max((float(gains.gain[i]) for i in order), default=0.0)
    shown = frozenset(one.diagnosis for one in differential.ranked)
    made = tuple(_question(diagnoser, case.vocabulary, gains, i, proba, shown) for i in order)
    return Questions(made, enough(diagnoser, proba, most))


def scorer(diagnoser: Diagnoser) -> Scorer:
    """From encoded cases to their posterior probabilities."""
    return partial(probabilities_of, diagnoser)


def case_gains(
    diagnoser: Diagnoser,
    row: csr_matrix,
    proba: FloatArray,
    keys: IntArray,
    measure: Measured,
    kin: Kin | None = None,
) -> Gains:
    """Score the answers to some questions of one case; `row` is what is known of it so far."""
    counts, (model, _, scale) = diagnoser.answers_, diagnoser.part("posterior")
    assert counts is not None

    def score(X: csr_matrix) -> FloatArray:
        return softmax(scale.apply(scores_near(model, row, X)))

    return gains_of(row, proba, keys, askable(diagnoser).sheet, counts, score, measure, kin)


def by_worth(gains: Gains, able: Askable, weights: FloatArray) -> list[int]:
    """Places of the questions, those worth most first; of findings that one question answers, the most telling."""
    worth = gains.by_diagnosis @ weights / able.cost[gains.key]
    keys = able.sheet.lineage.keys[gains.key].astype(str)
    order = sorted(range(len(worth)), key=lambda i: (-worth[i], keys[i]))
    first: dict[int, int] = {}
    for i in order:
        first.setdefault(int(able.question[gains.key[i]]), i)
    return list(first.values())


def weights_of(diagnoser: Diagnoser) -> FloatArray:
    """How much it counts to learn about each diagnosis: from 1 (severity 5) to 3 (can kill today, must not be missed).

    One without a severity counts as severity 3.
    """
    words = diagnoser.vocabulary_
    made = []
    for code in map(str, diagnoser.classes_):
        severity = 1 if code in words.must_not_miss else words.severity(code)
        try:
            made.append(1.0 + (5.0 - min(max(float(3 if severity is None else severity), 1.0), 5.0)) / 2.0)
        except (TypeError, ValueError):
            made.append(2.0)
    return np.array(made)


def enough(
    diagnoser: Diagnoser, proba: FloatArray, gain: float, sure: float = SURE, least_gain: float = LEAST_GAIN
) -> Enough | None:
    """Say why no further question is worth asking; None where one is.

    It is never enough while a must-not-miss diagnosis stands at or above the probability from which it is flagged,
    unless it is the first and sure.
    """
    first = int(np.argmax(proba))
    is_sure = proba[first] >= sure and diagnoser.classes_[first] != OTHER
    dangerous = np.flatnonzero(proba >= diagnoser.calibration_.flag_at)
    if (dangerous != (first if is_sure else -1)).any():
        return None
    if is_sure:
        return "sure"
    return None if gain >= least_gain else "little"


def _question(
    diagnoser: Diagnoser, words: Vocabulary, gains: Gains, i: int, before: FloatArray, shown: frozenset[str]
) -> Question:
    lineage, key = diagnoser.encoder_.lineage_, int(gains.key[i])
    code, subject = str(lineage.key_code[key]), lineage.key_subject[key]
    measured = bool(askable(diagnoser).sheet.in_numbers[key])
    separates, favoured_by = _moved(gains, i, before, diagnoser.classes_, measured=measured)
    there = gains.chance[i, : int(gains.chance[i].nonzero()[0].max()) + 1] > 0
    proba = gains.proba[i, : len(there)]
    after = [
        (str(diagnoser.classes_[p.argmax()]), float(p.max())) if possible else None
        for p, possible in zip(proba, there, strict=True)
    ]
    suffix = f" ({subject})" if subject else ""
    return Question(
        code=str(lineage.keys[key]),
        name=words.name(code) + suffix,
        name_zh=words.name(code, "zh") + suffix,
        question=words.question(code),
        question_zh=words.question(code, "zh"),
        phase=str(askable(diagnoser).phase[key]),
        gain=float(gains.gain[i]),
        separates=separates,
        favoured_by=favoured_by,
        beyond=tuple(c not in shown and c != OTHER for c in separates),
        separates_names=tuple((_diagnosis(words, c, "en"), _diagnosis(words, c, "zh")) for c in separates),
        chances=tuple(float(c) for c in gains.chance[i, : len(there)]),
        first_after=tuple(after),
    )


def _moved(
    gains: Gains, i: int, before: FloatArray, classes: npt.NDArray[Any], *, measured: bool
) -> tuple[tuple[str, ...], str | None]:
    """The diagnoses to be named for a question, and the answer that favours the first of two."""
    answer, *moved = most_moved(gains.chance[i], before, gains.proba[i])
    named = tuple(str(classes[place]) for place in moved if place is not None)
    answers = ("low", "middle", "high") if measured else ("absent", "present", "text")
    return named, answers[min(answer, 2)] if len(named) == 2 else None


def _diagnosis(words: Vocabulary, code: str, lang: str) -> str:
    """A diagnosis's name; `OTHER` as the list's own line has it."""
    return phrase("questions.other", lang) if code == OTHER else words.diagnosis_name(code, lang)
