"""The columns of an encoder: which exist, in what order, under which names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.features.context import ContextColumns
from diagnosis.features.hierarchy import Hierarchy, Spread
from diagnosis.features.lineage import EARLIER, Lineage
from diagnosis.features.rows import finding_key
from diagnosis.features.values import Scales, ValueScale

# The order of a finding's columns; the value's column follows `measured`, those of texts come last.
STATES = ("present", "absent", "uncertain", "measured", "value", "high", "low", "z", "onset")
# Columns of one finding: name, state, text.
_Named = list[tuple[str, str, str | None]]


@dataclass(frozen=True, slots=True)
class FindingColumns:
    """The columns of one finding.

    Attributes
    ----------
    code : str
    subject : str or None
        None: the patient.
    states : tuple of str
        Those of present, absent, uncertain, measured, high, low, z that have a column.
    texts : tuple of str
        The texts that have a column each, sorted.
    value : ValueScale or None
        None: no column for the value.
    unit, loinc : str or None
        What the training vocabulary says of the code, to look up a reference range.
    history : tuple of str
        Windows and statistics that have a column, as ``7d:count``.
    onset : ValueScale or None
        Of the days since it began; None: no column for them.
    """

    code: str
    subject: str | None
    states: tuple[str, ...]
    texts: tuple[str, ...]
    value: ValueScale | None
    unit: str | None = None
    loinc: str | None = None
    history: tuple[str, ...] = ()
    onset: ValueScale | None = None

    @property
    def key(self) -> str:
        """The finding's name in column names."""
        return finding_key(self.code, self.subject)

    def columns(self) -> _Named:
        """Name the columns in order: (name, state, text)."""
        scaled = {"value": self.value is not None, "onset": self.onset is not None}
        key = self.key
        own = [state for state in STATES if state in self.states or scaled.get(state, False)]
        return [
            *[(f"{state}:{key}", state, None) for state in own],
            *[(f"{key}={text}", "text", text) for text in self.texts],
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain values from which `from_json` builds the same."""
        return {
            "code": self.code,
            "subject": self.subject,
            "states": list(self.states),
            "texts": list(self.texts),
            "value": None if self.value is None else self.value.to_json(),
            "unit": self.unit,
            "loinc": self.loinc,
            "history": list(self.history),
            "onset": None if self.onset is None else self.onset.to_json(),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> FindingColumns:
        """Build from the plain values of `to_json`."""
        value, onset = (
            None if one is None else ValueScale.from_json(one) for one in (plain["value"], plain.get("onset"))
        )
        return cls(
            plain["code"],
            plain["subject"],
            tuple(plain["states"]),
            tuple(plain["texts"]),
            value,
            plain.get("unit"),
            plain.get("loinc"),
            tuple(plain.get("history", ())),
            onset,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where every column stands.

    Attributes
    ----------
    context : ContextColumns
        Their columns come first, from 0.
    findings : tuple of FindingColumns
        In the order of their columns.
    index : mapping of (code, subject) to int
        Position of each finding.
    column : mapping of state to ndarray of int32, shape (n_findings + 1,)
        Column of each finding's state, -1 where there is none; the last one answers for a finding that is not known.
    text : mapping of (finding, text) to int
        Column of each text.
    scales, onsets : Scales
        Of values and of the days since it began, by finding.
    lineage : Lineage
    spread : Spread or None
        The hierarchy over these findings, if there is one.
    windows : tuple of (name, microseconds)
        Shortest first.
    history : mapping of str to ndarray of int32, shape (n_findings + 1,)
        Column of each finding by window and statistic (``7d:count``), -1 where there is none; empty without windows.
    """

    context: ContextColumns
    findings: tuple[FindingColumns, ...]
    index: Mapping[tuple[str, str | None], int]
    column: Mapping[str, NDArray[np.int32]]
    text: Mapping[tuple[int, str], int]
    scales: Scales
    onsets: Scales
    lineage: Lineage
    spread: Spread | None = None
    windows: tuple[tuple[str, float], ...] = ()
    history: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)

    @property
    def n_columns(self) -> int:
        """Number of columns of the matrix."""
        return len(self.lineage)


def lay_out(
    context: ContextColumns,
    findings: Iterable[FindingColumns],
    hierarchy: Hierarchy | None = None,
    windows: tuple[tuple[str, float], ...] = (),
) -> Layout:
    """Put columns in order: the context first, then history and findings by key, states in one fixed order."""
    ordered = tuple(sorted(findings, key=lambda finding: finding.key))
    start = len(context.columns())
    history = {name: np.full(len(ordered) + 1, -1, np.int32) for one in ordered for name in one.history}
    for i, finding in enumerate(ordered):
        for name in finding.history:
            history[name][i] = start
            start += 1
    column = {state: np.full(len(ordered) + 1, -1, np.int32) for state in STATES}
    texts: dict[tuple[int, str], int] = {}
    named = [finding.columns() for finding in ordered]
    for i, columns in enumerate(named):
        for _, state, text in columns:
            if text is None:
                column[state][i] = start
            else:
                texts[i, text] = start
            start += 1
    return Layout(
        context=context,
        findings=ordered,
        index={(finding.code, finding.subject): i for i, finding in enumerate(ordered)},
        column=column,
        text=texts,
        scales=Scales.of([finding.value for finding in ordered]),
        onsets=Scales.of([finding.onset for finding in ordered]),
        lineage=_lineage(context, ordered, named),
        spread=None if hierarchy is None else _spread(hierarchy, ordered),
        windows=windows,
        history=history,
    )


def _spread(hierarchy: Hierarchy, findings: Sequence[FindingColumns]) -> Spread:
    def having(state: str) -> dict[tuple[str, str | None], int]:
        return {(one.code, one.subject): i for i, one in enumerate(findings) if state in one.states}

    return Spread.over(hierarchy, having("present"), having("absent"), len(findings))


def _lineage(context: ContextColumns, findings: Sequence[FindingColumns], named: Sequence[_Named]) -> Lineage:
    own = context.columns()
    parts = list(dict.fromkeys(part for _, part in own))
    past = [finding for finding in findings if finding.history]
    before = len(parts) + len(past)
    rows: list[tuple[str, str, str, str | None, int]] = [
        (name, part, "context", None, parts.index(part)) for name, part in own
    ]
    for i, finding in enumerate(past, start=len(parts)):
        key = EARLIER + finding.key
        rows += [(f"{name}:{finding.key}", key, "history", name, i) for name in finding.history]
    keys = [finding.key for finding in findings]
    for i, (key, columns) in enumerate(zip(keys, named, strict=True), start=before):
        rows += [(name, key, state, text, i) for name, state, text in columns]
    names, code, state, text, position = zip(*rows, strict=True) if rows else ((),) * 5
    own_findings = [*past, *findings]
    return Lineage(
        names=_objects(_all_different(names)),
        code=_objects(code),
        state=_objects(state),
        text=_objects(text),
        finding=np.array(position, np.int32),
        keys=_objects([*parts, *(EARLIER + one.key for one in past), *keys]),
        key_code=_objects([*parts, *(one.code for one in own_findings)]),
        key_subject=_objects([*(None for _ in parts), *(one.subject for one in own_findings)]),
        context=np.arange(before + len(findings)) < before,
    )


def _objects(values: Sequence[object]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _all_different(names: Sequence[str]) -> list[str]:
    """Number the second and later of equal names: codes may hold ``:`` and ``=``, so columns can be alike."""
    taken = set(names)
    seen: set[str] = set()
    different = []
    for name in names:
        candidate, n = name, 1
        while candidate in seen or (n > 1 and candidate in taken):
            n += 1
            candidate = f"{name} #{n}"
        seen.add(candidate)
        different.append(candidate)
    return different
