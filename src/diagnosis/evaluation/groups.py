"""Which cases belong together in a table by group: sex, age band, site and any other categorical column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError, UnknownNameError, nearest
from diagnosis.features.context import DAYS_PER_YEAR, age_band
from diagnosis.records.schema import TABLES

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["AGE_BAND", "UNKNOWN", "age_groups", "groups_of", "period_groups"]

AGE_BAND = "age_band"
UNKNOWN = "unknown"

PERIODS = ("year", "quarter")

_COARSER = {"toddler": "child", "older": "65+"}
_NEVER = frozenset({"case_id", "patient_id", "differential"})


def age_groups(years: NDArray[np.float64]) -> NDArray[np.object_]:
    """Name the age group of each age in years; ``unknown`` where the age is not known.

    neonate (under 28 days), infant (under 1 year), child (1-11), adolescent (12-17), adult (18-64) and 65+. Those
    are the age bands of the encoder with toddler and child in one, so that the cells of a report stay large: after
    the NICHD paediatric terminology (Williams et al., Pediatrics 2012;129 Suppl 3:S153), adults from 18 and older
    people from 65 as in ICH E11(R1) and E7.

    Examples
    --------
    >>> age_groups(np.array([0.01, 2.0, 40.0, 65.0, np.nan])).tolist()
    ['neonate', 'child', 'adult', '65+', 'unknown']
    """
    bands = age_band(years)
    return np.array([UNKNOWN if b is None else _COARSER.get(b, b) for b in bands], dtype=object)


def period_groups(times: NDArray[np.datetime64], name: str) -> NDArray[np.object_]:
    """Name the calendar ``year`` or ``quarter`` (in UTC) of each time; ``unknown`` where there is none.

    Examples
    --------
    >>> period_groups(np.array(["2024-05-03", "NaT"], dtype="datetime64[us]"), "quarter").tolist()
    ['2024-Q2', 'unknown']
    """
    months = times.astype("datetime64[M]")
    known = ~np.isnat(months)
    month = np.where(known, months.astype(np.int64), 0)
    year, quarter = 1970 + month // 12, month % 12 // 3 + 1
    named = [f"{y}" if name == "year" else f"{y}-Q{q}" for y, q in zip(year.tolist(), quarter.tolist(), strict=True)]
    return np.where(known, np.array(named, dtype=object), UNKNOWN)


def groups_of(records: Records, by: Sequence[str]) -> dict[str, NDArray[np.object_]]:
    """Return the group of each case, for each way of grouping.

    A case without the value belongs to ``unknown``.

    Parameters
    ----------
    records : Records of n cases
    by : sequence of str
        ``age_band``; ``year`` or ``quarter`` of the encounter's start; or a categorical column of `cases`.

    Raises
    ------
    UnknownNameError
        There is no such column; nearest names are offered.
    InputError
        The column holds ids, numbers or times.
    """
    return {name: _group(records, name) for name in by}


def _group(records: Records, name: str) -> NDArray[np.object_]:
    if name == AGE_BAND:
        days, years = records.column("age_days"), records.column("age_years")
        return age_groups(np.where(np.isnan(days), years, days / DAYS_PER_YEAR))
    if name in PERIODS:
        return period_groups(records.column("time"), name)
    known = {*TABLES["cases"].columns, *records.arrow("cases").column_names}
    if name not in known:
        offered = sorted({*known, AGE_BAND, *PERIODS} - _NEVER)
        raise UnknownNameError(
            f"Asked for an evaluation by `{name}`",
            "it is neither `age_band`, `year` or `quarter` nor a column of `cases`",
            "use a categorical column of `cases`",
            near=nearest(name, offered),
        )
    values = np.asarray(records.column(name))
    if name in _NEVER or values.dtype.kind not in "Ob":
        raise InputError(
            f"Asked for an evaluation by `{name}`",
            "the column does not sort cases into groups: it holds ids, numbers or times",
            "use `age_band` for the age, or add a categorical column to `cases`",
        )
    return np.array([UNKNOWN if v is None else _text(v) for v in values.tolist()], dtype=object)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
