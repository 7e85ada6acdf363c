"""Everything a diagnoser learns from records, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from diagnosis.errors import InputError
from diagnosis.explanation import AnswerCounts
from diagnosis.features import FindingEncoder
from diagnosis.models.calibration import softmax
from diagnosis.models.protocol import Model
from diagnosis.models.registry import AUTO, choose_kind, make_model
from diagnosis.models.track_record import TrackRecord
from diagnosis.records import Records
from diagnosis.suggestions.answer_table import count_answers
from diagnosis.suggestions.calibrated import Calibrated, Declared, calibrate
from diagnosis.suggestions.learned import Labelled, OutOfFold, describe, label, learn
from diagnosis.suggestions.list_learning import learn_reading
from diagnosis.suggestions.masking import with_copies
from diagnosis.suggestions.neighbours import Neighbours
from diagnosis.suggestions.open_world import learned_unlisted
from diagnosis.suggestions.policy import Policy, groups_of_cases
from diagnosis.suggestions.red_flags import RedFlag, red_flags_of
from diagnosis.suggestions.reference_reading import ReferenceReading, SoftLabels, Target, soft_labels
from diagnosis.suggestions.structure import with_columns
from diagnosis.suggestions.training_ids import TrainingIds
from diagnosis.vocabulary import Vocabulary

if TYPE_CHECKING:
    from diagnosis.suggestions.diagnoser import Diagnoser

__all__ = ["Learned", "fit_records"]


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


def fit_records(
    diagnoser: Diagnoser,
    seen: Records,
    y: npt.ArrayLike | None,
    groups: npt.ArrayLike | None,
    *,
    learning: Callable[..., tuple[FindingEncoder, Model, OutOfFold]] = learn,
) -> Learned:
    """Learn from cases as of their moment, with a diagnoser's options; see `Diagnoser.fit`.

    `learning` stands for `learn`: a run that may be interrupted keeps what that makes.
    """
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
    masking = d.policy.masking
    encoder, fitted, oof = learning(
        labelled, encoder, model, weight=weight, folds=d.folds, seed=d.seed, masking=masking
    )
    classes = np.asarray(fitted.classes_, dtype=object)
    answers = count_answers(labelled.records, encoder, labelled.y, classes)
    calibration, chosen = _calibrated(d, labelled, oof, classes, encoder, answers)
    reading = None if lists is None else _reading(d, lists, seen, patients, encoder, model, copies=oof.n_copies > 0)
    card = {**describe(labelled, classes), "chosen": chosen, "n_masked_copies": oof.n_copies}
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
        neighbours=Neighbours.of(labelled.records, encoder, d.seed, labelled.y),
        answers=answers,
    )


def _calibrated(
    d: Diagnoser,
    labelled: Labelled,
    oof: OutOfFold,
    classes: npt.NDArray[np.object_],
    encoder: FindingEncoder,
    answers: AnswerCounts,
) -> tuple[Calibrated, dict[str, Any]]:
    """Choose everything that is chosen on out-of-fold scores."""
    groups = groups_of_cases(labelled.records, d.policy.grouped_by)
    y_index = np.searchsorted(classes.astype(str), labelled.y[oof.case].astype(str))
    made, chosen = calibrate(
        oof.scores,
        y_index,
        classes,
        labelled.records.vocabulary,
        Declared(d.policy, d.coverage, d.sensitivity, d.top),
        groups={name: of[oof.case] for name, of in groups.items()},
        patients=labelled.groups[oof.case],
        sample_weight=oof.weight,
        n_copies=oof.n_copies,
    )
    rule = learned_unlisted(labelled, encoder, answers, oof, made.scale, y_index, d.seed)
    return replace(made, unlisted=rule, record=_track_record(made, oof, y_index)), chosen


def _track_record(made: Calibrated, oof: OutOfFold, y_index: npt.NDArray[np.int64]) -> TrackRecord:
    """Count what was given and what was right on the cases themselves, not on masked copies of them."""
    own = oof.scores[: len(y_index) - oof.n_copies]
    held = np.flatnonzero(~np.isnan(own).any(axis=1))
    return TrackRecord.of(softmax(made.scale.apply(own[held])), y_index[held])


def _reading(
    d: Diagnoser,
    lists: SoftLabels,
    seen: Records,
    patients: npt.NDArray[np.object_],
    encoder: FindingEncoder,
    model: Model,
    *,
    copies: bool,
) -> ReferenceReading:
    """Learn the differential reading, also from masked copies where the posterior is."""
    rows = np.unique(lists.case)
    X, n_own = encoder.transform(seen)[rows], len(rows)
    share = np.ones(n_own)
    if copies:
        both = with_copies(X, seen, rows, encoder, d.seed, d.policy.masking)
        X, rows, share = both.X, rows[both.case], both.weight
    if d.weighted:
        share = share * seen.weight[rows]
    model = with_columns(model, encoder, seen.vocabulary)
    return learn_reading(
        lists.at(rows), X, patients[rows], model, weight=share, folds=d.folds, seed=d.seed, n_copies=len(rows) - n_own
    )
