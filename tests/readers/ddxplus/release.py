"""A release of DDXPlus in small: eight evidences of every kind, three conditions, and rows of patients."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COLUMNS = ("AGE", "DIFFERENTIAL_DIAGNOSIS", "SEX", "PATHOLOGY", "EVIDENCES", "INITIAL_EVIDENCE")


def evidence(
    kind: str, asks: str, *, parent: str | None = None, antecedent: bool = False, **more: Any
) -> dict[str, Any]:
    return {
        "question_fr": f"{asks} (fr)?",
        "question_en": f"{asks}?",
        "code_question": parent,
        "is_antecedent": antecedent,
        "default_value": more.get("default", 0),
        "possible-values": more.get("values", []),
        "value_meaning": {v: {"fr": f"{w} (fr)", "en": w} for v, w in more.get("meanings", {}).items()},
        "data_type": kind,
    }


_SKIN = {"NA": "NA", "rouge": "red", "pale": "pale"}
_PLACES = {"nulle_part": "nowhere", "tete": "head", "oreille": "ear", "dos": "back"}
EVIDENCES: dict[str, dict[str, Any]] = {
    "fievre": evidence("B", "Do you have a fever"),
    "douleur": evidence("B", "Do you have pain"),
    "endroit": evidence(
        "M", "Where is it", parent="douleur", default="nulle_part", values=list(_PLACES), meanings=_PLACES
    ),
    "intens": evidence("C", "How strong is it", parent="douleur", default=0, values=list(range(11))),
    "lesions": evidence("B", "Do you have a rash"),
    "couleur": evidence("C", "What colour is it", parent="lesions", default="NA", values=list(_SKIN), meanings=_SKIN),
    "voyage": evidence(
        "C",
        "Have you travelled",
        antecedent=True,
        default="N",
        values=["N", "Asie"],
        meanings={"N": "N", "Asie": "Asia"},
    ),
    "tabac": evidence("B", "Do you smoke", antecedent=True, parent="tabac, cigares"),
}
for _code, _one in EVIDENCES.items():
    _one["name"] = _code
    _one["code_question"] = _one["code_question"] or _code

CONDITIONS: dict[str, dict[str, Any]] = {
    french: {
        "condition_name": french,
        "cond-name-fr": french,
        "cond-name-eng": english,
        "icd10-id": icd10,
        "severity": severity,
        "symptoms": {},
        "antecedents": {},
    }
    for french, english, icd10, severity in (
        ("Méningite", "Meningitis", "g00.9", 2),
        ("Otite", "Otitis", "H66, h67", 4),
        ("Grippe", "Influenza", "j11.1", 3),
    )
}


def row(**given: Any) -> dict[str, str]:
    """One patient; lists may be given as lists."""
    full = {
        "AGE": "30",
        "DIFFERENTIAL_DIAGNOSIS": [["Grippe", 0.75], ["Otite", 0.25]],
        "SEX": "F",
        "PATHOLOGY": "Grippe",
        "EVIDENCES": ["fievre", "voyage_@_N"],
        "INITIAL_EVIDENCE": "fievre",
    }
    unknown = set(given) - set(full)
    assert not unknown, unknown
    return {name: value if isinstance(value, str) else repr(value) for name, value in (full | given).items()}


def csv_of(rows: Sequence[dict[str, str]], columns: Sequence[str] = COLUMNS) -> str:
    out = io.StringIO()
    made = csv.DictWriter(out, columns, extrasaction="ignore")
    made.writeheader()
    made.writerows(rows)
    return out.getvalue()


def write_release(
    folder: Path,
    rows: Sequence[dict[str, str]] = (),
    *,
    evidences: Any = None,
    conditions: Any = None,
    name: str = "release_validate_patients.csv",
) -> Path:
    """Write the two JSON files and one file of patients; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, value in (
        ("release_evidences.json", EVIDENCES if evidences is None else evidences),
        ("release_conditions.json", CONDITIONS if conditions is None else conditions),
    ):
        (folder / file).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    (folder / name).write_text(csv_of(rows), encoding="utf-8", newline="")
    return folder


def states(records: Any, which: int = 0) -> dict[str, Any]:
    """What is recorded of one case: a state, a value or a text by code."""
    return {f.code: f.value if f.value is not None else f.text or f.status for f in records.case(which).findings}
