"""A fitted diagnoser that has also learned from new confirmed cases; the old one stays as it is."""

from __future__ import annotations

import copy
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from diagnosis.errors import InputError
from diagnosis.models.also import learned
from diagnosis.suggestions.learned import confirmed_as_named

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["updated"]


def updated(diagnoser: Diagnoser, seen: Records, y: npt.ArrayLike | None) -> Diagnoser:
    """Return a diagnoser whose model has also learned cases that are as of their moment; see `Diagnoser.update`."""
    check_is_fitted(diagnoser, "model_")
    if not hasattr(diagnoser.model_, "update"):
        raise InputError(
            "a model that can learn on: linear, boosted or hybrid",
            f"found {type(diagnoser.model_).__name__}",
            "fit again on old and new cases together",
        )
    n_again = int(diagnoser.training_ids_.trained_on(seen.case_ids).sum())
    if n_again:
        raise InputError(
            "new cases, none of which the model was trained on",
            f"{n_again:,} of {len(seen):,} have the id of a training case",
            "leave them out: learned twice, they would count twice",
        )
    truth = diagnoser.truth(seen, y)
    known = {str(c) for c in diagnoser.classes_}
    rows = np.flatnonzero([str(one) in known for one in truth])
    if not len(rows):
        raise InputError(
            "confirmed cases of diagnoses the model knows",
            f"none of {len(seen):,} is one",
            "fit again on old and new cases together, so that new diagnoses are learned",
        )
    new, labels = seen[rows], truth[rows].astype(str)
    weight = new.weight if diagnoser.weighted else None
    model: Any = diagnoser.model_
    made = copy.copy(diagnoser)
    made.__dict__.pop("fingerprint", None)
    made.model_ = learned(
        model.update,
        diagnoser.encoder_.transform(new),
        labels,
        sample_weight=weight,
        groups=new.groups.astype(str),
        also=confirmed_as_named(new, diagnoser.pooled_ if diagnoser.rest == "other" else frozenset()),
    )
    n_patients = len(set(new.groups[~diagnoser.training_ids_.seen(new)]))
    made.card_ = _card(diagnoser.card_, new, labels, len(seen) - len(rows), n_patients)
    made.training_ids_ = diagnoser.training_ids_.joined(new)
    return made


def _card(
    card: dict[str, Any], new: Records, labels: npt.NDArray[Any], n_left_out: int, n_patients: int
) -> dict[str, Any]:
    """The card with the new cases counted; what was chosen on training scores is as it was, and the card says so."""
    counts = Counter(labels.tolist())
    by = {name: n + counts[name] for name, n in card["n_by_diagnosis"].items()}
    update = {"n_cases": len(new), "n_left_out": n_left_out, "data_digest": new.digest()}
    return {
        **card,
        "n_cases": card["n_cases"] + len(new),
        "n_patients": card["n_patients"] + n_patients,
        "n_by_diagnosis": by,
        "updates": [*card.get("updates", []), update],
    }
