"""Findings as plain arrays: codes as integers, one slice a case. What encoders and checks work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.schema import INTERPRETATIONS, STATES

__all__ = [
    *("NO_TIME", "CodedFindings", "blank", "clocks_of", "code_findings", "is_blank", "moments", "offsets_of"),
    "words_of_rows",
]

#: Stands for no time among microseconds since 1970.
NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True, eq=False)
class CodedFindings:
    """One row a finding, sorted by case; inside a case as they came.

    Parameters
    ----------
    offsets : ndarray of int64, shape (n_cases + 1,)
        Case ``i`` holds rows ``offsets[i]:offsets[i + 1]``.
    case : ndarray of int32, shape (n_rows,)
        Position of the row's case.
    code, unit, text, subject : ndarray of int32, shape (n_rows,)
        Indices into `codes`, `units`, `texts`, `subjects`; -1 for missing (for `subject`: the patient).
    codes, units, texts, subjects : ndarray of object
        The words; `codes` may hold some that no row uses.
    status : ndarray of int8, shape (n_rows,)
        0 present, 1 absent, 2 uncertain.
    value, ref_low, ref_high : ndarray of float64, shape (n_rows,)
        NaN where missing; in the row's own unit.
    interpretation : ndarray of int8, shape (n_rows,)
        Index into L LL H HH N A POS NEG; -1 for missing.
    onset : ndarray of float64, shape (n_rows,)
        Days before the start of the case; NaN where missing.
    latest : ndarray of bool, shape (n_rows,)
        The row that counts for its (case, code, subject): the last one known, of those known together the last one
        observed; of rows without times, the last row.
    """

    offsets: npt.NDArray[np.int64]
    case: npt.NDArray[np.int32]
    code: npt.NDArray[np.int32]
    codes: npt.NDArray[np.object_]
    status: npt.NDArray[np.int8]
    value: npt.NDArray[np.float64]
    unit: npt.NDArray[np.int32]
    units: npt.NDArray[np.object_]
    text: npt.NDArray[np.int32]
    texts: npt.NDArray[np.object_]
    subject: npt.NDArray[np.int32]
    subjects: npt.NDArray[np.object_]
    latest: npt.NDArray[np.bool_]
    ref_low: npt.NDArray[np.float64]
    ref_high: npt.NDArray[np.float64]
    interpretation: npt.NDArray[np.int8]
    onset: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.code)

    @property
    def n_cases(self) -> int:
        """Number of cases, with and without findings."""
        return len(self.offsets) - 1


def code_findings(findings: pa.Table, case: npt.NDArray[np.int32], n_cases: int) -> CodedFindings:
    """Code a findings table whose rows are sorted by `case`."""
    n = len(findings)
    code, codes = _coded(findings, "code")
    unit, units = _coded(findings, "unit")
    text, texts = _coded(findings, "text")
    subject, subjects = _coded(findings, "subject")
    subject = _patient_is_none(subject, subjects)
    return CodedFindings(
        offsets=offsets_of(case, n_cases),
        case=case,
        code=code,
        codes=codes,
        status=_choice(findings, "status", STATES, n),
        value=_number(findings, "value", n),
        unit=unit,
        units=units,
        text=text,
        texts=texts,
        subject=subject,
        subjects=subjects,
        latest=_latest(case, code, subject, len(codes), len(subjects), findings),
        ref_low=_number(findings, "ref_low", n),
        ref_high=_number(findings, "ref_high", n),
        interpretation=_choice(findings, "interpretation", INTERPRETATIONS, n),
        onset=_number(findings, "onset_days", n),
    )


def offsets_of(case: npt.NDArray[np.int32], n_cases: int) -> npt.NDArray[np.int64]:
    """Where each case's rows begin and end, of rows sorted by case; shape (n_cases + 1,)."""
    return np.searchsorted(case, np.arange(n_cases + 1, dtype=np.int32)).astype(np.int64)


def moments(findings: pa.Table) -> npt.NDArray[np.int64]:
    """When each row was known: `known`, else `time`; microseconds since 1970, the smallest integer where neither is."""
    known, time = _ticks(findings, "known"), _ticks(findings, "time")
    if known is None or time is None:
        one = time if known is None else known
        return np.full(len(findings), NO_TIME) if one is None else one
    return np.where(known == NO_TIME, time, known)


def clocks_of(findings: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """When each row was known (as `moments`), and when it was observed: `time`, else `known`."""
    known, time = moments(findings), _ticks(findings, "time")
    return known, known if time is None else np.where(time == NO_TIME, known, time)


def blank(value: np.generic, n: int) -> npt.NDArray[Any]:
    """A column in which every row is the same, held once; read-only."""
    return np.broadcast_to(value, (n,))


def is_blank(column: npt.NDArray[Any]) -> bool:
    """Whether a column was made by `blank` (or cut out of one), so that its first row tells them all."""
    return column.strides == (0,) or not len(column)


def repeated(keys: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Rows whose key, not negative, stands more than once, by key and then in their order.

    Numbers are sorted an order of magnitude faster than their order is found, so the row is put into the number.
    """
    ordered = np.sort(keys)
    if not (ordered[1:] == ordered[:-1]).any():
        return np.zeros(0, np.int64)
    bits = len(keys).bit_length()
    if int(ordered[-1]).bit_length() + bits > 63:
        rows = np.argsort(keys, kind="stable")
        same = keys[rows][1:] == keys[rows][:-1]
    else:
        packed = keys.astype(np.int64)
        packed <<= bits
        packed |= np.arange(len(keys))
        packed.sort()
        rows = packed & ((1 << bits) - 1)
        packed >>= bits
        same = packed[1:] == packed[:-1]
    return rows[np.append(same, False) | np.append(False, same)]


def _ticks(findings: pa.Table, name: str) -> npt.NDArray[np.int64] | None:
    """A column of times as integers; None where no row has one."""
    if name not in findings.column_names or findings[name].null_count == len(findings):
        return None
    ticks = findings[name].cast(pa.int64())
    return np.asarray(pc.fill_null(ticks, NO_TIME) if ticks.null_count else ticks)


def words_of_rows(
    table: pa.Table, name: str, rows: npt.NDArray[np.integer] | None = None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.object_]]:
    """Place of each row's word among the distinct ones, -1 where there is none, and those; of all rows or some."""
    if rows is None:
        return _coded(table, name)
    if name not in table.column_names:
        return np.full(len(rows), -1, np.int32), np.zeros(0, object)
    return _coded(table.select([name]).take(pa.array(rows)), name)


def _coded(findings: pa.Table, name: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.object_]]:
    if name not in findings.column_names:
        return blank(np.int32(-1), len(findings)), np.zeros(0, object)
    column = findings[name].combine_chunks()
    words = np.asarray(column.dictionary.to_pylist(), dtype=object)
    if column.null_count == len(column):
        return blank(np.int32(-1), len(column)), words
    indices = column.indices if column.null_count == 0 else pc.fill_null(column.indices, -1)
    return np.asarray(indices).astype(np.int32, copy=False), words


def _patient_is_none(subject: npt.NDArray[np.int32], subjects: npt.NDArray[np.object_]) -> npt.NDArray[np.int32]:
    if is_blank(subject) or not (subjects == "patient").any():
        return subject
    number = np.where(subjects == "patient", -1, np.arange(len(subjects)))
    return np.append(number, -1).astype(np.int32)[subject]


def _number(findings: pa.Table, name: str, n: int) -> npt.NDArray[np.float64]:
    if name not in findings.column_names or findings[name].null_count == n:
        return blank(np.float64(np.nan), n)
    return np.asarray(pc.fill_null(findings[name].cast(pa.float64()), float("nan")))


def _choice(findings: pa.Table, name: str, choices: tuple[str, ...], n: int) -> npt.NDArray[np.int8]:
    indices, words = _coded(findings, name)
    if is_blank(indices):
        return blank(np.int8(-1), n)
    place = {w: i for i, w in enumerate(choices)}
    return np.take(np.append([place[w] for w in words], -1).astype(np.int8), indices)


def _latest(
    case: npt.NDArray[np.int32],
    code: npt.NDArray[np.int32],
    subject: npt.NDArray[np.int32],
    n_codes: int,
    n_subjects: int,
    findings: pa.Table,
) -> npt.NDArray[np.bool_]:
    """Mark the last known row of each (case, code, subject); of those known together the last observed, then the last.

    Only rows whose (case, code, subject) stands more than once are looked at by time.
    """
    n_subjects = 0 if is_blank(subject) else n_subjects
    most = (int(case[-1]) + 1 if len(case) else 1) * max(n_codes, 1) * (n_subjects + 1)
    keys: npt.NDArray[Any] = case.astype(np.uint32 if most < 1 << 32 else np.int64)
    keys *= keys.dtype.type(max(n_codes, 1))
    keys += code.view(np.uint32) if keys.dtype == np.uint32 else code
    if n_subjects:
        keys = keys * keys.dtype.type(n_subjects + 1) + (subject + 1).astype(keys.dtype)
    rows = repeated(keys)
    if not len(rows):
        return blank(np.True_, len(keys))
    again = keys[rows]
    starts = np.flatnonzero(np.concatenate([[True], again[1:] != again[:-1]]))
    marked = np.ones(len(keys), bool)
    marked[rows] = False
    marked[rows[_last_of_each(starts, findings, rows)]] = True
    return marked


def _last_of_each(starts: npt.NDArray[np.int64], findings: pa.Table, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Of rows that stand side by side, cut at `starts`, the last known; of those the last observed, then the last."""
    lengths = np.diff(starts, append=len(rows))
    clocks = {"known", "time"} & set(findings.column_names)
    if not clocks:
        return starts + lengths - 1
    known = moments(findings)[rows]
    best = known == np.repeat(np.maximum.reduceat(known, starts), lengths)
    observed = _ticks(findings, "time") if "known" in clocks else None
    if observed is not None:
        seen = np.where(best, observed[rows], NO_TIME)
        best &= seen == np.repeat(np.maximum.reduceat(seen, starts), lengths)
    return np.maximum.reduceat(np.where(best, np.arange(len(rows)), -1), starts)
