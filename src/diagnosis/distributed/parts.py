"""Where a worker's training cases come from: records it is sent, or rows of a folder it reads itself."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diagnosis.records import Records

__all__ = ["CasePart", "SentPart", "shares_of"]


class CasePart(Protocol):
    """Some training cases, which can be read as often as asked."""

    @property
    def n_cases(self) -> int:
        """How many they are."""
        ...

    def records(self) -> Records:
        """Return them, as of their moment."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SentPart:
    """Cases that are sent to the worker."""

    sent: Records

    @property
    def n_cases(self) -> int:
        """How many they are."""
        return len(self.sent)

    def records(self) -> Records:
        """Return them."""
        return self.sent


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
