"""What a page shows, as plain values: no records, no model, nothing that depends on a language.

Numbers are carried as they are and are rounded only when a page is written, so both languages show the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnosis.errors import InputError
from diagnosis.pages.observations import LineView, RecordedFinding, Text

__all__ = ["CasePage", "ContrastView", "FlagView", "ModelView", "NotUsed", "QuestionView", "SuggestionView"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastView:
    """One diagnosis against its nearest rival; `relative` of its lines is the difference of the two contributions.

    Parameters
    ----------
    ratio : float, > 0
        Probability of the diagnosis over the rival's.
    for_, against : tuple of LineView
        What favours the diagnosis, and what favours the rival.
    neutral, context, unrecorded
        See `sides`.
    base_relative : float or None
        The starting point, relative to the rival's; with it the evidence table shows its sum.
    """

    rival: Text
    rival_code: str
    ratio: float
    for_: tuple[LineView, ...] = ()
    against: tuple[LineView, ...] = ()
    neutral: tuple[LineView, ...] = ()
    context: tuple[LineView, ...] = ()
    unrecorded: LineView = field(default_factory=lambda: LineView(state="unrecorded"))
    base_relative: float | None = None

    def __post_init__(self) -> None:
        if not (self.ratio > 0 and math.isfinite(self.ratio)):
            raise InputError(
                f"A contrast needs a ratio of probabilities above 0 (rival {self.rival_code})",
                f"found {self.ratio}",
                "pass exp(log p_A - log p_B)",
            )
        _check_sides(self.for_, self.against, self.unrecorded)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """The training cases that were given a probability from `low` to `high` by models that had not seen them.

    Parameters
    ----------
    given, had : int
        How many they are, and how many of them had the diagnosis; both 0 where they are too few to tell.
    least : int
        Fewer than this are too few.
    """

    low: float
    high: float
    given: int
    had: int
    least: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestionView:
    """One suggested diagnosis with its reasons.

    Parameters
    ----------
    rank : int, from 1
        Its place among all diagnoses the model knows, not only those shown.
    probability : float in [0, 1]
    in_set : bool
        It belongs to the conformal set.
    must_not_miss, flagged : bool
        It is on the must-not-miss list; the policy raised a flag for it in this case.
    for_, against, neutral, context, unrecorded
        See `sides`.
    base_relative : float or None
        The starting point (how common it was), relative to the list; with it the evidence table shows its sum.
    n_train : int or None
        Training cases with this diagnosis.
    confirmed : Text or None
        What confirmed it in them.
    record : RecordView or None
        How often it was right where it was given a probability like this one.
    contrast : ContrastView or None
        Against its nearest rival.
    """

    rank: int
    code: str
    name: Text
    probability: float
    unrecorded: LineView
    in_set: bool = False
    must_not_miss: bool = False
    flagged: bool = False
    for_: tuple[LineView, ...] = ()
    against: tuple[LineView, ...] = ()
    neutral: tuple[LineView, ...] = ()
    context: tuple[LineView, ...] = ()
    base_relative: float | None = None
    n_train: int | None = None
    confirmed: Text | None = None
    record: RecordView | None = None
    contrast: ContrastView | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InputError(
                f"A suggestion needs a probability from 0 to 1 (diagnosis {self.code})",
                f"found {self.probability}",
                "pass the calibrated probability of the diagnosis",
            )
        _check_sides(self.for_, self.against, self.unrecorded)


def _check_sides(for_: tuple[LineView, ...], against: tuple[LineView, ...], unrecorded: LineView) -> None:
    """A page that names a reason on the wrong side is worse than none."""
    recorded = ("present", "absent", "uncertain")
    wrong = [line for line in for_ if line.state not in recorded or not line.relative > 0]
    wrong += [line for line in against if line.state not in recorded or not line.relative < 0]
    if wrong or unrecorded.state != "unrecorded":
        raise InputError(
            "Lines for a diagnosis are recorded findings with a relative contribution above 0, lines against it below",
            f"found {len(wrong)} on the wrong side" if wrong else f"the unrecorded line is {unrecorded.state}",
            "let diagnosis.pages.sides() sort the lines",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagView:
    """Something the reader must see.

    Parameters
    ----------
    kind : str
        The rule's family; for ``must_not_miss``, ``out_of_range_age``, ``unknown_codes`` and ``too_little_evidence``
        the page builds the sentence from `values`, in either language.
    says : Text
        The sentence where it does not.
    diagnosis : Text or None
        The diagnosis it is about.
    values : mapping
        The numbers behind it: ``probability``, ``flag_at``; ``training_age_days`` (low, high); ``n``.
    """

    kind: str
    says: Text = ""
    diagnosis: Text | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionView:
    """An answer that would change the list.

    Parameters
    ----------
    name : Text
        The finding.
    phase : str
        ``history``, ``examination``, ``bedside``, ``laboratory``, ``imaging`` or ``pathology``.
    why : Text
        What its answer would tell apart.
    """

    name: Text
    phase: str
    why: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUsed:
    """How many records were left out: known only after the moment, or with a code the model does not know."""

    after_moment: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """Which model wrote the list."""

    name: str
    version: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """Everything one page says about one case.

    Parameters
    ----------
    case_label : str or None
        Shown as it is; None (the default) keeps identifiers off the page.
    heading : Text or None
        A line above the case on a page of several ("an easy case").
    age_days, age_years : float or None
        Days win over years.
    sex, setting : str or None
        As in the records' enumerations.
    facts : tuple of (Text, Text)
        Further lines about the patient: gestational age, pregnancy.
    moment : Text or None
        ``arrival``, ``index``, ``end``, or a moment ready to be read.
    other_probability : float or None
        The share of "none of the listed"; None where the model has no such answer.
    set_coverage : float or None
        Promised coverage of the set, in (0, 1).
    set_beyond : tuple of Text
        Members of the set that are not among the suggestions.
    policy : Text or None
        The must-not-miss policy; None is said aloud.
    n_known_diagnoses : int or None
    reading : str
        ``posterior`` or ``differential``.
    outcome : Text or None
        The diagnosis on record, which the model did not see; folded away on the page.
    questions : tuple of QuestionView
        The answers that would most change the list; empty where none was worked out.
    enough : str or None
        Why no further question seems worth asking: ``sure`` or ``little``.
    sure : float
        The probability of the first diagnosis from which the list counts as sure.
    change : Text or None
        The smallest change that flips the order, in one sentence.
    similar : Text or None
        The diagnoses of the most similar training cases with their counts.
    reveal : str
        ``at_once``; ``after_answer``: the list is folded away until the reader has written an own first idea; or
        ``withheld``: by choice there is none; or ``not_yet``: a form beside the page asks first.
    """

    model: ModelView
    suggestions: tuple[SuggestionView, ...]
    recorded: tuple[RecordedFinding, ...] = ()
    case_label: str | None = None
    heading: Text | None = None
    age_days: float | None = None
    age_years: float | None = None
    sex: str | None = None
    setting: str | None = None
    site: Text | None = None
    facts: tuple[tuple[Text, Text], ...] = ()
    moment: Text | None = None
    other_probability: float | None = None
    other_in_set: bool = False
    set_coverage: float | None = None
    set_beyond: tuple[Text, ...] = ()
    flags: tuple[FlagView, ...] = ()
    abstained: bool = False
    abstain_reason: Text | None = None
    unknown_codes: tuple[str, ...] = ()
    not_used: NotUsed = field(default_factory=NotUsed)
    n_known_diagnoses: int | None = None
    policy: Text | None = None
    trained_on: Text | None = None
    synthetic: bool = False
    reading: str = "posterior"
    outcome: Text | None = None
    questions: tuple[QuestionView, ...] = ()
    enough: str | None = None
    sure: float = 0.95
    change: Text | None = None
    reveal: str = "at_once"
    similar: Text | None = None

    def rival_of(self, s: SuggestionView) -> ContrastView | None:
        """The rival a suggestion's reasons are measured against; None: the average of the shown list.

        A diagnosis with more than half of the shown list is most of its own average, and hardly anything stands out
        against that; its reasons are measured against its nearest rival.
        """
        others = math.fsum(other.probability for other in self.suggestions if other is not s)
        return s.contrast if s.probability > others else None
