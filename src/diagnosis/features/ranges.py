"""High or low: what the laboratory said, else the value against the range on its own row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diagnosis.features.rows import PRESENT, FindingRows

# Positions in the coded interpretations ("L", "LL", "H", "HH", "N", "A", "POS", "NEG").
_LOW, _HIGH, _NORMAL = (0, 1), (2, 3), 4


def high_low(batch: FindingRows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which rows are above and which below their reference range.

    The interpretation decides where it is one of L, LL, N, H, HH. Otherwise the value is compared with `ref_low` and
    `ref_high`, all three in the row's own unit; a value on the bound is inside. A row that is not *present* is neither.
    """
    said = batch.interpretation
    open_ = said < 0
    open_ |= said > _NORMAL
    high = np.isin(said, _HIGH)
    low = np.isin(said, _LOW)
    high |= open_ & (batch.value > batch.ref_high)  # a comparison with nan is false
    low |= open_ & (batch.value < batch.ref_low)
    present = batch.status == PRESENT
    return high & present, low & present
