"""The tables of a report, from results to rows of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from diagnosis.evaluation.aligned import number
from diagnosis.evaluation.evaluation import Suppressed
from diagnosis.evaluation.scores import Scores
from diagnosis.pages import ReportTable

if TYPE_CHECKING:
    from diagnosis.evaluation.evaluation import Evaluation
    from diagnosis.evaluation.sample_size import SampleSize
    from diagnosis.evaluation.stages import Stages
    from diagnosis.evaluation.verification import Verification

__all__ = [
    "baseline_table",
    "ends",
    "gap_table",
    "group_table",
    "in_order",
    "main_table",
    "size_table",
    "stage_table",
    "verified_table",
]

#: What is shown of a set of cases, by path.
_FIGURES = (
    ("the diagnosis comes first (top-1)", "top.1"),
    ("among the first 3", "top.3"),
    ("among the first 5", "top.5"),
    ("among the first 10", "top.10"),
    ("any confirmed diagnosis among the first 3", "any_confirmed.3"),
    ("its ICD-10 category comes first", "icd_category.1"),
    ("mean reciprocal rank", "mrr"),
    ("NDCG", "ndcg"),
    ("top-1, mean over diagnoses", "macro_top1"),
    ("log-loss", "log_loss"),
    ("Brier score", "brier"),
    ("calibration error", "ece"),
    ("calibration slope (1 is best)", "calibration.slope"),
    ("calibration intercept (0 is best)", "calibration.intercept"),
    ("sets hold the diagnosis", "set.coverage"),
    ("mean size of the sets", "set.mean_size"),
    ("must-not-miss sensitivity", "must_not_miss.sensitivity"),
    ("must-not-miss flags a case", "must_not_miss.flags_per_case"),
    ("abstained", "abstained.rate"),
    ("top-1 of the rest", "abstained.top1_of_rest"),
)
_SHORT = (("top-1", "top.1"), ("top-3", "top.3"), ("log-loss", "log_loss"), ("calibration error", "ece"))
_DASH = "–"
_AGES = ("neonate", "infant", "child", "adolescent", "adult", "65+", "unknown")


def ends(scores: Scores, name: str) -> str:
    """Return the interval of a metric as text."""
    found = scores.intervals.get(name)
    return _DASH if found is None else f"{found[0]:.3f} to {found[1]:.3f}"


def main_table(evaluation: Evaluation) -> ReportTable:
    """Every metric of all cases, with its interval and what the prior alone would reach."""
    scores = evaluation.overall
    rows = [
        (title, number(scores.values[name]), ends(scores, name), number(scores.values.get(f"baseline.{name}")))
        for title, name in _FIGURES
        if scores.values.get(name) is not None
    ]
    caption = (
        f"{scores.n:,} cases of {scores.n_patients:,} patients, {scores.n_diagnoses:,} diagnoses; "
        f"{scores.n_unreachable:,} with a diagnosis the model cannot name, all misses"
    )
    return ReportTable(caption, ("", "estimate", "95 % interval", "prior alone"), rows)


def baseline_table(evaluation: Evaluation) -> ReportTable:
    """Simple models fitted on the same training cases beside this one."""
    every = {"this model": evaluation.overall, **evaluation.baselines}
    rows = [(name, *(number(scores.values.get(metric)) for _, metric in _SHORT)) for name, scores in every.items()]
    return ReportTable("Beside simple models fitted on the same cases", ("", *(t for t, _ in _SHORT)), rows)


def in_order(group: str, values: Mapping[str, Scores | Suppressed]) -> list[tuple[str, Scores | Suppressed]]:
    """Return the values of a group by age where it is that of age bands, else as they are."""
    if group != "age_band":
        return list(values.items())
    places = {name: place for place, name in enumerate(_AGES)}
    return sorted(values.items(), key=lambda one: places.get(one[0], len(places)))


def gap_table(evaluation: Evaluation) -> ReportTable:
    """How far apart the best and the worst value of each group are, the clearest first."""
    titles = {name: title for title, name in _FIGURES}
    rows = [
        (
            f"{titles.get(gap.metric, gap.metric)}, by {gap.group.replace('_', ' ')}",
            gap.best,
            gap.worst,
            number(gap.difference),
            _DASH if gap.interval is None else f"{gap.interval[0]:.3f} to {gap.interval[1]:.3f}",
        )
        for gap in evaluation.gaps
    ]
    head = ("", "best", "worst", "gap", "95 % interval")
    return ReportTable("Gaps between groups; an interval that holds 0 shows none", head, rows, folded=True)


def group_table(group: str, values: Mapping[str, Scores | Suppressed]) -> ReportTable:
    """The figures of each value of a group; small cells are suppressed."""
    titles = (*(title for title, _ in _SHORT), "95 % of top-1", "sets hold it")
    rows = []
    for value, cell in in_order(group, values):
        if isinstance(cell, Suppressed):
            rows.append((value, f"{cell.n:,}", cell.why, *[""] * (len(titles) - 1)))
            continue
        shown = [number(cell.values.get(metric)) for _, metric in _SHORT]
        rows.append((value, f"{cell.n:,}", *shown, ends(cell, "top.1"), number(cell.values.get("set.coverage"))))
    name = group.replace("_", " ")
    return ReportTable(f"By {name}", (name, "cases", *titles), rows)


def stage_table(stages: Stages) -> ReportTable:
    """The figures of the same cases stage by stage."""
    again = any(one.refitted is not None for one in stages.stages)
    head = (
        "stage",
        "findings a case",
        *(t for t, _ in _SHORT),
        "95 % of top-1",
        *(["refitted top-1"] if again else []),
    )
    rows = []
    for one in stages.stages:
        shown = [number(one.scores.values.get(metric)) for _, metric in _SHORT]
        row = [one.stage.name, f"{one.findings:.1f}", *shown, ends(one.scores, "top.1")]
        if again:
            row.append(_DASH if one.refitted is None else number(one.refitted.values.get("top.1")))
        rows.append(row)
    return ReportTable("Stage by stage", head, rows)


def verified_table(found: Verification) -> Iterator[ReportTable]:
    """The figures by what confirmed the diagnosis, and who was verified."""
    sets = (("anything", found.everyone), ("a test", found.verified), ("no test", found.clinical))
    rows = [
        (name, f"{scores.n:,}", *(number(scores.values.get(m)) for _, m in _SHORT))
        for name, scores in sets
        if scores is not None
    ]
    yield ReportTable("Diagnosis confirmed by", ("", "cases", *(t for t, _ in _SHORT)), rows)
    shares = [
        (s.value, f"{s.n:,}", "too few to show", "")
        if s.verified is None
        else (s.value, f"{s.n:,}", f"{s.verified / max(s.n, 1):.1%}", f"{s.low:.1%} to {s.high:.1%}")
        for s in found.shares
    ]
    if shares:
        yield ReportTable(f"Verified, by {found.by}", (found.by, "cases", "share", "95 % interval"), shares)


def size_table(size: SampleSize, names: Mapping[str, str]) -> ReportTable:
    """Expected shrinkage of each diagnosis."""
    rows = [
        (names.get(d.diagnosis, d.diagnosis), f"{d.n:,}", number(d.shrinkage, 2), f"{d.needed:,}")
        for d in size.diagnoses
    ]
    caption = (
        f"Expected shrinkage without a penalty (Riley et al.), {size.n_parameters:,} parameters a diagnosis, "
        f"Nagelkerke "
        f"R² {size.r2_nagelkerke:g} assumed"
    )
    return ReportTable(caption, ("diagnosis", "cases", "expected shrinkage", "cases needed in all"), rows, folded=True)
