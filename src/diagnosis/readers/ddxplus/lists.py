"""The lists that patients' rows hold as text, written as Python or JSON writes them."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Words", "parse_list", "split_pairs", "split_words"]

# As pandas writes lists of plain words, and of pairs of a word and a number; RE2 takes a column in one pass.
_WORD = r"'[^'\\]*'"
_NUMBER = r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?"
_PLAIN_WORDS = rf"^\[{_WORD}(, {_WORD})*\]$"
_PAIR = rf"\['[^'\\\]]*', {_NUMBER}\]"
_PLAIN_PAIRS = rf"^\[{_PAIR}(, {_PAIR})*\]$"
# Beyond it an integer has no float.
_ANY_NUMBER = 1e300
# The longest released list is under 3,000 characters.
_LONGEST = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of many lists, one row a word, sorted by list.

    Parameters
    ----------
    row : ndarray of int64, shape (n_words,)
        Which list each word stands in.
    word : ndarray of int32, shape (n_words,)
        Index into `distinct`.
    distinct : list of str
    number : ndarray of float64, shape (n_words,)
        The number of the pair; NaN in a list of words.
    malformed : ndarray of int64
        Texts that are no such list.
    """

    row: npt.NDArray[np.int64]
    word: npt.NDArray[np.int32]
    distinct: list[str]
    number: npt.NDArray[np.float64]
    malformed: npt.NDArray[np.int64]


def split_words(texts: Sequence[str]) -> Words:
    """Take lists of words apart; those written plainly all at once, others one by one.

    Examples
    --------
    >>> found = split_words(["['a', 'b']", '["b"]', "[1]", "[]"])
    >>> [(int(r), found.distinct[w]) for r, w in zip(found.row, found.word)], found.malformed.tolist()
    ([(0, 'a'), (0, 'b'), (1, 'b')], [2])
    """
    column = pa.array(texts, pa.string())
    fast = _matching(column, _PLAIN_WORDS)
    lists = pc.split_pattern(pc.utf8_slice_codeunits(column.take(pa.array(fast)), 2, -2), "', '")
    words = pc.list_flatten(lists)
    numbers = np.full(len(words), np.nan)
    return _with_others(texts, fast, lists, words, numbers, pairs=False)


def split_pairs(texts: Sequence[str]) -> Words:
    """Take lists of [word, number] apart, likewise.

    Examples
    --------
    >>> found = split_pairs(["[['a', 0.5], ['b', 1e-05]]", '[["a", 1]]', "[]", "['a']", "[['a], [b', 0.5]]"])
    >>> found.number.tolist(), [found.distinct[w] for w in found.word], found.malformed.tolist()
    ([0.5, 1e-05, 1.0, 0.5], ['a', 'b', 'a', 'a], [b'], [3])
    """
    column = pa.array(texts, pa.string())
    fast = _matching(column, _PLAIN_PAIRS)
    lists = pc.split_pattern(pc.utf8_slice_codeunits(column.take(pa.array(fast)), 2, -2), "], [")
    parts = pc.list_flatten(pc.split_pattern(pc.list_flatten(lists), "', ", max_splits=1, reverse=True))
    even = pa.array(np.arange(0, len(parts), 2))
    words = pc.utf8_slice_codeunits(parts.take(even), 1)
    numbers = np.asarray(parts.take(pc.add(even, 1)).cast(pa.float64()))
    return _with_others(texts, fast, lists, words, numbers, pairs=True)


def _matching(column: pa.Array, pattern: str) -> npt.NDArray[np.int64]:
    plain = pc.match_substring_regex(column, pattern)
    short = pc.less_equal(pc.utf8_length(column), _LONGEST)
    return np.flatnonzero(np.asarray(pc.and_(plain, short))) if len(column) else np.zeros(0, np.int64)


def _with_others(
    texts: Sequence[str],
    fast: npt.NDArray[np.int64],
    lists: pa.Array,
    words: pa.Array,
    numbers: npt.NDArray[np.float64],
    *,
    pairs: bool,
) -> Words:
    """Add the lists that are not written plainly."""
    rows, more, their = [np.repeat(fast, np.asarray(pc.list_value_length(lists)))], [words], [numbers]
    malformed = []
    for row in np.setdiff1d(np.arange(len(texts)), fast, assume_unique=True).tolist():
        found = parse_list(texts[row])
        items = [_item(one, pairs) for one in found or ()]
        if found is None or None in items:
            malformed.append(row)
            continue
        rows.append(np.full(len(items), row))
        more.append(pa.array([one[0] for one in items if one], pa.string()))
        their.append(np.array([one[1] for one in items if one], np.float64))
    coded = pa.chunked_array(more, pa.string()).combine_chunks().dictionary_encode()
    where = np.concatenate(rows)
    order = np.argsort(where, kind="stable")
    index = np.asarray(coded.indices).astype(np.int32)[order]
    number = np.concatenate(their)[order]
    return Words(where[order], index, coded.dictionary.to_pylist(), number, np.array(malformed, np.int64))


def _item(one: object, pairs: bool) -> tuple[str, float] | None:
    if not pairs:
        return (one, float("nan")) if isinstance(one, str) else None
    if not isinstance(one, list | tuple) or len(one) != 2 or not isinstance(one[0], str):
        return None
    number = one[1]
    if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) < _ANY_NUMBER:
        return None
    return one[0], float(number)


def parse_list(text: str) -> list[Any] | None:
    """Read a list of plain values; None where the text is none, or is longer than any list of the format."""
    if len(text) > _LONGEST or not text.startswith("["):
        return None
    try:
        if "\\" in text:  # only JSON writes letters so: Python's own rules for them warn of mistakes
            made = json.loads(text)
        elif '"' in text:
            made = ast.literal_eval(text)
        else:
            made = json.loads(text.replace("'", '"'))
        json.dumps(made, ensure_ascii=False).encode()
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return made if isinstance(made, list) else None
