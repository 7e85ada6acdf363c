"""The laws a set of records must keep: which rows break which, as masks. Tables go in typed (see `columns`)."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.schema import TableFormat
from diagnosis.vocabulary import Vocabulary, convert, is_unit

__all__ = ["Fault", "case_of", "contradictions", "duplicate_ids", "empty_required", "suspicions", "valued_not_present"]

RARE = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of problem and the rows that have it (no rows: the table as a whole)."""

    kind: str
    table: str
    column: str
    says: str
    rows: np.ndarray
    near: tuple[str, ...] = ()
    count: int = 0


def empty_required(table: pa.Table, layout: TableFormat, bad: Mapping[str, np.ndarray]) -> Iterator[Fault]:
    """Yield the rows whose required columns are empty (rows already bad for another reason are not repeated)."""
    for column in layout.columns.values():
        if column.required and column.name in table.column_names:
            empty = np.asarray(table[column.name].is_null()) & ~bad.get(column.name, np.zeros(len(table), bool))
            yield Fault("empty_required", layout.name, column.name, "is required and empty", np.flatnonzero(empty))


def duplicate_ids(table: pa.Table, layout: TableFormat, column: str) -> Iterator[Fault]:
    """Yield every row whose id stands more than once (all of them: which is right cannot be known)."""
    ids = table[column]
    counts = pc.value_counts(ids.drop_null())
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    rows = np.flatnonzero(np.asarray(pc.is_in(ids, twice)) & np.asarray(ids.is_valid()))
    yield Fault("duplicate_id", layout.name, column, "must be unique and stands more than once", rows)


def valued_not_present(findings: pa.Table) -> Iterator[Fault]:
    """Yield the rows with a value whose state is not present: *present* is what "measured" is called."""
    if "value" in findings.column_names:
        wrong = pc.and_(findings["value"].is_valid(), pc.not_equal(_plain(findings["status"]), "present"))
        rows = np.flatnonzero(np.asarray(pc.fill_null(wrong, False)))
        yield Fault("value_without_present", "findings", "status", "must be present where there is a value", rows)


def case_of(findings: pa.Table, case_ids: pa.Array) -> np.ndarray:
    """Position of each row's case among `case_ids`, -1 for none; int32 of shape (n_rows,)."""
    return np.asarray(pc.fill_null(pc.index_in(findings["case_id"], case_ids), -1)).astype(np.int32, copy=False)


def contradictions(findings: pa.Table, case: np.ndarray) -> Iterator[Fault]:
    """Yield rows of the same code, subject, site and instant that are both present and absent.

    Without a time the phase is the instant: absent in the history and present on examination is a course.
    """
    keys = _instant_keys(findings, case)
    status = _plain(findings["status"])
    present, absent = (np.asarray(pc.fill_null(pc.equal(status, s), False)) for s in ("present", "absent"))
    both = np.intersect1d(keys[present], keys[absent])
    rows = np.flatnonzero(np.isin(keys, both) & (present | absent)) if len(both) else np.zeros(0, np.int64)
    yield Fault("contradiction", "findings", "status", "is both present and absent at the same instant", rows)


def _instant_keys(findings: pa.Table, case: np.ndarray) -> np.ndarray:
    """One integer per distinct (case, code, subject, site, instant)."""
    keys = case.astype(np.int64)
    columns = [c for c in ("code", "subject", "body_site", "laterality", "time", "phase") if c in findings.column_names]
    for name in columns:
        column = findings[name]
        if name == "subject":
            column = pc.fill_null(_plain(column), "patient")
        if name == "phase" and "time" in findings.column_names:
            column = pc.if_else(findings["time"].is_valid(), pa.scalar(None, pa.string()), _plain(column))
        values = _indices(column)
        keys = np.unique(keys * np.int64(int(values.max(initial=0)) + 1) + values, return_inverse=True)[1]
    return keys


def _indices(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    return np.asarray(pc.fill_null(array.indices, -1)).astype(np.int64) + 1


def _plain(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _distinct(column: pa.ChunkedArray) -> list[str]:
    return sorted(v for v in pc.unique(_plain(column)).to_pylist() if v is not None)


def suspicions(tables: Mapping[str, pa.Table], case: np.ndarray, words: Vocabulary) -> Iterator[Fault]:
    """Yield what is odd and loaded all the same: codes, units, rare diagnoses, dates, hierarchy."""
    findings = tables["findings"]
    codes = _distinct(findings["code"])
    none = np.zeros(0, np.int64)
    if words.findings:
        unknown = [c for c in codes if c not in words.findings]
        says = f"{len(unknown):,} codes of {len(codes):,} are not in the vocabulary"
        yield Fault("unknown_codes", "findings", "code", says, none, tuple(unknown[:3]), len(unknown))
    twins = _twins(codes)
    says = f"{len(twins):,} pairs of codes differ only in case, width or spaces and may be one: " + "; ".join(
        " ~ ".join(pair) for pair in twins[:5]
    )
    yield Fault("suspected_twins", "findings", "code", says, none, (), len(twins))
    yield from _units(findings, words)
    yield from _rare(tables["cases"])
    yield from _dates(tables)
    yield from _ancestors(findings, case, words)


def _twins(codes: Sequence[str]) -> list[tuple[str, ...]]:
    folded: dict[str, list[str]] = defaultdict(list)
    for code in codes:
        folded["".join(unicodedata.normalize("NFKC", code).casefold().split())].append(code)
    return [tuple(group) for group in folded.values() if len(group) > 1]


def _units(findings: pa.Table, words: Vocabulary) -> Iterator[Fault]:
    if "unit" not in findings.column_names:
        return
    seen = findings.select(["code", "unit"]).group_by(["code", "unit"]).aggregate([]).to_pydict()
    pairs = [(c, u) for c, u in zip(seen["code"], seen["unit"], strict=True) if c and u]
    none = np.zeros(0, np.int64)
    foreign = sorted({u for _, u in pairs if not is_unit(u)})
    says = f"{len(foreign):,} units are not UCUM; their values are kept and not converted"
    yield Fault("unknown_unit", "findings", "unit", says, none, (), len(foreign))
    by_code: dict[str, list[str]] = defaultdict(list)
    for code, unit in pairs:
        by_code[code].append(unit)
    apart = [c for c, units in by_code.items() if not _one_scale(c, units, words)]
    says = f"{len(apart):,} codes have values in units that do not convert: {', '.join(sorted(apart)[:5])}"
    yield Fault("mixed_units", "findings", "unit", says, none, (), len(apart))


def _one_scale(code: str, units: Sequence[str], words: Vocabulary) -> bool:
    target = words.unit(code) or min(units)
    one = np.ones(1)
    return all(u == target or convert(one, u, target, words.loinc(code)) is not None for u in units)


def _rare(cases: pa.Table) -> Iterator[Fault]:
    if "diagnosis" in cases.column_names:
        counts = pc.value_counts(_plain(cases["diagnosis"]).drop_null())
        rare = int(pc.sum(pc.less(counts.field("counts"), RARE)).as_py() or 0)
        says = f"{rare:,} of {len(counts):,} diagnoses have fewer than {RARE} cases"
        yield Fault("rare_diagnoses", "cases", "diagnosis", says, np.zeros(0, np.int64), (), rare)


def _dates(tables: Mapping[str, pa.Table]) -> Iterator[Fault]:
    for table, early, late in (
        ("cases", "time", "end_time"),
        ("cases", "time", "index_time"),
        ("findings", "time", "known"),
    ):
        columns = tables[table].column_names
        if early in columns and late in columns:
            wrong = pc.fill_null(pc.less(tables[table][late], tables[table][early]), False)
            yield Fault("suspicious_date", table, late, f"is before {early}", np.flatnonzero(np.asarray(wrong)))
    for table, column in (("cases", "time"), ("findings", "time"), ("findings", "known")):
        if column in tables[table].column_names:
            year = pc.year(tables[table][column])
            wrong = pc.fill_null(pc.or_(pc.less(year, 1900), pc.greater(year, 2100)), False)
            yield Fault("suspicious_date", table, column, "is before 1900 or after 2100", np.flatnonzero(np.asarray(wrong)))


def _ancestors(findings: pa.Table, case: np.ndarray, words: Vocabulary) -> Iterator[Fault]:
    """A narrower finding present while a broader one is denied in the same case."""
    encoded = findings["code"].combine_chunks()
    codes = encoded.dictionary.to_pylist()
    position = {c: i for i, c in enumerate(codes)}
    links = [(position[c], position[a]) for c in codes for a in words.ancestors(c) if a in position]
    if not links:
        return
    code = np.asarray(pc.fill_null(encoded.indices, -1)).astype(np.int64)
    status = _plain(findings["status"])
    present, absent = (np.asarray(pc.fill_null(pc.equal(status, s), False)) for s in ("present", "absent"))
    width = np.int64(len(codes))
    denied = np.unique(case[absent] * width + code[absent])
    hit = np.zeros(len(code), bool)
    for child, ancestor in links:
        rows = np.flatnonzero(present & (code == child))
        hit[rows] |= np.isin(case[rows] * width + ancestor, denied, assume_unique=False)
    says = "is present while a broader finding is absent in the same case"
    yield Fault("ancestor_contradiction", "findings", "code", says, np.flatnonzero(hit))
