"""`Records`: cases and what was observed in them, in memory, ready to be indexed like scikit-learn's X."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from types import EllipsisType, MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.errors import InputError, UnknownNameError, nearest
from diagnosis.records.as_of import At, Moment, UnknownTime, known_by
from diagnosis.records.case import Case, Finding
from diagnosis.records.coded import CodedFindings, code_findings
from diagnosis.records.labels import labels_of
from diagnosis.records.loading import OnError, checked_info, load, words_of
from diagnosis.records.report import Problem, Report
from diagnosis.records.schema import TABLES
from diagnosis.vocabulary import Vocabulary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Records"]

_Key = int | slice | Sequence[int] | npt.NDArray[Any] | tuple[Any, EllipsisType]


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
        made, words = dict(loaded.tables), words_of(loaded.tables)
        order = np.argsort(loaded.case, kind="stable")
        findings = made["findings"].drop_columns(["case_id"])
        if (np.diff(order) != 1).any():
            findings = findings.take(pa.array(order))
        made["findings"] = findings.combine_chunks()
        return cls(made, loaded.case[order], info=checked, vocabulary=words, report=loaded.report)

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
        tables: dict[str, Any] = _tables_of(list(cases))
        tables |= {n: t for n, t in (("vocabulary", vocabulary), ("diagnoses", diagnoses)) if t is not None}
        return cls.from_tables(tables, info)

    def __repr__(self) -> str:
        moment = f", {self.moment}" if self.moment else ""
        synthetic = ", synthetic" if self.info.get("synthetic") else ""
        return (
            f"<Records: {len(self):,} cases of {len(set(self.groups)):,} patients, "
            f"{len(self._tables['findings']):,} findings ({self.shape[1]:,} codes), "
            f"{len({d for d in self.y if d is not None}):,} diagnoses{synthetic}{moment}>"
        )

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self)[1:-1])}</p>{self.frame('cases').head().to_html(index=False, escape=True)}"

    def __len__(self) -> int:
        return len(self._tables["cases"])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of cases and of codes that are recorded at least once."""
        return len(self), len(np.unique(self.coded.code))

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
            raise UnknownNameError(
                f"asked for table {name!r}",
                f"these records have {', '.join(self._tables)}",
                "ask for one of these",
                near=nearest(name, self._tables),
            )
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
            A column of the format (None, NaN or NaT throughout where these records lack it), or one these records carry.
        """
        cases = self._tables["cases"]
        layout = TABLES["cases"].column(name)
        if name not in cases.column_names:
            if layout is None:
                known = [*TABLES["cases"].columns, *cases.column_names]
                raise UnknownNameError(
                    f"asked for column {name!r} of cases",
                    "there is none of that name",
                    "ask for a column of the format",
                    near=nearest(name, known),
                )
            return _plain(pa.nulls(len(self), layout.arrow))
        return _plain(cases[name].combine_chunks())

    @cached_property
    def case_ids(self) -> npt.NDArray[np.object_]:
        """Ids of the cases, shape (n_cases,)."""
        return self.column("case_id")

    @cached_property
    def groups(self) -> npt.NDArray[np.object_]:
        """Patient of each case, shape (n_cases,); a case without a patient id is a patient of its own."""
        patients = self.column("patient_id")
        alone = np.array([f"case:{c}" for c in self.case_ids], dtype=object)
        return np.where(patients == None, alone, patients)  # noqa: E711 - elementwise on an object array

    @cached_property
    def y(self) -> npt.NDArray[np.object_]:
        """Principal confirmed diagnosis of each case, None where there is none, shape (n_cases,)."""
        return self.labels()

    def labels(self, status: Sequence[str] = ("confirmed",)) -> npt.NDArray[np.object_]:
        """Principal diagnosis of each case under the rule of `labels_of`."""
        return labels_of(self._tables["cases"], self._tables.get("labels"), status)

    @cached_property
    def weight(self) -> npt.NDArray[np.float64]:
        """Weight of each case, 1 where none is stated, shape (n_cases,)."""
        weight = self.column("weight")
        return np.where(np.isnan(weight), 1.0, weight)

    @cached_property
    def coded(self) -> CodedFindings:
        """The findings as plain arrays."""
        return code_findings(self._tables["findings"], self._case, len(self))

    def __getitem__(self, key: _Key) -> Records:
        """Take cases by position, mask or slice; repeats and any order are fine."""
        if isinstance(key, tuple):  # scikit-learn asks for X[rows, ...]
            key = key[0]
        if isinstance(key, str):
            raise InputError(
                "index records by position, mask or slice", f"found the text {key!r}", "use .case(id) or .frame(name)"
            )
        rows = np.atleast_1d(np.arange(len(self))[key])
        offsets = self.coded.offsets
        lengths = offsets[rows + 1] - offsets[rows]
        ends = np.cumsum(lengths)
        within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
        picked = np.repeat(offsets[rows], lengths) + within
        tables = dict(self._tables)
        tables["cases"] = tables["cases"].take(pa.array(rows))
        tables["findings"] = tables["findings"].take(pa.array(picked))
        case = np.repeat(np.arange(len(rows), dtype=np.int32), lengths)
        return self._with(tables, case)

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
            return self
        findings = self._tables["findings"]
        keep, moment = known_by(findings, self._tables["cases"], self._case, at, unknown_time, phase)
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
            found = np.flatnonzero(self.case_ids == which)
            if not len(found):
                raise UnknownNameError(
                    "asked for a case by id", "no case has that id", "look at `records.case_ids` for those there are"
                )
            which = int(found[0])
        one = self[[which]]
        row = one._tables["cases"].to_pylist()[0]
        findings = one._tables["findings"].to_pylist()
        return Case(findings=[Finding(**_known(f, Finding)) for f in findings], **_known(row, Case))

    def with_vocabulary(self, words: Vocabulary) -> Records:
        """The same records with more words for their codes; their own come first."""
        made = self._with(self._tables, self._case, self.moment)
        made.vocabulary = self.vocabulary.joined(words)
        return made

    def digest(self) -> str:
        """SHA-256 of the content: the same cases and findings in the same order give the same digest."""
        seen = hashlib.sha256()
        for name in sorted(self._tables):
            table = self.arrow(name)
            for column in sorted(table.column_names):
                seen.update(f"{name}.{column}".encode())
                values = table[column].combine_chunks()
                if pa.types.is_dictionary(values.type):
                    values = values.cast(values.type.value_type)
                _digest_array(values, seen)
        return seen.hexdigest()

    def _with(self, tables: Mapping[str, pa.Table], case: npt.NDArray[np.int32], moment: Moment | None = None) -> Records:
        return Records(
            tables,
            case,
            info=self.info,
            vocabulary=self.vocabulary,
            report=self.report,
            moment=moment or self.moment,
        )


def _digest_array(values: pa.Array, seen: Any) -> None:
    """Feed an array's values, not its memory layout (offset, padding, chunks), to a hash."""
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([pa.concat_arrays([values])], ["c"])
    with pa.ipc.new_stream(sink, batch.schema) as out:
        out.write_batch(batch)
    seen.update(sink.getvalue())


def _plain(values: pa.Array) -> npt.NDArray[Any]:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        return np.asarray(pc.fill_null(values.cast(pa.float64()), float("nan")))
    if pa.types.is_timestamp(values.type):
        return np.asarray(values.cast(pa.timestamp("us")))
    made = np.empty(len(values), object)
    made[:] = values.to_pylist()
    return made


def _known(row: Mapping[str, Any], kind: type[Case] | type[Finding]) -> dict[str, Any]:
    names = {f.name for f in fields(kind)} - {"findings"}
    given = {k: v for k, v in row.items() if k in names and v is not None}
    if given.get("differential"):
        given["differential"] = tuple((d["diagnosis"], d["probability"]) for d in given["differential"])
    return given


def _tables_of(cases: Sequence[Case]) -> dict[str, dict[str, list[Any]]]:
    """Cases by hand as columns; columns nobody fills are left out."""
    names = [f.name for f in fields(Case) if f.name != "findings"]
    rows = {n: [getattr(c, n) for c in cases] for n in names}
    rows["differential"] = [
        None if d is None else [{"diagnosis": k, "probability": p} for k, p in d] for d in rows["differential"]
    ]
    findings = {f.name: [getattr(f_, f.name) for c in cases for f_ in c.findings] for f in fields(Finding)}
    findings["case_id"] = [c.case_id for c in cases for _ in c.findings]
    keep = {"case_id", "code", "status"}
    return {
        "cases": {n: v for n, v in rows.items() if n in keep or any(x is not None for x in v)},
        "findings": {n: v for n, v in findings.items() if n in keep or any(x is not None for x in v)},
    }
