"""Everything that is chosen on scores of cases the model was not trained on, and what was seen in choosing it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from diagnosis.errors import DiagnosisWarning
from diagnosis.models.abstention import abstain_threshold, risk_curve
from diagnosis.models.calibration import log_loss, softmax
from diagnosis.models.conformal import Groups, SetRule, choose_sets
from diagnosis.models.policy import burden_at, burden_curve, flag_thresholds
from diagnosis.models.scale import Scale, fit_scale
from diagnosis.models.track_record import TrackRecord
from diagnosis.models.unlisted import Unlisted
from diagnosis.suggestions.policy import Policy
from diagnosis.vocabulary import Vocabulary

__all__ = ["Calibrated", "Declared", "calibrate"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Above every probability: always abstain.
_ALWAYS = 2.0


@dataclass(frozen=True, slots=True)
class Declared:
    """What is promised, and how.

    Parameters
    ----------
    policy : Policy
    coverage, sensitivity : float
    top : int
        Length of the shown list.
    """

    policy: Policy
    coverage: float
    sensitivity: float
    top: int


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """What is chosen on out-of-fold scores.

    Parameters
    ----------
    scale : Scale
        From the model's scores to calibrated ones.
    sets : SetRule
        Which diagnoses are in a prediction set.
    flag_at : ndarray of shape (n_diagnoses,)
        From which probability a must-not-miss diagnosis is flagged; NaN: no policy for it.
    abstain_at : float or None
        Below which largest probability the model abstains; None: never for that reason.
    prior : ndarray of shape (n_diagnoses,)
        Share of each diagnosis that the probabilities speak of: that of the training cases (by weight where they are
        weighed).
    log_loss_before, log_loss_after : float
        Out-of-fold log-loss without and with the scale, in nats.
    unlisted : Unlisted or None
        When to say that the diagnosis may be none of the known ones; None: never.
    record : TrackRecord or None
        How often each diagnosis was right where it was given a probability; None: not counted.
    """

    scale: Scale
    sets: SetRule
    flag_at: FloatArray
    abstain_at: float | None
    prior: FloatArray
    log_loss_before: float
    log_loss_after: float
    unlisted: Unlisted | None = None
    record: TrackRecord | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "scale": self.scale.to_json(),
            "sets": self.sets.to_json(),
            "flag_at": [None if np.isnan(f) else float(f) for f in self.flag_at],
            "abstain_at": self.abstain_at,
            "prior": self.prior.tolist(),
            "log_loss_before": self.log_loss_before,
            "log_loss_after": self.log_loss_after,
            "unlisted": None if self.unlisted is None else self.unlisted.to_json(),
            "record": None if self.record is None else self.record.to_json(),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Calibrated:
        """Read what `to_json` wrote."""
        return cls(
            scale=Scale.from_json(plain["scale"]),
            sets=SetRule.from_json(plain["sets"]),
            flag_at=_flag_at(plain["flag_at"]),
            abstain_at=None if plain["abstain_at"] is None else float(plain["abstain_at"]),
            prior=np.array(plain["prior"], dtype=np.float64),
            log_loss_before=float(plain["log_loss_before"]),
            log_loss_after=float(plain["log_loss_after"]),
            # Releases before had no such rule and counted no record.
            unlisted=Unlisted.from_json(plain["unlisted"]) if plain.get("unlisted") else None,
            record=TrackRecord.from_json(plain.get("record")),
        )

    @classmethod
    def from_first_format(cls, plain: Mapping[str, Any], coverage: float, prior: FloatArray) -> Calibrated:
        """Read what bundles of format 1 hold: one temperature, one set threshold, flag thresholds."""
        return cls(
            scale=Scale(float(plain["beta"])),
            sets=SetRule("lac", coverage, -float(plain["set_at"])),
            flag_at=_flag_at(plain["flag_at"]),
            abstain_at=None,
            prior=prior,
            log_loss_before=float(plain["log_loss_before"]),
            log_loss_after=float(plain["log_loss_after"]),
        )


def calibrate(
    oof: FloatArray,
    y_index: IntArray,
    classes: npt.NDArray[Any],
    words: Vocabulary,
    declared: Declared,
    *,
    groups: Groups,
    patients: npt.NDArray[Any],
    sample_weight: FloatArray | None,
    n_copies: int = 0,
) -> tuple[Calibrated, dict[str, Any]]:
    """Choose scale, sets, flag thresholds and abstention.

    Parameters
    ----------
    oof : ndarray of shape (n_cases, n_diagnoses)
        Out-of-fold scores; nan in the rows of cases that no model was held back from, which then choose nothing.
    y_index : ndarray of int64, shape (n_cases,)
    classes : ndarray of shape (n_diagnoses,)
    words : Vocabulary
        Which diagnoses must not be missed, and thresholds it states.
    declared : Declared
    groups : mapping of str to ndarray of shape (n_cases,)
        For the sets.
    patients : ndarray of shape (n_cases,)
        Never on both sides where a choice is tried on cases it was not made on.
    sample_weight : ndarray of shape (n_cases,), optional
    n_copies : int
        So many of the last rows are masked copies: they take part in every choice, and not in the prior.

    Returns
    -------
    calibrated : Calibrated
    seen : dict
        What the choices come to on the cases they were made on, for the card.
    """
    policy, own = declared.policy, slice(len(y_index) - n_copies)
    prior = _prior(y_index[own], len(classes), None if sample_weight is None else sample_weight[own])
    oof, y_index, groups, sample_weight, patients = _held_back(oof, y_index, groups, sample_weight, patients)
    scale = fit_scale(oof, y_index, sample_weight, method=policy.calibration, groups=patients)
    proba = softmax(scale.apply(oof))
    sets = choose_sets(
        proba,
        y_index,
        declared.coverage,
        kind=policy.sets,
        groups=groups if policy.grouped_by else None,
        class_conditional=policy.class_conditional,
        sample_weight=sample_weight,
    )
    which = np.array([c in words.must_not_miss for c in classes], dtype=bool)
    flag_at = flag_thresholds(
        proba, y_index, which, declared.sensitivity, sample_weight=sample_weight, per=policy.flags_per
    )
    for k in np.flatnonzero(which):
        stated = words.flag_at(str(classes[k]))
        flag_at[k] = flag_at[k] if stated is None else stated
    made = Calibrated(
        scale=scale,
        sets=sets,
        flag_at=flag_at,
        abstain_at=_abstain_at(proba, y_index, policy.abstain_error, sample_weight),
        prior=prior,
        log_loss_before=log_loss(oof, y_index, sample_weight),
        log_loss_after=log_loss(scale.apply(oof), y_index, sample_weight),
    )
    return made, _seen(made, proba, y_index, classes, which, declared, groups, sample_weight)


def _held_back(
    oof: FloatArray, y_index: IntArray, groups: Groups, w: FloatArray | None, patients: npt.NDArray[Any]
) -> tuple[FloatArray, IntArray, Groups, FloatArray | None, npt.NDArray[Any]]:
    """Leave out the cases without an out-of-fold score: where the work is large one part of them has any."""
    held = ~np.isnan(oof).any(axis=1)
    if held.all():
        return oof, y_index, groups, w, patients
    weight = None if w is None else w[held]
    return oof[held], y_index[held], {g: v[held] for g, v in groups.items()}, weight, patients[held]


def _abstain_at(proba: FloatArray, y_index: IntArray, error: float | None, w: FloatArray | None) -> float | None:
    if error is None:
        return None
    found = abstain_threshold(proba, y_index, error, sample_weight=w)
    if found is None:
        message = (
            f"No part of the training cases keeps a share of {error:g} wrong first suggestions: the model will abstain "
            "on every case. Declare a higher error, or add cases."
        )
        warnings.warn(message, DiagnosisWarning, stacklevel=2)
        return _ALWAYS
    return found


def _prior(y_index: IntArray, n_classes: int, w: FloatArray | None) -> FloatArray:
    counts = np.bincount(y_index[y_index >= 0], None if w is None else w[y_index >= 0], minlength=n_classes)
    # A diagnosis whose cases all weigh nothing keeps a trace, as it keeps a score.
    counts = np.maximum(counts.astype(np.float64), 1e-9 * counts.sum())
    prior: FloatArray = counts / counts.sum()
    return prior


def _seen(
    made: Calibrated,
    proba: FloatArray,
    y: IntArray,
    classes: npt.NDArray[Any],
    which: npt.NDArray[np.bool_],
    declared: Declared,
    groups: Groups,
    w: FloatArray | None,
) -> dict[str, Any]:
    inside = made.sets.members(proba, groups)
    held = np.where(y >= 0, inside[np.arange(len(y)), np.maximum(y, 0)], False)
    return {
        "calibration": {
            "method": declared.policy.calibration,
            "used": "temperature" if made.scale.sureness is None else "adaptive",
            "log_loss_before": made.log_loss_before,
            "log_loss_after": made.log_loss_after,
        },
        "sets": {
            "declared": declared.coverage,
            "coverage": float(np.average(held, weights=w)),
            "mean_size": float(np.average(inside.sum(axis=1), weights=w)),
        },
        "must_not_miss": _flags_seen(made.flag_at, proba, y, classes, which, declared, w),
        "abstention": {
            "declared": declared.policy.abstain_error,
            "risk_coverage": [p.to_json() for p in risk_curve(proba, y, sample_weight=w)],
        },
    }


def _flags_seen(
    flag_at: FloatArray,
    proba: FloatArray,
    y: IntArray,
    classes: npt.NDArray[Any],
    which: npt.NDArray[np.bool_],
    declared: Declared,
    w: FloatArray | None,
) -> dict[str, Any]:
    """The policy out of fold: overall, by diagnosis, and the whole curve of sensitivity over flags a case."""

    def at(chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
        own = (y >= 0) & chosen[np.maximum(y, 0)]
        point = burden_at(proba, y, chosen, flag_at, declared=declared.sensitivity, sample_weight=w, top=declared.top)
        return {"n": int(own.sum()), **point.to_json()}

    curve = burden_curve(proba, y, which, sample_weight=w, per=declared.policy.flags_per, top=declared.top)
    return {
        **at(which),
        "per": declared.policy.flags_per,
        "by_diagnosis": {str(classes[k]): at(np.arange(len(classes)) == k) for k in np.flatnonzero(which)},
        "curve": [p.to_json() for p in curve],
    }


def _flag_at(plain: list[float | None]) -> FloatArray:
    return np.array([np.nan if f is None else f for f in plain], dtype=np.float64)
