"""Conditions -> labels by a stated rule, and those that are symptoms -> findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.readers.fhir.account import Fate, Register
from diagnosis.readers.fhir.cases import NEVER, Cases, Ints, Lookup, as_times, ints, known_by
from diagnosis.readers.fhir.terms import Terms
from diagnosis.readers.fhir.times import DAY

__all__ = ["RULES", "Judgements", "Several", "judge"]

Several = Literal["first", "none"]

#: Where a label comes from, in the order in which they are tried for each case.
RULES = ("Encounter.diagnosis", "Conditions that name the encounter", "Conditions that begin or are recorded in it")
_STATUS = {
    "confirmed": "confirmed",
    "provisional": "provisional",
    "unconfirmed": "provisional",
    "differential": "differential",
    "refuted": "ruled_out",
}
_STATES = {
    "confirmed": "present",
    "provisional": "uncertain",
    "unconfirmed": "uncertain",
    "differential": "uncertain",
    "refuted": "absent",
}
# How well a use speaks for the principal diagnosis; others do not. https://hl7.org/fhir/R4/valueset-diagnosis-role.html
_USES = {"DD": 0, "post-op": 1, "billing": 2, None: 3}
_ROLES = {"AD": "admission", "CC": "admission", "pre-op": "admission", "CM": "comorbidity"}
_UNUSABLE = 9


@dataclass(frozen=True, slots=True)
class Judgements:
    """What the Conditions came to.

    Parameters
    ----------
    case : ndarray of int64, shape (n_labels,)
        Position of each label's case; -1 stands nowhere.
    labels : pa.Table
        Columns of the `labels` table, without the case.
    findings : pa.Table
        Columns of the `findings` table, without the case; from Conditions that are symptoms.
    finding_case : ndarray of int64, shape (n_findings,)
    by_rule : dict of str to int
        Cases whose principal diagnosis is confirmed, by rule.
    without : dict of str to int
        Other cases, by reason.
    several : int
        Cases in which more than one diagnosis could have been the principal one.
    unresolved : int
        Entries of `Encounter.diagnosis` whose Condition is not among the files.
    """

    case: Ints
    labels: pa.Table
    findings: pa.Table
    finding_case: Ints
    by_rule: dict[str, int]
    without: dict[str, int]
    several: int
    unresolved: int


@dataclass(frozen=True, slots=True)
class _Pairs:
    """A case, a Condition and how they came together; one row a pair."""

    case: Ints
    row: Ints
    rule: Ints
    use: npt.NDArray[np.object_]
    rank: Ints

    def take(self, which: npt.NDArray[np.bool_] | Ints) -> _Pairs:
        return _Pairs(self.case[which], self.row[which], self.rule[which], self.use[which], self.rank[which])


def judge(
    conditions: pa.Table,
    diagnoses: pa.Table,
    cases: Cases,
    register: Register,
    aliases: dict[int, int],
    terms: Terms,
    several: Several,
) -> Judgements:
    """Give each case its labels, and write the Conditions' fates into the register.

    A case's labels come from `Encounter.diagnosis`; a case without a usable one takes the Conditions that name its
    encounter; one without those the Conditions that name no encounter and begin, or are recorded, within it. A refuted
    disease is ruled out and no absent finding: that is known only after the work-up. Conditions that are findings or
    situations by their SNOMED CT name are findings: refuted is absent, not yet settled is uncertain.

    Parameters
    ----------
    conditions, diagnoses : pa.Table
        Of `CONDITION_LAYOUT` and `DIAGNOSIS_LAYOUT`.
    several : {"first", "none"}
        Of several that nothing ranks, the first recorded is the principal one, or none is.
    """
    _, fates = register.arrays()
    conditions = conditions.filter(pa.array(fates[ints(conditions, "resource")] == Fate.USED))
    pairs, unresolved = _pairs(conditions, diagnoses, cases, fates, aliases)
    codes = np.asarray(conditions["code"].cast(pa.string()).to_pylist(), object)
    symptom = np.asarray(
        pc.is_in(conditions["code"].cast(pa.string()), pa.array(sorted(terms.tagged), pa.string())), bool
    )
    verified = np.asarray(conditions["verification"].cast(pa.string()).to_pylist(), object)
    of_symptoms = pairs.take(symptom[pairs.row])
    diseases, principal, many = _ordered(pairs.take(~symptom[pairs.row]), conditions, codes, verified, several)
    confirmed = principal & (verified[diseases.row] == "confirmed")
    by_rule = {name: int((diseases.rule[confirmed] == i).sum()) for i, name in enumerate(RULES)}
    labelled = np.zeros(len(cases), bool)
    labelled[diseases.case[confirmed]] = True
    return Judgements(
        diseases.case,
        _labels(diseases, principal, conditions, codes, verified),
        _findings(of_symptoms, conditions, cases, verified),
        of_symptoms.case,
        {name: n for name, n in by_rule.items() if n},
        _reasons(~labelled, diseases, of_symptoms, verified, many if several == "none" else many[:0]),
        len(many),
        unresolved,
    )


def _pairs(
    conditions: pa.Table, diagnoses: pa.Table, cases: Cases, fates: npt.NDArray[np.int8], aliases: dict[int, int]
) -> tuple[_Pairs, int]:
    numbers, encounter, patient = (ints(conditions, n) for n in ("resource", "encounter", "patient"))
    # The onset counts first; where it lies in no encounter, the day it was recorded.
    case, fate = cases.link(encounter, patient, ints(conditions, "onset"), ints(conditions, "onset_last"))
    lost = fate == Fate.NO_CASE
    again = cases.link(encounter[lost], patient[lost], ints(conditions, "first")[lost], ints(conditions, "last")[lost])
    case[lost], fate[lost] = again
    entry_case, _ = cases.link(ints(diagnoses, "encounter"), *(np.zeros(len(diagnoses), np.int64) for _ in range(3)))
    entry_row = Lookup(ints(conditions, "key"), aliases)(ints(diagnoses, "condition"))
    listed = (entry_case >= 0) & (entry_row >= 0)
    unresolved = int(((entry_case >= 0) & (entry_row < 0)).sum())
    case_a, row_a = entry_case[listed], entry_row[listed]
    width = np.int64(len(conditions) + 1)
    own = (case >= 0) & ~np.isin(case * width + np.arange(len(case)), case_a * width + row_a)
    use = np.asarray(diagnoses["use"].cast(pa.string()).to_pylist(), object)
    fates[numbers] = fate
    fates[numbers[row_a]] = Fate.USED  # listed by an encounter, wherever it says it belongs
    row_b = np.flatnonzero(own)
    return (
        _Pairs(
            np.concatenate([case_a, case[row_b]]),
            np.concatenate([row_a, row_b]),
            np.concatenate([np.zeros(len(case_a), np.int64), np.where(encounter[row_b] != 0, 1, 2)]),
            np.concatenate([use[listed], np.full(len(row_b), None, object)]),
            np.concatenate([ints(diagnoses, "rank")[listed], np.full(len(row_b), NEVER)]),
        ),
        unresolved,
    )


def _ordered(
    pairs: _Pairs,
    conditions: pa.Table,
    codes: npt.NDArray[np.object_],
    verified: npt.NDArray[np.object_],
    several: Several,
) -> tuple[_Pairs, npt.NDArray[np.bool_], Ints]:
    """Diseases of each case, most principal first and each once; which are principal; cases where several could be."""
    kind = verified[pairs.row]
    use = np.array([_USES.get(u, _UNUSABLE) for u in pairs.use], np.int64)
    use[(kind == "refuted") | (kind == "differential")] = _UNUSABLE
    settled = (kind != "confirmed").astype(np.int64)
    unusable = (use == _UNUSABLE).astype(np.int64)
    listed = 1 - np.asarray(conditions["of_encounter"], bool)[pairs.row].astype(np.int64)
    recorded = ints(conditions, "first")[pairs.row]
    sorts = (unusable, pairs.rule, settled, use, pairs.rank, listed)
    order = np.lexsort((pairs.row, recorded, *reversed(sorts), pairs.case))
    # Of one disease and status the best row stays.
    seen: set[tuple[int, str, str]] = set()
    keep = []
    for i in order.tolist():
        key = (int(pairs.case[i]), str(codes[pairs.row[i]]), _STATUS[kind[i]])
        if key not in seen:
            seen.add(key)
            keep.append(i)
    kept = np.asarray(keep, np.int64)
    made = pairs.take(kept)
    first = np.r_[True, made.case[1:] != made.case[:-1]] if len(made.case) else np.zeros(0, bool)
    usable = use[kept] != _UNUSABLE
    principal = first & usable
    # The next row says the same about itself: nothing but the order of recording tells them apart.
    second = np.flatnonzero(principal[:-1] & ~first[1:] & usable[1:])
    alike = np.all([s[kept][second] == s[kept][second + 1] for s in sorts], axis=0)
    many = made.case[second[alike]]
    if several == "none":
        principal[second[alike]] = False
    return made, principal, many


def _labels(
    pairs: _Pairs,
    principal: npt.NDArray[np.bool_],
    conditions: pa.Table,
    codes: npt.NDArray[np.object_],
    verified: npt.NDArray[np.object_],
) -> pa.Table:
    kind = verified[pairs.row]
    role = np.array([_ROLES.get(u, "secondary") for u in pairs.use], object)
    role[(kind == "refuted") | (kind == "differential")] = "differential"
    role[principal] = "principal"
    starts = (
        np.flatnonzero(np.r_[True, pairs.case[1:] != pairs.case[:-1]]) if len(pairs.case) else np.zeros(0, np.int64)
    )
    rank = np.arange(len(role)) - np.repeat(starts, np.diff(np.r_[starts, len(role)])) + 1
    return pa.table(
        {
            "diagnosis": pa.array(codes[pairs.row], pa.string()),
            "role": pa.array(role, pa.string()),
            "status": pa.array([_STATUS[k] for k in kind], pa.string()),
            "rank": pa.array(rank, pa.int64()),
            "time": as_times(ints(conditions, "known")[pairs.row]),
            "basis": pa.array(["administrative" if u == "billing" else None for u in pairs.use], pa.string()),
        }
    )


def _findings(pairs: _Pairs, conditions: pa.Table, cases: Cases, verified: npt.NDArray[np.object_]) -> pa.Table:
    rows = pa.array(pairs.row)
    onset, start = ints(conditions, "onset")[pairs.row], cases.start[pairs.case]
    dated = (onset != NEVER) & (start != NEVER)
    days = np.where(dated, start - onset, 0) / DAY
    known = ints(conditions, "known")[pairs.row]
    first = np.where(known == NEVER, NEVER, ints(conditions, "first")[pairs.row])
    return pa.table(
        {
            "code": conditions["code"].take(rows),
            "status": pa.array([_STATES[k] for k in verified[pairs.row]], pa.string()).dictionary_encode(),
            "time": as_times(first),
            "known": as_times(known_by(first, known, cases.end[pairs.case])),
            "onset_days": pa.array(days, mask=~dated),
            "onset_age_years": conditions["onset_age_years"].take(rows),
            "severity": conditions["severity"].take(rows),
            "phase": pa.repeat("history", len(rows)).dictionary_encode(),
        }
    )


def _reasons(
    wanting: npt.NDArray[np.bool_], diseases: _Pairs, symptoms: _Pairs, verified: npt.NDArray[np.object_], many: Ints
) -> dict[str, int]:
    """Why cases have no confirmed principal diagnosis."""
    kind = verified[diseases.row]
    only = np.full(len(wanting), "no Condition", object)
    only[symptoms.case] = "only findings or situations"
    only[diseases.case[kind == "refuted"]] = "only refuted diagnoses"
    only[diseases.case[(kind != "refuted") & (kind != "confirmed")]] = "no confirmed diagnosis"
    only[diseases.case[kind == "confirmed"]] = "only diagnoses in another role than the principal one"
    only[many] = "several diagnoses that nothing ranks"
    return dict(Counter(only[wanting].tolist()).most_common())
