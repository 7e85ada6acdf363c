"""A table of texts in columns, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import east_asian_width

__all__ = ["aligned", "number"]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows with their columns in line; the first column to the left, the others to the right."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def number(value: float | None, digits: int = 3) -> str:
    """A number as a table shows it; a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    gaps = [" " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
    cells = [row[0] + gaps[0], *(gap + cell for cell, gap in zip(row[1:], gaps[1:], strict=True))]
    return "  ".join(cells).rstrip()


def _width(text: str) -> int:
    """Columns a terminal gives to a text: two to each full-width letter."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
