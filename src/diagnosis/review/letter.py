"""What goes with a case to a colleague: a letter, and a form to answer on, in the colleague's language."""

from __future__ import annotations

from collections.abc import Iterable

from diagnosis.pages.report_language import ReportLanguage
from diagnosis.review.answer import BASES

__all__ = ["form_text", "letter_text"]

_LETTER = {
    "en": """\
One case, for your opinion.

case.html              the case and a list of suggestions: open it in a browser, no network is needed
case.fhir.json         the same findings as a FHIR R4 Bundle
case.phenopacket.json  the same as a GA4GH phenopacket
answer.yaml            your answer: fill it in and send this one file back

{question}

What was taken out before sending:
{left}

What could not be written:
{unwritten}

The suggestions are decision support for clinicians. They are not for patients and not for time-critical decisions, they
suggest no treatment and no dose, and a reassuring list does not exclude a diagnosis.
""",
    "zh": """\
一例病例，请您会诊。

case.html              病例与提示列表：用浏览器打开，无需联网
case.fhir.json         同样的内容，FHIR R4 Bundle 格式
case.phenopacket.json  同样的内容，GA4GH phenopacket 格式
answer.yaml            您的答复：填写后只需寄回这一个文件

{question}

发送前已去除：
{left}

无法写入的内容：
{unwritten}

提示列表是供临床医师参考的决策支持，不供患者自行使用，不用于争分夺秒的紧急决策；不提供治疗或剂量建议；列表看似令人放心，
并不等于没有疾病。
""",
}
_FORM = {
    "en": """\
# The answer to a consultation. Fill in what you can and send this file back; leave the first two lines as they are.
packet: {packet}
proof: {proof}
# Your name or staff number.
reviewer: ""
# What you took it to be before you opened the list of suggestions, by name or code.
first_idea: ""
# agree (with the first suggestion), other, or cannot_say.
verdict: ""
# For other: the diagnosis by name or code; or in your own words in diagnosis_text.
diagnosis: ""
diagnosis_text: ""
# What it rests on: {bases}.
basis: ""
# Why you decided against the list, and anything else.
reason: ""
comment: ""
# Time spent, in minutes.
minutes: ""
""",
    "zh": """\
# 会诊答复。请尽量填写后寄回本文件；前两行请勿改动。
packet: {packet}
proof: {proof}
# 您的姓名或工号。
reviewer: ""
# 打开提示列表之前您的初步考虑，写名称或编码。
first_idea: ""
# 您的判断，写其中一个英文词：agree（同意首位提示）、other（其他诊断）、cannot_say（无法判断）。
verdict: ""
# 若为 other：诊断的名称或编码；或在 diagnosis_text 中用您自己的话写。
diagnosis: ""
diagnosis_text: ""
# 判断依据，写其中一个英文词：{bases}。
basis: ""
# 不采纳列表的理由，及其他说明。
reason: ""
comment: ""
# 所用时间（分钟）。
minutes: ""
""",
}


def form_text(packet: str, proof: str, lang: str = "en") -> str:
    """Return the empty form of a packet."""
    return _FORM[lang].format(packet=packet, proof=proof, bases=", ".join(BASES))


def letter_text(question: str, left: Iterable[str], unwritten: Iterable[str], lang: str = "en") -> str:
    """Return what a packet holds, what was taken out of the case, and what the question is."""
    says = ReportLanguage(lang)
    return _LETTER[lang].format(question=question, left=_listed(left, says), unwritten=_listed(unwritten, says))


def _listed(lines: Iterable[str], says: ReportLanguage) -> str:
    return "\n".join(f"- {says(one)}" for one in lines) or f"- {says('nothing')}"
