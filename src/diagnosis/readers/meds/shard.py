"""The events of one shard -> rows of cases, findings, labels, actions and notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.readers.meds.account import Account, Fate
from diagnosis.readers.meds.codes import Kind, Kinds, sex_of, unit_in_code
from diagnosis.readers.meds.events import NEVER, Events, Ints
from diagnosis.readers.meds.windows import Cases, Pairs, Window, cases_of, next_of, pairs_in, static_pairs

__all__ = ["Several", "rows_of_shard"]

Several = Literal["first", "none"]

_YEAR = 365.25 * 86_400_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Shard:
    events: Events
    kind: npt.NDArray[np.int8]
    cases: Cases
    ids: pa.Array
    last: bool

    def rows(self, *kinds: Kind) -> Ints:
        """Positions of the events of some kinds."""
        return np.flatnonzero(np.isin(self.kind, kinds))

    def timed(self, kind: Kind) -> Ints:
        """Positions of the events of a kind that have a time."""
        return np.flatnonzero((self.kind == kind) & (self.events.time != NEVER))


def rows_of_shard(
    events: Events, kinds: Kinds, *, last: bool, window: Window, several: Several, account: Account
) -> dict[str, pa.Table]:
    """Tables of one shard.

    Parameters
    ----------
    events : Events
    kinds : Kinds
    last : bool
        Whether the index event is each subject's last one.
    window : Window
    several : {"first", "none"}
    account : Account
        Receives the fate of every event.
    """
    of_code, is_index = kinds.of(events.codes)
    kind = of_code[events.code] if len(events) else np.zeros(0, np.int8)
    cases = cases_of(events, kind, None if last else is_index[events.code] if len(events) else np.zeros(0, bool))
    shard = _Shard(events, kind, cases, _case_ids(cases, last), last)
    low = _minus(cases.index, window.before)
    seen = pairs_in(events, cases, shard.rows(Kind.FINDING), low, _plus(cases.index, window.after))
    found = _with_static(static_pairs(cases, shard.rows(Kind.FINDING)), seen)
    left = next_of(shard.timed(Kind.DISCHARGE), cases.here, cases.last)
    until = np.maximum(np.minimum(_until(shard, left, window), cases.next - 1), cases.index)
    labels = pairs_in(events, cases, shard.rows(Kind.DIAGNOSIS), low, until)
    acts = pairs_in(events, cases, shard.rows(Kind.PROCEDURE, Kind.MEDICATION), low, until)
    left = np.where(_at(events.time, left) <= until, left, -1)
    made = {
        "cases": _cases(shard, seen, left, account),
        "findings": _finding_rows(shard, found),
        "labels": _label_rows(shard, labels, several),
        "actions": _action_rows(shard, acts),
        "notes": _note_rows(shard, found),
    }
    _settle(shard, found, labels, acts, account)
    return {name: table for name, table in made.items() if name in ("cases", "findings") or len(table)}


def _until(shard: _Shard, left: Ints, window: Window) -> Ints:
    """When the judgements of each case end: after the stated hours, else with its discharge, else never."""
    if window.judged is not None:
        return _plus(shard.cases.index, window.judged)
    return np.where(left < 0, np.iinfo(np.int64).max, _at(shard.events.time, left))


def _minus(time: Ints, span: int) -> Ints:
    return np.where(time < NEVER + 1 + span, NEVER + 1, time - np.int64(span))


def _plus(time: Ints, span: int) -> Ints:
    most = np.iinfo(np.int64).max
    return np.where(time > most - span, most, time + np.int64(span))


def _case_ids(cases: Cases, last: bool) -> pa.Array:
    subject = pa.array(cases.subject).cast(pa.string())
    if last:
        return subject
    parts = zip(subject.to_pylist(), cases.nth.tolist(), strict=True)
    return pa.array([f"{s}-{n}" for s, n in parts], pa.string())


def _with_static(static: Pairs, seen: Pairs) -> Pairs:
    """Findings of each case: those that always hold first, then by time."""
    case, row = np.r_[static.case, seen.case], np.r_[static.row, seen.row]
    order = np.lexsort((row, case))
    return Pairs(case[order], row[order])


def _at(times: Ints, rows: Ints) -> Ints:
    return np.where(rows >= 0, times[rows] if len(times) else NEVER, NEVER)


def _stamps(times: Ints) -> pa.Array:
    return pa.array(np.where(times == NEVER, 0, times), pa.timestamp("us"), mask=times == NEVER)


def _cases(shard: _Shard, seen: Pairs, left: Ints, account: Account) -> pa.Table:
    events, cases = shard.events, shard.cases
    birth = _at(events.time, next_of(shard.timed(Kind.BIRTH), cases.first, cases.last))
    died = _at(events.time, next_of(shard.timed(Kind.DEATH), cases.here, cases.last))
    years = (cases.index - birth) / _YEAR
    unborn = (birth != NEVER) & (years < 0)
    account.odd["cases are indexed before the birth of their subject: no age"] += int(unborn.sum())
    first = cases.index.copy()
    np.minimum.at(first, seen.case, events.time[seen.row])
    made = {
        "case_id": shard.ids,
        "patient_id": pa.array(cases.subject).cast(pa.string()),
        "age_years": pa.array(years, mask=(birth == NEVER) | unborn),
        "sex": _sexes(shard, account),
        "time": _stamps(first if shard.last else cases.index),
        "index_time": _stamps(cases.index),
        "end_time": _stamps(_at(events.time, left)),
        "disposition": _dispositions(events, left),
        "outcome": pa.array(np.where(died != NEVER, "deceased", ""), pa.string(), mask=died == NEVER),
        "outcome_time": _stamps(died),
    }
    return pa.table(made)


def _sexes(shard: _Shard, account: Account) -> pa.Array:
    """Sex of each case's subject; none where two events disagree."""
    words = ("female", "male", "other", "unknown")
    of_code = np.array([words.index(s) if (s := sex_of(c)) else -1 for c in shard.events.codes], np.int64)
    mine = static_pairs(shard.cases, shard.rows(Kind.SEX))
    said = of_code[shard.events.code[mine.row]] if len(mine.row) else np.zeros(0, np.int64)
    account.odd["codes of sex are not understood"] += int((said < 0).sum())
    mine, said = mine.where(said >= 0), said[said >= 0]
    low, high = np.full(len(shard.cases), len(words)), np.full(len(shard.cases), -1)
    np.minimum.at(low, mine.case, said)
    np.maximum.at(high, mine.case, said)
    account.odd["cases have two sexes: none is taken"] += int(((low != high) & (high >= 0)).sum())
    known = low == high
    return pa.DictionaryArray.from_arrays(pa.array(np.where(known, low, 0), mask=~known), pa.array(words)).cast(
        pa.string()
    )


def _dispositions(events: Events, rows: Ints) -> pa.Array:
    names = [code.split("//", 1)[1] if "//" in code else code for code in events.codes]
    picked = events.code[rows] if len(events) else np.zeros(len(rows), np.int32)
    return pa.array(
        [names[c] if r >= 0 else None for c, r in zip(picked.tolist(), rows.tolist(), strict=True)], pa.string()
    )


def _codes(events: Events, rows: Ints) -> pa.Array:
    """Codes of events, with a dictionary of those that occur: another would name diagnoses among the findings."""
    used, index = np.unique(events.code[rows], return_inverse=True)
    words = pa.array(events.codes, pa.string()).take(pa.array(used))
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), words)


def _finding_rows(shard: _Shard, found: Pairs) -> pa.Table:
    events = shard.events
    picked = pa.array(found.row)
    made = {
        "case_id": shard.ids.take(pa.array(found.case)),
        "code": _codes(events, found.row),
        "status": pa.repeat("present", len(found.row)).dictionary_encode(),
        "time": _stamps(events.time[found.row]),
    }
    for name in ("value", "text", "unit"):
        if name in events.rows.column_names:
            made[name] = events.rows[name].take(picked).combine_chunks()
    units = [unit_in_code(code) for code in events.codes]
    if any(units) and "unit" not in made:
        of_code = pa.array(units, pa.string()).dictionary_encode()
        valued = made["value"].is_valid() if "value" in made else pa.array(np.zeros(len(found.row), bool))
        unit = of_code.take(pa.array(events.code[found.row]))
        made["unit"] = pa.compute.if_else(
            valued, unit.cast(pa.string()), pa.scalar(None, pa.string())
        ).dictionary_encode()
    return pa.table(made)


def _label_rows(shard: _Shard, pairs: Pairs, several: Several) -> pa.Table:
    """Each diagnosis of a case once: at or after the index event its own, before it a comorbidity."""
    events, cases = shard.events, shard.cases
    code = events.code[pairs.row].astype(np.int64)
    time = events.time[pairs.row]
    current = (time >= cases.index[pairs.case]) | shard.last
    order = np.lexsort((np.arange(len(code)), ~current, code, pairs.case))
    again = (np.diff(pairs.case[order]) == 0) & (np.diff(code[order]) == 0)
    keep = np.sort(order[np.r_[True, ~again]]) if len(order) else order
    case, code, time, current = pairs.case[keep], code[keep], time[keep], current[keep]
    mine = np.flatnonzero(current)
    leads = mine[np.r_[True, case[mine][1:] != case[mine][:-1]]] if len(mine) else mine
    if several == "none":
        leads = leads[np.bincount(case[mine], minlength=len(cases))[case[leads]] == 1]
    role = np.where(current, 1, 2)
    role[leads] = 0
    words = pa.array(["principal", "secondary", "comorbidity"])
    return pa.table(
        {
            "case_id": shard.ids.take(pa.array(case)),
            "diagnosis": pa.array(events.codes, pa.string()).take(pa.array(code)),
            "role": words.take(pa.array(role)),
            "status": pa.repeat("confirmed", len(case)),
            "time": _stamps(time),
            "basis": pa.repeat("administrative", len(case)),
        }
    )


def _action_rows(shard: _Shard, pairs: Pairs) -> pa.Table:
    events = shard.events
    kind = np.where(shard.kind[pairs.row] == Kind.PROCEDURE, 0, 1)
    made = {
        "case_id": shard.ids.take(pa.array(pairs.case)),
        "kind": pa.array(["procedure", "medication"]).take(pa.array(kind)),
        "code": _codes(events, pairs.row).cast(pa.string()),
        "time": _stamps(events.time[pairs.row]),
    }
    if "value" in events.rows.column_names:
        made["dose"] = events.rows["value"].take(pa.array(pairs.row)).combine_chunks()
    if "unit" in events.rows.column_names:
        made["unit"] = events.rows["unit"].take(pa.array(pairs.row)).combine_chunks().cast(pa.string())
    return pa.table(made)


def _note_rows(shard: _Shard, found: Pairs) -> pa.Table:
    """Texts too long to be one of a finding's values."""
    if "note" not in shard.events.rows.column_names:
        return pa.table({"case_id": pa.array([], pa.string())})
    text = shard.events.rows["note"].take(pa.array(found.row)).combine_chunks()
    has = np.asarray(text.is_valid())
    row, case = found.row[has], found.case[has]
    return pa.table(
        {
            "case_id": shard.ids.take(pa.array(case)),
            "kind": _codes(shard.events, row).cast(pa.string()),
            "time": _stamps(shard.events.time[row]),
            "text": text.filter(pa.array(has)),
        }
    )


def _settle(shard: _Shard, found: Pairs, labels: Pairs, acts: Pairs, account: Account) -> None:
    """Give every event its fate."""
    events, kind = shard.events, shard.kind
    fate = np.full(len(events), Fate.OUTSIDE, np.int8)
    fate[np.isin(kind, (Kind.DIAGNOSIS, Kind.PROCEDURE, Kind.MEDICATION)) & (events.time == NEVER)] = Fate.UNPLACED
    fate[kind == Kind.ADMINISTRATIVE] = Fate.ADMINISTRATIVE
    fate[np.isin(kind, (Kind.BIRTH, Kind.DEATH, Kind.SEX, Kind.DISCHARGE))] = Fate.CONTEXT
    fate[~np.isin(events.subject, shard.cases.subject)] = Fate.NO_INDEX
    for rows, what in ((found.row, Fate.FINDING), (labels.row, Fate.LABEL), (acts.row, Fate.ACTION)):
        fate[rows] = what
    values, counts = np.unique(fate, return_counts=True)
    account.fates.update({Fate(v): int(c) for v, c in zip(values.tolist(), counts.tolist(), strict=True)})
