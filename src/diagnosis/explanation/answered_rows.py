"""A case's row as it would be with other answers, many at once: cells of a finding out, those of the answer in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnosis.features import Lineage

__all__ = ["Answers", "Kin", "answered_rows", "state_columns"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers, one row each: which finding is answered, and which cells that sets.

    Parameters
    ----------
    key : ndarray of int64, shape (n_answers,)
        Position of the finding in `Lineage.keys`; its cells are taken out first.
    answer, column : ndarray of int64, shape (n_cells,)
        Which answer a cell belongs to, and its column.
    value : ndarray of float64, shape (n_cells,)
    """

    key: IntArray
    answer: IntArray
    column: IntArray
    value: FloatArray

    @classmethod
    def of_states(cls, key: IntArray, column: IntArray) -> Answers:
        """Answers of one cell each, a 1 in `column`; -1: no cell, the finding counts as not recorded."""
        set_ = np.flatnonzero(column >= 0)
        return cls(key, set_, column[set_], np.ones(len(set_)))

    @classmethod
    def together(cls, parts: list[Answers]) -> Answers:
        """Put answers under each other."""
        starts = np.cumsum([0, *(len(one) for one in parts)])
        moved = [one.answer + start for one, start in zip(parts, starts[:-1], strict=True)]
        return cls(
            np.concatenate([np.zeros(0, np.int64), *(one.key for one in parts)]),
            np.concatenate([np.zeros(0, np.int64), *moved]),
            np.concatenate([np.zeros(0, np.int64), *(one.column for one in parts)]),
            np.concatenate([np.zeros(0), *(one.value for one in parts)]),
        )

    def __len__(self) -> int:
        return len(self.key)

    def __getitem__(self, rows: IntArray) -> Answers:
        """Take some answers, in that order, each at most once."""
        place = np.full(len(self), -1, np.int64)
        place[rows] = np.arange(len(rows))
        kept = place[self.answer] >= 0
        return Answers(self.key[rows], place[self.answer[kept]], self.column[kept], self.value[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Kin:
    """What the findings of a case say of others through a hierarchy.

    Parameters
    ----------
    above, below : mapping of int to tuple of int
        Broader findings with a column for *present*, narrower ones with a column for *absent*, by place in
        `Lineage.keys`; of those that the case does not record.
    sources : mapping of int to tuple of int
        The findings that the case has through others, and which these are.
    """

    above: Mapping[int, tuple[int, ...]]
    below: Mapping[int, tuple[int, ...]]
    sources: Mapping[int, tuple[int, ...]]


def state_columns(lineage: Lineage, state: str) -> IntArray:
    """Column of each finding's state by the finding's key, -1 where it has none, shape (n_keys,)."""
    found = np.full(len(lineage.keys), -1, np.int64)
    columns = np.flatnonzero(lineage.state == state)
    found[lineage.finding[columns]] = columns
    return found


def answered_rows(
    row: sparse.csr_matrix, lineage: Lineage, answers: Answers, kin: Kin | None = None
) -> sparse.csr_matrix:
    """Return the case's row once for each answer, with that answer in the place of what it records.

    Parameters
    ----------
    row : csr_matrix of shape (1, n_columns)
    lineage : Lineage
    answers : Answers
    kin : Kin, optional
        Where the encoder spreads findings over a hierarchy: answers are spread likewise.

    Returns
    -------
    csr_matrix of float64, shape (n_answers, n_columns)

    Notes
    -----
    The rows are those that the encoder gives the changed cases, but for an answer that changes a recorded finding on
    which, and on others too, something inherited rests.
    """
    n, of_cell = len(answers), lineage.finding[row.indices]
    kept = of_cell[None, :] != answers.key[:, None]
    if kin is not None:
        out, answers = _spread(row, lineage, answers, kin)
        kept[out] = False
    answer, cell = np.nonzero(kept)
    rows = np.concatenate([answer, answers.answer])
    columns = np.concatenate([row.indices[cell], answers.column]).astype(np.int32)
    values = np.concatenate([row.data[cell].astype(np.float64), answers.value])
    order = np.argsort(rows, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int32)
    made = sparse.csr_matrix((values[order], columns[order], starts), shape=(n, row.shape[1]))
    made.sort_indices()
    return made


def _spread(
    row: sparse.csr_matrix, lineage: Lineage, answers: Answers, kin: Kin
) -> tuple[tuple[IntArray, IntArray], Answers]:
    """Which cells of the row each answer takes away through the hierarchy, and the answers with the cells it adds."""
    states = {name: state_columns(lineage, name) for name in ("present", "absent")}
    of_cell = lineage.finding[row.indices]
    is_present = {int(k) for k in of_cell[lineage.state[row.indices] == "present"]}
    resting: dict[int, list[int]] = {}
    for key, sources in kin.sources.items():
        if len(sources) == 1:
            resting.setdefault(sources[0], []).append(key)
    out: list[tuple[int, int]] = []
    added: list[tuple[int, int]] = []
    said = lineage.state[answers.column]
    value_of = set(answers.answer[np.isin(said.astype(str), ("value", "measured"))].tolist())
    for i, key in enumerate(answers.key.tolist()):
        gone = set(resting.get(key, ()))
        own = set(said[answers.answer == i].tolist())
        new: dict[int, str] = {}
        if "present" in own and i not in value_of:
            new = dict.fromkeys(kin.above.get(key, ()), "present")
        elif "absent" in own:
            new = dict.fromkeys((k for k in kin.below.get(key, ()) if k in gone or k not in is_present), "absent")
        out += [(i, int(c)) for c in np.flatnonzero(np.isin(of_cell, [*gone, *new]))]
        added += [(i, int(states[state][k])) for k, state in new.items()]
    taken, more = np.array(out, np.int64).reshape(-1, 2), np.array(added, np.int64).reshape(-1, 2)
    spread = Answers(
        answers.key,
        np.concatenate([answers.answer, more[:, 0]]),
        np.concatenate([answers.column, more[:, 1]]),
        np.concatenate([answers.value, np.ones(len(more))]),
    )
    return (taken[:, 0], taken[:, 1]), spread
