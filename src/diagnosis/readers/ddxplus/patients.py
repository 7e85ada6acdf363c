"""Rows of patients -> answers as numbers, and the rows that cannot be used with their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import nearest
from diagnosis.readers.ddxplus.codebook import Codebook
from diagnosis.readers.ddxplus.files import PatientLines
from diagnosis.readers.ddxplus.lists import Words, split_pairs, split_words
from diagnosis.readers.ddxplus.questions import SEPARATOR
from diagnosis.records.schema import DIFFERENTIAL, TABLES

__all__ = ["Answers", "Fault", "Patients", "read_patients"]

_SEX = {"M": "male", "F": "female", "": None}
_OLDEST = TABLES["cases"].columns["age_years"].high or 0.0

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What patients list.

    Parameters
    ----------
    n : int
        How many patients.
    case, token : ndarray of int32, shape (n_answers,)
        Patient and answer (see `Codebook.tokens`), sorted by patient, each pair once.
    initial : ndarray of int32, shape (n,)
        The answer the patient came with, -1 for none.
    """

    n: int
    case: npt.NDArray[np.int32]
    token: npt.NDArray[np.int32]
    initial: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Fault:
    """One kind of problem and the rows that have it (positions among the rows that could be split)."""

    kind: str
    column: str
    says: str
    rows: _Rows
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Patients:
    """The rows of one file.

    Parameters
    ----------
    kept : ndarray of int64
        Positions of the rows that can be used.
    answers : Answers
        Of these.
    cases : mapping of str to pa.Array
        `age_years`, `sex`, `diagnosis`, `differential` of these.
    faults : tuple of Fault
        Why the others cannot.
    repeated : ndarray of int64
        Rows that list an evidence twice; it counts once.
    """

    kept: _Rows
    answers: Answers
    cases: Mapping[str, pa.Array]
    faults: tuple[Fault, ...]
    repeated: _Rows


def read_patients(lines: PatientLines, book: Codebook, diagnoses: Mapping[str, str]) -> Patients:
    """Make sense of the rows of one file; `diagnoses` gives the code by every name of a pathology."""
    columns, n = lines.columns, len(lines)
    faults: list[Fault] = []
    cases = {
        "age_years": _ages(columns["AGE"], faults),
        "sex": _sexes(columns["SEX"], faults),
        "diagnosis": _pathologies(columns["PATHOLOGY"], diagnoses, faults),
        "differential": _differentials(columns["DIFFERENTIAL_DIAGNOSIS"], diagnoses, faults),
    }
    row, token, repeated = _listed(split_words(columns["EVIDENCES"]), book, faults)
    initial = _initial(columns["INITIAL_EVIDENCE"], row, token, book, faults)
    faults = [f for f in faults if len(f.rows)]
    usable = np.ones(n, bool)
    for fault in faults:
        usable[fault.rows] = False
    kept = np.flatnonzero(usable)
    place = np.cumsum(usable) - 1
    mine = usable[row]
    answers = Answers(len(kept), place[row[mine]].astype(np.int32), token[mine], initial[kept])
    taken = {name: values.take(pa.array(kept)) for name, values in cases.items()}
    return Patients(kept, answers, taken, tuple(faults), repeated[usable[repeated]])


def _ages(texts: Sequence[str], faults: list[Fault]) -> pa.Array:
    column = pa.array([t.strip() or None for t in texts], pa.string())
    good = pc.match_substring_regex(column, r"^[0-9]{1,3}(\.[0-9]{1,6})?$")
    ages = pc.if_else(good, column, pa.scalar(None, pa.string())).cast(pa.float64())
    fine = pc.fill_null(pc.less_equal(ages, _OLDEST), False)
    bad = np.asarray(column.is_valid()) & ~np.asarray(fine)
    faults.append(Fault("bad_age", "AGE", f"must be a number from 0 to {_OLDEST:g}", np.flatnonzero(bad)))
    return ages


def _sexes(texts: Sequence[str], faults: list[Fault]) -> pa.Array:
    words = [_SEX.get(t.strip(), "") for t in texts]
    faults.append(Fault("unknown_sex", "SEX", "must be M | F", _where(words)))
    return pa.array([w or None for w in words], pa.string())


def _pathologies(texts: Sequence[str], diagnoses: Mapping[str, str], faults: list[Fault]) -> pa.Array:
    words = [diagnoses.get(t, "") if t else None for t in texts]
    bad = _where(words)
    near = tuple(nearest(texts[int(bad[0])], diagnoses, 1)) if len(bad) else ()
    says = "must be a condition of release_conditions.json"
    faults.append(Fault("unknown_pathology", "PATHOLOGY", says, bad, near))
    return pa.array([w or None for w in words], pa.string())


def _where(words: Sequence[str | None]) -> _Rows:
    """Rows whose word is empty, which stands for one that is not known."""
    return np.array([i for i, word in enumerate(words) if word == ""], np.int64)


def _differentials(texts: Sequence[str], diagnoses: Mapping[str, str], faults: list[Fault]) -> pa.Array:
    found = split_pairs(texts)
    codes = list(dict.fromkeys(diagnoses.values()))
    place = {code: i for i, code in enumerate(codes)}
    number = np.array([place.get(diagnoses.get(word, ""), -1) for word in found.distinct], np.int64)
    code = number[found.word] if len(number) else np.zeros(0, np.int64)
    order = np.lexsort((code, found.row))
    twice = (np.diff(found.row[order]) == 0) & (np.diff(code[order]) == 0)
    wrong = np.concatenate([found.row[order[1:][twice]], found.row[(code < 0) | ~(found.number <= 1)]])
    empty = np.array([not text for text in texts], bool)
    bad = np.union1d(wrong, found.malformed[~empty[found.malformed]])
    says = "must be a list of [condition, probability from 0 to 1], each condition once and in release_conditions.json"
    faults.append(Fault("bad_differential", "DIFFERENTIAL_DIAGNOSIS", says, bad))
    unknown = empty.copy()
    unknown[bad] = True
    keep = ~unknown[found.row]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(found.row[keep], minlength=len(texts)))]).astype(np.int32)
    names = pa.array(codes, pa.string()).take(pa.array(code[keep]))
    pairs = pa.StructArray.from_arrays([names, pa.array(found.number[keep])], ["diagnosis", "probability"])
    return pa.ListArray.from_arrays(pa.array(offsets), pairs, mask=pa.array(unknown)).cast(DIFFERENTIAL)


def _listed(words: Words, book: Codebook, faults: list[Fault]) -> tuple[_Rows, npt.NDArray[np.int32], _Rows]:
    """Rows and answers without repeats, and the rows that repeat one."""
    says = "must be a list of evidences, such as ['toux', 'douleurxx_intens_@_5']"
    faults.append(Fault("bad_list", "EVIDENCES", says, words.malformed))
    n_tokens = len(book.tokens)
    number = np.array([book.tokens.get(word, -1) for word in words.distinct], np.int32)
    token = number[words.word] if len(number) else np.zeros(0, np.int32)
    _unknown(words, number, token, book, faults)
    known = token >= 0
    pairs = np.sort(words.row[known] * n_tokens + token[known])
    again = np.diff(pairs, prepend=-1) == 0
    row, token = pairs[~again] // n_tokens, (pairs[~again] % n_tokens).astype(np.int32)
    _contradictory(row, token, book, faults)
    return row, token, np.unique(pairs[again] // n_tokens)


def _unknown(
    words: Words, number: npt.NDArray[np.int32], token: npt.NDArray[np.int32], book: Codebook, faults: list[Fault]
) -> None:
    strange = [word for word, known in zip(words.distinct, number.tolist(), strict=True) if known < 0]
    whose = np.array([word.partition(SEPARATOR)[0] in book.position for word in words.distinct], bool)
    lost = token < 0
    of_known = whose[words.word] if len(whose) else np.zeros(0, bool)
    kinds = (
        ("unknown_evidence", lost & ~of_known, "names an evidence that release_evidences.json does not have", False),
        ("unknown_value", lost & of_known, "gives an evidence a value that release_evidences.json does not have", True),
    )
    for kind, mask, says, known in kinds:
        some = [word for word in strange if (word.partition(SEPARATOR)[0] in book.position) == known]
        near = tuple(nearest(some[0], book.tokens, 1)) if some else ()
        faults.append(Fault(kind, "EVIDENCES", says, np.unique(words.row[mask]), near))


def _contradictory(row: _Rows, token: npt.NDArray[np.int32], book: Codebook, faults: list[Fault]) -> None:
    """Two answers to a question with one, or "nothing" beside an option.

    Answers are numbered question by question, so those to one question follow each other.
    """
    question = book.token_question[token]
    second = np.flatnonzero((np.diff(row) == 0) & (np.diff(question) == 0)) + 1
    several = book.multi[question[second]]
    group = np.cumsum(np.diff(row * len(book.questions) + question, prepend=-1) != 0) - 1
    nothing = np.zeros(len(group), bool)
    nothing[group[book.token_default[token]]] = True
    wrong = second[~several | nothing[group[second]]]
    says = "gives one question two answers that exclude each other"
    faults.append(Fault("contradiction", "EVIDENCES", says, np.unique(row[wrong])))


def _initial(
    texts: Sequence[str], row: _Rows, token: npt.NDArray[np.int32], book: Codebook, faults: list[Fault]
) -> npt.NDArray[np.int32]:
    number = np.array([book.tokens.get(t, -2) if t else -1 for t in texts], np.int32)
    asked = np.arange(len(number)) * len(book.tokens) + number
    pairs = row * len(book.tokens) + token
    place = np.minimum(np.searchsorted(pairs, asked), max(len(pairs) - 1, 0))
    listed = pairs[place] == asked if len(pairs) else np.zeros(len(asked), bool)
    bad = (number == -2) | ((number >= 0) & ~listed)
    says = "must be one of the row's EVIDENCES"
    faults.append(Fault("unknown_initial", "INITIAL_EVIDENCE", says, np.flatnonzero(bad)))
    return number
