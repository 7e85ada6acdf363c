"""Patients of one disease drawn from its table, all at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from diagnosis.readers.ddxplus.codebook import Codebook
from diagnosis.readers.ddxplus.probabilities import Disease, Draw

__all__ = ["complaints", "draw_patients"]

# No patient of the released sets names more options of one question.
_MOST_OPTIONS = 5
# Half a percent at most have no symptom to come with at first; after so many rounds none is left.
_ROUNDS = 20

_Ints = npt.NDArray[np.int32]
_Mask = npt.NDArray[np.bool_]


def draw_patients(disease: Disease, n: int, book: Codebook, rng: np.random.Generator) -> tuple[_Ints, _Ints]:
    """Answers of `n` patients as (patient, token) pairs.

    Questions are answered independently of each other given the disease and the parent question. Patients without a
    binary symptom, whom nothing would bring to a doctor, are drawn again, as the release has none.
    """
    may_bring = complaints(book)
    possible = any(bool(may_bring[d.tokens].any()) and d.shares.max() > 0 for d in disease.draws)
    todo = np.arange(n, dtype=np.int32)
    cases, tokens = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for left in reversed(range(_ROUNDS)):
        case, token = _draw_once(disease, len(todo), book, rng)
        fine = np.zeros(len(todo), bool)
        fine[case[may_bring[token]]] = True
        if not possible or not left:
            fine[:] = True
        mine = fine[case]
        cases.append(todo[case[mine]])
        tokens.append(token[mine])
        todo = todo[~fine]
        if not len(todo):
            break
    return np.concatenate(cases), np.concatenate(tokens)


def complaints(book: Codebook) -> _Mask:
    """The answers a patient may come with: binary symptoms."""
    may = np.array([q.kind == "B" and not q.antecedent for q in book.questions], bool)
    return may[book.token_question]


def _draw_once(disease: Disease, n: int, book: Codebook, rng: np.random.Generator) -> tuple[_Ints, _Ints]:
    holds: dict[int, _Mask] = {}
    cases, tokens = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for draw in disease.draws:
        parent = int(book.parent[draw.question])
        asked = np.flatnonzero(holds[parent]) if parent >= 0 else np.arange(n)
        who, token = _answer(draw, len(asked), book, rng)
        cases.append(asked[who].astype(np.int32))
        tokens.append(token)
        holds[draw.question] = np.zeros(n, bool)
        holds[draw.question][asked[who[~book.token_default[token]]]] = True
    return np.concatenate(cases), np.concatenate(tokens)


def _answer(draw: Draw, n: int, book: Codebook, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], _Ints]:
    """Answers of `n` patients who are asked: (patient, token)."""
    kind = book.questions[draw.question].kind
    if kind == "M":
        return _options(draw, n, rng)
    if kind == "B":
        who = np.flatnonzero(rng.random(n) < draw.shares[0])
        return who, np.full(len(who), draw.tokens[0])
    which = np.searchsorted(np.cumsum(draw.shares), rng.random(n) * draw.shares.sum(), side="right")
    return np.arange(n), draw.tokens[np.minimum(which, len(draw.tokens) - 1)]


def _options(draw: Draw, n: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], _Ints]:
    """Nothing, or one to five options.

    The tables count one option a patient: their shares over the options of a question add up to 1, though patients name
    several. They were counted by going through each patient's answers and keeping the last of a question, in an order
    that is the same for all patients but for hashing. So the share of an option is the chance that it is named and none
    that goes before it is. Taking the options in the order of their shares, each is named with the chance
    w_i / (w_i + w_{i+1} + ...); the last one, of which this says nothing, with the mean chance of the others, and
    always where no other is. This gives back the tables' shares exactly, counted the same way.
    """
    none = rng.random(n) < draw.shares[0]
    weights = draw.shares[1:]
    k = len(weights)
    if not k:
        return np.flatnonzero(none), np.full(int(none.sum()), draw.tokens[0])
    chances = weights / np.cumsum(weights[::-1])[::-1]
    if k > 1:
        chances[-1] = chances[:-1].mean()
    named = rng.random((n, k)) < chances
    named[~named.any(axis=1), -1] = True
    # Of more than can be named, those that go first in the order stay, so that the shares do.
    first = named.argmax(axis=1)
    keys = np.where(named, rng.random((n, k)), 2.0)
    keys[np.arange(n), first] = -1.0
    if k > _MOST_OPTIONS:
        limit = np.partition(keys, _MOST_OPTIONS - 1, axis=1)[:, _MOST_OPTIONS - 1]
        named &= keys <= limit[:, None]
    named[none] = False
    who, which = np.nonzero(named)
    everyone = np.concatenate([np.flatnonzero(none), who])
    return everyone, np.concatenate([np.full(int(none.sum()), draw.tokens[0]), draw.tokens[1:][which]])
