"""What a clinician must see beside the list: typed flags."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from diagnosis.suggestions.inputs import SetAside

if TYPE_CHECKING:
    from diagnosis.suggestions.red_flags import RedFlag

__all__ = ["TOO_LITTLE", "TRAINED_ON", "UNSURE", "CaseFacts", "Flag", "about_input", "must_not_miss", "red_flag"]

Kind = Literal[
    "must_not_miss",
    "red_flag",
    "out_of_range_age",
    "unknown_codes",
    "values_not_used",
    "assumed_unit",
    "implausible_value",
    "too_little_evidence",
    "trained_on",
    "unlike_training",
    "unlisted",
]

TOO_LITTLE = "no finding that the model can use"
UNSURE = "the most probable diagnosis is too unsure for the declared error"


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing to see beside the list.

    Parameters
    ----------
    kind : str
        ``must_not_miss``, ``red_flag``, ``out_of_range_age``, ``unknown_codes``, ``values_not_used``,
        ``assumed_unit``, ``implausible_value``, ``too_little_evidence``, ``trained_on``, ``unlike_training`` or
        ``unlisted``.
    diagnosis : str, optional
        The diagnosis it is about.
    rule : str
        The rule that raised it, in words.
    values : mapping
        The numbers behind it; of a red flag its code, source and the sentence in Chinese.
    """

    kind: Kind
    rule: str
    diagnosis: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The flag as plain values."""
        return {"kind": self.kind, "diagnosis": self.diagnosis, "rule": self.rule, "values": dict(self.values)}


#: The last flag of a case that the model was trained on, or whose patient it was.
TRAINED_ON = Flag("trained_on", "the case or its patient was among the training cases", None, {"n": 1})


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the flags about the input of one case are raised on.

    Parameters
    ----------
    age_days : float, days
        NaN when not known.
    age_range : tuple of float, days, or None
        Youngest and oldest age in training.
    unknown : tuple of str
        Findings the model does not know.
    near : mapping of str to sequence of str
        For unknown findings that look misspelt, the nearest names.
    n_values_not_used : int
        Values whose unit does not convert, or is missing where training had several.
    implausible : sequence of str
        Codes whose value no living patient has.
    understood : bool
        Whether there is a finding the model knows.
    similarity, far : float
        Cosine with the nearest training case, and below which it is unlike any.
    set_aside : SetAside
        Values not used for what training knows of their finding, or used in a unit assumed.
    unlisted, unlisted_at : float
        How little the list accounts for, and above which the diagnosis may be none of the known ones.
    """

    age_days: float
    age_range: tuple[float, float] | None
    unknown: tuple[str, ...]
    near: Mapping[str, Sequence[str]]
    n_values_not_used: int
    implausible: Sequence[str]
    understood: bool
    similarity: float
    far: float
    unlisted: float = -np.inf
    unlisted_at: float = np.inf
    set_aside: SetAside = field(default_factory=SetAside)


def red_flag(rule: RedFlag, known: Collection[str]) -> Flag:
    """The flag of a rule that holds; its diagnosis is named where it is among those known to the model."""
    values = {"code": rule.code, "says_zh": rule.says_zh, "source": rule.source}
    return Flag("red_flag", rule.says, rule.diagnosis if rule.diagnosis in known else None, values)


def must_not_miss(diagnosis: str, probability: float, flag_at: float) -> Flag:
    """The flag of a diagnosis whose probability the policy does not let pass."""
    rule = "probability at or above the threshold of this diagnosis"
    return Flag("must_not_miss", rule, diagnosis, {"probability": probability, "flag_at": flag_at})


def about_input(case: CaseFacts) -> list[Flag]:
    """The flags about what a case records, `TRAINED_ON` left out."""
    flags = []
    if case.age_range and np.isfinite(case.age_days) and not case.age_range[0] <= case.age_days <= case.age_range[1]:
        values = {"age_days": float(case.age_days), "training_age_days": [float(a) for a in case.age_range]}
        flags.append(Flag("out_of_range_age", "age outside the ages seen in training", None, values))
    if case.unknown:
        near = {code: list(names) for code, names in case.near.items()}
        values = {"n": len(case.unknown), **({"near": near} if near else {})}
        flags.append(Flag("unknown_codes", "findings the model does not know", None, values))
    flags += _about_values(case)
    if not case.understood:
        flags.append(Flag("too_little_evidence", TOO_LITTLE, None, {"n": 0}))
    elif case.similarity < case.far:
        rule = "no training case resembles this one as 99 in 100 training cases resemble another"
        flags.append(Flag("unlike_training", rule, None, {"similarity": case.similarity, "far": case.far}))
    if case.understood and case.unlisted > case.unlisted_at:
        rule = "the list accounts for less of what was found than in 95 of 100 training cases: it may be none of these"
        flags.append(Flag("unlisted", rule, None, {"score": case.unlisted, "at": case.unlisted_at}))
    return flags


def _about_values(case: CaseFacts) -> Iterator[Flag]:
    doubt = case.set_aside.without_unit
    if case.n_values_not_used > len(doubt):
        foreign = {code: {"value": v, "unit": unit} for code, (v, unit) in case.set_aside.foreign.items()}
        values = {"n": case.n_values_not_used - len(doubt), **({"foreign": foreign} if foreign else {})}
        yield Flag("values_not_used", "values whose unit does not convert were not used", None, values)
    if doubt:
        known = "; ".join(f"{code} is known in {', '.join(units)}" for code, units in doubt.items())
        values = {"n": len(doubt), "without_unit": {code: [*units] for code, units in doubt.items()}}
        yield Flag("values_not_used", f"values without a unit were not used: {known}", None, values)
    assumed = {code: one for code, one in case.set_aside.assumed.items() if code not in case.implausible}
    if assumed:
        known = ", ".join(f"{code} in {unit}" for code, (_, unit) in assumed.items())
        values = {"n": len(assumed), "assumed": {c: {"value": v, "unit": unit} for c, (v, unit) in assumed.items()}}
        yield Flag("assumed_unit", f"values without a unit were taken as recorded in training: {known}", None, values)
    if case.implausible:
        rule = "values that no living patient has, a slip of the pen or another unit, were not used"
        yield Flag("implausible_value", rule, None, {"n": len(case.implausible), "codes": [*case.implausible]})
    far = [code for code in case.set_aside.far if code not in case.implausible]
    if far:
        rule = "values far outside everything seen in training, a slip of the pen or another unit, were not used"
        yield Flag("implausible_value", rule, None, {"n": len(far), "codes": far, "beyond": "training"})
