"""`GlobalEvidence`: what a model has learned for one diagnosis, over many cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from diagnosis.errors import UnknownCodeError, nearest
from diagnosis.explanation.dependence import Dependence, dependence_of
from diagnosis.explanation.global_plots import GlobalPlots
from diagnosis.explanation.stability import Stability
from diagnosis.pages.translations import has_phrase, phrase

if TYPE_CHECKING:
    import pandas as pd
    import shap

    from diagnosis.vocabulary import Vocabulary

__all__ = ["Direction", "GlobalEvidence", "GlobalFinding", "as_numbers", "name_of"]

FloatArray = npt.NDArray[np.float64]
Direction = Literal["for", "against", "absent for", "absent against", "higher for", "lower for", "mixed"]
SHOWN = 12
_COLUMNS = ("finding", "importance", "recorded", "direction", "present", "absent", "shared", "top_ten")
# Findings named of those that share credit; the rest is counted.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class GlobalFinding:
    """How much one finding counts for a diagnosis.

    Parameters
    ----------
    code : str
        ``subject/CODE`` for another subject than the patient; ``age``, ``sex`` ... for the context.
    name : str
    unit : str or None
    importance : float, nats
        Mean over all cases of the absolute contribution against the rivals; 0 in a case that does not record it.
    n_recorded : int
    direction : {"for", "against", "absent for", "absent against", "higher for", "lower for", "mixed"}
        Whether being present speaks for the diagnosis or against it, or being absent where that speaks louder, or
        which values do; mixed: neither.
    when_present, when_absent : float or None, nats
        Mean contribution where it is present (or a text), and where it is absent.
    with_value : float or None
        Spearman correlation of value and contribution.
    group : int
        Findings with the same number share credit (see `sharing_groups`); 0: in no group.
    in_top_ten : float or None
        Share of the bootstrap refits in which it is among the ten that count most; None without refits.
    """

    code: str
    name: str
    unit: str | None
    importance: float
    n_recorded: int
    direction: Direction
    when_present: float | None
    when_absent: float | None
    with_value: float | None
    group: int
    in_top_ten: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The finding as plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "name"}


@dataclass(frozen=True, slots=True, eq=False)
class GlobalEvidence:
    """What a model has learned for one diagnosis: which findings count, which way, and over which values.

    Made by `diagnosis.suggestions.global_evidence`. Iterate it, or ask for one finding with ``evidence["cough"]``.

    Parameters
    ----------
    diagnosis : str
    name : str
    findings : tuple of GlobalFinding
        Those that count most first.
    contributions : ndarray of shape (n_cases, n_findings), nats
        Against the rivals in each case (the diagnoses that share its list, averaged by their probabilities), columns as
        `findings`; 0 where a case does not record the finding.
    cells : ndarray of object, shape (n_cases, n_findings)
        What each case records: a value, a state, a text, or None.
    base, unrecorded : ndarray of shape (n_cases,), nats
        The starting point, and all that a case does not record, in one number. With `contributions` they add up to
        the score of the diagnosis less its rivals', to 1e-9.
    stability : Stability or None
        Over bootstrap refits, where they were asked for.
    lang : str
        Language of the names and of the plots' words.
    """

    diagnosis: str
    name: str
    findings: tuple[GlobalFinding, ...]
    contributions: FloatArray = field(repr=False)
    cells: npt.NDArray[np.object_] = field(repr=False)
    base: FloatArray = field(repr=False)
    unrecorded: FloatArray = field(repr=False)
    stability: Stability | None = None
    lang: str = "en"

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, finding: str | int) -> GlobalFinding:
        return self.findings[finding if isinstance(finding, int) else self._place(finding)]

    def _ipython_key_completions_(self) -> list[str]:
        return [one.code for one in self.findings]

    def __repr__(self) -> str:
        first = ", ".join(one.name for one in self.findings[:3])
        n = len(self.contributions)
        return f"<GlobalEvidence of {self.diagnosis}: {len(self)} findings over {n:,} cases; first {first}>"

    def __str__(self) -> str:
        rows = [self._row(one) for one in self.findings[:SHOWN]]
        if len(self) > SHOWN:
            rows.append("  " + self._say("more", n=len(self) - SHOWN))
        stability = [] if self.stability is None else [self.stability.words(self.lang)]
        return "\n".join([self._say("head", name=self.name, n=f"{len(self.contributions):,}"), *rows, *stability])

    def _row(self, one: GlobalFinding) -> str:
        said = self._say("row", name=one.name, says=self._say(one.direction), n=f"{one.n_recorded:,}")
        shared = self.shared_with(one)
        return f"  {one.importance:.3f}  {said}" + (self._say("with", names=shared) if shared else "")

    def _say(self, key: str, **values: object) -> str:
        return phrase(f"global.{key}", self.lang, values)

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self, top: int = SHOWN) -> str:
        """A table of the findings that count most, to be put into another page; no script, no network."""
        from diagnosis.pages import html_table

        rows = [
            (
                *(one.name, one.importance, one.n_recorded, self._say(one.direction)),
                *_factors(one),
                *(self.shared_with(one) or None, one.in_top_ten),
            )
            for one in self.findings[:top]
        ]
        caption = self._say("head", name=self.name, n=f"{len(self.contributions):,}")
        return html_table(rows, [self._say(f"column.{one}") for one in _COLUMNS], caption, digits=2)

    def shared_with(self, finding: GlobalFinding) -> str:
        """Names of the findings that share credit with one, those that count most first; empty where none does."""
        names = [one.name for one in self.findings if one.group == finding.group and one.code != finding.code]
        if not finding.group or not names:
            return ""
        more = [f"+{len(names) - _NAMED}"] if len(names) > _NAMED else []
        return ("、" if self.lang == "zh" else ", ").join([*names[:_NAMED], *more])

    @property
    def plot(self) -> GlobalPlots:
        """Plots: ``plot.bar()``, ``plot.beeswarm()``, ``plot.dependence(finding)``; each shows itself in a notebook."""
        return GlobalPlots(self)

    def dependence(self, finding: str) -> Dependence:
        """Say how what a finding adds runs over its values, or differs between its states.

        Parameters
        ----------
        finding : str
            Code or name.

        Raises
        ------
        UnknownCodeError
            No case here records such a finding.
        """
        at = self._place(finding)
        there = np.array([one is not None for one in self.cells[:, at]], dtype=bool)
        cells, added = self.cells[there, at], self.contributions[there, at]
        one = self.findings[at]
        return Dependence(
            self.diagnosis, one.code, self.name, one.name, one.unit, dependence_of(cells, added), cells, added
        )

    def in_language(self, words: Vocabulary, lang: str) -> GlobalEvidence:
        """Name the diagnosis and the findings in a language; a code without a name there keeps the one it has."""
        named = [replace(one, name=name_of(one.code, words, lang) or one.name) for one in self.findings]
        return replace(self, name=words.diagnosis_name(self.diagnosis, lang), findings=tuple(named), lang=lang)

    def to_frame(self) -> pd.DataFrame:
        """One row a finding, with the fields of `GlobalFinding`."""
        import pandas as pd

        columns = list(GlobalFinding.__dataclass_fields__)
        return pd.DataFrame([{c: getattr(one, c) for c in columns} for one in self.findings], columns=columns)

    def to_json(self) -> dict[str, Any]:
        """The findings and the stability as plain values; no case is among them."""
        return {
            "schema": 1,
            "diagnosis": self.diagnosis,
            "n_cases": len(self.contributions),
            "findings": [one.to_json() for one in self.findings],
            "stability": None if self.stability is None else self.stability.to_json(),
        }

    def to_shap(self) -> shap.Explanation:
        """The contributions as a `shap.Explanation` of shape (n_cases, n_findings + 1), for shap's own plots.

        The last column is all that is not recorded, so that a row and its base value add up to the score against the
        rivals. Data are numbers: values as they are, present 1, absent 0, uncertain 0.5, nothing recorded nan; in the
        last column how many findings have no record.
        """
        import shap

        numbers = as_numbers(self.cells)
        data = np.column_stack([numbers, np.isnan(numbers).sum(axis=1)])
        return shap.Explanation(
            values=np.column_stack([self.contributions, self.unrecorded]),
            base_values=self.base,
            data=data,
            feature_names=[*(one.name for one in self.findings), phrase("state.unrecorded", self.lang)],
        )

    def _place(self, finding: str) -> int:
        for i, one in enumerate(self.findings):
            if finding in (one.code, one.name):
                return i
        raise UnknownCodeError(
            "asked what a finding does for a diagnosis",
            f"no case here records {finding!r}; {len(self)} findings are recorded",
            "use one of them",
            codes=[finding],
            near=nearest(finding, [*(one.code for one in self.findings), *(one.name for one in self.findings)]),
        )


def name_of(key: str, words: Vocabulary, lang: str) -> str | None:
    """Name of a finding or of a part of the context; None where it has none in the vocabulary or the pages."""
    if key in words.findings:
        return words.name(key, lang)
    return phrase(f"context.{key}", lang) if has_phrase(f"context.{key}") else None


_NUMBERS: Mapping[str, float] = {"present": 1.0, "absent": 0.0, "uncertain": 0.5}


def as_numbers(cells: npt.NDArray[np.object_]) -> FloatArray:
    """Cells as numbers to colour by: present 1, absent 0, uncertain 0.5, texts by their order, nothing recorded nan."""
    made = np.full(cells.shape, np.nan)
    for j in range(cells.shape[1]):
        texts = sorted({str(x) for x in cells[:, j] if x is not None and not isinstance(x, float)} - set(_NUMBERS))
        place = {**_NUMBERS, **{one: 1.0 + i for i, one in enumerate(texts)}}
        made[:, j] = [np.nan if x is None else x if isinstance(x, float) else place[str(x)] for x in cells[:, j]]
    return made


def _factors(one: GlobalFinding) -> tuple[float | None, float | None]:
    return tuple(None if x is None else float(np.exp(x)) for x in (one.when_present, one.when_absent))  # type: ignore[return-value]
