"""Cases of a folder in Parquet as parts that workers read themselves, where they can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagnosis.distributed.cluster import Workers
from diagnosis.distributed.parts import CasePart, FolderPart
from diagnosis.errors import InputError
from diagnosis.readers import open_records
from diagnosis.records import Records
from diagnosis.records.as_of import At, UnknownTime

__all__ = ["folder_parts"]

# Cases read together at most.
_CASES = 1 << 14
# Parts for each worker at least.
_PIECES = 4


def folder_parts(
    workers: Workers, folder: str | Path, learned_from: Records, *, at: At, unknown_time: UnknownTime
) -> list[CasePart] | None:
    """Return the cases to learn from as rows of the folder they were read from.

    None where that cannot be: the tables are no Parquet, some worker does not see the folder, the findings do not come
    in the order of their cases, or the cases to learn from do not.

    Parameters
    ----------
    workers : Workers
    folder : path
    learned_from : Records
        Cases of the folder, as of their moment.
    at, unknown_time
        That moment, as of `Records.as_of`.
    """
    path = str(Path(folder).resolve())
    if not all(workers.all("sees", path)):
        return None
    try:
        source = open_records(path)
    except InputError:
        return None
    ordered = source.in_order()
    places = None if ordered is None else _places(ordered[0], learned_from)
    if ordered is None or places is None:
        return None
    bounds = ordered[1]
    step = int(np.clip(-(-len(source) // (len(workers) * _PIECES)), 1, _CASES))
    ends = np.searchsorted(places, np.arange(0, len(source) + step, step))
    offsets = learned_from.coded.offsets
    return [
        FolderPart(
            folder=path,
            cases=slice(first, min(first + step, len(source))),
            bounds=bounds[first : first + step + 1],
            rows=places[start:stop] - first,
            n_findings=int(offsets[stop] - offsets[start]),
            at=at,
            unknown_time=unknown_time,
            vocabulary=learned_from.vocabulary,
        )
        for first, start, stop in zip(range(0, len(source), step), ends[:-1].tolist(), ends[1:].tolist(), strict=True)
        if stop > start
    ]


def _places(ids: NDArray[np.object_], learned_from: Records) -> NDArray[np.int64] | None:
    """Return the row of each case in the folder; None where they are not all there, in ascending order."""
    row = {case_id: i for i, case_id in enumerate(ids.tolist())}
    places = np.array([row.get(case_id, -1) for case_id in learned_from.case_ids.tolist()], dtype=np.int64)
    return places if (np.diff(places, prepend=-1) > 0).all() else None
