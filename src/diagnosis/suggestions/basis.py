"""What a differential rests on, in words: each finding that was used and what was seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from diagnosis.pages.numbers import value_text
from diagnosis.suggestions.page_names import SUBJECTS

if TYPE_CHECKING:
    from diagnosis.suggestions.differential import Differential

__all__ = ["basis_of"]

_STATES = ("present", "absent", "uncertain")
_READ = ("subject", "value", "comparator", "unit", "text", "interpretation")


def basis_of(differential: Differential) -> list[tuple[str, str, str]]:
    """Code, name and what was seen, a finding that the model knows: the row of it that counts, by code.

    What was seen is the value with its unit as recorded (UCUM), else the text, else ``present``; ``absent`` and
    ``uncertain`` are always said. The name says whose finding it is, where it is not the patient's.
    """
    case = differential.records
    coded, words, findings = case.coded, case.vocabulary, case.arrow("findings")
    rows = np.flatnonzero(coded.latest)
    table = findings.select([n for n in _READ if n in findings.column_names]).take(pa.array(rows)).to_pylist()
    unknown = set(differential.unknown_codes)
    made = []
    for row, values in zip(rows.tolist(), table, strict=True):
        code = str(coded.codes[coded.code[row]])
        if code in unknown:
            continue
        whose = SUBJECTS.get(values.get("subject") or "")
        name = words.name(code) if whose is None else f"{whose['en']}: {words.name(code)}"
        made.append((code, name, _seen(_STATES[coded.status[row]], values)))
    return sorted(made)


def _seen(state: str, values: dict[str, Any]) -> str:
    value, text = values.get("value"), values.get("text") or values.get("interpretation")
    if value is not None:
        text = f"{value_text(value, values.get('comparator'))} {values.get('unit') or ''}".strip()
    return ", ".join(part for part in (None if text and state == "present" else state, text) if part)
