"""What a clinician must see beside the list: typed flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from diagnosis.records import Records

__all__ = ["TOO_LITTLE", "Flag", "ages_in_days", "case_flags"]

Kind = Literal["must_not_miss", "out_of_range_age", "unknown_codes", "values_not_used", "too_little_evidence"]

TOO_LITTLE = "no finding that the model knows"
_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing to see beside the list.

    Parameters
    ----------
    kind : str
        ``must_not_miss``, ``out_of_range_age``, ``unknown_codes``, ``values_not_used`` or ``too_little_evidence``.
    diagnosis : str, optional
        The diagnosis it is about.
    rule : str
        The rule that raised it, in words.
    values : mapping
        The numbers behind it.
    """

    kind: Kind
    rule: str
    diagnosis: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The flag as plain values."""
        return {"kind": self.kind, "diagnosis": self.diagnosis, "rule": self.rule, "values": dict(self.values)}


def case_flags(
    proba: npt.NDArray[np.float64],
    classes: npt.NDArray[Any],
    flag_at: npt.NDArray[np.float64],
    *,
    age_days: float,
    age_range: tuple[float, float] | None,
    n_unknown: int,
    n_values_not_used: int,
    understood: bool,
) -> tuple[Flag, ...]:
    """Raise the flags of one case.

    Parameters
    ----------
    proba, flag_at : ndarray of shape (n_diagnoses,)
        Probabilities, and the probability from which each must-not-miss diagnosis is flagged (NaN: never).
    age_days : float, days
        NaN when not known.
    age_range : tuple of float, days
        Youngest and oldest age in training.
    n_unknown : int
        Findings the model does not know.
    n_values_not_used : int
        Values whose unit does not convert.
    understood : bool
        Whether there is one it knows.
    """
    raised = np.flatnonzero(proba >= flag_at)
    flags = [
        Flag(
            "must_not_miss",
            "probability at or above the threshold of this diagnosis",
            str(classes[k]),
            {"probability": float(proba[k]), "flag_at": float(flag_at[k])},
        )
        for k in raised[np.argsort(-proba[raised], kind="stable")]
    ]
    if age_range and np.isfinite(age_days) and not age_range[0] <= age_days <= age_range[1]:
        values = {"age_days": float(age_days), "training_age_days": [float(a) for a in age_range]}
        flags.append(Flag("out_of_range_age", "age outside the ages seen in training", None, values))
    if n_unknown:
        flags.append(Flag("unknown_codes", "findings the model does not know", None, {"n": n_unknown}))
    if n_values_not_used:
        rule = "values whose unit does not convert were not used"
        flags.append(Flag("values_not_used", rule, None, {"n": n_values_not_used}))
    if not understood:
        flags.append(Flag("too_little_evidence", TOO_LITTLE, None, {"n": 0}))
    return tuple(flags)


def ages_in_days(records: Records) -> npt.NDArray[np.float64]:
    """Age of each case in days: `age_days`, else `age_years`; NaN where neither is known."""
    days = records.column("age_days")
    return np.where(np.isnan(days), records.column("age_years") * _YEAR, days)
