"""Numbers with units as FHIR writes them: a Quantity, a Range, a Ratio."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

__all__ = ["Measured", "check_comparator", "number", "quantity_of", "range_of", "ratio_of", "unit_of"]

#: value, comparator, unit, text
Measured = tuple[float | None, str | None, str | None, str | None]

_UCUM = "http://unitsofmeasure.org"
_COMPARATORS = ("<", "<=", ">=", ">")
_ONE = (None, "1", "{titer}", "{titre}")


def number(value: Any) -> float:
    """A number that can be held.

    Raises
    ------
    TypeError, ValueError
        It is none, or too large.
    """
    if type(value) is float:
        if not isfinite(value):
            raise ValueError("a number too large to hold")
        return value
    if type(value) is int:
        return float(value)
    raise TypeError("a number")


def unit_of(quantity: Mapping[str, Any]) -> str | None:
    """The unit's code in UCUM, else its text."""
    unit = quantity.get("code")
    if not unit or quantity.get("system", _UCUM) != _UCUM:
        unit = quantity.get("unit") or unit
    if unit is not None and type(unit) is not str:
        raise TypeError("a unit is text")
    return unit.strip() or None if unit else None


def quantity_of(quantity: Mapping[str, Any]) -> Measured | None:
    """A Quantity; None where it has no number."""
    value = quantity.get("value")
    if value is None:
        return None
    comparator = quantity.get("comparator")
    if comparator is not None:
        check_comparator(comparator)
    return number(value), comparator, unit_of(quantity), None


def check_comparator(comparator: Any) -> None:
    """Refuse what R4 does not have.

    Raises
    ------
    ValueError
    """
    if comparator not in _COMPARATORS:
        raise ValueError("a comparator that R4 does not have")


def range_of(span: Mapping[str, Any]) -> Measured | None:
    """A Range: with one end a number and its comparator, with two a text such as ``3-5 /[HPF]``; None with none.

    The middle of a range was never measured, so it is not made up.

    Examples
    --------
    >>> range_of({"low": {"value": 3, "code": "/[HPF]"}, "high": {"value": 5, "code": "/[HPF]"}})
    (None, None, None, '3-5 /[HPF]')
    >>> range_of({"low": {"value": 50, "code": "/[HPF]"}})
    (50.0, '>=', '/[HPF]', None)
    """
    ends = [quantity_of(span.get(name) or {}) for name in ("low", "high")]
    low, high = ends
    if low is None or high is None:
        found, comparator = (high, "<=") if low is None else (low, ">=")
        return None if found is None else (found[0], comparator, found[2], None)
    if low[1] or high[1] or (low[2] and high[2] and low[2] != high[2]):
        return None
    unit = low[2] or high[2]
    if low[0] == high[0]:
        return low[0], None, unit, None
    return None, None, None, f"{low[0]:g}-{high[0]:g}" + (f" {unit}" if unit else "")


def ratio_of(ratio: Mapping[str, Any]) -> Measured | None:
    """A Ratio: a titre as its dilution, any other as a quotient with its unit; None where it is neither.

    ``1:160`` is 160 in ``{titer}``. Laboratories write ``<1:10`` for a titre below 10, so a comparator on either side
    is that of the dilution. In another ratio a comparator is kept where it stands above the line.

    Examples
    --------
    >>> ratio_of({"numerator": {"value": 1}, "denominator": {"value": 160}})
    (160.0, None, '{titer}', None)
    >>> ratio_of({"numerator": {"value": 30, "code": "mg"}, "denominator": {"value": 2, "code": "mmol"}})
    (15.0, None, 'mg/mmol', None)
    """
    over, under = (quantity_of(ratio.get(name) or {}) for name in ("numerator", "denominator"))
    if over is None or under is None or not under[0] or over[0] is None or (over[1] and under[1]):
        return None
    if over[0] == 1 and over[2] in _ONE and under[2] in _ONE:
        return under[0], over[1] or under[1], "{titer}", None
    if under[1]:
        return None
    return number(over[0] / under[0]), over[1], _quotient(over[2], under[2]), None


def _quotient(over: str | None, under: str | None) -> str | None:
    """The unit of a quotient in UCUM; a unit below the line that has an operator of its own stands in parentheses."""
    if under in (None, "1"):
        return over
    if over == under:
        return "1"
    assert under is not None
    return f"{over or ''}/{f'({under})' if set('./') & set(under) else under}"
