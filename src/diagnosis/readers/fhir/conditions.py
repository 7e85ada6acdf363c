"""Condition, AllergyIntolerance, FamilyMemberHistory -> rows of judgements and of what stands in the history."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from diagnosis.readers.fhir.account import Fate
from diagnosis.readers.fhir.row_reader import LINKED, Links, RowReader
from diagnosis.readers.fhir.terms import Terms
from diagnosis.readers.fhir.times import Interval
from diagnosis.readers.fhir.versions import OtherVersionError

__all__ = ["CONDITION_LAYOUT", "HISTORY_LAYOUT", "Conditions", "History"]

_CODED = pa.dictionary(pa.int32(), pa.string())
_INT = pa.int64()
#: One row a Condition. `first` to `last` is when it was recorded, or else began; `onset` when it began.
CONDITION_LAYOUT: Mapping[str, pa.DataType] = MappingProxyType(
    {
        "resource": _INT,
        "key": _INT,
        "patient": _INT,
        "encounter": _INT,
        "first": _INT,
        "last": _INT,
        "onset": _INT,
        "onset_last": _INT,
        "known": _INT,
        "code": _CODED,
        "verification": _CODED,
        "of_encounter": pa.bool_(),
        "severity": _CODED,
        "onset_age_years": pa.float64(),
    }
)
#: One row a finding that holds for every encounter after it was recorded.
HISTORY_LAYOUT: Mapping[str, pa.DataType] = MappingProxyType(
    {
        **LINKED,
        "code": _CODED,
        "status": _CODED,
        "subject": _CODED,
    }
)

_VERIFICATION = ("confirmed", "unconfirmed", "provisional", "differential", "refuted", "entered-in-error")
# SNOMED CT: mild, moderate, severe; https://hl7.org/fhir/R4/valueset-condition-severity.html
_SEVERITY = {"255604002": "mild", "6736007": "moderate", "24484000": "severe"}
_YEARS = {"a": 1.0, "mo": 1 / 12, "wk": 7 / 365.25, "d": 1 / 365.25}
_ALLERGY_STATUS = {"confirmed": "present", "unconfirmed": "uncertain", "presumed": "uncertain", "refuted": "absent"}


class Conditions(RowReader):
    """Reads Conditions into `rows`; whether one is a disease or a finding is told later, by its code.

    Attributes
    ----------
    unverified : int
        Conditions without a verification status; they are taken as confirmed.
    """

    def __init__(self, terms: Terms, links: Links) -> None:
        super().__init__(CONDITION_LAYOUT, links)
        self._terms = terms
        self.unverified = 0

    def take(self, resource: Mapping[str, Any], number: int, key: int, _: str) -> tuple[Fate, int]:
        """Read one; its fate, and 1 for one that takes back what was said before.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            It is not built as R4 says.
        """
        verified = resource.get("verificationStatus")
        if isinstance(verified, str) or isinstance(resource.get("clinicalStatus"), str):
            raise OtherVersionError(Fate.STU3)
        verification = _code_in(verified, _VERIFICATION)
        if verification == "entered-in-error":
            return Fate.IN_ERROR, 1
        self.unverified += verification is None
        onset = self._onset(resource)
        recorded = self._time(resource.get("recordedDate"))
        first, last = recorded or onset or (None, None)
        self.rows.add(
            (
                *(number, key, self._patients(resource["subject"]), self._encounters(resource.get("encounter"))),
                *(first, last, *(onset or (None, None)), recorded[1] if recorded else None),
                *(self._terms.code(resource["code"]), verification or "confirmed", _of_encounter(resource)),
                *(_severity(resource.get("severity")), _onset_age(resource.get("onsetAge"))),
            )
        )
        return Fate.USED, 0

    def _onset(self, resource: Mapping[str, Any]) -> Interval | None:
        text = resource.get("onsetDateTime")
        if text is None:
            text = (resource.get("onsetPeriod") or {}).get("start")
        return self._time(text)


class History(RowReader):
    """Reads AllergyIntolerance and FamilyMemberHistory into `rows`."""

    def __init__(self, terms: Terms, links: Links) -> None:
        super().__init__(HISTORY_LAYOUT, links)
        self._terms = terms

    def take_allergy(self, resource: Mapping[str, Any], number: int, _: int, __: str) -> tuple[Fate, int]:
        """Read an AllergyIntolerance; its fate."""
        verified = resource.get("verificationStatus")
        if isinstance(verified, str):
            raise OtherVersionError(Fate.STU3)
        verification = _code_in(verified, (*_ALLERGY_STATUS, "entered-in-error"))
        if verification == "entered-in-error":
            return Fate.IN_ERROR, 1
        if "code" not in resource:
            return Fate.NO_VALUE, 0
        code = self._terms.code(resource["code"])
        self._terms.describe(code, kind="history", phase="history")
        when = self._time(resource.get("recordedDate"))
        status = _ALLERGY_STATUS[verification] if verification else "present"
        self._add(number, resource, when, code, status, "patient")
        return Fate.USED, 0

    def take_family(self, resource: Mapping[str, Any], number: int, _: int, __: str) -> tuple[Fate, int]:
        """Read a FamilyMemberHistory; its fate."""
        if resource["status"] == "entered-in-error":
            return Fate.IN_ERROR, 1
        when = self._time(resource.get("date"))
        codes = {self._terms.code(one["code"]) for one in resource.get("condition") or ()}
        for code in sorted(codes):
            self._terms.describe(code, kind="family_history", phase="history")
            self._add(number, resource, when, code, "present", "family")
        return (Fate.USED if codes else Fate.NO_VALUE), 0

    def _add(
        self, number: int, resource: Mapping[str, Any], when: Interval | None, code: str, status: str, subject: str
    ) -> None:
        patient = self._patients(resource["patient"])
        encounter = self._encounters(resource.get("encounter"))
        first, last = when or (None, None)
        self.rows.add((number, patient, encounter, first, last, last, code, status, subject))


def _code_in(concept: Mapping[str, Any] | None, allowed: tuple[str, ...]) -> str | None:
    if concept is None:
        return None
    for coding in concept.get("coding") or ():
        code = coding.get("code")
        if code is not None:
            if code not in allowed:
                raise ValueError("a status that R4 does not have")
            return str(code)
    return None


def _of_encounter(resource: Mapping[str, Any]) -> bool:
    """Whether it is a diagnosis of the encounter and no item of the problem list."""
    categories = resource.get("category") or ()
    return any(c.get("code") == "encounter-diagnosis" for one in categories for c in one.get("coding") or ())


def _severity(concept: Mapping[str, Any] | None) -> str | None:
    if concept is None:
        return None
    return next((_SEVERITY[c["code"]] for c in concept.get("coding") or () if c.get("code") in _SEVERITY), None)


def _onset_age(age: Mapping[str, Any] | None) -> float | None:
    """Years, from an Age in years, months, weeks or days."""
    if age is None or age.get("value") is None or age.get("code") not in _YEARS:
        return None
    value = age["value"]
    if type(value) not in (int, float):
        raise TypeError("an age is a number")
    years = float(value) * _YEARS[age["code"]]
    return years if 0 <= years <= 130 else None
