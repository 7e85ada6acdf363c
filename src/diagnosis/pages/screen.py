"""One case in one language: what a template asks for. No number is changed here but by rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diagnosis.pages import evidence, findings, numbers, words
from diagnosis.pages.bars import probability_bar
from diagnosis.pages.flags import flag_text, reached
from diagnosis.pages.observations import Observation, RecordedFinding, Text, in_language
from diagnosis.pages.record import record_text
from diagnosis.pages.reveal import Notes, field_id, notes_of
from diagnosis.pages.translations import counted, phrase
from diagnosis.pages.values import CasePage, FlagView, QuestionView, RecordView, SuggestionView

__all__ = ["CaseScreen", "Group"]

# A page stays readable with 400 findings: the summary names these many of each state and counts the rest.
MAX_SUMMARY = 16
MAX_UNKNOWN = 24


@dataclass(frozen=True, slots=True)
class Group:
    """The findings of one state in the summary, and how many more there are."""

    state: str
    shown: tuple[RecordedFinding, ...]
    n_more: int


@dataclass(frozen=True, slots=True)
class CaseScreen:
    """A page and a language.

    Parameters
    ----------
    page : CasePage
    lang : {"en", "zh"}
    """

    page: CasePage
    lang: str

    def t(self, key: str, values: Mapping[str, object] | None = None) -> str:
        """Return a phrase."""
        return phrase(key, self.lang, values)

    def n(self, key: str, count: int) -> str:
        """Return a counted phrase."""
        return counted(key, count, self.lang)

    def text(self, text: Text | None, fallback: str = "") -> str:
        """Return a text in this language."""
        return in_language(text, self.lang, fallback)

    @property
    def who(self) -> str:
        """Age, sex, setting and site, without an identifier."""
        page = self.page
        parts = [
            numbers.age_text(page.age_years, page.age_days, self.lang),
            evidence.enumerated("sex", page.sex, self.lang),
            evidence.enumerated("setting", page.setting, self.lang),
            self.text(page.site),
        ]
        if not parts[0] and not parts[1]:
            parts[0] = self.t("page.unknown_patient")
        return " · ".join(part for part in parts if part)

    @property
    def moment(self) -> str:
        """What the list uses and what it leaves out."""
        text = self.text(self.page.moment)
        key = "none" if not text else text if text in ("arrival", "index", "end") else "known"
        says = self.t(f"moment.{key}", {"moment": text})
        if self.page.not_used.after_moment:
            says += self.t("semicolon") + self.n("left_out", self.page.not_used.after_moment)
        return says + self.t("stop")

    @property
    def abstain_reason(self) -> str:
        """Why the model abstains, as a sentence."""
        reason = self.text(self.page.abstain_reason).rstrip(".。 ")
        return self.t("abstain.reason", {"reason": reason}) if reason else self.t("abstain.no_reason")

    @property
    def policy(self) -> str:
        """What stands behind the must-not-miss flags, as a sentence; empty where nothing does."""
        said = self.text(self.page.policy).rstrip(".。 ")
        return said and said + self.t("stop")

    @property
    def coverage(self) -> str:
        """The promised coverage of the set; empty where no set was made."""
        return "" if self.page.set_coverage is None else numbers.share_text(self.page.set_coverage, self.lang)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The summary by state, without what was not understood; of the measured ones those out of range come first."""
        found: dict[str, list[RecordedFinding]] = {"measured": [], "present": [], "absent": [], "uncertain": []}
        for seen in self.page.recorded:
            if seen.code in self.page.unknown_codes:
                continue
            measured = seen.state == "present" and seen.value is not None
            found["measured" if measured else seen.state].append(seen)
        found["measured"].sort(key=lambda seen: not self.out_of_range(seen))
        return tuple(
            Group(state, tuple(seen[:MAX_SUMMARY]), max(0, len(seen) - MAX_SUMMARY))
            for state, seen in found.items()
            if seen
        )

    @property
    def unknown_codes(self) -> tuple[str, ...]:
        """The first of the codes that were not understood."""
        return self.page.unknown_codes[:MAX_UNKNOWN]

    @property
    def n_unknown(self) -> int:
        """How many records were not understood."""
        return max(self.page.not_used.unknown, len(self.page.unknown_codes))

    @property
    def all_equal(self) -> bool:
        """Whether the list tells nothing apart."""
        shown = [s.probability for s in self.page.suggestions]
        return len(shown) > 1 and max(shown) - min(shown) < 1e-9

    def edge_after(self, i: int) -> bool:
        """Whether the set ends below suggestion `i`."""
        page = self.page
        last = page.suggestions[i].in_set and not any(s.in_set for s in page.suggestions[i + 1 :])
        return bool(self.coverage) and last and not page.set_beyond and not page.other_in_set

    def gap_before(self, i: int) -> str:
        """Return what stands above suggestion `i` where ranks are skipped."""
        above = self.page.suggestions[i - 1].rank if i else 0
        this = self.page.suggestions[i]
        if this.rank == above + 1:
            return ""
        return self.t("list.further" if this.must_not_miss else "list.skipped")

    def percent(self, p: float) -> str:
        """Return a rounded probability."""
        return numbers.percent_text(p, self.lang)

    def bar(self, p: float, in_set: bool) -> str:
        """Return the bar of a probability."""
        parts = [self.t("probability", {"p": self.percent(p)})]
        if self.coverage:
            parts.append(self.t("list.in_set" if in_set else "list.outside_set", {"coverage": self.coverage}))
        return probability_bar(p, self.t("clause").join(parts), quiet=bool(self.coverage) and not in_set)

    def measured(self, s: SuggestionView) -> tuple[evidence.Measured, str]:
        """Return a suggestion's lines as its words measure them, and the rival's name; empty: the list's average."""
        rival = self.page.rival_of(s)
        return (s, "") if rival is None else (rival, words.brief(self.text(rival.rival, rival.rival_code)))

    def for_(self, s: SuggestionView) -> words.Sentence:
        """Return what speaks for a suggestion."""
        lines, rival = self.measured(s)
        return words.for_sentence(lines.for_, self.lang, rival=rival)

    def against(self, s: SuggestionView) -> words.Sentence:
        """Return what speaks against it."""
        lines, rival = self.measured(s)
        return words.against_sentence(lines.against, self.lang, rival=rival)

    def context(self, s: SuggestionView) -> words.Sentence | None:
        """Return how age, sex and the like move it."""
        lines, rival = self.measured(s)
        return words.context_sentence(evidence.context_lines(self.page, lines, self.lang), self.lang, rival=rival)

    def unrecorded(self, s: SuggestionView) -> words.Sentence:
        """Return the line of everything without a record."""
        lines, rival = self.measured(s)
        return words.unrecorded_sentence(lines.unrecorded, self.lang, rival=rival)

    def contrast(self, s: SuggestionView) -> tuple[words.Sentence, ...]:
        """Return the sentences about the nearest rival: one where its reasons are measured against it already."""
        if s.contrast is None:
            return ()
        return words.contrast_sentences(s.contrast, self.lang)[: 1 if self.page.rival_of(s) else 3]

    def caption(self, s: SuggestionView) -> str:
        """Return what the evidence table measures against."""
        values, rival = {"name": self.text(s.name, s.code)}, self.measured(s)[1]
        return self.t("evidence.caption.rival" if rival else "evidence.caption", {**values, "rival": rival})

    def record(self, seen: RecordView) -> str:
        """Return how often a diagnosis was right where it was given such a probability."""
        return record_text(seen, self.lang)

    @property
    def asks(self) -> bool:
        """Whether the page says what would change its list."""
        return bool(self.page.questions or self.page.enough or self.page.change)

    def question(self, asked: QuestionView) -> tuple[str, str]:
        """Return a question's finding with its phase, and why it would tell."""
        phase_ = self.t("parenthesis", {"text": evidence.enumerated("phase", asked.phase, self.lang)})
        return self.text(asked.name) + phase_, self.text(asked.why)

    @property
    def enough(self) -> str:
        """Why no further question seems worth asking; empty where one does."""
        if not self.page.enough:
            return ""
        return self.t(f"questions.{self.page.enough}", {"sure": numbers.share_text(self.page.sure, self.lang)})

    @property
    def scale(self) -> float:
        """Half the width of the charts of this page."""
        return evidence.chart_scale(self.page)

    def evidence(self, s: SuggestionView, scale: float) -> tuple[tuple[str, tuple[evidence.Row, ...]], ...]:
        """Return the groups of the evidence table, its charts `scale` wide on either side."""
        return evidence.evidence_groups(self.page, s, scale, self.lang)

    def name(self, seen: Observation) -> str:
        """Return a finding's name."""
        return findings.full_name(seen, self.lang)

    def said(self, seen: Observation) -> str:
        """Return a finding's state or value."""
        return findings.state_text(seen, self.lang)

    def measure(self, seen: Observation) -> str:
        """Return a finding's value or text."""
        return numbers.measure_text(seen, self.lang)

    def said_more(self, seen: Observation) -> str:
        """Return what a record says beyond its state: a text, a negative test."""
        bare = phrase(f"state.{seen.state}", self.lang)
        said = self.said(seen)
        return "" if said == bare else said

    def mark(self, seen: Observation) -> str:
        """Return high, low, abnormal, normal."""
        return findings.mark_text(seen, self.lang)

    def out_of_range(self, seen: Observation) -> str:
        """Return the mark where it is not *normal*."""
        return "" if numbers.direction(seen) in (None, "N") else self.mark(seen)

    def reference(self, seen: RecordedFinding) -> str:
        """Return a reference range, and its source where that is not the record."""
        span = findings.reference_text(seen, self.lang)
        return span + self.t("parenthesis", {"text": seen.ref_source}) if span and seen.ref_source else span

    def flag_label(self, flag: FlagView) -> str:
        """Return the words for a flag's kind."""
        return evidence.enumerated("flag", flag.kind, self.lang)

    @property
    def notes(self) -> tuple[Notes, ...]:
        """The flags; those that wait for the reader's own idea apart."""
        return notes_of(self.page)

    @property
    def has_list(self) -> bool:
        """Whether the page shows what the model says, at once or folded away."""
        return self.page.reveal in ("at_once", "after_answer")

    @property
    def field_id(self) -> str:
        """The id of the field for the reader's own idea."""
        return field_id(self.page)

    def reached(self, flags: Sequence[FlagView]) -> tuple[tuple[str, str], ...]:
        """Return the must-not-miss diagnoses whose threshold was reached: name, and probability beside threshold."""
        found = [(flag, reached(flag, self.lang)) for flag in flags]
        return tuple((self.text(flag.diagnosis), says) for flag, says in found if says)

    def other_flags(self, flags: Sequence[FlagView]) -> tuple[FlagView, ...]:
        """Return the flags that have a sentence of their own."""
        return tuple(flag for flag in flags if not reached(flag, self.lang))

    def flag_says(self, flag: FlagView) -> str:
        """Return the sentence of a flag."""
        return flag_text(flag, self.lang)

    def shows(self, column: str) -> bool:
        """Whether any record fills a column of the full table."""
        if column == "reference":
            return any(self.reference(seen) for seen in self.page.recorded)
        return any(getattr(seen, column) for seen in self.page.recorded)

    @property
    def full_rows(self) -> tuple[RecordedFinding, ...]:
        """All records, those of one kind together, in the order in which the kinds first appear."""
        kinds = list(dict.fromkeys(seen.kind for seen in self.page.recorded))
        return tuple(sorted(self.page.recorded, key=lambda seen: kinds.index(seen.kind)))

    @property
    def trust(self) -> tuple[tuple[str, str], ...]:
        """What stands behind the page: scope, policy, set, moment, reading, factors, model and its cases."""
        page = self.page
        known = page.n_known_diagnoses
        model = " · ".join(part for part in (page.model.name, page.model.version, page.model.digest) if part)
        set_says = self.t("trust.set.says", {"coverage": self.coverage}) if self.coverage else self.t("trust.no_set")
        reading = evidence.enumerated("reading", page.reading, self.lang)
        rows: tuple[tuple[str, str], ...] = (
            ("scope", self.t("trust.known_unstated") if known is None else self.n("trust.known", known)),
            ("policy", self.policy[:1].upper() + self.policy[1:] or self.t("trust.no_policy")),
            ("set", set_says),
            ("moment", self.moment),
            ("reading", self.t("space").join((reading, self.t("trust.rounding")))),
            ("factors", self.t("trust.factors.says")),
            *((("record", self.t("trust.record.says")),) if any(s.record for s in page.suggestions) else ()),
            ("model", model),
            ("trained", self.text(page.trained_on) or self.t("trust.trained_unstated")),
        )
        if page.similar:
            rows = (*rows, ("similar", self.text(page.similar)))
        return tuple((self.t(f"trust.{label}"), says) for label, says in rows)
