"""Answers -> rows of findings: what was said, and what the release implies by leaving it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.readers.ddxplus.codebook import ABSENT, PRESENT, Codebook
from diagnosis.readers.ddxplus.patients import Answers
from diagnosis.records.schema import STATES

__all__ = ["Findings", "Meaning", "Options", "Unlisted", "findings_of"]

Unlisted = Literal["absent", "unrecorded"]
Options = Literal["named", "all"]

# Patients at a time: their states fill a few megabytes, which stay in the processor's cache.
_BATCH = 2048

_Ints = npt.NDArray[np.int64]
_Sparse = tuple[_Ints, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Meaning:
    """How answers are taken.

    Parameters
    ----------
    unlisted : {"absent", "unrecorded"}
        A question that came up and is not listed.
    options : {"named", "all"}
        Of a multi-choice question that was answered: the options that were named, or also the others as absent.
    lang : str
        Language of the texts of categorical answers.
    """

    unlisted: Unlisted = "absent"
    options: Options = "named"
    lang: str = "en"


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
    """Rows of some patients; values, texts and chief complaints are few, so only their places are kept."""

    counts: _Ints
    column: npt.NDArray[Any]
    status: npt.NDArray[np.int8]
    values: _Sparse
    texts: _Sparse
    chief: _Ints


def findings_of(parts: Iterable[Answers], book: Codebook, meaning: Meaning) -> Findings:
    """Record the answers, and what follows from them; the parts are taken one by one, and none is kept.

    A question comes up when it has no parent or its parent holds. One that came up and is not listed was answered with
    its default (`unlisted` ``"absent"``), or is unrecorded (``"unrecorded"``). A default denies; that of a number is a
    value. A multi-choice question is present when an option is named. A question that did not come up is unrecorded.
    """
    said = book.words(meaning.lang)
    texts = list(dict.fromkeys(word for word in said if word is not None))
    place = {word: float(i) for i, word in enumerate(texts)}
    token_text = np.array([np.nan if word is None else place[word] for word in said])
    batches: list[_Batch] = []
    odd = [np.zeros(0, np.int64)]
    done = not_asked = 0
    for answers in parts:
        initial = np.where(answers.initial < 0, np.int32(-1), book.token_column[answers.initial])
        ends = np.searchsorted(answers.case, np.arange(0, answers.n + _BATCH, _BATCH))
        for i, start in enumerate(range(0, answers.n, _BATCH)):
            here = slice(int(ends[i]), int(ends[i + 1]))
            n = min(_BATCH, answers.n - start)
            case, token = answers.case[here] - np.int32(start), answers.token[here]
            state, left, alone = _states(n, case, token, book, meaning)
            batches.append(_batch(state, case, token, initial[start : start + n], book, token_text))
            not_asked += left
            odd.append(alone + start + done)
        done += answers.n
    counts = np.concatenate([np.zeros(0, np.int64), *(one.counts for one in batches)])
    case = np.repeat(np.arange(done, dtype=np.int32), counts)
    return Findings(_table(batches, book, texts), case, not_asked, np.concatenate(odd))


def _states(
    n: int, case: npt.NDArray[np.int32], token: npt.NDArray[np.int32], book: Codebook, meaning: Meaning
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
    fill = asked & ~listed if meaning.unlisted == "absent" else np.zeros_like(listed)
    for place in np.flatnonzero(alone.any(axis=0)).tolist():  # none in the release
        fill[alone[:, place], parents[place]] = False
    state = np.zeros((n, len(book.columns)), np.int8)
    stated = asked[case, question]
    state[case[stated], book.token_column[token[stated]]] = book.token_state[token[stated]]
    multi = np.flatnonzero(book.multi)
    own = book.question_column[multi]
    state[:, own] = np.where(holds[:, multi], PRESENT, state[:, own])
    state[:, book.question_column] += fill * book.column_default[book.question_column]
    if meaning.options == "all":
        answered = (state[:, book.question_column] > 0) & book.multi
        np.copyto(state, ABSENT, where=(state == 0) & answered[:, book.column_question])
    return state, int((listed & ~asked).sum()), np.flatnonzero(alone.any(axis=1))


def _batch(
    state: npt.NDArray[np.int8],
    case: npt.NDArray[np.int32],
    token: npt.NDArray[np.int32],
    initial: npt.NDArray[np.int32],
    book: Codebook,
    token_text: npt.NDArray[np.float64],
) -> _Batch:
    """The recorded cells as rows, by case and then in the order of the columns."""
    recorded = state > 0
    counts = np.count_nonzero(recorded, axis=1)
    names = np.arange(state.shape[1], dtype=np.int16 if state.shape[1] < 1 << 15 else np.int32)
    column: npt.NDArray[Any] = np.broadcast_to(names, state.shape)[recorded]
    ends = np.cumsum(counts)
    nothing = np.full(len(book.columns), np.nan)
    said = (case, book.token_column[token])
    return _Batch(
        counts=counts,
        column=column,
        status=state[recorded],
        values=_few(column, ends, said, book.token_value[token], book.default_value, book.default_value),
        texts=_few(column, ends, said, token_text[token], nothing, np.where(_texted(book, token_text), 0.0, np.nan)),
        chief=np.flatnonzero(column == np.repeat(initial, counts)),
    )


def _texted(book: Codebook, token_text: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """The columns of which some answer has a text."""
    found = np.zeros(len(book.columns), bool)
    found[book.token_column[~np.isnan(token_text)]] = True
    return found


def _few(
    column: npt.NDArray[Any],
    ends: _Ints,
    said: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]],
    given: npt.NDArray[np.float64],
    default: npt.NDArray[np.float64],
    having: npt.NDArray[np.float64],
) -> _Sparse:
    """Rows of the columns that have numbers at all (where `having` is one), and their numbers: as said, or default."""
    some = np.flatnonzero(~np.isnan(having))
    slot = np.full(len(having), -1, np.int64)
    slot[some] = np.arange(len(some))
    numbers = np.tile(default[some], (len(ends), 1))
    case, place = said
    told = np.flatnonzero(~np.isnan(given))
    numbers[case[told], slot[place[told]]] = given[told]
    rows = np.flatnonzero((slot >= 0)[column])
    found = numbers[np.searchsorted(ends, rows, side="right"), slot[column[rows]]]
    there = ~np.isnan(found)
    return rows[there], found[there]


def _table(batches: list[_Batch], book: Codebook, texts: list[str]) -> pa.Table:
    """The batches as columns; each is let go as soon as it stands there."""
    starts = np.cumsum([0, *(len(one.column) for one in batches)])
    total = int(starts[-1])
    code, status = np.empty(total, np.int32), np.empty(total, np.int32)
    asked, text = np.ones(total, np.int32), np.full(total, -1, np.int32)
    value = np.full(total, np.nan)
    batches.reverse()
    for start in starts[:-1].tolist():
        one = batches.pop()
        here = slice(start, start + len(one.column))
        code[here] = one.column
        np.subtract(one.status, PRESENT, out=status[here], casting="unsafe")  # 0 and 1: places among the states
        asked[one.chief + start] = 0
        text[one.texts[0] + start] = one.texts[1]
        value[one.values[0] + start] = one.values[1]
    columns = {
        "code": _coded(code, book.columns),
        "status": _coded(status, STATES),
        "value": pa.array(value, from_pandas=True),
        "text": pa.DictionaryArray.from_arrays(pa.array(text, mask=text < 0), pa.array(texts, pa.string())),
        "phase": _coded(asked, ("chief_complaint", "history")),
        "elicited": _coded(asked, ("volunteered", "asked")),
    }
    return pa.table(columns)


def _coded(indices: npt.NDArray[np.int32], words: Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(words, pa.string()))
