"""`Vocabulary`: what the codes of findings and diagnoses are called, and how they hang together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from diagnosis.vocabulary.index import Index
from diagnosis.vocabulary.term import Term

__all__ = ["Term", "Vocabulary"]


@dataclass(frozen=True)
class Vocabulary:
    """The codes of a set of records: findings and diagnoses.

    An unknown code is never an error here: its name is the code itself.

    Parameters
    ----------
    findings, diagnoses : mapping of str to Term
    retired : mapping of str to str or None
        Codes that are current no longer, each with the one that stands for it now; None where there is none.
    versions : mapping of str to str
        Release of each code system that was read from a file.

    Examples
    --------
    >>> words = Vocabulary.from_rows([{"code": "fever", "name_zh": "发热"}], [{"code": "B05.9", "name": "measles"}])
    >>> words.name("fever", "zh"), words.diagnosis_name("B05.9"), words.resolve_diagnosis("Measles")
    ('发热', 'measles', 'B05.9')
    """

    findings: Mapping[str, Term] = field(default_factory=dict)
    diagnoses: Mapping[str, Term] = field(default_factory=dict)
    retired: Mapping[str, str | None] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_file(cls, path: str | Path, *, languages: Sequence[str | Path] = ()) -> Vocabulary:
        """Read the words of findings from a CSV, an OBO or an OBO Graphs file; see `read_vocabulary`."""
        from diagnosis.vocabulary.reading import read_vocabulary

        return read_vocabulary(path, languages=languages)

    @classmethod
    def from_rows(
        cls, findings: Iterable[Mapping[str, Any]] = (), diagnoses: Iterable[Mapping[str, Any]] = ()
    ) -> Vocabulary:
        """Build from the rows of the two tables."""
        return cls(
            {t.code: t for t in map(Term.from_row, findings)}, {t.code: t for t in map(Term.from_row, diagnoses)}
        )

    def __post_init__(self) -> None:
        for name in ("findings", "diagnoses", "retired", "versions"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self) -> tuple[Any, ...]:
        return Vocabulary, (dict(self.findings), dict(self.diagnoses), dict(self.retired), dict(self.versions))

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

    def current(self, code: str) -> str | None:
        """The code that stands for `code` now: itself, its replacement, or None where it is unknown or has none.

        Examples
        --------
        >>> words = Vocabulary({"HP:2": Term("HP:2")}, retired={"HP:1": "HP:2", "HP:0": None})
        >>> words.current("HP:1"), words.current("HP:2"), words.current("HP:0"), words.current("x")
        ('HP:2', 'HP:2', None, None)
        """
        if code in self.retired:
            return self.retired[code]
        return code if code in self.findings or code in self.diagnoses else None

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
        return frozenset(c for c, term in self.diagnoses.items() if term.fields.get("must_not_miss") in (True, "true"))

    def resolve(self, text: str) -> str:
        """Code of a finding from its code, name or synonym in any language.

        Codes win over names and names over synonyms; what is written exactly so wins over another case or width.

        Raises
        ------
        UnknownCodeError
            With the nearest names; also where the text is the name of several findings.
        """
        return self._finding_index.code(text, "a finding")

    def resolve_diagnosis(self, text: str, known: Iterable[str] = ()) -> str:
        """Code of a diagnosis from its code, name or synonym in any language; `known` are codes without a term.

        Raises
        ------
        UnknownCodeError
            With the nearest names.
        """
        index = self._diagnosis_index
        new = [code for code in known if code not in self.diagnoses]
        return (Index([*self.diagnoses.values(), *map(Term, new)]) if new else index).code(text, "a diagnosis")

    def finding_rows(self) -> list[dict[str, Any]]:
        """The findings as rows of the `vocabulary` table."""
        return [t.to_row() for t in self.findings.values()]

    def diagnosis_rows(self) -> list[dict[str, Any]]:
        """The diagnoses as rows of the `diagnoses` table."""
        return [t.to_row() for t in self.diagnoses.values()]

    def joined(self, other: Vocabulary) -> Vocabulary:
        """Both vocabularies; where a code stands in both, this one's term, its gaps filled from the other's."""
        if self is other or not (self.findings or self.diagnoses or self.retired or self.versions):
            return other
        # Case after case of one set of records is joined with the words of one model.
        last: tuple[Vocabulary, Vocabulary] | None = self.__dict__.get("_last_joined")
        if last is not None and last[0] is other:
            return last[1]
        made = Vocabulary(
            {**other.findings, **_filled(self.findings, other.findings)},
            {**other.diagnoses, **_filled(self.diagnoses, other.diagnoses)},
            {**other.retired, **self.retired},
            {**other.versions, **self.versions},
        )
        self.__dict__["_last_joined"] = (other, made)
        return made

    @cached_property
    def _finding_index(self) -> Index:
        return Index(self.findings.values())

    @cached_property
    def _diagnosis_index(self) -> Index:
        return Index(self.diagnoses.values())

    def _field(self, code: str, name: str) -> Any:
        term = self.findings.get(code)
        return term.fields.get(name) if term else None

    def _of_diagnosis(self, code: str, name: str) -> Any:
        term = self.diagnoses.get(code)
        return term.fields.get(name) if term else None


def _filled(terms: Mapping[str, Term], others: Mapping[str, Term]) -> dict[str, Term]:
    return {code: term.filled(others[code]) if code in others else term for code, term in terms.items()}
