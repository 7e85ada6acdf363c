"""From training cases to what an encoder learns of them: one pass over any number of parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from diagnosis.errors import InputError
from diagnosis.features.columns import FindingColumns
from diagnosis.features.context import ContextColumns, ContextCounts, read_context
from diagnosis.features.counting import FindingCounts, choose_columns
from diagnosis.features.hierarchy import Hierarchy
from diagnosis.features.reference import with_ranges
from diagnosis.features.rows import batches
from diagnosis.features.states_only import count_states, has_states_only
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
        Training values in a unit that does not convert, or not finite.
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


def learn(parts: Iterable[Records], options: Mapping[str, Any]) -> Learned:
    """Learn from the parts of a set of records; how they are cut is irrelevant.

    With windows, the encounters of a patient must be in one part; a hierarchy is that of the first part.
    """
    findings, context = FindingCounts(), ContextCounts()
    words: dict[str, tuple[str | None, str | None]] = {}
    vocabulary: Vocabulary | None = None
    hierarchy: Hierarchy | None = None
    windows = checked_windows(options["windows"])
    for records in parts:
        context.add(read_context(records))
        vocabulary, before = records.vocabulary, vocabulary
        for code in records.coded.codes.tolist():
            if code not in words or (vocabulary is not before and words[code] == _NO_WORDS):
                words[code] = vocabulary.unit(code), vocabulary.loinc(code)
        if options["hierarchy"] and hierarchy is None:
            hierarchy = Hierarchy.of_vocabulary(records.vocabulary)
        if hierarchy is None and has_states_only(records.coded):
            findings.add_states(*count_states(records.coded))
        else:
            for batch in batches(with_ranges(records, words if options["reference_ranges"] else {})):
                findings.add(batch, hierarchy)
        if windows:
            findings.add_history(count_windows(records, findings.index, windows))
    kept = {"measured": options["ordering"], "z": options["range_scores"], "onset": options["onsets"]}
    chosen = choose_columns(
        findings,
        min_cases=options["min_cases"],
        max_codes=options["max_codes"],
        left_out=[state for state, wanted in kept.items() if not wanted],
        words=words,
    )
    columns = context.columns(ages=options["ages"], min_cases=options["min_cases"])
    return Learned(columns, chosen.findings, hierarchy, chosen.n_unconverted, findings.n_without_range)


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
