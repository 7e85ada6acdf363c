"""Where each id stands among a great many: a hash table of plain numbers, asked for a million rows at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from diagnosis.readers.text_hash import hashes

__all__ = ["Places"]


class Places:
    """Positions of ids by their 64-bit numbers, with 16 to 24 bytes an id.

    Of ids that are not there, one in 2**64 divided by the number of those that are would pass for one of them.

    Parameters
    ----------
    ids : iterable of pa.Array of text
        All different.
    """

    def __init__(self, ids: Iterable[pa.Array]) -> None:
        self._numbers = np.concatenate([np.zeros(0, np.uint64), *(hashes(some) for some in ids)])
        n = len(self._numbers)
        self._mask = np.uint64((1 << max(2 * n, 1).bit_length()) - 1)
        self._table = np.full(int(self._mask) + 1, -1, np.int32)
        rows = np.arange(n, dtype=np.int32)
        slots = self._numbers & self._mask
        while len(rows):
            free = self._table[slots] < 0
            self._table[slots[free]] = rows[free]
            left = self._table[slots] != rows
            rows, slots = rows[left], (slots[left] + np.uint64(1)) & self._mask

    def of(self, ids: pa.Array) -> npt.NDArray[np.int64]:
        """Position of each id, -1 for one that is not there; shape (n,)."""
        if pa.types.is_dictionary(ids.type):
            return np.asarray(self.of(ids.dictionary)[np.asarray(ids.indices)])
        numbers = hashes(ids)
        found = np.full(len(ids), -1, np.int64)
        rows, slots = np.arange(len(ids)), numbers & self._mask
        while len(rows):
            there = self._table[slots]
            right = (there >= 0) & (self._numbers[there] == numbers[rows])
            found[rows[right]] = there[right]
            left = (there >= 0) & ~right
            rows, slots = rows[left], (slots[left] + np.uint64(1)) & self._mask
        return found
