"""Answers -> rows of findings: what was said, and what the release implies by leaving it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.readers.ddxplus.codebook import ABSENT, PRESENT, Codebook
from diagnosis.readers.ddxplus.patients import Answers
from diagnosis.records.schema import STATES

__all__ = ["Findings", "Unlisted", "findings_of"]

Unlisted = Literal["absent", "unrecorded"]

# Patients at a time: their states fill a few megabytes, which stay in the processor's cache.
_BATCH = 4096

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Typed rows of `findings` without `case_id`, sorted by case, and what was noticed on the way.

    Parameters
    ----------
    table : pa.Table
    case : ndarray of int32, shape (n_rows,)
    not_asked : int
        Answers "nothing" to questions that did not come up, for their parent is denied: they are not recorded.
    without_parent : ndarray of int64
        Cases that answer a question whose parent they do not list; the parent is left unrecorded.
    """

    table: pa.Table
    case: npt.NDArray[np.int32]
    not_asked: int
    without_parent: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Columns of the rows of some patients."""

    case: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    status: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]
    text: npt.NDArray[np.int32]
    volunteered: _Mask


def findings_of(answers: Answers, book: Codebook, unlisted: Unlisted, lang: str) -> Findings:
    """Record the answers, and what follows from them.

    A question comes up when it has no parent or its parent holds. One that came up and is not listed was answered with
    its default (`unlisted` ``"absent"``), or is unrecorded (``"unrecorded"``). A listed default denies in either case:
    the finding, or all options of a multi-choice question; a number's default is a value. A question that did not come
    up is unrecorded.

    Parameters
    ----------
    answers : Answers
    book : Codebook
    unlisted : {"absent", "unrecorded"}
    lang : str
        Language of the texts of categorical answers.
    """
    said = book.words(lang)
    texts = list(dict.fromkeys(word for word in said if word is not None))
    place = {word: i for i, word in enumerate(texts)}
    token_text = np.array([-1 if word is None else place[word] for word in said], np.int32)
    initial = np.where(answers.initial < 0, np.int32(-1), book.token_column[answers.initial])
    ends = np.searchsorted(answers.case, np.arange(0, answers.n + _BATCH, _BATCH))
    batches: list[_Batch] = []
    odd: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    not_asked = 0
    for i, start in enumerate(range(0, answers.n, _BATCH)):
        here = slice(int(ends[i]), int(ends[i + 1]))
        n = min(_BATCH, answers.n - start)
        case, token = answers.case[here] - np.int32(start), answers.token[here]
        state, left, alone = _states(n, case, token, book, unlisted)
        batches.append(_rows(state, case, token, initial[start : start + n], start, book, token_text))
        not_asked += left
        odd.append(alone + start)
    return Findings(*_table(batches, book, texts), not_asked, np.concatenate(odd))


def _states(
    n: int, case: npt.NDArray[np.int32], token: npt.NDArray[np.int32], book: Codebook, unlisted: Unlisted
) -> tuple[npt.NDArray[np.int8], int, npt.NDArray[np.int64]]:
    """State of every finding of some patients (0: unrecorded), answers left out, and cases that lack a parent."""
    listed, holds = (np.zeros((n, len(book.questions)), bool) for _ in range(2))
    question, affirms = book.token_question[token], ~book.token_default[token]
    listed[case, question] = True
    holds[case[affirms], question[affirms]] = True
    children = np.flatnonzero(book.parent >= 0)
    parents = book.parent[children]
    asked = np.ones_like(listed)
    asked[:, children] = holds[:, parents] | holds[:, children]
    alone = holds[:, children] & ~holds[:, parents]
    fill = asked & ~listed if unlisted == "absent" else np.zeros_like(listed)
    multi = np.flatnonzero(book.multi)
    fill[:, multi] = asked[:, multi] & (listed[:, multi] & ~holds[:, multi] if unlisted == "unrecorded" else True)
    for child in np.flatnonzero(alone.any(axis=0)).tolist():  # none in the release
        fill[alone[:, child], parents[child]] = False
        fill[alone[:, child] & listed[:, children[child]], children[child]] &= book.multi[children[child]]
    state = np.zeros((n, len(book.columns)), np.int8)
    column = book.token_column[token]
    stated = (column >= 0) & asked[case, question]
    state[case[stated], column[stated]] = book.token_state[token[stated]]
    default = book.column_default * fill[:, book.column_question]
    np.copyto(state, default, where=state == 0)
    return state, int((listed & ~asked).sum()), np.flatnonzero(alone.any(axis=1))


def _rows(
    state: npt.NDArray[np.int8],
    case: npt.NDArray[np.int32],
    token: npt.NDArray[np.int32],
    initial: npt.NDArray[np.int32],
    start: int,
    book: Codebook,
    token_text: npt.NDArray[np.int32],
) -> _Batch:
    """The recorded cells as rows, by case and then in the order of the columns."""
    cell = np.flatnonzero(state)
    who, which = (part.astype(np.int32) for part in np.divmod(cell, state.shape[1]))
    value, text = book.default_value[which], np.full(len(cell), -1, np.int32)
    column = book.token_column[token]
    place = case.astype(np.int64) * state.shape[1] + column
    for target, source in ((value, book.token_value), (text, token_text)):
        given = source[token]
        some = np.flatnonzero((column >= 0) & (given >= 0 if given.dtype == np.int32 else ~np.isnan(given)))
        rows = np.searchsorted(cell, place[some])
        there = rows < len(cell)
        there[there] = cell[rows[there]] == place[some][there]
        target[rows[there]] = given[some][there]
    status = (state.ravel()[cell] == ABSENT).astype(np.int32)
    return _Batch(who + np.int32(start), which, status, value, text, which == initial[who])


def _table(batches: list[_Batch], book: Codebook, texts: list[str]) -> tuple[pa.Table, npt.NDArray[np.int32]]:
    def whole(name: str, kind: type[np.generic]) -> npt.NDArray[np.generic]:
        return np.concatenate([np.zeros(0, kind), *(getattr(one, name) for one in batches)])

    assert (PRESENT, ABSENT) == (1, 2)  # status is 0 and 1: the places of present and absent among the states
    text, asked = whole("text", np.int32), (~whole("volunteered", np.bool_)).astype(np.int32)
    columns = {
        "code": _coded(whole("column", np.int32), list(book.columns)),
        "status": _coded(whole("status", np.int32), list(STATES)),
        "value": pa.array(whole("value", np.float64), from_pandas=True),
        "text": pa.DictionaryArray.from_arrays(pa.array(text, mask=text < 0), pa.array(texts, pa.string())),
        "phase": _coded(asked, ["chief_complaint", "history"]),
        "elicited": _coded(asked, ["volunteered", "asked"]),
    }
    return pa.table(columns), whole("case", np.int32)


def _coded(indices: npt.NDArray[np.int32], words: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(words, pa.string()))
