"""Times of any Arrow type -> UTC, and the rows that hold none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["UTC_TIME", "Times", "coerce_times", "showable", "utc_of"]

UTC_TIME = pa.timestamp("us", tz="UTC")

_DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3])(:[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?)?"
_ZONE = r"(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
_TIME = f"^{_DATE}([T ]{_CLOCK}{_ZONE}?)?$"
_ZONED = f"T{_CLOCK}{_ZONE}$"
# Month and day that no year has; the 29th of February stands apart.
_NO_DAY = pa.array(["02-30", "02-31", "04-31", "06-31", "09-31", "11-31"])
# The years that Python's datetime knows; what lies outside could be read and never be shown.
_FIRST, _LAST = (
    int(np.datetime64(t, "us").astype(np.int64)) for t in ("0001-01-01T00:00:00", "9999-12-31T23:59:59.999999")
)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Times:
    """Times as UTC.

    Parameters
    ----------
    values : pa.Array of timestamp[us, UTC]
    bad : ndarray of bool, shape (n_rows,)
        Rows that hold something that is no time.
    zoneless : int
        How many times named no zone.
    skipped : int
        How many fell into an hour that the zone's clocks skip.
    dates : int
        How many are dates without an hour.
    """

    values: pa.Array
    bad: npt.NDArray[np.bool_]
    zoneless: int = 0
    skipped: int = 0
    dates: int = 0


def coerce_times(array: pa.Array, zone: str | None) -> Times:
    """Turn text, timestamps or dates into UTC; times without a zone are in `zone`, in UTC where none is given.

    Of an hour that stands twice (clocks go back) the first is meant; in an hour that is skipped (clocks go forward) the
    clock is taken to be one that was not put forward, so that order and distance are kept.
    """
    kind = array.type
    if pa.types.is_string(kind):
        made = _from_text(array, zone)
        short = pc.fill_null(pc.equal(pc.binary_length(array), len("2024-01-01")), False)
        return replace(made, dates=int(np.count_nonzero(np.asarray(short) & ~made.bad)))
    if pa.types.is_date(kind):
        made = coerce_times(array.cast(pa.timestamp("ms" if pa.types.is_date64(kind) else "s")), zone)
        return replace(made, dates=made.zoneless)
    if not pa.types.is_timestamp(kind):
        return Times(pa.nulls(len(array), UTC_TIME), np.asarray(array.is_valid()))
    values, bad = _in_range(array)
    local = pc.cast(values, pa.timestamp("us", tz=values.type.tz), safe=False)
    if values.type.tz:
        return Times(local.cast(UTC_TIME), bad)
    return _finished(pa.nulls(len(array), UTC_TIME), local, bad, zone)


def _from_text(array: pa.Array, zone: str | None) -> Times:
    """Read ISO 8601. Arrow's own reading refuses a column for one bad row, so it is asked first, and then each row."""
    for kind in (UTC_TIME, pa.timestamp("us")):
        try:
            read, none = array.cast(kind), pa.nulls(len(array), pa.timestamp("us") if kind is UTC_TIME else UTC_TIME)
        except pa.ArrowInvalid:
            continue
        bad = np.zeros(len(array), bool)
        return _finished(read, none, bad, zone) if kind is UTC_TIME else _finished(none, read, bad, zone)
    return _from_mixed_text(array, zone)


def _from_mixed_text(array: pa.Array, zone: str | None) -> Times:
    ok = pc.fill_null(pc.match_substring_regex(array, _TIME), True)
    ok = pc.and_(ok, pc.invert(_impossible_day(array)))
    bad = ~np.asarray(ok)
    missing = pa.scalar(None, pa.string())
    text = pc.if_else(ok, array, missing)
    text = pc.replace_substring(text, ",", ".")
    text = pc.replace_substring_regex(text, r"(\.[0-9]{6})[0-9]+", r"\1")
    text = pc.replace_substring_regex(text, r"^(.{10}) ", r"\1T")
    zoned = pc.fill_null(pc.match_substring_regex(text, _ZONED), False)
    with_zone = pc.if_else(zoned, text, missing).cast(UTC_TIME)
    local = pc.if_else(zoned, missing, text).cast(pa.timestamp("us"))
    return _finished(with_zone, local, bad, zone)


def _impossible_day(text: pa.Array) -> pa.Array:
    day = pc.utf8_slice_codeunits(text, 5, 10)
    leap_day = pc.equal(day, "02-29")
    wrong = pc.is_in(day, _NO_DAY)
    if pc.any(leap_day).as_py():
        digits = pc.if_else(leap_day, pc.utf8_slice_codeunits(text, 0, 4), pa.scalar(None, pa.string()))
        digits = pc.if_else(pc.match_substring_regex(digits, "^[0-9]{4}$"), digits, pa.scalar(None, pa.string()))
        year = np.asarray(pc.fill_null(digits.cast(pa.int32()), 2000))
        common = ((year % 4 != 0) | (year % 100 == 0)) & (year % 400 != 0)
        wrong = pc.or_(wrong, pa.array(common))
    return pc.fill_null(wrong, False)


def _finished(utc: pa.Array, local: pa.Array, bad: npt.NDArray[np.bool_], zone: str | None) -> Times:
    """Join times with and without a zone."""
    zoneless = len(local) - local.null_count
    local, skipped = utc_of(local, zone or "UTC")
    values, outside = _in_range(pc.coalesce(utc, local))
    return Times(values, bad | outside, zoneless, skipped)


def showable(array: pa.Array) -> pa.Array:
    """A carried column of dates or times, as numbers in text where Python could not show one of them; others as is."""
    kind = array.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return array
    times = array.cast(pa.timestamp("ms" if pa.types.is_date64(kind) else "s")) if pa.types.is_date(kind) else array
    if not _in_range(times)[1].any():
        return array
    return times.cast(pa.int64()).cast(pa.string())


def _in_range(array: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Null out timestamps of years that cannot be shown; say which rows those are."""
    per_second = _PER_SECOND[array.type.unit]
    low, high = (t // 1_000_000 * per_second for t in (_FIRST, _LAST))
    if per_second == _PER_SECOND["ns"]:  # reaches from 1677 to 2262 only
        return array, np.zeros(len(array), bool)
    ticks = array.cast(pa.int64())
    ok = pc.fill_null(pc.and_(pc.greater_equal(ticks, low), pc.less(ticks, high + per_second)), True)
    bad = ~np.asarray(ok)
    return (pc.if_else(ok, array, pa.scalar(None, array.type)) if bad.any() else array), bad


def utc_of(local: pa.Array, zone: str) -> tuple[pa.Array, int]:
    """Times of a zone as UTC, and how many stood in an hour that its clocks skip."""
    if zone == "UTC":
        return pc.assume_timezone(local, "UTC"), 0
    before, after = (
        pc.assume_timezone(local, zone, ambiguous="earliest", nonexistent=side).cast(UTC_TIME)
        for side in ("earliest", "latest")
    )
    gap = np.flatnonzero(np.asarray(pc.fill_null(pc.not_equal(before, after), False)))
    if not len(gap):
        return before, 0
    place = ZoneInfo(zone)
    standing: list[datetime] = local.take(pa.array(gap)).to_pylist()
    mask = np.zeros(len(local), bool)
    mask[gap] = True
    mended = pa.array([t.replace(tzinfo=place).astimezone(UTC) for t in standing], UTC_TIME)
    return pc.replace_with_mask(before, pa.array(mask), mended), len(gap)
