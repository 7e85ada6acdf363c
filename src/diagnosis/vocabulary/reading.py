"""A vocabulary from a file: a CSV of the vocabulary table, an OBO file, OBO Graphs; languages from more CSVs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from diagnosis.errors import InputError, nearest
from diagnosis.vocabulary.limited_text import MAX_BYTES, open_text
from diagnosis.vocabulary.ontology import read_ontology
from diagnosis.vocabulary.term import Term
from diagnosis.vocabulary.terms import Vocabulary

__all__ = ["read_vocabulary"]

_FORMS = (".csv", ".obo", ".json")
_FLAGS = {"true": True, "false": False}
# Columns that are no text, as in the tables of records.
_TYPES: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        **dict.fromkeys(("askable", "invasive", "must_not_miss"), _FLAGS.__getitem__),
        **dict.fromkeys(("cost", "flag_at", "age_min_days", "age_max_days"), float),
        "severity": int,
    }
)


def read_vocabulary(
    path: str | Path,
    *,
    of: Literal["findings", "diagnoses"] = "findings",
    languages: Sequence[str | Path] = (),
    prefix: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Vocabulary:
    """Read the words of findings or of diagnoses from a file.

    Parameters
    ----------
    path : path
        ``.csv`` with the columns of the `vocabulary` (or `diagnoses`) table, ``.obo`` or ``.json`` (OBO Graphs) as an
        ontology is released; each also with ``.gz``.
    of : {"findings", "diagnoses"}
        What the terms are.
    languages : sequence of path
        CSVs that add names, synonyms and other columns by code (``code,name_zh,synonyms_zh``). A row for a retired code
        goes to the code that replaced it; one for a code that is not known becomes a term of its own.
    prefix : str, optional
        Terms to keep of an ontology file; by default those of its commonest prefix.
    max_bytes : int
        A file that holds more, unfolded, is refused: 256 MB when not given.

    Raises
    ------
    InputError
        The file is not there, of another form or broken: what and in which row is said.

    Examples
    --------
    >>> _ = Path("words.csv").write_text("code,name,name_zh\\nHP:0001945,Fever,发热\\n", encoding="utf-8")
    >>> read_vocabulary("words.csv").resolve("发热")
    'HP:0001945'
    """
    if of not in ("findings", "diagnoses"):
        raise InputError("`of` is findings or diagnoses.", f"Found {of!r}.", "Say what the terms are.")
    path = Path(path)
    form = Path(path.name.removesuffix(".gz")).suffix
    if form not in _FORMS:
        raise InputError(
            "A vocabulary file was expected.",
            f"{path.name} ends in none of {', '.join(_FORMS)}.",
            "Give a CSV, an OBO file or an OBO Graphs file.",
            near=nearest(form, _FORMS, 1),
        )
    if form == ".csv":
        terms, retired, versions = {t.code: t for t in _csv_terms(path, max_bytes, unique=True)}, {}, {}
    else:
        found = read_ontology(path, prefix, max_bytes)
        terms = {t.code: t for t in found.terms}
        retired = dict(found.retired)
        versions = {found.prefix: found.version} if found.version else {}
    for other in languages:
        _add(terms, retired, _csv_terms(Path(other), max_bytes, unique=False))
    if of == "diagnoses":
        return Vocabulary({}, terms, retired, versions)
    return Vocabulary(terms, {}, retired, versions)


def _add(terms: dict[str, Term], retired: Mapping[str, str | None], more: Iterable[Term]) -> None:
    """Join what `more` says of each code to the term that stands for it now; what a term says already stays."""
    for term in more:
        code = retired.get(term.code) or term.code
        known = terms.get(code, Term(code))
        synonyms = tuple(dict.fromkeys((*known.synonyms, *term.synonyms)))
        terms[code] = replace(
            known,
            names={**term.names, **known.names},
            synonyms=synonyms,
            parents=known.parents or term.parents,
            fields={**term.fields, **known.fields},
        )


def _csv_terms(path: Path, max_bytes: int, *, unique: bool) -> Iterator[Term]:
    """The rows of a CSV as terms; with `unique` a code that stands twice is refused."""
    seen = set[str]()
    for number, row in _csv_rows(path, max_bytes):
        code = row["code"]
        if not code or (unique and code in seen):
            raise _bad_row(path, number, "its code is empty" if not code else f"{code!r} stands there a second time")
        seen.add(code)
        yield Term.from_row(row)


def _csv_rows(path: Path, max_bytes: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, row) of every row, the first after the header being 1; numbers and flags typed."""
    try:
        with open_text(path, max_bytes) as lines:
            table = csv.reader(lines, strict=True)
            header = next(table, [])
            if "code" not in header or len(set(header)) < len(header):
                raise InputError(
                    f"A header with the column code, and no column twice, was expected in {path.name}.",
                    f"Found {', '.join(header[:20]) or 'nothing'}.",
                    "Name the columns as in the vocabulary table.",
                    near=nearest("code", header, 1),
                )
            for number, cells in enumerate((c for c in table if c), start=1):
                if len(cells) != len(header):
                    raise _bad_row(path, number, f"it has {len(cells)} cells under {len(header)} columns")
                yield number, _typed(dict(zip(header, cells, strict=True)), path, number)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"A CSV in UTF-8 was expected in {path.name}.",
            f"It cannot be read ({type(error).__name__}).",
            "Check the path and the encoding.",
        ) from error


def _typed(row: dict[str, str], path: Path, number: int) -> dict[str, Any]:
    typed: dict[str, Any] = dict(row)
    for column, read in _TYPES.items():
        if row.get(column):
            try:
                typed[column] = read(row[column])
            except (ValueError, KeyError) as error:
                raise _bad_row(path, number, f"column {column} does not hold what it should") from error
    return typed


def _bad_row(path: Path, number: int, what: str) -> InputError:
    return InputError(f"A row of words was expected in {path.name}.", f"Row {number}: {what}.", "Correct the file.")
