"""`Vocabulary`: what the codes of findings and diagnoses are called, and how they hang together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from diagnosis.errors import UnknownCodeError, nearest

__all__ = ["Term", "Vocabulary"]

_LISTED = ("synonyms", "parents")


@dataclass(frozen=True, slots=True)
class Term:
    """One code of a finding or a diagnosis.

    Parameters
    ----------
    code : str
    names : mapping of str to str
        By language: ``{"en": "fever", "zh": "发热"}``.
    synonyms : tuple of str
        In any language.
    parents : tuple of str
        Codes of broader terms.
    fields : mapping
        Every other column of its row: kind, phase, unit, severity, must_not_miss ...
    """

    code: str
    names: Mapping[str, str] = field(default_factory=dict)
    synonyms: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Term:
        """Read one row of a `vocabulary` or `diagnoses` table."""
        names, synonyms, fields = {}, [], {}
        for column, value in row.items():
            if value is None or column == "code":
                continue
            stem, _, lang = column.partition("_")
            if stem == "name":
                names[lang or "en"] = str(value)
            elif stem == "synonyms":
                synonyms += [s.strip() for s in str(value).split("|") if s.strip()]
            elif column != "parents":
                fields[column] = value
        parents = tuple(p.strip() for p in str(row.get("parents") or "").split("|") if p.strip())
        return cls(str(row["code"]), MappingProxyType(names), tuple(synonyms), parents, MappingProxyType(fields))

    def name(self, lang: str = "en") -> str:
        """The name in `lang`, else in English, else in any language, else the code."""
        return self.names.get(lang) or self.names.get("en") or next(iter(self.names.values()), self.code)


@dataclass(frozen=True)
class Vocabulary:
    """The codes of a set of records: findings and diagnoses.

    An unknown code is never an error here: its name is the code itself.

    Parameters
    ----------
    findings, diagnoses : mapping of str to Term

    Examples
    --------
    >>> words = Vocabulary.from_rows([{"code": "fever", "name_zh": "发热"}], [{"code": "B05.9", "name": "measles"}])
    >>> words.name("fever", "zh"), words.diagnosis_name("B05.9"), words.resolve_diagnosis("Measles")
    ('发热', 'measles', 'B05.9')
    """

    findings: Mapping[str, Term] = field(default_factory=dict)
    diagnoses: Mapping[str, Term] = field(default_factory=dict)

    @classmethod
    def from_rows(
        cls, findings: Iterable[Mapping[str, Any]] = (), diagnoses: Iterable[Mapping[str, Any]] = ()
    ) -> Vocabulary:
        """Build from the rows of the two tables."""
        return cls(
            MappingProxyType({t.code: t for t in map(Term.from_row, findings)}),
            MappingProxyType({t.code: t for t in map(Term.from_row, diagnoses)}),
        )

    def __repr__(self) -> str:
        return f"<Vocabulary: {len(self.findings):,} findings, {len(self.diagnoses):,} diagnoses>"

    def name(self, code: str, lang: str = "en") -> str:
        """Name of a finding."""
        term = self.findings.get(code)
        return term.name(lang) if term else code

    def diagnosis_name(self, code: str, lang: str = "en") -> str:
        """Name of a diagnosis."""
        term = self.diagnoses.get(code)
        return term.name(lang) if term else code

    def question(self, code: str, lang: str = "en") -> str | None:
        """The question that asks for a finding, where there is one."""
        return self._field(code, "question" if lang == "en" else f"question_{lang}")

    def kind(self, code: str) -> str | None:
        """``symptom``, ``sign``, ``laboratory`` ... or None."""
        return self._field(code, "kind")

    def phase(self, code: str) -> str | None:
        """When in a visit the finding is usually had, or None."""
        return self._field(code, "phase")

    def unit(self, code: str) -> str | None:
        """The UCUM unit the finding's value is compared in, or None."""
        return self._field(code, "unit")

    def loinc(self, code: str) -> str | None:
        """The LOINC code, from the table or from a ``LOINC:`` code itself."""
        if code.startswith("LOINC:"):
            return code.removeprefix("LOINC:")
        return self._field(code, "loinc")

    def parents(self, code: str) -> tuple[str, ...]:
        """Codes of the broader findings, one level up."""
        term = self.findings.get(code)
        return term.parents if term else ()

    def ancestors(self, code: str) -> frozenset[str]:
        """Codes of all broader findings; a loop in the table ends where it closes."""
        seen: set[str] = set()
        todo = list(self.parents(code))
        while todo:
            one = todo.pop()
            if one not in seen and one != code:
                seen.add(one)
                todo += self.parents(one)
        return frozenset(seen)

    def severity(self, diagnosis: str) -> int | None:
        """1 (can kill today) to 5, or None."""
        return self._of_diagnosis(diagnosis, "severity")

    def flag_at(self, diagnosis: str) -> float | None:
        """The probability at which a must-not-miss diagnosis is flagged, where the table states one."""
        return self._of_diagnosis(diagnosis, "flag_at")

    @cached_property
    def must_not_miss(self) -> frozenset[str]:
        """Diagnoses that must not be missed."""
        return frozenset(code for code, term in self.diagnoses.items() if term.fields.get("must_not_miss"))

    def resolve(self, text: str) -> str:
        """Code of a finding from its code, name or synonym in any language.

        Raises
        ------
        UnknownCodeError
            With the nearest names.
        """
        return _resolve(text, self._finding_index, "a finding")

    def resolve_diagnosis(self, text: str, known: Iterable[str] = ()) -> str:
        """Code of a diagnosis from its code, name or synonym in any language; `known` are codes without a term.

        Raises
        ------
        UnknownCodeError
            With the nearest names.
        """
        extra = {k.casefold(): k for k in known}
        return _resolve(text, {**extra, **self._diagnosis_index}, "a diagnosis")

    def finding_rows(self) -> list[dict[str, Any]]:
        """The findings as rows of the `vocabulary` table."""
        return [_row(t) for t in self.findings.values()]

    def diagnosis_rows(self) -> list[dict[str, Any]]:
        """The diagnoses as rows of the `diagnoses` table."""
        return [_row(t) for t in self.diagnoses.values()]

    def joined(self, other: Vocabulary) -> Vocabulary:
        """Both vocabularies; where a code stands in both, this one's term."""
        return Vocabulary(
            MappingProxyType({**other.findings, **self.findings}),
            MappingProxyType({**other.diagnoses, **self.diagnoses}),
        )

    @cached_property
    def _finding_index(self) -> dict[str, str]:
        return _index(self.findings.values())

    @cached_property
    def _diagnosis_index(self) -> dict[str, str]:
        return _index(self.diagnoses.values())

    def _field(self, code: str, name: str) -> Any:
        term = self.findings.get(code)
        return term.fields.get(name) if term else None

    def _of_diagnosis(self, code: str, name: str) -> Any:
        term = self.diagnoses.get(code)
        return term.fields.get(name) if term else None


def _index(terms: Iterable[Term]) -> dict[str, str]:
    """Every word a term goes by -> its code; codes win over names, names over synonyms."""
    terms = list(terms)
    words = {s.casefold(): t.code for t in terms for s in t.synonyms}
    words |= {n.casefold(): t.code for t in terms for n in t.names.values()}
    return words | {t.code.casefold(): t.code for t in terms}


def _resolve(text: str, index: Mapping[str, str], asked: str) -> str:
    found = index.get(text.casefold())
    if found is None:
        near = nearest(text, index)
        raise UnknownCodeError(
            f"asked for {asked} by code, name or synonym",
            f"{text!r} is none of the {len(set(index.values())):,} known",
            "use one of the known names",
            codes=[text],
            near=near,
        )
    return found


def _row(term: Term) -> dict[str, Any]:
    row: dict[str, Any] = {"code": term.code, **term.fields}
    row |= {"name" if lang == "en" else f"name_{lang}": name for lang, name in term.names.items()}
    if term.synonyms:
        row["synonyms"] = "|".join(term.synonyms)
    if term.parents:
        row["parents"] = "|".join(term.parents)
    return row
