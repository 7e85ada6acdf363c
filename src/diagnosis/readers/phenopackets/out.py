"""Cases, with their findings and judgements, as GA4GH phenopackets: plain values in, dicts out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from diagnosis.readers.phenopackets.terms import LATERALITIES, RESULTS, SEVERITIES
from diagnosis.readers.phenopackets.times import element_of

__all__ = ["Name", "packet_of"]

#: Name of a code.
Name = Callable[[str], str]

_SEVERITY = {word: code for code, word in SEVERITIES.items()}
_SIDE = {word: code for code, word in LATERALITIES.items()}
_CLASSES = {
    **dict(zip(SEVERITIES, ("Mild", "Moderate", "Severe", "Profound"), strict=True)),
    **dict(zip(LATERALITIES, ("Left", "Right", "Bilateral", "Unilateral"), strict=True)),
}
_SEX = {"male": "MALE", "female": "FEMALE", "other": "OTHER_SEX", "unknown": "UNKNOWN_SEX"}
_VITAL = {"alive": "ALIVE", "deceased": "DECEASED"}
_PROGRESS = {"confirmed": "SOLVED", "provisional": "IN_PROGRESS", "differential": "UNSOLVED"}
_RESULT = {"POS": ("NCIT:C25246", "Positive"), "NEG": ("NCIT:C38757", "Negative")}
assert all(code in RESULTS for code, _ in _RESULT.values())


def packet_of(
    case: Mapping[str, Any],
    findings: Sequence[Mapping[str, Any]],
    labels: Sequence[Mapping[str, Any]],
    differential: Mapping[str, Any] | None,
    meta: Mapping[str, Any],
    names: tuple[Name, Name],
) -> dict[str, Any]:
    """Build one packet.

    Parameters
    ----------
    case : mapping
        Row of `cases`.
    findings, labels : sequence of mapping
        Rows of the case that a packet can hold, without empty values.
    differential : mapping, optional
        ``Differential.to_json()``; each suggestion becomes an interpretation in progress.
    meta : mapping
        ``metaData`` without the case's own reference.
    names : pair of functions
        What findings and diagnoses are called.

    Returns
    -------
    dict
        JSON of the packet.
    """
    of_finding, of_diagnosis = names
    made: dict[str, Any] = {"id": case["case_id"], "subject": _subject(case)}
    features = [_feature(row, of_finding) for row in findings if not _is_measured(row)]
    measurements = [_measurement(row, of_finding) for row in findings if _is_measured(row)]
    interpretations = [_interpretation(case["case_id"], row, of_diagnosis) for row in _judged(case, labels)]
    if differential is not None:
        interpretations += _suggested(differential, of_diagnosis)
    for i, one in enumerate(interpretations, 1):
        one["id"] = f"{case['case_id']}-{i}"
    fields = (
        ("phenotypicFeatures", features),
        ("measurements", measurements),
        ("interpretations", interpretations),
        ("diseases", _diseases(case, labels, of_diagnosis)),
    )
    made |= {name: value for name, value in fields if value}
    reference = {"externalReferences": [{"id": case["group"]}]} if case.get("group") else {}
    return made | {"metaData": {**meta, **reference}}


def _class(code: str, name: str) -> dict[str, str]:
    return {"id": code, "label": name}


def _subject(case: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"id": case.get("patient_id") or case["case_id"]}
    years, days = case.get("age_years"), case.get("age_days")
    time, end = case.get("time"), case.get("end_time")
    if case.get("x_age") or years is not None or days is not None:
        made["timeAtLastEncounter"] = element_of(years, case.get("x_age"), days)
    elif time is not None:
        start = time.isoformat()
        made["timeAtLastEncounter"] = (
            {"interval": {"start": start, "end": end.isoformat()}} if end else {"timestamp": start}
        )
    if case.get("sex"):
        made["sex"] = _SEX[case["sex"]]
    vital: dict[str, Any] = {"status": _VITAL[case["outcome"]]} if case.get("outcome") in _VITAL else {}
    died = case.get("outcome_time")
    if died is not None:
        vital["timeOfDeath"] = {"timestamp": died.isoformat()}
    elif case.get("x_death"):
        vital["timeOfDeath"] = element_of(None, case["x_death"])
    return made | ({"vitalStatus": vital} if vital else {})


def _is_measured(row: Mapping[str, Any]) -> bool:
    return any(name in row for name in ("value", "text", "interpretation"))


def _feature(row: Mapping[str, Any], name: Name) -> dict[str, Any]:
    made: dict[str, Any] = {"type": _class(row["code"], name(row["code"]))}
    if row["status"] == "absent":
        made["excluded"] = True
    onset = element_of(row.get("onset_age_years"), row.get("x_onset"))
    if onset:
        made["onset"] = onset
    if row.get("x_resolution"):
        made["resolution"] = element_of(None, row["x_resolution"])
    if row.get("severity"):
        code = _SEVERITY[row["severity"]]
        made["severity"] = _class(code, _CLASSES[code])
    codes = [_SIDE[row["laterality"]]] if row.get("laterality") in _SIDE else []
    codes += [code for code in (row.get("modifiers") or "").split("|") if code]
    if codes:
        made["modifiers"] = [_class(code, _CLASSES.get(code) or name(code)) for code in codes]
    if row.get("x_description"):
        made["description"] = row["x_description"]
    return made


def _measurement(row: Mapping[str, Any], name: Name) -> dict[str, Any]:
    made: dict[str, Any] = {"assay": _class(row["code"], name(row["code"]))}
    if row.get("x_description"):
        made["description"] = row["x_description"]
    if row.get("time") is not None:
        made["timeObserved"] = {"timestamp": row["time"].isoformat()}
    elif row.get("x_observed"):
        made["timeObserved"] = element_of(None, row["x_observed"])
    if "value" in row:
        made["value"] = {"quantity": _quantity(row)}
    elif "text" in row:
        made["value"] = {"ontologyClass": _class(row["text"], row["text"])}
    else:
        made["value"] = {"ontologyClass": _class(*_RESULT[row["interpretation"]])}
    return made


def _quantity(row: Mapping[str, Any]) -> dict[str, Any]:
    unit = _class(f"UCUM:{row['unit']}", row["unit"]) if row.get("unit") else None
    made: dict[str, Any] = {"unit": unit} if unit else {}
    made["value"] = row["value"]
    span: dict[str, Any] = {s: row[f"ref_{s}"] for s in ("low", "high") if row.get(f"ref_{s}") is not None}
    if span:
        made["referenceRange"] = ({"unit": unit} if unit else {}) | span
    return made


def _judged(case: Mapping[str, Any], labels: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Judgements that are interpretations: the principal diagnosis first, and those that are not settled."""
    first = [{"diagnosis": case["diagnosis"], "status": "confirmed"}] if case.get("diagnosis") else []
    return [*first, *(row for row in labels if row["status"] in ("provisional", "differential"))]


def _interpretation(case_id: str, row: Mapping[str, Any], name: Name) -> dict[str, Any]:
    made: dict[str, Any] = {"id": case_id, "progressStatus": _PROGRESS[row["status"]]}
    made["diagnosis"] = {"disease": _class(row["diagnosis"], name(row["diagnosis"]))}
    summary = {key: row[key] for key in ("rank", "probability", "role") if row.get(key) is not None}
    return made | ({"summary": json.dumps(summary)} if summary and row["status"] != "confirmed" else {})


def _suggested(differential: Mapping[str, Any], name: Name) -> list[dict[str, Any]]:
    made = []
    for rank, one in enumerate(differential["ranked"], 1):
        said = {"rank": rank, "probability": one["probability"], "role": "differential"}
        said |= {key: differential[key] for key in ("model", "reading", "as_of") if key in differential}
        disease = _class(one["diagnosis"], name(one["diagnosis"]))
        made.append(
            {"id": "", "progressStatus": "IN_PROGRESS", "diagnosis": {"disease": disease}, "summary": json.dumps(said)}
        )
    return made


def _diseases(case: Mapping[str, Any], labels: Sequence[Mapping[str, Any]], name: Name) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    if case.get("diagnosis"):
        one: dict[str, Any] = {"term": _class(case["diagnosis"], name(case["diagnosis"]))}
        onset = element_of(case.get("x_disease_onset_age_years"), case.get("x_disease_onset"))
        made.append(one | ({"onset": onset} if onset else {}))
    for row in labels:
        if row["status"] in ("confirmed", "ruled_out"):
            out = {"excluded": True} if row["status"] == "ruled_out" else {}
            made.append({"term": _class(row["diagnosis"], name(row["diagnosis"]))} | out)
    return made
