"""Phenotypic features and measurements -> rows of findings, one by one; what cannot be read is set aside by itself."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from diagnosis.readers.phenopackets.terms import (
    LATERALITIES,
    NOT_PHENOTYPES,
    RESULTS,
    SEVERITIES,
    Words,
    class_of,
    unit_of,
)
from diagnosis.readers.phenopackets.times import YEAR, BadPartError, When, text_of, when
from diagnosis.records.schema import STATES

__all__ = ["Findings"]

_PRESENT, _ABSENT = STATES.index("present"), STATES.index("absent")
_KNOWN = frozenset({"type", "excluded", "onset", "severity", "modifiers", "description", "evidence", "resolution"})
_NUMBERS = ("value", "ref_low", "ref_high", "onset_age_years", "duration_days")
_TEXTS = (
    *("unit", "text", "severity", "laterality", "modifiers", "interpretation", "time"),
    *("x_onset", "x_resolution", "x_description", "x_observed"),
)


class Findings:
    """Rows of findings as they are read; columns that few rows fill are kept by row.

    Parameters
    ----------
    diseases : Words
        Receives what diseases among the features are called.
    keep_lost : bool
        Whether to keep the content of what is set aside.

    Attributes
    ----------
    lost : list of (int, str, object)
        Number of each row that was set aside (from 1, among all rows read), the reason and the content.
    counts : Counter
        What the account tells beside.
    """

    def __init__(self, diseases: Words, keep_lost: bool = False) -> None:
        self.case = array("i")
        self.lost: list[tuple[int, str, Any]] = []
        self.counts: Counter[str] = Counter()
        self._diseases = diseases
        self._keep_lost = keep_lost
        #: Number of each (code, label) that was met.
        self._pairs: dict[tuple[str, str], int] = {}
        self._pair = array("i")
        self._status = array("b")
        self._some: dict[str, dict[int, Any]] = {name: {} for name in (*_NUMBERS, *_TEXTS)}

    def __len__(self) -> int:
        return len(self._pair)

    def features(self, features: list[Any], case: int, born: datetime | None) -> list[tuple[str, bool]]:
        """Take in the phenotypic features of a case; returns the diseases among them, and whether each is excluded."""
        diseases: list[tuple[str, bool]] = []
        known, start = self._pairs, len(self)
        add_pair, add_status = self._pair.append, self._status.append
        for feature in features:
            # Nearly all features are a known type and nothing else, or `excluded` beside it.
            try:
                kind = feature["type"]
                pair = known[kind["id"], kind["label"]]
                if len(feature) == 1:
                    status = _PRESENT
                elif len(feature) == 2 and feature["excluded"] is True:
                    status = _ABSENT
                else:
                    raise KeyError
            except (KeyError, TypeError):
                disease = self._feature(feature, born)
                if disease:
                    diseases.append(disease)
            else:
                add_pair(pair)
                add_status(status)
        self.case.extend([case] * (len(self) - start))
        return diseases

    def _feature(self, feature: Any, born: datetime | None) -> tuple[str, bool] | None:
        """Take in a feature with details; returns the disease that it names, if it does."""
        try:
            code, label, excluded = _typed(feature)
            details = dict(_details(feature, born, self.counts)) if len(feature) > 1 else {}
        except BadPartError as error:
            self.lose(f"a phenotypic feature: {error}", feature)
            return None
        kind = NOT_PHENOTYPES.get(code.partition(":")[0].upper())
        if kind:
            self.counts[kind] += 1
            self._diseases.met(code, label)
            return (code, excluded) if kind == "disease" else None
        row = self._add(code, label, _ABSENT if excluded else _PRESENT)
        for name, value in details.items():
            self._some[name][row] = value
        return None

    def measurements(self, measurements: list[Any], case: int, born: datetime | None) -> None:
        """Take in the measurements of a case."""
        start = len(self)
        for one in measurements:
            try:
                rows = list(_measured(one, born, self.counts))
            except BadPartError as error:
                self.lose(f"a measurement: {error}", one)
                continue
            for (code, label), status, details in rows:
                row = self._add(code, label, STATES.index(status))
                for name, value in details.items():
                    if value is not None:
                        self._some[name][row] = value
        self.case.extend([case] * (len(self) - start))

    def _add(self, code: str, label: str, status: int) -> int:
        self._pair.append(self._pairs.setdefault((code, label), len(self._pairs)))
        self._status.append(status)
        return len(self._pair) - 1

    def lose(self, reason: str, content: Any) -> None:
        """Set aside what would have been the next row."""
        self.lost.append((len(self) + len(self.lost) + 1, reason, content if self._keep_lost else None))

    def words(self) -> pa.Table | None:
        """The vocabulary of the codes that were met; None where there are none."""
        counts = np.bincount(np.asarray(self._pair), minlength=len(self._pairs)).tolist()
        return Words(dict(zip(self._pairs, counts, strict=True))).table(dict.fromkeys(code for code, _ in self._pairs))

    def table(self, case_ids: pa.Array) -> pa.Table:
        """The findings as a table, without columns that no row fills."""
        n = len(self)
        numbers: dict[str, int] = {}
        of_pair = np.array([numbers.setdefault(code, len(numbers)) for code, _ in self._pairs], np.int32)
        codes = pa.DictionaryArray.from_arrays(of_pair[np.asarray(self._pair)], pa.array(list(numbers), pa.string()))
        states = pa.DictionaryArray.from_arrays(np.asarray(self._status), pa.array(STATES))
        columns = {"case_id": case_ids.take(pa.array(np.asarray(self.case))), "code": codes, "status": states}
        for name, rows in self._some.items():
            if rows:
                columns[name] = _scattered(rows, n, pa.float64() if name in _NUMBERS else pa.string())
        return pa.table(columns)


def _typed(feature: Any) -> tuple[str, str, bool]:
    """Code and label of a feature's type, and whether it is excluded."""
    if type(feature) is not dict:
        raise BadPartError("it is no object")
    code, label = class_of(feature.get("type"), "its type")
    excluded = feature.get("excluded", False)
    if excluded is not False and excluded is not True:
        raise BadPartError("excluded is neither true nor false")
    return code, label, excluded


def _scattered(rows: dict[int, Any], n: int, kind: pa.DataType) -> pa.Array:
    """A column of `n` rows of which a few are filled."""
    where = np.full(n, -1, np.int64)
    where[np.fromiter(rows, np.int64, len(rows))] = np.arange(len(rows))
    values = pa.array(list(rows.values()), kind)
    return values.take(pa.array(where, mask=where < 0))


def _details(feature: dict[str, Any], born: datetime | None, counts: Counter[str]) -> Iterator[tuple[str, Any]]:
    """What a feature says beside its code and state."""
    modifiers: list[str] = []
    sides: list[str] = []
    start = None
    for name, value in feature.items():
        if name == "onset":
            start = when(value, born)
            counts["onset_unplaced"] += start.years is None
            if start.years is not None:
                yield "onset_age_years", start.years
            if not start.plain:
                yield "x_onset", start.stated
        elif name == "severity":
            code, _ = class_of(value, "its severity")
            if code in SEVERITIES:
                yield "severity", SEVERITIES[code]
            else:
                counts["severity"] += 1
                modifiers.append(code)
        elif name == "modifiers":
            for code in _codes_of(value):
                (sides if code in LATERALITIES else modifiers).append(code)
        elif name == "description" and value:
            yield "x_description", text_of(value, "its description")
        elif name == "evidence":
            counts["evidence"] += 1
        elif name not in _KNOWN:
            counts["unknown_field"] += 1
    if "resolution" in feature:
        end = when(feature["resolution"], born)
        if start and None not in (start.years, end.years) and end.years >= start.years:  # type: ignore[operator]
            yield "duration_days", (end.years - start.years) * YEAR  # type: ignore[operator]
        yield "x_resolution", end.stated
    if len(sides) == 1:
        yield "laterality", LATERALITIES[sides[0]]
    elif sides:
        modifiers += sides
    if modifiers:
        yield "modifiers", "|".join(modifiers)


def _codes_of(value: Any) -> list[str]:
    if type(value) is not list:
        raise BadPartError("its modifiers are no list")
    codes = [class_of(one, "a modifier")[0] for one in value]
    if any("|" in code for code in codes):
        raise BadPartError("the id of a modifier holds a |")
    return codes


def _measured(
    one: Any, born: datetime | None, counts: Counter[str]
) -> Iterator[tuple[tuple[str, str], str, dict[str, Any]]]:
    """Yield code and label, state and details of each result of a measurement (a complex value has several)."""
    if type(one) is not dict:
        raise BadPartError("it is no object")
    code = class_of(one.get("assay"), "its assay")
    observed = when(one["timeObserved"], born) if "timeObserved" in one else When()
    common = {
        "time": observed.time,
        "x_description": text_of(one["description"], "its description") if one.get("description") else None,
    }
    if observed.time is None:
        common["x_observed"] = observed.stated or None
    counts["procedure"] += "procedure" in one
    if "complexValue" in one:
        quantities = one["complexValue"].get("typedQuantities") if type(one["complexValue"]) is dict else None
        if type(quantities) is not list or any(type(q) is not dict for q in quantities):
            raise BadPartError("its complex value has no list of typed quantities")
        for typed in quantities:
            inner = class_of(typed.get("type"), "the type of a quantity")
            yield inner, "present", common | _quantity(typed.get("quantity"))
        return
    value = one.get("value")
    if type(value) is not dict or len(value) != 1:
        raise BadPartError("it has no value")
    if "quantity" in value:
        yield code, "present", common | _quantity(value["quantity"])
        return
    ((name, word),) = value.items()
    if name != "ontologyClass":
        raise BadPartError("its value is neither a quantity nor an ontology class")
    result, label = class_of(word, "its value")
    if result in RESULTS:
        status, interpretation = RESULTS[result]
        yield code, status, common | {"interpretation": interpretation}
    else:
        yield code, "present", common | {"text": label or result}


def _quantity(quantity: Any) -> dict[str, Any]:
    if type(quantity) is not dict:
        raise BadPartError("a quantity is no object")
    made: dict[str, Any] = {"value": _number(quantity.get("value", 0.0)), "unit": unit_of(quantity.get("unit"))}
    span = quantity.get("referenceRange")
    if span is not None:
        if type(span) is not dict:
            raise BadPartError("a reference range is no object")
        other = unit_of(span.get("unit"))
        if other not in (None, made["unit"]):
            raise BadPartError("a reference range is in another unit than the value")
        made |= {f"ref_{side}": _number(span[side]) for side in ("low", "high") if side in span}
    return made


def _number(value: Any) -> float:
    try:
        number = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        number = math.nan
    if not math.isfinite(number):
        raise BadPartError("a quantity is no finite number")
    return number
