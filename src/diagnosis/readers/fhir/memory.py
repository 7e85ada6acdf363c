"""What was read of a text, kept until there is too much of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Memory"]

K = TypeVar("K")
T = TypeVar("T")


class Memory(dict[K, T], Generic[K, T]):
    """What `read` makes of each text; indexing reads a text once, and a known one without a call in Python.

    Parameters
    ----------
    read : callable
    most : int
        With so many texts all are forgotten.

    Examples
    --------
    >>> length = Memory(len, 100)
    >>> length["fever"], dict(length)
    (5, {'fever': 5})
    """

    def __init__(self, read: Callable[[K], T], most: int) -> None:
        super().__init__()
        self._read = read
        self._most = most

    def __missing__(self, text: K) -> T:
        if len(self) >= self._most:
            self.clear()
        self[text] = made = self._read(text)
        return made
