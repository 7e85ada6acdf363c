"""Rules against cases, in three values: what was not recorded is not false, and leaves a rule silent.

Kleene's logic in integers: false -1, not known 0, true 1; *and* is the minimum, *or* the maximum, *not* the negative.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from diagnosis.features.values import groups
from diagnosis.records import Records
from diagnosis.suggestions.inputs import ages_in_days
from diagnosis.suggestions.red_flags.reach import names_of
from diagnosis.suggestions.red_flags.rule import NUMBERS, All, Compared, Either, Is, Known, Not, Rule
from diagnosis.vocabulary.units import convert

__all__ = ["FALSE", "NOT_KNOWN", "TRUE", "Judge"]

FALSE, NOT_KNOWN, TRUE = -1, 0, 1
_PRESENT, _ABSENT = 0, 1
_YEAR = 365.25

Verdicts: TypeAlias = npt.NDArray[np.int8]
_Rows: TypeAlias = npt.NDArray[np.int64]


class Judge:
    """Judges rules over all cases of a set of records at once.

    A code of a rule means every finding of the patient whose own code it is, or whose `hpo` or `loinc` names it. That a
    narrower finding is present (by the vocabulary's `parents`) makes the broader one present. A finding that was
    present once counts as present, and a value that crossed the line once as crossing it; *absent* is the last word.

    Parameters
    ----------
    records : Records
        As of their moment.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._coded = records.coded
        self._n = len(records)
        self._judged: dict[Rule, Verdicts] = {}

    def judge(self, rule: Rule) -> Verdicts:
        """Return what holds in each case: 1 true, -1 false, 0 not known; shape (n_cases,)."""
        # Rules share their parts: fever alone stands in four of those shipped.
        if rule not in self._judged:
            self._judged[rule] = self._judge(rule)
        return self._judged[rule]

    def holds(self, rule: Rule) -> npt.NDArray[np.bool_]:
        """Return in which cases a rule is true, shape (n_cases,); parts that cannot change that are not judged."""
        match rule:
            case All(parts):
                true = np.ones(self._n, bool)
                for part in parts:
                    if not true.any():
                        break
                    true &= self.holds(part)
                return true
            case Either(parts):
                true = np.zeros(self._n, bool)
                for part in parts:
                    if true.all():
                        break
                    true |= self.holds(part)
                return true
            case _:
                return np.asarray(self.judge(rule) == TRUE)

    def _judge(self, rule: Rule) -> Verdicts:
        match rule:
            case Not(one):
                return np.asarray(-self.judge(one), np.int8)
            case All(parts):
                return np.asarray(np.minimum.reduce([self.judge(p) for p in parts]), np.int8)
            case Either(parts):
                return np.asarray(np.maximum.reduce([self.judge(p) for p in parts]), np.int8)
            case Is():
                return self._state(rule)
            case Known(name, is_field):
                has = self._has_field(name) if is_field else self._some(self._rows(name))
                return np.where(has, TRUE, FALSE).astype(np.int8)
            case Compared(is_field=True):
                return self._field(rule)
            case Compared():
                return self._value(rule)

    def _state(self, rule: Is) -> Verdicts:
        if rule.code not in self._means and rule.code not in self._broader:
            return np.zeros(self._n, np.int8)
        status, own = self._coded.status, self._rows(rule.code)
        present = self._some(self._rows(rule.code, narrower=True), status == _PRESENT)
        last = {s: self._some(own, self._coded.latest & (status == i)) for i, s in enumerate(_STATES)}
        if rule.state == "present":
            true, false = present, last["absent"]
        elif rule.state == "absent":
            true, false = last["absent"] & ~last["present"], present
        else:
            true, false = last["uncertain"], last["present"] | last["absent"]
        return _verdict(true, false & ~true)

    def _value(self, rule: Compared) -> Verdicts:
        if rule.name not in self._means:
            return np.zeros(self._n, np.int8)
        rows = self._rows(rule.name)
        rows = rows[(self._coded.status[rows] == _PRESENT) & np.isfinite(self._coded.value[rows])]
        low, high, open_ = self._between(rows, rule)
        line = float(rule.value)
        if rule.operator in ("<", "<="):
            low, high, line = -high, -low, -line
        # Now the question is whether the value is above the line (or on it).
        strict = rule.operator in ("<", ">")
        true = (low > line) | ((low == line) & (open_ | (not strict)))
        false = (high < line) | ((high == line) & (open_ | strict))
        cases = self._coded.case[rows]
        verdicts = np.full(self._n, FALSE - 1, np.int8)
        np.maximum.at(verdicts, cases, _verdict(true, false & ~true))
        return np.where(verdicts < FALSE, NOT_KNOWN, verdicts).astype(np.int8)

    def _between(
        self, rows: _Rows, rule: Compared
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """The bounds of each value in the rule's unit, and whether they are outside: ``< 5`` is below 5 and not 5."""
        coded, words = self._coded, self._records.vocabulary
        values = np.full(len(rows), np.nan)
        n_units = len(coded.units) + 1
        for number, here in groups(coded.code[rows].astype(np.int64) * n_units + coded.unit[rows] + 1):
            code, unit = divmod(number, n_units)
            name, unit = str(coded.codes[code]), unit - 1
            stated = str(coded.units[unit]) if unit >= 0 else words.unit(name) or (None if rule.unit else "1")
            loinc = words.loinc(name)
            asked = rule.unit or "1"
            found = None
            if stated is not None:
                found = convert(coded.value[rows][here], stated, asked, f"LOINC:{loinc}" if loinc else None)
            values[here] = np.nan if found is None else found
        word, said = self._records.finding_words("comparator", rows)
        below, above, open_ = (np.isin([*said, ""], signs)[word] for signs in (("<", "<="), (">", ">="), ("<", ">")))
        low, high = np.where(below, -np.inf, values), np.where(above, np.inf, values)
        lost = np.isnan(values)
        return np.where(lost, -np.inf, low), np.where(lost, np.inf, high), open_

    def _field(self, rule: Compared) -> Verdicts:
        if isinstance(rule.value, str):
            said = self._records.column(rule.name)
            known, equal = self._has_field(rule.name), said == rule.value
            return _verdict(known & (equal if rule.operator == "=" else ~equal), known)
        values = self._number(rule.name)
        with np.errstate(invalid="ignore"):
            holds = _COMPARE[rule.operator](values, rule.value)
        return _verdict(holds & np.isfinite(values), np.isfinite(values))

    def _number(self, name: str) -> npt.NDArray[np.float64]:
        if name == "age_days":
            return self._ages
        if name == "age_years":
            return self._ages / _YEAR
        if name == "altitude_m":
            return self._altitude
        return np.asarray(self._records.column(name), dtype=np.float64)

    def _has_field(self, name: str) -> npt.NDArray[np.bool_]:
        if name in NUMBERS:
            return np.isfinite(self._number(name))
        return np.array([v not in (None, "unknown") for v in self._records.column(name)], dtype=bool)

    @cached_property
    def _ages(self) -> npt.NDArray[np.float64]:
        return ages_in_days(self._records)

    @cached_property
    def _altitude(self) -> npt.NDArray[np.float64]:
        table = self._records.arrow("sites") if "sites" in self._records.names else None
        if table is None or "altitude_m" not in table.column_names:
            return np.full(self._n, np.nan)
        rows = table.select(["site", "altitude_m"]).to_pylist()
        metres = {row["site"]: row["altitude_m"] for row in rows if row["altitude_m"] is not None}
        return np.array([metres.get(site, np.nan) for site in self._records.column("site")], dtype=np.float64)

    def _rows(self, code: str, *, narrower: bool = False) -> _Rows:
        """The rows of the patient (not of the family) that a code of a rule means."""
        wanted = {*self._means.get(code, ())}
        if narrower:
            wanted.update(self._broader.get(code, ()))
        order, ends = self._by_code
        parts = [order[ends[one] : ends[one + 1]] for one in sorted(wanted)]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *parts]))

    @cached_property
    def _by_code(self) -> tuple[_Rows, _Rows]:
        """The rows of the patient by their code, and where those of each code begin and end."""
        rows = np.flatnonzero(self._coded.subject < 0)
        code = self._coded.code[rows]
        ends = np.append(0, np.cumsum(np.bincount(code, minlength=len(self._coded.codes))))
        # Numbers of 16 bits are put in order in linear time.
        small = len(self._coded.codes) < 1 << 16
        return rows[np.argsort(code.astype(np.uint16) if small else code, kind="stable")], ends

    def _some(self, rows: _Rows, where: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.bool_]:
        """Which cases have one of the rows."""
        found = np.zeros(self._n, bool)
        found[self._coded.case[rows if where is None else rows[where[rows]]]] = True
        return found

    @cached_property
    def _used(self) -> list[tuple[int, str]]:
        """The codes that some row has: a case out of many carries the words of all."""
        places = np.unique(self._coded.code).tolist()
        return [(i, str(self._coded.codes[i])) for i in places]

    @cached_property
    def _means(self) -> dict[str, list[int]]:
        """For every name a rule can use, the codes of the records that it means."""
        made: dict[str, list[int]] = {}
        for i, code in self._used:
            for name in names_of(code, self._records.vocabulary):
                made.setdefault(name, []).append(i)
        return made

    @cached_property
    def _broader(self) -> dict[str, list[int]]:
        """For every name of a broader finding, the codes of the records below it."""
        words, made = self._records.vocabulary, dict[str, list[int]]()
        for i, code in self._used:
            for above in words.ancestors(code):
                for name in names_of(above, words):
                    made.setdefault(name, []).append(i)
        return made


_STATES = ("present", "absent", "uncertain")
_COMPARE = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "=": np.equal,
    "!=": np.not_equal,
}


def _verdict(true: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]) -> Verdicts:
    return np.where(true, TRUE, np.where(known, FALSE, NOT_KNOWN)).astype(np.int8)
