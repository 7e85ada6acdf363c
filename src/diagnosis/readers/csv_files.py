"""One table as RFC 4180 CSV: text throughout, in the encoding it has or is said to have."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from diagnosis.errors import InputError

__all__ = ["CsvTable", "read_csv", "write_csv"]

# A line, quoted line breaks and all, must fit in one block.
_BLOCK = 32 << 20
_SAMPLE = 1 << 20
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What may stand before a quote that opens a field and after one that closes it, by byte.
_EDGE = np.isin(np.arange(256), list(b',"\r\n'))


@dataclass(frozen=True, slots=True)
class CsvTable:
    """What a CSV file holds.

    Parameters
    ----------
    table : pa.Table
        Every column text; empty fields null.
    broken : tuple of (int, str)
        Row number and text of every line with another number of columns than the header.
    """

    table: pa.Table
    broken: tuple[tuple[int, str], ...] = ()


def read_csv(path: Path, encoding: str | None) -> CsvTable:
    """Read a CSV as text throughout; lines with another number of columns are handed back as they stand.

    Raises
    ------
    InputError
        It cannot be read as text of that encoding, has no header, is not separated by commas, or leaves a quote open.
    """
    head = b""
    try:
        with path.open("rb") as raw:
            head = raw.read(_SAMPLE)
        encoding = _encoding(head, encoding)
        if encoding == "utf8":
            _check_utf8(path)
        if not _quotes_in_pairs(path):
            _check_quotes(path, encoding)
        names = _header(path, encoding)
        read = _read(path, encoding, names)
        if read.table.column_names != names:  # Arrow and Python differ on odd quotes in a header
            read = _read(path, encoding, read.table.column_names)
    except (pa.ArrowException, UnicodeError, OSError, csv.Error) as error:
        raise _unreadable(path, head, encoding, error) from None
    return read


def _encoding(head: bytes, encoding: str | None) -> str:
    """The encoding that is stated; a mark at the start of the file says UTF-8 louder."""
    if encoding is None or head.startswith(codecs.BOM_UTF8):
        return "utf8"
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding or "none")  # refuses what codes no text, such as base64
    except (LookupError, ValueError, TypeError):
        raise InputError(
            "the encoding of the text files", f"{encoding!r} is no encoding of text", 'use for instance "gb18030"'
        ) from None
    return "utf8" if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii") else encoding


def _check_utf8(path: Path) -> None:
    """Decode the whole file once: Arrow drops a broken line without a word where it cannot decode it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as raw:
        while chunk := raw.read(_SAMPLE):
            decoder.decode(chunk)
    decoder.decode(b"", final=True)


def _quotes_in_pairs(path: Path) -> bool:
    """Whether every first quote begins a field and every second one ends it, as nearly all files have it."""
    seen, before = 0, b"\n"
    with path.open("rb") as raw:
        raw.seek(len(codecs.BOM_UTF8) if raw.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0)
        block = raw.read(_SAMPLE)
        while block:
            after = raw.read(_SAMPLE)
            if b'"' in block:
                text = np.frombuffer(before + block + (after[:1] or b"\n"), np.uint8)
                at = np.flatnonzero(text[1:-1] == ord('"')) + 1
                opening, closing = at[seen % 2 :: 2], at[1 - seen % 2 :: 2]
                if not (_EDGE[text[opening - 1]].all() and _EDGE[text[closing + 1]].all()):
                    return False
                seen += len(at)
            before, block = block[-1:], after
    return seen % 2 == 0


def _check_quotes(path: Path, encoding: str) -> None:
    """Refuse a quote that does not end where a field ends: Arrow takes all lines up to the next one for one field."""
    with path.open(encoding="utf-8-sig" if encoding == "utf8" else encoding, newline="") as lines:
        rows, line = csv.reader(lines, strict=True), 1
        try:
            for _ in rows:
                line = rows.line_num + 1
        except csv.Error:
            raise InputError(
                f"{path} as RFC 4180 CSV",
                f"a quoted field of the row that begins in line {line:,} does not end at a comma or a line's end",
                "close it there, and write a quote inside a quoted field twice",
            ) from None


def _header(path: Path, encoding: str) -> list[str]:
    with path.open(encoding="utf-8-sig" if encoding == "utf8" else encoding, newline="") as lines:
        header = next((row for row in csv.reader(lines) if row), [])
    if not header:
        raise InputError(f"a header line in {path}", "the file is empty", "write the column names as its first line")
    for mark, word in _SEPARATORS.items():
        if len(header) == 1 and mark in header[0]:
            raise InputError(f"columns separated by commas in {path}", f"found {word}", "export it with commas")
    if any("\x00" in name for name in header):
        do = f"export it again; if it is UTF-16, {_with('utf-16')}"
        raise InputError(f"a header line of text in {path}", "it holds NUL bytes", do)
    return header


def _read(path: Path, encoding: str, names: list[str]) -> CsvTable:
    broken: list[tuple[int, str]] = []

    def keep(row: Any) -> str:
        broken.append((row.number - 1 if row.number is not None else len(broken) + 1, row.text))
        return "skip"

    table = arrow_csv.read_csv(
        path,
        # One thread, so that broken lines come with their numbers.
        read_options=arrow_csv.ReadOptions(encoding=encoding, use_threads=False, block_size=_BLOCK),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
        convert_options=arrow_csv.ConvertOptions(
            column_types={c: pa.string() for c in names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    return CsvTable(table, tuple(broken))


def _unreadable(path: Path, head: bytes, encoding: str | None, error: Exception) -> InputError:
    wrong_bytes = isinstance(error, UnicodeError) or "UTF8" in str(error) or "UTF-8" in str(error)
    if not wrong_bytes:
        return InputError(f"{path} as RFC 4180 CSV", f"it cannot be read ({type(error).__name__})", "write it again")
    asked = f"{path} as {'UTF-8' if encoding in (None, 'utf8') else encoding} text"
    found = "it holds bytes that are not"
    if head.startswith(_UTF16):
        return InputError(asked, f"{found}, and begins like UTF-16", _with("utf-16"))
    if encoding in (None, "utf8") and _looks_chinese(head):
        return InputError(asked, f"{found}, and reads well as GB18030 (GBK)", _with("gb18030"))
    return InputError(asked, found, 'state its encoding, for instance encoding="cp1252" or encoding="gb18030"')


def _with(encoding: str) -> str:
    return f'read it with encoding="{encoding}" (--encoding {encoding})'


def _looks_chinese(head: bytes) -> bool:
    """Whether bytes read as GB18030 and are common Chinese, not Latin letters with accents between ASCII ones."""
    try:
        codecs.getincrementaldecoder("gb18030")().decode(head)
    except UnicodeError:
        return False
    pairs = re.findall(rb"[\x81-\xfe][\x30-\xfe]", head)
    common = sum(pair[1] >= 0xA1 for pair in pairs)
    return bool(pairs) and common >= 0.8 * len(pairs)


def write_csv(texts: pa.Table, path: Path) -> None:
    """Write a table of text columns; null as an empty field. Quotes stand only where some field needs them."""
    plain_header = not any(mark in name for name in texts.column_names for mark in ',"\r\n')
    try:
        if not plain_header:
            raise pa.ArrowInvalid("the header wants quotes")
        arrow_csv.write_csv(texts, path, arrow_csv.WriteOptions(quoting_style="none", quoting_header="none"))
    except pa.ArrowInvalid:  # some value holds a comma, a quote or a line break
        arrow_csv.write_csv(texts, path, arrow_csv.WriteOptions(quoting_style="needed"))
