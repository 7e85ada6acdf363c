"""`Term`: one code, its names, synonyms and place in the hierarchy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["Term"]


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", MappingProxyType(dict(self.names)))
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping cannot be sent to a worker process; a plain one can, and is made read-only there.
        return Term, (self.code, dict(self.names), self.synonyms, self.parents, dict(self.fields))

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Term:
        """Read one row of a `vocabulary` or `diagnoses` table; None, NaN and empty text are missing."""
        names, synonyms, fields = {}, [], {}
        row = {c: v for c, v in row.items() if not _is_missing(v)}
        for column, value in row.items():
            if column == "code":
                continue
            stem, _, lang = column.partition("_")
            if stem == "name":
                names[lang or "en"] = str(value)
            elif stem == "synonyms":
                synonyms += [s.strip() for s in str(value).split("|") if s.strip()]
            elif column != "parents":
                fields[column] = value
        parents = tuple(p.strip() for p in str(row.get("parents") or "").split("|") if p.strip())
        return cls(str(row["code"]), names, tuple(synonyms), parents, fields)

    def name(self, lang: str = "en") -> str:
        """The name in `lang`, else in English, else in any language, else the code."""
        return self.names.get(lang) or self.names.get("en") or next(iter(self.names.values()), self.code)

    def filled(self, other: Term) -> Term:
        """This term, with what it does not say taken from another of the same code."""
        if self is other or self == other:
            return self
        names = {**self.names, **{lang: name for lang, name in other.names.items() if lang not in self.names}}
        fields = {**other.fields, **self.fields}
        return Term(self.code, names, self.synonyms or other.synonyms, self.parents or other.parents, fields)

    def to_row(self) -> dict[str, Any]:
        """The term as a row of its table."""
        row: dict[str, Any] = {"code": self.code, **self.fields}
        row |= {"name" if lang == "en" else f"name_{lang}": name for lang, name in self.names.items()}
        if self.synonyms:
            row["synonyms"] = "|".join(self.synonyms)
        if self.parents:
            row["parents"] = "|".join(self.parents)
        return row


def _is_missing(value: Any) -> bool:
    """Whether it is None, empty text, or one of the values that do not equal themselves (NaN, NaT, NA)."""
    if value is None:
        return True
    try:
        return bool(value == "" or value != value)
    except TypeError:  # pandas' NA is neither true nor false
        return True
