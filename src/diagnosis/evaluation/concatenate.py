"""Batches of several models put together, so that cross-validation and leave-one-site-out give one evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from diagnosis.errors import InputError
from diagnosis.models.batch import Batch

__all__ = ["concatenate"]


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Return the cases of all batches, in order, over the union of their diagnoses.

    A diagnosis that the model of a batch did not know has probability 0 there and stays unreachable for its cases
    (`Batch.nameable`). The prior is the mean of the priors, weighted by cases; `n_train` is the largest count of
    any one model, since the training sets of cross-validation overlap; a diagnosis that must not be missed in one
    batch must not be missed.

    Parameters
    ----------
    batches : sequence of Batch

    Raises
    ------
    InputError
        There is none, or they differ in reading, moment or declared coverage.
    """
    if not batches:
        raise InputError("Batches to put together", "found none", "give at least one")
    _agree(batches)
    names = np.array(list(dict.fromkeys(d for batch in batches for d in batch.diagnoses)), dtype=object)
    place = {name: k for k, name in enumerate(names)}
    columns = [np.array([place[d] for d in batch.diagnoses], dtype=np.int64) for batch in batches]
    ends = np.cumsum([0, *map(len, batches)])
    rows = [slice(a, b) for a, b in pairwise(ends.tolist())]
    n, K = int(ends[-1]), len(names)
    proba = np.zeros((n, K))
    in_set, flagged, nameable = (np.zeros((n, K), dtype=bool) for _ in range(3))
    prior, urgent, n_train = np.zeros(K), np.zeros(K, dtype=bool), np.zeros(K, dtype=np.int64)
    for batch, at, where in zip(batches, columns, rows, strict=True):
        proba[where, at] = batch.proba
        in_set[where, at] = batch.in_set
        flagged[where, at] = batch.flagged
        nameable[where, at] = True if batch.nameable is None else batch.nameable
        prior[at] += batch.prior * (len(batch) / n if n else 1 / len(batches))
        urgent[at] |= batch.must_not_miss
        n_train[at] = np.maximum(n_train[at], batch.n_train)
    return Batch(
        case_ids=np.concatenate([batch.case_ids for batch in batches]),
        diagnoses=names,
        proba=proba,
        in_set=in_set,
        flagged=flagged,
        abstained=np.concatenate([batch.abstained for batch in batches]),
        prior=prior,
        must_not_miss=urgent,
        coverage=batches[0].coverage,
        reading=batches[0].reading,
        as_of=batches[0].as_of,
        n_train=n_train,
        nameable=None if nameable.all() else nameable,
    )


def _agree(batches: Sequence[Batch]) -> None:
    for field in ("reading", "as_of", "coverage"):
        found = {getattr(batch, field) for batch in batches}
        if len(found) > 1:
            raise InputError(
                f"Batches that are put together share one {field}",
                f"found {', '.join(sorted(map(str, found)))}",
                "evaluate them one by one",
            )
