"""Everything that was read -> the tables of format 1, in batches, so that no table is held twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.readers.fhir.account import Fate, Register
from diagnosis.readers.fhir.cases import NEVER, CaseKind, Cases, Ints, as_times, ints, known_by, make_cases
from diagnosis.readers.fhir.intake import Intake
from diagnosis.readers.fhir.labels import Judgements, Several, judge
from diagnosis.readers.fhir.terms import Terms

__all__ = ["Made", "make_tables"]

_CODED = pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("us", tz="UTC")
_FINDINGS = {
    "code": _CODED,
    "status": _CODED,
    "value": pa.float64(),
    "comparator": _CODED,
    "unit": _CODED,
    "text": _CODED,
    "time": _TIME,
    "known": _TIME,
    "onset_days": pa.float64(),
    "onset_age_years": pa.float64(),
    "phase": _CODED,
    "subject": _CODED,
    "severity": _CODED,
    "body_site": _CODED,
    "ref_low": pa.float64(),
    "ref_high": pa.float64(),
    "interpretation": _CODED,
}


@dataclass(frozen=True, slots=True)
class Made:
    """The tables of format 1, and how the labels came about."""

    tables: dict[str, pa.Table]
    judgements: Judgements
    n_cases: int
    #: How many findings came of Observations, of Conditions that are symptoms, of allergies and family history.
    origins: tuple[int, int, int]


def make_tables(read: Intake, kind: CaseKind, several: Several) -> Made:
    """Give every row its case, and leave out and count the rows that have none.

    Parameters
    ----------
    read : Intake
        Emptied on the way.
    kind : {"encounter", "patient"}
    several : {"first", "none"}
    """
    register = read.register
    register.settle_versions()
    cases = make_cases(kind, read.patients.rows.table(), read.encounters.rows.table(), register, read.aliases)
    judged = judge(
        *(read.conditions.rows.table(), read.encounters.diagnoses.table(), cases, register, read.aliases),
        *(read.diagnosis_terms, several),
    )
    found = [_finding_batch(b, cases, register) for b in read.observations.rows.batches()]
    history = _history(read.history.rows.table(), cases, register)
    origins = (sum(map(len, found)), len(judged.findings), len(history))
    found += [history, _laid_out(judged.findings, judged.finding_case)]
    case_ids = cases.table["case_id"].combine_chunks()
    findings = _named(_joined(found), case_ids)
    tables = {"cases": _without_empty(cases.table, ("case_id", "patient_id")), "findings": findings}
    labels = judged.labels.add_column(0, "case_id", case_ids.take(pa.array(judged.case)))
    actions = _actions(read.actions.rows.table(), cases, register, case_ids)
    if len(labels):
        tables["labels"] = _without_empty(labels, ("case_id", "diagnosis"))
    if len(actions):
        tables["actions"] = actions
    tables |= _words(read, findings, labels)
    sites = _sites(cases.table, read)
    if len(sites):
        tables["sites"] = sites
    return Made(tables, judged, len(cases), origins)


def _linked(rows: pa.Table | pa.RecordBatch, cases: Cases, register: Register) -> tuple[Any, Ints]:
    """The rows that have a case, and their cases; the fates of the others are written down."""
    _, fates = register.arrays()
    number = ints(rows, "resource")
    whose = (ints(rows, name) for name in ("encounter", "patient", "first", "last"))
    case, fate = cases.link(*whose)
    alive = fates[number] == Fate.USED
    lost = alive & (fate != Fate.USED)
    keep = alive & ~lost
    fates[number[lost]] = fate[lost]
    return rows.filter(pa.array(keep)), case[keep]


def _finding_batch(batch: pa.RecordBatch, cases: Cases, register: Register) -> pa.Table:
    rows, case = _linked(batch, cases, register)
    first, last, known = (ints(rows, name) for name in ("first", "last", "known"))
    end = cases.end[case]
    spread = np.where(last > first, known_by(first, last, end), NEVER)
    known = np.where(known == NEVER, spread, known)
    columns = {name: rows[name] for name in rows.schema.names if name in _FINDINGS}
    return _laid_out(pa.table({**columns, "time": as_times(first), "known": as_times(known)}), case)


def _history(rows: pa.Table, cases: Cases, register: Register) -> pa.Table:
    """Allergies and family history: a row for the encounter they name, else for each that was not over before."""
    _, fates = register.arrays()
    rows = rows.filter(pa.array(fates[ints(rows, "resource")] == Fate.USED))
    number, encounter, patient = (ints(rows, name) for name in ("resource", "encounter", "patient"))
    first = ints(rows, "first")
    case, fate = cases.link(encounter, patient, first, ints(rows, "last"))
    named = encounter != 0
    row, later = cases.from_then_on(np.where(named, -1, patient), first)
    row = np.concatenate([np.flatnonzero(named & (fate == Fate.USED)), row])
    later = np.concatenate([case[named & (fate == Fate.USED)], later])
    fate[row] = Fate.USED
    fate[np.setdiff1d(np.flatnonzero(fate == Fate.USED), row)] = Fate.NO_CASE
    _with_fates(fates, number, fate)
    known = known_by(first[row], ints(rows, "known")[row], cases.end[later])
    picked = rows.select(["code", "status", "subject"]).take(pa.array(row))
    phase = pa.repeat("history", len(row)).dictionary_encode()
    made = picked.append_column("phase", phase).append_column("time", as_times(first[row]))
    return _laid_out(made.append_column("known", as_times(known)), later)


def _with_fates(fates: npt.NDArray[np.int8], number: Ints, fate: npt.NDArray[np.int8]) -> None:
    """Write fates of rows to their resources: one with any row used is used."""
    fates[number] = fate
    fates[number[fate == Fate.USED]] = Fate.USED


def _laid_out(rows: pa.Table, case: Ints) -> pa.Table:
    """The columns of a findings table in their order, empty ones null, with the case's position in front."""
    columns = {
        name: rows[name].cast(kind) if name in rows.column_names else pa.nulls(len(rows), kind)
        for name, kind in _FINDINGS.items()
    }
    return pa.table({"case": pa.array(case.astype(np.int32)), **columns})


def _joined(parts: Iterable[pa.Table]) -> pa.Table:
    whole = pa.concat_tables(parts).unify_dictionaries()
    empty = [n for n in whole.column_names if n not in ("case", "code", "status") and whole[n].null_count == len(whole)]
    return whole.drop_columns(empty)


def _named(findings: pa.Table, case_ids: pa.Array) -> pa.Table:
    ids = pa.chunked_array([case_ids.take(part) for part in findings["case"].chunks], pa.string())
    return findings.set_column(0, "case_id", ids)


def _actions(rows: pa.Table, cases: Cases, register: Register, case_ids: pa.Array) -> pa.Table:
    rows, case = _linked(rows, cases, register)
    first, known = ints(rows, "first"), ints(rows, "known")
    known = known_by(first, known, cases.end[case])
    kept = ("action_id", "kind", "code", "status", "dose", "unit", "route", "reason")
    made = {"case_id": case_ids.take(pa.array(case)), **{name: rows[name] for name in kept}}
    return _without_empty(pa.table({**made, "time": as_times(first), "known": as_times(known)}), ("case_id",))


def _without_empty(table: pa.Table, needed: Iterable[str]) -> pa.Table:
    empty = [n for n in table.column_names if n not in needed and table[n].null_count == len(table)]
    return table.drop_columns(empty)


def _words(read: Intake, findings: pa.Table, labels: pa.Table) -> dict[str, pa.Table]:
    """The vocabulary and the diagnoses that the tables use."""
    units = _usual_units(findings)
    used = sorted(c for c in pc.unique(findings["code"].cast(pa.string())).to_pylist() if c is not None)
    rows = [{**_row(read, code), **({"unit": units[code]} if code in units else {})} for code in used]
    named = sorted(pc.unique(labels["diagnosis"]).to_pylist())
    known = read.diagnosis_terms.rows
    made = {}
    if rows:
        names = ("code", "system", "name", "name_zh", "kind", "phase", "unit")
        made["vocabulary"] = _table_of(rows, names)
    if named:
        made["diagnoses"] = _table_of([known[c] for c in named], ("code", "system", "name", "name_zh", "icd10"))
    return made


def _row(read: Intake, code: str) -> Mapping[str, Any]:
    """What is known of a finding's code; a Condition that is a symptom has its words among the diagnoses."""
    return read.finding_terms.rows.get(code) or {**_plain(read.diagnosis_terms, code), "phase": "history"}


def _plain(terms: Terms, code: str) -> dict[str, Any]:
    return {name: value for name, value in terms.rows[code].items() if name != "icd10"}


def _table_of(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> pa.Table:
    filled = [n for n in names if any(n in row for row in rows)]
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in filled})


def _usual_units(findings: pa.Table) -> dict[str, str]:
    """The unit most values of each code come in; of equals the first by name."""
    if "unit" not in findings.column_names:
        return {}
    pairs = findings.select(["code", "unit"]).filter(findings["unit"].is_valid())
    plain = pairs.group_by(["code", "unit"]).aggregate([([], "count_all")]).to_pylist()
    plain.sort(key=lambda row: (row["count_all"], *(-ord(c) for c in row["unit"])))
    return {row["code"]: row["unit"] for row in plain}


def _sites(cases: pa.Table, read: Intake) -> pa.Table:
    """Names of the organisations that encounters took place at, for those that say what they are called."""
    _, fates = read.register.arrays()
    if "site" not in cases.column_names:
        used: set[str] = set()
    else:
        used = {s for s in pc.unique(cases["site"].cast(pa.string())).to_pylist() if s is not None}
    for ident, (number, _) in read.organizations.items():
        if ident not in used and fates[number] == Fate.USED:
            fates[number] = Fate.NOT_NEEDED
    named = sorted((ident, name) for ident, (_, name) in read.organizations.items() if ident in used and name)
    return pa.table(
        {"site": pa.array([i for i, _ in named], pa.string()), "name": pa.array([n for _, n in named], pa.string())}
    )
