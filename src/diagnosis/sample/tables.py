"""The tables the synthetic cohort is drawn from, as they stand in the CSV files beside this module."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from diagnosis.errors import InputError

__all__ = [
    "AGE_BANDS",
    "GROUPS",
    "SEVERITIES",
    "Row",
    "age_band",
    "applicable",
    "band_years",
    "by_subtype",
    "number",
    "read_table",
]

Row = Mapping[str, str]

SEVERITIES = ("mild", "moderate", "severe")
#: What a case presents with: respiratory, fever, skin, abdomen, urogenital, neurological, chest, infant, general.
GROUPS = "RFSAUNCIG"
AGE_BANDS = (
    "0-7d",
    "8-28d",
    "29-90d",
    "3-12m",
    "1-3y",
    "3-6y",
    "6-12y",
    "12-18y",
    "18-30y",
    "30-45y",
    "45-60y",
    "60-75y",
    "75y+",
)
_YEAR = 365.25
#: First day of each band, and the day after the last.
EDGES = np.array([0, 8, 29, 91, _YEAR, *(_YEAR * y for y in (3, 6, 12, 18, 30, 45, 60, 75, 95))])


def age_band(age_days: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the index of the age band of each age in days."""
    found = np.searchsorted(EDGES[1:-1] - 1e-6, age_days, side="right")
    return found.astype(np.int64)


def band_years() -> npt.NDArray[np.float64]:
    """Return the middle of each age band, in years."""
    middle: npt.NDArray[np.float64] = (EDGES[:-1] + EDGES[1:]) / 2 / _YEAR
    return middle


def number(row: Row, column: str, otherwise: float = 0.0) -> float:
    """Return a number from a row; an empty field is `otherwise`."""
    text = row[column]
    return float(text) if text else otherwise


def applicable(row: Row) -> npt.NDArray[np.bool_]:
    """Return in which age bands and sexes (female, male) a row applies, shape (bands, 2)."""
    years = band_years()
    by_age = (years >= number(row, "age_min_years")) & (years < number(row, "age_max_years", np.inf))
    sex = row.get("sex", "")
    by_sex = np.array([sex != "male", sex != "female"])
    found: npt.NDArray[np.bool_] = by_age[:, None] & by_sex[None, :]
    return found


@lru_cache(maxsize=32)
def read_table(name: str) -> tuple[Row, ...]:
    """Return the rows of one table of this package as text.

    Raises
    ------
    InputError
        If a frequency, shift or picture does not say where it comes from.
    """
    source = resources.files("diagnosis.sample") / "tables" / f"{name}.csv"
    rows = tuple(csv.DictReader(io.StringIO(source.read_text(encoding="utf-8"))))
    for line, row in enumerate(rows, start=2):
        if "source" in row and not row["source"]:
            raise InputError(
                f"Every row of {name}.csv states its source.",
                f"Line {line} states none.",
                "Cite the publication, or write `assumed`.",
            )
    return rows


def by_subtype(table: str, subtypes: Sequence[Row]) -> dict[tuple[int, str], list[Row]]:
    """Rows of a table by (subtype, finding); a row without subtype goes to all of its diagnosis, before the others."""
    found: dict[tuple[int, str], list[Row]] = {}
    for row in sorted(read_table(table), key=lambda r: r["subtype"] != ""):
        for i, s in enumerate(subtypes):
            if s["diagnosis"] == row["diagnosis"] and row["subtype"] in ("", s["subtype"]):
                found.setdefault((i, row["finding"]), []).append(row)
    return found
