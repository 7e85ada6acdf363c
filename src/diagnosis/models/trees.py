"""LightGBM's trees as text: scores of all diagnoses, contributions of the chosen ones only."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from diagnosis.errors import BundleError
from diagnosis.models.protocol import FloatArray, Matrix
from diagnosis.models.validation import dense_of

__all__ = ["Trees", "cut_trees", "load_lightgbm", "normalised", "read_trees"]

_END = "end of trees\n"
# Below this many numbers a dense copy costs less than LightGBM's way through CSR; the scores are the same bits.
_SMALL = 200_000


def load_lightgbm() -> Any:
    """Import LightGBM, once it is needed.

    Its OpenMP threads spin while they wait, which makes a busy machine slower by orders of magnitude, unless this is
    set before the library loads.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import lightgbm

    return lightgbm


def normalised(text: str) -> str:
    """Return a model text without what does not belong to the model: the number of threads it was made with."""
    return re.sub(r"^\[num_threads: -?\d+\]$", "[num_threads: 1]", text, flags=re.MULTILINE)


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
    head, found, rest = text.partition("tree_sizes=")
    line, _, body = rest.partition("\n\n")
    classes = re.search(r"^num_tree_per_iteration=(\d+)$", head, flags=re.MULTILINE)
    if not found or classes is None or not 0 <= which < int(classes[1]):
        raise BundleError(
            f"a LightGBM model text with trees of class {which} was expected", "there are none", "save the model again"
        )
    sizes = [int(size) for size in line.split()]
    ends = np.cumsum(sizes, dtype=np.int64)
    mine = range(which, len(sizes), int(classes[1]))
    # The sizes count bytes; the text is ASCII because the columns have LightGBM's own names.
    trees = [_renumbered(body[ends[i] - sizes[i] : ends[i]], j) for j, i in enumerate(mine)]
    for pattern, new in (
        (r"num_class=\d+", "num_class=1"),
        (r"num_tree_per_iteration=\d+", "num_tree_per_iteration=1"),
    ):
        head = re.sub(rf"^{pattern}$", new, head, flags=re.MULTILINE)
    head = re.sub(r"^objective=.*$", "objective=regression", head, flags=re.MULTILINE)
    return (
        f"{head}tree_sizes={' '.join(str(len(t)) for t in trees)}\n\n{''.join(trees)}{_END}\npandas_categorical:null\n"
    )


def _renumbered(tree: str, number: int) -> str:
    return re.sub(r"^Tree=\d+", f"Tree={number}", tree, count=1)


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

    @property
    def n_rounds(self) -> int:
        """Number of trees of each class; fewer than asked for where nothing was left to split."""
        return len(re.findall(r"^Tree=\d+$", self.text, flags=re.MULTILINE)) // self.n_classes

    def raw_scores(self, X: Matrix, n_jobs: int) -> FloatArray:
        """Return the raw scores, shape (n_cases, n_classes), the same bits for dense and CSR cases."""
        if X.shape[0] * X.shape[1] <= _SMALL:
            X = dense_of(X)
        raw = self._booster(None).predict(X, raw_score=True, num_threads=n_jobs)
        scores: FloatArray = np.asarray(raw, dtype=np.float64).reshape(X.shape[0], self.n_classes)
        return scores

    def contributions(self, X: FloatArray, which: int, n_jobs: int) -> FloatArray:
        """Return LightGBM's TreeSHAP of one class, shape (n_cases, n_columns + 1), the base last.

        Dense rows only: on CSR LightGBM takes 3 to 11 times as long.
        """
        phi: FloatArray = self._booster(which).predict(X, pred_contrib=True, num_threads=n_jobs)
        return phi

    def _booster(self, which: int | None) -> Any:
        """Return the booster of one class (None: of all), made on first use; two threads may both make it."""
        booster = self._boosters.get(which)
        if booster is None:
            text = self.text if which is None else cut_trees(self.text, which)
            booster = self._boosters.setdefault(which, load_lightgbm().Booster(model_str=text))
        return booster

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
