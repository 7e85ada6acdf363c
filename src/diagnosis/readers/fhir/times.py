"""FHIR dates and times as intervals of microseconds: a date without a time of day is the whole day."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from diagnosis.readers.fhir.memory import Memory

__all__ = ["DAY", "Clock", "Interval", "day_of"]

#: First and last microsecond since 1970 (UTC) that a written time may mean.
Interval = tuple[int, int]

DAY = 86_400_000_000
_FULL = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?(Z|[+-]\d\d:?\d\d)?\Z", re.ASCII
)
_PARTIAL = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?\Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_KEPT = 1 << 16


class Clock:
    """Reads FHIR ``date``, ``dateTime`` and ``instant``, and counts what was odd about them.

    Parameters
    ----------
    zone : str, optional
        IANA zone of times that name none and of dates; UTC when not given.

    Attributes
    ----------
    zoneless, partial, unreadable : int
        Distinct texts (of those still remembered) with a time and no zone, with a year or a month alone, and that are
        no FHIR time at all.
    """

    def __init__(self, zone: str | None = None) -> None:
        self._zone: tzinfo = ZoneInfo(zone) if zone else UTC
        #: The interval a text means; None for no text, for one that is no time, and for a year or a month alone.
        #: Anything but a text is a TypeError.
        self.time: Callable[[str | None], Interval | None] = Memory(self._read, _KEPT).__getitem__
        self.zoneless = 0
        self.partial = 0
        self.unreadable = 0

    def _read(self, text: str | None) -> Interval | None:
        if text is None:
            return None
        full = _FULL.match(text)
        try:
            if full:
                at = _microseconds(self._instant(full.groups()))
                return at, at
            date_alone = _PARTIAL.match(text)
            if date_alone:
                return self._days(date_alone.groups())
        except (ValueError, OverflowError):
            pass
        self.unreadable += 1
        return None

    def _instant(self, parts: tuple[str | None, ...]) -> datetime:
        year, month, day, hour, minute, second, fraction, zone = parts
        # A leap second is a valid FHIR time and none of Python's.
        whole = min(int(second or 0), 59)
        micro = int((fraction or "0").ljust(6, "0")[:6])
        numbers = (int(year or 0), int(month or 0), int(day or 0), int(hour or 0), int(minute or 0), whole, micro)
        if zone is None:
            self.zoneless += 1
            return datetime(*numbers, tzinfo=self._zone)
        if zone == "Z":
            return datetime(*numbers, tzinfo=UTC)
        away = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        return datetime(*numbers, tzinfo=timezone(-away if zone[0] == "-" else away))

    def _days(self, parts: tuple[str | None, ...]) -> Interval | None:
        year, month, day = (int(p) if p else 0 for p in parts)
        first = datetime(year, month or 1, day or 1, tzinfo=self._zone)
        if not day:  # no clock can use it
            self.partial += 1
            return None
        return _microseconds(first), _microseconds(first + timedelta(days=1)) - 1


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _TICK


def day_of(text: str | None) -> tuple[int, int] | None:
    """First and last calendar day, as days since 1970, that a written date may mean; the date as it is written.

    The place's own calendar counts for an age, so a zone changes nothing here.
    """
    if text is None:
        return None
    found = _PARTIAL.match(text[:10])
    if not found:
        return None
    year, month, day = (int(p) if p else 0 for p in found.groups())
    try:
        first = date(year, month or 1, day or 1)
        last = first if day else date(*((year, month + 1) if 0 < month < 12 else (year + 1, 1)), 1) - timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return first.toordinal() - 719_163, last.toordinal() - 719_163
