"""What became of every row of a release: the account, problems with row numbers, and the file of what is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from diagnosis.errors import RecordsError
from diagnosis.readers.ddxplus.findings import Findings
from diagnosis.readers.ddxplus.patient_files import PatientFile
from diagnosis.readers.states import states_of
from diagnosis.records import Problem, Report
from diagnosis.records.quarantine import write_quarantine
from diagnosis.records.report import TableCount, listed

__all__ = ["account_of", "errors_of", "refusal", "set_aside", "warnings_of"]

_BROKEN = "has another number of columns than the header, is too long, or holds bytes that are no text"


def errors_of(file: PatientFile) -> list[Problem]:
    """A problem for each reason for which rows cannot be used."""
    found = [_problem("error", f.kind, file, f.column, f.says, f.rows.tolist(), f.near) for f in file.faults.values()]
    if file.broken:
        found.append(_problem("error", "broken_line", file, "", _BROKEN, [*file.broken]))
    return found


def warnings_of(files: Sequence[PatientFile], found: Findings) -> list[Problem]:
    """What is odd and loaded all the same."""
    made = []
    for file in files:
        if file.repeated:
            says = "lists an evidence twice; it counts once"
            made.append(_problem("warning", "repeated_evidence", file, "EVIDENCES", says, file.repeated))
        for name in file.extra:
            says = "the column is not in the format and is not read"
            made.append(Problem("warning", "unknown_column", file.label, name[:40], says, count=1))
    if len(found.without_parent):
        n = len(found.without_parent)
        says = f"{n:,} cases answer a question whose parent they do not list; the parent is left unrecorded"
        made.append(Problem("warning", "answer_without_parent", "findings", "code", says, count=n))
    if found.not_asked:
        says = f'{found.not_asked:,} answers "nothing" to questions whose parent is denied are left unrecorded'
        made.append(Problem("note", "not_asked", "findings", "code", says, count=found.not_asked))
    return made


def account_of(files: Sequence[PatientFile], cases: pa.Table, found: Findings) -> list[Problem]:
    """What was read of each file and kept, the labels and lists of the cases, and the states of their findings."""
    made = []
    for file in files:
        n, kept = file.count.read, file.count.loaded
        says = f"{n:,} patients read: {kept:,} cases, {n - kept:,} set aside"
        made.append(Problem("note", "account", file.label, "", says, count=n))
    n, labelled, listed = len(cases), *(len(cases) - cases[c].null_count for c in ("diagnosis", "differential"))
    says = f"{labelled:,} of {n:,} cases have a diagnosis (PATHOLOGY), {listed:,} a reference list"
    made.append(Problem("note", "labels", "labels", "", says, count=labelled))
    return [*made, states_of(found.table)]


def refusal(problems: Sequence[Problem], files: Sequence[PatientFile]) -> RecordsError:
    """The error that names every kind of problem and loads nothing."""
    counts = {"cases": TableCount(sum(f.count.read for f in files), sum(f.count.loaded for f in files))}
    return RecordsError(
        "asked for a release of DDXPlus",
        listed(problems),
        'mend them, or load the rest with on_error="quarantine" (diagnosis convert --quarantine FILE), which sets bad '
        "rows aside with their reasons",
        report=Report(tuple(problems), counts, refused=True),
    )


def set_aside(files: Sequence[PatientFile], path: str | Path) -> str:
    """Write the rows that cannot be used, with their reasons, for the owner's eyes only."""
    reasons: dict[str, dict[int, list[str]]] = {}
    for file in files:
        mine = reasons.setdefault(file.label, {})
        place = {number: i for i, number in enumerate(sorted(file.bad))}
        for fault in file.faults.values():
            for number in fault.rows.tolist():
                mine.setdefault(place[number], []).append(f"{fault.column} {fault.says}")
    return write_quarantine(
        path,
        {file.label: file.bad_table() for file in files},
        reasons,
        {file.label: [*file.broken.values()] for file in files if file.broken},
        {file.label: dict.fromkeys(file.broken, _BROKEN) for file in files},
        numbers={file.label: sorted(file.bad) for file in files},
    )


def _problem(
    severity: Literal["error", "warning"],
    kind: str,
    file: PatientFile,
    column: str,
    says: str,
    rows: Sequence[int],
    near: tuple[str, ...] = (),
) -> Problem:
    return Problem(severity, kind, file.label, column, says, tuple(rows), near, len(rows))
