"""The sentences of a page: what speaks for a diagnosis, what speaks against it, what was not recorded.

A sentence is a row of parts, so that a page can set names apart and a test can trace each name to its line. Law: a
finding named *for* has a relative contribution above 0, one named *against* below 0, the strongest first; what has no
record is never named in either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from diagnosis.pages.findings import Part, finding_parts
from diagnosis.pages.numbers import factor_text
from diagnosis.pages.observations import LineView, in_language
from diagnosis.pages.translations import phrase
from diagnosis.pages.values import ContrastView

__all__ = [
    "LEAST_RELATIVE",
    "Sentence",
    "against_sentence",
    "brief",
    "context_sentence",
    "contrast_sentences",
    "for_sentence",
    "strongest",
    "unrecorded_sentence",
]

# A factor that would be printed as one is no reason to name a finding.
LEAST_RELATIVE = math.log(1.05)
_LONGEST_NAME = 60  # characters; a longer one stands whole in the heading alone


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in one language; `str` gives its text."""

    lead: str
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return self.lead + "".join(part.text for part in self.parts)

    @property
    def codes(self) -> tuple[str | None, ...]:
        """The codes of the findings it names, in order."""
        return tuple(part.code for part in self.parts if part.kind == "name")


def strongest(lines: Iterable[LineView], sign: int, top: int) -> tuple[LineView, ...]:
    """Return up to `top` recorded lines on the side of `sign` that are worth naming, strongest first."""
    named = [
        line for line in lines if line.state not in ("unrecorded", "context") and line.relative * sign >= LEAST_RELATIVE
    ]
    return tuple(sorted(named, key=lambda line: -abs(line.relative))[:top])


def for_sentence(lines: Iterable[LineView], lang: str, top: int = 3, *, rival: str = "") -> Sentence:
    """Return what speaks for the diagnosis, measured against the named rival or the average of the shown list.

    Examples
    --------
    >>> fever = LineView(name="temperature", value=39.4, unit="Cel", relative=1.163)
    >>> str(for_sentence([LineView(name="cough", relative=0.588), fever], "en")).replace("\\u00a0", " ")
    "For: temperature 39.4 °C (×3.2 versus the list's average) and cough present (×1.8)."
    """
    return _reasons("for", strongest(lines, 1, top), _versus(rival, lang), lang, rival)


def against_sentence(lines: Iterable[LineView], lang: str, top: int = 3, *, rival: str = "") -> Sentence:
    """Return what speaks against the diagnosis, measured likewise."""
    return _reasons("against", strongest(lines, -1, top), _versus(rival, lang), lang, rival)


def brief(name: str) -> str:
    """Return a name as it stands inside a sentence: the beginning of one that would fill it.

    Examples
    --------
    >>> brief("measles"), len(brief("a" * 300))
    ('measles', 60)
    """
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _versus(rival: str, lang: str) -> str:
    return phrase("versus.rival", lang, {"rival": rival}) if rival else phrase("versus.list", lang)


def context_sentence(lines: Sequence[LineView], lang: str, *, rival: str = "") -> Sentence | None:
    """Return how age, sex and the like move the diagnosis; None where none of them does.

    Their values stand at the head of the page and in the evidence table.
    """
    moving = sorted((x for x in lines if abs(x.relative) >= LEAST_RELATIVE), key=lambda line: -abs(line.relative))
    if not moving:
        return None
    bare = [replace(line, value=None, text=None) for line in moving]
    listed = _listing(bare, _versus(rival, lang), lang)
    return Sentence(phrase("lead.context", lang), (*listed, Part(phrase("stop", lang))))


def unrecorded_sentence(line: LineView, lang: str, *, rival: str = "") -> Sentence:
    """Return the line of everything without a record; it is shown always and is never a reason."""
    values = {"factor": factor_text(line.relative, lang), "versus": _versus(rival, lang)}
    return Sentence(phrase("lead.unrecorded", lang), (Part(phrase("unrecorded", lang, values)),))


def contrast_sentences(contrast: ContrastView, lang: str, top: int = 3) -> tuple[Sentence, Sentence, Sentence]:
    """Return the diagnosis beside its nearest rival: how they compare, what favours it, what favours the rival."""
    rival = brief(in_language(contrast.rival, lang, contrast.rival_code))
    versus = phrase("versus.rival", lang, {"rival": rival})
    log_ratio = math.log(contrast.ratio)
    values = {"rival": rival, "ratio": factor_text(abs(log_ratio), lang, sign="")}
    compared = Part(phrase("contrast.more" if log_ratio >= 0 else "contrast.less", lang, values))
    # What favours the rival is shown as the rival's factor: a reason in favour of something reads above 1.
    other = [replace(line, relative=-line.relative) for line in strongest(contrast.against, -1, top)]
    return (
        Sentence(phrase("lead.contrast", lang, values), (compared,)),
        _reasons("contrast.for", strongest(contrast.for_, 1, top), versus, lang, rival),
        _reasons("contrast.against", other, "", lang, rival),
    )


def _reasons(side: str, lines: Sequence[LineView], versus: str, lang: str, rival: str = "") -> Sentence:
    lead = phrase(f"lead.{side}", lang, {"rival": rival})
    if not lines:
        key = f"none.{side}.rival" if rival and side in ("for", "against") else f"none.{side}"
        return Sentence(lead, (Part(phrase(key, lang, {"rival": rival})),))
    return Sentence(lead, (*_listing(lines, versus, lang), Part(phrase("stop", lang))))


def _listing(lines: Sequence[LineView], versus: str, lang: str) -> tuple[Part, ...]:
    """Name the lines; the first factor says what all of them are measured against, unless the lead does."""
    parts: list[Part] = []
    for i, line in enumerate(lines):
        if i:
            parts.append(Part(phrase("and" if i == len(lines) - 1 else "comma", lang)))
        parts += finding_parts(line, lang)
        factor = factor_text(line.relative, lang)
        shown = phrase("factor.first", lang, {"factor": factor, "versus": versus}) if versus and i == 0 else factor
        parts.append(Part(phrase("parenthesis", lang, {"text": shown}), "factor"))
    return tuple(parts)
