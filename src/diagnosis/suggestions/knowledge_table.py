"""A table of knowledge, P(finding | diagnosis), as the ranker's first stage takes it: by column of the matrix."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from diagnosis.errors import DiagnosisWarning
from diagnosis.features import FindingEncoder
from diagnosis.models.ranker import Knowledge
from diagnosis.records import Records

__all__ = ["knowledge_of"]

# How many cases a row is worth that does not say, and at most: a review of thousands speaks of another clinic.
_WORTH, _MOST = 10.0, 50.0


def knowledge_of(
    records: Records, encoder: FindingEncoder, recorded: npt.NDArray[np.float64], pooled: frozenset[str]
) -> Knowledge | None:
    """Read the records' table ``knowledge``; None if there is none, or none of its rows can be used.

    A column is filled when the finding is there and somebody wrote it down. The table tells the first; how often a
    finding is written down at all, present or absent, is taken from the training cases. So ``p_present`` 0.8 of a
    finding recorded in a tenth of the cases fills `present` in 8 % and `absent` in 2 % of the diagnosis's cases.

    Parameters
    ----------
    records : Records
        With their table ``knowledge``: `diagnosis`, `code`, `p_present` (or `n` of `n_total`), and `n_total`, the
        number of cases behind it.
    encoder : FindingEncoder
        Fitted.
    recorded : ndarray of shape (n_columns,)
        Share of the training cases that fill each column.
    pooled : frozenset of str
        Diagnoses that are learned as OTHER; their rows are not used.

    Warns
    -----
    DiagnosisWarning
        If rows name a finding that the training cases do not record.
    """
    if "knowledge" not in records.names:
        return None
    table = records.frame("knowledge").reindex(columns=["diagnosis", "code", "p_present", "n", "n_total"])
    counted = (table["n"] / table["n_total"]).where(table["n_total"] > 0)
    table["p_present"] = table["p_present"].fillna(counted).clip(0, 1)
    table = table[table["p_present"].notna() & ~table["diagnosis"].isin(pooled)]
    places = _places(encoder)
    known = table["code"].isin(places)
    if len(table) and not known.all():
        warnings.warn(
            f"{int((~known).sum()):,} of {len(table):,} rows of the knowledge table name a finding that the training "
            "cases do not record; they are not used.",
            DiagnosisWarning,
            stacklevel=2,
        )
    rows: list[tuple[str, int, float, float]] = []
    table = table[known]
    fields = (table[name] for name in ("diagnosis", "code", "p_present", "n_total"))
    for diagnosis, code, p, n in zip(*fields, strict=True):
        cases = min(float(n), _MOST) if n == n and n > 0 else _WORTH
        at = places[code]
        written = float(recorded[list(at.values())].sum())
        chances = {"present": p, "absent": 1.0 - p}
        rows += [(str(diagnosis), at[s], min(chance * written, 1.0), cases) for s, chance in chances.items() if s in at]
    if not rows:
        return None
    diagnoses, columns, chance_filled, n_cases = zip(*rows, strict=True)
    return Knowledge(diagnoses, columns, chance_filled, n_cases)


def _places(encoder: FindingEncoder) -> dict[str, dict[str, int]]:
    """Columns of the states present and absent of each of the patient's findings, by code."""
    lineage = encoder.lineage_
    places: dict[str, dict[str, int]] = {}
    for column in np.flatnonzero(np.isin(lineage.state, ("present", "absent"))):
        if not lineage.context[lineage.finding[column]]:
            places.setdefault(str(lineage.code[column]), {})[str(lineage.state[column])] = int(column)
    return places
