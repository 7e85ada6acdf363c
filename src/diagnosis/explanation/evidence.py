"""`Evidence`: the suggested diagnoses of one case, each taken apart by finding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from diagnosis.errors import UnknownCodeError, nearest
from diagnosis.explanation.probability_split import ProbabilitySplit, split_probability

if TYPE_CHECKING:
    import pandas as pd
    import shap

    from diagnosis.vocabulary import Vocabulary

__all__ = ["Evidence", "Line", "State", "SuggestionEvidence", "as_recorded"]

State = Literal["present", "absent", "uncertain", "unrecorded", "context"]


# A factor that would be printed as one is no reason to name a finding.
_LEAST_RELATIVE = math.log(1.05)


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
        return self.unrecorded.relative > max([_LEAST_RELATIVE, *others])

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


def _favouring(one: SuggestionEvidence, rival: SuggestionEvidence) -> tuple[Line, ...]:
    """Recorded findings that favour a diagnosis over another; `relative` is the difference, strongest first."""
    other = {(line.code, line.state): line.contribution for line in rival.lines}
    made = [replace(line, relative=line.contribution - other[line.code, line.state]) for line in one.lines]
    return tuple(sorted((x for x in made if _spoken(x) and x.relative > 0), key=lambda x: -x.relative))


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
    """

    case_id: str
    reading: str
    suggestions: tuple[SuggestionEvidence, ...]
    names: Mapping[str, str] = field(default_factory=dict, repr=False)

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
        def listed(lines: tuple[Line, ...]) -> str:
            shown = [f"{self._name(line.code)} {as_recorded(line)} ({line.relative:+.2f})" for line in lines[:4]]
            return ", ".join(shown) or "nothing recorded"

        spoken_for, versus = listed(one.for_), ""
        if not any(line.relative >= _LEAST_RELATIVE for line in one.for_) and (rival := self._rival(one)):
            # Nearly all of the list by itself, it is its own average: measured against its nearest rival instead.
            spoken_for, versus = listed(_favouring(one, rival)), f" (against {self._name(rival.diagnosis)})"
        return (
            f"{self._name(one.diagnosis)}  p={one.probability:.3f}\n"
            f"  for{versus}: {spoken_for}\n  against: {listed(one.against)}\n"
            f"  unrecorded: {one.unrecorded.relative:+.2f}"
        )

    def _rival(self, one: SuggestionEvidence) -> SuggestionEvidence | None:
        others = [s for s in self.suggestions if s is not one]
        return min(others, key=lambda s: abs(s.log_probability - one.log_probability), default=None)

    def _name(self, code: str | None) -> str:
        return "unrecorded" if code is None else self.names.get(code, code)

    def in_language(self, words: Vocabulary, lang: str) -> Evidence:
        """Name diagnoses and findings in a language; a code without a name there keeps the one it has."""
        names = dict(self.names)
        for one in self.suggestions:
            names[one.diagnosis] = words.diagnosis_name(one.diagnosis, lang)
            for code in {line.code for line in one.lines if line.code in words.findings}:
                names[str(code)] = words.name(str(code), lang)
        return replace(self, names=names)

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
        return ProbabilitySplit(tuple(s.diagnosis for s in self.suggestions), shown, start, parts, first.lines)

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
        recorded = [as_recorded(by_line[0][key]) for key in order]
        return shap.Explanation(
            values=values,
            base_values=np.array([s.base for s in self.suggestions]),
            data=np.array([recorded] * len(self.suggestions), dtype=object),
            feature_names=[self._name(code) for code, _ in order],
            output_names=None,
        )


def as_recorded(line: Line) -> str:
    """What was recorded, in a few words: ``39.4 Cel``, ``present``."""
    if line.value is not None:
        return f"{line.comparator or ''}{line.value:g} {line.unit or ''}".strip()
    return line.text or line.state
