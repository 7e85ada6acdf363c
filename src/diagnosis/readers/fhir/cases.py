"""Patients and encounters -> cases, and which case a row belongs to: by name, else by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.readers.fhir.account import KINDS, Fate, Register
from diagnosis.readers.fhir.times import DAY

__all__ = ["NEVER", "CaseKind", "Cases", "Lookup", "as_times", "ints", "known_by", "make_cases"]

CaseKind = Literal["encounter", "patient"]
Ints = npt.NDArray[np.int64]

#: Stands for a time that is not there.
NEVER = np.iinfo(np.int64).max
# How many encounters before the last one are tried when a time lies in none: a visit may lie inside a stay.
_TRIED = 8


class Lookup:
    """Positions by key; -1 for a key that is not there.

    Parameters
    ----------
    keys : ndarray of int64
        Each once.
    aliases : mapping of int to int
        Further keys, and the key each stands for.
    """

    def __init__(self, keys: Ints, aliases: Mapping[int, int] | None = None) -> None:
        order = np.argsort(keys, kind="stable")
        self._keys, self._at = keys[order], order
        if aliases:
            names = np.fromiter(aliases, np.int64, len(aliases))
            at = self(np.fromiter(aliases.values(), np.int64, len(aliases)))
            fresh = (at >= 0) & (self(names) < 0)
            keys, at = np.concatenate([self._keys, names[fresh]]), np.concatenate([self._at, at[fresh]])
            order = np.argsort(keys, kind="stable")
            self._keys, self._at = keys[order], at[order]

    def __call__(self, wanted: Ints) -> Ints:
        """Where each wanted key is."""
        if not len(self._keys):
            return np.full(len(wanted), -1)
        place = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.where(self._keys[place] == wanted, self._at[place], -1)


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases, and what is needed to find the case of a row.

    Parameters
    ----------
    table : pa.Table
        `cases` of format 1.
    patient : ndarray of int64, shape (n_cases,)
        Position of each case's patient.
    start, end : ndarray of int64, shape (n_cases,)
        Microseconds; `NEVER` where there is none.
    kind : {"encounter", "patient"}
    """

    table: pa.Table
    patient: Ints
    start: Ints
    end: Ints
    kind: CaseKind
    _patients: Lookup
    _patient_fate: npt.NDArray[np.int8]
    _encounters: Lookup
    _encounter_fate: npt.NDArray[np.int8]
    _encounter_case: Ints
    _encounter_patient: Ints
    _bad_encounters: Ints
    _by_start: Ints

    def __len__(self) -> int:
        return len(self.table)

    def link(self, encounter: Ints, patient: Ints, first: Ints, last: Ints) -> tuple[Ints, npt.NDArray[np.int8]]:
        """Find the case of each row.

        Parameters
        ----------
        encounter, patient : ndarray of int64
            Keys that the row names; 0 for none.
        first, last : ndarray of int64
            When it was, for rows that name no encounter; `NEVER` for unknown.

        Returns
        -------
        case : ndarray of int64
            -1 for none.
        fate : ndarray of int8
            `Fate.USED`, or why there is no case.
        """
        of_patient, at = self._patients(patient), self._encounters(encounter)
        named = encounter != 0
        fate = np.full(len(encounter), Fate.USED, np.int8)
        case = np.where(at >= 0, self._encounter_case[at], -1) if len(self._encounter_case) else np.full(len(at), -1)
        if len(self._encounter_fate):
            theirs = self._encounter_fate[at]
            fate[theirs != Fate.USED] = Fate.CASE_LEFT_OUT
            fate[theirs >= Fate.MALFORMED] = Fate.CASE_SET_ASIDE
            differs = (patient != 0) & (of_patient != self._encounter_patient[at]) & (theirs == Fate.USED)
            fate[differs] = Fate.OTHER_PATIENT
        fate[at < 0] = Fate.UNKNOWN_CASE
        fate[(at < 0) & np.isin(encounter, self._bad_encounters)] = Fate.CASE_SET_ASIDE
        alone = ~named
        case[alone] = self.at_time(of_patient[alone], first[alone], last[alone])
        fate[alone] = np.where(case[alone] < 0, Fate.NO_CASE, Fate.USED)
        if len(self._patient_fate):
            fate[alone & (self._patient_fate[of_patient] == Fate.TWO_PATIENTS)] = Fate.TWO_PATIENTS
        fate[alone & (of_patient < 0)] = Fate.NO_PATIENT
        case[fate != Fate.USED] = -1
        return case, fate

    def at_time(self, patient: Ints, first: Ints, last: Ints) -> Ints:
        """The case of a patient that a time lies in; of several the one that began last. -1 for none."""
        if self.kind == "patient":
            found = Lookup(self.patient)(patient)
            return np.where(patient < 0, -1, found)
        case = np.full(len(patient), -1)
        if not len(self.start):
            return case
        starts = np.unique(self.start)
        width = np.int64(len(starts) + 1)
        keys = (self.patient * width + np.searchsorted(starts, self.start))[self._by_start]
        # The last case of the patient that had begun by then.
        wanted = patient * width + np.searchsorted(starts, last, side="right")
        at = np.searchsorted(keys, wanted) - 1
        # An encounter without an end is taken to last a day.
        end = np.where(self.end == NEVER, np.where(self.start == NEVER, NEVER, self.start + DAY), self.end)
        for step in range(_TRIED):
            there = (at - step >= 0) & (case < 0) & (first != NEVER) & (patient >= 0)
            tried = self._by_start[np.maximum(at - step, 0)]
            fits = there & (self.patient[tried] == patient) & (self.start[tried] <= last) & (end[tried] >= first)
            case[fits & (self.start[tried] != NEVER)] = tried[fits & (self.start[tried] != NEVER)]
        return case

    def from_then_on(self, patient: Ints, first: Ints) -> tuple[Ints, Ints]:
        """Row and case of every pair of a row and a case of its patient that was not over before `first`."""
        of_patient = self._patients(patient)
        grouped = self.patient[self._by_start]
        low, high = np.searchsorted(grouped, of_patient), np.searchsorted(grouped, of_patient, side="right")
        many = np.where((of_patient >= 0) & (first != NEVER), high - low, 0)
        row = np.repeat(np.arange(len(patient)), many)
        within = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
        case = self._by_start[low[row] + within] if len(row) else np.zeros(0, np.int64)
        end = np.where(self.end == NEVER, self.start, self.end)[case]
        keep = (end >= first[row]) & (end != NEVER)
        return row[keep], case[keep]


def ints(table: pa.Table | pa.RecordBatch, name: str, missing: int = NEVER) -> Ints:
    """A column of whole numbers as an array, with `missing` for null."""
    return np.asarray(pc.fill_null(table[name], missing), np.int64)


def make_cases(
    kind: CaseKind, patients: pa.Table, encounters: pa.Table, register: Register, aliases: Mapping[int, int]
) -> Cases:
    """Make the cases, and write the fate of the patients and encounters that become none into the register."""
    _, fates = register.arrays()
    _two_patients(patients, fates)
    person = fates[ints(patients, "resource")]
    patients = patients.filter(pa.array((person == Fate.USED) | (person == Fate.TWO_PATIENTS)))
    by_patient = Lookup(ints(patients, "key"), aliases)
    person = fates[ints(patients, "resource")]
    numbers = ints(encounters, "resource")
    encounters = encounters.filter(pa.array(fates[numbers] != Fate.REPLACED))
    numbers = ints(encounters, "resource")
    theirs = by_patient(ints(encounters, "patient"))
    alive = fates[numbers] == Fate.USED
    fates[numbers[alive & (theirs < 0)]] = Fate.NO_PATIENT
    if len(person):
        fates[numbers[alive & (theirs >= 0) & (person[theirs] == Fate.TWO_PATIENTS)]] = Fate.TWO_PATIENTS
    alive = fates[numbers] == Fate.USED
    seen = np.zeros(len(patients), bool)
    seen[theirs[alive]] = True
    start, end = ints(encounters, "start"), ints(encounters, "end")
    if kind == "encounter":
        rows, whose = np.flatnonzero(alive), theirs[alive]
        table = _of_encounters(encounters.take(pa.array(rows)), patients.take(pa.array(whose)))
        case_of = np.where(alive, np.cumsum(alive) - 1, -1)
        fates[ints(patients, "resource")[~seen & (person == Fate.USED)]] = Fate.NOT_NEEDED
    else:
        whose = np.flatnonzero(person == Fate.USED)
        place = np.full(len(patients) + 1, -1)
        place[whose] = np.arange(len(whose))
        case_of = np.where(alive, place[theirs], -1)
        start, end, day = _spans(case_of, encounters, len(whose))
        table = _of_patients(patients.take(pa.array(whose)), start, end, day)
        rows = np.arange(len(whose))
    start, end = start[rows], end[rows]
    key, all_fates = register.arrays()
    bad = (np.asarray(register.kind) == KINDS.index("Encounter")) & (all_fates >= Fate.MALFORMED)
    return Cases(
        *(table, whose, start, end, kind, by_patient, person, Lookup(ints(encounters, "key"), aliases)),
        *(fates[numbers], case_of, theirs, key[bad & (key != 0)], np.lexsort((start, whose))),
    )


def _two_patients(patients: pa.Table, fates: npt.NDArray[np.int8]) -> None:
    """Where one id stands for two births or two sexes, which is right cannot be known: none is taken."""
    keys = ints(patients, "key")
    ordered = np.sort(keys)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    rows = np.flatnonzero(np.isin(keys, twice) & (keys != 0))
    some = patients.take(pa.array(rows)).to_pylist()
    by_key: dict[int, list[dict[str, object]]] = {}
    for one in some:
        if fates[int(one["resource"])] in (Fate.USED, Fate.REPLACED):
            by_key.setdefault(one["key"], []).append(one)
    for same in by_key.values():
        for part in ("born_first", "born_last", "sex"):
            if len({one[part] for one in same if one[part] is not None}) > 1:
                fates[[int(str(one["resource"])) for one in same]] = Fate.TWO_PATIENTS


def _of_encounters(encounters: pa.Table, patients: pa.Table) -> pa.Table:
    age = _ages(ints(encounters, "day_first"), ints(encounters, "day_last"), patients)
    carried = {name: encounters[name] for name in ("site", "setting", "department", "visit", "disposition")}
    return pa.table(
        {
            "case_id": encounters["id"],
            "patient_id": patients["id"],
            **age,
            "sex": patients["sex"],
            **carried,
            "time": as_times(ints(encounters, "start")),
            "end_time": as_times(ints(encounters, "end")),
        }
    )


def _of_patients(patients: pa.Table, start: Ints, end: Ints, day: Ints) -> pa.Table:
    """One case a patient, from the start of the first encounter to the end of the last; the age at the start."""
    return pa.table(
        {
            "case_id": patients["id"],
            "patient_id": patients["id"],
            **_ages(day, day, patients),
            "sex": patients["sex"],
            "time": as_times(start),
            "end_time": as_times(end),
        }
    )


def _spans(case: Ints, encounters: pa.Table, n: int) -> tuple[Ints, Ints, Ints]:
    """First start, last end (or start), and calendar day of the first start, of each patient's encounters."""
    start, end, day = (ints(encounters, name) for name in ("start", "end", "day_first"))
    mine = (case >= 0) & (start != NEVER)
    first, last, days = np.full(n, NEVER), np.full(n, -NEVER), np.full(n, NEVER)
    np.minimum.at(first, case[mine], start[mine])
    np.minimum.at(days, case[mine], day[mine])
    np.maximum.at(last, case[mine], np.where(end[mine] == NEVER, start[mine], end[mine]))
    return first, np.where(last == -NEVER, NEVER, last), days


def _ages(day_first: Ints, day_last: Ints, patients: pa.Table) -> dict[str, pa.Array]:
    """Age at a day; in days as well under two years, where both the birth and the day are known to the day."""
    born_first, born_last = ints(patients, "born_first"), ints(patients, "born_last")
    known = (born_first != NEVER) & (day_first != NEVER)
    exact = known & (born_first == born_last) & (day_first == day_last)
    middle = np.where(known, (day_first + day_last) / 2 - (born_first + born_last) / 2, 0.0)
    # Born in the year or month of the visit: the middle of the one may come before the middle of the other.
    middle = np.where(known & ~exact & (day_last >= born_first), np.maximum(middle, 0.0), middle)
    years = np.round(middle / 365.25, 4)
    days = np.where(exact, middle, 0.0)
    return {
        "age_years": pa.array(years, mask=~known),
        "age_days": pa.array(days, mask=~(exact & (days < 730.5))),
    }


def as_times(microseconds: Ints) -> pa.Array:
    """Microseconds since 1970 as times; null for `NEVER`."""
    return pa.array(microseconds, mask=microseconds == NEVER).cast(pa.timestamp("us", tz="UTC"))


def known_by(first: Ints, last: Ints, case_end: Ints) -> Ints:
    """When something is known that happened between two moments: at the last one.

    Of a whole day, what belongs to an encounter that ended on that day was known when it ended.
    """
    whole_day = (first != NEVER) & (last != NEVER) & (last - first == DAY - 1)
    return np.where(whole_day & (case_end >= first), np.minimum(last, case_end), last)
