"""Records -> a sparse matrix with names and lineage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from diagnosis.errors import InputError
from diagnosis.features.assemble import SortedRows, stack_rows
from diagnosis.features.columns import FindingColumns, Layout, lay_out
from diagnosis.features.context import ContextColumns, ContextCounts, read_context
from diagnosis.features.counting import FindingCounts, choose_columns
from diagnosis.features.hierarchy import Hierarchy
from diagnosis.features.lineage import Lineage
from diagnosis.features.reference import UsedRanges, used_ranges, with_ranges
from diagnosis.features.rows import batches
from diagnosis.features.shards import Shards, write_shards
from diagnosis.features.states import known_findings
from diagnosis.features.streaming import Source, checked, encode_records, over_parts
from diagnosis.features.understood import inherited_from, recorded_matrix, unknown_codes
from diagnosis.features.values import ValueScale, encode_values

if TYPE_CHECKING:
    from diagnosis.records.records import Records

FORMAT = 2
# Encoders of format 1 knew a record's own ranges alone.
_BEFORE = {"reference_ranges": False, "range_scores": False, "hierarchy": False}


class FindingEncoder(TransformerMixin, BaseEstimator):
    """Encode cases as a sparse matrix in which *present*, *absent*, *uncertain* and *unrecorded* stay apart.

    Each state of a finding has a column of its own (``present:CODE``, ``absent:CODE``, ``uncertain:CODE``), each text a
    column beside them (``CODE=text``). With a value *present* means *measured*: such a row sets ``measured:CODE`` and
    the centred and scaled ``value:CODE``, not ``present:CODE``. ``high:CODE`` and ``low:CODE`` say on which side of the
    row's own reference range it lies. Findings of somebody else than the patient stand under ``subject/CODE``. The
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

    Attributes
    ----------
    lineage_ : Lineage
        Which finding and which state each column comes from.
    values_ : dict of str to ValueScale
        For each finding key with a value column: unit, centre, scale and limits, in float64.
    n_unconverted_ : int
        Training values not used, because their unit does not convert or they are not finite. They still count as
        *measured*.
    n_features_out_ : int
        Number of columns.

    Notes
    -----
    Nothing here depends on the order of the cases, or of the rows within a case where times or codes differ. Columns
    are sorted: the context first, then the findings by key.

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
    _layout: Layout
    _range_words: dict[str, tuple[str | None, str | None]]

    def __init__(
        self,
        *,
        min_cases: int = 2,
        max_codes: int | None = None,
        ages: bool = True,
        ordering: bool = True,
        reference_ranges: bool = True,
        range_scores: bool = False,
        hierarchy: bool = False,
    ) -> None:
        self.min_cases = min_cases
        self.max_codes = max_codes
        self.ages = ages
        self.ordering = ordering
        self.reference_ranges = reference_ranges
        self.range_scores = range_scores
        self.hierarchy = hierarchy

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
        self._check_options()
        return over_parts(records, self._fit_over, n_jobs=n_jobs)

    def _fit_over(self, sources: Iterable[Records]) -> Self:
        findings, context = FindingCounts(), ContextCounts()
        words: dict[str, tuple[str | None, str | None]] = {}
        hierarchy: Hierarchy | None = None
        for records in sources:
            context.add(read_context(records))
            for code in map(str, records.coded.codes):
                if words.get(code, (None, None)) == (None, None):
                    words[code] = records.vocabulary.unit(code), records.vocabulary.loinc(code)
            if self.hierarchy and hierarchy is None:
                hierarchy = Hierarchy.of_vocabulary(records.vocabulary)
            for batch in batches(with_ranges(records, words if self.reference_ranges else {})):
                findings.add(batch, hierarchy)
        chosen = choose_columns(
            findings,
            min_cases=self.min_cases,
            max_codes=self.max_codes,
            left_out=self._left_out(),
            words=words,
        )
        columns = context.columns(ages=self.ages, min_cases=self.min_cases)
        return self._learn(columns, chosen.findings, chosen.n_unconverted, hierarchy)

    def _learn(
        self,
        context: ContextColumns,
        findings: Iterable[FindingColumns],
        n_unconverted: int,
        hierarchy: Hierarchy | None,
    ) -> Self:
        layout = lay_out(context, findings, hierarchy)
        if layout.n_columns == 0:
            raise InputError(
                f"The encoder needs at least one column that {self.min_cases} training cases share.",
                "No finding, age or sex of these records is shared by that many.",
                "Give more cases or lower min_cases.",
            )
        self._layout = layout
        self.lineage_ = layout.lineage
        self.values_ = {finding.key: finding.value for finding in layout.findings if finding.value is not None}
        self.n_unconverted_ = n_unconverted
        self.n_features_out_ = layout.n_columns
        self._range_words = {
            finding.code: (finding.unit, finding.loinc)
            for finding in layout.findings
            if self.reference_ranges and finding.subject is None and {"high", "low", "z"} & set(finding.states)
        }
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

        def encode(part: Records) -> SortedRows:
            return encode_records(part, layout, words)

        if to is not None:
            folder, names = Path(to), layout.lineage.names.tolist()
            return over_parts(records, lambda parts: write_shards(folder, parts, names), encode, n_jobs=n_jobs)
        return over_parts(records, lambda parts: stack_rows(list(parts), layout.n_columns), encode, n_jobs=n_jobs)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:  # noqa: ARG002 - likewise
        """Return the column names; `input_features` is there for scikit-learn and not looked at."""
        return self._fitted().lineage.names.copy()

    def recorded(self, records: Records) -> csr_matrix:
        """Return which of `lineage_.keys` each case records: int8, shape (n_cases, n_keys), 1 where it does.

        A finding counts as recorded in any state, also in one that has no column. A part of the context counts where
        it is known.
        """
        layout = self._fitted()
        return recorded_matrix(layout, checked(records).coded, read_context(records))

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
        layout = self._fitted()
        counts = np.zeros(len(checked(records)), np.int64)
        for batch in batches(records.coded):
            lost = encode_values(batch, known_findings(batch, layout), layout.scales).not_used
            counts[batch.first_case : batch.first_case + batch.n_cases] = np.bincount(
                batch.case[lost], minlength=batch.n_cases
            )
        return counts

    def to_json(self) -> dict[str, Any]:
        """Return the fitted encoder as plain values; `from_json` builds one that gives the same matrix bit for bit."""
        layout = self._fitted()
        return {
            "format": FORMAT,
            "options": self.get_params(deep=False),
            "n_unconverted": self.n_unconverted_,
            "context": layout.context.to_json(),
            "hierarchy": None if layout.spread is None else layout.spread.hierarchy.to_json(),
            "findings": [finding.to_json() for finding in layout.findings],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Build a fitted encoder from the plain values of `to_json`, of this format or the one before.

        Raises
        ------
        InputError
            The values are of another format, or not those of an encoder.
        """
        if plain.get("format") not in (1, FORMAT):
            raise InputError(
                f"An encoder of format 1 or {FORMAT} was expected.",
                f"Found format {plain.get('format')!r}.",
                "Use the version of this library that wrote it, or fit again.",
            )
        try:
            encoder = cls(**({} if plain["format"] == FORMAT else _BEFORE), **plain["options"])
            context = ContextColumns.from_json(plain["context"])
            findings = [FindingColumns.from_json(finding) for finding in plain["findings"]]
            tree = plain.get("hierarchy")
            hierarchy = None if tree is None else Hierarchy.from_json(tree)
            return encoder._learn(context, findings, int(plain["n_unconverted"]), hierarchy)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                "The plain values of a fitted encoder were expected.",
                f"They do not hold what an encoder needs ({type(error).__name__}).",
                "Use what to_json returned, unchanged.",
            ) from error

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

    def _left_out(self) -> tuple[str, ...]:
        kept = {"measured": self.ordering, "z": self.range_scores}
        return tuple(state for state, wanted in kept.items() if not wanted)

    def _check_options(self) -> None:
        for name, lowest in (("min_cases", 1), ("max_codes", 1)):
            value = getattr(self, name)
            if name == "max_codes" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < lowest:
                raise InputError(f"{name} is a whole number from {lowest}.", f"Found {value!r}.", "Change it.")
        for name in ("ages", "ordering", "reference_ranges", "range_scores", "hierarchy"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise InputError(f"{name} is True or False.", f"Found {getattr(self, name)!r}.", "Change it.")

