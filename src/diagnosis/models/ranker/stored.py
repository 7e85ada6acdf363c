"""The ranker as plain files: what was counted, and not what follows from it, which is many times larger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diagnosis.errors import BundleError
from diagnosis.models.files import model_header, read_arrays, read_json, restore_header, write_arrays, write_json
from diagnosis.models.ranker.contributions import Reference
from diagnosis.models.ranker.first_stage import Logistic
from diagnosis.models.ranker.knowledge import Knowledge
from diagnosis.models.ranker.learning import Learned, whole_stage
from diagnosis.models.ranker.likelihood import Tally
from diagnosis.models.ranker.pairs import FEATURES
from diagnosis.models.trees import read_trees

if TYPE_CHECKING:
    from diagnosis.models.ranker.model import RankerModel

__all__ = ["read_ranker", "write_ranker"]

R = TypeVar("R", bound="RankerModel")
_Arrays = Mapping[str, NDArray[Any]]


def write_ranker(model: RankerModel, folder: Path) -> None:
    """Write `ranker.json`, `ranker.npz` and, if there are trees, `ranker.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    found, options = model.learned_, {k: v for k, v in model.get_params().items() if k != "n_jobs"}
    options["knowledge"] = None if model.knowledge is None else model.knowledge.to_json()
    learned = {"beta": found.beta, "weights": found.stage.weights.tolist(), "trees": found.trees is not None}
    write_json(folder / "ranker.json", model_header("ranker", model, options) | {"learned": learned})
    write_arrays(folder / "ranker.npz", _arrays_of(found))
    if found.trees is not None:
        (folder / "ranker.txt").write_bytes(found.trees.text.encode("ascii"))


def read_ranker(kind: type[R], folder: Path) -> R:
    """Read what `write_ranker` wrote; BundleError if a file is missing, damaged or of another model."""
    stored = read_json(folder / "ranker.json", "ranker")
    arrays, options = read_arrays(folder / "ranker.npz"), dict(stored["options"])
    if options["knowledge"] is not None:
        options["knowledge"] = Knowledge.from_json(options["knowledge"])
    model = kind(**options)
    restore_header(model, stored)
    k, p, q = len(model.classes_), model.n_features_in_, arrays["valued"].size if "valued" in arrays else 0
    logistic = len(stored["learned"]["weights"]) > 3
    _check_shapes(folder / "ranker.npz", arrays, k, p, q, logistic)
    ones = sparse.csr_matrix((arrays["ones"], arrays["ones_at"], arrays["ones_to"]), shape=(p, k)).toarray()
    counts = Tally(arrays["cases"], ones, arrays["filled"], arrays["total"], arrays["squares"])
    stage = whole_stage(
        counts,
        Logistic(arrays["coef"], arrays["intercept"]) if logistic else None,
        np.array(stored["learned"]["weights"]),
        arrays["valued"],
        model.smoothing,
        None if model.knowledge is None else model.knowledge.cells(model.classes_, p),
    )
    trees = read_trees(folder / "ranker.txt", 1, len(FEATURES)) if stored["learned"]["trees"] else None
    reference = Reference(arrays["mean"], arrays["mean_filled"])
    model.learned_ = Learned(counts, stage, trees, stored["learned"]["beta"], reference)
    return model


def _arrays_of(found: Learned) -> dict[str, NDArray[Any]]:
    counts, logistic = found.counts, found.stage.evidence.logistic
    ones = sparse.csr_matrix(counts.ones)
    made: dict[str, NDArray[Any]] = {
        "valued": found.stage.evidence.valued,
        "cases": counts.cases,
        "ones": ones.data,
        "ones_at": ones.indices.astype(np.int64),
        "ones_to": ones.indptr.astype(np.int64),
        "filled": counts.filled,
        "total": counts.total,
        "squares": counts.squares,
        "mean": found.reference.mean,
        "mean_filled": found.reference.filled,
    }
    return made if logistic is None else made | {"coef": logistic.coef, "intercept": logistic.intercept}


def _check_shapes(path: Path, arrays: _Arrays, k: int, p: int, q: int, logistic: bool) -> None:
    size = arrays["ones"].size if "ones" in arrays else 0
    wanted: dict[str, tuple[int, ...]] = {
        "valued": (q,),
        "cases": (k,),
        "ones": (size,),
        "ones_at": (size,),
        "ones_to": (p + 1,),
        "filled": (q, k),
        "total": (q, k),
        "squares": (q, k),
        "mean": (p,),
        "mean_filled": (q,),
    }
    if logistic:
        wanted |= {"coef": (p, k), "intercept": (k,)}
    found = {name: array.shape for name, array in arrays.items()}
    if found != wanted:
        raise BundleError(f"{path.name} should hold {wanted}", f"it holds {found}", "save the model again")
