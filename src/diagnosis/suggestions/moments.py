"""When a value was observed, and how old it was at the moment the list speaks of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diagnosis.records import Records

__all__ = ["asked_at", "when_text"]

_COLUMNS = {"arrival": ("time",), "index": ("index_time", "end_time"), "end": ("end_time",)}
_UNITS = (
    (2 * 86_400, 86_400, {"en": "{n:,} days before", "zh": "{n:,} 天前"}),
    (2 * 3_600, 3_600, {"en": "{n} h before", "zh": "{n} 小时前"}),
    (60, 60, {"en": "{n} min before", "zh": "{n} 分钟前"}),
)
_BESIDE = {"en": "{when} ({age})", "zh": "{when}（{age}）"}


def asked_at(case: Records, as_of: str) -> datetime | None:
    """Return the moment one case was asked about, where it has one."""
    table = case.arrow("cases")
    known = [name for name in _COLUMNS.get(as_of, ()) if name in table.column_names]
    times = (table[name][0].as_py() for name in known)
    return next((one for one in times if one is not None), None)


def when_text(time: datetime | None, asked: datetime | None) -> dict[str, str] | str | None:
    """Return a time as a page shows it; with how long before the moment it was, where both are known.

    Examples
    --------
    >>> when_text(datetime(2024, 3, 1, 8), datetime(2024, 3, 1, 14, 20))["en"]
    '2024-03-01 08:00 UTC (6 h before)'
    """
    if time is None:
        return None
    when = f"{time:%Y-%m-%d %H:%M} UTC"
    seconds = 0.0 if asked is None else (asked - time).total_seconds()
    for least, unit, says in _UNITS:
        if seconds >= least:
            ages = {lang: text.format(n=int(seconds // unit)) for lang, text in says.items()}
            return {lang: _BESIDE[lang].format(when=when, age=age) for lang, age in ages.items()}
    return when
