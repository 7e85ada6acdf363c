"""One file of patients, read in batches: what is kept of it is what becomes records, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.readers.ddxplus.codebook import Codebook
from diagnosis.readers.ddxplus.files import COLUMNS, ROWS, PatientLines, Source, read_lines
from diagnosis.readers.ddxplus.patients import Answers, Fault, Patients, read_patients
from diagnosis.records.report import TableCount

__all__ = ["PatientFile"]


class PatientFile:
    """One file of patients.

    Parameters
    ----------
    source : Source
    keep : bool
        Whether the content of rows that cannot be used will be wanted.

    Attributes
    ----------
    read, loaded : int
        Rows so far, and those of them that can be used.
    faults : dict of (str, str) to Fault
        By kind and column; its rows are row numbers in the file.
    repeated : list of int
        Row numbers of rows that list an evidence twice.
    broken : dict of int to str
        Lines that could not be split, by row number.
    bad : dict of int to dict
        Values of the rows with faults, by row number.
    extra : tuple of str
        Columns that are not read.
    """

    def __init__(self, source: Source, keep: bool) -> None:
        self.name, self.label = source.name, source.label
        self.read = 0
        self.loaded = 0
        self.faults: dict[tuple[str, str], Fault] = {}
        self.repeated: list[int] = []
        self.broken: dict[int, str] = {}
        self.bad: dict[int, dict[str, str]] = {}
        self.extra: tuple[str, ...] = ()
        self._source = source
        self._keep = keep
        self._cases: list[pa.Table] = []

    @property
    def count(self) -> TableCount:
        """Rows read and rows that can be used."""
        return TableCount(self.read, self.loaded)

    def answers(self, encoding: str | None, book: Codebook, diagnoses: Mapping[str, str]) -> Iterator[Answers]:
        """Read the file, and yield what the patients of each batch list.

        Raises
        ------
        InputError
            It cannot be read at all.
        """
        for lines in read_lines(self._source, encoding, ROWS):
            patients = read_patients(lines, book, diagnoses)
            self._take(lines, patients)
            yield patients.answers

    def cases(self) -> pa.Table:
        """Hand over the cases of all batches; nothing is kept."""
        made, self._cases = pa.concat_tables(self._cases), []
        return made

    def bad_table(self) -> pa.Table:
        """The rows with faults as they stand in the file, in its order."""
        rows = [self.bad[number] for number in sorted(self.bad)]
        return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in COLUMNS})

    def _take(self, lines: PatientLines, patients: Patients) -> None:
        self.extra = lines.extra
        self.read += len(lines) + len(lines.broken)
        self.loaded += patients.answers.n
        self.repeated += lines.numbers(patients.repeated).tolist()
        self.broken |= {number: text if self._keep else "" for number, text in lines.broken}
        for fault in patients.faults:
            known = self.faults.get((fault.kind, fault.column))
            numbers = lines.numbers(fault.rows)
            self.faults[fault.kind, fault.column] = (
                replace(fault, rows=numbers) if known is None else replace(known, rows=_after(known.rows, numbers))
            )
            if self._keep:
                for row, number in zip(fault.rows.tolist(), numbers.tolist(), strict=True):
                    self.bad[number] = {name: lines.columns[name][row] for name in COLUMNS}
        self._cases.append(self._table(lines, patients))

    def _table(self, lines: PatientLines, patients: Patients) -> pa.Table:
        numbers = pa.array(lines.numbers(patients.kept)).cast(pa.string())
        ids = pc.binary_join_element_wise(pa.scalar(self.name), numbers, "-")
        group = pa.array([self.name] * len(numbers), pa.string())
        return pa.table({"case_id": ids, "group": group, **patients.cases})


def _after(rows: npt.NDArray[np.int64], more: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([rows, more])
