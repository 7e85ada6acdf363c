"""Whether an id stands twice in a table of any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.readers.partitions import Partitions, refusal
from diagnosis.readers.text_hash import hashes
from diagnosis.records import Problem

__all__ = ["check_unique"]

_ROWS = 1 << 18


def check_unique(cases: Partitions) -> None:
    """Make sure that no ``case_id`` stands twice.

    Ids that ascend, or that ascend among those of one length and get longer, are looked at once and forgotten. Of
    others a number of 64 bits each is kept and sorted, and ids whose numbers agree are compared as they are.

    Raises
    ------
    RecordsError
        Rows whose id stands elsewhere too.
    """
    if _ascending(cases):
        return
    numbers = np.concatenate([hashes(ids) for ids in _ids(cases)])
    ordered = np.sort(numbers)
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(again):
        return
    rows = np.flatnonzero(np.isin(numbers, again))
    suspected = pa.concat_arrays([ids.filter(pa.array(np.isin(hashes(ids), again))) for ids in _ids(cases)])
    counts = pc.value_counts(suspected)
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    rows = rows[np.asarray(pc.is_in(suspected, twice))]
    if len(rows):
        says = "must be unique and stands more than once"
        raise refusal([Problem("error", "duplicate_id", "cases", "case_id", says, tuple((rows + 1).tolist()))])


def _ids(cases: Partitions) -> Iterator[pa.Array]:
    for table in cases.only(("case_id",)).batches(_ROWS):
        if len(table):
            yield table["case_id"].combine_chunks()


def _ascending(cases: Partitions) -> bool:
    plainly = by_length = True
    last = pa.array([], pa.string())
    for ids in _ids(cases):
        some = pa.concat_arrays([last, ids])
        before, after = some.slice(0, len(some) - 1), some.slice(1)
        less = np.asarray(pc.less(before, after))
        lengths: npt.NDArray[np.int64] = np.asarray(pc.binary_length(some)).astype(np.int64)
        step = np.diff(lengths)
        plainly = plainly and bool(less.all())
        by_length = by_length and bool(((step > 0) | ((step == 0) & less)).all())
        if not plainly and not by_length:
            return False
        last = some.slice(len(some) - 1)
    return True
