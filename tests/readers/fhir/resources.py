"""Small FHIR resources, each valid R4, and how they are read here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from diagnosis.readers import read_fhir
from diagnosis.records import Records

LOINC, SNOMED, ICD10 = "http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10"
UCUM = "http://unitsofmeasure.org"
_HL7 = "http://terminology.hl7.org/CodeSystem"

Resource = dict[str, Any]


def concept(system: str | None, code: str, display: str | None = None) -> dict[str, Any]:
    return {"coding": [{k: v for k, v in (("system", system), ("code", code), ("display", display)) if v}]}


def patient(ident: str = "p1", **more: Any) -> Resource:
    return {"resourceType": "Patient", "id": ident, "gender": "female", "birthDate": "2014-03-01"} | more


def encounter(ident: str = "e1", of: str = "p1", day: str = "2024-03-01", **more: Any) -> Resource:
    return {
        "resourceType": "Encounter",
        "id": ident,
        "status": "finished",
        "class": {"system": f"{_HL7}/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/{of}"},
        "period": {"start": f"{day}T08:00:00Z", "end": f"{day}T10:00:00Z"},
    } | more


def observation(ident: str = "o1", *, code: Mapping[str, Any] | None = None, of: str = "e1", **more: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "id": ident,
        "status": "final",
        "code": code or concept(LOINC, "8310-5", "Body temperature"),
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": f"Encounter/{of}"},
        "effectiveDateTime": "2024-03-01T08:30:00Z",
    } | more


def temperature(ident: str = "o1", value: float = 38.9, *, of: str = "e1", **more: Any) -> Resource:
    quantity = {"value": value, "unit": "degrees C", "system": UCUM, "code": "Cel"}
    return observation(ident, of=of, valueQuantity=quantity) | more


def condition(
    ident: str = "c1", code: Mapping[str, Any] | None = None, *, status: str | None = "confirmed", **more: Any
) -> Resource:
    made = {
        "resourceType": "Condition",
        "id": ident,
        "code": code or concept(SNOMED, "14189004", "Measles (disorder)"),
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
    }
    if status:
        made["verificationStatus"] = concept(f"{_HL7}/condition-ver-status", status)
    return made | more


def without(resource: Resource, *names: str) -> Resource:
    return {k: v for k, v in resource.items() if k not in names}


def bundle(*resources: Resource, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]} | more


def write(path: Path, *values: Any) -> Path:
    """One value as JSON, or several one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(v) for v in values) + "\n", encoding="utf-8")
    return path


def read(folder: Path, *resources: Resource, **options: Any) -> Records:
    """Read these resources from a file of one a line."""
    return read_fhir(write(folder / "export.ndjson", *resources), **options)


def rows(records: Records, table: str = "findings") -> list[dict[str, Any]]:
    """A table without the columns that are empty in a row."""
    return [{k: v for k, v in row.items() if v is not None} for row in records.arrow(table).to_pylist()]


def kinds(records: Records) -> set[str]:
    """Names of the problems in a report."""
    return {p.kind for p in records.report.problems if p.severity != "note"}


def note(records: Records, table: str) -> str:
    """What the account says about a type of resources."""
    return next(p.says for p in records.report.notes if p.table == table)


def counts(says: str) -> Iterable[int]:
    """Every number in a sentence."""
    return [int(w.replace(",", "")) for w in says.replace(":", " ").split() if w.replace(",", "").isdigit()]
