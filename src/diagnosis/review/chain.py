"""Rows chained by hashes: a row that was changed, taken out or cut off the end is found.

The hash of a row is over the hash before it and over what the row says; of its content only a salted hash goes in, so
that a person's content can be taken out (with a row that says so) and the chain still holds. Without the salt nobody
can guess the content back from its hash.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from diagnosis.errors import InputError

__all__ = ["START", "ChainCheck", "Entry", "content_hash", "head_of", "row_hash", "text_of", "verify_chain"]

#: The hash before the first row.
START = "0" * 64
_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the log as it is stored; content and salt are None where they were redacted.

    Parameters
    ----------
    seq : int
        From 1, without gaps.
    kind : str
        ``review`` or ``redaction``.
    time : str
    salt, content : str or None
    content_hash, hash : str
        SHA-256 in hexadecimal.
    """

    seq: int
    kind: str
    time: str
    salt: str | None
    content: str | None
    content_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """Whether a log is whole: how many rows it has, and what is wrong with it.

    Parameters
    ----------
    n : int
    problems : tuple of str
        Empty for a log that is whole.
    """

    n: int
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return "\n".join(self.problems) or f"{self.n:,} rows, whole and unchanged"


def text_of(values: Mapping[str, Any]) -> str:
    """Return plain values as one text, always the same for the same values."""
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_hash(salt: str, content: str) -> str:
    """Return the salted hash that stands for a content."""
    return hashlib.sha256(f"{salt}\n{content}".encode()).hexdigest()


def row_hash(before: str, seq: int, kind: str, time: str, content: str) -> str:
    """Return the hash of a row from the hash before it and the hash of its content."""
    return hashlib.sha256(f"{before}\n{seq}\n{kind}\n{time}\n{content}".encode()).hexdigest()


def head_of(last: Entry | None) -> str:
    """Return the digest that stands for the whole log so far, to be kept elsewhere."""
    return f"0:{START}" if last is None else f"{last.seq}:{last.hash}"


def verify_chain(entries: Iterable[Entry], head: str | None = None) -> ChainCheck:
    """Check every row, and that the log still holds what it held when `head` was taken.

    Raises
    ------
    InputError
        A head that is none.
    """
    kept = None if head is None else _parsed(head)
    problems: list[str] = []
    rows, before = 0, START
    at_head = kept == (0, START)
    emptied: list[int] = []
    redacted: set[int] = set()
    for entry in entries:
        rows += 1
        if entry.seq != rows:
            problems.append(f"row {rows} is missing: row {entry.seq} stands in its place")
            rows = entry.seq
        if entry.kind != "redaction" and entry.content is None and entry.salt is None:
            emptied.append(entry.seq)
        elif (
            entry.content is None or entry.salt is None or content_hash(entry.salt, entry.content) != entry.content_hash
        ):
            problems.append(f"row {entry.seq}: its content was changed")
        elif entry.kind == "redaction":
            redacted |= {n for n in json.loads(entry.content)["rows"] if n < entry.seq}
        if row_hash(before, entry.seq, entry.kind, entry.time, entry.content_hash) != entry.hash:
            problems.append(f"row {entry.seq}: does not follow from the row before it")
        before = entry.hash
        at_head = at_head or kept == (entry.seq, entry.hash)
    problems += [f"row {n}: its content is gone and no redaction says so" for n in emptied if n not in redacted]
    if kept is not None and not at_head:
        problems.append(
            f"the log held {kept[0]:,} rows when the head was taken; it holds {rows:,}, and not the same ones"
        )
    return ChainCheck(rows, tuple(problems))


def _parsed(head: str) -> tuple[int, str]:
    found = _HEAD.fullmatch(head.strip())
    if found is None:
        raise InputError(
            "a head is what `ReviewLog.head()` returned, a number and a hash with a colon between",
            "found another text",
            "use the text as it was kept",
        )
    return int(found[1]), found[2]
