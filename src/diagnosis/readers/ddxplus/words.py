"""What a release says of its codes: the tables `vocabulary` and `diagnoses`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from diagnosis.errors import InputError
from diagnosis.readers.ddxplus.questions import SEPARATOR, Question

__all__ = ["SEVERE_BELOW", "Conditions", "vocabulary_of"]

#: The authors' evaluation calls a pathology severe when its severity is under 3 (`severity_threshold = 3` in
#: ``code/basd/env.py`` of mila-iqia/ddxplus; the severe ones are what their DSF1 is taken over).
SEVERE_BELOW = 3

_SYSTEM = "DDXPlus"


@dataclass(frozen=True, slots=True)
class Conditions:
    """The pathologies of a release.

    Parameters
    ----------
    table : pa.Table
        `diagnoses` of format 1.
    codes : mapping of str to str
        Code by any name: the key, `condition_name`, and the names in French and English.
    """

    table: pa.Table
    codes: Mapping[str, str]

    @classmethod
    def of(cls, plain: Mapping[str, Mapping[str, Any]]) -> Conditions:
        """Build from what ``release_conditions.json`` holds.

        Raises
        ------
        InputError
            A condition has no name, or a severity that is none.
        """
        rows = [_diagnosis(key, one) for key, one in plain.items()]
        own = [row["code"] for row in rows]
        if len(set(own)) < len(own):
            raise _odd("has a condition_name of its own")
        names: dict[str, str] = {}
        # What stands first wins: a code is never taken for another's name.
        for known in (own, list(plain), [r["name"] for r in rows], [r["name_fr"] for r in rows]):
            for name, code in zip(known, own, strict=True):
                if name:
                    names.setdefault(name, code)
        return cls(pa.Table.from_pylist(rows, schema=_DIAGNOSES), names)


_DIAGNOSES = pa.schema(
    [
        *((name, pa.string()) for name in ("code", "system", "name", "name_fr", "icd10")),
        ("severity", pa.int64()),
        ("must_not_miss", pa.bool_()),
    ]
)


def _diagnosis(key: str, one: Mapping[str, Any]) -> dict[str, Any]:
    code, severity, icd10 = one.get("condition_name", key), one.get("severity"), one.get("icd10-id")
    if not isinstance(code, str) or not code:
        raise _odd("has a condition_name")
    if severity is not None and (isinstance(severity, bool) or not isinstance(severity, int) or not 1 <= severity <= 5):
        raise _odd("has a severity from 1 to 5, or none")
    return {
        "code": code,
        "system": _SYSTEM,
        "name": _text(one.get("cond-name-eng")),
        "name_fr": _text(one.get("cond-name-fr")),
        "icd10": "|".join(re.findall(r"[A-Z0-9.]+", icd10.upper())) or None if isinstance(icd10, str) else None,
        "severity": severity,
        "must_not_miss": severity is not None and severity < SEVERE_BELOW,
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _odd(rule: str) -> InputError:
    return InputError(f"each of the conditions {rule}", "one does not", "copy release_conditions.json again")


def vocabulary_of(questions: Sequence[Question]) -> pa.Table:
    """`vocabulary` of format 1: the questions, and under each multi-choice one its options.

    An evidence is called by its question, for it has no other name. An option's parent is its question, whose parent is
    the evidence that must hold for it to be asked.
    """
    rows = []
    for question in questions:
        rows.append(_finding(question, question.code, question.parent, None))
        if question.kind == "M":
            rows += [
                _finding(question, f"{question.code}{SEPARATOR}{value}", question.code, value)
                for value in question.options
            ]
    return pa.Table.from_pylist(rows, schema=_VOCABULARY)


_VOCABULARY = pa.schema(
    [
        *((name, pa.string()) for name in ("code", "system", "name", "name_fr", "kind", "phase")),
        *((name, pa.string()) for name in ("parents", "question", "question_fr")),
        ("askable", pa.bool_()),
    ]
)


def _finding(question: Question, code: str, parent: str | None, option: str | None) -> dict[str, Any]:
    return {
        "code": code,
        "system": _SYSTEM,
        "name": _called(question, option, "en"),
        "name_fr": _called(question, option, "fr"),
        "kind": "history" if question.antecedent else "symptom",
        "phase": "history",
        "parents": parent,
        "question": question.text("en"),
        "question_fr": question.text("fr"),
        "askable": True,
    }


def _called(question: Question, option: str | None, lang: str) -> str:
    text = question.text(lang)
    return text if option is None else f"{text} {question.meaning(option, lang)}"
