"""`Case` and `Finding`: one encounter by hand. Field names and meanings are the columns of format 1."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from diagnosis.errors import InputError, nearest
from diagnosis.records.layout import Column
from diagnosis.records.schema import TABLES

__all__ = ["Case", "Finding", "unnamed_number"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked, looked for or measured, and how it came out.

    Parameters
    ----------
    code : str
        What was looked for: ``"fever"``, ``"HP:0001945"``, ``"LOINC:8310-5"``.
    status : {"present", "absent", "uncertain"}
        *absent* is asked and denied, or looked for and not seen; *uncertain* is raised and not settled. What was not
        asked has no finding at all. With a `value`, *present* means *measured*.
    value : float, optional
        The number, in `unit`; a finding that is present with a NaN for a value is refused, as is infinity.
    unit : str, optional
        UCUM: ``"Cel"``, ``"mmol/L"``.
    time, known : datetime or str, optional
        When it was observed, and when the clinician could know; text is ISO 8601. NaN and NaT are missing.

    Every other parameter is the column of the same name of the `findings` table.

    Examples
    --------
    >>> Finding("fever", value=39.4, unit="Cel")
    Finding('fever', value=39.4, unit='Cel')
    >>> Finding("cough", "absent")
    Finding('cough', status='absent')
    """

    code: str
    status: str = "present"
    value: float | None = None
    comparator: str | None = None
    unit: str | None = None
    text: str | None = None
    time: datetime | str | None = None
    known: datetime | str | None = None
    onset_days: float | None = None
    onset_age_years: float | None = None
    duration_days: float | None = None
    phase: str | None = None
    elicited: str | None = None
    reporter: str | None = None
    subject: str | None = None
    severity: str | None = None
    laterality: str | None = None
    body_site: str | None = None
    modifiers: str | None = None
    ref_low: float | None = None
    ref_high: float | None = None
    interpretation: str | None = None
    specimen: str | None = None
    confidence: float | None = None
    note_id: str | None = None
    start: int | None = None
    end: int | None = None

    def __post_init__(self) -> None:
        _check_value(self.value, self.status)
        _normalise(self, "findings")
        if self.status is None:
            raise InputError("a finding with a status", "found none", "use present, absent or uncertain")
        if self.value is not None and self.status != "present":
            raise InputError(
                "a finding with a value is measured, so its status is present",
                "found another status beside a value",
                'leave the value out, or use status="present"',
            )

    def __repr__(self) -> str:
        return _paste(self, "code")


@dataclass(frozen=True, slots=True)
class Case:
    """One encounter by hand: who, when, and what was found.

    Parameters
    ----------
    findings : sequence of Finding
    age_years : float, optional
        Years, 0 to 130; `age_days` wins where both are given. Every number must lie where format 1 wants it.
    sex : {"female", "male", "other", "unknown"}, optional
    case_id : str
        A name for this case; it appears on the page. Several without one are numbered when they are asked about.

    Every other parameter is the column of the same name of the `cases` table.

    Examples
    --------
    >>> Case(age_years=4, sex="female", findings=[Finding("cough", status="absent")])
    Case(findings=(Finding('cough', status='absent'),), age_years=4, sex='female')
    """

    findings: Sequence[Finding] = ()
    age_years: float | None = None
    sex: str | None = None
    case_id: str = "case"
    patient_id: str | None = None
    age_days: float | None = None
    gestational_age_weeks: float | None = None
    birth_weight_g: float | None = None
    pregnant: str | None = None
    pregnancy_weeks: float | None = None
    site: str | None = None
    setting: str | None = None
    department: str | None = None
    visit: str | None = None
    informant: str | None = None
    time: datetime | str | None = None
    index_time: datetime | str | None = None
    end_time: datetime | str | None = None
    weight: float | None = None
    group: str | None = None
    diagnosis: str | None = None
    differential: Sequence[tuple[str, float]] | None = None
    triage_scheme: str | None = None
    triage_level: str | None = None
    disposition: str | None = None
    outcome: str | None = None
    outcome_time: datetime | str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.findings, str | Finding) or not all(isinstance(f, Finding) for f in self.findings):
            raise InputError("the findings of a case", "found something else", 'give a list: [Finding("cough"), ...]')
        object.__setattr__(self, "findings", tuple(self.findings))
        if self.differential is not None:
            pairs = self.differential.items() if isinstance(self.differential, Mapping) else self.differential
            object.__setattr__(self, "differential", tuple((str(d), float(p)) for d, p in pairs))
        _normalise(self, "cases")

    def __repr__(self) -> str:
        return _paste(self)


def _normalise(made: Case | Finding, table: str) -> None:
    """Bring every field to one form, so that equal things compare equal and a repr can be pasted.

    NaN and NaT are missing, numpy's numbers become Python's, times become `datetime` (in UTC where they name a zone).
    """
    for column in TABLES[table].columns.values():
        given = getattr(made, column.name, None)
        if given is None:
            continue
        found = given.item() if isinstance(given, np.generic) and not isinstance(given, np.datetime64) else given
        if _is_missing(found):
            found = None
        elif column.type == "time":
            found = _time(found, f"{type(made).__name__}.{column.name}")
        elif column.type in ("number", "integer") and table == "cases":
            _check_number(found, column)
        elif column.choices and found not in column.choices:
            raise InputError(
                f"{type(made).__name__}.{column.name} is one of {', '.join(column.choices)}",
                "found something else",
                "use one of these",
                near=nearest(str(found), column.choices),
            )
        if found is not given:
            object.__setattr__(made, column.name, found)


def _check_value(value: object, status: object) -> None:
    """Refuse what is no number, and what would make a measured finding one that is merely present."""
    if isinstance(value, str):
        raise InputError("the value of a finding is a number", "found text", "give words as text=, not as value=")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InputError("the value of a finding is a finite number", "found one of too many digits", "correct it")
    if isinstance(value, float | np.floating) and (np.isinf(value) or (np.isnan(value) and status == "present")):
        raise InputError(
            "the value of a finding is a finite number",
            f"found {float(value)}",
            "leave out a value that is not known; a finding that was not measured is left out altogether",
        )


def unnamed_number(case_id: str) -> int | None:
    """Return the number of a case that was given no name, 0 where it has none; None: it has a name of its own.

    Examples
    --------
    >>> unnamed_number("case"), unnamed_number("case 2"), unnamed_number("c2")
    (0, 2, None)
    """
    found = re.fullmatch(r"case(?: ([1-9][0-9]{0,8}))?", case_id)
    return None if found is None else int(found[1] or 0)


def _check_number(given: object, column: Column) -> None:
    """Refuse what is no number, or lies outside what format 1 wants of its column."""
    low, high = (end if end is None else float(end) for end in (column.low, column.high))
    ends = [f"{word} {end:g}" for word, end in (("from", low), ("to", high)) if end is not None]
    wanted = " ".join((f"Case.{column.name} is a finite number", *ends))
    if isinstance(given, bool) or not isinstance(given, Real | Decimal):
        raise InputError(wanted, f"found {type(given).__name__}", "give a number, or leave it out if it is not known")
    try:
        number = float(given)
    except OverflowError:  # a whole number of more than 308 digits
        number = math.inf
    if not math.isfinite(number) or (low is not None and number < low) or (high is not None and number > high):
        raise InputError(wanted, "found one outside", "correct it, or leave it out if it is not known")


def _is_missing(value: Any) -> bool:
    """Whether it is NaN, NaT or NA: the values that do not equal themselves."""
    try:
        return bool(value != value)
    except TypeError:  # pandas' NA is neither true nor false
        return True


def _time(given: object, name: str) -> datetime:
    try:
        if isinstance(given, np.datetime64):
            given = given.astype("datetime64[us]").item()
        elif isinstance(given, str):
            given = datetime.fromisoformat(given)
        elif hasattr(given, "to_pydatetime"):  # a pandas Timestamp
            given = given.to_pydatetime(warn=False)
        if isinstance(given, date) and not isinstance(given, datetime):
            given = datetime(given.year, given.month, given.day)
        if not isinstance(given, datetime):
            raise ValueError
        return given if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(
            f"{name} as a time", "found something else", 'give a datetime, or write it as "2024-06-30T08:00:00Z"'
        ) from None


def _paste(value: Any, *positional: str) -> str:
    """A repr that can be pasted and names only what was given."""
    parts = [repr(getattr(value, name)) for name in positional]
    for one in fields(value):
        found = getattr(value, one.name)
        if one.name not in positional and found != one.default:
            parts.append(f"{one.name}={(found.isoformat() if isinstance(found, datetime) else found)!r}")
    return f"{type(value).__name__}({', '.join(parts)})"
