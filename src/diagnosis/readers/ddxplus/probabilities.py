"""Tables of P(answer | disease) -> what to draw for each disease, parents before the questions they lead to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from diagnosis.errors import InputError, nearest
from diagnosis.readers.ddxplus.codebook import Codebook
from diagnosis.readers.ddxplus.questions import SEPARATOR, Question

__all__ = ["Disease", "Draw", "diseases_of"]

#: Up to this a share is the tables' own placeholder for an answer that no patient of the disease gave.
NEVER = 1e-7
# Shares are written with 16 digits, and a placeholder for each answer comes on top.
_SLACK = 1e-3

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """How one question is answered by patients of a disease to whom it comes up.

    Parameters
    ----------
    question : int
        Its number in the codebook.
    tokens : ndarray of int32, shape (n_answers,)
        Possible answers; of multi-choice questions the default comes first (also where nobody gives it), then options
        by falling share.
    shares : ndarray of float64, shape (n_answers,)
        Of those to whom the question comes up. A binary question has one; the others' add up to 1.
    """

    question: int
    tokens: npt.NDArray[np.int32]
    shares: _Floats


@dataclass(frozen=True, slots=True, eq=False)
class Disease:
    """A disease: its code, its share of all patients, and its questions, parents first."""

    code: str
    prior: float
    draws: tuple[Draw, ...]


def diseases_of(
    plain: Mapping[str, Mapping[str, Any]], book: Codebook, diagnoses: Mapping[str, str]
) -> tuple[Disease, ...]:
    """Check the tables and make them conditional on the parent.

    The tables give shares of all patients of a disease, those to whom a question does not come up counted under its
    default. With q the share of the parent, an answer other than the default has w / q of those who are asked, and the
    default the rest.

    Parameters
    ----------
    plain : mapping
        ``{disease: {"prior": share, "findings": {evidence: share or {value: share}}}}``.
    book : Codebook
    diagnoses : mapping of str to str
        Code by every name of a pathology.

    Raises
    ------
    InputError
        An unknown disease, evidence or value; a share that is none; shares that do not fit together.
    """
    made = []
    for name, one in plain.items():
        if name not in diagnoses:
            raise _unknown("disease", name, diagnoses)
        findings = one.get("findings")
        if not isinstance(findings, dict):
            raise _odd(name, "gives findings as a JSON object", "none")
        shares = {_position(code, book): _shares(name, code, given, book) for code, given in findings.items()}
        made.append(Disease(diagnoses[name], _share(name, one.get("prior")), _draws(name, shares, book)))
    total = sum(one.prior for one in made)
    if abs(total - 1) > _SLACK or len({one.code for one in made}) < len(made):
        raise InputError(
            "priors of distinct diseases that add up to 1", f"they add up to {total:.4f}", "copy the file again"
        )
    return tuple(made)


def _position(code: str, book: Codebook) -> int:
    if code not in book.position:
        raise _unknown("evidence", code, book.position)
    return book.position[code]


def _shares(disease: str, code: str, given: Any, book: Codebook) -> dict[int, float]:
    """Share of each answer by its token; placeholders left out."""
    question = book.questions[book.position[code]]
    if question.kind == "B":
        return {book.tokens[code]: _share(disease, given)}
    if not isinstance(given, dict):
        raise _odd(disease, f"gives {code} a share for each value", "something else")
    made = {}
    for value, share in given.items():
        token = f"{code}{SEPARATOR}{value}"
        if token not in book.tokens:
            raise _unknown(f"value of {code}", value, question.values)
        made[book.tokens[token]] = _share(disease, share)
    if abs(sum(made.values()) - 1) > _SLACK:
        raise _odd(disease, f"gives {code} shares that add up to 1", f"{sum(made.values()):.4f}")
    return {token: share for token, share in made.items() if share > NEVER}


def _draws(disease: str, shares: Mapping[int, Mapping[int, float]], book: Codebook) -> tuple[Draw, ...]:
    ordered: list[int] = []
    for question in shares:
        chain = [question]
        while book.parent[chain[-1]] >= 0 and book.parent[chain[-1]] not in chain:
            chain.append(int(book.parent[chain[-1]]))
        ordered += [one for one in reversed(chain) if one in shares]
    holds = {q: sum(s for t, s in mine.items() if not book.token_default[t]) for q, mine in shares.items()}
    made = []
    for question in dict.fromkeys(ordered):
        parent = int(book.parent[question])
        asked = 1.0 if parent < 0 else holds.get(parent, 0.0)
        if holds[question] > asked + _SLACK:
            raise _odd(disease, "gives no question a larger share than its parent", book.questions[question].code)
        if asked > 0:
            made.append(_draw(question, shares[question], asked, book))
    return tuple(made)


def _draw(question: int, mine: Mapping[int, float], asked: float, book: Codebook) -> Draw:
    given = sorted(((-share, token) for token, share in mine.items() if not book.token_default[token]))
    tokens = [token for _, token in given]
    shares = [min(-share / asked, 1.0) for share, _ in given]
    if book.questions[question].kind != "B":
        tokens.insert(0, book.tokens[_nothing(book.questions[question])])
        rest = sum(shares)
        shares = [max(0.0, 1.0 - rest), *(share / max(rest, 1.0) for share in shares)]
    return Draw(question, np.array(tokens, np.int32), np.array(shares))


def _nothing(question: Question) -> str:
    return f"{question.code}{SEPARATOR}{question.default}"


def _share(disease: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        raise _odd(disease, "gives shares from 0 to 1", "something else")
    return float(given)


def _unknown(what: str, name: str, known: Any) -> InputError:
    return InputError(
        f"tables of probabilities that fit the release_*.json files: every {what} is known there",
        f"{name!r} is not",
        "name the files of the same language (evidences=, conditions=)",
        near=nearest(name, known),
    )


def _odd(disease: str, rule: str, found: str) -> InputError:
    return InputError(f"a table of {disease!r} that {rule}", f"found {found}", "copy the file again")
