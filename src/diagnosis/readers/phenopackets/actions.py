"""Medical actions of a packet -> rows of `actions`: what was done, never a finding."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from diagnosis.readers.phenopackets.terms import class_of
from diagnosis.readers.phenopackets.times import BadPartError, when

__all__ = ["Actions"]

# Kind of action in the format, and where its code and its time stand.
_KINDS = {
    "procedure": ("procedure", "code", "performed"),
    "treatment": ("medication", "agent", None),
    "radiationTherapy": ("radiation", "modality", None),
    "therapeuticRegimen": ("regimen", "ontologyClass", "startTime"),
}


class Actions:
    """Rows of actions as they are read.

    Attributes
    ----------
    unread : int
        Actions that are not built as the schema says.
    """

    def __init__(self) -> None:
        self._case = array("i")
        self._rows: list[tuple[str, str, str | None]] = []
        self.unread = 0

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, actions: list[Any], case: int) -> None:
        """Take in the medical actions of a case."""
        for one in actions:
            try:
                rows = list(_rows(one))
            except BadPartError:
                rows = []
            self.unread += not rows
            self._rows += rows
            self._case.extend([case] * len(rows))

    def table(self, case_ids: pa.Array) -> pa.Table:
        """The actions as a table."""
        ids = case_ids.take(pa.array(np.asarray(self._case)))
        columns = {name: pa.array([r[i] for r in self._rows], pa.string()) for i, name in enumerate(_COLUMNS)}
        return pa.table({"case_id": ids, **{n: c for n, c in columns.items() if c.null_count < len(c)}})


_COLUMNS = ("kind", "code", "time")


def _rows(one: Any) -> Iterator[tuple[str, str, str | None]]:
    if type(one) is not dict:
        raise BadPartError("an action is no object")
    for name, (kind, code, time) in _KINDS.items():
        if name in one:
            action = one[name]
            if type(action) is not dict:
                raise BadPartError("an action is no object")
            at = when(action[time]).time if time and time in action else None
            yield kind, class_of(action.get(code), "an action")[0], at
