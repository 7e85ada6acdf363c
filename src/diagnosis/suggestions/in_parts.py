"""Suggestions for a folder of Parquet of any size: read, answered and written a part at a time.

A part is there whole or not at all, so that work that was interrupted goes on with the next one. Until the last part is
written the folder says that it is not finished.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from diagnosis.errors import InputError
from diagnosis.features.streaming import ENCODED, OF_CASES
from diagnosis.readers import open_records
from diagnosis.readers.parquet_files import write_parquet
from diagnosis.suggestions.inputs import refuse_contradictions
from diagnosis.suggestions.plain_answers import PlainAnswers
from diagnosis.suggestions.policy import GROUPINGS
from diagnosis.suggestions.red_flags.rule import NUMBERS, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagnosis.readers.records_folder import RecordsFolder
    from diagnosis.records import Records
    from diagnosis.suggestions.diagnoser import Diagnoser, Reading

__all__ = ["Parts", "suggest_parts"]

_DONE, _UNDONE, _PARTS = "suggestions.json", "unfinished.json", "part-*.parquet"
_ANY_ORDER = "findings-in-any-order"
#: What is read: what encoding, red flags and the check for contradictions look at, and what sets keep coverage by.
_OF_FINDINGS = (*ENCODED, "comparator", "phase", "body_site")
_OF_CASES = (*OF_CASES, *NUMBERS, *WORDS, *GROUPINGS)
# Numbers in an array of cases by diagnoses.
_MOST_NUMBERS = 1 << 20


@dataclass(frozen=True, slots=True)
class Parts:
    """What was written.

    Parameters
    ----------
    folder : Path
    n_cases : int
    n_parts : int
    n_kept : int
        Parts that were there already, from work that was interrupted.
    """

    folder: Path
    n_cases: int
    n_parts: int
    n_kept: int


def suggest_parts(
    diagnoser: Diagnoser,
    records: str | Path,
    folder: str | Path,
    *,
    top: int | None = None,
    reading: Reading | None = None,
    part_cases: int = 1 << 14,
) -> Parts:
    """Answer every case of a folder of Parquet, and write the answers as a folder of Parquet parts.

    Parameters
    ----------
    diagnoser : Diagnoser
    records : path
        As `open_records` takes it.
    folder : path
        New, empty, or what the same work has left unfinished.
    top, reading
        As in `Diagnoser.suggest`.
    part_cases : int
        Cases in a part, and held in memory together.

    Returns
    -------
    Parts
        In them a row a case, in the order of the table ``cases``; columns as the keys of `Differential.to_json`, flags
        as JSON.

    Raises
    ------
    InputError
        The folder holds something else; or the model looks back at a patient's other encounters, which may lie in
        another part.
    """
    folder = Path(folder)
    if diagnoser.encoder_.windows:
        raise InputError(
            "Cases were to be answered part by part",
            "This model looks back at a patient's other encounters, which may lie in another part",
            "Ask it with all cases at once (--format jsonl), or train without features.windows.",
        )
    source = open_records(records, batch_cases=part_cases)
    asked = {"model": diagnoser.fingerprint, "top": top, "reading": reading, "part_cases": part_cases}
    identity = {**asked, "n_cases": len(source), "records": _files_of(Path(records))}
    if _take(folder, identity) and not _is_in_order(source):
        _start_again(folder)
    answered, times = PlainAnswers(diagnoser, top, reading), count()

    def answer(parts: Iterator[Records]) -> Parts:
        if next(times):
            _start_again(folder)
        return _answer(answered, parts, folder)

    done = source.over(answer, columns=_OF_FINDINGS, of_cases=_OF_CASES)
    _finish(folder, {"format": 1, **asked, "n_cases": done.n_cases, "n_parts": done.n_parts}, identity)
    return done


def _answer(answered: PlainAnswers, parts: Iterator[Records], folder: Path) -> Parts:
    """Write the parts that are not there yet."""
    n_cases = n_parts = n_kept = 0
    for n_parts, some in enumerate(parts, start=1):
        part = folder / f"part-{n_parts - 1:05d}.parquet"
        n_cases += len(some)
        if _is_whole(part, len(some)):
            n_kept += 1
            continue
        refuse_contradictions(some)
        _write(_table(answered, some), part)
    return Parts(folder, n_cases, n_parts, n_kept)


def _files_of(records: Path) -> list[list[object]]:
    """The files by name, size and time: whether they are still those that were being answered."""
    files = sorted(path for path in records.rglob("*") if path.is_file())
    stats = [(path, path.stat()) for path in files]
    return [[path.relative_to(records).as_posix(), stat.st_size, stat.st_mtime_ns] for path, stat in stats]


def _take(folder: Path, identity: dict[str, Any]) -> bool:
    """Make the folder this work's own, and say whether there is something to go on with that the same work has left."""
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o700)
    asked = f"Suggestions were to be written into {folder}"
    if not folder.is_dir():
        raise InputError(asked, "There is a file of that name", "Name another folder.")
    inside = {path.name for path in folder.iterdir()}
    if _DONE in inside:
        raise InputError(asked, "It holds finished suggestions", "Name another folder, or remove it.")
    if _UNDONE in inside:
        if _read(folder / _UNDONE) != identity:
            found = "It holds unfinished suggestions of another model, of other records or with other options"
            raise InputError(asked, found, "Name another folder, or remove it.")
        for left in folder.glob(".*.partial"):
            left.unlink()
        return any(folder.glob(_PARTS))
    if inside:
        raise InputError(asked, "It holds something else", "Name a new or an empty folder.")
    (folder / _UNDONE).write_text(json.dumps(identity), encoding="utf-8")
    return False


def _is_in_order(source: RecordsFolder) -> bool:
    """Whether the findings come in the order of their cases; the source keeps it in mind."""
    times = count()

    def look(parts: Iterator[Records]) -> bool:
        first = next(times) == 0
        for _ in parts:
            pass
        return first

    return source.over(look, columns=(), of_cases=())


def _start_again(folder: Path) -> None:
    """Remove parts that were written before it was known that the findings of a case do not stand together."""
    mark = folder / _ANY_ORDER
    if not mark.exists():
        for part in folder.glob(_PARTS):
            part.unlink()
        mark.touch()


def _read(path: Path) -> Any:
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None


def _is_whole(part: Path, n_cases: int) -> bool:
    with suppress(OSError, pa.ArrowException):
        return int(pq.read_metadata(part).num_rows) == n_cases
    return False


def _table(answered: PlainAnswers, some: Records) -> pa.Table:
    step = max(1, _MOST_NUMBERS // len(answered.diagnoser.classes_))
    if len(some) <= step:
        return answered(some)
    return pa.concat_tables([answered(some[i : i + step]) for i in range(0, len(some), step)])


def _write(table: pa.Table, part: Path) -> None:
    """Write a part, whole or not at all; readable by its owner alone, as it speaks of patients."""
    made = part.with_name(f".{part.name}.partial")
    try:
        made.touch(mode=0o600)
        write_parquet(table, made)
        made.replace(part)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def _finish(folder: Path, about: dict[str, Any], identity: dict[str, Any]) -> None:
    about = {**about, "records": identity["records"]}
    made = folder / f".{_DONE}.partial"
    made.write_text(json.dumps(about, indent=1), encoding="utf-8")
    made.replace(folder / _DONE)
    (folder / _ANY_ORDER).unlink(missing_ok=True)
    (folder / _UNDONE).unlink()
