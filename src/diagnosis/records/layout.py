"""What a column and a table of the format are: names, types, bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pyarrow as pa

__all__ = ["DIFFERENTIAL", "Column", "TableFormat"]

Type = Literal["text", "code", "number", "integer", "flag", "time", "choice", "differential"]

#: A reference list of (diagnosis, probability), as Arrow holds it.
DIFFERENTIAL = pa.list_(pa.struct([("diagnosis", pa.string()), ("probability", pa.float64())]))

_ARROW: Mapping[str, pa.DataType] = MappingProxyType(
    {
        "text": pa.string(),
        "code": pa.dictionary(pa.int32(), pa.string()),
        "choice": pa.dictionary(pa.int32(), pa.string()),
        "number": pa.float64(),
        "integer": pa.int64(),
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "differential": DIFFERENTIAL,
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one table.

    Parameters
    ----------
    name : str
    type : str
        ``text``, ``code`` (text that repeats), ``number``, ``integer``, ``flag``, ``time``, ``choice`` or
        ``differential``.
    choices : tuple of str
        What a ``choice`` may be.
    low, high : float, optional
        Smallest and largest possible number, in the column's unit.
    required : bool
        Whether the column must exist and be filled.
    """

    name: str
    type: Type = "text"
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    required: bool = False

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type the column is held in."""
        return _ARROW[self.type]

    @property
    def allowed(self) -> str:
        """What the column may hold, in words."""
        words = {
            "text": "text",
            "code": "text",
            "choice": " | ".join(self.choices),
            "number": "a finite number",
            "integer": "a whole number",
            "flag": "true | false",
            "time": "an ISO 8601 time such as 2024-03-01T08:00Z",
            "differential": "a JSON array of [diagnosis, probability]",
        }[self.type]
        if self.low is not None:
            words += f" from {self.low:g}" + (" upwards" if self.high is None else f" to {self.high:g}")
        return words + (", never empty" if self.required else "")


@dataclass(frozen=True, slots=True)
class TableFormat:
    """One table of the format: its columns by name, and whether it must exist."""

    name: str
    columns: Mapping[str, Column]
    required: bool = False
    of_case: bool = False
    open_languages: bool = False

    def column(self, name: str) -> Column | None:
        """The column's definition; per-language columns (``name_fr``) are made on demand; None when unknown."""
        found = self.columns.get(name)
        if found is None and self.open_languages:
            stem = name.rsplit("_", 1)[0]
            if name.startswith(("name_", "synonyms_", "question_")) and stem in {"name", "synonyms", "question"}:
                return Column(name)
        return found
