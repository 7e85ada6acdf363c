"""The language of red-flag rules: from text to a tree. Closed: nothing in it calls, computes or looks anything up.

::

    age_days <= 28 and (LOINC:8310-5 >= 38 Cel or present HP:0001945)
    LOINC:59408-5 < 85 % or (LOINC:59408-5 < 90 % and (not known altitude_m or altitude_m < 3200))
    present any(HP:0000967, HP:0000979) and sex != male

``and`` binds stronger than ``or``, ``not`` strongest. A code without a colon, and any text with blanks or brackets,
stands in double quotes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import cast

from diagnosis.errors import InputError, nearest
from diagnosis.records.schema import TABLES
from diagnosis.suggestions.red_flags.rule import (
    KEYWORDS,
    NUMBERS,
    STATES,
    WORDS,
    All,
    Compared,
    Either,
    Is,
    Known,
    Not,
    Operator,
    Rule,
)
from diagnosis.vocabulary.units import common_units, is_unit

__all__ = ["RuleError", "parse"]

_TOKEN = re.compile(r'\s*(?:(?P<quoted>"[^"]*")|(?P<operator><=|>=|!=|[<>=])|(?P<mark>[(),])|(?P<word>[^\s()<>=!",]+))')
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_ORDERED = ("<", "<=", ">", ">=")
_DEEPEST = 40
_LONGEST = 4000


class RuleError(InputError):
    """A red-flag rule that cannot be read.

    Attributes
    ----------
    at : int
        Position of the first character that does not fit, from 1.
    """

    def __init__(self, expected: str, found: str, do: str, *, at: int, near: list[str] | None = None) -> None:
        super().__init__(f"{expected} at character {at} of a rule", found, do, near=near or ())
        self.at = at


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Rule:
    """Read a rule.

    Parameters
    ----------
    text : str

    Raises
    ------
    RuleError
        With the position, what could stand there, and the nearest names.

    Examples
    --------
    >>> str(parse("age_days<=28 and present any(HP:1, HP:2)"))
    'age_days <= 28.0 and (present HP:1 or present HP:2)'
    """
    if len(text) > _LONGEST:
        found = f"the rule has {len(text):,} characters"
        raise RuleError(f"at most {_LONGEST:,} characters", found, "write several rules", at=_LONGEST)
    reader = _Reader(_tokens(text))
    rule = reader.any_of(0)
    reader.end()
    return rule


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            what = "a quote that is not closed" if text[start] == '"' else f"{text[start]!r}"
            raise RuleError("a name, number, comparison or bracket", f"found {what}", "correct it", at=start + 1)
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind) + 1))
        place = match.end()
    return [*found, _Token("end", "", end + 1)]


class _Reader:
    """Goes through the tokens once, from left to right."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def any_of(self, depth: int) -> Rule:
        parts = [self._all_of(depth)]
        while self._takes("or"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def end(self) -> None:
        if self._now.kind != "end":
            raise self._error("and, or, or the end of the rule", ("and", "or"))

    def _all_of(self, depth: int) -> Rule:
        parts = [self._one(depth)]
        while self._takes("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self, depth: int) -> Rule:
        if depth > _DEEPEST:
            raise self._error(f"brackets and nots at most {_DEEPEST} deep", ())
        if self._takes("not"):
            return Not(self._one(depth + 1))
        if self._takes("(", "mark"):
            inside = self.any_of(depth + 1)
            self._must(")")
            return inside
        if self._takes("known"):
            name = self._now.text
            if self._now.kind == "word" and name in (*NUMBERS, *WORDS):
                self._next += 1
                return Known(name, True)
            return _one_of([Known(code, False) for code in self._codes(compared=False)])
        for state in STATES:
            if self._takes(state):
                return _one_of([Is(state, code) for code in self._codes(compared=False)])
        return self._comparison()

    def _comparison(self) -> Rule:
        name = self._now.text
        if self._now.kind == "word" and name in WORDS:
            self._next += 1
            return Compared(name, True, self._operator(("=", "!=")), self._word_of(name))
        if self._now.kind == "word" and name in NUMBERS:
            self._next += 1
            operator = self._operator((*_ORDERED, "=", "!="))
            return Compared(name, True, operator, self._number())
        codes = self._codes(compared=True)
        operator = self._operator(_ORDERED)
        value, unit = self._number(), self._unit()
        return _one_of([Compared(code, False, operator, value, unit) for code in codes])

    def _codes(self, *, compared: bool) -> list[str]:
        if not self._takes("any"):
            return [self._code(compared)]
        self._must("(")
        codes = [self._code(False)]
        while self._takes(",", "mark"):
            codes.append(self._code(False))
        self._must(")")
        return codes

    def _code(self, compared: bool) -> str:
        token = self._now
        if token.kind == "quoted" and token.text.strip('"'):
            self._next += 1
            return token.text[1:-1]
        if token.kind == "word" and ":" in token.text:
            self._next += 1
            return token.text
        names = (*NUMBERS, *WORDS, *KEYWORDS) if compared else ("any",)
        raise self._error("a code with a colon, or a code in double quotes" + (", or a field" * compared), names)

    def _operator(self, allowed: tuple[str, ...]) -> Operator:
        if self._now.kind != "operator" or self._now.text not in allowed:
            raise self._error(f"one of {' '.join(allowed)}", ())
        self._next += 1
        return cast(Operator, self._tokens[self._next - 1].text)

    def _number(self) -> float:
        token = self._now
        if token.kind != "word" or not _NUMBER.fullmatch(token.text) or not math.isfinite(float(token.text)):
            raise self._error("a number", ())
        self._next += 1
        return float(token.text)

    def _unit(self) -> str | None:
        token = self._now
        if token.kind not in ("word", "quoted") or token.text in ("and", "or"):
            return None
        unit = token.text.strip('"')
        if not is_unit(unit):
            raise self._error("a UCUM unit, and, or, or the end of the rule", ("and", "or", *common_units()))
        self._next += 1
        return unit

    def _word_of(self, field: str) -> str:
        choices = TABLES["cases"].columns[field].choices
        known = tuple(c for c in choices if c != "unknown")
        if self._now.kind != "word" or self._now.text not in known:
            raise self._error(f"one of {', '.join(known)}", known)
        self._next += 1
        return self._tokens[self._next - 1].text

    @property
    def _now(self) -> _Token:
        return self._tokens[self._next]

    def _takes(self, text: str, kind: str = "word") -> bool:
        if self._now.kind == kind and self._now.text == text:
            self._next += 1
            return True
        return False

    def _must(self, mark: str) -> None:
        if not self._takes(mark, "mark"):
            raise self._error(f"{mark!r}", ())

    def _error(self, expected: str, known: tuple[str, ...]) -> RuleError:
        token = self._now
        found = "the rule ends there" if token.kind == "end" else f"found {token.text!r}"
        near = nearest(token.text, known) if token.kind == "word" else []
        return RuleError(expected, found, "see docs/red-flags.md for what a rule may hold", at=token.at, near=near)


def _one_of(parts: list[Is] | list[Known] | list[Compared]) -> Rule:
    return parts[0] if len(parts) == 1 else Either(tuple(parts))
