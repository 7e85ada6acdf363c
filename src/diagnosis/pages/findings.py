"""How one finding is put into words: in a sentence with its name, or in a table beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from diagnosis.pages.numbers import direction, measure_text, range_text, with_unit
from diagnosis.pages.observations import Observation, RecordedFinding, in_language
from diagnosis.pages.translations import phrase

__all__ = ["Part", "finding_parts", "full_name", "mark_text", "name_text", "reference_text", "state_text"]

_NEGATED_EN = ("no ", "not ", "non-", "non ", "without ", "never ")
_NEGATED_ZH = ("有", "无", "未", "不", "没", "否")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence: plain words, a finding's name, or a factor."""

    text: str
    kind: Literal["plain", "name", "factor"] = "plain"
    code: str | None = None


def finding_parts(seen: Observation, lang: str) -> tuple[Part, ...]:
    """Return a finding with its state or its value, as it would be said aloud.

    Examples
    --------
    >>> "".join(part.text for part in finding_parts(Observation(name="wheeze", state="absent"), "en"))
    'no wheeze'
    >>> "".join(part.text for part in finding_parts(Observation(name="喘息", state="absent"), "zh"))
    '无喘息'
    """
    name = Part(name_text(seen, lang), "name", seen.code)
    before, after = _around(name.text, seen, lang)
    whose = in_language(seen.subject, lang)
    before = f"{phrase('subject', lang, {'subject': whose})}{before}" if whose else before
    return tuple(part for part in (Part(before), name, Part(after)) if part.text)


def name_text(seen: Observation, lang: str) -> str:
    """Return the name of a finding, else its code."""
    return in_language(seen.name, lang, seen.code or "?")


def full_name(seen: Observation, lang: str) -> str:
    """Return the name with whose finding it is."""
    whose = in_language(seen.subject, lang)
    return f"{phrase('subject', lang, {'subject': whose}) if whose else ''}{name_text(seen, lang)}"


def state_text(seen: Observation, lang: str) -> str:
    """Return the value, else the state; with a value the state is said where it is not *present*."""
    measured = measure_text(seen, lang)
    if not measured and seen.interpretation in ("POS", "NEG"):
        return phrase(f"test.{seen.interpretation}", lang).strip()
    said = "" if measured and seen.state == "present" else phrase(f"state.{seen.state}", lang)
    return phrase("comma", lang).join(part for part in (measured, said) if part)


def mark_text(seen: Observation, lang: str) -> str:
    """Return *high*, *low*, *abnormal*, *normal* ..., empty where neither record nor range says."""
    mark = direction(seen)
    return phrase(f"mark.{mark}", lang) if mark else ""


def reference_text(seen: RecordedFinding, lang: str) -> str:
    """Return the reference range with its unit, empty without one."""
    span = range_text(seen.ref_low, seen.ref_high, lang)
    return with_unit(span, seen.unit, lang) if span else ""


def _around(name: str, seen: Observation, lang: str) -> tuple[str, str]:
    """Return what stands before and after the name."""
    if measured := measure_text(seen, lang):
        return "", _value_after(measured, seen, lang)
    if seen.state == "context":
        return "", ""
    if seen.interpretation in ("POS", "NEG"):
        return "", phrase(f"test.{seen.interpretation}", lang)
    if lang == "zh":
        return _around_zh(name, seen.state)
    if name.startswith(_NEGATED_EN) and seen.state in ("present", "absent"):
        return "", phrase("text_value", "en", {"text": phrase(f"answer.{seen.state}", "en")})
    if seen.state == "absent" and name[:1].islower():
        return "no ", ""
    return "", f" {phrase(f'state.{seen.state}', lang)}"


def _value_after(measured: str, seen: Observation, lang: str) -> str:
    asides = [mark_text(seen, lang)]
    asides += [phrase(f"state.{seen.state}", lang)] if seen.state in ("absent", "uncertain") else []
    joined = seen.value is not None or seen.state == "context"
    text = f" {measured}" if joined else phrase("text_value", lang, {"text": measured})
    return text + "".join(phrase("parenthesis", lang, {"text": aside}) for aside in asides if aside)


def _around_zh(name: str, state: str) -> tuple[str, str]:
    """Chinese sets the state before the name, unless the name has one of its own."""
    if state == "uncertain":
        return "", phrase("state.uncertain", "zh")
    if state not in ("present", "absent") or name.startswith(_NEGATED_ZH):
        said = phrase(f"answer.{state}" if state in ("present", "absent") else f"state.{state}", "zh")
        return "", phrase("text_value", "zh", {"text": said})
    sign = phrase(f"state.{state}", "zh")
    return (f"{sign} " if name[:1].isascii() else sign), ""
