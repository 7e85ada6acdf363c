"""Where and when a case was seen, as far as that alone names the diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.one_variable import gain_of
from diagnosis.evaluation.suspicion import Suspicion

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["told_by_place_or_date"]

_LEAST_CASES = 100
_LEAST_EXPLAINED = 0.1
_MOST_CASES = 50_000
_DAYS = 28


def told_by_place_or_date(records: Records, labels: NDArray[np.object_], *, seed: int = 0) -> list[Suspicion]:
    """Say where the site, the group or the date alone explains at least 10 % of what is uncertain about the diagnosis.

    By cross-validated log-loss against the prior; dates in spans of 28 days. Looked at on at most 50,000 cases; nothing
    is said of fewer than 100. `share` is the share explained.
    """
    n = len(records)
    if n < _LEAST_CASES:
        return []
    rows = np.arange(n)
    if n > _MOST_CASES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_CASES, replace=False))
    label = np.unique(labels[rows], return_inverse=True)[1]
    found = []
    for name, what, so in (
        ("site", "site", "sites differ in whom they see or how they record, so leave one out at a time"),
        ("group", "group", "cases of a group are alike, so split by group"),
        ("time", "date", "cases were gathered diagnosis by diagnosis, or prevalence moved, so split by time"),
    ):
        cells = _cells(records, name, rows)
        if cells is None or (gain := gain_of(cells, label, seed)) < _LEAST_EXPLAINED:
            continue
        says = (
            f"The {what} alone explains {gain:.0%} of what is uncertain about the diagnosis of {len(rows):,} cases: "
            f"{so}."
        )
        found.append(Suspicion(f"{what}_predicts", says, len(rows), gain))
    return found


def _cells(records: Records, name: str, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
    values = records.column(name)[rows]
    if name == "time":
        missing = np.isnat(values)
        span = values.astype("datetime64[D]").astype(np.int64) // _DAYS
        values = np.where(missing, np.iinfo(np.int64).min, span)
    else:
        missing = values == None  # noqa: E711 - elementwise on an object array
        values = values.astype(str)
    number = np.unique(values, return_inverse=True)[1]
    return None if missing.all() or number.max() == 0 else number.astype(np.int64)
