"""A `Differential` as the plain values of its page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from diagnosis.explanation import Contrast, Evidence, Line, SuggestionEvidence, contrast
from diagnosis.features import EARLIER, UsedRanges
from diagnosis.pages import (
    CasePage,
    ContrastView,
    FlagView,
    LineView,
    ModelView,
    NotUsed,
    RecordedFinding,
    Reveal,
    SuggestionView,
    check_reveal,
    sides,
)
from diagnosis.pages.observations import in_language
from diagnosis.records import OTHER, Records
from diagnosis.suggestions.asks import asks_of
from diagnosis.suggestions.flags import TOO_LITTLE, UNSURE
from diagnosis.suggestions.moments import asked_at, when_text
from diagnosis.suggestions.precedents import confirmed_text, similar_text
from diagnosis.suggestions.questions import SURE
from diagnosis.suggestions.standing import policy_text, trained_on_text
from diagnosis.vocabulary import Vocabulary

if TYPE_CHECKING:
    from diagnosis.suggestions.differential import Differential

__all__ = ["page_of"]

Text = str | Mapping[str, str]
_STATES = ("present", "absent", "uncertain")
_SUBJECTS = {
    "family": {"en": "family", "zh": "家族"},
    "mother": {"en": "mother", "zh": "母亲"},
    "fetus": {"en": "fetus", "zh": "胎儿"},
    "contact": {"en": "contact", "zh": "接触者"},
}
_CONTEXT = {
    "age": {"en": "age", "zh": "年龄"},
    "sex": {"en": "sex", "zh": "性别"},
    "pregnant": {"en": "pregnancy", "zh": "妊娠"},
}
_EARLIER = {"en": "{name} (earlier)", "zh": "{name}（既往）"}
_SAYS: dict[str, Text] = {
    "values_not_used": {
        "en": "Values whose unit does not convert were not used.",
        "zh": "单位无法换算的数值未被使用。",
    },
    "trained_on": {
        "en": "This patient was among the training cases; the list may look better than it is.",
        "zh": "该患者属于训练病例，列表可能显得比实际更好。",
    },
    "unlike_training": {
        "en": "No training case resembles this one as closely as nearly all training cases resemble another.",
        "zh": "没有训练病例与本例足够相似（几乎所有训练病例之间都更为相似）。",
    },
    "unlisted": {
        "en": "The list accounts for less of what was found than in 95 of 100 training cases: it may be none of these.",
        "zh": "列表对所见的解释不如 95% 的训练病例：实际诊断可能不在其中。",
    },
    "rests_on_unrecorded": {
        "en": "What was not recorded moves the first suggestion more than any recorded finding.",
        "zh": "对第一条提示影响最大的是未记录的内容，而不是任何已记录的发现。",
    },
}
_IMPLAUSIBLE = {
    "en": "{names}: no living patient has such a value, so it was not used; check number and unit.",
    "zh": "{names}：数值超出人体可能范围，未予采用；请核对数值与单位。",
}
_FAR = {
    "en": "{names}: far outside everything seen in training, so it was not used; check number and unit.",
    "zh": "{names}：数值远超训练数据所见范围，未予采用；请核对数值与单位。",
}
_NO_UNIT = {
    "en": "Values without a unit were not used; known units: {names}.",
    "zh": "缺少单位的数值未被使用；已知单位：{names}。",
}
_REASONS = {
    TOO_LITTLE: {"en": TOO_LITTLE, "zh": "没有模型可用的发现"},
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
        set_beyond=tuple(_diagnosis(words, d) for d in differential.set if d not in shown and d != OTHER),
        flags=tuple(_flag(f.kind, f.rule, f.diagnosis, f.values, words) for f in differential.flags)
        + _rests_on_unrecorded(evidence),
        abstained=differential.abstained,
        abstain_reason=_REASONS.get(differential.abstain_reason or "", differential.abstain_reason),
        unknown_codes=differential.unknown_codes,
        not_used=NotUsed(after_moment=differential.not_used["after_moment"], unknown=differential.not_used["unknown"]),
        n_known_diagnoses=sum(c != OTHER for c in diagnoser.classes_),
        policy=policy_text(diagnoser, case),
        trained_on=trained_on_text(card),
        synthetic=bool(card.get("synthetic") or case.info.get("synthetic")),
        reading=differential.reading,
        outcome=_diagnosis(words, outcome) if outcome else None,
        questions=asks.questions,
        enough=asks.enough,
        sure=SURE,
        change=asks.change,
        reveal=check_reveal(reveal),
        similar=similar_text(differential, similar),
    )


def _flag(kind: str, rule: str, diagnosis: str | None, values: Mapping[str, Any], words: Vocabulary) -> FlagView:
    says: Text = _SAYS.get(kind, rule)
    if kind == "red_flag":
        source = f" ({values['source']})" if values.get("source") else ""
        says = {"en": rule + source, "zh": (values.get("says_zh") or rule) + source}
    elif kind == "implausible_value":
        sentence = _FAR if values.get("beyond") == "training" else _IMPLAUSIBLE
        names = {lang: [in_language(_finding(words, c), lang, c) for c in values["codes"]] for lang in sentence}
        says = {lang: text.format(names=", ".join(names[lang])) for lang, text in sentence.items()}
    elif kind == "values_not_used" and "without_unit" in values:
        says = _without_unit(values["without_unit"], words)
    return FlagView(kind=kind, says=says, diagnosis=_diagnosis(words, diagnosis) if diagnosis else None, values=values)


def _without_unit(units: Mapping[str, Sequence[str]], words: Vocabulary) -> Text:
    said = {}
    for lang, text in _NO_UNIT.items():
        named = [
            f"{in_language(_finding(words, code), lang, code)} ({', '.join(known)})" for code, known in units.items()
        ]
        said[lang] = text.format(names=", ".join(named))
    return said


def _rests_on_unrecorded(evidence: Evidence) -> tuple[FlagView, ...]:
    """A flag where what has no record moves the first suggestion more than any line that has one."""
    if not evidence.suggestions or not evidence.suggestions[0].rests_on_unrecorded:
        return ()
    return (FlagView(kind="rests_on_unrecorded", says=_SAYS["rests_on_unrecorded"]),)


def _suggestions(differential: Differential, evidence: Evidence, words: Vocabulary) -> Iterable[SuggestionView]:
    raised = set(differential.must_not_miss)
    weight = np.array([s.probability for s in evidence.suggestions])
    mean_base = float(weight @ [s.base for s in evidence.suggestions] / weight.sum())
    for suggestion, one in zip(differential.ranked, evidence.suggestions, strict=True):
        sorted_lines = sides(_view(line, words) for line in one.lines)
        yield SuggestionView(
            rank=suggestion.rank,
            code=suggestion.diagnosis,
            name=_diagnosis(words, suggestion.diagnosis),
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
        rival=_diagnosis(words, rival.diagnosis),
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
            name=_context_name(line.code or "", words),
            code=line.code,
            state="context",
            value=line.value,
            unit=line.unit,
            text=line.text,
            contribution=line.contribution,
            relative=line.relative,
        )
    subject, code = _subject(line.code or "")
    return LineView(
        name=_finding(words, code) if line.code else "",
        code=line.code,
        state=line.state,
        value=line.value,
        comparator=line.comparator,
        unit=line.unit,
        text=line.text,
        interpretation=line.interpretation,
        subject=_SUBJECTS.get(subject or ""),
        contribution=line.contribution,
        relative=line.relative,
    )


def _context_name(code: str, words: Vocabulary) -> Text:
    """Age, sex and the like; or a finding of earlier encounters that this one does not record."""
    if not code.startswith(EARLIER):
        return _CONTEXT.get(code, code)
    _, finding = _subject(code.removeprefix(EARLIER))
    return {lang: text.format(name=in_language(_finding(words, finding), lang)) for lang, text in _EARLIER.items()}


def _subject(key: str) -> tuple[str | None, str]:
    """Take a finding's key apart (see `finding_key`)."""
    subject, slash, code = key.partition("/")
    if slash and subject == "patient":
        return None, code
    return (subject, code) if slash and subject in _SUBJECTS else (None, key)


def _recorded(case: Records, ranges: UsedRanges, asked: datetime | None) -> Iterable[RecordedFinding]:
    """The row that counts of every finding of the case, with how often it was recorded before."""
    coded, words = case.coded, case.vocabulary
    rows = np.flatnonzero(coded.latest)
    table = case.arrow("findings").take(pa.array(rows)).to_pylist()
    for row, values in zip(rows.tolist(), table, strict=True):
        source = ranges.source(row)
        code, subject = str(coded.codes[coded.code[row]]), values.get("subject")
        same = (coded.code == coded.code[row]) & (coded.subject == coded.subject[row])
        yield RecordedFinding(
            name=_finding(words, code),
            code=code,
            state=_STATES[coded.status[row]],  # type: ignore[arg-type]
            value=values.get("value"),
            comparator=values.get("comparator"),
            unit=values.get("unit"),
            text=values.get("text"),
            interpretation=values.get("interpretation"),
            subject=_SUBJECTS.get(subject or ""),
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


def _finding(words: Vocabulary, code: str) -> Text:
    term = words.findings.get(code)
    return dict(term.names) or code if term else code


def _diagnosis(words: Vocabulary, code: str) -> Text:
    term = words.diagnoses.get(code)
    return dict(term.names) or code if term else code


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
