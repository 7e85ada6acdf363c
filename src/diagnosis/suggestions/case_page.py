"""A `Differential` as the plain values of its page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from diagnosis.explanation import Contrast, Evidence, Line, SuggestionEvidence, contrast
from diagnosis.features import UsedRanges
from diagnosis.pages import (
    CasePage,
    ContrastView,
    LineView,
    ModelView,
    NotUsed,
    RecordedFinding,
    Reveal,
    SuggestionView,
    check_reveal,
    sides,
)
from diagnosis.records import OTHER, Records
from diagnosis.suggestions.asks import asks_of
from diagnosis.suggestions.flags import TOO_LITTLE, UNSURE
from diagnosis.suggestions.moments import asked_at, when_text
from diagnosis.suggestions.page_flags import flag_view, rests_on_unrecorded
from diagnosis.suggestions.page_names import SUBJECTS, context_name, diagnosis_name, finding_name, subject_of
from diagnosis.suggestions.precedents import confirmed_text, record_of, similar_text
from diagnosis.suggestions.questions import SURE
from diagnosis.suggestions.standing import policy_text, trained_on_text
from diagnosis.vocabulary import Vocabulary

if TYPE_CHECKING:
    from diagnosis.suggestions.differential import Differential

__all__ = ["page_of"]

Text = str | Mapping[str, str]
_STATES = ("present", "absent", "uncertain")
_SHOWN = ("code", "subject", "value", "comparator", "unit", "text", "interpretation", "time", "known")
_REASONS = {
    TOO_LITTLE: {"en": TOO_LITTLE, "zh": "没有模型可用的记录"},
    UNSURE: {"en": UNSURE, "zh": "首位诊断的把握不足，达不到事先声明的错误率"},
}


def page_of(
    differential: Differential,
    *,
    heading: Text | None = None,
    outcome: str | None = None,
    questions: int = 3,
    reveal: Reveal = "at_once",
    similar: int = 0,
) -> CasePage:
    """Gather what the page of one case shows.

    Parameters
    ----------
    differential : Differential
    heading : text, optional
        A line above the case.
    outcome : str, optional
        The diagnosis on record, to be folded away on the page.
    questions : int
        How many answers that would change the list are named, and with one or more the smallest change that flips its
        order; 0: none.
    reveal : {"at_once", "after_answer"}
        Whether the list waits until the reader has written an own first idea.
    similar : int
        Of how many similar training cases the diagnoses are counted, where the training cases are at hand.

    Raises
    ------
    UnknownNameError
        Another `reveal`.
    """
    case, diagnoser = differential.records, differential.diagnoser
    words, card = case.vocabulary, diagnoser.card_
    evidence = differential.explain()
    shown = {s.diagnosis for s in differential.ranked}
    asks = asks_of(differential, questions)
    return CasePage(
        model=ModelView(name=diagnoser.name, version=card["versions"]["diagnosis"], digest=diagnoser.fingerprint),
        suggestions=tuple(_suggestions(differential, evidence, words)),
        recorded=tuple(_recorded(case, diagnoser.encoder_.ranges_used(case), asked_at(case, differential.as_of))),
        heading=heading,
        age_days=_number(case.column("age_days")[0]),
        age_years=_number(case.column("age_years")[0]),
        sex=case.column("sex")[0],
        setting=case.column("setting")[0],
        facts=tuple(_facts(case)),
        moment=differential.as_of,
        other_probability=differential.other,
        other_in_set=OTHER in differential.set,
        set_coverage=diagnoser.coverage,
        set_beyond=tuple(diagnosis_name(words, d) for d in differential.set if d not in shown and d != OTHER),
        flags=tuple(flag_view(f.kind, f.rule, f.diagnosis, f.values, words) for f in differential.flags)
        + rests_on_unrecorded(evidence),
        abstained=differential.abstained,
        abstain_reason=_REASONS.get(differential.abstain_reason or "", differential.abstain_reason),
        unknown_codes=differential.unknown_codes,
        not_used=NotUsed(after_moment=differential.not_used["after_moment"], unknown=differential.not_used["unknown"]),
        n_known_diagnoses=sum(c != OTHER for c in diagnoser.classes_),
        policy=policy_text(diagnoser, case),
        trained_on=trained_on_text(card),
        synthetic=bool(card.get("synthetic") or case.info.get("synthetic")),
        reading=differential.reading,
        outcome=diagnosis_name(words, outcome) if outcome else None,
        questions=asks.questions,
        enough=asks.enough,
        sure=SURE,
        change=asks.change,
        reveal=check_reveal(reveal),
        similar=similar_text(differential, similar),
    )


def _suggestions(differential: Differential, evidence: Evidence, words: Vocabulary) -> Iterable[SuggestionView]:
    raised = set(differential.must_not_miss)
    weight = np.array([s.probability for s in evidence.suggestions])
    mean_base = float(weight @ [s.base for s in evidence.suggestions] / weight.sum())
    for suggestion, one in zip(differential.ranked, evidence.suggestions, strict=True):
        sorted_lines = sides(_view(line, words) for line in one.lines)
        yield SuggestionView(
            rank=suggestion.rank,
            code=suggestion.diagnosis,
            name=diagnosis_name(words, suggestion.diagnosis),
            probability=suggestion.probability,
            in_set=suggestion.in_set,
            must_not_miss=suggestion.must_not_miss,
            flagged=suggestion.diagnosis in raised,
            for_=sorted_lines.for_,
            against=sorted_lines.against,
            neutral=sorted_lines.neutral,
            context=sorted_lines.context,
            unrecorded=sorted_lines.unrecorded,
            base_relative=one.base - mean_base,
            n_train=differential.diagnoser.card_["n_by_diagnosis"].get(suggestion.diagnosis),
            confirmed=confirmed_text(differential.diagnoser.card_, suggestion.diagnosis),
            record=record_of(differential, suggestion),
            contrast=_contrast(one, evidence.suggestions, words),
        )


def _contrast(one: SuggestionEvidence, all_: Sequence[SuggestionEvidence], words: Vocabulary) -> ContrastView | None:
    """Against the nearest rival: the other suggestion whose probability is closest."""
    rivals = [s for s in all_ if s is not one]
    if not rivals:
        return None
    rival = min(rivals, key=lambda s: abs(s.log_probability - one.log_probability))
    made: Contrast = contrast(one, rival)
    sorted_lines = sides(_view(line, words) for line in made.lines)
    ratio = float(np.exp(np.clip(made.log_ratio, -700, 700)))
    return ContrastView(
        rival=diagnosis_name(words, rival.diagnosis),
        rival_code=rival.diagnosis,
        ratio=ratio,
        for_=sorted_lines.for_,
        against=sorted_lines.against,
        neutral=sorted_lines.neutral,
        context=sorted_lines.context,
        unrecorded=sorted_lines.unrecorded,
        base_relative=made.base,
    )


def _view(line: Line, words: Vocabulary) -> LineView:
    if line.state == "context":
        return LineView(
            name=context_name(line.code or "", words),
            code=line.code,
            state="context",
            value=line.value,
            unit=line.unit,
            text=line.text,
            contribution=line.contribution,
            relative=line.relative,
        )
    subject, code = subject_of(line.code or "")
    return LineView(
        name=finding_name(words, code) if line.code else "",
        code=line.code,
        state=line.state,
        value=line.value,
        comparator=line.comparator,
        unit=line.unit,
        text=line.text,
        interpretation=line.interpretation,
        subject=SUBJECTS.get(subject or ""),
        contribution=line.contribution,
        relative=line.relative,
    )


def _recorded(case: Records, ranges: UsedRanges, asked: datetime | None) -> Iterable[RecordedFinding]:
    """The row that counts of every finding of the case, with how often it was recorded before."""
    coded, words = case.coded, case.vocabulary
    rows = np.flatnonzero(coded.latest)
    findings = case.arrow("findings")
    table = findings.select([n for n in _SHOWN if n in findings.column_names]).take(pa.array(rows)).to_pylist()
    for row, values in zip(rows.tolist(), table, strict=True):
        source = ranges.source(row)
        code, subject = str(coded.codes[coded.code[row]]), values.get("subject")
        same = (coded.code == coded.code[row]) & (coded.subject == coded.subject[row])
        yield RecordedFinding(
            name=finding_name(words, code),
            code=code,
            state=_STATES[coded.status[row]],  # type: ignore[arg-type]
            value=values.get("value"),
            comparator=values.get("comparator"),
            unit=values.get("unit"),
            text=values.get("text"),
            interpretation=values.get("interpretation"),
            subject=SUBJECTS.get(subject or ""),
            ref_low=_number(ranges.low[row]),
            ref_high=_number(ranges.high[row]),
            ref_source=None if source == "record" else source,
            when=when_text(values.get("time"), asked),
            known=when_text(values.get("known"), None),
            kind=words.kind(code),
            earlier=int(same.sum()) - 1,
        )


def _facts(case: Records) -> Iterable[tuple[Text, Text]]:
    weeks, grams = case.column("gestational_age_weeks")[0], case.column("birth_weight_g")[0]
    if np.isfinite(weeks):
        yield {"en": "born at", "zh": "出生孕周"}, {"en": f"{weeks:g} weeks", "zh": f"{weeks:g} 周"}
    if np.isfinite(grams):
        yield {"en": "birth weight", "zh": "出生体重"}, f"{grams:g} g"
    if case.column("pregnant")[0] == "yes":
        week = case.column("pregnancy_weeks")[0]
        known = np.isfinite(week)
        yield (
            {"en": "pregnant", "zh": "妊娠"},
            {"en": f"{week:g} weeks" if known else "yes", "zh": f"{week:g} 周" if known else "是"},
        )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
