"""A model and the records it is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diagnosis.cli.output import busy
from diagnosis.errors import InputError

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.suggestions import Diagnoser

__all__ = ["load"]


def load(
    model: str, path: Path, format: str, option: list[str] | None, encoding: str | None, case: str | None = None
) -> tuple[Diagnoser, Records]:
    """Return the model and the records that a verb was given; with `case`, what answering that case takes."""
    import numpy as np

    from diagnosis.readers.registry import option_values, read_records
    from diagnosis.tracking import load_diagnoser

    options = option_values(option)
    with busy("Load the model"):
        diagnoser = load_diagnoser(model)
    with busy("Read the records"):
        records = read_records(path, format=format, encoding=encoding, options=options)
    if case is None:
        return diagnoser, records
    rows = np.flatnonzero(records.case_ids == case)
    if not len(rows):
        raise InputError("One case was asked for by its id", "No case has that id", "See the column case_id of cases.")
    if diagnoser.encoder_.windows:  # it looks back at the patient's other encounters
        rows = np.append(rows, np.setdiff1d(np.flatnonzero(records.groups == records.groups[rows[0]]), rows))
    return diagnoser, records[rows]
