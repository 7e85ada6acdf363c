"""What is odd in a set of records and loaded all the same: codes, units, rare diagnoses, dates, hierarchy."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import nearest
from diagnosis.records.checks import Fault, has_state
from diagnosis.records.labels import labels_of
from diagnosis.records.persons import odd_persons
from diagnosis.records.suspected_units import suspected_units
from diagnosis.vocabulary import Vocabulary, convert, is_unit
from diagnosis.vocabulary.units import common_units, ucum_of

__all__ = ["suspicions", "twin_codes"]

RARE = 5
_SHOWN = 5
_NO_ROWS = np.zeros(0, np.int64)
# A quote that is never closed swallows the lines up to the next one, and leaves their ends inside a field; a mark of
# the encoding stays where files were joined.
_UNSEEN = (
    ("line_break", "[\r\n]", "holds a line break: a stray quote may have joined several rows into one"),
    (
        "unseen_sign",
        "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u2060\ufeff]",
        "holds a sign that cannot be seen (a NUL, a tab, a mark of the encoding): what looks alike is not the same",
    ),
)
# What hospitals enter for "not known" lies at the ends: 1900-01-01, 9999-12-31.
_FIRST_YEAR, _LAST_YEAR = 1901, 2100


def suspicions(tables: Mapping[str, pa.Table], case: npt.NDArray[np.int32], words: Vocabulary) -> Iterator[Fault]:
    """Yield what is odd; `case` is the position of each finding's case."""
    findings = tables["findings"]
    code = findings["code"].combine_chunks()
    yield from _unknown_codes(code, words)
    yield twin_codes(_used(code))
    yield from _unseen_signs(tables)
    if "unit" in findings.column_names:
        unit = findings["unit"].combine_chunks()
        yield from _unknown_units(unit)
        yield from _mixed_units(code, unit, words)
        yield from _missing_units(findings, code, unit, words)
        yield from suspected_units(findings, words)
    yield from _empty(tables)
    yield from odd_persons(tables["cases"])
    yield from _rare(tables)
    yield from _dates(tables)
    yield from _ancestors(findings, case, words)


def _used(column: pa.DictionaryArray) -> list[str]:
    """The words that some row uses, in the order of the dictionary."""
    dictionary = column.dictionary.to_pylist()
    used = np.bincount(np.asarray(column.indices.drop_null()), minlength=len(dictionary))
    return [dictionary[i] for i in np.flatnonzero(used).tolist()]


def _rows_with(column: pa.DictionaryArray, words: Sequence[str]) -> npt.NDArray[np.int64]:
    """Rows that hold one of the words."""
    asked = set(words)
    wanted = np.array([*(word in asked for word in column.dictionary.to_pylist()), False], bool)
    return np.flatnonzero(wanted[np.asarray(pc.fill_null(column.indices, len(wanted) - 1))])


def _unknown_codes(code: pa.DictionaryArray, words: Vocabulary) -> Iterator[Fault]:
    if not words.findings:
        return
    codes = _used(code)
    unknown = [c for c in codes if c not in words.findings]
    if unknown:
        says = f"{len(unknown):,} codes of {len(codes):,} are not in the vocabulary"
        near = tuple(nearest(unknown[0], words.findings, 1))
        yield Fault("unknown_codes", "findings", "code", says, _rows_with(code, unknown), near, len(unknown))


def twin_codes(codes: Sequence[str]) -> Fault:
    """Count groups of codes that differ only in case, width or spaces; `count` is 0 where there is none."""
    folded: dict[str, list[str]] = defaultdict(list)
    for one in sorted(codes):
        folded["".join(unicodedata.normalize("NFKC", one).casefold().split())].append(one)
    twins = [group for group in folded.values() if len(group) > 1]
    shown = "; ".join(" ~ ".join(group) for group in twins[:_SHOWN])
    says = f"{len(twins):,} groups of codes differ only in case, width or spaces and may be one: {shown}"
    return Fault("suspected_twins", "findings", "code", says, _NO_ROWS, (), len(twins))


def _unseen_signs(tables: Mapping[str, pa.Table]) -> Iterator[Fault]:
    """Signs in ids and codes that no reader sees, by kind."""
    for table, columns in (("cases", ("case_id", "patient_id", "diagnosis")), ("findings", ("code", "unit"))):
        for name in (c for c in columns if c in tables[table].column_names):
            column = tables[table][name].combine_chunks()
            for kind, pattern, says in _UNSEEN:
                if pa.types.is_dictionary(column.type):
                    rows = _rows_with(column, [w for w in _used(column) if re.search(pattern, w)])
                else:
                    rows = np.flatnonzero(np.asarray(pc.fill_null(pc.match_substring_regex(column, pattern), False)))
                yield Fault(kind, table, name, says, rows)


def _unknown_units(unit: pa.DictionaryArray) -> Iterator[Fault]:
    foreign = [u for u in _used(unit) if not is_unit(ucum_of(u))]
    if foreign:
        says = f"{len(foreign):,} units are not known to UCUM; their values are kept and not converted"
        near = tuple(nearest(foreign[0], common_units(), 1))
        yield Fault("unknown_unit", "findings", "unit", says, _rows_with(unit, foreign), near, len(foreign))


def _mixed_units(code: pa.DictionaryArray, unit: pa.DictionaryArray, words: Vocabulary) -> Iterator[Fault]:
    codes, units = code.dictionary.to_pylist(), unit.dictionary.to_pylist()
    united = np.flatnonzero(np.asarray(unit.is_valid()) & np.asarray(code.is_valid()))
    seen = np.zeros((len(codes), len(units)), bool)
    seen[np.asarray(code.indices.take(pa.array(united))), np.asarray(unit.indices.take(pa.array(united)))] = True
    by_code = {codes[i]: [units[j] for j in np.flatnonzero(seen[i])] for i in np.flatnonzero(seen.any(axis=1)).tolist()}
    apart = sorted(c for c, units in by_code.items() if not _one_scale(c, units, words))
    shown = ", ".join(apart[:_SHOWN])
    says = f"{len(apart):,} codes have values in units that do not convert: {shown}"
    yield Fault("mixed_units", "findings", "unit", says, _NO_ROWS, (), len(apart))


def _one_scale(code: str, units: Sequence[str], words: Vocabulary) -> bool:
    target = words.unit(code) or min(units)
    one = np.ones(1)
    return all(u == target or convert(one, u, target, words.loinc(code)) is not None for u in units)


def _missing_units(
    findings: pa.Table, code: pa.DictionaryArray, unit: pa.DictionaryArray, words: Vocabulary
) -> Iterator[Fault]:
    """Values without a unit, of codes whose other values have one."""
    if "value" not in findings.column_names or not len(code):
        return
    valued, united = (np.asarray(c.is_valid()) for c in (findings["value"].combine_chunks(), unit))
    index = np.asarray(pc.fill_null(code.indices, 0))
    with_unit = np.zeros(len(code.dictionary), bool)
    with_unit[index[valued & united]] = True
    rows = np.flatnonzero(valued & ~united & with_unit[index]) if len(with_unit) else _NO_ROWS
    codes = code.dictionary.to_pylist()
    units = unit.dictionary.to_pylist()
    seen = np.zeros((len(codes), len(units)), bool)
    seen[index[valued & united], np.asarray(pc.fill_null(unit.indices, 0))[valued & united]] = True
    several = np.zeros(len(codes), bool)
    for i in np.unique(index[rows]).tolist():
        own = [units[j] for j in np.flatnonzero(seen[i]).tolist()]
        several[i] = not words.unit(codes[i]) and not _same_unit(own, words.loinc(codes[i]))
    n_lost = int(np.count_nonzero(several[index[rows]]))
    says = "is empty, and other values of the same code have one; "
    if n_lost < len(rows):
        says += f"{len(rows) - n_lost:,} of these values will be taken to be in the one unit known of their code"
    if n_lost:
        shown = ", ".join(codes[i] for i in np.flatnonzero(several)[:_SHOWN].tolist())
        says += f"{', ' if n_lost < len(rows) else ''}{n_lost:,} are of codes that have several ({shown}): "
        says += "a model that learned several units of a code does not use such a value"
    yield Fault("missing_unit", "findings", "unit", says, rows)


def _same_unit(units: Sequence[str], loinc: str | None) -> bool:
    """Whether a number means the same in all of them."""
    probe = np.array([0.0, 1.0])
    made = [convert(probe, u, units[0], loinc) for u in units[1:]]
    return all(one is not None and np.allclose(one, probe, rtol=1e-9, atol=1e-9) for one in made)


def _empty(tables: Mapping[str, pa.Table]) -> Iterator[Fault]:
    """Whole tables without what they are for."""
    cases, findings = tables["cases"], tables["findings"]
    if not len(cases):
        yield Fault("no_cases", "cases", "case_id", "holds no rows: there is no case", _NO_ROWS, (), 1)
    elif not len(findings):
        yield Fault("no_findings", "findings", "case_id", "holds no rows: no case has a finding", _NO_ROWS, (), 1)
    if len(cases) and all(one is None for one in labels_of(cases, tables.get("labels")).tolist()):
        says = "no case has a confirmed diagnosis, here or in `labels`: suggestions can be made, nothing be learned"
        yield Fault("no_diagnoses", "cases", "diagnosis", says, _NO_ROWS, (), 1)


def _rare(tables: Mapping[str, pa.Table]) -> Iterator[Fault]:
    names = labels_of(tables["cases"], tables.get("labels"))
    counts = Counter(one for one in names.tolist() if one is not None)
    rare = sum(n < RARE for n in counts.values())
    says = f"{rare:,} of {len(counts):,} diagnoses have fewer than {RARE} cases"
    yield Fault("rare_diagnoses", "cases", "diagnosis", says, _NO_ROWS, (), rare)


def _dates(tables: Mapping[str, pa.Table]) -> Iterator[Fault]:
    pairs = (("cases", "time", "end_time"), ("cases", "time", "index_time"), ("findings", "time", "known"))
    for table, early, late in pairs:
        columns = tables[table].column_names
        if early in columns and late in columns:
            wrong = pc.fill_null(pc.less(tables[table][late], tables[table][early]), False)
            yield Fault("suspicious_date", table, late, f"is before {early}", np.flatnonzero(np.asarray(wrong)))
    says = f"is before {_FIRST_YEAR} or after {_LAST_YEAR}"
    for name, table in tables.items():
        for column in table.column_names:
            if pa.types.is_timestamp(table.schema.field(column).type):
                ends = pc.min_max(table[column]).as_py()
                if ends["min"] is None or (ends["min"].year >= _FIRST_YEAR and ends["max"].year <= _LAST_YEAR):
                    continue
                year = pc.year(table[column])
                wrong = pc.fill_null(pc.or_(pc.less(year, _FIRST_YEAR), pc.greater(year, _LAST_YEAR)), False)
                yield Fault("suspicious_date", name, column, says, np.flatnonzero(np.asarray(wrong)))


def _ancestors(findings: pa.Table, case: npt.NDArray[np.int32], words: Vocabulary) -> Iterator[Fault]:
    """A narrower finding present while a broader one is denied, of the same subject in the same case."""
    column = findings["code"].combine_chunks()
    codes = column.dictionary.to_pylist()
    place = {c: i for i, c in enumerate(codes)}
    links = np.array([(place[c], place[a]) for c in codes for a in words.ancestors(c) if a in place], np.int64)
    if not len(links):
        return
    code = np.asarray(pc.fill_null(column.indices, -1)).astype(np.int64)
    whose = case.astype(np.int64) * 8 + _subject(findings)
    absent, present = (np.flatnonzero(has_state(findings, s)) for s in ("absent", "present"))
    denied = np.sort(whose[absent] * len(codes) + code[absent])
    present = present[np.argsort(code[present], kind="stable")]
    starts, ends = (np.searchsorted(code[present], links[:, 0], side=side) for side in ("left", "right"))
    hit = np.zeros(len(code), bool)
    for start, end, ancestor in zip(starts.tolist(), ends.tolist(), links[:, 1].tolist(), strict=True):
        rows = present[start:end]
        wanted = whose[rows] * len(codes) + ancestor
        at = np.minimum(np.searchsorted(denied, wanted), max(len(denied) - 1, 0))
        hit[rows] |= denied[at] == wanted if len(denied) else False
    says = "is present while a broader finding is absent in the same case"
    yield Fault("ancestor_contradiction", "findings", "code", says, np.flatnonzero(hit))


def _subject(findings: pa.Table) -> npt.NDArray[np.int64]:
    """Number of each row's subject, 0 for the patient."""
    if "subject" not in findings.column_names:
        return np.zeros(len(findings), np.int64)
    column = findings["subject"].combine_chunks()
    number = np.array([0 if w == "patient" else i + 1 for i, w in enumerate(column.dictionary.to_pylist())] + [0])
    return number[np.asarray(pc.fill_null(column.indices, len(number) - 1))].astype(np.int64)
