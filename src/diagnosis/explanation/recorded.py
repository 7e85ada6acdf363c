"""The findings of cases as an explanation shows them: what was recorded, with which range, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.features import FindingEncoder, finding_key
from diagnosis.records.schema import INTERPRETATIONS

if TYPE_CHECKING:
    from diagnosis.records import Records

__all__ = ["Recorded", "recorded_of"]

FloatArray = npt.NDArray[np.float64]

_STATES = ("present", "absent", "uncertain")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finding of a case that the encoder uses, and its place among the lineage's keys, if it has one of its own."""

    key: int | None
    code: str
    name: str
    state: str
    said: tuple[Any, ...]


def recorded_of(
    cases: Records, encoder: FindingEncoder, place: Mapping[str, int], sources: Sequence[set[str]]
) -> list[list[Recorded]]:
    """The rows of each case that count and that the encoder knows, or that say something of a finding it knows."""
    coded, words = cases.coded, cases.vocabulary
    rows = np.flatnonzero(coded.latest)
    said, found = _said(cases, encoder, rows), [list[Recorded]() for _ in range(len(cases))]
    for at, row in enumerate(rows.tolist()):
        subject = None if coded.subject[row] < 0 else str(coded.subjects[coded.subject[row]])
        code = str(coded.codes[coded.code[row]])
        key, case = finding_key(code, subject), int(coded.case[row])
        if key in place or key in sources[case]:
            name = words.name(code)
            name = f"{name} ({subject})" if subject else name
            found[case].append(Recorded(place.get(key), key, name, _STATES[coded.status[row]], said[at]))
    return found


def _said(cases: Records, encoder: FindingEncoder, rows: npt.NDArray[np.intp]) -> list[tuple[Any, ...]]:
    """What each of some rows says beyond code and state, in the order of the fields of `Line` from `value` on."""
    coded, findings, used = cases.coded, cases.arrow("findings"), encoder.ranges_used(cases)
    times = findings.select([name for name in ("time", "known") if name in findings.column_names])
    times = times if len(rows) == len(findings) else times.take(pa.array(rows))
    comparator, comparators = cases.finding_words("comparator", rows)
    none = [None] * len(rows)
    columns: list[Sequence[Any]] = [
        _stated(coded.value[rows]),
        _worded(coded.unit[rows], coded.units),
        _worded(coded.text[rows], coded.texts),
        _worded(comparator, comparators),
        [INTERPRETATIONS[i] if i >= 0 else None for i in coded.interpretation[rows].tolist()],
        _stated(used.low[rows]),
        _stated(used.high[rows]),
        *(_iso(times[name]) if name in times.column_names else none for name in ("time", "known")),
        [used.source(row) for row in rows.tolist()],
    ]
    return list(zip(*columns, strict=True))


def _worded(number: npt.NDArray[np.int32], words: npt.NDArray[np.object_]) -> list[str | None]:
    listed = words.tolist()
    return [listed[i] if i >= 0 else None for i in number.tolist()]


def _stated(numbers: FloatArray) -> list[float | None]:
    return [None if number != number else number for number in numbers.tolist()]


def _iso(moments: pa.ChunkedArray) -> list[str | None]:
    """Times in ISO 8601, in UTC; a page of findings has few distinct ones."""
    ticks = moments.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    said = {t: None if t is None else (_EPOCH + timedelta(microseconds=t)).isoformat() for t in set(ticks)}
    return [said[t] for t in ticks]
