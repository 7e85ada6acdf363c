"""Reasons to doubt a figure, looked for in the evaluated cases themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.cohort import follow_up, known_later, near_duplicates
from diagnosis.evaluation.leaks import names_diagnosis, one_finding_rules
from diagnosis.evaluation.recording import recording_pattern
from diagnosis.evaluation.suspicion import Suspicion

if TYPE_CHECKING:
    from diagnosis.records.records import Records
    from diagnosis.suggestions.training_ids import TrainingIds

__all__ = ["find_suspicions", "trained_on"]

_MOST = 20


def find_suspicions(records: Records, labels: NDArray[np.object_], *, seed: int = 0) -> tuple[Suspicion, ...]:
    """Look for what may give the diagnosis of these cases away.

    Names of the diagnosis among its findings; findings known after the moment; cases of different patients with the
    same findings; single findings that settle a diagnosis; a recording pattern that does most of the work; follow-up
    visits. None is proof: each says what to look at before the figures are believed.

    Parameters
    ----------
    records : Records of n cases
    labels : ndarray of shape (n,), object
        The diagnosis of each case; none missing.
    seed : int
        Which cases the control of the recording pattern takes when there are many.

    Returns
    -------
    tuple of Suspicion
        By kind; at most 20 of a kind, the rest counted in one more.
    """
    labels = labels.astype(str)
    found = (
        names_diagnosis(records, labels),
        known_later(records),
        near_duplicates(records, labels),
        one_finding_rules(records, labels),
        recording_pattern(records, labels, seed=seed),
        follow_up(records),
    )
    return tuple(s for kind in found for s in _shortened(kind))


def trained_on(ids: TrainingIds | None, records: Records) -> tuple[Suspicion, ...]:
    """Say how many cases, or other cases of the same patients, the model was trained on; no id is named.

    Parameters
    ----------
    ids : TrainingIds or None
        None, or empty, where they did not travel with the model: nothing can be said then.
    records : Records
    """
    if ids is None or not len(ids) or not len(records):
        return ()
    n = int(ids.seen(records).sum())
    if not n:
        return ()
    share = n / len(records)
    says = (
        f"{n:,} of {len(records):,} cases ({share:.0%}) are of patients the model was trained on, by their ids: "
        "figures on them are too good. Leave them out, unless the ids of another source only look the same."
    )
    return (Suspicion("trained_on", says, n, share),)


def _shortened(found: Sequence[Suspicion]) -> list[Suspicion]:
    if len(found) <= _MOST:
        return list(found)
    rest = found[_MOST:]
    says = f"{len(rest):,} more of this kind, in up to {rest[0].n:,} cases each."
    return [*found[:_MOST], Suspicion(rest[0].kind, says, rest[0].n, max(s.share for s in rest))]
