"""Times as phenopackets state them (ages, gestation, classes of onset, dates), and the numbers they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["ONSETS", "YEAR", "BadPartError", "When", "age_text", "element_of", "moment", "text_of", "when", "years_of"]

#: Days in a year.
YEAR = 365.25
_TERM = 280  # days of gestation at birth, https://hpo.jax.org/browse/term/HP:0030674 and ACOG Committee Opinion 579
_DURATION = re.compile(
    r"P(?=.)(?:([0-9]+(?:[.,][0-9]+)?)Y)?(?:([0-9]+(?:[.,][0-9]+)?)M)?(?:([0-9]+(?:[.,][0-9]+)?)W)?"
    r"(?:([0-9]+(?:[.,][0-9]+)?)D)?(?:T(?=.)(?:([0-9]+(?:[.,][0-9]+)?)H)?(?:([0-9]+(?:[.,][0-9]+)?)M)?"
    r"(?:([0-9]+(?:[.,][0-9]+)?)S)?)?",
    re.ASCII,
)
_GESTATION = re.compile(r"([0-9]{1,3})w([0-9]{1,3})d", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _prenatal(week: int) -> float:
    return (week * 7 - _TERM) / YEAR


#: Age in years at which each onset class of the Human Phenotype Ontology begins (its definitions; before birth by
#: weeks of gestation).
ONSETS: Mapping[str, float] = MappingProxyType(
    {
        "HP:0030674": _prenatal(0),  # Antenatal
        "HP:0011460": _prenatal(0),  # Embryonal
        "HP:0011461": _prenatal(10),  # Fetal
        "HP:0034199": _prenatal(11),  # Late first trimester
        "HP:0034198": _prenatal(14),  # Second trimester
        "HP:0034197": _prenatal(28),  # Third trimester
        "HP:0003577": 0.0,  # Congenital
        "HP:0003623": 0.0,  # Neonatal
        "HP:0003593": 28 / YEAR,  # Infantile
        "HP:0410280": 28 / YEAR,  # Pediatric
        "HP:0011463": 1.0,  # Childhood
        "HP:0003621": 5.0,  # Juvenile
        "HP:0003581": 16.0,  # Adult
        "HP:0011462": 16.0,  # Young adult
        "HP:0025708": 16.0,  # Early young adult
        "HP:0025709": 19.0,  # Intermediate young adult
        "HP:0025710": 25.0,  # Late young adult
        "HP:0003596": 40.0,  # Middle age
        "HP:0003584": 60.0,  # Late
    }
)


class BadPartError(Exception):
    """A part of a packet is not built as the schema says; the message says what, without any of it."""


def text_of(value: Any, what: str) -> str:
    """A text that is not empty.

    Raises
    ------
    BadPartError
        It is none, or holds half a character (a lone surrogate), which no file could hold.
    """
    if type(value) is not str or not value:
        raise BadPartError(f"{what} is no text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadPartError(f"{what} is no whole text") from None
    return value


class When(NamedTuple):
    """A point in a life, as numbers and as it was stated.

    Parameters
    ----------
    years : float, optional
        Age; negative before birth; of a range, its start.
    end : float, optional
        Age at which a range ends.
    days : float, optional
        Age in days, where it was stated in days or weeks.
    time : str, optional
        Start as a date and time, where the statement was one.
    until : str, optional
        End of an interval.
    stated : str
        What was stated, in one text: a duration, the code of a class, a range, weeks and days of gestation, a date.
    plain : bool
        Whether `years` alone says it.
    """

    years: float | None = None
    end: float | None = None
    days: float | None = None
    time: str | None = None
    until: str | None = None
    stated: str = ""
    plain: bool = False


@lru_cache(maxsize=1 << 14)
def years_of(duration: str) -> tuple[float, float | None]:
    """Read an ISO 8601 duration: years, and days where it is stated in days or weeks alone.

    Raises
    ------
    BadPartError
        It is none.

    Examples
    --------
    >>> years_of("P3Y6M"), years_of("P2W")[1]
    ((3.5, None), 14.0)
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise BadPartError("an age is no ISO 8601 duration such as P3Y4M or P2W")
    year, month, week, day, hour, minute, second = (float((g or "0").replace(",", ".")) for g in match.groups())
    days = week * 7 + day + hour / 24 + minute / 1440 + second / 86400
    exact = days if match[1] is None and match[2] is None else None
    return year + month / 12 + days / YEAR, exact


def age_text(years: float, days: float | None = None) -> str:
    """Write an age as the ISO 8601 duration that `years_of` reads as the very same number.

    Examples
    --------
    >>> age_text(3.5), age_text(0, 14.0), age_text(1.23)
    ('P3Y6M', 'P14D', 'P1.23Y')
    """
    if days is not None:
        return f"P{_decimal(days)}D"
    whole, months = divmod(round(years * 12), 12)
    plain = f"P{whole}Y{months}M" if whole and months else f"P{months}M" if months else f"P{whole}Y"
    return plain if years_of(plain)[0] == years else f"P{_decimal(years)}Y"


def _decimal(number: float) -> str:
    return format(Decimal(repr(float(number))), "f").removesuffix(".0")


def when(element: Any, born: datetime | None = None) -> When:
    """Read a `TimeElement`.

    Parameters
    ----------
    element : dict
        JSON of the element: one of ``age``, ``ageRange``, ``ontologyClass``, ``timestamp``, ``interval`` and
        ``gestationalAge``.
    born : datetime, optional
        Date of birth, so that dates become ages.

    Raises
    ------
    BadPartError
        It is none of these.
    """
    if type(element) is not dict or len(element) != 1:
        raise BadPartError("a time is not one of age, ageRange, ontologyClass, timestamp, interval, gestationalAge")
    ((name, value),) = element.items()
    if name == "timestamp":
        return _dated(value, None, born)
    if type(value) is not dict:
        raise BadPartError(f"{name if name in _KINDS else 'a time'} is no object")
    if name == "age":
        text = _duration(value)
        years, days = years_of(text)
        return When(years, days=days, stated=text, plain=True)
    if name == "ontologyClass":
        code = text_of(value.get("id"), "the id of a class of onset")
        return When(ONSETS.get(code), stated=code)
    if name == "gestationalAge":
        return _gestation(value.get("weeks", 0), value.get("days", 0))
    if name == "ageRange":
        first, last = (_duration(value.get(side)) for side in ("start", "end"))
        return When(years_of(first)[0], years_of(last)[0], stated=f"{first}/{last}")
    if name == "interval":
        return _dated(value.get("start"), value.get("end"), born)
    raise BadPartError("a time is not one of age, ageRange, ontologyClass, timestamp, interval, gestationalAge")


_KINDS = frozenset({"age", "ageRange", "ontologyClass", "interval", "gestationalAge"})


def _duration(value: Any) -> str:
    text = value.get("iso8601duration") if type(value) is dict else None
    if type(text) is not str:
        raise BadPartError("an age has no iso8601duration")
    return text


def _gestation(weeks: Any, days: Any) -> When:
    if type(weeks) is not int or type(days) is not int or not (0 <= weeks <= 45 and 0 <= days <= 315):
        raise BadPartError("a gestational age is not in whole weeks up to 45 and days")
    age = weeks * 7 + days - _TERM
    # A day before birth says itself by its age; at term and later the age alone would say "at birth".
    return When(min(age / YEAR, 0.0), stated=f"{weeks}w{days}d", plain=age < 0)


def moment(text: Any) -> datetime:
    """Read a timestamp; one without a zone is UTC.

    Raises
    ------
    BadPartError
        It is none.
    """
    if type(text) is not str:
        raise BadPartError("a timestamp is no text")
    try:
        made = datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text))
        return made.replace(tzinfo=UTC) if made.tzinfo is None else made.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadPartError("a timestamp is no ISO 8601 time") from None


def _dated(start: Any, end: Any, born: datetime | None) -> When:
    first = moment(start)
    last = moment(end).isoformat() if end is not None else None
    years = (first - born).total_seconds() / 86400 / YEAR if born else None
    stated = f"{first.isoformat()}/{last}" if last else first.isoformat()
    return When(years, time=first.isoformat(), until=last, stated=stated, plain=born is not None)


def element_of(years: float | None, stated: str | None, days: float | None = None) -> dict[str, Any] | None:
    """Write a `TimeElement` that `when` reads as the same; None where nothing is stated.

    A negative age, which no duration holds, becomes gestational age to the day.
    """
    if stated:
        match = _GESTATION.fullmatch(stated)
        if match:
            return {"gestationalAge": {"weeks": int(match[1]), "days": int(match[2])}}
        if _DURATION.fullmatch(stated):
            return {"age": {"iso8601duration": stated}}
        first, _, last = stated.partition("/")
        if _DATE.match(stated):
            return {"interval": {"start": first, "end": last}} if last else {"timestamp": stated}
        if last and _DURATION.fullmatch(first) and _DURATION.fullmatch(last):
            return {"ageRange": {"start": {"iso8601duration": first}, "end": {"iso8601duration": last}}}
        return {"ontologyClass": {"id": stated, "label": _LABELS.get(stated, stated)}}
    if years is None and days is None:
        return None
    if years is not None and years < 0:
        weeks, days_over = divmod(max(round(years * YEAR) + _TERM, 0), 7)
        return {"gestationalAge": {"weeks": weeks, "days": days_over}}
    return {"age": {"iso8601duration": age_text(years or 0.0, days)}}


_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "HP:0030674": "Antenatal onset",
        "HP:0011460": "Embryonal onset",
        "HP:0011461": "Fetal onset",
        "HP:0034199": "Late first trimester onset",
        "HP:0034198": "Second trimester onset",
        "HP:0034197": "Third trimester onset",
        "HP:0003577": "Congenital onset",
        "HP:0003623": "Neonatal onset",
        "HP:0003593": "Infantile onset",
        "HP:0410280": "Pediatric onset",
        "HP:0011463": "Childhood onset",
        "HP:0003621": "Juvenile onset",
        "HP:0003581": "Adult onset",
        "HP:0011462": "Young adult onset",
        "HP:0025708": "Early young adult onset",
        "HP:0025709": "Intermediate young adult onset",
        "HP:0025710": "Late young adult onset",
        "HP:0003596": "Middle age onset",
        "HP:0003584": "Late onset",
    }
)
