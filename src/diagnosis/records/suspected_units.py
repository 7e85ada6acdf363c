"""Values recorded in a unit in which they are impossible, and possible in another: reported, never changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.checks import Fault
from diagnosis.vocabulary import Vocabulary, suspected_unit_swaps

__all__ = ["suspected_units"]

_SHOWN = 5


def suspected_units(findings: pa.Table, words: Vocabulary) -> Iterator[Fault]:
    """Yield the rows whose value looks as if it were written in another unit."""
    if not {"value", "unit"} <= set(findings.column_names):
        return
    code, unit = (findings[name].combine_chunks() for name in ("code", "unit"))
    codes, units = code.dictionary.to_pylist(), unit.dictionary.to_pylist()
    value = np.asarray(pc.fill_null(findings["value"].combine_chunks(), float("nan")))
    numbers = [np.asarray(pc.fill_null(column.indices, -1)).astype(np.int64) for column in (code, unit)]
    rows = np.flatnonzero((numbers[0] >= 0) & (numbers[1] >= 0) & ~np.isnan(value))
    if not len(rows):
        return
    pair = numbers[0][rows] * len(units) + numbers[1][rows]
    order = np.argsort(pair, kind="stable")
    pairs, starts = np.unique(pair[order], return_index=True)
    hit, swaps = np.zeros(len(findings), bool), Counter[str]()
    for number, here in zip(pairs.tolist(), np.split(rows[order], starts[1:]), strict=True):
        which, written = codes[number // len(units)], units[number % len(units)]
        suspected = suspected_unit_swaps(value[here], written, words.loinc(which))
        hit[here] = suspected != None  # noqa: E711 - elementwise on an object array
        swaps.update(f"{which} in {written}, perhaps {other}" for other in suspected[hit[here]].tolist())
    shown = "; ".join(f"{what} ({n:,})" for what, n in swaps.most_common(_SHOWN))
    says = f"is impossible in its unit and possible in another; kept as written: {shown}"
    yield Fault("suspected_unit", "findings", "value", says, np.flatnonzero(hit))
