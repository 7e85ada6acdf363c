"""A small table for a notebook: the `_repr_html_` of rooms that show rows and columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from diagnosis.errors import InputError
from diagnosis.pages.environment import environment, style

__all__ = ["cell_text", "html_table"]


def cell_text(value: object, digits: int = 3) -> str:
    """Return what a cell shows: floats to `digits` decimals, a dash for None and nan, anything else as text.

    Examples
    --------
    >>> cell_text(0.81234), cell_text(12), cell_text(None), cell_text(float("nan")), cell_text("J18.9"), cell_text(True)
    ('0.812', '12', '–', '–', 'J18.9', 'True')
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        text = f"{value:.{digits}f}" if math.isfinite(value) else "–" if math.isnan(value) else f"{value}"
        return text.replace("-", "−")
    return str(value)


def html_table(rows: Sequence[Sequence[object]], columns: Sequence[str], caption: str, digits: int = 3) -> str:
    """Return an HTML fragment with one table, every cell escaped; the first column heads the rows.

    Parameters
    ----------
    rows : sequence of rows, each as long as `columns`
    columns : sequence of str
    caption : str
    digits : int
        Decimals of floats.

    Raises
    ------
    InputError
        A row is shorter or longer than `columns`.
    """
    for i, row in enumerate(rows):
        if len(row) != len(columns):
            raise InputError(
                f"A table with {len(columns)} columns was asked for",
                f"row {i} has {len(row)} cells",
                "give each row one cell a column",
            )
    numeric = [
        bool(rows) and all(row[j] is None or (isinstance(row[j], int | float)) for row in rows)
        for j in range(len(columns))
    ]
    return (
        environment()
        .get_template("table.html.j2")
        .render(
            rows=[[cell_text(cell, digits) for cell in row] for row in rows],
            columns=columns,
            caption=caption,
            numeric=numeric,
            style=style(),
        )
    )
