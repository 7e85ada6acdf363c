"""What was made ready to be learnt from, kept to be encoded: in memory, and on disk beyond."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import WorkError
from diagnosis.features.context import CaseContext
from diagnosis.features.ready import Ready
from diagnosis.features.states_only import Finding, PackedStates

__all__ = ["Kept"]

#: Bytes of parts that are held in memory.
HELD = 1 << 29
# Where the arrays of one part lie in the file: type, position and length of each.
_Places = list[tuple[str, int, int]]


class Kept:
    """Parts in their order, in memory up to half a gigabyte; what is more goes into a nameless file.

    Only states are written: of parts with values that do not fit nothing is kept, and `whole` says so.

    Attributes
    ----------
    whole : bool
        Whether all parts are there.
    """

    def __init__(self) -> None:
        self.whole = True
        self._held: list[Ready] = []
        self._size = 0
        self._written: list[tuple[tuple[Finding, ...], _Places]] = []
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything, to begin again."""
        if self._file is not None:
            self._file.close()
        self.__init__()  # type: ignore[misc]

    def drop(self) -> None:
        """Keep nothing from here on."""
        self.clear()
        self.whole = False

    def add(self, part: Ready) -> None:
        """Keep a part.

        Raises
        ------
        WorkError
            There is no room on the disk for temporary files.
        """
        if not self.whole:
            return
        self._size += part.nbytes
        if self._size <= HELD and not self._written:
            self._held.append(part)
        elif isinstance(part.findings, PackedStates):
            self._write(part.context, part.findings)
        else:
            self.drop()

    def parts(self) -> Iterator[Ready]:
        """Give the parts in their order, and forget them on the way."""
        self._held.reverse()
        while self._held:
            yield self._held.pop()
        for names, places in self._written:
            years, band, sex, pregnant, counts, slots = (self._read(*place) for place in places)
            yield Ready(CaseContext(years, band, sex, pregnant), PackedStates(names, counts, slots))

    def _write(self, context: CaseContext, found: PackedStates) -> None:
        arrays = (context.years, context.band, context.sex, context.pregnant, found.counts, found.slots)
        places: _Places = []
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="diagnosis-")  # noqa: SIM115 - closed by `clear`
            for array in arrays:
                places.append((array.dtype.str, self._file.tell(), len(array)))
                self._file.write(np.ascontiguousarray(array).data)
            self._file.flush()
        except OSError as error:
            raise WorkError(
                f"Cases read once could not be kept in {tempfile.gettempdir()} ({type(error).__name__}); nothing "
                "of them is left. Make room, let TMPDIR name a folder on another disk, or call fit and then transform."
            ) from error
        names = self._written[-1][0] if self._written and self._written[-1][0] == found.names else found.names
        self._written.append((names, places))

    def _read(self, kind: str, start: int, n: int) -> NDArray[Any]:
        assert self._file is not None  # something was written
        self._file.seek(start)
        made = np.empty(n, kind)
        self._file.readinto(made)  # type: ignore[attr-defined]
        return made
