"""Other words for what the format names: what states, sexes and columns are called elsewhere, where that is sure."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence

from diagnosis.errors import nearest

__all__ = ["near_choice", "near_column", "near_columns", "said_otherwise"]

_CHOICES = (
    (("present", "true", "yes"), ("yes", "y", "1", "true", "positive", "pos", "阳性", "有", "是")),
    (("absent", "false", "no"), ("no", "n", "0", "false", "negative", "neg", "阴性", "无", "没有", "否")),
    (("female",), ("f", "woman", "女", "女性")),
    (("male",), ("m", "man", "男", "男性")),
)
_COLUMNS = {
    "age_years": ("age", "years", "年龄"),
    "sex": ("gender", "性别"),
    "patient_id": ("patient", "pid", "subject_id", "mrn"),
    "case_id": ("case", "encounter_id", "visit_id", "hadm_id"),
    "diagnosis": ("dx", "diagnosis_code", "icd", "icd10", "icd_code", "诊断"),
    "code": ("finding", "symptom", "concept", "finding_code"),
    "status": ("state",),
    "value": ("result", "valuenum"),
    "time": ("date", "datetime", "timestamp"),
}


def near_choice(word: str, allowed: Sequence[str]) -> str | None:
    """Return the allowed word that is meant, or looks most alike.

    Examples
    --------
    >>> near_choice("N", ["present", "absent"]), near_choice("presnt", ["present", "absent"])
    ('absent', 'present')
    """
    meant = [one for ours, others in _CHOICES if _fold(word) in others for one in ours if one in allowed]
    return next(iter(meant or nearest(word, allowed, 1)), None)


def said_otherwise(word: str, near: str) -> bool:
    """Whether this is a usual word for `near`, or `near` in another writing: no more than `near` itself tells.

    Examples
    --------
    >>> said_otherwise("No", "absent"), said_otherwise("abscent", "absent")
    (True, False)
    """
    return _fold(word) == near or any(near in ours and _fold(word) in others for ours, others in _CHOICES)


def near_column(name: str, columns: Collection[str]) -> tuple[str, ...]:
    """Return the column of the format that is meant by this name, or looks most alike.

    Examples
    --------
    >>> near_column("gender", ["case_id", "sex"])
    ('sex',)
    """
    meant = [ours for ours, others in _COLUMNS.items() if ours in columns and _fold(name) in others]
    return tuple(meant or nearest(name, columns, 1))


def near_columns(column: str, there: Iterable[str]) -> tuple[str, ...]:
    """Return which of the names that are there may be this column of the format, best first.

    Examples
    --------
    >>> near_columns("case_id", ["visit_id", "sex"])
    ('visit_id',)
    """
    names = list(there)
    meant = [name for name in names if _fold(name) in _COLUMNS.get(column, ())]
    return tuple(dict.fromkeys((*meant, *nearest(column, names))))


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()
