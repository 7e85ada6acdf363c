"""What became of every resource: each has one fate, so that read = used + left out + set aside, always."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from diagnosis.records import Problem

__all__ = ["FATES", "KINDS", "Fate", "Place", "Register", "problems_of", "shown"]

#: Types of resources that are read; every other is counted and left alone.
KINDS = (
    *("Patient", "Encounter", "Condition", "Observation", "AllergyIntolerance", "FamilyMemberHistory"),
    *("MedicationRequest", "Procedure", "ServiceRequest", "Organization", "CapabilityStatement"),
)


class Fate(IntEnum):
    """What became of one resource; from `MALFORMED` on it is an error and the resource is set aside."""

    USED = 0
    IN_ERROR = 1
    CANCELLED = 2
    NO_RESULT_YET = 3
    REPLACED = 4
    NOT_ASKED = 5
    NO_VALUE = 6
    OTHER_VALUE = 7
    SOMEBODY_ELSE = 8
    UNKNOWN_CASE = 9
    NO_CASE = 10
    CASE_LEFT_OUT = 11
    NOT_NEEDED = 12
    MALFORMED = 13
    CUT_OFF = 14
    STU3 = 15
    R5 = 16
    NO_PATIENT = 17
    TWO_PATIENTS = 18
    OTHER_PATIENT = 19
    CASE_SET_ASIDE = 20

    @property
    def is_error(self) -> bool:
        """Whether the resource cannot be used although it says that it can."""
        return self >= Fate.MALFORMED


#: In words, and for errors with what to do.
FATES: Mapping[Fate, str] = MappingProxyType(
    {
        Fate.IN_ERROR: "entered in error",
        Fate.CANCELLED: "cancelled or not done",
        Fate.NO_RESULT_YET: "registered without a result",
        Fate.REPLACED: "replaced by another version of the same id",
        Fate.NOT_ASKED: "not asked, not performed or withheld",
        Fate.NO_VALUE: "without a value",
        Fate.OTHER_VALUE: "with a kind of value that is not read",
        Fate.SOMEBODY_ELSE: "about somebody or something else than the patient",
        Fate.UNKNOWN_CASE: "of an encounter that is not among these files",
        Fate.NO_CASE: "outside every encounter of the patient",
        Fate.CASE_LEFT_OUT: "of an encounter that was left out",
        Fate.NOT_NEEDED: "that nothing refers to",
        Fate.MALFORMED: "is not built as FHIR R4 says",
        Fate.CUT_OFF: "stands in a bundle that breaks off; the whole bundle is set aside",
        Fate.STU3: "is of FHIR STU3 or older; R4 (4.0, 4.3) is read: export it as R4",
        Fate.R5: "is of FHIR R5; R4 (4.0, 4.3) is read: export it as R4",
        Fate.NO_PATIENT: "names no Patient that is among these files; export Patient as well",
        Fate.TWO_PATIENTS: "has an id that two patients with different birth dates or sexes share",
        Fate.OTHER_PATIENT: "names another patient than its encounter does",
        Fate.CASE_SET_ASIDE: "belongs to an encounter that was set aside",
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: file (in order of names), line, entry of a bundle; from 1, 0 where it has none."""

    file: int
    line: int = 0
    entry: int = 0

    def __str__(self) -> str:
        parts = (("file", self.file), ("line", self.line), ("entry", self.entry))
        return ", ".join(f"{name} {number:,}" for name, number in parts if number)


class Register:
    """Every resource of a type that is read, in reading order, with its id's number, version and fate.

    A resource's number here is its place in the order. 19 bytes are kept of each.
    """

    def __init__(self) -> None:
        self.key = array("q")
        self.updated = array("q")
        self.rank = array("b")
        self.kind = array("b")
        self.fate = array("b")
        self._adds = (self.key.append, self.updated.append, self.kind.append)
        #: Types that are not read, and how many of each.
        self.other: Counter[str] = Counter()
        # Where runs of resources that follow each other one by one begin: number, file, line, entry.
        self._runs = tuple(array("q") for _ in range(4))

    def __len__(self) -> int:
        return len(self.key)

    def begin(self, file: int, line: int, entry: int) -> None:
        """Say where the next resource stands; those after it follow one by one, until this is said again."""
        for run, number in zip(self._runs, (len(self.key), file, line, entry), strict=True):
            run.append(number)

    def add(self, kind: int, key: int, updated: int) -> None:
        """Enter a resource; its number is how many there were before."""
        add_key, add_updated, add_kind = self._adds
        add_key(key)
        add_updated(updated)
        add_kind(kind)

    def mark(self, number: int, fate: Fate, rank: int) -> None:
        """Give a resource another fate than `Fate.USED`, or a rank among the versions of its id."""
        self.even()
        self.fate[number] = fate
        self.rank[number] = rank

    def even(self) -> None:
        """Give every resource without a fate and a rank those of most: used, and no correction."""
        missing = bytes(len(self.key) - len(self.fate))
        if missing:
            self.fate.frombytes(missing)
            self.rank.frombytes(missing)

    def place(self, number: int) -> Place:
        """Where a resource stands."""
        starts, files, lines, entries = self._runs
        at = bisect_right(starts, number) - 1
        step = number - starts[at]
        if entries[at]:
            return Place(files[at], lines[at], entries[at] + step)
        return Place(files[at], lines[at] + step if lines[at] else 0)

    def arrays(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8]]:
        """The ids' numbers, and the fates to read and write."""
        self.even()
        return np.asarray(self.key), np.asarray(self.fate)

    def settle_versions(self) -> None:
        """Leave one version of each id: the latest by `meta.lastUpdated`, then a correction, then the last read."""
        if not len(self.key):
            return
        key, fate = self.arrays()
        alive = fate <= Fate.CANCELLED  # a version entered in error or cancelled takes the earlier ones back
        candidates = np.flatnonzero(alive & (key != 0))
        ordered = np.sort(key[candidates])
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        rows = candidates[np.isin(key[candidates], twice)]
        updated, rank = np.asarray(self.updated), np.asarray(self.rank)
        order = rows[np.lexsort((rows, rank[rows], updated[rows], key[rows]))]
        earlier = order[:-1][key[order[:-1]] == key[order[1:]]]
        fate[earlier[fate[earlier] == Fate.USED]] = Fate.REPLACED

    def counts(self) -> dict[tuple[str, Fate], int]:
        """How many of each type had which fate."""
        _, fate = self.arrays()
        kind = np.asarray(self.kind)
        pairs, counts = np.unique(kind.astype(np.int64) * 64 + fate, return_counts=True)
        return {(KINDS[p // 64], Fate(p % 64)): int(n) for p, n in zip(pairs.tolist(), counts.tolist(), strict=True)}

    def first(self, kind: str, fate: Fate, most: int = 3) -> list[Place]:
        """Places of the first resources of a type with a fate."""
        _, fates = self.arrays()
        kinds = np.asarray(self.kind)
        return [self.place(int(n)) for n in np.flatnonzero((fates == fate) & (kinds == KINDS.index(kind)))[:most]]


def problems_of(register: Register) -> list[Problem]:
    """The account: an error for each type and reason with something set aside, and one note a type."""
    made: list[Problem] = []
    counts = register.counts()
    for kind in KINDS:
        mine = {fate: n for (k, fate), n in counts.items() if k == kind}
        for fate, n in mine.items():
            if fate.is_error:
                says = f"{FATES[fate]}: {n:,} ({shown(register.first(kind, fate), n)})"
                made.append(Problem("error", fate.name.lower(), kind, "", says, count=n))
        if mine:
            made.append(Problem("note", "account", kind, "", _sentence(mine), count=sum(mine.values())))
    if register.other:
        n = register.other.total()
        listed = ", ".join(f"{kind} {count:,}" for kind, count in register.other.most_common())
        made.append(Problem("note", "not_read", "others", "", f"{n:,} of types that are not read: {listed}", count=n))
    return made


def shown(places: Sequence[Place], n: int) -> str:
    """The places of the first of `n` things, and how many more there are."""
    more = f"; and {n - len(places):,} more" if n > len(places) else ""
    return "; ".join(str(p) for p in places) + more


def _sentence(fates: Mapping[Fate, int]) -> str:
    parts = [f"{fates.get(Fate.USED, 0):,} used"]
    parts += [f"{n:,} {FATES[f]}" for f, n in sorted(fates.items()) if f and not f.is_error]
    aside = sum(n for f, n in fates.items() if f.is_error)
    parts += [f"{aside:,} set aside"] if aside else []
    return f"{sum(fates.values()):,} read: " + ", ".join(parts)
