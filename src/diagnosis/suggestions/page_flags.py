"""Flags -> the sentences that a case's page says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diagnosis.explanation import Evidence
from diagnosis.pages import FlagView
from diagnosis.pages.numbers import unit_text, value_text
from diagnosis.pages.observations import in_language
from diagnosis.suggestions.page_names import diagnosis_name, finding_name
from diagnosis.vocabulary import Vocabulary

__all__ = ["flag_view", "rests_on_unrecorded"]

Text = str | Mapping[str, str]
_SAYS: dict[str, Text] = {
    "values_not_used": {
        "en": "Values whose unit does not convert were not used.",
        "zh": "单位无法换算的数值未被使用。",
    },
    "trained_on": {
        "en": "This patient was among the training cases; the list may look better than it is.",
        "zh": "该患者属于训练病例，列表可能显得比实际更好。",
    },
    "unlike_training": {
        "en": "No training case resembles this one as closely as nearly all training cases resemble another.",
        "zh": "没有训练病例与本例足够相似（几乎所有训练病例之间都更为相似）。",
    },
    "unlisted": {
        "en": "The list accounts for less of what was found than in 95 of 100 training cases: it may be none of these.",
        "zh": "列表对所见的解释不如 95% 的训练病例：实际诊断可能不在其中。",
    },
    "rests_on_unrecorded": {
        "en": "What was not recorded moves the first suggestion more than any recorded finding.",
        "zh": "对第一条提示影响最大的是未记录的内容，而不是任何已记录的内容。",
    },
}
_IMPLAUSIBLE = {
    "en": "{names}: no living patient has such a value, so it was not used; check number and unit.",
    "zh": "{names}：数值超出人体可能范围，未予采用；请核对数值与单位。",
}
_FAR = {
    "en": "{names}: far outside everything seen in training, so it was not used; check number and unit.",
    "zh": "{names}：数值远超训练数据所见范围，未予采用；请核对数值与单位。",
}
_NO_UNIT = {
    "en": "Values without a unit were not used; known units: {names}.",
    "zh": "缺少单位的数值未被使用；已知单位：{names}。",
}
_FOREIGN = {
    "en": "Values whose unit does not convert were not used: {names}.",
    "zh": "单位无法换算的数值未被使用：{names}。",
}
_ASSUMED = {
    "en": "{n} value{s} without a unit {was} taken as recorded in training: {names}. Check the unit.",
    "zh": "{n}个未注明单位的数值按训练数据的单位理解：{names}。请核对单位。",
}


def flag_view(kind: str, rule: str, diagnosis: str | None, values: Mapping[str, Any], words: Vocabulary) -> FlagView:
    """Put a flag into words."""
    says: Text = _SAYS.get(kind, rule)
    if kind == "red_flag":
        source = f" ({values['source']})" if values.get("source") else ""
        says = {"en": rule + source, "zh": (values.get("says_zh") or rule) + source}
    elif kind == "implausible_value":
        sentence = _FAR if values.get("beyond") == "training" else _IMPLAUSIBLE
        names = {lang: [in_language(finding_name(words, c), lang, c) for c in values["codes"]] for lang in sentence}
        says = {lang: text.format(names=", ".join(names[lang])) for lang, text in sentence.items()}
    elif kind == "values_not_used" and "without_unit" in values:
        says = _without_unit(values["without_unit"], words)
    elif kind == "values_not_used" and "foreign" in values:
        says = _foreign(values["foreign"], words)
    elif kind == "assumed_unit":
        says = _assumed(values["assumed"], words)
    return FlagView(
        kind=kind, says=says, diagnosis=diagnosis_name(words, diagnosis) if diagnosis else None, values=values
    )


def _without_unit(units: Mapping[str, Sequence[str]], words: Vocabulary) -> Text:
    said = {}
    for lang, text in _NO_UNIT.items():
        named = [
            f"{in_language(finding_name(words, code), lang, code)} ({', '.join(known)})"
            for code, known in units.items()
        ]
        said[lang] = text.format(names=", ".join(named))
    return said


def _foreign(given: Mapping[str, Mapping[str, Any]], words: Vocabulary) -> Text:
    said = {}
    for lang, text in _FOREIGN.items():
        named = [
            f"{in_language(finding_name(words, code), lang, code)} {value_text(one['value'])} {one['unit']}"
            for code, one in given.items()
        ]
        said[lang] = text.format(names=", ".join(named))
    return said


def _assumed(taken: Mapping[str, Mapping[str, Any]], words: Vocabulary) -> Text:
    said, n = {}, len(taken)
    for lang, text in _ASSUMED.items():
        named = [
            f"{in_language(finding_name(words, code), lang, code)} {value_text(one['value'])} "
            f"({unit_text(one['unit'], lang)})"
            for code, one in taken.items()
        ]
        said[lang] = text.format(n=n, s="" if n == 1 else "s", was="was" if n == 1 else "were", names=", ".join(named))
    return said


def rests_on_unrecorded(evidence: Evidence) -> tuple[FlagView, ...]:
    """A flag where what has no record moves the first suggestion more than any line that has one."""
    if not evidence.suggestions or not evidence.suggestions[0].rests_on_unrecorded:
        return ()
    return (FlagView(kind="rests_on_unrecorded", says=_SAYS["rests_on_unrecorded"]),)
