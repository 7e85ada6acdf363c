"""Cases that make a figure look better than it is: known later, seen before, or twins of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.suspicion import Suspicion

if TYPE_CHECKING:
    from diagnosis.records.coded import CodedFindings
    from diagnosis.records.records import Records

__all__ = ["follow_up", "known_later", "near_duplicates"]

_LEAST_FINDINGS = 6


def known_later(records: Records) -> list[Suspicion]:
    """Count findings known only after the moment a suggestion is asked for: ``index_time``, else ``end_time``."""
    then = records.as_of("index")
    rows = 0 if then.moment is None else then.moment.later
    if rows == 0:
        return []
    cases = int((np.diff(then.coded.offsets) < np.diff(records.coded.offsets)).sum())
    says = (
        f"{rows:,} findings in {cases:,} of {len(records):,} cases became known only after the moment a suggestion is "
        "asked for: a model that reads them learns the work-up that followed. Use as_of “index” or “arrival”."
    )
    return [Suspicion("known_later", says, cases, cases / len(records))]


def follow_up(records: Records) -> list[Suspicion]:
    """Count follow-up visits: they arrive with their diagnosis known."""
    n = int((records.column("visit") == "follow_up").sum())
    if n == 0:
        return []
    says = (
        f"{n:,} of {len(records):,} cases are follow-up visits, which arrive with their diagnosis known: "
        "evaluate first visits alone."
    )
    return [Suspicion("follow_up", says, n, n / len(records))]


def near_duplicates(records: Records, labels: NDArray[np.object_]) -> list[Suspicion]:
    """Count cases that share every finding, state and value with a case of another patient.

    Only cases of at least 6 different findings: fewer agree by chance. Such twins are copies, templates, or one
    patient under two ids; on both sides of a split they are a leak.
    """
    patients = records.groups
    same: dict[bytes, list[int]] = {}
    for i, print_ in enumerate(_prints(records.coded)):
        if print_ is not None:
            same.setdefault(print_, []).append(i)
    sets = [rows for rows in same.values() if len({patients[i] for i in rows}) > 1]
    n = sum(map(len, sets))
    if n == 0:
        return []
    agreeing = sum(len(rows) for rows in sets if len({labels[i] for i in rows}) == 1)
    says = (
        f"{n:,} of {len(records):,} cases have a twin of another patient with the same findings, states and values "
        f"({agreeing / n:.0%} of them in agreement on the diagnosis): copies or templates, "
        "which leak wherever a split parts them, or chance where few different findings are asked."
    )
    return [Suspicion("near_duplicates", says, n, n / len(records))]


def _prints(coded: CodedFindings) -> list[bytes | None]:
    """Return the set of (code, status, value, text, subject) of each case as bytes; None for fewer than 6 codes."""
    value = np.where(np.isnan(coded.value), np.inf, coded.value)
    row = np.unique(value, return_inverse=True)[1]
    for column in (coded.code, coded.status + 1, coded.text + 1, coded.subject + 1):
        width = int(column.max(initial=0)) + 1
        row = np.unique(row * width + column, return_inverse=True)[1]
    prints: list[bytes | None] = []
    for a, b in zip(coded.offsets[:-1].tolist(), coded.offsets[1:].tolist(), strict=True):
        enough = b - a >= _LEAST_FINDINGS and len(set(coded.code[a:b].tolist())) >= _LEAST_FINDINGS
        prints.append(np.unique(row[a:b]).tobytes() if enough else None)
    return prints
