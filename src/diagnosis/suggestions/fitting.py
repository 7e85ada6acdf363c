"""Everything a diagnoser learns from records, in one value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from diagnosis.errors import InputError
from diagnosis.explanation import AnswerCounts
from diagnosis.features import FindingEncoder
from diagnosis.models.protocol import Model
from diagnosis.models.registry import AUTO, choose_kind, make_model
from diagnosis.records import Records
from diagnosis.suggestions.answer_table import count_answers
from diagnosis.suggestions.calibrated import Calibrated, Declared, calibrate
from diagnosis.suggestions.learned import describe, label, learn
from diagnosis.suggestions.neighbours import Neighbours
from diagnosis.suggestions.policy import Policy, groups_of_cases
from diagnosis.suggestions.red_flags import RedFlag, red_flags_of
from diagnosis.suggestions.reference_reading import ReferenceReading, Target, learn_reading, soft_labels
from diagnosis.suggestions.training_ids import TrainingIds
from diagnosis.vocabulary import Vocabulary

if TYPE_CHECKING:
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["Learned", "checked_records", "fit_records"]


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What a fit leaves behind; each field is the diagnoser's attribute with an underscore behind it.

    Parameters
    ----------
    encoder, model : fitted
    calibration : Calibrated
    reading : ReferenceReading or None
    classes : ndarray of object
    vocabulary : Vocabulary
    pooled : frozenset of str
    card : dict
    red_flags : tuple of RedFlag
        Rules of the training records' own.
    training_ids : TrainingIds
    neighbours : Neighbours or None
        Training cases to compare with.
    answers : AnswerCounts
    """

    encoder: FindingEncoder
    model: Model
    calibration: Calibrated
    reading: ReferenceReading | None
    classes: npt.NDArray[np.object_]
    vocabulary: Vocabulary
    pooled: frozenset[str]
    card: dict[str, Any]
    red_flags: tuple[RedFlag, ...]
    training_ids: TrainingIds
    neighbours: Neighbours | None
    answers: AnswerCounts

    def give_to(self, diagnoser: Diagnoser) -> None:
        """Set the learned attributes of a diagnoser."""
        for one in fields(self):
            setattr(diagnoser, f"{one.name}_", getattr(self, one.name))
        diagnoser.__dict__.pop("fingerprint", None)  # of an earlier fit


def fit_records(diagnoser: Diagnoser, seen: Records, y: npt.ArrayLike | None, groups: npt.ArrayLike | None) -> Learned:
    """Learn from cases as of their moment, with a diagnoser's options; see `Diagnoser.fit`."""
    d = diagnoser
    if d.target not in get_args(Target):
        raise InputError("a target: posterior, differential or both", f"found {d.target!r}", "use one of these")
    if not isinstance(d.policy, Policy):
        raise InputError("a Policy", f"found {type(d.policy).__name__}", "give diagnosis.suggestions.Policy(...)")
    truth = seen.labels(d.label_status) if y is None else np.asarray(y, dtype=object)
    patients = np.asarray(seen.groups if groups is None else groups, dtype=object)
    lists = None if d.target == "posterior" else soft_labels(seen, min_cases=d.min_cases, rest=d.rest)
    labelled = label(seen, truth, patients, d.min_cases, d.rest)
    n_diagnoses = len(set(labelled.y))
    model = make_model(d.model, seed=d.seed, n_jobs=d.n_jobs, n_diagnoses=n_diagnoses)
    encoder = FindingEncoder() if d.encoder is None else clone(d.encoder)
    weight = labelled.records.weight if d.weighted else None
    encoder, fitted, oof = learn(labelled, encoder, model, weight=weight, folds=d.folds, seed=d.seed)
    classes = np.asarray(fitted.classes_, dtype=object)
    calibration, chosen = calibrate(
        oof,
        np.searchsorted(classes.astype(str), labelled.y.astype(str)),
        classes,
        labelled.records.vocabulary,
        Declared(d.policy, d.coverage, d.sensitivity, d.top),
        groups=groups_of_cases(labelled.records, d.policy.grouped_by),
        sample_weight=weight,
    )
    reading = None
    if lists is not None:
        X, share = encoder.transform(seen), seen.weight if d.weighted else None
        reading = learn_reading(lists, X, patients, model, weight=share, folds=d.folds, seed=d.seed)
    card = {**describe(labelled, classes), "chosen": chosen}
    if d.model == AUTO:
        card["model_choice"] = dict(zip(("kind", "why"), choose_kind(n_diagnoses), strict=True))
    return Learned(
        encoder=encoder,
        model=fitted,
        calibration=calibration,
        reading=reading,
        classes=classes,
        vocabulary=labelled.records.vocabulary,
        pooled=labelled.pooling.pooled,
        card=card,
        red_flags=red_flags_of(seen, ()),
        training_ids=TrainingIds.of(labelled.records.case_ids, [*labelled.records.groups, *labelled.groups]),
        neighbours=Neighbours.of(labelled.records, encoder, d.seed),
        answers=count_answers(labelled.records, encoder, labelled.y, classes),
    )


def checked_records(records: object) -> Records:
    """Refuse what is no `Records`."""
    if not isinstance(records, Records):
        raise InputError(
            "records to work on", f"found {type(records).__name__}", "read them with read_records, or build Records"
        )
    return records
