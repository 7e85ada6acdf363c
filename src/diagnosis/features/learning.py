"""From training cases to what an encoder learns of them: one pass over any number of parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from diagnosis.errors import InputError
from diagnosis.features.columns import FindingColumns
from diagnosis.features.context import ContextColumns, ContextCounts
from diagnosis.features.counting import FindingCounts, choose_columns
from diagnosis.features.hierarchy import Hierarchy
from diagnosis.features.kept import Kept
from diagnosis.features.ready import Ready, made_ready
from diagnosis.features.rows import batches
from diagnosis.features.states_only import PackedStates, count_states, has_states_only
from diagnosis.features.windows import checked_windows, count_windows
from diagnosis.records.records import Records
from diagnosis.vocabulary import Vocabulary

FORMAT = 2
# Encoders of format 1 knew a record's own ranges alone, no hierarchy and no windows.
_OPTIONS_BEFORE: Mapping[str, Any] = {"reference_ranges": False, "onsets": False}
_NO_WORDS = (None, None)


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What an encoder learns.

    Attributes
    ----------
    context : ContextColumns
    findings : tuple of FindingColumns
    hierarchy : Hierarchy or None
    n_unconverted : int
        Training values in a unit that does not convert, without one where units were mixed, or not finite.
    n_without_range : int
        Training values for which there was no reference range, nor a word of the laboratory's.
    """

    context: ContextColumns
    findings: tuple[FindingColumns, ...]
    hierarchy: Hierarchy | None
    n_unconverted: int
    n_without_range: int

    def to_json(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return plain values from which `from_json` builds the same."""
        return {
            "format": FORMAT,
            "options": {**options, "windows": list(options["windows"])},
            "n_unconverted": self.n_unconverted,
            "n_without_range": self.n_without_range,
            "context": self.context.to_json(),
            "hierarchy": None if self.hierarchy is None else self.hierarchy.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> tuple[dict[str, Any], Learned]:
        """Build from the plain values of `to_json`, of this format or the one before; the options come first.

        Raises
        ------
        InputError
            The values are of another format.
        KeyError, TypeError, AttributeError
            They are not those of an encoder.
        """
        if plain.get("format") not in (1, FORMAT):
            raise InputError(
                f"An encoder of format 1 or {FORMAT} was expected.",
                f"Found format {plain.get('format')!r}.",
                "Use the version of this library that wrote it, or fit again.",
            )
        options = {**({} if plain["format"] == FORMAT else _OPTIONS_BEFORE), **plain["options"]}
        hierarchy = plain.get("hierarchy")
        return {**options, "windows": tuple(options.get("windows", ()))}, cls(
            ContextColumns.from_json(plain["context"]),
            tuple(FindingColumns.from_json(finding) for finding in plain["findings"]),
            None if hierarchy is None else Hierarchy.from_json(hierarchy),
            int(plain["n_unconverted"]),
            int(plain.get("n_without_range", 0)),
        )


def learn(
    parts: Iterable[tuple[Records, Ready | None]], options: Mapping[str, Any], kept: Kept | None = None
) -> Learned:
    """Learn from the parts of a set of records, as `packed` gives them, and keep what is needed to encode them."""
    learner = Learner(options)
    if kept is not None:
        kept.clear()
    for records, ready in parts:
        counted = learner.add(records, ready)
        if kept is not None:
            kept.add(counted)
    if kept is not None and learner.said_later:
        kept.drop()
    return learner.learned()


def packed(records: Records, wanted: bool) -> tuple[Records, Ready | None]:
    """Do beforehand what depends on these cases alone: code the findings and, where wanted, pack those of states."""
    return records, made_ready(records, {}) if wanted and has_states_only(records.coded) else None


class Learner:
    """What training cases show, counted part by part; how they are cut into parts is irrelevant.

    With windows, the encounters of a patient must be in one part; a hierarchy is that of the first part.

    Parameters
    ----------
    options : mapping
        The encoder's.

    Attributes
    ----------
    said_later : bool
        Whether the vocabulary of a later part says something of a code that an earlier part had without it.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._windows = checked_windows(options["windows"])
        self._findings, self._context = FindingCounts(), ContextCounts()
        self._words: dict[str, tuple[str | None, str | None]] = {}
        self._vocabulary: Vocabulary | None = None
        self._hierarchy: Hierarchy | None = None
        self.said_later = False

    def add(self, records: Records, ready: Ready | None) -> Ready:
        """Count some cases, and return what of them is needed to encode them."""
        self._read_words(records)
        if self._options["hierarchy"] and self._hierarchy is None:
            self._hierarchy = Hierarchy.of_vocabulary(records.vocabulary)
        if ready is None:
            words = self._words if self._options["reference_ranges"] else {}
            ready = made_ready(records, words, pack=self._hierarchy is None)
        self._count(ready)
        if self._windows:
            self._findings.add_history(count_windows(records, self._findings.index, self._windows))
        return ready

    def merge(self, other: Learner) -> None:
        """Count what was counted elsewhere, of other cases with the same vocabulary, as well."""
        self._context.merge(other._context)
        self._findings.merge(other._findings)
        self._words = {**other._words, **self._words}
        self._hierarchy = self._hierarchy or other._hierarchy

    def __getstate__(self) -> dict[str, Any]:
        # Counts go from one process to another without the vocabulary that the cases came with.
        return {**self.__dict__, "_vocabulary": None}

    def _count(self, ready: Ready) -> None:
        self._context.add(ready.context)
        if isinstance(ready.findings, PackedStates):
            self._findings.add_states(ready.findings.names, count_states(ready.findings))
        else:
            for batch in batches(ready.findings):
                self._findings.add(batch, self._hierarchy)

    def _read_words(self, records: Records) -> None:
        vocabulary, before = records.vocabulary, self._vocabulary
        self._vocabulary = vocabulary
        words = self._words
        for code in records.coded.codes.tolist():
            if code not in words:
                words[code] = vocabulary.unit(code), vocabulary.loinc(code)
            elif vocabulary is not before and words[code] == _NO_WORDS:
                words[code] = vocabulary.unit(code), vocabulary.loinc(code)
                self.said_later = self.said_later or words[code] != _NO_WORDS

    def learned(self) -> Learned:
        """Decide on the columns."""
        options = self._options
        kept = {"measured": options["ordering"], "z": options["range_scores"], "onset": options["onsets"]}
        chosen = choose_columns(
            self._findings,
            min_cases=options["min_cases"],
            max_codes=options["max_codes"],
            left_out=[state for state, wanted in kept.items() if not wanted],
            words=self._words,
        )
        columns = self._context.columns(ages=options["ages"], min_cases=options["min_cases"])
        n_without = self._findings.n_without_range
        return Learned(columns, chosen.findings, self._hierarchy, chosen.n_unconverted, n_without)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options out of range.

    Raises
    ------
    InputError
    """
    for name, lowest in (("min_cases", 1), ("max_codes", 1)):
        value = options[name]
        if name == "max_codes" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < lowest:
            raise InputError(f"{name} is a whole number from {lowest}.", f"Found {value!r}.", "Change it.")
    for name in ("ages", "ordering", "reference_ranges", "range_scores", "onsets", "hierarchy"):
        if not isinstance(options[name], (bool, np.bool_)):
            raise InputError(f"{name} is True or False.", f"Found {options[name]!r}.", "Change it.")
    checked_windows(options["windows"])


def no_column(min_cases: int) -> InputError:
    """The error for records in which no column has enough cases."""
    return InputError(
        f"The encoder needs at least one column that {min_cases} training cases share.",
        "No finding, age or sex of these records is shared by that many.",
        "Give more cases or lower min_cases.",
    )


def no_encoder(error: Exception) -> InputError:
    """The error for plain values that are not those of an encoder."""
    return InputError(
        "The plain values of a fitted encoder were expected.",
        f"They do not hold what an encoder needs ({type(error).__name__}).",
        "Use what to_json returned, unchanged.",
    )
