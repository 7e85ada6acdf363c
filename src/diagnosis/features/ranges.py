"""High or low, and how far: what the laboratory said, else the value against the range that counts on its row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagnosis.features.rows import PRESENT, FindingRows
from diagnosis.features.values import usable
from diagnosis.records.coded import blank, is_blank

# Positions in the coded interpretations ("L", "LL", "H", "HH", "N", "A", "POS", "NEG").
_LOW, _HIGH, _NORMAL = (0, 1), (2, 3), 4
# The bounds of a reference range that holds 95 % of the healthy, in standard deviations.
_BOUND = 1.96


def high_low(batch: FindingRows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which rows are above and which below their reference range.

    The interpretation decides where it is one of L, LL, N, H, HH. Otherwise the value is compared with `ref_low` and
    `ref_high`, all three in the row's own unit; a value on the bound is inside. A row that is not *present*, or has no
    range, is neither.
    """
    said = batch.interpretation
    unranged = is_blank(batch.value) or (is_blank(batch.ref_low) and is_blank(batch.ref_high))
    if is_blank(said) and unranged:
        return blank(np.False_, len(said)), blank(np.False_, len(said))
    open_ = said < 0
    open_ |= said > _NORMAL
    high = np.isin(said, _HIGH)
    low = np.isin(said, _LOW)
    high |= open_ & (batch.value > batch.ref_high)  # a comparison with nan is false
    low |= open_ & (batch.value < batch.ref_low)
    present = batch.status == PRESENT
    return high & present, low & present


def without_range(batch: FindingRows) -> NDArray[np.bool_]:
    """Say which values have no range, nor an interpretation that tells high from low."""
    said = batch.interpretation
    silent = (said < 0) | (said > _NORMAL)
    return batch.valued & silent & np.isnan(batch.ref_low) & np.isnan(batch.ref_high)


def distances(batch: FindingRows) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Say how far values lie from the middle of their range, where it has two bounds.

    Bounds are taken as the 2.5th and 97.5th centiles of a normal distribution, so that they lie at -1.96 and 1.96; the
    distance `z` is bent to ``sign(z) · log1p(|z|)``, because a laboratory value may lie a hundred deviations away.

    Returns
    -------
    rows : ndarray of int
    distance : ndarray of float64, shape (n_rows_returned,)
    """
    rows = np.flatnonzero(batch.valued)
    rows = rows[usable(batch.value[rows]) & (batch.ref_high[rows] > batch.ref_low[rows])]
    fine, distance = bent_distance(batch.value[rows], batch.ref_low[rows], batch.ref_high[rows])
    return rows[fine], distance


def bent_distance(
    value: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Say which values have a distance, and that distance; `low` is below `high`."""
    with np.errstate(over="ignore", invalid="ignore"):
        z = (value - (low + high) / 2) / ((high - low) / (2 * _BOUND))
    fine = usable(z)
    return fine, np.sign(z[fine]) * np.log1p(np.abs(z[fine]))
