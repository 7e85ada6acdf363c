"""What findings, parts of the context and diagnoses are called on a case's page."""

from __future__ import annotations

from collections.abc import Mapping

from diagnosis.features import EARLIER
from diagnosis.pages.observations import in_language
from diagnosis.vocabulary import Vocabulary

__all__ = ["SUBJECTS", "context_name", "diagnosis_name", "finding_name", "subject_of"]

Text = str | Mapping[str, str]
#: Whose finding it is, where it is not the patient's.
SUBJECTS = {
    "family": {"en": "family", "zh": "家族"},
    "mother": {"en": "mother", "zh": "母亲"},
    "fetus": {"en": "fetus", "zh": "胎儿"},
    "contact": {"en": "contact", "zh": "接触者"},
}
_CONTEXT = {
    "age": {"en": "age", "zh": "年龄"},
    "sex": {"en": "sex", "zh": "性别"},
    "pregnant": {"en": "pregnancy", "zh": "妊娠"},
}
_EARLIER = {"en": "{name} (earlier)", "zh": "{name}（既往）"}


def context_name(code: str, words: Vocabulary) -> Text:
    """Age, sex and the like; or a finding of earlier encounters that this one does not record."""
    if not code.startswith(EARLIER):
        return _CONTEXT.get(code, code)
    _, finding = subject_of(code.removeprefix(EARLIER))
    return {lang: text.format(name=in_language(finding_name(words, finding), lang)) for lang, text in _EARLIER.items()}


def subject_of(key: str) -> tuple[str | None, str]:
    """Take a finding's key apart (see `finding_key`)."""
    subject, slash, code = key.partition("/")
    if slash and subject == "patient":
        return None, code
    return (subject, code) if slash and subject in SUBJECTS else (None, key)


def finding_name(words: Vocabulary, code: str) -> Text:
    """All names of a finding; the code where the vocabulary has none."""
    term = words.findings.get(code)
    return dict(term.names) or code if term else code


def diagnosis_name(words: Vocabulary, code: str) -> Text:
    """All names of a diagnosis; the code where the vocabulary has none."""
    term = words.diagnoses.get(code)
    return dict(term.names) or code if term else code
