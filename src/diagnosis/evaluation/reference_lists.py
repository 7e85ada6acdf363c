"""Differentials beside reference lists: the metrics of DDXPlus, by their authors' definitions.

Fansi Tchango A, Goel R, Wen Z, Martel J, Ghosn J. DDXPlus: A New Dataset For Automatic Medical Diagnosis. NeurIPS 2022
Datasets and Benchmarks, section 4 and appendix.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError

__all__ = ["ListScores", "score_lists"]

_SHOWN = (1, 3, 5)


@dataclass(frozen=True, slots=True)
class ListScores:
    """How near predicted differentials come to reference lists, averaged over the cases that have a list.

    Attributes
    ----------
    n : int
        Cases with a reference list.
    threshold : float
        A diagnosis stands on a list, predicted or of reference, if its probability is above this.
    gtpa : float
        Share of cases whose true diagnosis stands on the predicted list.
    gtpa_at : mapping of int to float
        Share of cases where it stands on that list and among its first k.
    ddr, ddp, ddf1 : float
        Recall and precision of the predicted list, and their harmonic mean, each by case and then averaged.
    dsf1 : float or None
        The same harmonic mean over severe diagnoses alone; None where none was named as severe. A case without a severe
        diagnosis on either list counts as 1.
    """

    n: int
    threshold: float
    gtpa: float
    gtpa_at: Mapping[int, float]
    ddr: float
    ddp: float
    ddf1: float
    dsf1: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the metrics as plain values."""
        return {
            "n": self.n,
            "threshold": self.threshold,
            "gtpa": self.gtpa,
            "gtpa_at": {str(k): share for k, share in self.gtpa_at.items()},
            "ddr": self.ddr,
            "ddp": self.ddp,
            "ddf1": self.ddf1,
            "dsf1": self.dsf1,
        }


def score_lists(
    proba: NDArray[np.float64],
    diagnoses: NDArray[np.object_],
    reference: Sequence[Sequence[Mapping[str, Any]] | None] | NDArray[np.object_],
    truth: NDArray[np.object_],
    *,
    threshold: float = 0.01,
    severe: Collection[str] = (),
) -> ListScores:
    """Compare predicted differentials with reference lists.

    Parameters
    ----------
    proba : ndarray of shape (n_cases, n_diagnoses)
    diagnoses : ndarray of object, shape (n_diagnoses,)
        Codes of the columns.
    reference : sequence of n_cases lists of ``{"diagnosis": ..., "probability": ...}``
        As in ``cases.differential``; None or an empty list: the case does not count. A diagnosis the model does not
        know stays on the reference list and is missed.
    truth : ndarray of object, shape (n_cases,)
        The true diagnosis of each case.
    threshold : float
        The authors' is 0.01.
    severe : collection of str
        Diagnoses for `dsf1`.

    Raises
    ------
    InputError
        Shapes that do not agree, or no case with a reference list.
    """
    n = len(proba)
    if proba.shape != (n, len(diagnoses)) or len(reference) != n or len(truth) != n:
        raise InputError(
            "Probabilities, reference lists and true diagnoses of the same cases are compared",
            f"found {proba.shape} probabilities, {len(diagnoses)} codes, {len(reference)} lists, {len(truth)} truths",
            "give one of each a case, in the same order",
        )
    has = [i for i, one in enumerate(reference) if one]
    if not has:
        raise InputError("Cases with a reference list are compared", "no case has one", "fill `cases.differential`")
    codes = [str(code) for code in diagnoses]
    order = np.argsort(-proba, axis=1, kind="stable")
    recalls, precisions, f1, severe_f1, found_at = [], [], [], [], []
    for i in has:
        wanted = {str(one["diagnosis"]) for one in reference[i] or () if one["probability"] > threshold}
        listed = [codes[k] for k in order[i] if proba[i, k] > threshold]
        recall, precision = _overlap(wanted, set(listed))
        recalls.append(recall)
        precisions.append(precision)
        f1.append(_harmonic(recall, precision))
        severe_f1.append(_harmonic(*_overlap(wanted & set(severe), set(listed) & set(severe))))
        found_at.append(listed.index(str(truth[i])) if str(truth[i]) in listed else np.inf)
    place = np.array(found_at)
    return ListScores(
        n=len(has),
        threshold=threshold,
        gtpa=float(np.isfinite(place).mean()),
        gtpa_at={k: float((place < k).mean()) for k in _SHOWN},
        ddr=float(np.mean(recalls)),
        ddp=float(np.mean(precisions)),
        ddf1=float(np.mean(f1)),
        dsf1=float(np.mean(severe_f1)) if severe else None,
    )


def _overlap(wanted: set[str], listed: set[str]) -> tuple[float, float]:
    """Recall and precision of one list; an empty side that should be empty is right."""
    both = len(wanted & listed)
    recall = both / len(wanted) if wanted else float(not listed)
    precision = both / len(listed) if listed else float(not wanted)
    return recall, precision


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
