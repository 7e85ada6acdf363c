"""What coded answers, interpretations and reasons for a missing value mean for the state of a finding."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from diagnosis.readers.fhir.account import Fate

__all__ = ["ABSENT_REASONS", "answer_of", "interpretation_of", "missing_of"]

_YES = {
    "http://snomed.info/sct": (
        ("373066001", None),  # Yes
        ("52101004", None),  # Present
        ("10828004", "POS"),  # Positive
        ("260373001", "POS"),  # Detected
    ),
    "http://loinc.org": (("LA33-6", None), ("LA9633-4", None), ("LA6576-8", "POS"), ("LA11882-0", "POS")),
    "v2-0136": (("Y", None),),
    "v3": (("POS", "POS"), ("DET", "POS")),
}
_NO = {
    "http://snomed.info/sct": (
        ("373067005", None),  # No
        ("2667000", None),  # Absent
        ("260385009", "NEG"),  # Negative
        ("260415000", "NEG"),  # Not detected
    ),
    "http://loinc.org": (("LA32-8", None), ("LA9634-2", None), ("LA6577-6", "NEG"), ("LA11883-8", "NEG")),
    "v2-0136": (("N", None),),
    "v3": (("NEG", "NEG"), ("ND", "NEG")),
}
_UNSETTLED = {
    # Unknown, Don't know, Undetermined, Indeterminate, Equivocal, Inconclusive
    "http://snomed.info/sct": ("261665006", "373068000", "82334004", "42425007", "419984006"),
    "http://loinc.org": ("LA12688-0", "LA4489-6", "LA14072-5", "LA11884-6"),
    "v3": ("IND", "E", "ASKU", "UNK", "NAV"),
}
# Value sets that carry the same codes under their own names.
_SYSTEMS = {
    "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation": "v3",
    "http://terminology.hl7.org/CodeSystem/v3-ObservationValue": "v3",
    "http://terminology.hl7.org/CodeSystem/v3-NullFlavor": "v3",
    "http://hl7.org/fhir/v3/ObservationInterpretation": "v3",
    "http://terminology.hl7.org/CodeSystem/v2-0078": "v3",
    "http://terminology.hl7.org/CodeSystem/v2-0136": "v2-0136",
    "http://terminology.hl7.org/CodeSystem/v2-0532": "v2-0136",
}

Answer = tuple[str, str | None]
_ANSWERS: dict[tuple[str, str], Answer] = {
    **{(s, c): ("present", i) for s, pairs in _YES.items() for c, i in pairs},
    **{(s, c): ("absent", i) for s, pairs in _NO.items() for c, i in pairs},
    **{(s, c): ("uncertain", None) for s, codes in _UNSETTLED.items() for c in codes},
}

#: What a `dataAbsentReason` makes of a finding: *uncertain* where it was asked or looked for and nothing came of it, no
#: row where it was not. "unknown" is the standard's "expected to exist and not known": it was looked for.
ABSENT_REASONS: Mapping[str, str | Fate] = MappingProxyType(
    {
        "unknown": "uncertain",
        "asked-unknown": "uncertain",
        "temp-unknown": "uncertain",
        "error": "uncertain",
        "not-a-number": "uncertain",
        "negative-infinity": Fate.OTHER_VALUE,
        "positive-infinity": Fate.OTHER_VALUE,
        "as-text": Fate.OTHER_VALUE,
        "not-asked": Fate.NOT_ASKED,
        "asked-declined": Fate.NOT_ASKED,
        "masked": Fate.NOT_ASKED,
        "not-applicable": Fate.NOT_ASKED,
        "unsupported": Fate.NOT_ASKED,
        "not-performed": Fate.NOT_ASKED,
        "not-permitted": Fate.NOT_ASKED,
    }
)
_NOT_ASKED = ("NASK", "NA", "MSK")

# HL7 v3 ObservationInterpretation to the eight of the format; others (S, R, I, U, D, B, W ...) say something else.
_INTERPRETATIONS = {
    **{c: c for c in ("L", "LL", "H", "HH", "N", "A", "POS", "NEG")},
    "AA": "A",
    "LU": "L",
    "HU": "H",
    "ND": "NEG",
    "DET": "POS",
    "RR": "POS",
    "NR": "NEG",
}


def answer_of(concept: Mapping[str, Any]) -> Answer | Fate | None:
    """State and interpretation that a coded answer means; None when it is a value like any other.

    Examples
    --------
    >>> answer_of({"coding": [{"system": "http://snomed.info/sct", "code": "373067005"}]})
    ('absent', None)
    """
    for coding in concept.get("coding") or ():
        system, code = coding.get("system"), coding.get("code")
        system = _SYSTEMS.get(system, system)
        found = _ANSWERS.get((system, code))
        if found:
            return found
        if system == "v3" and code in _NOT_ASKED:
            return Fate.NOT_ASKED
    return None


def interpretation_of(concepts: Any) -> str | None:
    """The first interpretation that the format has a word for."""
    if concepts is None:
        return None
    for concept in concepts:
        for coding in concept.get("coding") or ():
            found = _INTERPRETATIONS.get(coding.get("code"))
            if found:
                return found
    return None


def missing_of(concept: Mapping[str, Any]) -> str | Fate:
    """What a `dataAbsentReason` means; one that is not known says nothing."""
    for coding in concept.get("coding") or ():
        found = ABSENT_REASONS.get(coding.get("code"))
        if found is not None:
            return found
        if coding.get("code") in _NOT_ASKED:
            return Fate.NOT_ASKED
        if coding.get("code") in ("UNK", "ASKU", "NAV"):
            return "uncertain"
    return Fate.NO_VALUE
