"""How alike the words of a finding and of a diagnosis are: the same, one within the other, kin by code."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diagnosis.vocabulary import Vocabulary
    from diagnosis.vocabulary.terms import Term

__all__ = ["DiagnosisWords", "FindingWords", "diagnosis_words", "finding_words", "likeness", "plain", "tells_in_text"]

_LEAST_SHARE = 0.5
#: Somebody else's disease, or one of the past: known before this visit, and no word about it.
_NOT_NOW = frozenset({"family_history", "exposure", "history"})
_OF_OTHERS = frozenset({"family_history", "exposure"})
#: Named after what they look for.
_TESTS = frozenset({"laboratory", "microbiology", "imaging", "pathology", "genetic", "vital"})
_SIGNS = frozenset({"symptom", "sign"})
_ICD = re.compile(r"[A-TV-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?")


@dataclass(frozen=True, slots=True)
class FindingWords:
    """What a finding goes by: `names` (code and names in all languages), `all` (synonyms too), code, kind, pieces."""

    code: str
    names: frozenset[str]
    all: frozenset[str]
    kind: str | None
    pieces: frozenset[str]


@dataclass(frozen=True, slots=True)
class DiagnosisWords:
    """What a diagnosis goes by, and the names and codes of its parents and children."""

    names: frozenset[str]
    all: frozenset[str]
    kin: frozenset[str]
    codes: frozenset[str]
    pieces: frozenset[str]


def finding_words(words: Vocabulary, code: str) -> FindingWords:
    """Collect what a finding goes by; terms of the Human Phenotype Ontology count as signs."""
    term = words.findings.get(code)
    kind = words.kind(code) or ("sign" if code.startswith("HP:") else None)
    names, all_ = _names(code, term), _forms(code, term)
    return FindingWords(code, names, all_, kind, _pieces(all_))


def diagnosis_words(words: Vocabulary, code: str) -> DiagnosisWords:
    """Collect what a diagnosis goes by, with its parents and children in the table of diagnoses."""
    term = words.diagnoses.get(code)
    parents = term.parents if term else ()
    children = [c for c, other in words.diagnoses.items() if code in other.parents]
    kin = frozenset(n for c in (*parents, *children) for n in _names(c, words.diagnoses.get(c)))
    stated = str(term.fields.get("icd10", "")) if term else ""
    codes = frozenset(filter(None, map(_icd, (code, stated))))
    all_ = _forms(code, term)
    return DiagnosisWords(_names(code, term), all_, kin, codes, _pieces(all_ | kin))


def likeness(finding: FindingWords, diagnosis: DiagnosisWords) -> str | None:
    """Say how the finding names the diagnosis, None where it does not.

    A finding of unknown kind counts when the words are equal, when it holds the whole name, or is at least half of it.
    A declared symptom, sign or test has reasons of its own to share words with a disease ("headache" and "migraine
    headache", "Koplik spots" and 麻疹黏膜斑, "measles IgM"): it counts only when one of its own names is equal. What
    runs in the family, an exposure and a disease of the past never count.
    """
    if finding.kind in _NOT_NOW:
        return None
    if _kin_by_code(finding.code, diagnosis.codes):
        return "has the code of a parent or child of"
    if finding.pieces.isdisjoint(diagnosis.pieces):
        return None
    declared = finding.kind in _SIGNS | _TESTS
    own = finding.names if declared else finding.all
    if own & diagnosis.all:
        return "is named like"
    if finding.kind in _TESTS:
        return None
    if own & diagnosis.kin:
        return "is named like a parent or child of"
    if declared:
        return None
    if any(_within(d, f) for f in own for d in diagnosis.all):
        return "holds the name of"
    if finding.kind is None and any(
        len(f) >= _LEAST_SHARE * len(d) and _within(f, d) for f in own for d in diagnosis.all
    ):
        return "is part of the name of"
    return None


def tells_in_text(text: str, kind: str | None, diagnosis: DiagnosisWords) -> bool:
    """Whether a finding's text is the diagnosis, or holds its name; what a test shows may be named as it is."""
    one = plain(text)
    if kind in _OF_OTHERS or kind in _TESTS:
        return False
    return one in diagnosis.all or any(_within(d, one) for d in diagnosis.names)


def plain(text: str) -> str:
    """Letters and digits in one width and case, one space between words."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def _names(code: str, term: Term | None) -> frozenset[str]:
    named: Iterable[str] = () if term is None else term.names.values()
    return frozenset(filter(None, map(plain, (code, *named))))


def _forms(code: str, term: Term | None) -> frozenset[str]:
    return _names(code, term) | frozenset(filter(None, map(plain, () if term is None else term.synonyms)))


def _pieces(forms: frozenset[str]) -> frozenset[str]:
    """Words where letters are written apart, pairs of letters where they are not: what two alike names must share."""
    found: set[str] = set()
    for form in forms:
        found.update(form.split())
        if not form.isascii():
            found.update(form[i : i + 2] for i in range(len(form) - 1))
    return frozenset(found)


def _icd(code: str) -> str | None:
    bare = code.rpartition(":")[2].strip().upper()
    return bare.replace(".", "") if _ICD.fullmatch(bare) else None


def _kin_by_code(code: str, diagnosis: frozenset[str]) -> bool:
    own = _icd(code)
    return own is not None and any(own.startswith(d) or d.startswith(own) for d in diagnosis)


def _within(part: str, whole: str) -> bool:
    """Whole words where letters are written apart; never codes with digits, which may share a stem by accident."""
    if len(part) < 2 or part not in whole or any(c.isdigit() for c in part):
        return False
    return not part.isascii() or (len(part) >= 4 and f" {part} " in f" {whole} ")
