"""A folder of Parquet tables as a sequence of `Records`, a batch of cases at a time, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError
from diagnosis.readers.buckets import Rows, parts_in_any_order
from diagnosis.readers.in_step import InStep, NotInOrderError
from diagnosis.readers.partitions import Partitions, open_partitions
from diagnosis.readers.tables import INFO, read_info, read_table, table_sources
from diagnosis.readers.unique_ids import check_unique
from diagnosis.records import TABLES, Problem, Records, Report
from diagnosis.records.loading import checked_info, load, words_of
from diagnosis.records.report import TableCount
from diagnosis.records.suspicions import twin_codes
from diagnosis.vocabulary import Vocabulary

__all__ = ["RecordsFolder", "open_records"]

#: Cases read together, unless told.
BATCH_CASES = 1 << 14
_BATCH_ROWS = 1 << 18
_REQUIRED = ("case_id", "code", "status")
T = TypeVar("T")


class RecordsFolder:
    """Records in Parquet that are read a batch of cases at a time; made by `open_records`.

    Iterating gives `Records` of at most `batch_cases` cases each, in the order of the table ``cases``, as often as
    asked. Every law of format 1 that a batch can show is checked, as by `read_records`. Whether an id stands twice is
    checked over the whole; suspicions (rare diagnoses, units) are those of a batch, but for twins of codes: see
    `report`.

    Parameters
    ----------
    cases : Partitions
    others : mapping of str to Partitions
        The tables with a row or more a case: ``findings``, ``labels`` and the like.
    small : mapping of str to pa.Table
        The tables that are held whole: the vocabulary, the diagnoses, the sites.
    info : mapping
        What ``records.json`` holds.
    batch_cases : int
    columns : sequence of str, optional
        The columns of ``findings`` that are read.

    Examples
    --------
    >>> import tempfile, diagnosis as dx
    >>> folder = dx.make_cohort(200, seed=1, to=tempfile.mkdtemp())
    >>> [len(records) for records in dx.open_records(folder, batch_cases=150)]
    [150, 50]
    """

    def __init__(
        self,
        cases: Partitions,
        others: Mapping[str, Partitions],
        small: Mapping[str, pa.Table],
        *,
        info: Mapping[str, Any],
        batch_cases: int = BATCH_CASES,
        columns: Sequence[str] | None = None,
    ) -> None:
        self.batch_cases = batch_cases
        self.columns = columns
        self.info = dict(info)
        self.vocabulary: Vocabulary = words_of(small)
        self._cases = cases
        self._others = dict(others)
        self._small = dict(small)
        self._in_order: bool | None = None
        self._unique = False

    def __len__(self) -> int:
        return self._cases.n_rows

    def __repr__(self) -> str:
        return f"<RecordsFolder: {len(self):,} cases, {self._others['findings'].n_rows:,} findings, in Parquet>"

    def __iter__(self) -> Iterator[Records]:
        if self._in_order is None:
            self.over(lambda parts: [None for _ in parts], columns=())
        for part in self._parts(self.columns):
            tables = {name: part.arrow(name) for name in part.names}
            yield Records.from_tables(tables, self.info)

    def over(
        self,
        work: Callable[[Iterator[Records]], T],
        *,
        columns: Sequence[str] | None = None,
        of_cases: Sequence[str] | None = None,
    ) -> T:
        """Give `work` all batches, with only `columns` of the findings where named, and return what it returns.

        Rows are checked one by one (types, enumerations, bounds, ids); contradictions between rows are not looked for.
        Where the findings do not come in the order of their cases, which is found out on the way, `work` is called a
        second time: rows are then put into buckets on disk first, which takes the space of the findings once more, the
        ids of all cases in memory and about twice the time.

        Parameters
        ----------
        work : callable
            Takes an iterator of `Records` and goes through all of it; keeps nothing when called again.
        columns : sequence of str, optional
            Columns of `findings` that are needed, beside those that are required; tables other than these and ``cases``
            are then left out.
        of_cases : sequence of str, optional
            Columns of `cases` that are needed, beside the id.

        Raises
        ------
        RecordsError
            A row that format 1 does not allow, or that belongs to no case; an id that stands twice.
        """
        if self.columns is not None:
            columns = [c for c in self.columns if columns is None or c in columns]
        try:
            done = work(self._parts(columns, of_cases))
        except NotInOrderError:
            self._in_order = False
            self._check_ids()
            return work(self._parts(columns, of_cases))
        self._check_ids()
        return done

    def in_order(self) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]] | None:
        """The ids of all cases, and where the findings of each begin among the rows and the last end (one more).

        None where the findings do not come in the order of their cases.
        """

        def looked_at(parts: Iterator[Records]) -> list[tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]]:
            return [(part.case_ids, np.diff(part.coded.offsets)) for part in parts]

        seen = self.over(looked_at, columns=(), of_cases=())
        if not self._in_order:
            return None
        ids, counts = zip(*seen, strict=True) if seen else ((), ())
        return np.concatenate([np.empty(0, object), *ids]), np.cumsum(np.concatenate([[0], *counts]))

    def between(self, first: int, stop: int, bounds: npt.NDArray[np.int64]) -> RecordsFolder:
        """The cases from number `first` up to `stop` with their findings; `bounds` as of `in_order`."""
        cases = self._cases.between(first, stop)
        others = {"findings": self._others["findings"].between(int(bounds[first]), int(bounds[stop]))}
        return RecordsFolder(cases, others, self._small, info=self.info, batch_cases=self.batch_cases)

    @cached_property
    def report(self) -> Report:
        """What no batch can show alone: codes of the whole that differ only in case, width or spaces.

        Looked up once, by going through the codes of all findings.
        """
        findings = self._others["findings"]
        codes: set[str] = set()
        for batch in findings.only(("code",)).batches(_BATCH_ROWS):
            codes.update(pc.unique(batch["code"].combine_chunks()).cast(pa.string()).to_pylist())
        twins = twin_codes(list(codes))
        found = Problem("warning", twins.kind, twins.table, twins.column, twins.says, count=twins.count)
        counts = {"cases": len(self), "findings": findings.n_rows}
        return Report((found,) if twins.count else (), {name: TableCount(n, n) for name, n in counts.items()})

    def _check_ids(self) -> None:
        if not self._unique:
            check_unique(self._cases)
            self._unique = True

    def _parts(self, columns: Sequence[str] | None, of_cases: Sequence[str] | None = None) -> Iterator[Records]:
        wanted = None if columns is None else (*_REQUIRED, *columns)
        cases = self._cases if of_cases is None else self._cases.only(("case_id", *of_cases))
        others = {n: t.only(wanted) for n, t in self._others.items() if wanted is None or n == "findings"}
        if self._in_order is False:
            followed = parts_in_any_order(cases, others, self.batch_cases)
        else:
            followed = _parts_in_order(cases, others, self.batch_cases)
        for batch, rows in followed:
            yield self._records(batch, rows)
        if self._in_order is None:
            self._in_order = True

    def _records(self, cases: pa.Table, rows: Rows) -> Records:
        findings, case = rows["findings"]
        tables = {"cases": cases, "findings": findings, **self._small}
        for name in rows:
            if name != "findings":
                table, place = rows[name]
                tables[name] = table.add_column(0, "case_id", cases["case_id"].take(pa.array(place)))
        counts = {name: TableCount(len(table), len(table)) for name, table in tables.items()}
        return Records(tables, case, info=self.info, vocabulary=self.vocabulary, report=Report((), counts))


def open_records(
    folder: str | Path, *, batch_cases: int = BATCH_CASES, columns: Sequence[str] | None = None
) -> RecordsFolder:
    """Open a folder of records in Parquet, of any size, to be read a batch of cases at a time.

    Parameters
    ----------
    folder : path
        ``cases`` and ``findings``, each as one file or a folder of parts; what else there may be of format 1. Fastest
        where the findings come in the order of their cases.
    batch_cases : int
        Cases read together: what has to be held in memory.
    columns : sequence of str, optional
        The columns of `findings` to read beside those that are required, and no table but ``cases`` and ``findings``
        then; ``("time", "known", "subject")`` leaves nothing but states. All if not given.

    Returns
    -------
    RecordsFolder

    Raises
    ------
    InputError
        No such folder; a table of cases that is not Parquet; parts that differ in their schema.
    """
    if isinstance(batch_cases, bool) or not isinstance(batch_cases, (int, np.integer)) or batch_cases < 1:
        raise InputError("batch_cases is a whole number from 1.", f"Found {batch_cases!r}.", "Change it.")
    path = Path(folder)
    sources = table_sources(path)
    info = checked_info(read_info(path / INFO))
    zone = info.get("timezone")
    of_case = {name: source for name, source in sources.items() if TABLES[name].of_case}
    for name, source in of_case.items():
        if not source.is_dir() and source.suffix != ".parquet":
            raise InputError(
                f"table `{name}` in Parquet, to be read in batches",
                f"found {source.name}",
                "read it with read_records, or write it as Parquet with write_records",
            )
    tables = {name: open_partitions(source, name, zone) for name, source in of_case.items()}
    cases = tables.pop("cases")
    small = {n: read_table(s, n, None).table for n, s in sources.items() if not TABLES[n].of_case}
    nobody = {"cases": cases.only(("case_id",)).empty(), "findings": tables["findings"].only(_REQUIRED).empty()}
    typed = load({**nobody, **small}, info).tables
    held = {name: typed[name] for name in small}
    return RecordsFolder(cases, tables, held, info=info, batch_cases=int(batch_cases), columns=columns)


def _parts_in_order(
    cases: Partitions, others: Mapping[str, Partitions], batch_cases: int
) -> Iterator[tuple[pa.Table, Rows]]:
    steps = {name: InStep(table.batches(_BATCH_ROWS), table.empty()) for name, table in others.items()}
    for batch in cases.batches(batch_cases):
        ids = batch["case_id"].combine_chunks()
        yield batch, {name: step.take(ids) for name, step in steps.items()}
    for step in steps.values():
        step.finish()
