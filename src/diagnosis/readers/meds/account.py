"""What became of every event: each has one fate, so that read = used + left out + set aside, always."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.readers.meds.events import Lost
from diagnosis.readers.states import states_of
from diagnosis.records import Problem

__all__ = ["FATES", "Account", "Fate", "kept_in"]


class Fate(IntEnum):
    """What became of one event."""

    OUTSIDE = 0
    UNPLACED = 1
    NO_INDEX = 2
    ADMINISTRATIVE = 3
    CONTEXT = 4
    FINDING = 5
    LABEL = 6
    ACTION = 7


FATES: Mapping[Fate, str] = MappingProxyType(
    {
        Fate.OUTSIDE: "outside every window",
        Fate.UNPLACED: "judgements or actions without a time",
        Fate.NO_INDEX: "of subjects without an index event",
        Fate.ADMINISTRATIVE: "administrative",
        Fate.CONTEXT: "sex, birth, death or discharge",
        Fate.FINDING: "findings",
        Fate.LABEL: "judgements",
        Fate.ACTION: "actions",
    }
)


class Account:
    """Counts of a reading.

    Attributes
    ----------
    read : int
        Events that stood in the shards.
    fates : Counter
    lost : list of Lost
    refused : list of (str, int)
        Shards that cannot be read: why, and how many events they hold.
    odd : Counter
        What was odd and read all the same.
    """

    def __init__(self) -> None:
        self.read = 0
        self.shards = 0
        self.fates: Counter[Fate] = Counter()
        self.lost: list[Lost] = []
        self.refused: list[tuple[str, int]] = []
        self.odd: Counter[str] = Counter()

    @property
    def set_aside(self) -> int:
        """Events that are set aside."""
        return sum(len(lost.number) for lost in self.lost) + sum(n for _, n in self.refused)

    def problems(self, tables: Mapping[str, pa.Table]) -> Iterator[Problem]:
        """The account as errors, warnings and notes; `tables` is what the events became."""
        for says, n in self.refused:
            yield Problem("error", "unreadable", "events", "", f"{says}: {n:,} events", count=max(n, 1))
        merged: dict[tuple[str, str, str], list[int]] = {}
        for lost in self.lost:
            merged.setdefault((lost.kind, lost.column, lost.says), []).extend(lost.number.tolist())
        for (kind, column, says), rows in merged.items():
            yield Problem("error", kind, "events", column, says, tuple(rows), count=len(rows))
        for what, n in self.odd.items():
            if not n:
                continue
            yield Problem("warning", "odd", "events", "", f"{n:,} {what}", count=n)
        says = f"{self.read:,} events of {self.shards:,} shards read, {self.set_aside:,} set aside; the others are"
        yield self._note("account", self.read, says)
        for fate, n in sorted(self.fates.items(), reverse=True):
            yield self._note(fate.name.lower(), n, f"{n:,} {FATES[fate]}")
        yield from kept_in(tables)

    @staticmethod
    def _note(kind: str, n: int, says: str) -> Problem:
        severity: Literal["note"] = "note"
        return Problem(severity, kind, "events", "", says, count=n)


def kept_in(tables: Mapping[str, pa.Table]) -> Iterator[Problem]:
    """Notes on what was made of the events: the findings of all windows, which may overlap, and the labels."""
    yield states_of(tables["findings"])
    n = len(tables["cases"])
    labels = tables.get("labels")
    if labels is None or not {"role", "case_id"} <= set(labels.column_names):
        return
    principal = pc.equal(labels["role"].cast(pa.string()), "principal")
    labelled = pc.count_distinct(labels["case_id"].filter(principal)).as_py()
    says = f"{labelled:,} of {n:,} cases have a principal diagnosis"
    yield Problem("note", "labels", "labels", "", says, count=labelled)
