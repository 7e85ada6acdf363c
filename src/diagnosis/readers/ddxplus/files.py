"""Where the patients of a release are, and their lines: plain or in a zip, with limits to what is read."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from diagnosis.errors import InputError, nearest
from diagnosis.records.quarantine import row_numbers
from diagnosis.vocabulary.limited_text import LimitedBytes

__all__ = ["COLUMNS", "CONDITIONS", "EVIDENCES", "ROWS", "PatientLines", "Source", "find_sources", "read_lines"]

EVIDENCES, CONDITIONS = "release_evidences.json", "release_conditions.json"
COLUMNS = ("AGE", "DIFFERENTIAL_DIAGNOSIS", "SEX", "PATHOLOGY", "EVIDENCES", "INITIAL_EVIDENCE")

#: Rows of patients at a time; what is read of them is a small part of what they become.
ROWS = 20_000

_PARTS = ("train", "validate", "test")
_FORMS = ("", ".csv", ".zip")
# The longest released line is under 4,000 characters.
_LONGEST_LINE = 1 << 17
# A zip may unfold to this many times its size; the released ones unfold to about 11 times theirs.
_MOST_EXPANSION = 100
# Below this no expansion is suspicious.
_HARMLESS = 64 << 20
# What a damaged, encrypted or foreign file makes of reading it.
_UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, UnicodeError)


@dataclass(frozen=True, slots=True)
class Source:
    """One file of patients: where it is, and the name its cases get."""

    path: Path
    name: str

    @property
    def label(self) -> str:
        """What messages call it."""
        return _written(self.path.name.removesuffix(self.path.suffix))


@dataclass(frozen=True, slots=True)
class PatientLines:
    """Some rows of one file that follow each other.

    Parameters
    ----------
    columns : dict of str to list of str
        By the names of `COLUMNS`, as they stand.
    broken : tuple of (int, str)
        Number (the first row of data being 1) and text of lines that have another number of columns, are too long, or
        hold bytes that are no text.
    before : int
        Rows of the file before these.
    extra : tuple of str
        Columns of the file that are not read.
    """

    columns: dict[str, list[str]]
    broken: tuple[tuple[int, str], ...]
    before: int
    extra: tuple[str, ...]

    def __len__(self) -> int:
        """Rows that could be split into columns."""
        return len(self.columns[COLUMNS[0]])

    def numbers(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Row numbers in the file of the rows at some positions."""
        return row_numbers(rows, np.array([n - self.before for n, _ in self.broken], np.int64)) + self.before


def find_sources(path: str | Path) -> tuple[list[Source], Path]:
    """The files of patients, in the order train, validate, test, and the folder that holds the JSON files.

    Parameters
    ----------
    path : path
        A folder with the released names (``release_train_patients``, as ``.csv``, ``.zip`` or without an extension), or
        one file of patients.

    Raises
    ------
    InputError
        There is none, or one part of the release in two forms.
    """
    top = Path(path)
    if top.is_file():
        return [Source(top, _part_of(top) or _written(top.stem))], top.parent
    if not top.is_dir():
        raise InputError("a folder or a file of patients of DDXPlus", f"there is nothing at {top}", "name one that is")
    found: list[Source] = []
    for part in _PARTS:
        forms = [top / f"release_{part}_patients{form}" for form in _FORMS]
        forms += [inner for outer in forms[:1] for inner in (outer / outer.name, outer / f"{outer.name}.csv")]
        there = [one for one in forms if one.is_file()]
        if len(there) > 1:
            raise InputError(
                f"one form of release_{part}_patients",
                f"found {' and '.join(one.name for one in there)} in {top}",
                "keep one of them, or name the file to be read",
            )
        found += [Source(one, part) for one in there]
    if not found:
        there_names = sorted(one.name for one in top.iterdir() if one.name.isprintable())
        raise InputError(
            f"release_train_patients, release_validate_patients or release_test_patients in {top}, as .csv or .zip",
            f"found {', '.join(there_names[:8]) or 'an empty folder'}",
            "name the folder that holds them, or the file itself",
            near=nearest("release_validate_patients.csv", there_names),
        )
    return found, top


def _written(name: str) -> str:
    """A file's name as text that can be written, whatever bytes it is made of."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _part_of(path: Path) -> str | None:
    name = path.name.removesuffix(path.suffix)
    return next((part for part in _PARTS if name == f"release_{part}_patients"), None)


def read_lines(source: Source, encoding: str | None, most: int) -> Iterator[PatientLines]:
    """Read one file of patients, `most` rows at a time; each line is a row, for no value holds a line break.

    Raises
    ------
    InputError
        The file cannot be read at all: a damaged zip, one that unfolds beyond the limit, other columns.
    """
    try:
        codecs.lookup(encoding or "utf-8")
        with _opened(source.path) as raw:
            text = io.TextIOWrapper(raw, encoding or "utf-8-sig", errors="surrogateescape", newline="")
            lines = _lines(text)
            names = [name.strip() for name in _fields([next(lines, ("", False))[0]])[0] or []]
            _check_header(names, source)
            rows = (line for line in lines if line[0].strip())
            before = 0
            while some := list(islice(rows, most)):
                yield _split(some, names, before)
                before += len(some)
            if not before:
                yield _split([], names, 0)
    except LookupError:
        raise InputError("the encoding of the patients", f"{encoding!r} is no encoding", "name another") from None
    except _UNREADABLE as error:
        kind = type(error).__name__
        raise InputError(
            f"{source.path} as a whole file of patients",
            f"it cannot be read ({kind}: truncated, damaged, encrypted or of another encoding)",
            "copy it again, or state its encoding",
        ) from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if path.suffix.lower() != ".zip":
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
        if len(members) != 1:
            raise InputError(
                f"one file of patients in {path}", f"found {len(members):,} files", "unpack it and name the right one"
            )
        with archive.open(members[0]) as packed:
            refusal = InputError(
                f"a zip that unfolds to at most {_MOST_EXPANSION} times its size",
                "this one unfolds to more",
                "unpack it yourself if you trust it, and name the file",
            )
            most = max(_HARMLESS, _MOST_EXPANSION * path.stat().st_size)
            yield io.BufferedReader(LimitedBytes(packed, most, refusal), 1 << 20)


def _lines(text: io.TextIOWrapper) -> Iterator[tuple[str, bool]]:
    """Each line and whether it is too long, in which case only its beginning is kept."""
    while line := text.readline(_LONGEST_LINE):
        whole = line.endswith("\n") or len(line) < _LONGEST_LINE
        if not whole:
            while (rest := text.readline(_LONGEST_LINE)) and not rest.endswith("\n"):
                pass
        yield line, not whole


def _split(rows: Sequence[tuple[str, bool]], names: Sequence[str], before: int) -> PatientLines:
    whole = [not cut and _is_text(line) for line, cut in rows]
    fields = iter(_fields([line for (line, _), fine in zip(rows, whole, strict=True) if fine]))
    split = [next(fields) if fine else None for fine in whole]
    good = [row for row in split if row is not None and len(row) == len(names)]
    broken = tuple(
        (number, line.rstrip("\r\n"))
        for number, ((line, _), row) in enumerate(zip(rows, split, strict=True), before + 1)
        if row is None or len(row) != len(names)
    )
    columns = {name: [row[place] for row in good] for name, place in ((c, names.index(c)) for c in COLUMNS)}
    return PatientLines(columns, broken, before, tuple(n for n in names if n not in COLUMNS))


def _is_text(line: str) -> bool:
    """Whether all its bytes were of the encoding."""
    if line.isascii():
        return True
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fields(lines: Sequence[str]) -> list[list[str] | None]:
    """The fields of each line; None where a quote is not closed, which must not swallow the lines that follow."""
    try:
        rows: list[list[str] | None] = list(csv.reader(lines, strict=True))
        if len(rows) == len(lines):
            return rows
    except csv.Error:
        pass
    return [_fields_of(line) for line in lines]


def _fields_of(line: str) -> list[str] | None:
    try:
        return next(csv.reader((line,), strict=True), [])
    except csv.Error:
        return None


def _check_header(names: Sequence[str], source: Source) -> None:
    missing = [name for name in COLUMNS if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if missing or twice:
        found = f"{', '.join(missing)} missing" if missing else f"{', '.join(twice)} more than once"
        near = nearest(missing[0], [n for n in names if len(n) < 40]) if missing else ()
        raise InputError(
            f"the columns {', '.join(COLUMNS)} in {source.path}", f"found {found}", "rename them", near=near
        )
