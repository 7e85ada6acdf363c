"""One case as a FHIR R4 Bundle of a Patient, an Encounter and Observations: plain values in, a dict out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from diagnosis.errors import InputError
from diagnosis.readers.fhir.terms import system_of
from diagnosis.records import Records

__all__ = ["case_bundle"]

_CATEGORY = {
    "examination": "exam",
    "laboratory": "laboratory",
    "imaging": "imaging",
    "bedside": "procedure",
    "history": "survey",
    "chief_complaint": "survey",
}
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
_INTERPRETATIONS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_REASONS = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_CLASSES = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_CLASS = {"emergency": "EMER", "outpatient": "AMB", "inpatient": "IMP", "icu": "ACUTE", "telemedicine": "VR"}
_PLACED = {
    *("case_id", "code", "status", "value", "comparator", "unit", "text", "time", "known", "phase", "body_site"),
    *("ref_low", "ref_high", "interpretation", "subject"),
}
_UCUM = "http://unitsofmeasure.org"


def case_bundle(records: Records) -> tuple[dict[str, Any], Counter[str]]:
    """Write one case as a ``collection`` Bundle that `read_fhir` reads again.

    *Present* and *absent* without a value are a Boolean, *uncertain* is a `dataAbsentReason` ``unknown``. A birth date
    is reckoned back from the age at the case's time. Diagnoses are not written.

    Parameters
    ----------
    records : Records
        One case.

    Returns
    -------
    dict
        JSON of the Bundle.
    Counter
        What has no place in it and was left out: findings about others than the patient, values of other columns.

    Raises
    ------
    InputError
        Not one case.
    """
    if len(records) != 1:
        raise InputError("a bundle of one case", f"found {len(records):,}", "take one: records[[i]]")
    case = {k: v for k, v in records.arrow("cases").to_pylist()[0].items() if v is not None}
    left: Counter[str] = Counter()
    resources = [_patient(case), _encounter(case)]
    for row in records.arrow("findings").to_pylist():
        row = {k: v for k, v in row.items() if v is not None}
        if row.get("subject", "patient") != "patient":
            left["findings about others than the patient"] += 1
            continue
        left.update(f"values of findings.{name[:40]}" for name in row.keys() - _PLACED)
        resources.append(_observation(row, records.vocabulary.name, len(resources) - 1))
    entries = [{"fullUrl": f"urn:diagnosis:{r['resourceType']}/{r['id']}", "resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}, left


def _patient(case: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Patient", "id": "patient"}
    if "sex" in case:
        made["gender"] = case["sex"]
    days = case.get("age_days", case["age_years"] * 365.25 if "age_years" in case else None)
    if days is not None and "time" in case:
        made["birthDate"] = (case["time"] - timedelta(days=float(days))).date().isoformat()
    return made


def _encounter(case: Mapping[str, Any]) -> dict[str, Any]:
    code = _CLASS.get(case.get("setting", ""), "AMB")
    made: dict[str, Any] = {
        "resourceType": "Encounter",
        "id": "case",
        "status": "finished" if "end_time" in case else "in-progress",
        "class": {"system": _CLASSES, "code": code},
        "subject": {"reference": "Patient/patient"},
    }
    period = {k: _iso(case[name]) for k, name in (("start", "time"), ("end", "end_time")) if name in case}
    return made | ({"period": period} if period else {})


def _observation(row: Mapping[str, Any], name: Callable[[str], str], number: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": f"finding-{number}",
        "status": "final",
        "code": _concept(row["code"], name(row["code"])),
        "subject": {"reference": "Patient/patient"},
        "encounter": {"reference": "Encounter/case"},
        **_value(row),
    }
    if row.get("phase") in _CATEGORY:
        made["category"] = [{"coding": [{"system": _CATEGORIES, "code": _CATEGORY[row["phase"]]}]}]
    if "body_site" in row:
        made["bodySite"] = {"text": row["body_site"]}
    if "interpretation" in row:
        made["interpretation"] = [{"coding": [{"system": _INTERPRETATIONS, "code": row["interpretation"]}]}]
    for field, column in (("effectiveDateTime", "time"), ("issued", "known")):
        if column in row:
            made[field] = _iso(row[column])
    return made


def _value(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say state and value."""
    if row["status"] == "uncertain":
        return {"dataAbsentReason": {"coding": [{"system": _REASONS, "code": "unknown"}]}}
    if "value" in row:
        unit = row.get("unit")
        made: dict[str, Any] = {"valueQuantity": _quantity(row["value"], unit)}
        if "comparator" in row:
            made["valueQuantity"]["comparator"] = row["comparator"]
        ends = {end: _quantity(row[f"ref_{end}"], unit) for end in ("low", "high") if f"ref_{end}" in row}
        return made | ({"referenceRange": [ends]} if ends else {})
    if "text" in row and row["status"] == "present":
        return {"valueCodeableConcept": {"text": row["text"]}}
    return {"valueBoolean": row["status"] == "present"}


def _quantity(value: float, unit: str | None) -> dict[str, Any]:
    return {"value": value} | ({"unit": unit, "system": _UCUM, "code": unit} if unit else {})


def _concept(code: str, name: str) -> dict[str, Any]:
    system, local = system_of(code)
    coding = {**({"system": system} if system else {}), "code": local, "display": name}
    return {"coding": [coding], "text": name}


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z") if moment.tzinfo else f"{moment.isoformat()}Z"
