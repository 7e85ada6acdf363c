"""Findings as a page sees them: an observation, its record, and its line of evidence about a diagnosis.

A text is either one string for every language or a mapping from language to string.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["LineView", "Observation", "RecordedFinding", "Sides", "State", "Text", "in_language", "sides"]

Text = str | Mapping[str, str]
State = Literal["present", "absent", "uncertain", "unrecorded", "context"]


def in_language(text: Text | None, lang: str, fallback: str | None = None) -> str:
    """Return `text` in `lang`, else in any other language it has, else `fallback`.

    Examples
    --------
    >>> in_language({"en": "cough", "zh": "咳嗽"}, "zh")
    '咳嗽'
    >>> in_language({"en": "cough"}, "zh"), in_language({}, "en", fallback="HP:0012735")
    ('cough', 'HP:0012735')
    """
    if isinstance(text, str):
        return text or fallback or ""
    found = dict(text or {})
    return found.get(lang) or next((other for other in found.values() if other), fallback or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A finding and what was seen of it.

    Parameters
    ----------
    name : Text
        Its name; the code stands in where there is none.
    code : str or None
        Its code; None for what has no code of its own (all that is not recorded).
    state : State
        *present*, *absent* and *uncertain* are records; *unrecorded* is everything without one; *context* is age, sex
        and the like.
    value : float or None
        In `unit`, as recorded.
    comparator : str or None
        ``< <= >= >`` where the value is a bound.
    unit : str or None
        UCUM.
    text : Text or None
        A categorical value.
    interpretation : str or None
        ``L LL H HH N A POS NEG``.
    subject : Text or None
        Whose finding it is; None means the patient.
    """

    name: Text = ""
    code: str | None = None
    state: State = "present"
    value: float | None = None
    comparator: str | None = None
    unit: str | None = None
    text: Text | None = None
    interpretation: str | None = None
    subject: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFinding(Observation):
    """One recorded finding with what is known about the record.

    Parameters
    ----------
    ref_low, ref_high : float or None
        The reference range the value is compared with, in `unit`.
    ref_source : str or None
        Where the range comes from; None means the record itself.
    when, known : Text or None
        When it was observed and when the clinician could know it, ready to be read.
    kind : str or None
        ``symptom``, ``sign``, ``vital``, ``laboratory`` ... as in the vocabulary; orders the full table.
    earlier : int
        How many earlier records of the same finding exist.
    """

    ref_low: float | None = None
    ref_high: float | None = None
    ref_source: str | None = None
    when: Text | None = None
    known: Text | None = None
    kind: str | None = None
    earlier: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView(Observation):
    """One line of evidence about one diagnosis.

    Parameters
    ----------
    contribution : float
        Its part of the diagnosis' score (natural log scale). Alone it has no meaning, so no page prints it.
    relative : float
        The contribution less its probability-weighted mean over the shown list (or less the rival's, in a contrast).
    """

    contribution: float = 0.0
    relative: float = 0.0

    @property
    def factor(self) -> float:
        """How many times the line multiplies this diagnosis against the list's average (or the named rival)."""
        return math.exp(min(max(self.relative, -700.0), 700.0))


@dataclass(frozen=True, slots=True)
class Sides:
    """The lines of one diagnosis, sorted into what they can be used for."""

    for_: tuple[LineView, ...]
    against: tuple[LineView, ...]
    neutral: tuple[LineView, ...]
    context: tuple[LineView, ...]
    unrecorded: LineView


def sides(lines: Iterable[LineView]) -> Sides:
    """Sort the lines of one diagnosis: strongest first, ties in the given order.

    Unrecorded lines are added up into one; without any, that one is zero.

    Examples
    --------
    >>> lines = [LineView(code=code, relative=r) for code, r in (("a", 0.4), ("b", -2.0), ("c", 1.0))]
    >>> [line.code for line in sides(lines).for_], [line.code for line in sides(lines).against]
    (['c', 'a'], ['b'])
    """
    ordered = sorted(lines, key=lambda line: -abs(line.relative))
    findings = [line for line in ordered if line.state not in ("unrecorded", "context")]
    rest = [line for line in ordered if line.state == "unrecorded"]
    return Sides(
        for_=tuple(line for line in findings if line.relative > 0),
        against=tuple(line for line in findings if line.relative < 0),
        neutral=tuple(line for line in findings if line.relative == 0),
        context=tuple(line for line in ordered if line.state == "context"),
        unrecorded=LineView(
            state="unrecorded",
            contribution=math.fsum(line.contribution for line in rest),
            relative=math.fsum(line.relative for line in rest),
        ),
    )
