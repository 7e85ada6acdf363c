"""A case without what could tell who it is: for a remote expert, with a list of what left."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError
from diagnosis.records import Records
from diagnosis.records.schema import TABLES
from diagnosis.review.short_texts import LONGEST, ShortTexts

__all__ = ["OLDEST", "deidentified"]

#: Ages above this are pooled into one (45 CFR 164.514(b)(2)(i)(C), the "safe harbor" of HIPAA).
OLDEST = 89
_POOLED = 90.0
# The case begins here; all other moments keep their distance to it.
_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
# Of the case, what a colleague needs to judge it; everything else stays behind.
_CASE = (
    *("case_id", "age_years", "age_days", "gestational_age_weeks", "birth_weight_g", "sex", "pregnant"),
    *("pregnancy_weeks", "setting", "visit", "time", "index_time"),
)
_NOT_OF_FINDINGS = ("note_id", "start", "end")
# Of the columns with texts, those where no sentence belongs.
_FREE = {"text": False, "modifiers": True, "laterality": True, "body_site": True, "specimen": True}
_IDS = ("case_id", "patient_id", "site")
_OLDEST_DAYS = OLDEST * 365.25
_TABLES: Mapping[str, str] = MappingProxyType(
    {
        "labels": "judgements, the diagnosis among them",
        "acuity": "triage levels",
        "actions": "treatments and orders",
        "notes": "free text",
        "sites": "about the site",
    }
)


def deidentified(records: Records, *, texts: Collection[str] = ()) -> tuple[Records, tuple[str, ...]]:
    """Return one case without ids, dates, place, free text and outcome, and what was taken out, in words.

    Dates become distances: the case begins on 2000-01-01 and every other moment keeps its distance to it. Ages over 89
    become 90, and so do ages at onset; what began or lasted longer than that loses its length. A text of a finding
    stays where it is a word of the vocabulary, one of `texts`, a measurement or a code; any other may hold a name, and
    leaves. So does a finding whose code is itself such a text. The vocabulary stays.

    Parameters
    ----------
    records : Records
        One case.
    texts : collection of str
        Further texts that name nobody: those that a model has learned of, or that you have looked at.

    Returns
    -------
    Records
        The case, called ``case``.
    tuple of str
        What left.

    Raises
    ------
    InputError
        Not one case.
    """
    if len(records) != 1:
        raise InputError("one case to send", f"found {len(records):,}", "take one: records[[i]]")
    left: list[str] = []
    cases, findings = records.arrow("cases"), records.arrow("findings")
    moved = _distance(cases, findings)
    if moved is not None:
        left.append("dates: every moment keeps its distance to the beginning, which is now 2000-01-01")
    made: dict[str, Any] = {
        "cases": _case(cases, moved, left),
        "findings": _findings(findings, moved, ShortTexts.of(records.vocabulary, _ids(cases), texts), left),
        **{name: records.arrow(name) for name in ("vocabulary", "diagnoses", "knowledge") if name in records.names},
    }
    left += [f"the table {name} ({_TABLES[name]})" for name in records.names if name in _TABLES]
    info = {k: v for k, v in records.info.items() if k in ("format", "synthetic", "systems")}
    return Records.from_tables(made, info).with_vocabulary(records.vocabulary), tuple(left)


def _distance(cases: pa.Table, findings: pa.Table) -> timedelta | None:
    """Return by how much every moment is moved; None where there is no moment."""
    begin = cases["time"][0].as_py() if "time" in cases.column_names else None
    if begin is None:
        moments = [pc.min(findings[c]).as_py() for c in ("time", "known") if c in findings.column_names]
        begin = min((one for one in moments if one is not None), default=None)
    return None if begin is None else _BEGIN - begin.astimezone(UTC)


def _case(cases: pa.Table, moved: timedelta | None, left: list[str]) -> pa.Table:
    row = {k: v for k, v in cases.to_pylist()[0].items() if v is not None}
    gone = sorted(row.keys() - set(_CASE))
    if gone:
        left.append(f"of the case: {', '.join(gone)}")
    left.append("the id of the case, which is now `case`")
    row = {**{k: v for k, v in row.items() if k in _CASE}, "case_id": "case"}
    if max(row.get("age_years", 0), row.get("age_days", 0) / 365.25) > OLDEST:
        row.pop("age_days", None)
        row["age_years"] = _POOLED
        left.append(f"the age, above {OLDEST} years: now {_POOLED:.0f}")
    layout = TABLES["cases"].columns
    values = {k: v + moved if moved is not None and isinstance(v, datetime) else v for k, v in row.items()}
    return pa.table({k: pa.array([v], _plain(layout[k].arrow)) for k, v in values.items()})


def _ids(cases: pa.Table) -> tuple[str, ...]:
    """Return what the case, its patient and its place are called, to be looked for in texts."""
    named = (str(cases[name][0].as_py() or "").casefold() for name in _IDS if name in cases.column_names)
    return tuple(one for one in named if len(one) > 2)


def _findings(findings: pa.Table, moved: timedelta | None, words: ShortTexts, left: list[str]) -> pa.Table:
    known = TABLES["findings"].columns
    findings = _without_told_codes(findings, words, left)
    used = [c for c in findings.column_names if findings[c].null_count < len(findings)]
    gone = [c for c in used if c in _NOT_OF_FINDINGS or c not in known]
    if gone:
        left.append(f"of the findings: {', '.join(gone)}")
    columns: dict[str, Any] = {c: findings[c] for c in used if c not in gone}
    columns["case_id"] = pa.array(["case"] * len(findings), pa.string())
    for name, column in columns.items():
        if pa.types.is_timestamp(column.type) and moved is not None:
            columns[name] = pc.add(column, pa.scalar(moved, pa.duration("us"))).cast(column.type)
    _without_free_text(columns, words, left)
    _without_great_ages(columns, left)
    for name in ("case_id", "code", "status"):
        columns.setdefault(name, findings[name])
    return pa.table(columns)


def _without_told_codes(findings: pa.Table, words: ShortTexts, left: list[str]) -> pa.Table:
    """Leave out findings whose code is a text: somebody wrote it."""
    codes = findings["code"].cast(pa.string()).to_pylist()
    stays = [words.is_known(c) or not (" " in c.strip() or words.is_long(c) or words.tells(c)) for c in codes]
    if not all(stays):
        left.append(f"findings whose code is a text that the vocabulary does not hold: {stays.count(False):,}")
    return findings.filter(pa.array(stays, pa.bool_()))


def _without_free_text(columns: dict[str, Any], words: ShortTexts, left: list[str]) -> None:
    long = told = unknown = 0
    for name in _FREE.keys() & columns.keys():
        kept: list[str | None] = []
        for text in columns[name].cast(pa.string()).to_pylist():
            if text is None:
                kept.append(None)
                continue
            is_long, tells = words.is_long(text), words.tells(text)
            strange = not (is_long or tells or words.is_known(text, small=_FREE[name]))
            long, told, unknown = long + is_long, told + (tells and not is_long), unknown + strange
            kept.append(None if is_long or tells or strange else text)
        columns[name] = pa.array(kept, pa.string())
    for what, n in (
        (f"of more than {LONGEST} characters", long),
        ("with a date, a long number, an address or an id", told),
        ("that neither vocabulary nor model knows: they may hold a name", unknown),
    ):
        if n:
            left.append(f"texts of findings {what}: {n:,}")


def _without_great_ages(columns: dict[str, Any], left: list[str]) -> None:
    """Pool ages at onset as the age itself is; of what began or lasted longer than that, the length leaves."""
    gone = 0
    for name, most, instead in (
        ("onset_age_years", OLDEST, _POOLED),
        ("onset_days", _OLDEST_DAYS, None),
        ("duration_days", _OLDEST_DAYS, None),
    ):
        if name in columns:
            column = columns[name].cast(pa.float64())
            over = pc.fill_null(pc.greater(pc.abs(column), most), False)
            gone += pc.sum(over).as_py() or 0
            columns[name] = pc.if_else(over, pa.scalar(instead, pa.float64()), column)
    if gone:
        left.append(f"ages at onset and durations of more than {OLDEST} years: {gone:,}")


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
