"""Codings and what they are called: FHIR systems as CURIE prefixes, one code for each concept, names on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

__all__ = ["PREFIXES", "Terms", "system_of", "word_of"]

#: Prefix of the CURIE of each code system. Editions of ICD-10 differ, so each keeps a prefix of its own.
PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "http://loinc.org": "LOINC",
        "http://snomed.info/sct": "SNOMED",
        "http://human-phenotype-ontology.org": "HP",
        "http://purl.obolibrary.org/obo/hp.owl": "HP",
        "http://purl.obolibrary.org/obo/hp.fhir": "HP",
        "http://purl.obolibrary.org/obo/mondo.owl": "MONDO",
        "http://www.orpha.net": "ORPHA",
        "http://omim.org": "OMIM",
        "http://www.omim.org": "OMIM",
        "http://hl7.org/fhir/sid/icd-10": "ICD10",
        "http://hl7.org/fhir/sid/icd-10-cm": "ICD10CM",
        "http://hl7.org/fhir/sid/icd-10-de": "ICD10DE",
        "http://fhir.de/CodeSystem/bfarm/icd-10-gm": "ICD10GM",
        "http://hl7.org/fhir/sid/icd-10-nl": "ICD10NL",
        "http://hl7.org/fhir/sid/icd-9": "ICD9",
        "http://hl7.org/fhir/sid/icd-9-cm": "ICD9CM",
        "http://id.who.int/icd/release/11/mms": "ICD11",
        "http://id.who.int/icd11/mms": "ICD11",
        "http://hl7.org/fhir/sid/icpc-2": "ICPC2",
        "http://www.nlm.nih.gov/research/umls/rxnorm": "RXNORM",
        "http://www.whocc.no/atc": "ATC",
        "http://hl7.org/fhir/sid/ndc": "NDC",
        "http://hl7.org/fhir/sid/cvx": "CVX",
        "http://www.ama-assn.org/go/cpt": "CPT",
        "http://unitsofmeasure.org": "UCUM",
    }
)
_SYSTEMS = {prefix: system for system, prefix in reversed(list(PREFIXES.items()))}
_FINDING_ORDER = ("LOINC", "SNOMED", "HP")
_DIAGNOSIS_ORDER = ("SNOMED", "ICD10", "ICD10CM", "ICD11", "MONDO", "ORPHA", "OMIM")
_TAG = re.compile(r"\((?:finding|situation)\)\s*\Z", re.IGNORECASE)
_CHINESE = re.compile(r"[㐀-鿿]")

_KEPT = 1 << 16

Concept = Mapping[str, Any]


class Terms:
    """Gives each concept its code, and remembers names for the vocabulary.

    Of several codings the one of the best known system counts: for findings LOINC, SNOMED CT, HPO; for diagnoses SNOMED
    CT, ICD-10, ICD-11. A concept in words alone has those words as its code.

    Parameters
    ----------
    order : sequence of str
        Prefixes, most wanted first.

    Attributes
    ----------
    rows : dict of str to dict
        By code: columns of the `vocabulary` or `diagnoses` table.
    tagged : set of str
        Codes whose name in SNOMED CT ends in "(finding)" or "(situation)", and HPO terms.
    in_words : int
        Concepts that had no code.
    """

    def __init__(self, order: Sequence[str]) -> None:
        self._place = {prefix: i for i, prefix in enumerate(order)}
        self._seen: dict[Any, str] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.tagged: set[str] = set()
        self.in_words = 0

    @classmethod
    def of_findings(cls) -> Terms:
        """Terms for what is observed."""
        return cls(_FINDING_ORDER)

    @classmethod
    def of_diagnoses(cls) -> Terms:
        """Terms for diseases."""
        return cls(_DIAGNOSIS_ORDER)

    def code(self, concept: Concept) -> str:
        """The code of a CodeableConcept.

        Raises
        ------
        KeyError, TypeError, AttributeError, ValueError
            It is not built as one, or holds neither a code nor words.
        """
        codings = concept.get("coding")
        if codings and len(codings) == 1:
            one = codings[0]
            key: tuple[Any, ...] = (one.get("system"), one.get("code"), one.get("display"), concept.get("text"))
        else:
            key = (*((c.get("system"), c.get("code"), c.get("display")) for c in codings or ()), concept.get("text"))
        found = self._seen.get(key)
        if found is None:
            if len(self._seen) >= _KEPT:
                self._seen.clear()
            found = self._seen[key] = self._new(codings or (), concept.get("text"))
        return found

    def describe(
        self, code: str, *, phase: str | None = None, kind: str | None = None, icd10: str | None = None
    ) -> None:
        """Fill columns of a code's row that are still empty."""
        row = self.rows[code]
        for name, value in (("phase", phase), ("kind", kind), ("icd10", icd10)):
            if value is not None and name not in row:
                row[name] = value

    def _new(self, codings: Sequence[Mapping[str, Any]], text: Any) -> str:
        words = _text(text)
        known = [(curie(c), c) for c in codings if c.get("code")]
        if not known:
            code = words or next(filter(None, (_text(c.get("display")) for c in codings)), "")
            if not code:
                raise ValueError("a concept without a code and without words")
            self.in_words += 1
            self._name(code, None, code)
            return code
        last = len(self._place)
        place = [self._place.get(c.partition(":")[0], last) for c, _ in known]
        code, chosen = known[place.index(min(place))]
        names = [_text(c.get("display")) for _, c in known]
        self._name(
            code, _text(chosen.get("system")), _text(chosen.get("display")) or next(filter(None, [*names, words]), "")
        )
        if code.startswith("HP:") or any(_TAG.search(n) for n in (*names, words)):
            self.tagged.add(code)
        others = {c.partition(":")[0]: c.partition(":")[2] for c, _ in known}
        if "ICD10" in others:
            self.describe(code, icd10=others["ICD10"])
        return code

    def _name(self, code: str, system: str | None, name: str) -> None:
        row = self.rows.setdefault(code, {"code": code})
        if system:
            row.setdefault("system", system)
        if name:
            row.setdefault("name_zh" if _CHINESE.search(name) else "name", name)
        if _TAG.search(name):
            self.tagged.add(code)


def curie(coding: Mapping[str, Any]) -> str:
    """``PREFIX:code``; with a system that has no prefix ``system#code``, without a system the code.

    Examples
    --------
    >>> curie({"system": "http://loinc.org", "code": "8310-5"})
    'LOINC:8310-5'
    """
    system, code = coding.get("system"), coding["code"]
    if not isinstance(code, str) or not (system is None or isinstance(system, str)):
        raise TypeError("code and system are text")
    code = _whole(code.strip())
    if not system:
        return code
    prefix = PREFIXES.get(system.rstrip("/"))
    if prefix is None:
        return f"{_whole(system)}#{code}"
    return code if code.startswith(f"{prefix}:") else f"{prefix}:{code}"


def system_of(code: str) -> tuple[str | None, str]:
    """The FHIR system and the code in it, from a CURIE; no system where none is known.

    Examples
    --------
    >>> system_of("ICD10:B05.9"), system_of("flu")
    (('http://hl7.org/fhir/sid/icd-10', 'B05.9'), (None, 'flu'))
    """
    prefix, colon, rest = code.partition(":")
    if colon and prefix in _SYSTEMS:
        return _SYSTEMS[prefix], code if prefix == "HP" else rest
    system, mark, rest = code.rpartition("#")
    return (system, rest) if mark and ":" in system else (None, code)


def word_of(concept: Concept | None) -> str | None:
    """What a concept is called: a display, else its words, else a code."""
    if concept is None:
        return None
    codings = concept.get("coding") or ()
    for name in (*(c.get("display") for c in codings), concept.get("text"), *(c.get("code") for c in codings)):
        if name:
            return _text(name)
    return None


def _text(value: Any) -> str:
    """Text without blanks around it; empty for None."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("names are text")
    return _whole(" ".join(value.split()))


def _whole(text: str) -> str:
    """The text, with half a surrogate pair, which nothing can write, replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
