"""Takes resources in one by one: each is read by the reader of its type, and each gets a fate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from diagnosis.readers.fhir.account import FATES, KINDS, Fate, Place, Register
from diagnosis.readers.fhir.actions import Actions
from diagnosis.readers.fhir.conditions import Conditions, History
from diagnosis.readers.fhir.encounters import Encounters, Patients
from diagnosis.readers.fhir.observations import Observations
from diagnosis.readers.fhir.references import NOBODY, References, key_of, named
from diagnosis.readers.fhir.resource_types import OTHER_TYPES
from diagnosis.readers.fhir.row_reader import Links
from diagnosis.readers.fhir.rows import BATCH
from diagnosis.readers.fhir.set_aside import SetAside
from diagnosis.readers.fhir.terms import Terms
from diagnosis.readers.fhir.times import Clock
from diagnosis.readers.fhir.versions import (
    FOREIGN,
    OtherVersionError,
    refuse,
    refuse_other_profiles,
    refuse_other_statements,
)
from diagnosis.readers.json_files import Source

__all__ = ["Intake"]

#: What reading something that is not built as R4 says can raise.
_STRUCTURE = (AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError)
_CHECKED = 1 << 12
_USED = Fate.USED  # a member of an enumeration is slow to look up

_Reader = Callable[[Mapping[str, Any], int, int, str], tuple[Fate, int]]


class Intake:
    """Reads resources into rows.

    Parameters
    ----------
    zone : str, optional
        IANA zone of dates and of times that name none.
    aside : SetAside

    Attributes
    ----------
    register : Register
    aliases : dict of int to int
        Keys that a bundle gives a resource beside its id.
    organizations : dict of str to (int, str or None)
        Number and name of each organisation.
    refused : dict of str to list of Place
        What is no resource at all, by reason: the first places.
    n_refused : Counter
        And how many of each.
    contained : Counter
        Resources that stand inside others, by type.
    """

    def __init__(self, zone: str | None, aside: SetAside) -> None:
        self.register = Register()
        self.aside = aside
        self.clock = Clock(zone)
        self.aliases: dict[int, int] = {}
        self.organizations: dict[str, tuple[int, str | None]] = {}
        self.bundles = 0
        self.refused: dict[str, list[Place]] = {}
        self.n_refused: Counter[str] = Counter()
        self.contained: Counter[str] = Counter()
        self.finding_terms, self.diagnosis_terms = Terms.of_findings(), Terms.of_diagnoses()
        self._action_terms = Terms.of_findings()
        persons, stays = References("Patient"), References("Encounter")
        self.references = (persons, stays, References("Condition"))
        links = Links(self.clock, persons, stays, self.references[2])
        self.patients = Patients()
        self.encounters = Encounters(links)
        self.conditions = Conditions(self.diagnosis_terms, links)
        self.observations = Observations(self.finding_terms, links)
        self.history = History(self.finding_terms, links)
        self.actions = Actions(self._action_terms, links)
        self._readers = self._by_kind()
        self._source: Source | None = None
        self._line = 0
        self._entry = 0
        self._gap = True

    def stand_at(self, source: Source, line: int = 0, entry: int = 0) -> None:
        """Say where the next value stands. Lines and entries that follow one by one count themselves."""
        self._gap |= source is not self._source or (line != self._line + 1) or bool(entry) or bool(self._entry)
        self._source, self._line, self._entry = source, line, entry

    def take(self, value: Any, full_url: Any = None) -> None:
        """Take in a resource, or a bundle with all it holds."""
        kind = value.get("resourceType") if type(value) is dict else None
        if type(kind) is not str:
            self._no_resource(value)
            return
        place = self._readers.get(kind)
        if place is None:
            self._not_read(kind, value)
            return
        register = self.register
        if self._gap:
            assert self._source is not None
            register.begin(self._source.number, self._line, self._entry)
            self._gap = False
        at, foreign, read = place
        number = len(register)
        try:
            key, ident, updated = self._identity(kind, value, full_url, number)
            register.add(at, key, updated)
            if not value.keys().isdisjoint(foreign):  # in this order: it asks for the few, not for all
                refuse(kind, value)
            fate, rank = read(value, number, key, ident)
        except OtherVersionError as other:
            fate, rank = other.fate, 0
        except _STRUCTURE:
            fate, rank = Fate.MALFORMED, 0
        if rank or fate is not _USED:
            if len(register) == number:
                register.add(at, NOBODY, 0)
            register.mark(number, fate, rank)
            if fate.is_error:
                self._write(kind, self.place, FATES[fate], value)
        if not number % _CHECKED:
            self.flush()

    def skip(self, kind: str) -> None:
        """Count a resource of a type that is not read, without looking at it."""
        self.register.other[kind] += 1
        self._gap = True

    def refuse(self, reason: str, content: Any = None) -> None:
        """Set aside what is no resource at all."""
        self._gap = True
        self.n_refused[reason] += 1
        places = self.refused.setdefault(reason, [])
        if len(places) < 3:
            places.append(self.place)
        self._write("files", self.place, reason, content)

    def cut_off(self, start: int) -> None:
        """Take back what a bundle that breaks off has brought since resource `start`."""
        self.register.even()
        for number in range(start, len(self.register)):
            if not Fate(self.register.fate[number]).is_error:
                self.register.fate[number] = Fate.CUT_OFF

    def flush(self, least: int = BATCH) -> None:
        """Turn rows into columns where there are many."""
        for part in (self.observations, self.encounters, self.conditions, self.patients, self.actions, self.history):
            part.rows.flush(least)
        self.encounters.diagnoses.flush(least)

    @property
    def place(self) -> Place:
        """Where the value that is being read stands."""
        return Place(self._source.number if self._source else 0, self._line, self._entry)

    def _write(self, what: str, place: Place, reason: str, content: Any) -> None:
        assert self._source is not None
        self.aside.write(what, place, self._source, reason, content)

    def _identity(self, kind: str, value: Mapping[str, Any], full_url: Any, number: int) -> tuple[int, str, int]:
        """The key, the id and the version (when it was last updated) of a resource."""
        ident = value.get("id")
        if ident is not None and type(ident) is not str:
            raise TypeError("an id is text")
        key = NOBODY
        if full_url is not None and not (ident and full_url.endswith((f"/{ident}", f":{ident}"))):
            other = named(full_url, kind)
            ident = ident or other
            if other and ident and other != ident:
                self.aliases[key_of(kind, other)] = key_of(kind, ident)
        if ident:
            key = key_of(kind, ident)
        else:
            ident = f"{kind}-{number + 1}"
        if "contained" in value:
            self._count_contained(value["contained"])
        meta = value.get("meta")
        if meta is None:
            return key, ident, 0
        if "profile" in meta:
            refuse_other_profiles(meta["profile"])
        if "lastUpdated" not in meta:
            return key, ident, 0
        updated = self.clock.time(meta["lastUpdated"])
        return key, ident, updated[0] if updated else 0

    def _count_contained(self, inner: Any) -> None:
        for one in inner:
            kind = one["resourceType"]
            self.contained[kind if kind in OTHER_TYPES or kind in KINDS else "of an unknown type"] += 1

    def _no_resource(self, value: Any) -> None:
        if type(value) is dict and "transactionTime" in value and "output" in value:
            self.skip("bulk export manifest")
            return
        if type(value) is dict and "phenotypicFeatures" in value:
            self.refuse("is a phenopacket and no FHIR resource; read it with the format phenopackets", value)
            return
        self.refuse("is no FHIR resource: it has no resourceType", value)

    def _not_read(self, kind: str, value: Mapping[str, Any]) -> None:
        if kind != "Bundle":
            self.skip(kind if kind in OTHER_TYPES else "of an unknown type")
            return
        self.bundles += 1
        entries = value.get("entry")
        if not (entries is None or isinstance(entries, list)):
            self.refuse("is a Bundle whose entry is no list", value)
            return
        for number, entry in enumerate(entries or (), 1):
            self.take_entry(entry, number)

    def take_entry(self, entry: Any, number: int) -> None:
        """Take in the entry of a bundle, or the item of an array of resources."""
        self._gap |= number != self._entry + 1 or number == 1
        self._entry = number
        if isinstance(entry, dict) and "resourceType" not in entry:
            if entry.get("resource") is None:
                self.skip("entry without a resource")
            else:
                self.take(entry["resource"], entry.get("fullUrl"))
        else:
            self.take(entry)

    def _by_kind(self) -> dict[str, tuple[int, frozenset[str], _Reader]]:
        readers: dict[str, _Reader] = {
            "Patient": self.patients.take,
            "Encounter": self.encounters.take,
            "Condition": self.conditions.take,
            "Observation": self.observations.take,
            "AllergyIntolerance": self.history.take_allergy,
            "FamilyMemberHistory": self.history.take_family,
            **dict.fromkeys(("MedicationRequest", "Procedure", "ServiceRequest"), self.actions.take),
            "Organization": self._organization,
            "CapabilityStatement": self._statement,
        }
        return {kind: (KINDS.index(kind), FOREIGN.get(kind, frozenset()), read) for kind, read in readers.items()}

    def _organization(self, resource: Mapping[str, Any], number: int, _: int, ident: str) -> tuple[Fate, int]:
        name = resource.get("name")
        if name is not None and not isinstance(name, str):
            raise TypeError("a name is text")
        self.organizations[ident] = (number, name)
        return Fate.USED, 0

    def _statement(self, resource: Mapping[str, Any], *_: object) -> tuple[Fate, int]:
        refuse_other_statements(resource)
        return Fate.NOT_NEEDED, 0
