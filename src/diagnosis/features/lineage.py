"""Which finding each column of the matrix comes from, and which of its states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Stands before the key of a finding over time.
EARLIER = "earlier/"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Lineage:
    """From columns back to findings.

    Attributes
    ----------
    names : ndarray of object, shape (n_columns,)
        Column names, all different.
    code : ndarray of object, shape (n_columns,)
        Key of the finding: its code, ``subject/CODE`` for another subject than the patient, or ``age``, ``sex``,
        ``pregnant``; ``earlier/`` before the finding's key for what it was over time.
    state : ndarray of object, shape (n_columns,)
        ``present``, ``absent``, ``uncertain``, ``measured``, ``value``, ``high``, ``low``, ``z``, ``onset``, ``text``,
        ``context`` or ``history``.
    text : ndarray of object, shape (n_columns,)
        The text a ``text`` column stands for; window and statistic (``7d:count``) of ``history``; None elsewhere.
    finding : ndarray of int32, shape (n_columns,)
        Position of the column's finding in `keys`.
    keys : ndarray of object, shape (n_keys,)
        The distinct findings, parts of the context first. A finding may have the code ``age``: `context` tells it from
        the patient's age.
    key_code, key_subject : ndarray of object, shape (n_keys,)
        The key taken apart; the subject is None for the patient.
    context : ndarray of bool, shape (n_keys,)
        Whether the key is a part of the context and not a finding of this case: age, sex, pregnancy, or a finding over
        time.
    """

    names: NDArray[np.object_]
    code: NDArray[np.object_]
    state: NDArray[np.object_]
    text: NDArray[np.object_]
    finding: NDArray[np.int32]
    keys: NDArray[np.object_]
    key_code: NDArray[np.object_]
    key_subject: NDArray[np.object_]
    context: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        n_context = int(self.context.sum())
        return (
            f"<Lineage: {len(self)} columns of {len(self.keys) - n_context} findings and {n_context} parts of context>"
        )

    @property
    def history(self) -> NDArray[np.bool_]:
        """Whether each key is a finding over time, shape (n_keys,)."""
        found = np.zeros(len(self.keys), bool)
        found[self.finding[self.state == "history"]] = True
        return found

    def columns(self, key: str, *, context: bool = False) -> NDArray[np.intp]:
        """Return the columns of one finding (or part of the context), in order; none where the key is not known."""
        return np.flatnonzero((self.code == key) & (self.context[self.finding] == context))
