"""`Evidence`: the suggested diagnoses of one case, each taken apart by finding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from diagnosis.errors import UnknownCodeError, nearest
from diagnosis.explanation.probability_split import ProbabilitySplit, split_probability
from diagnosis.pages.numbers import factor_text, percent_text, with_unit
from diagnosis.pages.translations import has_phrase, phrase
from diagnosis.pages.words import LEAST_RELATIVE

if TYPE_CHECKING:
    import pandas as pd
    import shap

    from diagnosis.vocabulary import Vocabulary

__all__ = ["Evidence", "Line", "State", "SuggestionEvidence", "against_rival", "as_recorded"]

State = Literal["present", "absent", "uncertain", "unrecorded", "context"]


# Findings named on each side in print.
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Line:
    """What one finding adds to the score of one diagnosis.

    Parameters
    ----------
    code : str or None
        Code of the finding (``subject/CODE`` for another subject than the patient), ``age`` or ``sex`` with state
        ``context``, None for `unrecorded`: all that this case does not record, in one line.
    state : {"present", "absent", "uncertain", "unrecorded", "context"}
    contribution : float
        Added to the score, in nats. Alone it has no sign that means anything; see `relative`.
    relative : float
        `contribution` less its average over the shown list (weighted by the shown probabilities): above 0 it speaks for
        this diagnosis rather than for the others on the list, below 0 against it.
    value : float, optional
        As recorded, in `unit`.
    unit, text, comparator, interpretation : str, optional
        As recorded.
    ref_low, ref_high : float, optional
        The reference range the value is compared with, in `unit`.
    ref_source : str, optional
        Where the range comes from: ``record``, or the source of the packaged table.
    time, known : str, optional
        ISO 8601; when it was observed, and when it was available.
    """

    code: str | None
    state: State
    contribution: float
    relative: float
    value: float | None = None
    unit: str | None = None
    text: str | None = None
    comparator: str | None = None
    interpretation: str | None = None
    ref_low: float | None = None
    ref_high: float | None = None
    time: str | None = None
    known: str | None = None
    ref_source: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The line as plain values."""
        return {
            "code": self.code,
            "state": self.state,
            "value": self.value,
            "unit": self.unit,
            "text": self.text,
            "contribution": self.contribution,
            "relative": self.relative,
        }


@dataclass(frozen=True, slots=True)
class SuggestionEvidence:
    """One suggested diagnosis and what its score is made of: ``score == base + sum of contributions`` to 1e-9.

    Parameters
    ----------
    diagnosis : str
    probability, log_probability : float
        Calibrated. Differences of scores are differences of log-probabilities.
    score, base : float
        Calibrated score and what it is before any finding is looked at, in nats.
    lines : tuple of Line
        Findings by strength, then context, `unrecorded` last.
    """

    diagnosis: str
    probability: float
    log_probability: float
    score: float
    base: float
    lines: tuple[Line, ...]

    @property
    def for_(self) -> tuple[Line, ...]:
        """Findings that speak for this diagnosis rather than the others on the list, strongest first."""
        return tuple(line for line in self.lines if _spoken(line) and line.relative > 0)

    @property
    def against(self) -> tuple[Line, ...]:
        """Findings that speak against it, strongest first."""
        return tuple(line for line in self.lines if _spoken(line) and line.relative < 0)

    @property
    def unrecorded(self) -> Line:
        """What all that was not recorded adds, in one line."""
        return next(line for line in self.lines if line.state == "unrecorded")

    @property
    def rests_on_unrecorded(self) -> bool:
        """Whether what was not recorded speaks for this diagnosis more than any line moves it either way."""
        others = [abs(line.relative) for line in self.lines if line.state != "unrecorded"]
        return self.unrecorded.relative > max([LEAST_RELATIVE, *others])

    @property
    def context(self) -> tuple[Line, ...]:
        """What age, sex and the like add."""
        return tuple(line for line in self.lines if line.state == "context")

    def to_json(self) -> dict[str, Any]:
        """The suggestion as plain values."""
        return {
            "diagnosis": self.diagnosis,
            "probability": self.probability,
            "log_probability": self.log_probability,
            "score": self.score,
            "base": self.base,
            "contributions": [line.to_json() for line in self.lines],
        }


def against_rival(one: SuggestionEvidence, rival: SuggestionEvidence) -> SuggestionEvidence:
    """The same suggestion with every line relative to one rival; findings strongest first."""
    other = {(line.code, line.state): line.contribution for line in rival.lines}
    made = [replace(line, relative=line.contribution - other[line.code, line.state]) for line in one.lines]
    found = sorted((x for x in made if _spoken(x)), key=lambda x: (-abs(x.relative), x.code or ""))
    return replace(one, lines=(*found, *(x for x in made if not _spoken(x))))


def _spoken(line: Line) -> bool:
    return line.state not in ("unrecorded", "context")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The suggestions of one case explained; iterate it, or ask for one diagnosis with ``evidence["B05.9"]``.

    Parameters
    ----------
    case_id : str
    reading : str
        Which question the probabilities answer: ``posterior`` or ``differential``.
    suggestions : tuple of SuggestionEvidence
        Most probable first.
    names : mapping of str to str
        Names of the codes, for display.
    lang : str
        Language of the names and words.
    """

    case_id: str
    reading: str
    suggestions: tuple[SuggestionEvidence, ...]
    names: Mapping[str, str] = field(default_factory=dict, repr=False)
    lang: str = "en"

    def __len__(self) -> int:
        return len(self.suggestions)

    def __getitem__(self, diagnosis: str | int) -> SuggestionEvidence:
        if isinstance(diagnosis, int):
            return self.suggestions[diagnosis]
        for one in self.suggestions:
            if diagnosis in (one.diagnosis, self.names.get(one.diagnosis)):
                return one
        shown = [s.diagnosis for s in self.suggestions]
        raise UnknownCodeError(
            "asked for the evidence of a diagnosis",
            f"{diagnosis!r} is not among the {len(shown)} explained",
            "name it in explain(diagnoses=[...])",
            codes=[diagnosis],
            near=nearest(diagnosis, [*shown, *self.names.values()]),
        )

    def _ipython_key_completions_(self) -> list[str]:
        return [s.diagnosis for s in self.suggestions]

    def __str__(self) -> str:
        return "\n".join(self._words(s) for s in self.suggestions)

    def _words(self, one: SuggestionEvidence) -> str:
        """A suggestion in lines; every factor in them is against the one that the first of them names."""
        rival = self.rival_of(one)
        beside = one if rival is None else against_rival(one, rival)
        versus = self._say("versus.list")
        if rival is not None:
            versus = self._say("versus.rival", rival=self._name(rival.diagnosis))
        sides = (("for", beside.for_), ("against", beside.against))
        rows = [f"  {self._say(f'lead.{side}')}{self._listed(lines, versus)}" for side, lines in sides]
        factor = factor_text(beside.unrecorded.relative, self.lang)
        rows.append(f"  {self._say('lead.unrecorded')}{self._say('unrecorded', factor=factor, versus=versus)}")
        return "\n".join([f"{self._name(one.diagnosis)}  {percent_text(one.probability, self.lang)}", *rows])

    def _listed(self, lines: tuple[Line, ...], versus: str) -> str:
        """The strongest lines; none whose factor would be printed as one."""
        shown, parts = [x for x in lines if abs(x.relative) >= LEAST_RELATIVE][:_NAMED], []
        for i, line in enumerate(shown):
            factor = factor_text(line.relative, self.lang)
            factor = factor if i else self._say("factor.first", factor=factor, versus=versus)
            said = as_recorded(line, self.lang)
            parts.append(f"{self._name(line.code)} {said}{self._say('parenthesis', text=factor)}")
        return self._say("comma").join(parts) or self._say("none.contrast.for")

    def _say(self, key: str, **values: object) -> str:
        return phrase(key, self.lang, values)

    def rival_of(self, one: SuggestionEvidence) -> SuggestionEvidence | None:
        """The suggestion that the words measure this one against; None: the average of the shown list.

        A diagnosis with more than half of the shown list is most of its own average, and hardly anything stands out
        against that. It is measured against its nearest rival, the suggestion next to it in probability.
        """
        others = [s for s in self.suggestions if s is not one]
        if not others or one.probability <= math.fsum(s.probability for s in others):
            return None
        return min(others, key=lambda s: abs(s.log_probability - one.log_probability))

    def _name(self, code: str | None) -> str:
        if code is None:
            return self._say("state.unrecorded")
        context = f"context.{code}"
        return self.names.get(code, phrase(context, self.lang) if has_phrase(context) else code)

    def in_language(self, words: Vocabulary, lang: str) -> Evidence:
        """Name diagnoses and findings in a language; a code without a name there keeps the one it has."""
        names = dict(self.names)
        for one in self.suggestions:
            names[one.diagnosis] = words.diagnosis_name(one.diagnosis, lang)
            for code in {line.code for line in one.lines if line.code in words.findings}:
                names[str(code)] = words.name(str(code), lang)
        return replace(self, names=names, lang=lang)

    def in_probability(self) -> ProbabilitySplit:
        """Take the shown probabilities apart as well: what each line adds to them, exactly (to 1e-9).

        All diagnoses of the model that are not explained here are held together, at their score.
        """
        order = [(line.code, line.state) for line in self.suggestions[0].lines]
        by_line = [{(line.code, line.state): line.contribution for line in s.lines} for s in self.suggestions]
        base = np.array([s.base for s in self.suggestions])
        lines = np.array([[found[key] for key in order] for found in by_line])
        rest = 1.0 - math.fsum(s.probability for s in self.suggestions)
        first = self.suggestions[0]
        others = first.score - first.log_probability + math.log(rest) if rest > 1e-15 else -math.inf
        start, parts = split_probability(base, lines, others)
        shown = np.array([*(s.probability for s in self.suggestions), max(rest, 0.0)])
        codes = tuple(s.diagnosis for s in self.suggestions)
        said = tuple(f"{self._name(x.code)} {as_recorded(x, self.lang) if x.code else ''}".strip() for x in first.lines)
        names = tuple(self._name(code) for code in codes)
        return ProbabilitySplit(codes, shown, start, parts, first.lines, names, said, self.lang)

    def to_json(self) -> dict[str, Any]:
        """The evidence as plain values; floats print shortest round-trip."""
        return {
            "schema": 1,
            "case_id": self.case_id,
            "reading": self.reading,
            "suggestions": [s.to_json() for s in self.suggestions],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a diagnosis and line, with the fields of `Line`."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "diagnosis": s.diagnosis,
                    "probability": s.probability,
                    "name": self._name(line.code),
                    **line.to_json(),
                }
                for s in self.suggestions
                for line in s.lines
            ]
        )

    def to_shap(self) -> shap.Explanation:
        """The evidence as a `shap.Explanation` of shape (n_suggestions, n_lines), for shap's own plots.

        Rows are the suggestions, columns the lines (the same for all, in the order of the first suggestion); values are
        contributions in nats, base values the bases, so that a row adds up to the calibrated score.
        """
        import shap

        order = [(line.code, line.state) for line in self.suggestions[0].lines]
        by_line = [{(line.code, line.state): line for line in s.lines} for s in self.suggestions]
        values = np.array([[lines[key].contribution for key in order] for lines in by_line])
        recorded = [as_recorded(by_line[0][key], self.lang) for key in order]
        return shap.Explanation(
            values=values,
            base_values=np.array([s.base for s in self.suggestions]),
            data=np.array([recorded] * len(self.suggestions), dtype=object),
            feature_names=[self._name(code) for code, _ in order],
            output_names=None,
        )


def as_recorded(line: Line, lang: str = "en") -> str:
    """What was recorded, in a few words: ``39.4 °C``, ``present``."""
    if line.value is not None:
        return f"{line.comparator or ''}{with_unit(f'{line.value:g}', line.unit, lang)}".replace("\u00a0", " ")
    return line.text or phrase(f"state.{line.state}", lang)
