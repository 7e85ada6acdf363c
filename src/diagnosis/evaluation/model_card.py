"""The model card: each item of TRIPOD+AI filled from what was run, or left for a person to write."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from diagnosis.records.labels import OTHER

if TYPE_CHECKING:
    from diagnosis.evaluation.report import EvaluationReport

__all__ = ["FOR_A_PERSON", "CardItem", "card_items"]

#: Stands where a run cannot know.
FOR_A_PERSON = "For a person to write."
_YEAR = 365.25
_OLDEST = 90


@dataclass(frozen=True, slots=True)
class CardItem:
    """One item of TRIPOD+AI.

    Parameters
    ----------
    item : str
        Its number, such as ``12c``.
    topic, asks : str
        What it is about, in our words.
    says : str or None
        What the run knows; None: for a person to write.
    """

    item: str
    topic: str
    asks: str
    says: str | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"item": self.item, "topic": self.topic, "asks": self.asks, "says": self.says}


def card_items(report: EvaluationReport) -> tuple[CardItem, ...]:
    """Fill the 52 items of TRIPOD+AI as far as the run knows them.

    The items are those of Collins GS, Moons KGM, Dhiman P, et al., "TRIPOD+AI statement", BMJ 2024;385:e078378, in our
    words; an item that the run knows nothing about is marked for a person.
    """
    return tuple(
        CardItem(row["item"], row["topic"], row["asks"], _FILLED[row["from_run"]](report) if row["from_run"] else None)
        for row in _rows()
    )


@cache
def _rows() -> tuple[Mapping[str, str], ...]:
    text = files("diagnosis.evaluation").joinpath("tripod_ai.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def _source(report: EvaluationReport) -> str | None:
    card = report.card
    return None if not card.get("source") else f"{card['source']}; sampling: {card.get('sampling') or 'not stated'}."


def _dates(report: EvaluationReport) -> str | None:
    spans = [f"{side}: {first} to {last}" for side, (first, last) in report.dates.items()]
    return "; ".join(spans) + "." if spans else None


def _setting(report: EvaluationReport) -> str | None:
    places = report.card.get("n_by_place", {})
    said = [f"{len(counts):,} {by}s ({_counts(counts)})" for by, counts in places.items() if counts]
    return "; ".join(said) + "." if said else None


def _eligibility(report: EvaluationReport) -> str | None:
    if report.flow is None:
        return None
    return "; ".join(f"left: {s.what} ({s.cases:,} cases)" for s in report.flow.steps if s.kind == "leave") or (
        "No case was left out."
    )


def _outcome(report: EvaluationReport) -> str:
    status = " or ".join(report.facts.get("label_status", ("confirmed",)))
    return (
        f"The principal diagnosis with the status {status}, one of {report.evaluation.n_named:,} the model names"
        f"{' or none of the listed' if report.evaluation.other else ''}; "
        f"suggestions as of {report.evaluation.as_of}."
    )


def _assessors(report: EvaluationReport) -> str | None:
    if report.verification is None:
        return None
    return f"Cases by what confirmed the diagnosis: {_counts(report.verification.bases)}."


def _predictors(report: EvaluationReport) -> str | None:
    n = report.facts.get("n_columns")
    return None if n is None else f"All findings that enough training cases record: {n:,} columns; labels are not used."


def _sample(report: EvaluationReport) -> str | None:
    size = report.sample_size
    if size is None:
        return None
    short = sum(not one.enough for one in size.diagnoses)
    return (
        f"{size.n:,} training cases; by the criteria of Riley et al. {short:,} of {len(size.diagnoses):,} diagnoses "
        "want more."
    )


def _splits(report: EvaluationReport) -> str:
    said = {
        True: "Tested on cases of patients who were not trained on; a patient is never on two sides.",
        False: "Some test cases are of patients who were trained on, by their ids: figures on them are too good.",
        None: "Whether the patients tested on were trained on could not be checked: the model came without their ids.",
    }[report.apart]
    if report.cross is not None:
        said += f" Beside it {report.cross.method}, by {report.cross.by}, {report.cross.n_fits:,} fits."
    return said


def _clusters(report: EvaluationReport) -> str:
    n = report.evaluation.n_sites
    said = "Fewer than two sites: none." if not n else f"{n:,} sites, looked at together."
    if report.evaluation.overall.site_intervals:
        said = f"Intervals are also drawn over {n:,} sites."
    return said if report.site_matrix is None else f"{said} Each site was also held out (site matrix)."


def _fairness(report: EvaluationReport) -> str | None:
    gaps = report.evaluation.gaps
    if not report.evaluation.by:
        return None
    groups = ", ".join(report.evaluation.by)
    worst = max(gaps, key=lambda gap: gap.difference, default=None)
    said = f"Every measure again by {groups}."
    if worst is None:
        return said
    return (
        f"{said} Largest gap: {worst.metric} by {worst.group}, {worst.best} to {worst.worst}, {worst.difference:.3f}."
    )


def _flow(report: EvaluationReport) -> str | None:
    if report.flow is None:
        return None
    return "; ".join(f"{s.what}: {s.cases:,} cases" for s in report.flow.steps if s.kind == "stay") + "."


def _characteristics(report: EvaluationReport) -> str | None:
    ages = report.card.get("age_days")
    if not ages:
        return None
    low, high = ages[0] / _YEAR, ages[1] / _YEAR
    oldest = f"{high:.0f}" if high < _OLDEST else f"{_OLDEST} and more"  # whose age is the highest may be one person
    return f"Training cases from {low:.0f} to {oldest} years; see participants and groups."


def _numbers(report: EvaluationReport) -> str:
    card, scores = report.card, report.evaluation.overall
    learned = f"Learned from {card['n_cases']:,} cases of {card['n_patients']:,} patients; " if card else ""
    return f"{learned}tested on {scores.n:,} cases of {scores.n_patients:,} patients, {scores.n_diagnoses:,} diagnoses."


def _performance(report: EvaluationReport) -> str:
    scores = report.evaluation.overall
    said = []
    for title, name in (("top-1", "top.1"), ("log-loss", "log_loss"), ("calibration slope", "calibration.slope")):
        value, ends = scores.values.get(name), scores.intervals.get(name)
        if value is not None:
            said.append(f"{title} {value:.3f}" + (f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else ""))
    return "; ".join(said) + "."


def _limitations(report: EvaluationReport) -> str | None:
    if not report.evaluation.suspicions:
        if not report.evaluation.checked:
            return None
        return "The checks that run by themselves found nothing suspicious; the rest is for a person to write."
    return " ".join(one.says.rstrip(".") + "." for one in report.evaluation.suspicions)


def _heterogeneity(report: EvaluationReport) -> str | None:
    matrix = report.site_matrix
    if matrix is None or not np.isfinite(matrix.loss_elsewhere):
        return None
    return (
        f"Learned at one site and tried at another, {matrix.metric} is worse by {matrix.loss_elsewhere:.3f} on average."
    )


def _updating(report: EvaluationReport) -> str:
    adapted, updates = report.card.get("adapted"), report.card.get("updates", [])
    said = []
    if updates:
        n = sum(one["n_cases"] for one in updates)
        said.append(f"Learned {n:,} later cases in {len(updates):,} updates; calibration and thresholds stayed.")
    if adapted is not None:
        said.append(f"Adapted to the prevalence of: {adapted['to']}.")
        if adapted.get("chosen_here"):
            said.append(f"Chosen anew there: {', '.join(adapted['chosen_here'])}.")
    return " ".join(said) or "Not updated."


def _timing(report: EvaluationReport) -> str:
    if report.evaluation.as_of == "no moment":
        return "No moment was set: every finding on record was used, whenever it became known."
    kept = ", " if report.facts.get("unknown_time", "keep") == "drop" else "; findings without a time stay, "
    return f"What was known as of {report.evaluation.as_of}{kept}later ones were set aside."


def _measures(report: EvaluationReport) -> str:
    more = ", sets, abstention, must-not-miss policy and decision curves" if report.evaluation.details else ""
    ends = ", with 95 % intervals over draws of patients" if report.evaluation.overall.intervals else ""
    return f"Rank (top-k, reciprocal rank), log-loss, Brier score, calibration{more}{ends}."


def _imbalance(report: EvaluationReport) -> str | None:
    if not report.card:
        return None
    said = "Not corrected: the priors are those of the training cases"
    said += ", by their weights" if report.facts.get("weighted") else ""
    adapted = report.card.get("adapted")
    return said + (f", adapted since to: {adapted['to']}." if adapted else ".")


def _output(report: EvaluationReport) -> str | None:
    if not report.card:
        return None
    said = (
        "Calibrated probabilities, a prediction set, flags and abstention; thresholds were chosen on training cases, "
        "by folds grouped by patient"
    )
    chosen = (report.card.get("adapted") or {}).get("chosen_here")
    return said + (f"; chosen anew on other cases since: {', '.join(chosen)}." if chosen else ".")


def _specification(report: EvaluationReport) -> str | None:
    digest = report.facts.get("digest")
    return None if digest is None else f"The bundle holds the whole model in plain files; digest {digest}."


def _difference(report: EvaluationReport) -> str | None:
    if report.shift is None:
        return None
    return "Training and test cases are set beside each other in the section on shift."


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _fixed(text: str) -> Callable[[EvaluationReport], str | None]:
    return lambda _: text


def _of_own(text: str) -> Callable[[EvaluationReport], str | None]:
    """Say it of a diagnoser alone: how another model does it is for a person to write."""
    return lambda report: text if report.card else None


_FILLED: Mapping[str, Callable[[Any], str | None]] = {
    "title": lambda report: f"{report.title}: a model that suggests diagnoses is developed and evaluated.",
    "purpose": _fixed(
        "Support for a clinician's decision: a ranked list of diagnoses. Not for patients, not for time-critical "
        "decisions; no treatment or dose. The target population is for a person to write."
    ),
    "objective": lambda report: "Development and evaluation." if report.card else "Evaluation.",
    "source": _source,
    "dates": _dates,
    "setting": _setting,
    "eligibility": _eligibility,
    "preparation": _fixed(
        "Every row was checked on reading (types, enumerations, ids, contradictions, units); values were converted to "
        "one unit a finding; values no living patient has were not used."
    ),
    "outcome": _outcome,
    "assessors": _assessors,
    "predictors": _predictors,
    "timing": _timing,
    "sample_size": _sample,
    "missing": _of_own(
        "Nothing is imputed. Present, absent, uncertain and not recorded are kept apart; what has no row "
        "moves the score "
        "by what its absence meant in training, and every page shows by how much."
    ),
    "splits": _splits,
    "handling": _of_own(
        "States as 0 and 1; values centred and scaled; age in years and bands; no selection by outcome."
    ),
    "model": lambda report: report.facts.get("model"),
    "clusters": _clusters,
    "measures": _measures,
    "updating": _updating,
    "calculation": _of_own("Score = base + sum of contributions; probability = softmax of the calibrated scores."),
    "imbalance": _imbalance,
    "fairness": _fairness,
    "output": _output,
    "difference": _difference,
    "code": lambda report: (
        f"diagnosis {report.card['versions']['diagnosis']}." if report.card.get("versions") else None
    ),
    "flow": _flow,
    "characteristics": _characteristics,
    "comparison": _difference,
    "numbers": _numbers,
    "specification": _specification,
    "performance": _performance,
    "heterogeneity": _heterogeneity,
    "limitations": _limitations,
    "poor_input": _of_own(
        "Unknown codes and values that cannot be used are counted and shown; too little evidence leads to abstention."
    ),
    "users": lambda report: (
        f"A clinician records findings and judges the list; the model knows {report.evaluation.n_named:,} diagnoses"
        + (f", rare ones pooled as {OTHER}." if report.evaluation.other else ".")
    ),
}
