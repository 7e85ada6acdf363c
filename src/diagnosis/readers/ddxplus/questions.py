"""The evidences of a release: what is asked, of what kind, what may be answered, and when the question comes up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from diagnosis.errors import InputError

__all__ = ["SEPARATOR", "Question", "questions_of"]

#: Between an evidence and its value.
SEPARATOR = "_@_"

Kind = Literal["B", "C", "M"]

_TYPES = ("B", "C", "M")


@dataclass(frozen=True, slots=True)
class Question:
    """One evidence of ``release_evidences.json``.

    Parameters
    ----------
    code : str
        ``fievre`` in the French release, ``E_91`` in the English one.
    kind : {"B", "C", "M"}
        Binary, categorical (one answer), multi-choice (several).
    parent : str or None
        The evidence that must hold for this one to be asked; None: it is always asked.
    antecedent : bool
        Of the history rather than a symptom.
    default : str
        The answer that says "nothing"; empty for binary ones.
    values : tuple of str
        Possible answers, the default among them; empty for binary ones.
    scaled : bool
        The answers are numbers (0 to 10).
    asked : mapping of language to str
        The question.
    meanings : mapping of value to mapping of language to str
    """

    code: str
    kind: Kind
    parent: str | None = None
    antecedent: bool = False
    default: str = ""
    values: tuple[str, ...] = ()
    scaled: bool = False
    asked: Mapping[str, str] = field(default_factory=dict)
    meanings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def meaning(self, value: str, lang: str) -> str:
        """A value in words; the value itself where the file has none, or the same words for two values."""
        return self.meanings.get(value, {}).get(lang, value)

    def text(self, lang: str) -> str:
        """The question in a language, else the code."""
        return self.asked.get(lang) or self.code

    @property
    def options(self) -> tuple[str, ...]:
        """The answers other than the default."""
        return tuple(v for v in self.values if v != self.default)


def questions_of(plain: Mapping[str, Mapping[str, Any]]) -> tuple[Question, ...]:
    """Build the questions from what ``release_evidences.json`` holds.

    A `code_question` that names no evidence (five antecedents of the French release, such as ``e10, e11``) means a
    question that is always asked.

    Raises
    ------
    InputError
        An evidence is not built as the release says.
    """
    made = []
    for key, one in plain.items():
        code = one.get("name", key)
        kind = one.get("data_type")
        if not isinstance(code, str) or not code or kind not in _TYPES:
            raise _odd("has a name and a data_type of B, C or M")
        values = _values(one) if kind != "B" else ()
        default = str(one.get("default_value", "")) if kind != "B" else ""
        if kind != "B" and (default not in values or len(values) < 2):
            raise _odd("of type C or M lists its possible-values with the default_value among them")
        parent = one.get("code_question")
        made.append(
            Question(
                code=code,
                kind=kind,
                parent=parent if isinstance(parent, str) and parent in plain and parent not in (key, code) else None,
                antecedent=one.get("is_antecedent") is True,
                default=default,
                values=values,
                scaled=kind == "C" and all(_is_number(v) for v in values),
                asked=_texts({lang: one.get(f"question_{lang}") for lang in ("en", "fr")}),
                meanings=_meanings(one.get("value_meaning")),
            )
        )
    if len({q.code for q in made}) < len(made):
        raise _odd("has a name of its own")
    return tuple(made)


def _values(one: Mapping[str, Any]) -> tuple[str, ...]:
    values = one.get("possible-values")
    if not isinstance(values, list) or not all(isinstance(v, str | int) for v in values):
        raise _odd("of type C or M lists its possible-values as texts or whole numbers")
    return tuple(dict.fromkeys(map(str, values)))


def _is_number(value: str) -> bool:
    return value.isascii() and value.removeprefix("-").isdigit() and len(value) < 10


def _meanings(plain: Any) -> Mapping[str, Mapping[str, str]]:
    if not isinstance(plain, dict):
        return MappingProxyType({})
    meant = {value: _texts(words) for value, words in plain.items() if isinstance(words, dict)}
    seen = Counter((lang, text) for words in meant.values() for lang, text in words.items())
    return MappingProxyType(
        {value: {k: text for k, text in words.items() if seen[k, text] == 1} for value, words in meant.items()}
    )


def _texts(words: Mapping[str, Any]) -> Mapping[str, str]:
    return MappingProxyType({lang: text for lang, text in words.items() if isinstance(text, str) and text})


def _odd(rule: str) -> InputError:
    return InputError(f"each of the evidences {rule}", "one does not", "copy release_evidences.json again")
