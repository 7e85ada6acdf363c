"""Many cases -> the evidence for what is suggested for each, one after the other, in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from diagnosis.explanation import Evidence
from diagnosis.explanation.explain import explain_cases
from diagnosis.models.calibration import softmax
from diagnosis.records import OTHER, Records
from diagnosis.suggestions.inputs import plausible

if TYPE_CHECKING:
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["explanations"]

# Cases that are encoded and scored together.
_CASES = 2_000


def explanations(diagnoser: Diagnoser, records: Records, top: int, reading: str) -> Iterator[Evidence]:
    """Explain the suggestions for each case as `Differential.explain` does."""
    encoder, (model, codes, scale) = diagnoser.encoder_, diagnoser.part(reading)
    records = records.with_vocabulary(diagnoser.vocabulary_)
    # Where the encoder looks back at earlier encounters, these may stand in any portion.
    step = max(len(records), 1) if encoder.windows else _CASES
    for start in range(0, len(records), step):
        seen = diagnoser.as_known(records if step >= len(records) else records[start : start + step])
        X = encoder.transform(plausible(seen))
        for first in range(0, len(seen), _CASES):
            here = slice(first, first + _CASES)
            rows = X[here]
            shown = listed(softmax(scale.apply(model.scores(rows))), codes, top)
            yield from explain_cases(seen[here], encoder, model, scale, shown, rows, reading=reading)


def listed(proba: npt.NDArray[np.float64], codes: npt.NDArray[np.object_], top: int) -> npt.NDArray[np.int64]:
    """Return the `top` most probable diagnoses of each case, shape (n_cases, top); ties by code, `OTHER` left out.

    Parameters
    ----------
    proba : ndarray of shape (n_cases, n_diagnoses)
    codes : ndarray of shape (n_diagnoses,)
        Sorted. With `OTHER` alone, it is listed.
    top : int
    """
    named = np.flatnonzero(codes != OTHER)
    if not named.size:
        named = np.arange(len(codes))
    by_code = named[np.argsort(codes[named].astype(str), kind="stable")]
    order = np.argsort(-proba[:, by_code], axis=1, kind="stable")[:, :top]
    return by_code[order]
