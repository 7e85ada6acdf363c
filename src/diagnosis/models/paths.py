"""The way of one case through every tree, and where it turns off when a few of its cells are otherwise.

Of thousands of trees an answer to one question touches a handful: those in which the case's own way passes a split on a
changed column and the other number falls on its other side. Only these are walked, from there on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diagnosis.models.protocol import FloatArray, IntArray

__all__ = ["Changed", "Forest", "Paths", "changed_cells"]

# A plain split on a number: no category, and no value of its own for what is missing or 0 (bits of LightGBM's text).
_PLAIN = np.array([0, 2, 8, 10])
_FIELDS = ("split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value")
_LINE = re.compile(rf"^({'|'.join(_FIELDS)})=(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """Cells in which rows differ from one row, sorted by row and column.

    Parameters
    ----------
    n : int
        Rows.
    row, column : ndarray of int64, shape (n_cells,)
    value : ndarray of float64, shape (n_cells,)
        What stands there now; 0: nothing.
    """

    n: int
    row: IntArray
    column: IntArray
    value: FloatArray


def changed_cells(one: sparse.csr_matrix, X: sparse.csr_matrix) -> Changed:
    """Compare the rows of a CSR matrix with a single row; neither has duplicates."""
    n, width = X.shape
    row = np.repeat(np.arange(n, dtype=np.int64), np.diff(X.indptr))
    was = np.zeros(width)
    was[one.indices] = one.data
    new = np.flatnonzero(X.data != was[X.indices])
    # What a row has lost: cells of the one row that stand in it no more.
    place = np.full(width, -1, np.int64)
    place[one.indices] = np.arange(len(one.indices))
    there, kept = np.zeros((n, len(one.indices)), bool), place[X.indices]
    there[row[kept >= 0], kept[kept >= 0]] = True
    lost_row, lost = np.nonzero(~there & (one.data != 0))
    rows = np.concatenate([row[new], lost_row])
    columns = np.concatenate([X.indices[new], one.indices[lost]]).astype(np.int64)
    values = np.concatenate([X.data[new].astype(np.float64), np.zeros(len(lost))])
    order = np.lexsort((columns, rows))
    return Changed(n, rows[order], columns[order], values[order])


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """LightGBM's trees as arrays over all their nodes; a child below 0 is the leaf ``~child``.

    Parameters
    ----------
    n_classes : int
        Tree ``i`` belongs to class ``i mod n_classes``.
    root : ndarray of int64, shape (n_trees,)
        A node, or a leaf.
    column, left, right : ndarray of int64, shape (n_nodes,)
    threshold : ndarray of float64, shape (n_nodes,)
        A number up to it goes left.
    leaf : ndarray of float64, shape (n_leaves,)
    """

    n_classes: int
    root: IntArray
    column: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    leaf: FloatArray

    @classmethod
    def of(cls, text: str, n_classes: int) -> Forest | None:
        """Read a model text; None where a split is of another kind than findings and values have."""
        if re.search(r"^(is_linear=1|num_cat=[1-9]\d*)$", text, re.MULTILINE):
            return None
        found: dict[str, list[str]] = {name: [] for name in _FIELDS}
        for name, line in _LINE.findall(text):
            found[name].append(line)
        n_leaves = np.array([line.count(" ") + 1 for line in found["leaf_value"]], np.int64)
        # A tree without a split has a leaf alone and writes no nodes.
        n_nodes = n_leaves - 1
        column = _numbers(found["split_feature"], np.int64)
        if len(column) != n_nodes.sum() or not np.isin(_numbers(found["decision_type"], np.int64), _PLAIN).all():
            return None
        tree = np.repeat(np.arange(len(n_nodes)), n_nodes)
        first, first_leaf = np.cumsum(n_nodes) - n_nodes, np.cumsum(n_leaves) - n_leaves

        def moved(child: IntArray) -> IntArray:
            return np.where(child >= 0, child + first[tree], child - first_leaf[tree])

        return cls(
            n_classes,
            np.where(n_nodes > 0, first, ~first_leaf),
            column,
            _numbers(found["threshold"], np.float64),
            moved(_numbers(found["left_child"], np.int64)),
            moved(_numbers(found["right_child"], np.int64)),
            _numbers(found["leaf_value"], np.float64),
        )

    def paths(self, x: FloatArray) -> Paths:
        """Follow one case, shape (n_columns,), through every tree."""
        at, leaf = self.root.copy(), np.empty(len(self.root), np.int64)
        trees, nodes = [], []
        going = np.flatnonzero(at >= 0)
        while going.size:
            node = at[going]
            trees.append(going)
            nodes.append(node)
            at[going] = np.where(x[self.column[node]] <= self.threshold[node], self.left[node], self.right[node])
            going = going[at[going] >= 0]
        leaf[:] = ~at
        tree, node = (np.concatenate([np.zeros(0, np.int64), *parts]) for parts in (trees, nodes))
        order = np.lexsort((node, self.column[node]))
        return Paths(self, x, tree[order], node[order], leaf)


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """The splits that one case passes, by column, and the leaves it ends in.

    Parameters
    ----------
    forest : Forest
    x : ndarray of shape (n_columns,)
    tree, node : ndarray of int64, shape (n_passed,)
        Sorted by the node's column; of one tree the upper nodes have the lower numbers.
    leaf : ndarray of int64, shape (n_trees,)
    """

    forest: Forest
    x: FloatArray
    tree: IntArray
    node: IntArray
    leaf: IntArray

    def moved(self, changed: Changed) -> FloatArray:
        """Return what the changed cells add to the case's raw scores, shape (n, n_classes)."""
        forest, k = self.forest, self.forest.n_classes
        row, tree, child = self._turned(changed)
        width = len(self.x)
        cell = changed.row * width + changed.column
        going, at = np.flatnonzero(child >= 0), child
        while going.size:
            node = at[going]
            column = forest.column[node]
            value = self.x[column]
            if cell.size:
                asked = row[going] * width + column
                place = np.minimum(np.searchsorted(cell, asked), cell.size - 1)
                value = np.where(cell[place] == asked, changed.value[place], value)
            at[going] = np.where(value <= forest.threshold[node], forest.left[node], forest.right[node])
            going = going[at[going] >= 0]
        gain = forest.leaf[~at] - forest.leaf[self.leaf[tree]]
        added = np.bincount(row * k + tree % k, gain, minlength=changed.n * k).astype(np.float64, copy=False)
        return added.reshape(changed.n, k)

    def _turned(self, changed: Changed) -> tuple[IntArray, IntArray, IntArray]:
        """Row, tree, and the child on the other side, of the first split at which a row leaves the case's way."""
        forest = self.forest
        by_column = forest.column[self.node]
        start, end = (np.searchsorted(by_column, changed.column, side) for side in ("left", "right"))
        cell, passed = _spans(start, end)
        node, value = self.node[passed], changed.value[cell]
        left = value <= forest.threshold[node]
        turned = left != (self.x[forest.column[node]] <= forest.threshold[node])
        cell, passed, node, left = cell[turned], passed[turned], node[turned], left[turned]
        row, tree = changed.row[cell], self.tree[passed]
        order = np.lexsort((node, tree, row))
        row, tree, node, left = row[order], tree[order], node[order], left[order]
        first = np.ones(len(row), bool)
        first[1:] = (row[1:] != row[:-1]) | (tree[1:] != tree[:-1])
        node, left = node[first], left[first]
        return row[first], tree[first], np.where(left, forest.left[node], forest.right[node])


def _spans(start: NDArray[np.intp], end: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Lay out ranges one after the other: which range, and which number of it."""
    n = end - start
    which = np.repeat(np.arange(len(n)), n)
    within = np.arange(len(which)) - np.repeat(np.cumsum(n) - n, n)
    return which, start[which] + within


def _numbers(lines: list[str], kind: Any) -> NDArray[Any]:
    return np.array(" ".join(lines).split(), dtype=kind)
