"""The matrix in the form that was asked for; as a frame of sparse columns where `set_output` chose one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator

from diagnosis.errors import InputError, nearest
from diagnosis.features.assemble import SortedRows, stack_rows
from diagnosis.features.shards import Shards, write_shards
from diagnosis.records.records import Records

# Where scikit-learn keeps the choice, and from where its `clone` takes it.
_CHOICE = "_sklearn_output_config"
_OUTPUTS = ("default", "pandas")


def keep_output(encoder: BaseEstimator, transform: str | None) -> None:
    """Keep what is to be returned; None leaves it as it is."""
    if transform is None:
        return
    if transform not in _OUTPUTS:
        raise InputError(
            f"The output of an encoder is {' or '.join(_OUTPUTS)}.",
            f"Found {transform!r}.",
            "Use one of these; a frame of polars has no sparse columns.",
            near=nearest(str(transform), _OUTPUTS),
        )
    setattr(encoder, _CHOICE, {"transform": transform})


def wants_frame(encoder: BaseEstimator) -> bool:
    """Whether a frame was asked for."""
    return getattr(encoder, _CHOICE, {}).get("transform") == "pandas"


def delivered(
    encoder: BaseEstimator, parts: Iterator[SortedRows], source: object, to: str | Path | None
) -> csr_matrix | Shards:
    """Put encoded rows into the form that was asked for: shards in a folder, a sparse matrix, or a frame."""
    names = encoder.get_feature_names_out()
    if to is not None:
        return write_shards(Path(to), parts, names.tolist())
    X = stack_rows(list(parts), len(names))
    return framed(X, source, names) if wants_frame(encoder) else X


def framed(X: csr_matrix, source: object, names: NDArray[np.object_]) -> Any:
    """Return a pandas DataFrame with sparse columns; its rows are named after the cases where these are at hand."""
    import pandas as pd

    frame = pd.DataFrame.sparse.from_spmatrix(X, columns=names)  # type: ignore[attr-defined]
    parts = source if isinstance(source, list) else [source]
    names_of_rows = [part.case_ids for part in parts if isinstance(part, Records)]
    if len(names_of_rows) < len(parts):
        return frame
    return frame.set_axis(pd.Index(np.concatenate(names_of_rows), name="case_id"))
