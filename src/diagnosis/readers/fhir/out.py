"""A differential as a FHIR R4 RiskAssessment: plain values in, a dict out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from diagnosis.readers.fhir.terms import system_of

__all__ = ["NOTE", "risk_assessment"]

#: Stands in every RiskAssessment.
NOTE = (
    "Decision support for clinicians, not for patients and not for time-critical decisions. "
    "It suggests no treatment and no dose."
)
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z", re.ASCII)


def risk_assessment(
    differential: Mapping[str, Any],
    names: Mapping[str, str] | None = None,
    *,
    patient: str | None = None,
    basis: Sequence[tuple[str, str, str]] = (),
) -> dict[str, Any]:
    """Write a differential as a RiskAssessment.

    Probabilities are percentages, as R4 has it for `probabilityDecimal` (at most 100). The status is *preliminary*: a
    clinician has not judged it yet. There is no mitigation, hence no treatment and no dose.

    Parameters
    ----------
    differential : mapping
        ``Differential.to_json()``.
    names : mapping of str to str, optional
        What the diagnoses are called, by code.
    patient : str, optional
        Id of the Patient; the subject is the patient of the encounter, unnamed, when not given.
    basis : sequence of (code, name, seen), optional
        Findings that were used and what was seen of each: ``present``, ``absent``, ``uncertain`` or a value.

    Returns
    -------
    dict
        JSON of the resource.
    """
    names = names or {}
    case = str(differential["case_id"])
    made: dict[str, Any] = {
        "resourceType": "RiskAssessment",
        "status": "preliminary",
        "method": {"text": f"diagnosis, model {differential['model']}, {differential['reading']} reading"},
        "subject": _reference("Patient", patient)
        if patient
        else {"type": "Patient", "display": "patient of the encounter"},
        "encounter": _reference("Encounter", case),
    }
    if basis:
        made["basis"] = [
            {"type": "Observation", "display": f"{name} ({code}): {seen}" if name != code else f"{code}: {seen}"}
            for code, name, seen in basis
        ]
    predictions = [_prediction(one, names) for one in differential["ranked"]]
    if differential.get("other") is not None:
        text = "None of the listed"
        predictions.append({"outcome": {"text": text}, "probabilityDecimal": _percent(differential["other"])})
    if predictions:
        made["prediction"] = predictions
    made["note"] = [{"text": text} for text in _notes(differential, names)]
    return made


def _prediction(one: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    diagnosis = str(one["diagnosis"])
    system, code = system_of(diagnosis)
    name = names.get(diagnosis) or diagnosis
    coding = {**({"system": system} if system else {}), "code": code, "display": name}
    return {
        "outcome": {"coding": [coding], "text": name},
        "probabilityDecimal": _percent(one["probability"]),
        "rationale": f"calibrated probability {one['probability']:.4g} (a share of 1), written above in per cent",
    }


def _percent(probability: float) -> float:
    return min(max(round(100 * float(probability), 10), 0.0), 100.0)


def _reference(kind: str, ident: str) -> dict[str, Any]:
    """A literal reference where the id is one FHIR allows, else a logical one."""
    if _ID.match(ident):
        return {"reference": f"{kind}/{ident}"}
    return {"type": kind, "identifier": {"value": ident}}


def _notes(differential: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    notes = [NOTE, f"As of {differential['as_of']}."]
    if differential.get("abstained"):
        notes.append(f"The model would rather not answer: {differential.get('abstain_reason') or 'no reason stated'}.")
    if differential.get("must_not_miss"):
        raised = ", ".join(names.get(code) or code for code in differential["must_not_miss"])
        notes.append(f"Must not be missed, raised by policy: {raised}.")
    unknown = differential.get("unknown_codes") or ()
    if unknown:
        notes.append(f"{len(unknown)} recorded findings are not known to the model and were not used.")
    return notes
