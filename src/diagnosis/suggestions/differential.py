"""`Differential`: what one case could be, how likely, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from diagnosis.errors import UnknownCodeError, nearest
from diagnosis.explanation import Contrast, Evidence, contrast, explain_case
from diagnosis.records import OTHER, Records
from diagnosis.records.labels import said_diagnoses
from diagnosis.suggestions.edits import Asked, changes_of
from diagnosis.suggestions.flags import Flag

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_matrix

    from diagnosis.pages import Reveal
    from diagnosis.suggestions.diagnoser import Diagnoser
    from diagnosis.suggestions.questions import Questions
    from diagnosis.suggestions.smallest_change import SmallestChange
    from diagnosis.suggestions.what_if import WhatIf

__all__ = ["Differential", "Suggestion"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One diagnosis on the list.

    Parameters
    ----------
    rank : int
        From 1.
    diagnosis, name : str
        Code, and its name.
    probability : float
        Calibrated.
    in_set : bool
        Whether the prediction set of the declared coverage holds it.
    must_not_miss : bool
        Whether missing it can kill; whether the policy raised it is among the differential's flags.
    """

    rank: int
    diagnosis: str
    name: str
    probability: float
    in_set: bool
    must_not_miss: bool


@dataclass(frozen=True, slots=True, eq=False)
class Differential:
    """The ranked answer for one case; in a notebook it shows as the page a clinician reads.

    Made by `Diagnoser.suggest`.

    Parameters
    ----------
    case_id, model, reading, as_of : str
        Which case, which model, which question the probabilities answer, as of which moment.
    ranked : tuple of Suggestion
        Most probable first, as many as were asked for. `OTHER` ("none of the listed") is never among them; its share
        is `other`.
    other : float or None
        Probability of "none of the listed": all that the model pools as rare or out of its scope; None for a model
        without that class.
    set : tuple of str
        Diagnoses in the prediction set, most probable first; may be longer than the list, and may hold `OTHER`.
    must_not_miss : tuple of str
        Must-not-miss diagnoses that the policy raised.
    flags : tuple of Flag
    abstained : bool
        The model would rather not answer; the list is still there.
    abstain_reason : str or None
    unknown_codes : tuple of str
        Findings of the case that the model does not know.
    not_used : dict
        ``after_moment``: findings known only later; ``unknown``: findings with unknown codes; ``values``: values whose
        unit does not convert or that are not plausible numbers.
    """

    case_id: str
    model: str
    reading: str
    as_of: str
    ranked: tuple[Suggestion, ...]
    other: float | None
    set: tuple[str, ...]
    must_not_miss: tuple[str, ...]
    flags: tuple[Flag, ...]
    abstained: bool
    abstain_reason: str | None
    unknown_codes: tuple[str, ...]
    not_used: dict[str, int]
    records: Records = field(repr=False)
    diagnoser: Diagnoser = field(repr=False)
    proba: npt.NDArray[np.float64] = field(repr=False)
    row: csr_matrix | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.ranked)

    def __iter__(self) -> Iterator[Suggestion]:
        return iter(self.ranked)

    def __getitem__(self, rank: int) -> Suggestion:
        return self.ranked[rank]

    def __str__(self) -> str:
        from diagnosis.suggestions.as_text import text_of

        return text_of(self)

    def __repr__(self) -> str:
        first = f"{self.ranked[0].name} {self.ranked[0].probability:.0%}" if self.ranked else "nothing"
        return f"<Differential of case {self.case_id}: {first}, {len(self.ranked)} shown>"

    def _repr_html_(self) -> str:
        return self.to_html(fragment=True, similar=10)

    def to_json(self) -> dict[str, Any]:
        """The differential as plain values: one line of ``diagnosis suggest --format jsonl``."""
        return {
            "schema": 1,
            "case_id": self.case_id,
            "model": self.model,
            "reading": self.reading,
            "as_of": self.as_of,
            "ranked": [{"diagnosis": s.diagnosis, "probability": s.probability} for s in self.ranked],
            "other": self.other,
            "set": list(self.set),
            "must_not_miss": list(self.must_not_miss),
            "flags": [f.to_json() for f in self.flags],
            "abstained": self.abstained,
            "abstain_reason": self.abstain_reason,
            "unknown_codes": list(self.unknown_codes),
            "not_used": dict(self.not_used),
        }

    def to_fhir(self) -> dict[str, Any]:
        """The differential as a FHIR R4 RiskAssessment: plain values, one line of ``diagnosis suggest --format fhir``.

        Its subject and encounter are the case's own `patient_id` and `case_id`; its basis names the findings that were
        used, each with what was seen of it: absent, uncertain, a value with its unit.
        Probabilities are percentages, as FHIR has it.
        """
        from diagnosis.readers.fhir import risk_assessment
        from diagnosis.suggestions.basis import basis_of

        return risk_assessment(
            self.to_json(),
            {s.diagnosis: s.name for s in self.ranked},
            patient=self.records.column("patient_id")[0],
            basis=basis_of(self),
        )

    def to_html(
        self,
        lang: str = "en",
        *,
        fragment: bool = False,
        questions: int = 3,
        reveal: Reveal = "at_once",
        similar: int = 0,
    ) -> str:
        """The page of this case in English (``en``) or Chinese (``zh``): one HTML file, no script, no network.

        With `fragment`, an element with its own style, for a notebook or another page; with `questions`, so many
        answers that would change the list and the smallest change that flips its order. With `reveal` ``after_answer``
        what the model says is folded away until the reader has written an own first idea; red flags by rule are not.
        `similar` counts the diagnoses of so many similar training cases, where they are at hand: keep such a page in.
        """
        from diagnosis.pages import render_case
        from diagnosis.suggestions.case_page import page_of

        return render_case(page_of(self, questions=questions, reveal=reveal, similar=similar), lang, fragment)

    def explain(self, diagnoses: Sequence[str] | None = None, top: int | None = None) -> Evidence:
        """Take the suggestions apart by finding.

        Parameters
        ----------
        diagnoses : sequence of str, optional
            Codes or names to explain, also beyond the list; the list itself when not given. "For" and "against" are
            always relative to the shown list with these added.
        top : int, optional
            How long the list is; as shown when not given.

        Raises
        ------
        UnknownCodeError
            The model does not know one of them.
        """
        classes = self._codes
        listed = self._order()[: top or len(self.ranked)]
        wanted = None if diagnoses is None else np.asarray([self._index(d) for d in diagnoses])
        if wanted is not None:
            listed = sorted({*listed, *wanted.tolist()}, key=lambda k: (-self.proba[k], str(classes[k])))
        encoder, (model, _, scale) = self.diagnoser.encoder_, self.diagnoser.part(self.reading)
        shown = np.asarray(listed)
        return explain_case(
            self.records, encoder, model, scale, shown, wanted=wanted, reading=self.reading, row=self.row
        )

    def contrast(self, a: str, b: str) -> Contrast:
        """The findings that separate two diagnoses; they sum to ``log(p_a / p_b)``.

        Parameters
        ----------
        a, b : str
            Codes or names.
        """
        first, second = (str(self._codes[self._index(d)]) for d in (a, b))
        evidence = self.explain([first, second])
        return contrast(evidence[first], evidence[second], evidence.names)

    def what_if(self, add: Asked = (), remove: Asked = (), flip: Asked = ()) -> WhatIf:
        """See this differential beside the one that the case would have with some findings changed.

        Parameters
        ----------
        add : str, Finding, or sequence of them
            By name or code: present. A `Finding` says its state and value; it replaces one that is recorded.
        remove, flip : str, Finding, or sequence of them
            Recorded findings, by name or code, that are to be not recorded, or present for absent and the reverse.

        Raises
        ------
        UnknownCodeError
            The model does not know a finding to add, or the case does not record one to remove or to flip.
        InputError
            No finding is named.
        """
        from diagnosis.suggestions.what_if import what_if

        return what_if(self, changes_of(self, add, remove, flip))

    def smallest_change(self, diagnosis: str | None = None, most: int = 2) -> SmallestChange:
        """Find the smallest change of findings that flips the order of the first two, or puts a diagnosis first.

        Recorded findings may be present for absent and the reverse, measured values others if measured again (within
        what training has seen), findings not recorded may be recorded; age, sex and other context stay. Fewest findings
        first, then the largest margin. What is found was verified by scoring the changed case.

        Parameters
        ----------
        diagnosis : str, optional
            Code or name; the second of the list when not given.
        most : int
            Findings that may change together.

        Raises
        ------
        UnknownCodeError
            The model does not know the diagnosis.
        InputError
            It comes first already.
        """
        from diagnosis.suggestions.smallest_change import smallest_change

        return smallest_change(self, None if diagnosis is None else self._index(diagnosis), most)

    def next_questions(
        self, k: int = 5, phases: Iterable[str] = ("history", "examination", "bedside"), *, tests: bool = False
    ) -> Questions:
        """Say which answers would most change this list: information, never an order.

        Every answer is scored: present and absent, each text, a low, middle and high value. How likely it is comes from
        the training cases with each diagnosis. Questions come by their expected gain of information on the posterior,
        weighted by the severity of the diagnoses it is about, divided by the vocabulary's `cost`. Of findings that the
        vocabulary asks for in the same words, the most telling one stands for the question.

        Parameters
        ----------
        k : int
        phases : iterable of str
            ``history``, ``examination``, ``bedside``, by the vocabulary's `phase` or `kind`.
        tests : bool
            Whether laboratory, imaging and pathology may be named as well; never what the vocabulary calls invasive,
            and in pregnancy no imaging.

        Raises
        ------
        InputError
            A phase that is none, or a model saved by a release that did not count answers.
        """
        from diagnosis.suggestions.questions import next_questions

        return next_questions(self, k, phases, tests=tests)

    def similar_cases(self, k: int = 10) -> pd.DataFrame:
        """Return the training cases for which the same evidence speaks, nearest first.

        Cases are near where their findings add the same to the shown diagnoses: the distance between what each finding
        speaks for and against, in nats; see `similar_cases` in `suggestions.similar`.

        Returns
        -------
        DataFrame
            ``distance``, ``similarity`` (of what is recorded, 0 to 1), ``diagnosis``, ``name``, ``case_id``. Never on
            a page: ids stay at the site, in the bundle's ``local`` folder.

        Raises
        ------
        InputError
            The training cases did not travel with the model, or were not kept by the release that saved it.
        """
        from diagnosis.suggestions.similar import similar_cases

        return similar_cases(self, k)

    @property
    def _codes(self) -> npt.NDArray[np.object_]:
        return self.diagnoser.codes(self.reading)

    def _order(self) -> list[int]:
        """Class indices, most probable first, `OTHER` left out (unless it is all there is)."""
        classes = self._codes
        order = sorted(range(len(classes)), key=lambda k: (-self.proba[k], str(classes[k])))
        return [k for k in order if classes[k] != OTHER] or order

    def _index(self, diagnosis: str) -> int:
        classes = [str(c) for c in self._codes]
        if diagnosis not in classes:
            with suppress(UnknownCodeError):
                diagnosis = self.records.vocabulary.resolve_diagnosis(diagnosis, known=classes)
        if diagnosis not in classes:
            names = [self.records.vocabulary.diagnosis_name(c) for c in classes]
            raise UnknownCodeError(
                "asked about a diagnosis",
                f"the model does not know {diagnosis!r}; it knows {said_diagnoses(classes)}",
                "use one it knows (`diagnoser.codes(reading)`)",
                codes=[diagnosis],
                near=nearest(diagnosis, [*classes, *names]),
            )
        return classes.index(diagnosis)
