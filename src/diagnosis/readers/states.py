"""The findings of a reading in one sentence: how many of each state, with a value, with a time."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records import Problem
from diagnosis.records.schema import STATES

__all__ = ["states_of"]

_WITH = (("time", "a time"), ("onset_age_years", "an age of onset"))


def states_of(findings: pa.Table, of: str = "") -> Problem:
    """The note on a table of findings; `of` says what they came from.

    Examples
    --------
    >>> table = pa.table({"status": ["present", "present", "absent"], "value": [39.4, None, None]})
    >>> print(states_of(table))
    note: findings: 3 findings: 2 present (1 measured), 1 absent.
    """
    states = Counter[str]()
    for part in findings["status"].chunks:  # each with a dictionary of its own
        states.update({one["values"]: one["counts"] for one in pc.value_counts(part).to_pylist()})
    parts = [f"{states[state]:,} {state}" for state in STATES if states[state]]
    measured = _filled(findings, "value")
    if measured and parts:
        parts[0] += f" ({measured:,} measured)"
    having = [f"{n:,} with {what}" for name, what in _WITH if (n := _filled(findings, name))]
    says = f"{len(findings):,} findings" + (f": {', '.join(parts)}" if parts else "")
    says += "".join(f"; {part}" for part in (*having, of) if part)
    return Problem("note", "account", "findings", "", says, count=len(findings))


def _filled(table: pa.Table, name: str) -> int:
    return len(table) - table[name].null_count if name in table.column_names else 0
