"""Findings as plain arrays: codes as integers, one slice a case. What encoders and checks work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.schema import INTERPRETATIONS, STATES

__all__ = ["NO_TIME", "CodedFindings", "code_findings", "moments", "offsets_of"]

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
    )


def offsets_of(case: npt.NDArray[np.int32], n_cases: int) -> npt.NDArray[np.int64]:
    """Where each case's rows begin and end, of rows sorted by case; shape (n_cases + 1,)."""
    return np.concatenate([[0], np.cumsum(np.bincount(case, minlength=n_cases))]).astype(np.int64)


def moments(findings: pa.Table) -> npt.NDArray[np.int64]:
    """When each row was known: `known`, else `time`; microseconds since 1970, the smallest integer where neither is."""
    known, time = _ticks(findings, "known"), _ticks(findings, "time")
    if known is None or time is None:
        one = time if known is None else known
        return np.full(len(findings), NO_TIME) if one is None else one
    return np.where(known == NO_TIME, time, known)


def _ticks(findings: pa.Table, name: str) -> npt.NDArray[np.int64] | None:
    """A column of times as integers; None where no row has one."""
    if name not in findings.column_names or findings[name].null_count == len(findings):
        return None
    return np.asarray(pc.fill_null(findings[name].cast(pa.int64()), NO_TIME))


def _coded(findings: pa.Table, name: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.object_]]:
    if name not in findings.column_names:
        return np.full(len(findings), -1, np.int32), np.zeros(0, object)
    column = findings[name].combine_chunks()
    indices = np.asarray(pc.fill_null(column.indices, -1)).astype(np.int32)
    return indices, np.asarray(column.dictionary.to_pylist(), dtype=object)


def _patient_is_none(subject: npt.NDArray[np.int32], subjects: npt.NDArray[np.object_]) -> npt.NDArray[np.int32]:
    patient = np.flatnonzero(subjects == "patient")
    return np.where(np.isin(subject, patient), np.int32(-1), subject)


def _number(findings: pa.Table, name: str, n: int) -> npt.NDArray[np.float64]:
    if name not in findings.column_names:
        return np.full(n, np.nan)
    return np.asarray(pc.fill_null(findings[name].cast(pa.float64()), float("nan")))


def _choice(findings: pa.Table, name: str, choices: tuple[str, ...], n: int) -> npt.NDArray[np.int8]:
    indices, words = _coded(findings, name)
    if not len(words):
        return np.full(n, -1, np.int8)
    place = {w: i for i, w in enumerate(choices)}
    return np.append([place[w] for w in words], -1).astype(np.int8)[indices]


def _latest(
    case: npt.NDArray[np.int32],
    code: npt.NDArray[np.int32],
    subject: npt.NDArray[np.int32],
    n_codes: int,
    n_subjects: int,
    findings: pa.Table,
) -> npt.NDArray[np.bool_]:
    """Mark the last known row of each (case, code, subject); of those known together the last observed, then the last.

    Only rows whose (case, code, subject) stands more than once are put in order by time.
    """
    keys = (case.astype(np.int64) * max(n_codes, 1) + code) * (n_subjects + 1) + subject + 1
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    marked = np.ones(len(keys), bool)
    if not same.any():
        return marked
    repeated = np.zeros(len(keys), bool)
    repeated[order[1:][same]] = repeated[order[:-1][same]] = True
    rows = np.flatnonzero(repeated)
    clocks = [c for c in ("known", "time") if c in findings.column_names]
    if clocks:
        some = findings.select(clocks).take(pa.array(rows))
        observed = _ticks(some, "time")
        rows = rows[np.lexsort((np.zeros(len(rows)) if observed is None else observed, moments(some), keys[rows]))]
    else:
        rows = rows[np.argsort(keys[rows], kind="stable")]
    marked[rows[:-1]] = keys[rows[1:]] != keys[rows[:-1]]
    return marked
