"""What became of every row of a release: problems with their row numbers, and the file of what is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.errors import RecordsError
from diagnosis.readers.ddxplus.files import PatientLines
from diagnosis.readers.ddxplus.findings import Findings
from diagnosis.readers.ddxplus.patients import Patients
from diagnosis.records import Problem, Report
from diagnosis.records.quarantine import row_numbers, write_quarantine
from diagnosis.records.report import TableCount

__all__ = ["File", "errors_of", "refusal", "set_aside", "warnings_of"]

_BROKEN = "has another number of columns than the header, is too long, or holds bytes that are no text"


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """One file of patients as it was read.

    Parameters
    ----------
    name : str
        What its cases are called after: ``train``.
    label : str
        What messages call it: ``release_train_patients``.
    lines : PatientLines
    patients : Patients
    """

    name: str
    label: str
    lines: PatientLines
    patients: Patients

    @property
    def broken(self) -> npt.NDArray[np.int64]:
        """Row numbers of the lines that could not be split."""
        return np.array([number for number, _ in self.lines.broken], np.int64)

    def numbers(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Row numbers in the file, the first row of data being 1."""
        return row_numbers(rows, self.broken)

    @property
    def count(self) -> TableCount:
        """Rows read and rows that can be used."""
        return TableCount(len(self.lines) + len(self.lines.broken), self.patients.answers.n)


def errors_of(file: File) -> list[Problem]:
    """A problem for each reason for which rows cannot be used."""
    found = [
        _problem("error", f.kind, file, f.column, f.says, file.numbers(f.rows), f.near) for f in file.patients.faults
    ]
    if file.lines.broken:
        found.append(_problem("error", "broken_line", file, "", _BROKEN, file.broken))
    return found


def warnings_of(files: Sequence[File], found: Findings) -> list[Problem]:
    """What is odd and loaded all the same."""
    made = []
    for file in files:
        if len(file.patients.repeated):
            says = "lists an evidence twice; it counts once"
            rows = file.numbers(file.patients.repeated)
            made.append(_problem("warning", "repeated_evidence", file, "EVIDENCES", says, rows))
        for name in file.lines.extra:
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


def refusal(problems: Sequence[Problem], files: Sequence[File]) -> RecordsError:
    """The error that names every kind of problem and loads nothing."""
    counts = {"cases": TableCount(sum(f.count.read for f in files), sum(f.count.loaded for f in files))}
    shown = "\n".join(f"  {p}" for p in problems[:20])
    return RecordsError(
        "asked for a release of DDXPlus",
        f"found {len(problems):,} kind{'s' if len(problems) > 1 else ''} of errors:\n{shown}\n",
        'mend them, or load the rest with on_error="quarantine", which sets bad rows aside with their reasons',
        report=Report(tuple(problems), counts, refused=True),
    )


def set_aside(files: Sequence[File], path: str | Path) -> str:
    """Write the rows that cannot be used, with their reasons, for the owner's eyes only."""
    reasons: dict[str, dict[int, list[str]]] = {}
    for file in files:
        mine = reasons.setdefault(file.label, {})
        for fault in file.patients.faults:
            for row in fault.rows.tolist():
                mine.setdefault(row, []).append(f"{fault.column} {fault.says}")
    return write_quarantine(
        path,
        {f.label: pa.table({name: pa.array(v, pa.string()) for name, v in f.lines.columns.items()}) for f in files},
        reasons,
        {f.label: [text for _, text in f.lines.broken] for f in files if f.lines.broken},
        {f.label: dict.fromkeys(f.broken.tolist(), _BROKEN) for f in files},
    )


def _problem(
    severity: Literal["error", "warning"],
    kind: str,
    file: File,
    column: str,
    says: str,
    rows: npt.NDArray[np.int64],
    near: tuple[str, ...] = (),
) -> Problem:
    numbers = tuple(rows.tolist())
    return Problem(severity, kind, file.label, column, says, numbers, near, len(numbers))
