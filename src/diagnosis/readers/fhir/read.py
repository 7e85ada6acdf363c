"""`read_fhir`: bundles and bulk exports of FHIR R4 -> Records."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diagnosis.errors import InputError, nearest
from diagnosis.readers.fhir.account import FATES, KINDS, Fate, problems_of, shown
from diagnosis.readers.fhir.cases import CaseKind
from diagnosis.readers.fhir.intake import Intake
from diagnosis.readers.fhir.labels import Several
from diagnosis.readers.fhir.notes import notes_of
from diagnosis.readers.fhir.resource_types import OTHER_TYPES
from diagnosis.readers.fhir.set_aside import SetAside
from diagnosis.readers.fhir.tables import make_tables
from diagnosis.readers.json_files import MAX_EXPANSION, BadFileError, Source, opened, sources
from diagnosis.readers.json_values import MAX_BYTES, BadValueError, Decoder, End, Entry, Values, lines
from diagnosis.records import Problem, Records
from diagnosis.records.info import checked_info
from diagnosis.records.loading import OnError

__all__ = ["read_fhir"]

_NAMED = b'{"resourceType":"'
_OTHERS = {name.encode(): name for name in OTHER_TYPES}
# Set aside only when everything was read, without their content.
_LATE = tuple(f for f in Fate if f.is_error and f not in (Fate.MALFORMED, Fate.STU3, Fate.R5))


def read_fhir(
    path: str | Path,
    *,
    case: CaseKind = "encounter",
    several: Several = "first",
    timezone: str | None = None,
    encoding: str | None = None,
    on_error: OnError = "raise",
    quarantine: str | Path | None = None,
    max_line_bytes: int = MAX_BYTES,
    max_expansion: int = MAX_EXPANSION,
) -> Records:
    """Read FHIR R4: a bundle, a folder of bundles, or the NDJSON of a bulk export; each also with gzip.

    Observations become findings with their state: a coded or Boolean no, and a negative result, is *absent*; asked or
    done without an answer is *uncertain*; what was not asked or not done has no row. Conditions become labels, and
    those that are symptoms findings. `records.report` holds the account of what was read, used, left out and set
    aside, and of how many encounters got a label by which rule.

    Parameters
    ----------
    path : path
        A file or a folder with ``.json``, ``.ndjson`` or ``.jsonl``, each also with ``.gz``.
    case : {"encounter", "patient"}
        What a case is.
    several : {"first", "none"}
        Of several Conditions of a case that nothing ranks, the first recorded is its principal diagnosis, or none is.
    timezone : str, optional
        IANA zone of dates, and of times that name none; UTC when not given.
    encoding : str, optional
        FHIR is UTF-8; another where an export is not.
    on_error : {"raise", "quarantine"}
        Refuse everything with one report of every error, or set what is wrong aside and load the rest.
    quarantine : path, optional
        File for what is set aside, with places and reasons.
    max_line_bytes : int
        A line of NDJSON, or a resource in a JSON file, that is longer is an error.
    max_expansion : int
        A gzip file that unfolds to more than this many times its size, beyond 64 MB, is read no further.

    Returns
    -------
    Records

    Raises
    ------
    InputError
        There is nothing to read, or an option is not known.
    RecordsError
        Something cannot be used, with ``on_error="raise"``.
    """
    _check("case", case, ("encounter", "patient"))
    _check("several", several, ("first", "none"))
    if max_line_bytes < 1 or max_expansion < 1:
        raise InputError("limits of 1 or more", "found a smaller one", "leave them out, or give larger ones")
    info = checked_info({"source": "FHIR R4"} | ({"timezone": timezone} if timezone else {}))
    decoder = Decoder(encoding)
    files, ignored = sources(path, "FHIR")
    with SetAside(on_error == "quarantine" and quarantine is not None) as aside:
        intake = Intake(timezone, aside)
        with _no_collector():
            for source in files:
                _read_file(source, intake, decoder, max_line_bytes, max_expansion)
        made = make_tables(intake, case, several)
        _write_late(intake, files)
        found = [*_refused(intake), *problems_of(intake.register), *notes_of(intake, made, ignored)]
        records = Records.from_tables(made.tables, info, on_error=on_error, quarantine=quarantine, found=found)
        if quarantine is not None and records.report.quarantine:
            aside.append_to(quarantine)
    return records


def _check(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise InputError(
            f"{name} is {' or '.join(known)}", f"found {given!r}", "use one of these", near=nearest(str(given), known)
        )


def _read_file(source: Source, intake: Intake, decoder: Decoder, most: int, max_expansion: int) -> None:
    intake.stand_at(source)
    try:
        with opened(source, max_expansion) as stream:
            if source.lines:
                for number, line in lines(stream, most):
                    intake.stand_at(source, number)
                    _read_line(line, intake, decoder, most)
            else:
                _read_values(Values(stream, decoder, most), source, intake)
    except BadFileError as error:
        intake.refuse(f"a file {error}; what stands before that place is read")


def _read_line(line: bytes | None, intake: Intake, decoder: Decoder, most: int) -> None:
    if line is None:
        intake.refuse(f"a line is longer than {most:,} bytes; max_line_bytes allows more")
        return
    if line.startswith(_NAMED):
        name = _OTHERS.get(line[len(_NAMED) : line.find(b'"', len(_NAMED))])
        if name is not None:
            intake.skip(name)
            return
    try:
        value = decoder.value(line)
    except BadValueError as error:
        intake.refuse(f"a line {error}", line.decode(decoder.encoding, "backslashreplace").rstrip("\r\n"))
        return
    intake.take(value)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Keep Python's cycle collector from walking through all that was read again and again: JSON holds no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read_values(values: Values, source: Source, intake: Intake) -> None:
    start, entry = len(intake.register), 0
    try:
        for value in values:
            if isinstance(value, Entry):
                entry += 1
                intake.take_entry(value.value, entry)
                continue
            intake.stand_at(source)
            if not isinstance(value, End):
                intake.take(value)
            elif value.head is not None:
                if value.head.get("resourceType") != "Bundle":
                    intake.cut_off(start)
                intake.take(value.head)
            start, entry = len(intake.register), 0
    except (BadValueError, BadFileError) as error:
        intake.cut_off(start)
        intake.refuse(f"a file {error}; what stands before that place in the same bundle is set aside with it")


def _refused(intake: Intake) -> list[Problem]:
    return [
        Problem("error", "unreadable", "files", "", f"{reason}: {n:,} ({shown(intake.refused[reason], n)})", count=n)
        for reason, n in intake.n_refused.items()
    ]


def _write_late(intake: Intake, files: list[Source]) -> None:
    """Name in the quarantine file what turned out wrong only when everything was read."""
    for number, code in enumerate(intake.register.fate):
        if code in _LATE:
            place = intake.register.place(number)
            kind = KINDS[intake.register.kind[number]]
            intake.aside.write(kind, place, files[place.file - 1], FATES[Fate(code)])
