"""Cases that make a figure look better than it is: findings known later, and visits that arrive with a diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diagnosis.evaluation.suspicion import Suspicion

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["follow_up", "known_later"]


def known_later(records: Records) -> list[Suspicion]:
    """Count findings known only after the case had ended, and those known after a suggestion is asked for.

    The first are of kind ``known_after_end``: by ``end_time`` no doctor of the encounter had them. The second are of
    kind ``known_later``, between ``index_time`` and the end: they are no fault of the records, but a model that reads
    them answers later than it is asked. Records that are as of a moment already hold neither of what came after it.
    """
    end, index = records.as_of("end"), records.as_of("index")
    found = []
    for kind, before, after, says in (
        ("known_after_end", records, end, "the case had ended: they cannot have served its diagnosis. Use an as_of."),
        (
            "known_later",
            end,
            index,
            "the moment a suggestion is asked for: a model that reads them learns the work-up that followed. "
            "Use as_of “index” or “arrival”.",
        ),
    ):
        rows = len(before.coded) - len(after.coded)
        if rows > 0:
            cases = int((np.diff(after.coded.offsets) < np.diff(before.coded.offsets)).sum())
            text = f"{rows:,} findings in {cases:,} of {len(records):,} cases became known only after {says}"
            found.append(Suspicion(kind, text, cases, cases / len(records)))
    return found


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
