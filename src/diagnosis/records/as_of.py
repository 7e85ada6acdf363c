"""What was known at a moment: everything later is set aside and counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError, nearest
from diagnosis.records.arrays import is_number
from diagnosis.records.coded import NO_TIME, moments
from diagnosis.records.schema import PHASES

__all__ = ["At", "Moment", "UnknownTime", "check_moment", "known_by"]

At = Literal["arrival", "index", "end"] | float
UnknownTime = Literal["keep", "drop"]
_COLUMN = {"arrival": "time", "index": "index_time", "end": "end_time"}
_HOUR = 3_600_000_000
# A hundred years and more.
_MOST_HOURS = 1_000_000
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment a set of records is seen as of, and what that set aside.

    Parameters
    ----------
    at : str
        ``arrival``, ``index``, ``end``, ``24 h``, or a phase.
    rows : int
        Findings before.
    later : int
        Findings set aside because they were known only later.
    untimed : int
        Findings that say neither when they were known nor, where a phase is asked for, in which phase (kept or dropped
        as `unknown_time` says).
    no_moment : int
        Cases that do not say when the moment is; nothing of theirs was set aside.
    unknown_time : {"keep", "drop"}
    """

    at: str
    rows: int
    later: int
    untimed: int
    no_moment: int
    unknown_time: UnknownTime

    def __str__(self) -> str:
        share = self.untimed / self.rows if self.rows else 0.0
        kept = "kept" if self.unknown_time == "keep" else "dropped"
        text = f"as of {self.at}: {self.later:,} later findings set aside; {share:.0%} without a time, {kept}"
        return f"{text}; {self.no_moment:,} cases do not say when that is" if self.no_moment else text


def known_by(
    findings: pa.Table,
    cases: pa.Table,
    case: npt.NDArray[np.int32],
    at: At | None,
    unknown_time: UnknownTime,
    phase: str | None,
) -> tuple[npt.NDArray[np.bool_], Moment]:
    """Say which findings were known by the moment.

    Parameters
    ----------
    at : {"arrival", "index", "end"} or float or None
        The start of the encounter, the moment a suggestion is asked for, its end, or hours after its start. A case
        without ``index_time`` is taken as of its end; one without an end has no moment and keeps everything.
    unknown_time : {"keep", "drop"}
        What becomes of findings without times.
    phase : str, optional
        Keep findings up to this phase, whatever their time; those without a phase and a time follow `unknown_time`.

    Returns
    -------
    keep : ndarray of bool, shape (n_findings,)
    Moment
    """
    check_moment(at, unknown_time, phase)
    n = len(findings)
    later, untimed, no_moment = np.zeros(n, bool), np.ones(n, bool), 0
    if at is not None:
        limit = _limits(cases, at)
        no_moment = int((limit == _NEVER).sum())
        when = moments(findings)
        untimed = when == NO_TIME
        later = (when > limit[case]) & ~untimed
    if phase is not None:
        place = _phase_place(findings)
        later |= place > PHASES.index(phase)
        untimed = untimed & (place < 0)
    keep = ~later if unknown_time == "keep" else ~later & ~untimed
    name = " and ".join(str(p) for p in (_name(at), phase) if p)
    return keep, Moment(name, n, int(later.sum()), int(untimed.sum()), no_moment, unknown_time)


def check_moment(at: At | None, unknown_time: str, phase: str | None) -> None:
    """Refuse a moment that `known_by` cannot take."""
    if unknown_time not in ("keep", "drop"):
        raise InputError("unknown_time is keep or drop", f"found {unknown_time!r}", "use one of the two")
    if phase is not None and phase not in PHASES:
        near = nearest(str(phase), PHASES)
        raise InputError(f"phase is one of {', '.join(PHASES)}", f"found {phase!r}", "use one of these", near=near)
    if isinstance(at, str) and at not in _COLUMN:
        raise InputError(
            "at is arrival, index, end, or a number of hours after arrival",
            f"found {at!r}",
            "use one of these",
            near=nearest(at, _COLUMN),
        )
    if at is None or isinstance(at, str):
        return
    if not is_number(at) or not abs(at) <= _MOST_HOURS:
        raise InputError(
            f"at as hours is a number between -{_MOST_HOURS:,} and {_MOST_HOURS:,}",
            f"found {at!r}",
            "give a number of hours",
        )


def _name(at: At | None) -> str | None:
    return at if at is None or isinstance(at, str) else f"{at:g} h"


def _limits(cases: pa.Table, at: At) -> npt.NDArray[np.int64]:
    """Microseconds of each case's moment; the largest integer where it has none."""
    if not isinstance(at, str):
        start = _times(cases, "time")
        return np.where(start == _NEVER, _NEVER, start + np.where(start == _NEVER, 0, np.int64(round(at * _HOUR))))
    limit = _times(cases, _COLUMN[at])
    return np.where(limit == _NEVER, _times(cases, "end_time"), limit) if at == "index" else limit


def _times(cases: pa.Table, name: str) -> npt.NDArray[np.int64]:
    if name not in cases.column_names:
        return np.full(len(cases), _NEVER)
    return np.asarray(pc.fill_null(cases[name].cast(pa.int64()), _NEVER))


def _phase_place(findings: pa.Table) -> npt.NDArray[np.int64]:
    if "phase" not in findings.column_names:
        return np.full(len(findings), -1)
    phases = findings["phase"].cast(pa.string())
    return np.asarray(pc.fill_null(pc.index_in(phases, pa.array(PHASES)), -1)).astype(np.int64)
