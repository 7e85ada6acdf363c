"""The lists that patients' rows hold as text, written as Python or JSON writes them."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Words", "parse_list", "split_words"]

# As pandas writes a list of plain words; RE2 takes it in one pass over the column.
_PLAIN = r"^\['[^'\\]*'(, '[^'\\]*')*\]$"
# The longest released list is under 3,000 characters.
_LONGEST = 50_000


class Words:
    """The words of many lists.

    Parameters
    ----------
    row : ndarray of int64, shape (n_words,)
        Which list each word stands in.
    word : ndarray of int32, shape (n_words,)
        Index into `distinct`.
    distinct : list of str
    malformed : ndarray of int64
        Texts that are no list of words.
    """

    __slots__ = ("distinct", "malformed", "row", "word")

    def __init__(
        self,
        row: npt.NDArray[np.int64],
        word: npt.NDArray[np.int32],
        distinct: list[str],
        malformed: npt.NDArray[np.int64],
    ) -> None:
        self.row = row
        self.word = word
        self.distinct = distinct
        self.malformed = malformed


def split_words(texts: Sequence[str]) -> Words:
    """Take lists of words apart; those written plainly all at once, others one by one.

    Examples
    --------
    >>> found = split_words(["['a', 'b']", '["b"]', "[1]", "[]"])
    >>> [(int(r), found.distinct[w]) for r, w in zip(found.row, found.word)], found.malformed.tolist()
    ([(0, 'a'), (0, 'b'), (1, 'b')], [2])
    """
    column = pa.array(texts, pa.string())
    plain = np.asarray(pc.match_substring_regex(column, _PLAIN)) if len(column) else np.zeros(0, bool)
    fast = np.flatnonzero(plain)
    inner = pc.utf8_slice_codeunits(column.take(pa.array(fast)), 2, -2)
    lists = pc.split_pattern(inner, "', '")
    rows = [np.repeat(fast, np.asarray(pc.list_value_length(lists)))]
    words = [pc.list_flatten(lists)]
    malformed = []
    for row in np.flatnonzero(~plain).tolist():
        found = parse_list(texts[row])
        if found is None or not all(isinstance(word, str) for word in found):
            malformed.append(row)
        else:
            rows.append(np.full(len(found), row))
            words.append(pa.array(found, pa.string()))
    coded = pa.chunked_array(words).combine_chunks().dictionary_encode()
    where = np.concatenate(rows)
    order = np.argsort(where, kind="stable")
    index = np.asarray(coded.indices).astype(np.int32)
    return Words(where[order], index[order], coded.dictionary.to_pylist(), np.array(malformed, np.int64))


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
