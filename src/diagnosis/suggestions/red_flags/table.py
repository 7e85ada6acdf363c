"""The table of red flags: what the package ships, what a set of records adds, and which cases raise which."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from diagnosis.errors import InputError
from diagnosis.records import Records
from diagnosis.suggestions.red_flags.judging import Judge
from diagnosis.suggestions.red_flags.language import RuleError, parse
from diagnosis.suggestions.red_flags.rule import Rule

__all__ = ["RedFlag", "raised", "read_red_flags", "red_flags_of", "shipped_red_flags"]

_COLUMNS = ("code", "when", "says", "says_zh", "diagnosis", "source")


@dataclass(frozen=True, slots=True)
class RedFlag:
    """One rule: when it holds, the page says so, whatever the model thinks.

    Parameters
    ----------
    code : str
        Its name.
    when : Rule
    says, says_zh : str
        What the page says; `says_zh` falls back to `says`.
    diagnosis : str or None
        The diagnosis it makes one think of.
    source : str
        Where it comes from.
    """

    code: str
    when: Rule
    says: str
    says_zh: str = ""
    diagnosis: str | None = None
    source: str = ""

    def to_row(self) -> dict[str, str]:
        """The rule as a row of the `red_flags` table."""
        return {
            "code": self.code,
            "when": str(self.when),
            "says": self.says,
            "says_zh": self.says_zh,
            "diagnosis": self.diagnosis or "",
            "source": self.source,
        }


def read_red_flags(rows: Iterable[Mapping[str, Any]]) -> tuple[RedFlag, ...]:
    """Read the rows of a `red_flags` table.

    Raises
    ------
    InputError
        A row without `when` or `says`, two of one name, or a rule that cannot be read; with the row and the place.
    """
    made: dict[str, RedFlag] = {}
    for number, row in enumerate(rows, start=1):
        cells = {c: str(row.get(c) or "").strip() for c in _COLUMNS}
        missing = [c for c in ("when", "says") if not cells[c]]
        if missing:
            raise InputError(
                "A row of red_flags has a rule (`when`) and a sentence (`says`)",
                f"row {number} has no {' and no '.join(missing)}",
                "fill the cell, or take the row out",
            )
        code = cells["code"] or f"rule {number}"
        if code in made:
            raise InputError("Each row of red_flags has a code of its own", f"row {number} repeats one", "rename it")
        try:
            when = parse(cells["when"])
        except RuleError as error:
            raise InputError(
                f"Row {number} of red_flags: {error.asked}", error.found, error.do, near=error.near
            ) from None
        made[code] = RedFlag(code, when, cells["says"], cells["says_zh"], cells["diagnosis"] or None, cells["source"])
    return tuple(made.values())


@cache
def shipped_red_flags() -> tuple[RedFlag, ...]:
    """The rules in the package, each with its source; written from those sources, not reviewed by a clinician."""
    text = files("diagnosis.suggestions.red_flags").joinpath("red_flags.csv").read_text(encoding="utf-8")
    return read_red_flags(csv.DictReader(text.splitlines()))


def red_flags_of(records: Records, rules: Sequence[RedFlag]) -> tuple[RedFlag, ...]:
    """Return the rules with those of the records' own table; of two with one code, the records' own."""
    own: tuple[RedFlag, ...] = ()
    if "red_flags" in records.names:
        own = read_red_flags(records.arrow("red_flags").to_pylist())
    return tuple({f.code: f for f in (*rules, *own)}.values())


def raised(rules: Sequence[RedFlag], records: Records) -> list[tuple[RedFlag, ...]]:
    """Return for each case the red flags that hold; a rule that hangs on something not recorded stays silent.

    Parameters
    ----------
    rules : sequence of RedFlag
    records : Records
        As of their moment.
    """
    judge = Judge(records)
    found: list[list[RedFlag]] = [[] for _ in range(len(records))]
    for rule in rules:
        for i in np.flatnonzero(judge.holds(rule.when)).tolist():
            found[i].append(rule)
    return [tuple(one) for one in found]
