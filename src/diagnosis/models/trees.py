"""LightGBM's trees as text: scores of all diagnoses, contributions of the chosen ones only."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from diagnosis.errors import BundleError
from diagnosis.models.one_row import RowPredictor
from diagnosis.models.paths import Forest, Paths, changed_cells
from diagnosis.models.protocol import Contributions, FloatArray, IntArray, Matrix
from diagnosis.models.validation import dense_of, rows_of

__all__ = ["Trees", "cut_trees", "join_trees", "load_lightgbm", "normalised", "read_trees"]

_Parts: TypeAlias = tuple[str, list[str], int, str]

_END = "end of trees\n"
# Dense rows of one portion of contributions, in numbers: 32 MB.
_PORTION = 4_000_000
# Below this many numbers a dense copy costs less than LightGBM's way through CSR; the scores are the same bits.
_SMALL = 200_000
# The fast path lays out a row of its own for each class; beyond so many numbers in all of them it is not taken.
_SCRATCH = 4_000_000


def load_lightgbm() -> Any:
    """Import LightGBM, once it is needed.

    Its OpenMP threads spin while they wait, which makes a busy machine slower by orders of magnitude, unless this is
    set before the library loads.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import lightgbm

    return lightgbm


def normalised(text: str) -> str:
    """Return a model text without what does not belong to the model: the number of threads, and what follows it."""
    for name, value in (("num_threads", 1), ("force_row_wise", 1), ("force_col_wise", 0)):
        text = re.sub(rf"^\[{name}: -?\d+\]$", f"[{name}: {value}]", text, flags=re.MULTILINE)
    return text


def cut_trees(text: str, which: int) -> str:
    """Return the model text of one class of a multiclass model.

    Tree ``i`` belongs to class ``i mod K``. Scores and contributions of the cut are bitwise those of the whole.

    Parameters
    ----------
    text : str
        LightGBM's model text.
    which : int
        The class.

    Raises
    ------
    BundleError
        If the text is not LightGBM's, or has no such class.
    """
    return _cut(_taken_apart(text), which)


def _cut(parts: _Parts, which: int) -> str:
    head, trees, n_classes, _ = parts
    if not 0 <= which < n_classes:
        raise BundleError(
            f"a LightGBM model text with trees of class {which} was expected", "there are none", "save the model again"
        )
    for pattern, new in (
        (r"num_class=\d+", "num_class=1"),
        (r"num_tree_per_iteration=\d+", "num_tree_per_iteration=1"),
    ):
        head = re.sub(rf"^{pattern}$", new, head, flags=re.MULTILINE)
    head = re.sub(r"^objective=.*$", "objective=regression", head, flags=re.MULTILINE)
    return _put_together(head, trees[which::n_classes], f"{_END}\npandas_categorical:null\n")


def join_trees(first: str, second: str) -> str:
    """Return the model text whose raw scores are those of two models of the same classes and columns added up.

    Everything but the trees is the first one's.
    """
    head, trees, n_classes, tail = _taken_apart(first)
    _, more, n_more, _ = _taken_apart(second)
    assert n_classes == n_more, "trees of other diagnoses"
    return _put_together(head, [*trees, *more], tail)


def _taken_apart(text: str) -> _Parts:
    """Return the head of a model text, its trees, the number of its classes, and what follows the trees."""
    head, found, rest = text.partition("tree_sizes=")
    line, _, body = rest.partition("\n\n")
    classes = re.search(r"^num_tree_per_iteration=(\d+)$", head, flags=re.MULTILINE)
    if not found or classes is None:
        raise BundleError("a LightGBM model text with trees was expected", "there are none", "save the model again")
    sizes = [int(size) for size in line.split()]
    ends = np.cumsum(sizes, dtype=np.int64)
    # The sizes count bytes; the text is ASCII because the columns have LightGBM's own names.
    trees = [body[end - size : end] for end, size in zip(ends.tolist(), sizes, strict=True)]
    return head, trees, int(classes[1]), body[int(ends[-1]) :] if sizes else body


def _put_together(head: str, trees: list[str], tail: str) -> str:
    numbered = [re.sub(r"^Tree=\d+", f"Tree={i}", tree, count=1) for i, tree in enumerate(trees)]
    return f"{head}tree_sizes={' '.join(str(len(tree)) for tree in numbered)}\n\n{''.join(numbered)}{tail}"


class Trees:
    """A fitted multiclass booster, held as text; boosters are made from it when first used.

    Parameters
    ----------
    text : str
        LightGBM's model text.
    n_classes : int
    """

    def __init__(self, text: str, n_classes: int) -> None:
        self.text = text
        self.n_classes = n_classes
        self._boosters: dict[int | None, Any] = {}
        self._rows: dict[int | None, RowPredictor | None] = {}
        self._uncut: _Parts | None = None
        self._forest: tuple[Forest | None] | None = None
        self._last: tuple[sparse.csr_matrix, FloatArray, Paths] | None = None

    @property
    def n_rounds(self) -> int:
        """Number of trees of each class; fewer than asked for where nothing was left to split."""
        return len(re.findall(r"^Tree=\d+$", self.text, flags=re.MULTILINE)) // self.n_classes

    def raw_scores(self, X: Matrix, n_jobs: int) -> FloatArray:
        """Return the raw scores, shape (n_cases, n_classes), the same bits for dense and CSR cases."""
        if X.shape[0] == 1 and (row := self.row()) is not None:
            return row(X)[None, :]
        if X.shape[0] * X.shape[1] <= _SMALL:
            X = dense_of(X)
        raw = self._booster(None).predict(X, raw_score=True, num_threads=n_jobs)
        scores: FloatArray = np.asarray(raw, dtype=np.float64).reshape(X.shape[0], self.n_classes)
        return scores

    def raw_scores_near(self, one: sparse.csr_matrix, X: sparse.csr_matrix, n_jobs: int) -> FloatArray:
        """Return the raw scores of rows that differ from one row in a few cells; equal to `raw_scores` to 1e-12.

        Where a split is of a kind that only LightGBM walks, these are `raw_scores`.
        """
        if self._forest is None:
            self._forest = (Forest.of(self.text, self.n_classes),)
        (forest,) = self._forest
        if forest is None:
            return self.raw_scores(X, n_jobs)
        last = self._last  # a page asks more than once about its case
        if last is None or last[0] is not one:
            paths = forest.paths(one.toarray()[0].astype(np.float64))
            last = self._last = (one, self.raw_scores(one, n_jobs), paths)
        moved: FloatArray = last[1] + last[2].moved(changed_cells(one, X))
        return moved

    def contributions(self, X: FloatArray, which: int, n_jobs: int) -> FloatArray:
        """Return LightGBM's TreeSHAP of one class, shape (n_cases, n_columns + 1), the base last.

        Dense rows only: on CSR LightGBM takes 3 to 11 times as long.
        """
        if X.shape[0] == 1 and (row := self.row(which)) is not None:
            return row(X)[None, :]
        phi: FloatArray = self._booster(which).predict(X, pred_contrib=True, num_threads=n_jobs)
        return phi

    def contributions_of(self, X: Matrix, which: IntArray, n_jobs: int) -> Contributions:
        """Return the contributions to the scores of (n_cases, m) classes; only the trees of these are walked."""
        n, p = X.shape
        base, phi = np.empty(which.shape), np.empty((*which.shape, p))
        step = max(1, _PORTION // p)
        for start in range(0, n, step):
            rows = np.arange(start, min(start + step, n))
            dense = dense_of(X if n == 1 else rows_of(X, rows))
            for k in np.unique(which[rows]):
                case, place = np.nonzero(which[rows] == k)
                asked, of_asked = np.unique(case, return_inverse=True)
                parts = self.contributions(dense[asked], int(k), n_jobs)[of_asked]
                phi[rows[case], place], base[rows[case], place] = parts[:, :-1], parts[:, -1]
        return Contributions(base=base, phi=phi)

    def _booster(self, which: int | None) -> Any:
        """Return the booster of one class (None: of all), made on first use; two threads may both make it."""
        booster = self._boosters.get(which)
        if booster is None:
            text = self.text if which is None else self._text_of(which)
            booster = self._boosters.setdefault(which, load_lightgbm().Booster(model_str=text))
        return booster

    def _text_of(self, which: int) -> str:
        """Return the text of one class; the whole is taken apart once, and forgotten when every class is cut."""
        parts = _taken_apart(self.text) if self._uncut is None else self._uncut
        left = self.n_classes - len(self._boosters)
        self._uncut = parts if left > 1 else None
        return _cut(parts, which)

    def row(self, which: int | None = None) -> RowPredictor | None:
        """Return the fast path for one case: raw scores of all classes (None), or contributions of one."""
        if which not in self._rows:
            if which is not None and self.n_classes * self._booster(which).num_feature() > _SCRATCH:
                return None
            made = RowPredictor.of(self._booster(which), contributions=which is not None)
            self._rows.setdefault(which, made)
        return self._rows[which]

    def __getstate__(self) -> dict[str, Any]:
        return {"text": self.text, "n_classes": self.n_classes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def read_trees(path: Path, n_classes: int, n_columns: int) -> Trees:
    """Read a model text and check that it fits.

    Raises
    ------
    BundleError
        If the file is missing, is not LightGBM's, or is of another number of diagnoses or columns.
    """
    try:
        text = path.read_bytes().decode("ascii")
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{path.name} should hold a LightGBM model", f"it cannot be read ({type(error).__name__})", "save it again"
        ) from error
    found = dict(re.findall(r"^(num_class|max_feature_idx)=(\d+)$", text, re.MULTILINE))
    if found != {"num_class": str(n_classes), "max_feature_idx": str(n_columns - 1)} or _END not in text:
        raise BundleError(
            f"{path.name} should hold trees of {n_classes} diagnoses over {n_columns} columns",
            f"it holds {found or 'none'}",
            "save the model again",
        )
    return Trees(text, n_classes)
