"""MedicationRequest, Procedure, ServiceRequest -> rows of actions. They are never features."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from diagnosis.readers.fhir.account import Fate
from diagnosis.readers.fhir.row_reader import LINKED, Links, RowReader
from diagnosis.readers.fhir.terms import Terms, word_of
from diagnosis.readers.fhir.times import Interval

__all__ = ["ACTION_LAYOUT", "Actions"]

_TEXT, _CODED = pa.string(), pa.dictionary(pa.int32(), pa.string())
ACTION_LAYOUT: Mapping[str, pa.DataType] = MappingProxyType(
    {
        **LINKED,
        "action_id": _TEXT,
        "kind": _CODED,
        "code": _CODED,
        "status": _CODED,
        "dose": pa.float64(),
        "unit": _CODED,
        "route": _CODED,
        "reason": _CODED,
    }
)
_KINDS = {"MedicationRequest": "medication", "Procedure": "procedure", "ServiceRequest": "order"}


class Actions(RowReader):
    """Reads orders, prescriptions and procedures into `rows`."""

    def __init__(self, terms: Terms, links: Links) -> None:
        super().__init__(ACTION_LAYOUT, links)
        self._terms = terms

    def take(self, resource: Mapping[str, Any], number: int, _: int, ident: str) -> tuple[Fate, int]:
        """Read one; its fate.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            It is not built as R4 says.
        """
        kind = resource["resourceType"]
        status = resource["status"]
        if not isinstance(status, str):
            raise TypeError("a status is text")
        if status == "entered-in-error":
            return Fate.IN_ERROR, 1
        if status in ("not-done", "cancelled") or resource.get("doNotPerform") is True:
            return Fate.CANCELLED, 0
        concept = _medication(resource) if kind == "MedicationRequest" else resource.get("code")
        if concept is None:  # a reference to a Medication elsewhere, which is not read
            return Fate.NO_VALUE, 0
        when = self._when(kind, resource)
        first, last = when or (None, None)
        dose, unit, route = (
            _dose(resource.get("dosageInstruction")) if kind == "MedicationRequest" else (None, None, None)
        )
        reason = next((word_of(c) for c in resource.get("reasonCode") or ()), None)
        self.rows.add(
            (
                *(number, self._patients(resource["subject"]), self._encounters(resource.get("encounter"))),
                *(first, last, last, ident, _KINDS[kind], self._terms.code(concept), status),
                *(dose, unit, route, reason),
            )
        )
        return Fate.USED, 0

    def _when(self, kind: str, resource: Mapping[str, Any]) -> Interval | None:
        if kind != "Procedure":
            return self._time(resource.get("authoredOn"))
        text = resource.get("performedDateTime")
        if text is None:
            text = (resource.get("performedPeriod") or {}).get("start")
        return self._time(text)


def _medication(request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is prescribed: stated, or in the Medication that the request contains."""
    concept: Mapping[str, Any] | None = request.get("medicationCodeableConcept")
    if concept is not None or "contained" not in request:
        return concept
    named = request.get("medicationReference", {}).get("reference")
    return next((one.get("code") for one in request["contained"] if named == f"#{one.get('id')}"), None)


def _dose(instructions: Any) -> tuple[float | None, str | None, str | None]:
    """The first dose as it was written, with its unit and route; recorded, and never suggested."""
    for one in instructions or ():
        route = word_of(one.get("route"))
        for rate in one.get("doseAndRate") or ():
            quantity = rate.get("doseQuantity")
            if quantity is not None and type(quantity.get("value")) in (int, float) and isfinite(quantity["value"]):
                unit = quantity.get("code") or quantity.get("unit")
                if unit is not None and not isinstance(unit, str):
                    raise TypeError("a unit is text")
                return float(quantity["value"]), unit, route
        return None, None, route
    return None, None, None
