"""Texts as numbers of 64 bits: equal texts give equal numbers, others almost never the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["hashes"]

_WORD = 8
# Odd constants of SplitMix64 (Steele, Lea, Flood 2014), which mixes every bit of a word into every other.
_STEP, _ONE, _TWO = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def hashes(texts: pa.Array) -> npt.NDArray[np.uint64]:
    """Number each text; none may be missing. Shape (n,)."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    held = texts.buffers()[2]
    data = np.zeros(0, np.uint8) if held is None else np.frombuffer(held, np.uint8)
    lengths = np.diff(offsets)
    made = np.empty(len(texts), np.uint64)
    for length in np.flatnonzero(np.bincount(lengths)).tolist() if len(lengths) else ():
        rows = np.flatnonzero(lengths == length)
        starts = offsets[rows].astype(np.int64)
        together = len(rows) and bool((np.diff(starts) == length).all())
        words = np.zeros((len(rows), -(-length // _WORD) or 1), np.uint64)
        held_words = words.view(np.uint8).reshape(len(rows), -1)
        if together:
            held_words[:, :length] = data[starts[0] : starts[0] + length * len(rows)].reshape(len(rows), length)
        else:
            held_words[:, :length] = data[starts[:, None] + np.arange(length)]
        made[rows] = _mixed(words, length)
    return made


def _mixed(words: npt.NDArray[np.uint64], length: int) -> npt.NDArray[np.uint64]:
    mixed = np.full(len(words), np.uint64(length))
    for column in words.T:
        mixed ^= column
        mixed += _STEP
        mixed ^= mixed >> np.uint64(30)
        mixed *= _ONE
        mixed ^= mixed >> np.uint64(27)
        mixed *= _TWO
        mixed ^= mixed >> np.uint64(31)
    return mixed
