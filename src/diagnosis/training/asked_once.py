"""A diagnoser that is asked about the same cases several times in a run, and scores each of them once."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diagnosis.suggestions.answers import batch_of, probabilities_of
from diagnosis.suggestions.inputs import plausible

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from diagnosis.models.batch import Batch
    from diagnosis.records import Records
    from diagnosis.suggestions import Diagnoser

__all__ = ["AskedOnce"]

# Probabilities that are kept at most, in numbers of 8 bytes.
_MOST_NUMBERS = 20_000_000


class AskedOnce:
    """Answers `batch` as a diagnoser does; cases that are encoded as one asked about before keep its probabilities.

    An evaluation asks about all unseen cases, then about those that a test has confirmed, and about all again as they
    were at each stage of the visit, where the last stage is the whole visit. Everything else is the diagnoser's own.

    Parameters
    ----------
    diagnoser : Diagnoser
        Fitted.
    """

    def __init__(self, diagnoser: Diagnoser) -> None:
        self._diagnoser = diagnoser
        self._known: dict[bytes, npt.NDArray[np.float64]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._diagnoser, name)

    def batch(self, records: Records) -> Batch:
        """As `Diagnoser.batch`."""
        d = self._diagnoser
        seen = d.as_known(records)
        X = d.encoder_.transform(plausible(seen))
        keys = _keys(X)
        new = np.flatnonzero([key not in self._known for key in keys])
        if len(new) == len(keys):
            batch = batch_of(d, seen, X)
        else:
            proba = np.empty((len(keys), len(d.classes_)))
            if len(new):
                proba[new] = probabilities_of(d, X[new])
            for i in np.setdiff1d(np.arange(len(keys)), new).tolist():
                proba[i] = self._known[keys[i]]
            batch = batch_of(d, seen, X, proba)
        if (len(self._known) + len(new)) * len(d.classes_) <= _MOST_NUMBERS:
            self._known |= {keys[i]: batch.proba[i] for i in new.tolist()}
        return batch


def _keys(X: csr_matrix) -> list[bytes]:
    """What each row holds."""
    columns, values, ends = X.indices.tobytes(), X.data.tobytes(), X.indptr.tolist()
    wide, long = X.indices.itemsize, X.data.itemsize
    return [columns[a * wide : b * wide] + values[a * long : b * long] for a, b in pairwise(ends)]
