"""What a clinician must see beside the list: typed flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from diagnosis.errors import nearest
from diagnosis.features.rows import finding_key
from diagnosis.features.values import in_unit, usable
from diagnosis.records import Records
from diagnosis.vocabulary import Vocabulary
from diagnosis.vocabulary.unit_swaps import implausible

if TYPE_CHECKING:
    from diagnosis.features.values import ValueScale
    from diagnosis.suggestions.red_flags import RedFlag

__all__ = [
    "TOO_LITTLE",
    "UNSURE",
    "CaseFacts",
    "Flag",
    "SetAside",
    "ages_in_days",
    "case_flags",
    "implausible_values",
    "near_names",
    "values_set_aside",
]

Kind = Literal[
    "must_not_miss",
    "red_flag",
    "out_of_range_age",
    "unknown_codes",
    "values_not_used",
    "implausible_value",
    "too_little_evidence",
    "trained_on",
    "unlike_training",
    "unlisted",
]

TOO_LITTLE = "no finding that the model can use"
UNSURE = "the most probable diagnosis is too unsure for the declared error"
_YEAR = 365.25
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing to see beside the list.

    Parameters
    ----------
    kind : str
        ``must_not_miss``, ``red_flag``, ``out_of_range_age``, ``unknown_codes``, ``values_not_used``,
        ``implausible_value``, ``too_little_evidence``, ``trained_on``, ``unlike_training`` or ``unlisted``.
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


@dataclass(frozen=True, slots=True)
class SetAside:
    """Values of one case that are not used for what training knows of their finding.

    Attributes
    ----------
    without_unit : mapping of str to tuple of str
        Codes of values without a unit where training had several, with the units known.
    far : tuple of str
        Codes of values far outside everything seen in training, sorted.
    """

    without_unit: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    far: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the flags of one case are raised on, beside its probabilities.

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
    trained_on : bool
        Whether the case or its patient was among the training cases.
    red_flags : sequence of RedFlag
        Rules that hold.
    similarity, far : float
        Cosine with the nearest training case, and below which it is unlike any.
    set_aside : SetAside
        Values not used for what training knows of their finding.
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
    trained_on: bool
    red_flags: Sequence[RedFlag]
    similarity: float
    far: float
    unlisted: float = -np.inf
    unlisted_at: float = np.inf
    set_aside: SetAside = field(default_factory=SetAside)


def case_flags(
    proba: npt.NDArray[np.float64],
    classes: npt.NDArray[Any],
    flag_at: npt.NDArray[np.float64],
    case: CaseFacts,
) -> tuple[Flag, ...]:
    """Raise the flags of one case: red flags first, then what the policy raised, then the rest.

    Parameters
    ----------
    proba, flag_at : ndarray of shape (n_diagnoses,)
        Probabilities, and the probability from which each must-not-miss diagnosis is flagged (NaN: never).
    classes : ndarray of shape (n_diagnoses,)
    case : CaseFacts
    """
    known = {str(c) for c in classes}
    flags = [_red(rule, known) for rule in case.red_flags]
    raised = np.flatnonzero(proba >= flag_at)
    flags += [
        Flag(
            "must_not_miss",
            "probability at or above the threshold of this diagnosis",
            str(classes[k]),
            {"probability": float(proba[k]), "flag_at": float(flag_at[k])},
        )
        for k in raised[np.argsort(-proba[raised], kind="stable")]
    ]
    return (*flags, *_about_input(case))


def _red(rule: RedFlag, known: set[str]) -> Flag:
    values = {"code": rule.code, "says_zh": rule.says_zh, "source": rule.source}
    return Flag("red_flag", rule.says, rule.diagnosis if rule.diagnosis in known else None, values)


def _about_input(case: CaseFacts) -> list[Flag]:
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
    if case.trained_on:
        flags.append(Flag("trained_on", "the case or its patient was among the training cases", None, {"n": 1}))
    return flags


def _about_values(case: CaseFacts) -> Iterator[Flag]:
    doubt = case.set_aside.without_unit
    if case.n_values_not_used > len(doubt):
        rule = "values whose unit does not convert were not used"
        yield Flag("values_not_used", rule, None, {"n": case.n_values_not_used - len(doubt)})
    if doubt:
        known = "; ".join(f"{code} is known in {', '.join(units)}" for code, units in doubt.items())
        values = {"n": len(doubt), "without_unit": {code: [*units] for code, units in doubt.items()}}
        yield Flag("values_not_used", f"values without a unit were not used: {known}", None, values)
    if case.implausible:
        rule = "values that no living patient has, a slip of the pen or another unit, were not used"
        yield Flag("implausible_value", rule, None, {"n": len(case.implausible), "codes": [*case.implausible]})
    far = [code for code in case.set_aside.far if code not in case.implausible]
    if far:
        rule = "values far outside everything seen in training, a slip of the pen or another unit, were not used"
        yield Flag("implausible_value", rule, None, {"n": len(far), "codes": far, "beyond": "training"})


def values_set_aside(records: Records, scales: Mapping[str, ValueScale]) -> list[SetAside]:
    """Return for each case the values that encoding does not use for what training knows of their finding.

    `scales` are an encoder's ``values_``.
    """
    coded, words = records.coded, {key: s for key, s in scales.items() if s.mixed or s.least is not None}
    rows = np.flatnonzero(np.isfinite(coded.value) & coded.latest) if words else np.zeros(0, np.intp)
    if not len(rows):
        return [SetAside()] * len(records)
    units: list[dict[str, tuple[str, ...]]] = [{} for _ in range(len(records))]
    far: list[set[str]] = [set() for _ in range(len(records))]
    named = np.column_stack([coded.code[rows], coded.subject[rows], coded.unit[rows]])
    distinct, which = np.unique(named, axis=0, return_inverse=True)
    for i, (code, subject, number) in enumerate(distinct.tolist()):
        name = str(coded.codes[code])
        scale = words.get(finding_key(name, None if subject < 0 else str(coded.subjects[subject])))
        if scale is None:
            continue
        here = rows[which.ravel() == i]
        if number < 0 and scale.mixed:
            for row in here.tolist():
                units[coded.case[row]][name] = scale.mixed
            continue
        value = in_unit(coded.value[here], None if number < 0 else str(coded.units[number]), scale.unit, scale.loinc)
        if value is not None:
            low, high = scale.ends
            for row in here[usable(value) & ((value < low) | (value > high))].tolist():
                far[coded.case[row]].add(name)
    return [SetAside(dict(sorted(u.items())), tuple(sorted(f))) for u, f in zip(units, far, strict=True)]


def ages_in_days(records: Records) -> npt.NDArray[np.float64]:
    """Age of each case in days: `age_days`, else `age_years`; NaN where neither is known."""
    days = records.column("age_days")
    return np.where(np.isnan(days), records.column("age_years") * _YEAR, days)


def implausible_rows(records: Records) -> npt.NDArray[np.bool_]:
    """Say which rows of findings hold a value that no living patient has (``plausible_values.csv``).

    A value without a unit is taken to be in the unit that the vocabulary states, as it is in encoding.
    """
    coded, words = records.coded, records.vocabulary
    found = np.zeros(len(coded), dtype=bool)
    rows = np.flatnonzero(np.isfinite(coded.value))
    pairs, which = np.unique(np.column_stack([coded.code[rows], coded.unit[rows]]), axis=0, return_inverse=True)
    for i, (code, number) in enumerate(pairs.tolist()):
        name = str(coded.codes[code])
        unit = words.unit(name) if number < 0 else str(coded.units[number])
        here = rows[which.ravel() == i]
        if unit is not None:
            found[here] = implausible(coded.value[here], unit, words.loinc(name))
    return found


def implausible_values(records: Records, rows: npt.NDArray[np.bool_]) -> list[tuple[str, ...]]:
    """Return for each case the codes of the rows that hold an implausible value, sorted."""
    coded = records.coded
    found: list[set[str]] = [set() for _ in range(len(records))]
    for row in np.flatnonzero(rows).tolist():
        found[coded.case[row]].add(str(coded.codes[coded.code[row]]))
    return [tuple(sorted(codes)) for codes in found]


def plausible(records: Records) -> Records:
    """Leave out rows with a value no living patient has: flagged, shown, and no evidence."""
    rows = implausible_rows(records)
    return records.without(rows) if rows.any() else records


def near_names(unknown: Sequence[str], words: Vocabulary) -> dict[str, tuple[str, ...]]:
    """Return the nearest names of findings that may be misspelt; nothing for those that resemble none.

    Codes of a code system (with a colon) are not compared: two codes that look alike mean different things.
    """
    made = {}
    known: list[str] | None = None
    for text in unknown[:_MOST_NAMES]:
        if ":" in text:
            continue
        if known is None:
            terms = words.findings.values()
            known = [n for t in terms for n in (*t.names.values(), *t.synonyms, *(() if ":" in t.code else (t.code,)))]
        if near := nearest(text, known):
            made[text] = tuple(near)
    return made
