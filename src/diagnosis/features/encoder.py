"""Records -> a sparse matrix with names and lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from diagnosis.features.columns import Layout, lay_out
from diagnosis.features.context import read_context
from diagnosis.features.frames import delivered, keep_output
from diagnosis.features.kept import Kept
from diagnosis.features.learning import Learned, check_options, learn, no_column, no_encoder, packed
from diagnosis.features.lineage import Lineage
from diagnosis.features.one_case import CasePlan, case_cells, row_of
from diagnosis.features.ready import encode_ready
from diagnosis.features.reference import UsedRanges, used_ranges
from diagnosis.features.shards import Shards
from diagnosis.features.streaming import Source, again, checked, encode_records, in_threads, over_parts
from diagnosis.features.understood import inherited_from, recorded_matrix, unconverted_counts, unknown_codes
from diagnosis.features.values import ValueScale
from diagnosis.features.windows import Window, check_whole_patients, checked_windows, window_entries
from diagnosis.records.records import Records

if TYPE_CHECKING:
    from diagnosis.records.case import Case


class FindingEncoder(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Encode cases as a sparse matrix in which *present*, *absent*, *uncertain* and *unrecorded* stay apart.

    Each state of a finding has a column of its own (``present:CODE``, ``absent:CODE``, ``uncertain:CODE``), each text a
    column beside them (``CODE=text``). With a value *present* means *measured*: such a row sets ``measured:CODE`` and
    the centred and scaled ``value:CODE``, not ``present:CODE``. ``high:CODE`` and ``low:CODE`` say on which side of its
    reference range it lies: what the laboratory said, else the row's own range, else that of the packaged table for
    age, sex and specimen, else nothing. Findings of somebody else than the patient stand under ``subject/CODE``. The
    case gives ``age``, ``age_band:...``, ``sex:...`` and ``pregnant:...``. What is not recorded has no entry at all.

    Where a finding repeats within a case, the latest row counts. A comparator (``<``, ``>``) is not looked at: the
    value stands as written. Texts count on *present* rows only.

    Parameters
    ----------
    min_cases : int, default 2
        A column needs this many training cases.
    max_codes : int or None, default None
        Keep this many findings at most, those recorded in most training cases.
    ages : bool, default True
        Whether there are columns for the age and its band.
    ordering : bool, default True
        False leaves out ``measured:``. That a test was done tells what the doctor suspected; without the column a value
        not measured counts as the training mean. States without a value still tell that they were recorded.
    reference_ranges : bool, default True
        False compares values with a range on their own row alone.
    range_scores : bool, default False
        Whether there are columns ``z:CODE`` for how far a value lies from the middle of its range.
    onsets : bool, default True
        Whether there are columns ``onset:CODE`` for how many days before the case a finding that is present began,
        centred and scaled as values are; one that does not say counts as the training mean.
    hierarchy : bool, default False
        With the `parents` of the training vocabulary, *present* also holds for all broader findings, and *absent* for
        the narrower ones whose absence training has seen; what a case records itself always wins, and *present* wins
        over *absent*. Links that close a loop are left out.
    windows : sequence of float or "ever", days
        For each, columns for what the patient's findings were over that time before the moment of suggestion:
        ``7d:present:CODE`` and ``7d:absent:CODE`` (how often, as ``log1p``), and of values ``count`` (likewise),
        ``first``, ``last``, ``min``, ``max`` (scaled as ``value:``) and ``trend`` (by how much it rose along a
        least-squares line). Looked at are the case's own findings and those of encounters of the same patient that
        began earlier, as far as they were known by the case's moment. So the records given, in training and when
        suggesting, should hold a patient's earlier encounters; when they come in parts, in the same part.

    Attributes
    ----------
    lineage_ : Lineage
        Which finding and which state each column comes from.
    values_ : dict of str to ValueScale
        For each finding key with a value column: unit, centre, scale and limits, in float64.
    n_unconverted_ : int
        Training values not used, because their unit does not convert or they are not finite. They still count as
        *measured*.
    n_without_range_ : int
        Training values that are neither high nor low because no reference range is known for them.
    n_loops_ : int
        Links of the hierarchy left out because they close a loop.
    n_features_out_ : int
        Number of columns.

    Notes
    -----
    Nothing here depends on the order of the cases, or of the rows within a case where times or codes differ. Columns
    are sorted: the context first, then findings over time and findings, each by key.

    Examples
    --------
    >>> import diagnosis as dx
    >>> records = dx.load_sample()
    >>> encoder = FindingEncoder(min_cases=5).fit(records)
    >>> encoder.transform(records).shape == (len(records), len(encoder.lineage_))
    True
    """

    lineage_: Lineage
    values_: dict[str, ValueScale]
    n_unconverted_: int
    n_features_out_: int
    n_without_range_: int
    n_loops_: int
    _learned: Learned
    _layout: Layout
    _range_words: dict[str, tuple[str | None, str | None]]
    _plan: CasePlan

    def __init__(
        self,
        *,
        min_cases: int = 2,
        max_codes: int | None = None,
        ages: bool = True,
        ordering: bool = True,
        reference_ranges: bool = True,
        range_scores: bool = False,
        onsets: bool = True,
        hierarchy: bool = False,
        windows: Sequence[Window] = (),
    ) -> None:
        self.min_cases = min_cases
        self.max_codes = max_codes
        self.ages = ages
        self.ordering = ordering
        self.reference_ranges = reference_ranges
        self.range_scores = range_scores
        self.onsets = onsets
        self.hierarchy = hierarchy
        self.windows = windows

    def fit(self, records: Source, y: object = None, *, n_jobs: int = 1) -> Self:  # noqa: ARG002 - the contract
        """Learn the columns from training cases.

        Parameters
        ----------
        records : Records, RecordsFolder, path of a folder in Parquet, or iterable of Records
            What is learnt is the same however the cases are cut into batches. Only one batch is held in memory, and of
            each measured finding its distinct values.
        y : ignored
        n_jobs : int
            Threads that code the findings; the result does not depend on it.

        Raises
        ------
        InputError
            An option out of range, no records, or nothing in them that makes a column.
        """
        return self._fit(records, None, n_jobs)

    @overload
    def fit_transform(self, records: Source, y: object = None, *, to: None = ..., n_jobs: int = ...) -> csr_matrix: ...
    @overload
    def fit_transform(self, records: Source, y: object = None, *, to: str | Path, n_jobs: int = ...) -> Shards: ...
    def fit_transform(
        self,
        records: Source,
        y: object = None,  # noqa: ARG002 - the contract
        *,
        to: str | Path | None = None,
        n_jobs: int = 1,
    ) -> csr_matrix | Shards:
        """Learn the columns and encode the same cases: as `fit` and `transform`, reading the source only once.

        What was read is kept until the columns are known, a few bytes a finding: in memory up to half a gigabyte, else
        in a temporary file. Values that do not fit into memory, and windows, take a second reading.
        Parameters and errors are theirs.
        """
        if self.windows:
            records = again(records)
        with Kept() as kept:
            self._fit(records, None if self.windows else kept, n_jobs)
            if kept.whole and not self.windows:
                parts = in_threads(kept.parts(), partial(encode_ready, layout=self._layout), n_jobs)
                return delivered(self, parts, records, to)
        return self.transform(records, n_jobs=n_jobs) if to is None else self.transform(records, to=to, n_jobs=n_jobs)

    def _fit(self, records: Source, kept: Kept | None, n_jobs: int) -> Self:
        options = self.get_params(deep=False)
        check_options(options)
        check_whole_patients(records, self.windows)
        ready, work = partial(packed, wanted=not self.hierarchy), partial(learn, options=options, kept=kept)
        return self._take(over_parts(records, work, ready, n_jobs=n_jobs, whole=bool(self.windows)))

    def _take(self, learned: Learned) -> Self:
        layout = lay_out(learned.context, learned.findings, learned.hierarchy, checked_windows(self.windows))
        if layout.n_columns == 0:
            raise no_column(self.min_cases)
        self._learned, self._layout = learned, layout
        self.lineage_ = layout.lineage
        self.values_ = {finding.key: finding.value for finding in layout.findings if finding.value is not None}
        self.n_unconverted_, self.n_without_range_ = learned.n_unconverted, learned.n_without_range
        self.n_loops_ = 0 if learned.hierarchy is None else learned.hierarchy.n_cut
        self.n_features_out_ = layout.n_columns
        self._range_words = {
            finding.code: (finding.unit, finding.loinc)
            for finding in layout.findings
            if self.reference_ranges and finding.subject is None and {"high", "low", "z"} & set(finding.states)
        }
        self._plan = CasePlan.of(layout, self._range_words)
        return self

    @overload
    def transform(self, records: Source, *, to: None = ..., n_jobs: int = ...) -> csr_matrix: ...
    @overload
    def transform(self, records: Source, *, to: str | Path, n_jobs: int = ...) -> Shards: ...
    def transform(self, records: Source, *, to: str | Path | None = None, n_jobs: int = 1) -> csr_matrix | Shards:
        """Encode cases.

        Parameters
        ----------
        records : Records, RecordsFolder, path of a folder in Parquet, or iterable of Records
            The matrix is the same however the cases are cut into batches.
        to : path, optional
            A new folder that receives the matrix as `Shards`, for a matrix larger than memory.
        n_jobs : int
            Threads that encode; the result does not depend on it.

        Returns
        -------
        csr_matrix of float32, shape (n_cases, n_columns), or Shards that hold the same
            Sorted int32 indices, no duplicates, no stored zeros: a value exactly at the training mean has no entry,
            and its ``measured:`` column tells it from a value that was not taken.
        """
        layout, words = self._fitted(), self._range_words
        check_whole_patients(records, self.windows)
        return over_parts(
            records,
            lambda parts: delivered(self, parts, records, to),
            lambda part: encode_records(part, layout, words),
            n_jobs=n_jobs,
            whole=bool(self.windows),
        )

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what `transform` returns: ``"default"``, a sparse matrix, or ``"pandas"``, a frame of sparse columns.

        The rows of a frame are named after the cases. None leaves the choice as it is; scikit-learn's setting for all
        transformers is not looked at, because no dense frame of these columns would fit into memory.

        Raises
        ------
        InputError
            It is asked for anything else.
        """
        keep_output(self, transform)
        return self

    def encode_case(self, case: Case, records: Records | None = None) -> csr_matrix:
        """Encode one case by hand, in microseconds; the row is the one `transform` gives it.

        Findings go by their codes. Where only the tables can tell (rows known together, a hierarchy, windows), the
        case takes the way of `transform`, as `records` where the same case is at hand as such.

        Returns
        -------
        csr_matrix of float32, shape (1, n_columns)

        Raises
        ------
        RecordsError
            The case is not as format 1 wants it.
        """
        plan = self._plan if hasattr(self, "_plan") else CasePlan.of(self._fitted(), {})
        cells = case_cells(case, plan)
        if cells is None:
            return self.transform(Records.from_cases([case]) if records is None else records)
        return row_of(cells, self.n_features_out_)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:  # noqa: ARG002 - likewise
        """Return the column names; `input_features` is there for scikit-learn and not looked at."""
        return self._fitted().lineage.names.copy()

    def recorded(self, records: Records) -> csr_matrix:
        """Return which of `lineage_.keys` each case records: int8, shape (n_cases, n_keys), 1 where it does.

        A finding counts as recorded in any state, also in one that has no column. A part of the context counts where
        it is known.
        """
        layout = self._fitted()
        history = window_entries(checked(records), layout) if layout.history else None
        return recorded_matrix(layout, records.coded, read_context(records), history)

    def unknown(self, records: Records) -> list[tuple[str, ...]]:
        """Return for each case the findings it records that the encoder has no column for, sorted.

        They are named as in column names (``subject/CODE`` for another subject than the patient).
        """
        return unknown_codes(self._fitted(), checked(records).coded)

    def inherited(self, records: Records) -> list[dict[str, tuple[str, ...]]]:
        """Return for each case which of `lineage_.keys` it has cells of through the hierarchy, and from which findings.

        The case does not record the key itself; the findings it comes from stand under their own keys, sorted.
        """
        return inherited_from(self._fitted(), checked(records).coded)

    def ranges_used(self, records: Records) -> UsedRanges:
        """Say for every finding row with which reference range its value is compared, and where that comes from."""
        self._fitted()
        return used_ranges(checked(records), self._range_words)

    def unconverted(self, records: Records) -> NDArray[np.int64]:
        """Count for each case the values that are not used because they do not convert or are not finite."""
        return unconverted_counts(self._fitted(), checked(records).coded)

    def to_json(self) -> dict[str, Any]:
        """Return the fitted encoder as plain values; `from_json` builds one that gives the same matrix bit for bit."""
        self._fitted()
        return self._learned.to_json(self.get_params(deep=False))

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Build a fitted encoder from the plain values of `to_json`, of this format or the one before.

        Raises
        ------
        InputError
            The values are of another format, or not those of an encoder.
        """
        try:
            options, learned = Learned.from_json(plain)
            return cls(**options)._take(learned)
        except (KeyError, TypeError, AttributeError) as error:
            raise no_encoder(error) from error

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_layout")

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        own = str(super().__repr__(N_CHAR_MAX=N_CHAR_MAX))
        if not self.__sklearn_is_fitted__():
            return own
        return f"{own} fitted: {len(self._layout.findings)} findings, {self.n_features_out_} columns"

    def _fitted(self) -> Layout:
        check_is_fitted(self)
        return self._layout
