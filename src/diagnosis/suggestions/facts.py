"""What flags are raised on, for many cases at once, and the flags themselves, as objects or as text for files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from diagnosis.features import FindingEncoder
from diagnosis.models.batch import Batch
from diagnosis.suggestions.flags import TRAINED_ON, CaseFacts, Flag, about_input, must_not_miss, red_flag
from diagnosis.suggestions.inputs import (
    SetAside,
    ages_in_days,
    implausible_rows,
    implausible_values,
    near_names,
    values_set_aside,
)
from diagnosis.suggestions.open_world import unlisted_scores
from diagnosis.suggestions.red_flags import RedFlag, raised, red_flags_of, shipped_red_flags

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from diagnosis.records import Records
    from diagnosis.suggestions.diagnoser import Diagnoser
    from diagnosis.suggestions.neighbours import NearEnough, Neighbours
    from diagnosis.vocabulary import Vocabulary

__all__ = ["Facts", "facts_of", "flag_texts", "flags_of", "raised_by_policy", "understood"]

T = TypeVar("T")
_NOTHING = SetAside()


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What the flags of many cases are raised on, beside their probabilities; see `CaseFacts`.

    Attributes
    ----------
    age_days, similarity, unlisted : ndarray of float64, shape (n_cases,)
    n_values_not_used : ndarray of int64, shape (n_cases,)
    understood, trained_on : ndarray of bool, shape (n_cases,)
    unknown : sequence of tuple of str
        One a case.
    red_flags : sequence of tuple of RedFlag
        Rules that hold, one tuple a case.
    implausible, set_aside : mapping
        By case, of those that have any.
    age_range : tuple of float, days, or None
    far, unlisted_at : float
    words : Vocabulary
        Where the nearest names of unknown findings are looked up.
    """

    age_days: npt.NDArray[np.float64]
    age_range: tuple[float, float] | None
    unknown: Sequence[tuple[str, ...]]
    n_values_not_used: npt.NDArray[np.int64]
    implausible: Mapping[int, tuple[str, ...]]
    set_aside: Mapping[int, SetAside]
    understood: npt.NDArray[np.bool_]
    trained_on: npt.NDArray[np.bool_]
    red_flags: Sequence[tuple[RedFlag, ...]]
    similarity: npt.NDArray[np.float64]
    far: float
    unlisted: npt.NDArray[np.float64]
    unlisted_at: float
    words: Vocabulary

    def case(self, i: int) -> CaseFacts:
        """Those of one case."""
        return CaseFacts(
            age_days=float(self.age_days[i]),
            age_range=self.age_range,
            unknown=self.unknown[i],
            near=near_names(self.unknown[i], self.words) if self.unknown[i] else {},
            n_values_not_used=int(self.n_values_not_used[i]),
            implausible=self.implausible.get(i, ()),
            understood=bool(self.understood[i]),
            similarity=float(self.similarity[i]),
            far=self.far,
            unlisted=float(self.unlisted[i]),
            unlisted_at=self.unlisted_at,
            set_aside=self.set_aside.get(i, _NOTHING),
        )

    def noticed(self) -> npt.NDArray[np.intp]:
        """Cases whose input may raise a flag, beside that they were trained on."""
        odd = ~self.understood | (self.n_values_not_used > 0)
        odd |= (self.similarity < self.far) | (self.unlisted > self.unlisted_at)
        if self.age_range is not None:
            odd |= (self.age_days < self.age_range[0]) | (self.age_days > self.age_range[1])
        odd |= np.fromiter(map(bool, self.unknown), bool, len(odd))
        odd[[*self.implausible, *self.set_aside]] = True
        return np.flatnonzero(odd)


def facts_of(
    diagnoser: Diagnoser,
    seen: Records,
    X: csr_matrix,
    unknown: Sequence[tuple[str, ...]],
    proba: npt.NDArray[np.float64],
    *,
    rows: npt.NDArray[np.bool_] | None = None,
    index: Neighbours | NearEnough | None = None,
) -> Facts:
    """Gather what the flags of cases are raised on.

    Parameters
    ----------
    diagnoser : Diagnoser
    seen : Records
        As of their moment.
    X : csr_matrix of shape (n_cases, n_columns)
        The same cases, encoded.
    unknown : sequence of tuple of str
        For each case the codes the model does not know.
    proba : ndarray of shape (n_cases, n_diagnoses)
    rows : ndarray of bool, optional
        `implausible_rows` of them, where they are known.
    index : Neighbours or NearEnough, optional
        Training cases to compare with; those of the diagnoser if not given.
    """
    encoder, index = diagnoser.encoder_, diagnoser.neighbours_ if index is None else index
    rows = implausible_rows(seen) if rows is None else rows
    rule, counts, left = diagnoser.calibration_.unlisted, diagnoser.answers_, np.full(len(seen), -np.inf)
    if rule is not None and counts is not None:
        left = unlisted_scores(rule, counts, encoder, X, proba)
    red: Sequence[tuple[RedFlag, ...]] = [()] * len(seen)
    if diagnoser.policy.red_flags:
        living = seen.without(rows) if rows.any() else seen
        red = raised(red_flags_of(seen, (*shipped_red_flags(), *diagnoser.red_flags_)), living)
    return Facts(
        age_days=ages_in_days(seen),
        age_range=diagnoser.card_["age_days"],
        unknown=unknown,
        n_values_not_used=encoder.unconverted(seen),
        implausible=implausible_values(seen, rows),
        set_aside=values_set_aside(seen, encoder.values_),
        understood=understood(encoder, X),
        trained_on=diagnoser.training_ids_.seen(seen),
        red_flags=red,
        similarity=np.ones(len(seen)) if index is None else index.similarity(X),
        far=0.0 if index is None else index.far,
        unlisted=left,
        unlisted_at=np.inf if rule is None else rule.at,
        words=diagnoser.vocabulary_,
    )


def understood(encoder: FindingEncoder, X: csr_matrix) -> npt.NDArray[np.bool_]:
    """Whether an encoded case has at least one finding that reaches the model, in a state that training knows."""
    lineage = encoder.lineage_
    is_finding = ~lineage.context[lineage.finding]
    row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    return np.bincount(row[is_finding[X.indices]], minlength=X.shape[0]) > 0


def raised_by_policy(
    proba: npt.NDArray[np.float64], flag_at: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of probabilities at or above their threshold (NaN: none), by case, most probable first."""
    row, column = np.nonzero(proba >= flag_at)
    order = np.lexsort((-proba[row, column], row))
    return row[order], column[order]


def flags_of(batch: Batch, flag_at: npt.NDArray[np.float64], facts: Facts) -> list[tuple[Flag, ...]]:
    """Raise the flags of each case: red flags first, then what the policy raised, then the rest.

    Parameters
    ----------
    batch : Batch
    flag_at : ndarray of shape (n_diagnoses,)
        The probability from which each must-not-miss diagnosis is flagged; NaN: never.
    facts : Facts
    """
    codes, at = [str(code) for code in batch.diagnoses], flag_at.tolist()
    known = set(codes)
    made = _gathered(
        batch.proba,
        flag_at,
        facts,
        red=lambda rule: red_flag(rule, known),
        missed=lambda k, p: must_not_miss(codes[k], p, at[k]),
        about=lambda flag: flag,
    )
    return [tuple(flags) for flags in made]


def flag_texts(batch: Batch, flag_at: npt.NDArray[np.float64], facts: Facts) -> list[str]:
    """The flags of each case as JSON: what `flags_of` gives, written out without an object for each."""
    codes, at, reds = [str(code) for code in batch.diagnoses], flag_at.tolist(), dict[str, str]()
    known, number = set(codes), '"probability": 0.0'
    # What stands before and after the probability is the same in all cases.
    ends = [_text(must_not_miss(code, 0.0, a)).split(number) for code, a in zip(codes, at, strict=True)]
    heads, tails = [f"{head}{number[:-3]}" for head, _ in ends], [tail for _, tail in ends]

    def red(rule: RedFlag) -> str:
        if rule.code not in reds:
            reds[rule.code] = _text(red_flag(rule, known))
        return reds[rule.code]

    made = _gathered(
        batch.proba, flag_at, facts, red=red, missed=lambda k, p: f"{heads[k]}{p!r}{tails[k]}", about=_text
    )
    return [f"[{', '.join(texts)}]" for texts in made]


def _text(flag: Flag) -> str:
    return json.dumps(flag.to_json(), ensure_ascii=False)


def _gathered(
    proba: npt.NDArray[np.float64],
    flag_at: npt.NDArray[np.float64],
    facts: Facts,
    *,
    red: Callable[[RedFlag], T],
    missed: Callable[[int, float], T],
    about: Callable[[Flag], T],
) -> list[list[T]]:
    """The flags of each case in their order, each made by what its kind is made with."""
    made: list[list[T]] = [[red(rule) for rule in rules] for rules in facts.red_flags]
    row, column = raised_by_policy(proba, flag_at)
    for i, k, p in zip(row.tolist(), column.tolist(), proba[row, column].tolist(), strict=True):
        made[i].append(missed(k, p))
    for i in facts.noticed().tolist():
        made[i] += map(about, about_input(facts.case(i)))
    trained_on = about(TRAINED_ON)
    for i in np.flatnonzero(facts.trained_on).tolist():
        made[i].append(trained_on)
    return made
