"""Observation -> rows of findings: one for its own value and one for each component."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from diagnosis.readers.fhir.account import Fate
from diagnosis.readers.fhir.answers import answer_of, interpretation_of, missing_of
from diagnosis.readers.fhir.quantities import check_comparator, number, range_of, ratio_of, unit_of
from diagnosis.readers.fhir.row_reader import LINKED, Links, RowReader
from diagnosis.readers.fhir.terms import Terms, word_of

__all__ = ["FINDING_LAYOUT", "LONGEST_TEXT", "Observations"]

_CODED = pa.dictionary(pa.int32(), pa.string())
#: Rows of findings before they are given to cases: whose, when, and the columns of the format.
FINDING_LAYOUT: Mapping[str, pa.DataType] = MappingProxyType(
    {
        **LINKED,
        "code": _CODED,
        "status": _CODED,
        "value": pa.float64(),
        "comparator": _CODED,
        "unit": _CODED,
        "text": _CODED,
        "phase": _CODED,
        "body_site": _CODED,
        "ref_low": pa.float64(),
        "ref_high": pa.float64(),
        "interpretation": _CODED,
    }
)
#: A longer text is a narrative and no category; it is not kept.
LONGEST_TEXT = 120

_STATUS = {
    "final": None,
    "preliminary": None,
    "amended": None,
    "corrected": None,
    "unknown": None,
    "entered-in-error": Fate.IN_ERROR,
    "cancelled": Fate.CANCELLED,
    "registered": Fate.NO_RESULT_YET,
}
_CORRECTIONS = ("amended", "corrected", "entered-in-error")
# Category -> phase of the visit, kind of the vocabulary.
_CATEGORIES = {
    "vital-signs": ("examination", "vital"),
    "vital-sign": ("examination", "vital"),
    "exam": ("examination", "sign"),
    "laboratory": ("laboratory", "laboratory"),
    "imaging": ("imaging", "imaging"),
    "procedure": ("bedside", None),
    "social-history": ("history", "social"),
    "survey": ("history", None),
}
_NEITHER: tuple[str | None, str | None] = (None, None)

#: status, value, comparator, unit, text, interpretation
Reading = tuple[str, float | None, str | None, str | None, str | None, str | None]
_NO_RANGE: tuple[float | None, float | None] = (None, None)
_USED = Fate.USED  # a member of an enumeration is slow to look up


class Observations(RowReader):
    """Reads Observations into `rows`.

    Attributes
    ----------
    rows : Rows
        Of `FINDING_LAYOUT`.
    not_read : Counter
        Values that were not read, by their FHIR name.
    """

    def __init__(self, terms: Terms, links: Links) -> None:
        super().__init__(FINDING_LAYOUT, links)
        self._terms = terms
        self.not_read: Counter[str] = Counter()
        self._described: set[tuple[str, str | None]] = set()

    def take(self, resource: Mapping[str, Any], number: int, _: int, __: str) -> tuple[Fate, int]:
        """Read one; returns its fate, and 1 when it corrects what was said before.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            It is not built as R4 says.
        """
        get = resource.get
        status = resource["status"]
        correction = 0
        if status != "final":
            correction = int(status in _CORRECTIONS)
            left_out = _STATUS[status]
            if left_out is not None:
                return left_out, correction
        subject = get("subject")
        patient = self._patients(subject)
        if "focus" in resource or (subject is not None and not patient and "reference" in subject):
            return Fate.SOMEBODY_ELSE, correction
        categories, site = get("category"), get("bodySite")
        phase, kind = _NEITHER if categories is None else _category(categories)
        about = (phase, kind, None if site is None else word_of(site))
        head = (number, patient, self._encounters(get("encounter")), *self._when(resource))
        fate = self._row(resource, head, about)
        components = get("component")
        if components:
            fate = _together([fate, *(self._row(one, head, about) for one in components)])
        return fate, correction

    def _row(self, one: Mapping[str, Any], head: tuple[int | None, ...], about: tuple[str | None, ...]) -> Fate:
        """Read the value of an Observation or a component; `about` is phase, kind and body site."""
        said = one.get("interpretation")
        read = self._read(one, said if said is None else interpretation_of(said))
        if isinstance(read, Fate):
            return read
        state, value, comparator, unit, text, interpretation = read
        concept = one["code"]
        if text is not None and _is_assertion(concept):
            concept, state, text, interpretation = one["valueCodeableConcept"], "present", None, None
        code = self._terms.code(concept)
        phase, kind, site = about
        if (code, phase) not in self._described:
            self._described.add((code, phase))
            self._terms.describe(code, phase=phase, kind=kind)
        ranges = one.get("referenceRange")
        low, high = _NO_RANGE if ranges is None else _range(ranges, one)
        self.rows.add((*head, code, state, value, comparator, unit, text, phase, site, low, high, interpretation))
        return _USED

    def _read(self, one: Mapping[str, Any], said: str | None) -> Reading | Fate:
        quantity = one.get("valueQuantity")
        if quantity is not None:
            value = quantity.get("value")
            if value is not None:  # nearly every value; `quantity_of` says the same in one more call
                comparator = quantity.get("comparator")
                if comparator is not None:
                    check_comparator(comparator)
                return ("present", number(value), comparator, unit_of(quantity), None, said)
        if "valueCodeableConcept" in one:
            return _concept(one["valueCodeableConcept"], said)
        if "valueBoolean" in one:
            yes = one["valueBoolean"]
            if not isinstance(yes, bool):
                raise TypeError("valueBoolean is true or false")
            return ("present" if yes else "absent", None, None, None, None, said)
        if "valueInteger" in one:
            return ("present", number(one["valueInteger"]), None, None, None, said)
        if "valueString" in one:
            return self._string(one["valueString"], said)
        for name, read in _SPANS:
            if name in one:
                measured = read(one[name])
                if measured is not None:
                    return ("present", *measured, said)
                self.not_read[f"{name} without numbers that fit together"] += 1
                return Fate.OTHER_VALUE
        return self._without_value(one, said)

    def _string(self, text: Any, said: str | None) -> Reading | Fate:
        text = " ".join(text.split())
        if not text:
            return Fate.NO_VALUE
        if len(text) > LONGEST_TEXT:
            self.not_read[f"valueString of more than {LONGEST_TEXT} characters"] += 1
            return Fate.OTHER_VALUE
        return ("absent" if said == "NEG" else "present", None, None, None, text, said)

    def _without_value(self, one: Mapping[str, Any], said: str | None) -> Reading | Fate:
        reason = one.get("dataAbsentReason")
        if reason is not None:
            meant = missing_of(reason)
            return meant if isinstance(meant, Fate) else (meant, None, None, None, None, None)
        for name in one:
            if name.startswith("value"):
                self.not_read[name if name in _OTHER_VALUES else "value[x]"] += 1
                return Fate.OTHER_VALUE
        if said in ("POS", "NEG"):
            return ("present" if said == "POS" else "absent", None, None, None, None, said)
        return Fate.NO_VALUE

    def _when(self, resource: Mapping[str, Any]) -> tuple[int | None, int | None, int | None]:
        """When it was observed (first and last moment that may be meant), and when it was known."""
        clock = self._time
        issued = clock(resource.get("issued"))
        known = issued[1] if issued else None
        text = resource.get("effectiveDateTime")
        if text is not None:
            seen = clock(text)
        elif "effectivePeriod" in resource:
            span = resource["effectivePeriod"]
            start, end = clock(span.get("start")), clock(span.get("end"))
            seen = start or end
            if start and end:
                seen = start[0], end[1]
        else:
            seen = clock(resource.get("effectiveInstant"))
        return (seen[0], seen[1], known) if seen else (None, None, known)


_SPANS = (("valueRange", range_of), ("valueRatio", ratio_of))
_OTHER_VALUES = ("valueSampledData", "valueTime", "valueDateTime", "valuePeriod")


def _concept(concept: Mapping[str, Any], said: str | None) -> Reading | Fate:
    meant = answer_of(concept)
    if isinstance(meant, Fate):
        return meant
    if meant is not None:
        state, interpretation = meant
        return (state, None, None, None, None, interpretation or (said if state != "uncertain" else None))
    text = word_of(concept)
    if text is None:
        return Fate.NO_VALUE
    return ("absent" if said == "NEG" else "present", None, None, None, text[:LONGEST_TEXT], said)


def _is_assertion(concept: Mapping[str, Any]) -> bool:
    """Whether the code says only "this is so" and the value says what: HL7's ASSERTION pattern."""
    return any(c.get("code") == "ASSERTION" for c in concept.get("coding") or ())


def _category(categories: Any) -> tuple[str | None, str | None]:
    """Phase and kind of the first category that is known."""
    for category in categories:
        for coding in category.get("coding") or ():
            found = _CATEGORIES.get(coding.get("code"))
            if found is not None:
                return found
    return _NEITHER


def _range(ranges: Any, one: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The normal range in the value's own unit; none where there are several, for it would have to be guessed."""
    normal = [
        r for r in ranges if "type" not in r or any(c.get("code") == "normal" for c in r["type"].get("coding") or ())
    ]
    quantity = one.get("valueQuantity")
    if len(normal) != 1 or quantity is None:
        return None, None
    unit = unit_of(quantity)
    ends = []
    for name in ("low", "high"):
        end = normal[0].get(name)
        fits = end is not None and end.get("value") is not None and unit_of(end) in (unit, None)
        ends.append(number(end["value"]) if fits else None)
    return ends[0], ends[1]


def _together(fates: list[Fate]) -> Fate:
    """One fate for the resource: used when any of its rows is; else the most telling of the reasons."""
    if Fate.USED in fates:
        return Fate.USED
    return next((f for f in fates if f is not Fate.NO_VALUE), Fate.NO_VALUE)
