"""`report`: everything an evaluation has to say on one page, with a model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError, WorkError
from diagnosis.evaluation.evaluate import OnSeen, evaluate
from diagnosis.evaluation.flow import Flow, participant_flow
from diagnosis.evaluation.model_card import card_items
from diagnosis.evaluation.report_sections import sections_of
from diagnosis.evaluation.sample_size import SampleSize, sample_size
from diagnosis.evaluation.shift import Shift, compare_records
from diagnosis.evaluation.stages import Stages, evaluate_stages, stages_of
from diagnosis.evaluation.suspicions import between_sides
from diagnosis.evaluation.verification import Verification, evaluate_verified
from diagnosis.pages import ReportPage, render_report
from diagnosis.pages.translations import phrase
from diagnosis.records.given import checked_records
from diagnosis.records.labels import OTHER

if TYPE_CHECKING:
    from diagnosis.evaluation.cross_evaluation import CrossEvaluation
    from diagnosis.evaluation.evaluation import Evaluation
    from diagnosis.evaluation.site_matrix import SiteMatrix
    from diagnosis.records.records import Records
    from diagnosis.vocabulary import Vocabulary

__all__ = ["EvaluationReport", "report"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EvaluationReport:
    """Everything that was found, as a page, as JSON and as objects; shows as the page in a notebook.

    Parameters
    ----------
    title : str
    evaluation : Evaluation
    card, facts : mapping
        What the model learned from; what else is known of it.
    names, names_zh : mapping of str to str
        Of diagnoses and findings, by code; in Chinese where there are such names.
    dates : mapping of str to (str, str)
        First and last month of the cases, by side.
    flow, stages, verification, sample_size, shift, cross, site_matrix : object or None
        Each where it was made.
    synthetic : bool
    """

    title: str
    evaluation: Evaluation
    card: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    names_zh: Mapping[str, str] = field(default_factory=dict)
    dates: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    flow: Flow | None = None
    stages: Stages | None = None
    verification: Verification | None = None
    sample_size: SampleSize | None = None
    shift: Shift | None = None
    cross: CrossEvaluation | None = None
    site_matrix: SiteMatrix | None = None
    synthetic: bool = False

    @property
    def apart(self) -> bool | None:
        """Whether no patient tested on was trained on, by their ids; None where the model came without them."""
        if any(one.kind == "trained_on" for one in self.evaluation.suspicions):
            return False
        return True if self.facts.get("knows_patients", True) else None

    def name_of(self, code: str) -> str:
        """Return what a diagnosis or finding is called."""
        return self.names.get(code, code)

    def to_html(self, lang: str = "en", *, fragment: bool = False) -> str:
        """Return one HTML file without script or network; with `fragment`, an element for a notebook.

        Raises
        ------
        UnknownNameError
            The pages do not speak `lang`.
        """
        names = {self.names[code]: name for code, name in self.names_zh.items() if code in self.names}
        page = ReportPage(self.title, self._lead(), tuple(sections_of(self)), self.synthetic, names)
        return render_report(page, lang, fragment=fragment)

    def _lead(self) -> list[str]:
        """What a reader in a hurry must know."""
        scores, n_doubts = self.evaluation.overall, len(self.evaluation.suspicions)
        top, ends = scores.values["top.1"] or 0.0, scores.intervals.get("top.1")
        between = f" (95 % interval {ends[0] * 100:.0f} % to {ends[1] * 100:.0f} %)" if ends else ""
        who = {True: " who were not learned from", False: ", some of whom were learned from", None: ""}[self.apart]
        return [
            f"On {scores.n:,} cases of {scores.n_patients:,} patients{who}, the first suggestion was the diagnosis on "
            f"record in {top * 100:.0f} %{between}; as of {self.evaluation.as_of}, {self.evaluation.reading} reading.",
            f"Reasons to doubt this, listed first: {n_doubts:,}."
            if n_doubts
            else "The checks that run by themselves found no reason to doubt this."
            if self.evaluation.checked
            else "Nothing was looked for that might give the diagnosis away.",
        ]

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values; what was not made is None."""
        parts = ("flow", "stages", "verification", "sample_size", "shift", "cross", "site_matrix")
        found = {name: getattr(self, name) for name in parts}
        return {
            "schema": 1,
            "title": self.title,
            "evaluation": self.evaluation.to_json(),
            **{name: None if one is None else one.to_json() for name, one in found.items()},
            "model_card": [one.to_json() for one in card_items(self)],
        }

    def save(self, path: str | Path, lang: str = "en") -> Path:
        """Write the page as one HTML file.

        Raises
        ------
        UnknownNameError
            The pages do not speak `lang`.
        WorkError
            It cannot be written there.
        """
        path = Path(path)
        text = self.to_html(lang)
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise WorkError(f"The report cannot be written to {path}: {error.strerror}. Name a file.") from None
        return path

    def __repr__(self) -> str:
        made = [n for n in ("flow", "stages", "verification", "cross", "site_matrix") if getattr(self, n) is not None]
        return (
            f"<EvaluationReport {self.title!r}: {self.evaluation.n:,} cases, with {', '.join(made) or 'nothing else'}>"
        )

    def _repr_html_(self) -> str:
        return self.to_html(fragment=True)


def report(
    diagnoser: Any,
    records: Records,
    *,
    train: Records | None = None,
    by: Sequence[str] = ("sex", "age_band", "site"),
    cross: CrossEvaluation | None = None,
    site_matrix: SiteMatrix | None = None,
    evaluation: Evaluation | None = None,
    title: str = "A model that suggests diagnoses",
    n_boot: int = 200,
    seed: int = 0,
    min_cell: int = 10,
    on_seen: OnSeen = "raise",
    again: bool = True,
    most_again: int | None = None,
) -> EvaluationReport:
    """Evaluate a fitted diagnoser on unseen cases in every way that these allow, and put it on one page.

    Groups that the records do not have are left away; stages and reference standard are shown where phases, times or
    judgements are recorded.

    Parameters
    ----------
    diagnoser : Diagnoser
        Fitted.
    records : Records
        Cases it has not seen.
    train : Records, optional
        The cases it was fitted on: adds flow, sample size and what differs between the two.
    by : sequence of str
        Groups.
    cross : CrossEvaluation, optional
        Of `cross_evaluate`.
    site_matrix : SiteMatrix, optional
        Of `site_matrix`.
    evaluation : Evaluation, optional
        Of these records, where it is at hand; `by` is then that of this one.
    title : str
    n_boot, seed, min_cell, on_seen
        As in `evaluate`.
    again : bool
        Also ask the diagnoser about the cases stage by stage and by what confirmed their diagnosis. False where it has
        seen them, and `evaluation` speaks of other fits.
    most_again : int, optional
        So many of the cases at most, drawn by `seed`, for that; all of them if not given.

    Returns
    -------
    EvaluationReport

    Raises
    ------
    InputError
        No case has a diagnosis, or a patient was trained on.
    """
    checked_records(records)
    asked: dict[str, Any] = {"n_boot": n_boot, "seed": seed, "on_seen": on_seen}
    groups = [name for name in by if _has(records, name)]
    found = evaluation or evaluate(diagnoser, records, by=groups, min_cell=min_cell, **asked)
    card = dict(getattr(diagnoser, "card_", {}))
    words = records.vocabulary
    facts = _facts(diagnoser, min_cell)
    n_columns = facts["n_columns"]
    some = _drawn(records, most_again, seed) if again else records
    staged = again and _has_stages(some)
    sides = {"training": train, "test": records}
    return EvaluationReport(
        title=title,
        evaluation=_with_sides(diagnoser, found, records, train, cross, seed),
        card=card,
        facts=facts,
        names=_names(words, card, "en"),
        names_zh=_names(words, card, "zh"),
        dates={name: span for name, one in sides.items() if one is not None and (span := _span(one)) is not None},
        flow=None if train is None else _flow(diagnoser, train, min_cell),
        stages=evaluate_stages(diagnoser, some, **asked) if staged else None,
        verification=evaluate_verified(diagnoser, some, min_cell=min_cell, **asked)
        if again and "labels" in records.names
        else None,
        sample_size=None
        if train is None or not n_columns
        else sample_size(_learned(diagnoser, train), n_columns, min_cell=min_cell),
        shift=None if train is None else compare_records(train, records),
        cross=cross,
        site_matrix=site_matrix,
        synthetic=bool(records.info.get("synthetic")),
    )


def _names(words: Vocabulary, card: Mapping[str, Any], lang: str) -> dict[str, str]:
    diagnoses = {code: words.diagnosis_name(code, lang) for code in card.get("n_by_diagnosis", {})}
    if OTHER in diagnoses:
        diagnoses[OTHER] = phrase("list.other", lang)
    return {**{code: words.name(code, lang) for code in words.findings}, **diagnoses}


def _facts(diagnoser: Any, min_cell: int) -> dict[str, Any]:
    """What the page must know of a diagnoser beside its card."""
    encoder = getattr(diagnoser, "encoder_", None)
    return {
        "model": getattr(diagnoser, "name", None),
        "label_status": getattr(diagnoser, "label_status", ("confirmed",)),
        "n_columns": None if encoder is None else len(encoder.get_feature_names_out()),
        "min_cell": min_cell,
        "unknown_time": getattr(diagnoser, "unknown_time", "keep"),
        "weighted": getattr(diagnoser, "weighted", False),
        "knows_patients": bool(len(getattr(diagnoser, "training_ids_", ()))),
    }


def _flow(diagnoser: Any, train: Records, min_cell: int) -> Flow:
    """The flow under the rules this diagnoser was fitted by: every visit takes part, the rest is its own."""
    return participant_flow(
        train,
        visit=("first", "follow_up", "unknown"),
        label_status=getattr(diagnoser, "label_status", ("confirmed",)),
        as_of=getattr(diagnoser, "as_of", None),
        unknown_time=getattr(diagnoser, "unknown_time", "keep"),
        min_cases=getattr(diagnoser, "min_cases", 1),
        rest=getattr(diagnoser, "rest", "other"),
        min_cell=min_cell,
    )


def _learned(diagnoser: Any, train: Records) -> NDArray[np.object_]:
    """The diagnoses as they were learned, rare ones pooled; None where a case was not learned from."""
    classes = set(getattr(diagnoser, "classes_", ()))
    truth = diagnoser.truth(train)
    return np.array([one if one in classes else None for one in truth], dtype=object)


def _with_sides(
    diagnoser: Any, found: Evaluation, records: Records, train: Records | None, cross: CrossEvaluation | None, seed: int
) -> Evaluation:
    """Add what only both sides of the split together can tell: copies across it, and a jump of the score."""
    if train is None:
        return found
    as_known = getattr(diagnoser, "as_known", lambda one: one)
    top1 = "top.1"
    expected = None if cross is None else (cross.evaluation.overall.values[top1], cross.evaluation.n)
    more = between_sides(as_known(records), as_known(train), found.overall.values[top1], expected, seed=seed)
    return replace(found, suspicions=tuple(dict.fromkeys((*found.suspicions, *more))))  # a run has compared them before


def _drawn(records: Records, most: int | None, seed: int) -> Records:
    """Some of the cases, in their order; all where there are not more than asked for."""
    if most is None or len(records) <= most:
        return records
    return records[np.sort(np.random.default_rng(seed).choice(len(records), most, replace=False))]


def _has(records: Records, group: str) -> bool:
    if group == "age_band":
        ages = [records.column(name) for name in ("age_years", "age_days")]
        return any(np.isfinite(one).any() for one in ages)
    return group in records.arrow("cases").column_names and any(one is not None for one in records.column(group))


def _has_stages(records: Records) -> bool:
    try:
        return bool(stages_of(records))
    except InputError:
        return False


def _span(records: Records) -> tuple[str, str] | None:
    times = np.asarray(records.column("time")).astype("datetime64[M]")  # a day may be one person's
    times = times[~np.isnat(times)]
    return (str(times.min()), str(times.max())) if len(times) else None
