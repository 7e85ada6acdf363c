"""Cases from wherever they come, a part at a time: records, folders of Parquet, anything that yields records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TypeVar, cast

from joblib import Parallel, delayed, effective_n_jobs

from diagnosis.errors import InputError
from diagnosis.features.ahead import ahead
from diagnosis.features.assemble import SortedRows
from diagnosis.features.columns import Layout
from diagnosis.features.ready import RangeWords, encode_ready, made_ready
from diagnosis.features.windows import window_entries
from diagnosis.readers.records_folder import RecordsFolder, open_records
from diagnosis.records.records import Records

__all__ = ["ENCODED", "Source", "again", "checked", "encode_records", "in_threads", "over_parts", "whole_patients"]

Source = Records | RecordsFolder | str | Path | Iterable[Records]
#: Columns of `findings` that encoding looks at, beside those that are required.
ENCODED = (
    *("value", "unit", "text", "time", "known", "subject"),
    *("ref_low", "ref_high", "interpretation", "specimen", "onset_days"),
)
#: Columns of `cases` likewise, beside the id.
OF_CASES = (
    *("age_years", "age_days", "sex", "pregnant", "pregnancy_weeks", "site"),
    *("patient_id", "time", "index_time", "end_time"),
)
T = TypeVar("T")
P = TypeVar("P")
R = TypeVar("R")


def over_parts(
    source: Source,
    work: Callable[[Iterator[P]], T],
    prepare: Callable[[Records], P] | None = None,
    *,
    n_jobs: int = 1,
    whole: bool = False,
) -> T:
    """Give `work` every part of a source, each made ready by `prepare`, in order; return what it returns.

    Parameters
    ----------
    source : Records, RecordsFolder, path, or iterable of Records
    work : callable
        Goes through all of the parts; it may be called a second time, with the parts from the beginning.
    prepare : callable, optional
        Called in `n_jobs` threads; without it the parts are the records, with their findings coded.
    n_jobs : int
    whole : bool
        Whether the encounters of a patient must stand in one of the records of an iterable.

    Raises
    ------
    InputError
        A source that is none of these, or holds no records.
    """
    ready = cast("Callable[[Records], P]", prepare or _coded)
    if isinstance(source, str | Path):
        source = open_records(source)
    if isinstance(source, RecordsFolder):
        return source.over(lambda parts: work(in_threads(parts, ready, n_jobs)), columns=ENCODED, of_cases=OF_CASES)
    if isinstance(source, Records):
        return work(in_threads(iter([source]), ready, 1))
    if not isinstance(source, Iterable) or isinstance(source, Mapping) or hasattr(source, "columns"):
        raise _no_records(source)
    parts = _some(map(checked, source))
    return work(in_threads(whole_patients(parts) if whole else parts, ready, n_jobs))


def checked(records: object) -> Records:
    """Refuse what is no `Records`."""
    if not isinstance(records, Records):
        raise _no_records(records)
    return records


def encode_records(records: Records, layout: Layout, range_words: RangeWords) -> SortedRows:
    """Encode cases: entries a row, and the columns and data of the entries, sorted by case and column."""
    history = window_entries(records, layout) if layout.history else None
    ready = made_ready(records, range_words, pack=layout.spread is None and history is None)
    return encode_ready(ready, layout, history)


def again(source: Source) -> Source:
    """What can be gone through a second time: the source, or a list of the parts of an iterator."""
    if isinstance(source, Iterator):
        return [checked(part) for part in source]
    return source


def whole_patients(parts: Iterable[Records]) -> Iterator[Records]:
    """Pass parts on, and make sure that no patient stands in two of them.

    Raises
    ------
    InputError
        A patient has encounters in more than one part.
    """
    seen: set[str] = set()
    for part in parts:
        patients = set(part.groups.tolist())
        if not seen.isdisjoint(patients):
            raise InputError(
                "Windows look back at the earlier encounters of a patient, so that these must stand in one part.",
                "Found a patient whose encounters stand in more than one.",
                "Give Records whole, or parts that hold whole patients.",
            )
        seen |= patients
        yield part


def _coded(records: Records) -> Records:
    assert records.coded is not None  # worked out here, in a thread, and kept
    return records


def in_threads(parts: Iterator[R], ready: Callable[[R], P], n_jobs: int) -> Iterator[P]:
    """The parts made ready in threads, in their order; a few at a time, so that no more are held."""
    n_jobs = effective_n_jobs(n_jobs)
    if n_jobs == 1:
        yield from map(ready, parts)
        return
    with Parallel(n_jobs=n_jobs, prefer="threads") as pool, closing(ahead(parts, n_jobs)) as read:
        while some := list(islice(read, 2 * n_jobs)):
            yield from pool(delayed(ready)(part) for part in some)


def _some(parts: Iterator[Records]) -> Iterator[Records]:
    n = 0
    for part in parts:
        n += 1
        yield part
    if not n:
        raise InputError(
            "The encoder takes Records, at least one.",
            "Found none; an iterator that was used up gives nothing more.",
            "Give a list of Records, a folder, or what can be gone through again.",
        )


def _no_records(found: object) -> InputError:
    return InputError(
        "The encoder takes Records, a folder of them in Parquet, or an iterable of Records.",
        f"Found {type(found).__name__}.",
        "Build them with read_records, Records.from_tables or Records.from_cases.",
    )
