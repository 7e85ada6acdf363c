"""Arrays of probabilities -> one `Differential` a case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from diagnosis.models.batch import Batch
from diagnosis.records import OTHER, Records
from diagnosis.suggestions.differential import Differential, Suggestion
from diagnosis.suggestions.flags import TOO_LITTLE, ages_in_days, case_flags

if TYPE_CHECKING:
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["answer"]


def answer(
    diagnoser: Diagnoser,
    seen: Records,
    batch: Batch,
    unknown: Sequence[tuple[str, ...]],
    later: npt.NDArray[np.int64],
    top: int,
) -> list[Differential]:
    """Make the differentials of many cases.

    Parameters
    ----------
    diagnoser : Diagnoser
    seen : Records
        As of their moment.
    batch : Batch
    unknown : sequence of tuple of str
        For each case the codes the model does not know.
    later : ndarray of int, shape (n_cases,)
        How many findings of each case were set aside by the moment.
    top : int
    """
    ages = ages_in_days(seen)
    lost = diagnoser.encoder_.unconverted(seen)
    name, moment = diagnoser.name, batch.as_of
    made = []
    for i in range(len(batch)):
        ranked, in_set = _ranked(diagnoser, batch, i, top)
        flags = case_flags(
            batch.proba[i],
            batch.diagnoses,
            diagnoser.calibration_.flag_at,
            age_days=float(ages[i]),
            age_range=diagnoser.card_["age_days"],
            n_unknown=len(unknown[i]),
            n_values_not_used=int(lost[i]),
            understood=not batch.abstained[i],
        )
        other = np.flatnonzero(batch.diagnoses == OTHER)
        made.append(
            Differential(
                case_id=str(batch.case_ids[i]),
                model=name,
                reading=batch.reading,
                as_of=moment,
                ranked=ranked,
                other=float(batch.proba[i, other[0]]) if len(other) else None,
                set=in_set,
                must_not_miss=tuple(f.diagnosis for f in flags if f.kind == "must_not_miss" and f.diagnosis),
                flags=flags,
                abstained=bool(batch.abstained[i]),
                abstain_reason=TOO_LITTLE if batch.abstained[i] else None,
                unknown_codes=tuple(unknown[i]),
                not_used={"after_moment": int(later[i]), "unknown": len(unknown[i]), "values": int(lost[i])},
                records=seen[[i]],
                diagnoser=diagnoser,
                proba=batch.proba[i],
            )
        )
    return made


def _ranked(diagnoser: Diagnoser, batch: Batch, i: int, top: int) -> tuple[tuple[Suggestion, ...], tuple[str, ...]]:
    """The first `top` diagnoses by probability, ties by code; and the members of the set in the same order."""
    proba, classes = batch.proba[i], batch.diagnoses
    order = sorted(range(len(classes)), key=lambda k: (-proba[k], str(classes[k])))
    listed = [k for k in order if classes[k] != OTHER] or order
    ranked = tuple(
        Suggestion(
            rank=rank,
            diagnosis=str(classes[k]),
            name=diagnoser.vocabulary_.diagnosis_name(str(classes[k])),
            probability=float(proba[k]),
            in_set=bool(batch.in_set[i, k]),
            must_not_miss=bool(batch.must_not_miss[k]),
        )
        for rank, k in enumerate(listed[:top], start=1)
    )
    return ranked, tuple(str(classes[k]) for k in order if batch.in_set[i, k])
