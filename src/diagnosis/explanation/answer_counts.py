"""What training cases answered, diagnosis by diagnosis: how likely is each answer to a question that was not asked?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnosis.models.files import read_arrays, write_arrays

__all__ = ["AnswerCounts", "Groups"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
#: Name of a grouping and its group, with the cases in it: ``("sex", "male")``.
Groups = Mapping[str, npt.NDArray[np.object_]]

# A diagnosis with few answers of its own leans on all diagnoses, as much as on this many cases.
_STRENGTH = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class AnswerCounts:
    """How many training cases of each diagnosis have each column, and how their values are spread.

    Parameters
    ----------
    n_cases : ndarray of float64, shape (n_diagnoses,)
    having : csr_matrix of shape (n_diagnoses, n_columns)
        Cases with a cell in the column.
    total, squares : csr_matrix of shape (n_diagnoses, n_columns)
        Sum of the cells and of their squares, in the columns of values; nothing elsewhere.
    groups : tuple of str
        ``sex:male``, ``age_band:infant`` ...
    n_group : ndarray of float64, shape (n_groups,)
        Training cases of each group.
    in_group : csr_matrix of shape (n_groups, n_columns)
        Cases of each group with a cell in the column.
    """

    n_cases: FloatArray
    having: sparse.csr_matrix
    total: sparse.csr_matrix
    squares: sparse.csr_matrix
    groups: tuple[str, ...]
    n_group: FloatArray
    in_group: sparse.csr_matrix

    @classmethod
    def of(
        cls, X: sparse.csr_matrix, y_index: IntArray, n_diagnoses: int, is_value: npt.NDArray[np.bool_], groups: Groups
    ) -> AnswerCounts:
        """Count training cases.

        Parameters
        ----------
        X : csr_matrix of shape (n_cases, n_columns)
            The encoded training cases.
        y_index : ndarray of int64, shape (n_cases,)
        n_diagnoses : int
        is_value : ndarray of bool, shape (n_columns,)
            Which columns hold values.
        groups : mapping of str to ndarray of object, shape (n_cases,)
            The group of each case by the name of the grouping; None where it is not known.
        """
        cases = X.astype(np.float64)
        by_diagnosis = _picking(y_index, n_diagnoses)
        values = sparse.csr_matrix(cases @ sparse.diags_array(is_value.astype(np.float64)))
        values.eliminate_zeros()
        there, squares = cases.copy(), values.copy()
        there.data[:] = 1.0
        squares.data **= 2
        names = sorted({f"{by}:{one}" for by, ones in groups.items() for one in set(ones) if one is not None})
        place = {name: i for i, name in enumerate(names)}
        member = [[place.get(f"{by}:{one}", -1) for one in ones] for by, ones in groups.items()]
        n_group, in_group = np.zeros(len(names)), sparse.csr_matrix((len(names), X.shape[1]))
        for ones in member:
            picking = _picking(np.asarray(ones, dtype=np.int64), len(names))
            n_group += np.asarray(picking.sum(axis=1)).ravel()
            in_group = in_group + picking @ there
        n_cases = np.bincount(y_index[y_index >= 0], minlength=n_diagnoses).astype(np.float64)
        return cls(
            n_cases=n_cases,
            having=sparse.csr_matrix(by_diagnosis @ there),
            total=sparse.csr_matrix(by_diagnosis @ values),
            squares=sparse.csr_matrix(by_diagnosis @ squares),
            groups=tuple(names),
            n_group=n_group,
            in_group=sparse.csr_matrix(in_group),
        )

    def given(self, outcomes: IntArray) -> FloatArray:
        """Return how likely each answer is with each diagnosis, from the training cases' answers.

        Where no training case has an absent finding written down, every case without another answer is absent.

        Parameters
        ----------
        outcomes : ndarray of int64, shape (n_questions, n_outcomes)
            Columns of the possible answers: absent, present, then texts, which go with present; -1: no such answer.

        Returns
        -------
        ndarray of shape (n_diagnoses, n_questions, n_outcomes), the last axis sums to 1
        """
        columns = np.maximum(outcomes, 0)
        n = np.asarray(self.having[:, columns.ravel()].todense()).reshape(len(self.n_cases), *outcomes.shape)
        n = np.where(outcomes[None] >= 0, n, 0.0)
        n[:, :, 1] = np.maximum(n[:, :, 1] - n[:, :, 2:].sum(axis=2), 0.0)
        rest = np.maximum(self.n_cases[:, None] - n[:, :, 1:].sum(axis=2), 0.0)
        n[:, :, 0] = np.where((outcomes[:, 0] < 0)[None, :], rest, n[:, :, 0])
        possible = (n.sum(axis=0) > 0) | (np.arange(outcomes.shape[1]) == 0)
        overall = np.where(possible, n.sum(axis=0) + 0.5, 0.0)
        overall /= overall.sum(axis=1, keepdims=True)
        found: FloatArray = (n + _STRENGTH * overall) / (n.sum(axis=2, keepdims=True) + _STRENGTH)
        return found

    def spread(self, proba: FloatArray, columns: IntArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the values a case would have in `columns`, over the diagnoses it may have."""
        n, total, squares = (np.asarray(m[:, columns].todense()) for m in (self.having, self.total, self.squares))
        whole = np.maximum(n.sum(axis=0), 1.0)
        mean, square = total.sum(axis=0) / whole, squares.sum(axis=0) / whole
        each_mean, each_square = (
            (one + _STRENGTH * overall) / (n + _STRENGTH) for one, overall in ((total, mean), (squares, square))
        )
        centre = proba @ each_mean
        return centre, np.sqrt(np.maximum(proba @ each_square - centre**2, 0.0))

    def never_in(self, groups: list[str], columns: list[IntArray], least: int) -> npt.NDArray[np.bool_]:
        """Say which questions no training case of some group of `least` cases or more has an answer to."""
        asked = np.zeros(len(columns), bool)
        rows = [i for i, name in enumerate(self.groups) if name in groups and self.n_group[i] >= least]
        for i in rows:
            n = np.asarray(self.in_group[[i]].todense()).ravel()
            asked |= np.array([not n[one].any() for one in columns], dtype=bool)
        return asked

    def to_file(self, path: Path) -> None:
        """Write the counts as npz without object arrays; equal counts give equal bytes."""
        arrays: dict[str, npt.NDArray[Any]] = {"n_cases": self.n_cases, "n_group": self.n_group}
        arrays["groups"] = np.array(self.groups, dtype=np.str_)
        for name in _MATRICES:
            matrix = sparse.csr_matrix(getattr(self, name))
            matrix.sort_indices()
            arrays[f"{name}.data"], arrays[f"{name}.indices"] = matrix.data, matrix.indices.astype(np.int32)
            arrays[f"{name}.starts"] = matrix.indptr.astype(np.int64)
            arrays[f"{name}.shape"] = np.array(matrix.shape, dtype=np.int64)
        write_arrays(path, arrays)

    @classmethod
    def from_file(cls, path: Path) -> AnswerCounts:
        """Read what `to_file` wrote."""
        found = read_arrays(path)
        made = {
            name: sparse.csr_matrix(
                (found[f"{name}.data"], found[f"{name}.indices"], found[f"{name}.starts"]),
                shape=tuple(found[f"{name}.shape"].tolist()),
            )
            for name in _MATRICES
        }
        groups = tuple(str(one) for one in found["groups"])
        return cls(found["n_cases"], groups=groups, n_group=found["n_group"], **made)


_MATRICES = ("having", "total", "squares", "in_group")


def _picking(place: IntArray, n: int) -> sparse.csr_matrix:
    """Matrix that sums cases by their place; -1: in none."""
    has = np.flatnonzero(place >= 0)
    return sparse.csr_matrix((np.ones(len(has)), (place[has], has)), shape=(n, len(place)))
