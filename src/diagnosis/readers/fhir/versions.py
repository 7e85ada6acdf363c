"""Is a resource FHIR R4? Told by its profiles and by elements that other versions have and R4 does not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NoReturn

from diagnosis.readers.fhir.account import Fate

__all__ = ["FOREIGN", "OtherVersionError", "refuse", "refuse_other_profiles", "refuse_other_statements"]

_PROFILE = re.compile(r"hl7\.org/fhir/(\d)\.\d/")
# Elements by which a version gives itself away. https://hl7.org/fhir/R4/diff.html, https://hl7.org/fhir/R5/diff.html
_STU3: Mapping[str, Set[str]] = {
    "Patient": {"animal"},
    "Encounter": {"incomingReferral", "indication"},
    "Condition": {"context", "assertedDate", "dateRecorded"},
    "Observation": {"context", "related"},
    "MedicationRequest": {"context", "definition"},
    "Procedure": {"context", "notDone", "definition"},
    "ServiceRequest": {"context"},
    "AllergyIntolerance": {"assertedDate", "substance"},
    "FamilyMemberHistory": {"notDone", "definition"},
    "CapabilityStatement": set(),
}
_R5: Mapping[str, Set[str]] = {
    "Encounter": {"actualPeriod", "admission", "plannedStartDate", "subjectStatus"},
    "Condition": {"participant"},
    "Observation": {"triggeredBy", "bodyStructure", "instantiatesCanonical"},
    "MedicationRequest": {"medication", "effectiveDosePeriod", "device"},
    "Procedure": {"occurrenceDateTime", "occurrencePeriod", "recorded"},
    "AllergyIntolerance": {"participant"},
    "FamilyMemberHistory": {"participant"},
}
#: By type, the elements that R4 does not have and another version does.
FOREIGN: Mapping[str, frozenset[str]] = MappingProxyType(
    {kind: frozenset({*names, *_R5.get(kind, ())}) for kind, names in _STU3.items()}
)


class OtherVersionError(Exception):
    """A resource of another version of FHIR; `fate` says which."""

    def __init__(self, fate: Fate) -> None:
        super().__init__(fate.name)
        self.fate = fate


def refuse(kind: str, resource: Mapping[str, Any]) -> NoReturn:
    """Refuse a resource with an element of `FOREIGN`.

    Raises
    ------
    OtherVersionError
    """
    raise OtherVersionError(Fate.STU3 if not _STU3[kind].isdisjoint(resource) else Fate.R5)


def refuse_other_profiles(profiles: Any) -> None:
    """Refuse a resource whose `meta.profile` names another version.

    Raises
    ------
    OtherVersionError
    """
    for profile in profiles:
        version = _version(profile)
        if version != "4":
            raise OtherVersionError(Fate.R5 if version >= "5" else Fate.STU3)


def refuse_other_statements(resource: Mapping[str, Any]) -> None:
    """Refuse a CapabilityStatement of a server that speaks another version.

    Raises
    ------
    OtherVersionError
    """
    stated = resource.get("fhirVersion")
    if stated is not None and not stated.startswith("4."):
        raise OtherVersionError(Fate.R5 if stated >= "5" else Fate.STU3)


@lru_cache(maxsize=1024)
def _version(profile: str) -> str:
    found = _PROFILE.search(profile)
    return found[1] if found else "4"
