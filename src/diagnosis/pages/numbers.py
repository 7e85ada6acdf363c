"""Numbers as a clinician reads them: probabilities, factors, values with units, ranges, ages."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import lru_cache

from diagnosis.pages.observations import Observation, RecordedFinding, in_language
from diagnosis.pages.translations import counted, phrase

__all__ = [
    "age_text",
    "direction",
    "factor_text",
    "measure_text",
    "percent_text",
    "range_text",
    "share_text",
    "threshold_text",
    "unit_text",
    "value_text",
    "with_unit",
]

NBSP = "\u00a0"
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_TIME_UNITS = frozenset({"a", "mo", "wk", "d", "h", "min", "s"})
_BOUNDS = {"<=": "≤", ">=": "≥"}
_DAYS_PER_MONTH = 365.25 / 12
# UCUM's case-sensitive atoms against what stands on a laboratory slip.
_ATOMS = {
    "Cel": "°C",
    "[degF]": "°F",
    "[IU]": "IU",
    "[iU]": "IU",
    "[pH]": "",
    "deg": "°",
    "meq": "mEq",
    "Ohm": "Ω",
    "L": "L",
    "l": "L",
}


def percent_text(p: float, lang: str) -> str:
    """Return a probability in words that claim no more than it knows: never 0, never 100.

    Examples
    --------
    >>> [percent_text(p, "en").replace(NBSP, " ") for p in (0, 0.03, 0.05, 0.314, 1)]
    ['under 1 %', '1 to 5 %', '5 %', '31 %', 'over 99 %']
    """
    if p < 0.01:
        return phrase("percent.low", lang)
    if p < 0.05:
        return phrase("percent.some", lang)
    if p >= 0.995:
        return phrase("percent.high", lang)
    return phrase("percent.whole", lang, {"n": f"{p * 100:.0f}"})


def share_text(share: float, lang: str) -> str:
    """Return a share that was chosen, not estimated (a promised coverage), in per cent.

    Examples
    --------
    >>> share_text(0.9, "zh"), share_text(0.975, "zh"), share_text(0.0004, "zh")
    ('90%', '97.5%', '0.04%')
    """
    return phrase("percent.whole", lang, {"n": plain_digits(float(f"{share * 100:.3g}"))})


def threshold_text(threshold: float, lang: str) -> str:
    """Return a probability from which something is flagged: two digits, one where it is under 1 %.

    Examples
    --------
    >>> [threshold_text(t, "zh") for t in (0.12345, 0.0146, 0.000691)]
    ['12%', '1.5%', '0.07%']
    """
    digits = 2 if threshold >= 0.01 else 1
    return phrase("percent.whole", lang, {"n": plain_digits(float(f"{threshold * 100:.{digits}g}"))})


def factor_text(relative: float, lang: str, sign: str = "×") -> str:
    """Return e to the power of `relative` with two significant digits, three beside 1.

    Examples
    --------
    >>> [factor_text(r, "en") for r in (1.163, -0.69, 0.03, 3.6, 9.0, -9.0, 0.0)]
    ['×3.2', '×0.50', '×1.03', '×37', 'over ×1,000', 'under ×0.001', '×1.00']
    """
    factor = math.exp(min(max(relative, -700.0), 700.0))
    if factor >= 1000:
        return phrase("factor.over", lang, {"factor": f"{sign}1,000"})
    if factor < 0.001:
        return phrase("factor.under", lang, {"factor": f"{sign}0.001"})
    digits = 1 if f"{factor:.1e}" != "1.0e+00" else 2
    return f"{sign}{Decimal(f'{factor:.{digits}e}'):f}"


def plain_digits(number: float) -> str:
    """Return a number with at most seven significant digits and no exponent."""
    if not math.isfinite(number):
        return "–"
    digits = max(7, len(str(int(abs(number)))))
    text = format(Decimal(f"{number:.{digits}g}"), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text.replace("-", "−")


def value_text(value: float, comparator: str | None = None) -> str:
    """Return a value as it was recorded, without what a float adds to it.

    Examples
    --------
    >>> value_text(39.4), value_text(39.400001525878906), value_text(0.5, "<="), value_text(-3.0)
    ('39.4', '39.4', '≤0.5', '−3')
    """
    bound = _BOUNDS.get(comparator, comparator) if comparator else ""
    return f"{bound}{plain_digits(value)}"


@lru_cache(maxsize=1024)
def unit_text(unit: str | None, lang: str) -> str:
    """Return a UCUM unit as it is written for people.

    Annotations in braces say what is counted and are left out; atoms that are not known here stay as they are.

    Examples
    --------
    >>> [unit_text(u, "en") for u in ("Cel", "[degF]", "mm[Hg]", "10*9/L", "{beats}/min", "umol/L", "{score}")]
    ['°C', '°F', 'mmHg', '×10⁹/L', '/min', 'µmol/L', '']
    """
    if not unit:
        return ""
    if unit in _TIME_UNITS:
        return phrase(f"unit.{unit}", lang)
    bare = re.sub(r"\{[^}]*\}", "", unit).replace("m[Hg]", "mHg").replace("m[H2O]", "mH₂O")
    parts = [_atom_text(part) for part in re.split(r"([/.])", bare)]
    text = "".join("·" if part == "." else part for part in parts)
    if text in ("1", "·", "/"):
        return ""
    return text[1:] if text.startswith("1/") else text


def _atom_text(atom: str) -> str:
    if power := re.fullmatch(r"10[*^](-?\d+)", atom):
        return f"×10{power[1].translate(_SUPERSCRIPT)}"
    if atom in _ATOMS:
        return _ATOMS[atom]
    text = re.sub(r"\[i?I?U\]", "IU", atom)
    text = re.sub(r"^u(?=(mol|g|L|l|m|kat|s|IU|U)\b)", "µ", text)
    text = re.sub(r"(?<=[A-Za-z])(-?[23])$", lambda m: m[1].translate(_SUPERSCRIPT), text)
    return re.sub(r"^[\[](.*)_\w+[\]]$|^[\[](.*)[\]]$", lambda m: m[1] or m[2], text)


def direction(seen: Observation) -> str | None:
    """Return ``L LL H HH N A``: the record's own interpretation, else the value against the record's own range."""
    if seen.interpretation in ("L", "LL", "H", "HH", "N", "A"):
        return seen.interpretation
    if not isinstance(seen, RecordedFinding) or seen.value is None or seen.comparator:
        return None
    if seen.ref_low is not None and seen.value < seen.ref_low:
        return "L"
    if seen.ref_high is not None and seen.value > seen.ref_high:
        return "H"
    return None


def measure_text(seen: Observation, lang: str) -> str:
    """Return what was measured or read, with its unit; empty where there is neither value nor text.

    Examples
    --------
    >>> measure_text(Observation(value=39.4, unit="Cel"), "en").replace(NBSP, " ")
    '39.4 °C'
    """
    if seen.value is None:
        return in_language(seen.text, lang)
    return with_unit(value_text(seen.value, seen.comparator), seen.unit, lang)


def with_unit(number: str, unit: str | None, lang: str) -> str:
    """Return a number with its unit; Chinese sets no space before a per cent sign.

    Examples
    --------
    >>> with_unit("97", "%", "zh"), with_unit("12", None, "en")
    ('97%', '12')
    """
    shown = unit_text(unit, lang)
    gap = "" if not shown or shown == "°" or (shown == "%" and lang == "zh") else NBSP
    return f"{number}{gap}{shown}"


def range_text(low: float | None, high: float | None, lang: str) -> str:
    """Return a reference range in its own digits.

    Examples
    --------
    >>> range_text(36.0, 37.5, "zh"), range_text(None, 8, "zh"), range_text(None, None, "en")
    ('36–37.5', '≤8', '')
    """
    if low is not None and high is not None:
        return phrase("range", lang, {"low": value_text(low), "high": value_text(high)})
    if low is not None:
        return value_text(low, ">=")
    return value_text(high, "<=") if high is not None else ""


def age_text(years: float | None, days: float | None, lang: str) -> str:
    """Return an age in the unit a clinician would use for it; whole years where only whole years are known.

    Examples
    --------
    >>> [age_text(y, d, "en") for y, d in ((None, 9), (None, 45), (0.75, None), (4.5, None), (63, None), (0, None))]
    ['9 days', '6 weeks', '9 months', '4 years 6 months', '63 years', 'under 1 year']
    """
    if days is None:
        if years is None:
            return ""
        if float(years).is_integer():
            return counted("age.years", int(years), lang) if years else phrase("age.newborn", lang)
        days = years * 365.25
    if days < 28:
        return counted("age.days", math.floor(days + 1e-6), lang)
    if days < 84:
        return counted("age.weeks", math.floor(days / 7 + 1e-6), lang)
    months = math.floor(days / _DAYS_PER_MONTH + 1e-6)
    if months < 24:
        return counted("age.months", months, lang)
    whole, rest = divmod(months, 12)
    text = counted("age.years", whole, lang)
    return f"{text}{phrase('age.gap', lang)}{counted('age.months', rest, lang)}" if rest and whole < 6 else text
