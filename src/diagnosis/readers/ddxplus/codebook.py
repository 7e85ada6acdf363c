"""`Codebook`: every answer a patient may list, and the finding that it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from diagnosis.errors import InputError
from diagnosis.readers.ddxplus.questions import SEPARATOR, Question

__all__ = ["ABSENT", "PRESENT", "Codebook"]

#: States of a cell; 0 is unrecorded.
PRESENT, ABSENT = 1, 2

_Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Codebook:
    """Answers ("tokens", as patients list them), questions and findings ("columns") as numbers.

    Parameters
    ----------
    questions : tuple of Question
    position : mapping of str to int
        Number of a question by its code.
    tokens : mapping of str to int
        Number of an answer: ``fievre``, ``douleurxx_intens_@_5``.
    columns : tuple of str
        Codes of findings: one for each question, and after a multi-choice one, one for each option.
    token_question, token_column : ndarray of int32, shape (n_tokens,)
    token_state : ndarray of int8, shape (n_tokens,)
    token_value : ndarray of float64, shape (n_tokens,)
        NaN where the answer is no number.
    token_default : ndarray of bool, shape (n_tokens,)
        The answers that say "nothing".
    column_question : ndarray of int32, shape (n_columns,)
    column_default : ndarray of int8, shape (n_columns,)
        State of each column when the question is answered with its default; 0 for options.
    default_value : ndarray of float64, shape (n_columns,)
        Value of it, NaN where it is no number.
    parent : ndarray of int32, shape (n_questions,)
        -1: always asked.
    multi : ndarray of bool, shape (n_questions,)
    question_column : ndarray of int32, shape (n_questions,)
        The question's own column.
    """

    questions: tuple[Question, ...]
    position: Mapping[str, int]
    tokens: Mapping[str, int]
    columns: tuple[str, ...]
    token_question: _Ints
    token_column: _Ints
    token_state: npt.NDArray[np.int8]
    token_value: npt.NDArray[np.float64]
    token_default: npt.NDArray[np.bool_]
    column_question: _Ints
    column_default: npt.NDArray[np.int8]
    default_value: npt.NDArray[np.float64]
    parent: _Ints
    multi: npt.NDArray[np.bool_]
    question_column: _Ints

    @classmethod
    def of(cls, questions: Sequence[Question]) -> Codebook:
        """Number the answers and findings of some questions.

        Raises
        ------
        InputError
            Two answers are written the same way.
        """
        position = {q.code: i for i, q in enumerate(questions)}
        columns = [(code, i) for i, q in enumerate(questions) for code in _codes(q)]
        place = {code: i for i, (code, _) in enumerate(columns)}
        tokens = [(*answer, i) for i, q in enumerate(questions) for answer in _answers(q)]
        names = {name: i for i, (name, *_) in enumerate(tokens)}
        if len(names) < len(tokens) or len(place) < len(columns):
            raise InputError(
                "evidences whose answers differ in writing", "two are the same", "copy release_evidences.json again"
            )
        return cls(
            questions=tuple(questions),
            position=MappingProxyType(position),
            tokens=MappingProxyType(names),
            columns=tuple(place),
            token_question=np.array([t[-1] for t in tokens], np.int32),
            token_column=np.array([place[t[1]] for t in tokens], np.int32),
            token_state=np.array([t[2] for t in tokens], np.int8),
            token_value=np.array([t[3] for t in tokens], np.float64),
            token_default=np.array([t[4] for t in tokens], bool),
            column_question=np.array([i for _, i in columns], np.int32),
            column_default=np.array([_default(code, questions[i]) for code, i in columns], np.int8),
            default_value=np.array(
                [float(questions[i].default) if questions[i].scaled else np.nan for _, i in columns]
            ),
            parent=np.array([position.get(q.parent or "", -1) for q in questions], np.int32),
            multi=np.array([q.kind == "M" for q in questions], bool),
            question_column=np.array([place[q.code] for q in questions], np.int32),
        )

    def words(self, lang: str) -> list[str | None]:
        """The text of each answer's finding: the meaning of a categorical one that is no number; else None."""
        said: list[str | None] = []
        for q in self.questions:
            texts = q.kind == "C" and not q.scaled
            said += [q.meaning(v, lang) if texts and v != q.default else None for v in q.values or ("",)]
        return said


def _codes(question: Question) -> list[str]:
    options = question.options if question.kind == "M" else ()
    return [question.code, *(f"{question.code}{SEPARATOR}{value}" for value in options)]


def _default(code: str, question: Question) -> int:
    if code != question.code:
        return 0
    return PRESENT if question.scaled else ABSENT


def _number(question: Question) -> float:
    return float(question.default) if question.scaled else np.nan


def _answers(question: Question) -> list[tuple[str, str, int, float, bool]]:
    """What may be listed: (token, code of the finding, state, value, whether it says "nothing")."""
    code = question.code
    if question.kind == "B":
        return [(code, code, PRESENT, np.nan, False)]
    made = []
    for value in question.values:
        token, nothing = f"{code}{SEPARATOR}{value}", value == question.default
        if question.scaled:
            made.append((token, code, PRESENT, float(value), nothing))
        else:
            whose = token if question.kind == "M" and not nothing else code
            made.append((token, whose, ABSENT if nothing else PRESENT, np.nan, nothing))
    return made
