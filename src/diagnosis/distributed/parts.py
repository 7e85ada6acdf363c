"""Where a worker's training cases come from: records it is sent, or rows of a folder it reads itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError, RecordsError
from diagnosis.features.streaming import ENCODED, OF_CASES
from diagnosis.readers import open_records
from diagnosis.records import Records
from diagnosis.records.as_of import At, UnknownTime
from diagnosis.vocabulary import Vocabulary

# Parts that a worker's share is cut into at least, so that it holds the records of a few cases only.
_PIECES = 4
__all__ = ["CasePart", "FolderPart", "SentPart", "sent_parts", "shares_of"]


class CasePart(Protocol):
    """Some training cases, which can be read as often as asked."""

    @property
    def n_cases(self) -> int:
        """How many they are."""
        ...

    def records(self) -> Iterator[Records]:
        """Give them, as of their moment."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SentPart:
    """Cases that are sent to the worker."""

    sent: Records

    @property
    def n_cases(self) -> int:
        """How many they are."""
        return len(self.sent)

    def records(self) -> Iterator[Records]:
        """Give them."""
        yield self.sent


@dataclass(frozen=True, slots=True, eq=False)
class FolderPart:
    """Cases of a folder in Parquet that the worker reads itself, with no more of them than is encoded.

    Attributes
    ----------
    folder : str
        The same path on every machine.
    cases : slice
        Which rows of ``cases``.
    bounds : ndarray of int64
        As of `RecordsFolder.in_order`, for these cases.
    rows : ndarray of int64
        Which of these cases are learned from.
    n_findings : int
        Findings they have as of the moment, as they were counted before.
    at, unknown_time
        The moment, as of `Records.as_of`.
    vocabulary : Vocabulary
        What is known of the codes.
    """

    folder: str
    cases: slice
    bounds: NDArray[np.int64]
    rows: NDArray[np.int64]
    n_findings: int
    at: At
    unknown_time: UnknownTime
    vocabulary: Vocabulary

    @property
    def n_cases(self) -> int:
        """How many are learned from."""
        return len(self.rows)

    def records(self) -> Iterator[Records]:
        """Read them.

        Raises
        ------
        InputError
            The folder is not what it was.
        """
        n = self.cases.stop - self.cases.start
        whole = open_records(self.folder, batch_cases=n)
        places = np.zeros(self.cases.stop + 1, np.int64)
        places[self.cases.start :] = self.bounds
        here = whole.between(self.cases.start, self.cases.stop, places)
        try:
            read: list[Records] = here.over(list, columns=ENCODED, of_cases=OF_CASES)
        except RecordsError:  # they were checked when the run began
            raise _changed() from None
        seen = n_findings = 0
        for some in read:
            own = self.rows[(self.rows >= seen) & (self.rows < seen + len(some))] - seen
            seen += len(some)
            found = some[own].as_of(self.at, unknown_time=self.unknown_time)
            n_findings += len(found.coded)
            found.vocabulary = self.vocabulary
            yield found
        if n_findings != self.n_findings:
            raise _changed()


def _changed() -> InputError:
    return InputError(
        "records that stay as they are while a run reads them",
        "a folder was changed since the run began, or a worker reads another one at its path",
        "start the run again when nothing writes there",
    )


def sent_parts(records: Records, n_workers: int) -> list[CasePart]:
    """Cut cases into parts that are sent, a few for each worker."""
    step = max(-(-len(records) // (n_workers * _PIECES)), 1)
    return [SentPart(records[start : start + step]) for start in range(0, len(records), step)]


def shares_of(sizes: NDArray[np.int64], n_workers: int) -> list[slice]:
    """Divide parts in their order among workers, so that each has about as much; a worker may get none.

    Parameters
    ----------
    sizes : ndarray of int64, shape (n_parts,)
    n_workers : int

    Examples
    --------
    >>> shares_of(np.array([3, 1, 1, 3]), 2)
    [slice(0, 2, None), slice(2, 4, None)]
    """
    before = np.concatenate([[0], np.cumsum(sizes)])
    middle = (before[:-1] + before[1:]) / 2
    worker = np.minimum((middle * n_workers / max(int(before[-1]), 1)).astype(np.int64), n_workers - 1)
    ends = np.searchsorted(worker, np.arange(n_workers + 1))
    return [slice(int(start), int(stop)) for start, stop in pairwise(ends)]
