"""`Records`: cases and what was observed in them, in memory, ready to be indexed like scikit-learn's X."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError
from diagnosis.records.arrays import column_of, fixed
from diagnosis.records.as_of import At, Moment, UnknownTime, check_moment, known_by
from diagnosis.records.by_hand import case_of_rows, tables_of
from diagnosis.records.case import Case
from diagnosis.records.coded import CodedFindings, clocks_of, code_findings, offsets_of, words_of_rows
from diagnosis.records.digest import digest_of
from diagnosis.records.indexing import Key, compact, in_case_order, positions, rows_of, taken
from diagnosis.records.info import checked_info
from diagnosis.records.labels import labels_of, said_diagnoses
from diagnosis.records.loading import OnError, load, words_of
from diagnosis.records.report import Problem, Report
from diagnosis.records.schema import TABLES
from diagnosis.records.unknown import unknown_case, unknown_table
from diagnosis.vocabulary import Vocabulary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Records"]


class Records:
    """A set of cases and their findings; immutable.

    Made by `read_records`, `Records.from_tables` or `Records.from_cases`. It behaves as scikit-learn's X: ``len``,
    ``shape`` and indexing by integers, masks and slices, so that pipelines and cross-validation take it as it is.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        Checked and typed; findings sorted by case, without ``case_id``.
    case : ndarray of int32, shape (n_findings,)
        Position of each finding's case.
    info : mapping
        What ``records.json`` holds.
    vocabulary : Vocabulary
    report : Report
        What was wrong when they were read.
    moment : Moment, optional
        The moment they are seen as of.

    Examples
    --------
    >>> from diagnosis.records import Case, Finding
    >>> records = Records.from_cases([Case([Finding("cough")], diagnosis="flu", case_id="a")])
    >>> records
    <Records: 1 cases of 1 patients, 1 findings (1 codes), 1 diagnoses>
    """

    def __init__(
        self,
        tables: Mapping[str, pa.Table],
        case: npt.NDArray[np.int32],
        *,
        info: Mapping[str, Any],
        vocabulary: Vocabulary,
        report: Report,
        moment: Moment | None = None,
    ) -> None:
        self._tables = MappingProxyType(dict(tables))
        self._case = case
        self.info = MappingProxyType(dict(info))
        self.vocabulary = vocabulary
        self.report = report
        self.moment = moment

    @classmethod
    def from_tables(
        cls,
        tables: Mapping[str, Any],
        info: Mapping[str, Any] | None = None,
        *,
        on_error: OnError = "raise",
        quarantine: str | Path | None = None,
        found: Sequence[Problem] = (),
        lost: Mapping[str, Sequence[str]] | None = None,
    ) -> Records:
        """Check tables of format 1 and take them in.

        Parameters
        ----------
        tables : mapping of str to table
            ``cases`` and ``findings`` at least; pandas, polars or Arrow tables, or mappings of columns.
        info : mapping, optional
            What ``records.json`` would hold.
        on_error : {"raise", "quarantine"}
            Refuse bad rows all together, or set them aside with their reasons and load the rest.
        quarantine : path, optional
            File that receives the rows set aside.
        found, lost
            Problems and broken lines a reader has seen already.

        Raises
        ------
        RecordsError
            With one report of every error.
        """
        checked = checked_info(info)
        loaded = load(tables, checked, on_error=on_error, quarantine=quarantine, found=found, lost=lost)
        findings, case = in_case_order(loaded.tables["findings"].drop_columns(["case_id"]), loaded.case)
        made, words = {**loaded.tables, "findings": findings}, words_of(loaded.tables)
        return cls(made, case, info=checked, vocabulary=words, report=loaded.report)

    @classmethod
    def from_cases(
        cls,
        cases: Iterable[Case],
        info: Mapping[str, Any] | None = None,
        *,
        vocabulary: Any | None = None,
        diagnoses: Any | None = None,
    ) -> Records:
        """Take cases made by hand; `vocabulary` and `diagnoses` are tables of format 1."""
        tables: dict[str, Any] = tables_of(list(cases))
        tables |= {n: t for n, t in (("vocabulary", vocabulary), ("diagnoses", diagnoses)) if t is not None}
        return cls.from_tables(tables, info)

    def __repr__(self) -> str:
        moment = f", {self.moment}" if self.moment else ""
        synthetic = ", synthetic" if self.info.get("synthetic") else ""
        return (
            f"<Records: {len(self):,} cases of {len(set(self.groups)):,} patients, "
            f"{len(self._tables['findings']):,} findings ({self.shape[1]:,} codes), "
            f"{said_diagnoses(self.y)}{synthetic}{moment}>"
        )

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self)[1:-1])}</p>{self.frame('cases').head().to_html(index=False, escape=True)}"

    def __len__(self) -> int:
        return len(self._tables["cases"])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of cases and of codes that are recorded at least once."""
        return len(self), int((np.bincount(self.coded.code) > 0).sum())

    @property
    def nbytes(self) -> int:
        """Bytes that the tables take in memory."""
        return sum(table.nbytes for table in self._tables.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tables that are there."""
        return tuple(self._tables)

    def arrow(self, name: str) -> pa.Table:
        """A table as Arrow; `findings` and `cases` as they are, other tables for these cases only.

        Raises
        ------
        UnknownNameError
            There is no such table.
        """
        if name not in self._tables:
            raise unknown_table(name, self._tables)
        table = self._tables[name]
        if name == "findings":
            ids = self._tables["cases"]["case_id"].take(pa.array(self._case))
            return table.add_column(0, "case_id", ids)
        if name != "cases" and TABLES[name].of_case:
            return table.filter(pc.is_in(table["case_id"], self._tables["cases"]["case_id"].combine_chunks()))
        return table

    def frame(self, name: str) -> pd.DataFrame:
        """A table as a pandas DataFrame (a copy)."""
        return self.arrow(name).to_pandas()

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column of `cases`: text as objects with None, numbers as float64 with NaN, times as datetime64.

        Parameters
        ----------
        name : str
            One of the format (None, NaN or NaT throughout where these records lack it), or one these records carry.
        """
        if len(self) != 1:  # of one case the same few columns are asked for a dozen times
            return column_of(self._tables["cases"], name)
        kept: dict[str, npt.NDArray[Any]] = self.__dict__.setdefault("_kept", {})
        if name not in kept:
            kept[name] = column_of(self._tables["cases"], name)
        return kept[name].copy()

    def case_words(self, name: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.object_]]:
        """A column of `cases` whose text repeats: place of each case's word among the words (-1: none), and those."""
        return words_of_rows(self._tables["cases"], name)

    @property
    def clocks(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """When each finding was known and when observed, each by the other where only one is stated; as `moments`."""
        return clocks_of(self._tables["findings"])

    def finding_words(
        self, name: str, rows: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.object_]]:
        """Text of some rows of `findings`: place of each row's word among the words (-1: none), and those."""
        return words_of_rows(self._tables["findings"], name, rows)

    @cached_property
    def case_ids(self) -> npt.NDArray[np.object_]:
        """Ids of the cases, shape (n_cases,)."""
        return fixed(self.column("case_id"))

    @cached_property
    def groups(self) -> npt.NDArray[np.object_]:
        """Patient of each case, shape (n_cases,); a case without a patient id is a patient of its own."""
        patients = self.column("patient_id")
        alone = np.array([f"case:{c}" for c in self.case_ids], dtype=object)
        return fixed(np.where(patients == None, alone, patients))  # noqa: E711 - elementwise on an object array

    @cached_property
    def y(self) -> npt.NDArray[np.object_]:
        """Principal confirmed diagnosis of each case, None where there is none, shape (n_cases,)."""
        return fixed(self.labels())

    def labels(self, status: Sequence[str] = ("confirmed",)) -> npt.NDArray[np.object_]:
        """Principal diagnosis of each case under the rule of `labels_of`."""
        return labels_of(self._tables["cases"], self._tables.get("labels"), status)

    @cached_property
    def weight(self) -> npt.NDArray[np.float64]:
        """Weight of each case, 1 where none is stated, shape (n_cases,)."""
        weight = self.column("weight")
        return fixed(np.where(np.isnan(weight), 1.0, weight))

    @cached_property
    def _places(self) -> Mapping[str, int]:
        """Position of each case by its id; of one that was taken twice, the first."""
        return {case_id: i for i, case_id in reversed(list(enumerate(self.case_ids.tolist())))}

    @cached_property
    def _offsets(self) -> npt.NDArray[np.int64]:
        return offsets_of(self._case, len(self))

    @cached_property
    def coded(self) -> CodedFindings:
        """The findings as plain arrays."""
        return code_findings(self._tables["findings"], self._case, len(self))

    def __getitem__(self, key: Key) -> Records:
        """Take cases by position, mask or slice; repeats and any order are fine.

        Raises
        ------
        InputError
            The key is text, or picks along more than one dimension.
        IndexError
            A position that is not there, or a mask of another length.
        """
        picked = positions(key, len(self))
        rows, case = rows_of(picked, self._offsets)
        cases, findings = taken(self._tables["cases"], picked), taken(self._tables["findings"], rows, len(picked) == 1)
        return self._with({**self._tables, "cases": cases, "findings": findings}, case)

    def without(self, rows: npt.NDArray[np.bool_]) -> Records:
        """The same cases without some rows of `findings`, given as a mask over `coded`."""
        kept = np.flatnonzero(~rows)
        findings = self._tables["findings"].take(pa.array(kept))
        return self._with({**self._tables, "findings": findings}, self._case[kept])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        raise InputError(
            "asked for records as one array", "they are tables", "encode them: FindingEncoder().fit_transform(records)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers of joblib (n_jobs=2 in cross-validation) get records through this.
        tables = {n: compact(t if n == "findings" else self.arrow(n)) for n, t in self._tables.items()}
        parts = {"info": dict(self.info), "vocabulary": self.vocabulary, "report": self.report, "moment": self.moment}
        return _rebuilt, (tables, self._case, parts)

    def as_of(self, at: At | None = None, *, unknown_time: UnknownTime = "keep", phase: str | None = None) -> Records:
        """These cases as they were known at a moment; findings known later are set aside and counted in `moment`.

        Parameters
        ----------
        at : {"arrival", "index", "end"} or float, optional
            Start of the encounter, the moment a suggestion is asked for, its end, or hours after its start.
        unknown_time : {"keep", "drop"}
            What becomes of findings that do not say when they were known.
        phase : str, optional
            Keep findings up to this phase of the visit, as a clock where there are no times.
        """
        if at is None and phase is None:
            check_moment(at, unknown_time, phase)
            return self
        findings = self._tables["findings"]
        keep, moment = known_by(findings, self._tables["cases"], self._case, at, unknown_time, phase)
        if keep.all():
            return self._with(self._tables, self._case, moment)
        tables = {**self._tables, "findings": findings.filter(pa.array(keep))}
        return self._with(tables, self._case[keep], moment)

    def case(self, which: int | str) -> Case:
        """One case, by position or by id.

        Raises
        ------
        UnknownNameError
            No case has that id.
        """
        if isinstance(which, str):
            if which not in self._places:
                raise unknown_case()
            which = self._places[which]
        one = self if len(self) == 1 and which == 0 else self[[which]]
        return case_of_rows(one._tables["cases"].to_pylist()[0], one._tables["findings"].to_pylist())

    def with_vocabulary(self, words: Vocabulary) -> Records:
        """The same records with more words for their codes; their own come first."""
        made = self._with(self._tables, self._case, self.moment)
        made.vocabulary = self.vocabulary.joined(words)
        return made

    def digest(self) -> str:
        """SHA-256 of the content: the same cases and findings in the same order give the same digest."""
        return digest_of({name: self.arrow(name) for name in self._tables})

    def _with(
        self, tables: Mapping[str, pa.Table], case: npt.NDArray[np.int32], moment: Moment | None = None
    ) -> Records:
        moment = moment or self.moment
        made = Records(tables, case, info=self.info, vocabulary=self.vocabulary, report=self.report, moment=moment)
        for name, same in (("coded", case is self._case), ("_kept", tables["cases"] is self._tables["cases"])):
            if same and name in self.__dict__:
                made.__dict__[name] = self.__dict__[name]
        return made


def _rebuilt(tables: Mapping[str, pa.Table], case: npt.NDArray[np.int32], parts: Mapping[str, Any]) -> Records:
    return Records(tables, case, **parts)
