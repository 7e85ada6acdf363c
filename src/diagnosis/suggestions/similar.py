"""One case -> the training cases for which the same evidence speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack
from sklearn.neighbors import NearestNeighbors

from diagnosis.errors import InputError
from diagnosis.explanation.explain import relative_to_list, sum_by_key

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.suggestions.differential import Differential

__all__ = ["similar_cases"]

# Of so many cases that record the most alike the evidence is compared.
_CANDIDATES = 200
_COLUMNS = ("distance", "similarity", "diagnosis", "name", "case_id")


def similar_cases(differential: Differential, k: int) -> pd.DataFrame:
    """Return the `k` training cases nearest in evidence.

    Of the 200 cases whose recorded findings are most alike (cosine, rare findings counting more), those come first for
    which the findings speak for and against the shown diagnoses as they do here: the Euclidean distance, in nats,
    between what every finding adds relative to the list. The case itself is left out where it was trained on.

    Parameters
    ----------
    differential : Differential
    k : int
        At least 1; fewer come back where fewer are known.

    Raises
    ------
    InputError
        `k` is below 1, or the training cases are not at hand.
    """
    import pandas as pd

    if k < 1:
        raise InputError("at least one similar case", f"k is {k}", "ask for 1 or more")
    diagnoser, row = differential.diagnoser, differential.row
    index = diagnoser.neighbours_
    if index is None or index.past is None or row is None:
        raise InputError(
            "the training cases, to find similar ones among them",
            "they are not here: they stay in `local` beside a saved model, and older releases did not keep them",
            "ask at the site that trained it, or fit the model again",
        )
    alike, past = index.cosines(row), index.past
    others = np.flatnonzero(past.case_ids != differential.case_id)
    near = others[np.argsort(-alike[others], kind="stable")[: max(_CANDIDATES, k)]]
    evidence = _evidence(differential, vstack([row, past.X[near]], format="csr"))
    distance, place = (
        NearestNeighbors(n_neighbors=min(k, len(near)), algorithm="brute").fit(evidence[1:]).kneighbors(evidence[:1])
        if len(near)
        else (np.zeros((1, 0)), np.zeros((1, 0), np.int64))
    )
    found = near[place[0]]
    names = [diagnoser.vocabulary_.diagnosis_name(d) for d in past.diagnoses[found].tolist()]
    columns = (distance[0], np.minimum(alike[found], 1.0), past.diagnoses[found], names, past.case_ids[found])
    return pd.DataFrame({n: list(c) for n, c in zip(_COLUMNS, columns, strict=True)}, columns=list(_COLUMNS))


def _evidence(differential: Differential, X: csr_matrix) -> npt.NDArray[np.float64]:
    """What each finding adds to each shown diagnosis, relative to the list; shape (n_cases, m * n_keys), in nats.

    All cases are weighed as the case asked about is: by its list, its probabilities and its calibration.
    """
    model, codes, scale = differential.diagnoser.part(differential.reading)
    place = {str(code): i for i, code in enumerate(codes)}
    shown = np.array([place[s.diagnosis] for s in differential.ranked], np.int64)
    log_p = np.log(np.maximum(differential.proba[shown], np.finfo(np.float64).tiny))
    factor, lineage = float(scale.factors(model.scores(X[:1]))[0]), differential.diagnoser.encoder_.lineage_
    phi = model.contributions(X, shown).phi
    return np.array([(factor * relative_to_list(sum_by_key(one, lineage), log_p)).ravel() for one in phi])
