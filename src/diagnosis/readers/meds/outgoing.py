"""Rows of records -> events of MEDS: their subject, time and code, and everything else beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.readers.meds.layout import CASE, ROW, TABLE, column_of
from diagnosis.records import Records

__all__ = ["Outgoing", "events_of_cases", "events_of_table"]

_YEAR = 365.25 * 86_400_000_000
_SEX = {"female": "SEX//FEMALE", "male": "SEX//MALE", "other": "SEX//OTHER", "unknown": "SEX//UNKNOWN"}
_KINDS = {"procedure": "PROCEDURE", "medication": "MEDICATION"}
_DEAD = ("deceased", "dead", "death", "died")
_MOST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """Events, and what their codes are called: description and the code above."""

    events: pa.Table
    codes: dict[str, tuple[str, str | None]]


def events_of_table(records: Records, name: str, subject: npt.NDArray[np.int64]) -> Outgoing:
    """Events of the findings, labels or actions.

    Parameters
    ----------
    records : Records
    name : str
    subject : ndarray of int64, shape (n_cases,)
        Number of each case's patient.
    """
    table = records.arrow(name)
    case = pc.index_in(table["case_id"].combine_chunks(), pa.array(records.case_ids, pa.string()))
    whose = pa.array(subject).take(case)
    codes, names = _CODES[name](records, table)
    made: dict[str, Any] = {"subject_id": whose, "time": _time(table), "code": codes}
    if "value" in table.column_names and name == "findings":
        made["numeric_value"] = _narrow(table["value"].combine_chunks())
    made |= {TABLE: pa.repeat(name, len(table)).cast(pa.string()), ROW: pa.array(np.arange(len(table)))}
    for column in table.column_names:
        target = column_of(name, column)
        if target != "time":
            made[target] = _plain(table[column])
    return Outgoing(pa.table(made), names)


def _time(table: pa.Table) -> pa.Array:
    """Times in UTC, without naming the zone, as MEDS has them."""
    if "time" not in table.column_names:
        return pa.nulls(len(table), pa.timestamp("us"))
    return table["time"].combine_chunks().cast(pa.timestamp("us"))


def _narrow(values: pa.Array) -> pa.Array:
    """Values in 32 bits; none where they do not fit."""
    fits = pc.less_equal(pc.abs(values), _MOST)
    return pc.if_else(fits, values, pa.scalar(None, pa.float64())).cast(pa.float32(), safe=False)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def _coded(table: pa.Table, columns: tuple[str, ...]) -> tuple[npt.NDArray[np.int64], list[tuple[str | None, ...]]]:
    """Number of each row's combination of texts, and the combinations: few, however many rows there are."""
    numbers = np.zeros(len(table), np.int64)
    words: list[list[str | None]] = []
    for name in columns:
        column = table[name].combine_chunks() if name in table.column_names else pa.nulls(len(table), pa.string())
        coded = column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
        words.append([*coded.dictionary.to_pylist(), None])
        index = np.asarray(pc.fill_null(coded.indices.cast(pa.int64()), len(coded.dictionary)))
        numbers = numbers * len(words[-1]) + index
    distinct, inverse = np.unique(numbers, return_inverse=True)
    made = []
    for number in distinct.tolist():
        picked: list[str | None] = []
        for listed in reversed(words):
            number, place = divmod(number, len(listed))
            picked.append(listed[place])
        made.append(tuple(reversed(picked)))
    return inverse, made


def _finding_codes(records: Records, table: pa.Table) -> tuple[pa.Array, dict[str, tuple[str, str | None]]]:
    rows, combinations = _coded(table, ("code", "status", "subject"))
    codes, names = [], {}
    for code, status, subject in combinations:
        whose = f"{subject.upper()}//" if subject and subject != "patient" else ""
        state = f"//{status.upper()}" if status and status != "present" else ""
        full = f"{whose}{code}{state}"
        name = ", ".join(part for part in (subject if whose else "", status if state else "") if part)
        called = records.vocabulary.name(str(code))
        names[full] = (f"{called} ({name})" if name else called, code if name else None)
        codes.append(full)
    return pa.array(codes, pa.string()).take(pa.array(rows)), names


def _label_codes(records: Records, table: pa.Table) -> tuple[pa.Array, dict[str, tuple[str, str | None]]]:
    rows, combinations = _coded(table, ("diagnosis", "status"))
    codes, names = [], {}
    for code, status in combinations:
        # A judgement that is not confirmed must not fit the patterns by which others find diagnoses.
        settled = status == "confirmed"
        full = f"DIAGNOSIS//{code}" if settled else f"JUDGEMENT//{code}//{(status or 'unknown').upper()}"
        called = records.vocabulary.diagnosis_name(str(code))
        names[full] = (called if settled else f"{called} ({status or 'unknown'})", code)
        codes.append(full)
    return pa.array(codes, pa.string()).take(pa.array(rows)), names


def _action_codes(_: Records, table: pa.Table) -> tuple[pa.Array, dict[str, tuple[str, str | None]]]:
    rows, combinations = _coded(table, ("kind", "code"))
    codes = [f"{_KINDS.get(kind or '', 'ACTION')}//{code or 'UNKNOWN'}" for kind, code in combinations]
    names = {full: (code or "unknown", code) for full, (_, code) in zip(codes, combinations, strict=True)}
    return pa.array(codes, pa.string()).take(pa.array(rows)), names


_CODES = {"findings": _finding_codes, "labels": _label_codes, "actions": _action_codes}


def events_of_cases(records: Records, subject: npt.NDArray[np.int64]) -> Outgoing:
    """Events that other readers of MEDS look for: encounters, sex, birth, death and the principal diagnosis."""
    n = len(records)
    start, end, died = (_micro(records.column(name)) for name in ("time", "end_time", "outcome_time"))
    none = np.isnat(start)
    made = [_some(~none, start, "ENCOUNTER//START"), _some(~np.isnat(end), end, "ENCOUNTER//END")]
    sexes = records.column("sex")
    for sex, code in _SEX.items():
        made.append(_some((sexes == sex) & _first_of(subject, sexes == sex), np.full(n, "NaT", "M8[us]"), code))
    years = np.where(np.isnan(days := records.column("age_days")), records.column("age_years"), days / 365.25)
    aged = ~none & ~np.isnan(years)
    born = start - (np.where(aged, years, 0) * _YEAR).astype("m8[us]")
    made.append(_some(aged & _first_of(subject, aged), born, "MEDS_BIRTH"))
    dead = np.isin(records.column("outcome").astype(str), _DEAD) & ~np.isnat(died)
    made.append(_some(dead & _first_of(subject, dead), died, "MEDS_DEATH"))
    diagnoses = records.column("diagnosis")
    judged = np.flatnonzero(diagnoses != None)  # noqa: E711 - elementwise on an object array
    rows = np.concatenate([*(rows for rows, _, _ in made), judged])
    times = [*(times for _, times, _ in made), np.where(np.isnat(end), start, end)[judged]]
    codes = [code for picked, _, code in made for _ in range(len(picked))]
    codes += [f"DIAGNOSIS//{d}" for d in diagnoses[judged]]
    names: dict[str, tuple[str, str | None]] = {code: (code, None) for _, _, code in made}
    names |= {f"DIAGNOSIS//{d}": (records.vocabulary.diagnosis_name(d), d) for d in set(diagnoses[judged])}
    used = set(codes)
    events = {
        "subject_id": pa.array(subject[rows]),
        "time": pa.array(np.concatenate(times), pa.timestamp("us")),
        "code": pa.array(codes, pa.string()),
        CASE: pa.array(records.case_ids, pa.string()).take(pa.array(rows)),
        TABLE: pa.repeat("cases", len(rows)).cast(pa.string()),
        ROW: pa.array(rows),
    }
    return Outgoing(pa.table(events), {code: name for code, name in names.items() if code in used})


def _some(mask: Any, times: Any, code: str) -> tuple[npt.NDArray[np.int64], Any, str]:
    """Cases that a mask picks, their times, and the code of the event."""
    rows = np.flatnonzero(mask)
    return rows, times[rows], code


def _micro(times: Any) -> Any:
    return times.astype("M8[us]")


def _first_of(subject: npt.NDArray[np.int64], mask: Any) -> npt.NDArray[np.bool_]:
    """The first case of each subject among those that a mask picks."""
    first = np.zeros(len(subject), bool)
    rows = np.flatnonzero(mask)
    first[rows[np.unique(subject[rows], return_index=True)[1]]] = True
    return first
