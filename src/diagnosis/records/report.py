"""What was wrong with a set of records: one report of every problem, grouped and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Problem", "Report", "TableCount", "listed"]

_SHOWN_ROWS = 5
_SHOWN_KINDS = 20
_COUNTED = (
    "rows count from 1, a header not among them: row 12 of a CSV file is its line 13, or further down where lines are "
    "blank or a field holds line breaks"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of problem in one column, with every row that has it.

    Parameters
    ----------
    severity : {"error", "warning", "note"}
        Rows with an error are refused or set aside; rows with a warning are loaded; a note is the account of a reader.
    kind : str
        A stable short name, such as ``unknown_status``.
    table, column : str
    rows : tuple of int
        Row numbers, the first row of data being 1; empty when the problem is the table's.
    says : str
        What is wrong and what is allowed; no value from the row.
    near : tuple of str
        Allowed names close to what was found.
    count : int
        How many rows or names; the length of `rows` where rows are named.
    """

    severity: Literal["error", "warning", "note"]
    kind: str
    table: str
    column: str
    says: str
    rows: tuple[int, ...] = ()
    near: tuple[str, ...] = ()
    count: int = 0

    def __str__(self) -> str:
        where = f"{self.table}.{self.column}" if self.column else self.table
        rows = ""
        if self.rows:
            shown = ", ".join(str(r) for r in self.rows[:_SHOWN_ROWS])
            more = f" and {len(self.rows) - _SHOWN_ROWS:,} more" if len(self.rows) > _SHOWN_ROWS else ""
            rows = f" (row {shown}{more})"
        near = f" Nearest: {', '.join(self.near)}." if self.near else ""
        return f"{self.severity}: {where}: {self.says}{rows}.{near}"

    def to_json(self) -> dict[str, object]:
        """The problem as plain values; at most 100 row numbers."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "table": self.table,
            "column": self.column,
            "says": self.says,
            "count": self.count or len(self.rows),
            "rows": list(self.rows[:100]),
            "near": list(self.near),
        }


@dataclass(frozen=True, slots=True)
class TableCount:
    """Rows of one table: ``read == loaded + set_aside``, always."""

    read: int
    loaded: int

    @property
    def set_aside(self) -> int:
        """Rows that were read and not loaded."""
        return self.read - self.loaded


@dataclass(frozen=True, slots=True)
class Report:
    """Every problem of a set of records, and what became of its rows.

    Parameters
    ----------
    problems : tuple of Problem
    counts : mapping of str to TableCount
        By table.
    quarantine : str, optional
        The file that holds what was set aside.
    refused : bool
        Whether the set was refused for its errors; the counts then say which rows could be loaded.

    Examples
    --------
    >>> print(Report(counts={"cases": TableCount(read=3, loaded=3)}))
    cases: 3 rows read, 3 loaded, 0 set aside
    no problems found
    """

    problems: tuple[Problem, ...] = ()
    counts: Mapping[str, TableCount] = field(default_factory=dict)
    quarantine: str | None = None
    refused: bool = False

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems whose rows cannot be used."""
        return tuple(p for p in self.problems if p.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems whose rows were loaded all the same."""
        return tuple(p for p in self.problems if p.severity == "warning")

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What a reader tells about its source: how much was read, used and left out."""
        return tuple(p for p in self.problems if p.severity == "note")

    @property
    def set_aside(self) -> int:
        """Rows set aside, over all tables."""
        return sum(c.set_aside for c in self.counts.values())

    def __str__(self) -> str:
        loaded, aside = ("usable", "not") if self.refused else ("loaded", "set aside")
        lines = [
            f"{name}: {c.read:,} rows read, {c.loaded:,} {loaded}, {c.set_aside:,} {aside}"
            for name, c in self.counts.items()
        ]
        lines += [str(p) for p in (*self.errors, *self.warnings)]
        if not (self.errors or self.warnings):
            lines.append("no problems found")
        lines += [str(p) for p in self.notes]
        if any(p.rows for p in self.problems):
            lines.append(_COUNTED)
        if self.quarantine:
            lines.append(f"set aside with reasons in {self.quarantine}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"

    def to_json(self) -> dict[str, object]:
        """The report as plain values."""
        return {
            "errors": sum(p.count or len(p.rows) or 1 for p in self.errors),
            "warnings": sum(p.count or len(p.rows) or 1 for p in self.warnings),
            "problems": [p.to_json() for p in self.problems],
            "tables": {
                name: {"read": c.read, "loaded": c.loaded, "set_aside": c.set_aside} for name, c in self.counts.items()
            },
            "quarantine": self.quarantine,
        }


def listed(problems: Sequence[Problem]) -> str:
    """What an error says it found: the first kinds of problems, a line each, and how their rows are counted."""
    shown = "\n".join(f"  {p}" for p in problems[:_SHOWN_KINDS])
    more = f"\n  and {len(problems) - _SHOWN_KINDS} more kinds" if len(problems) > _SHOWN_KINDS else ""
    counted = f"\n  ({_COUNTED})" if any(p.rows for p in problems) else ""
    kinds = f"{len(problems):,} kind{'s' if len(problems) > 1 else ''}"
    return f"found {kinds} of errors:\n{shown}{more}{counted}\n"
