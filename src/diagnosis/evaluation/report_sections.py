"""The sections of a report, each from one result: plain values for the page, nothing computed but what is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from diagnosis.evaluation.aligned import number
from diagnosis.evaluation.evaluate_batch import lower_is_better
from diagnosis.evaluation.model_card import FOR_A_PERSON, card_items
from diagnosis.evaluation.report_tables import (
    baseline_table,
    gap_table,
    group_table,
    in_order,
    main_table,
    size_table,
    stage_table,
    verified_table,
)
from diagnosis.evaluation.scores import Scores
from diagnosis.evaluation.site_matrix import OTHERS
from diagnosis.evaluation.small_cells import hidden_cells
from diagnosis.pages import ReportFigure, ReportSection, ReportTable
from diagnosis.pages.evaluation_plots import (
    burden_plot,
    decision_plot,
    groups_plot,
    matrix_plot,
    reliability_plot,
    risk_coverage_plot,
)

if TYPE_CHECKING:
    from diagnosis.evaluation.details import Details
    from diagnosis.evaluation.report import EvaluationReport
    from diagnosis.evaluation.shift import Shift

__all__ = ["sections_of"]

_PANELS = 6
_DIFFERENCES = 8
_KINDS = {
    "prevalence": "How common each diagnosis is",
    "finding": "How often a finding is present where it is recorded",
    "recorded": "How often a finding is recorded at all",
    "value": "Mean values",
    "age_band": "Ages",
    "sex": "Sexes",
    "site": "Sites",
    "setting": "Settings",
}


def sections_of(report: EvaluationReport) -> Iterator[ReportSection]:
    """Yield the sections that this report has something to say in."""
    yield _suspicions(report)
    yield ReportSection(
        "results",
        "Results on unseen patients" if report.apart else "Results",
        blocks=[main_table(report.evaluation), *_beside(report)],
    )
    if report.evaluation.details is not None:
        yield _calibration(report, report.evaluation.details)
        yield _use(report, report.evaluation.details)
    if report.evaluation.by:
        yield _groups(report)
    if report.stages is not None:
        yield _stages(report)
    yield from _designs(report)
    yield _participants(report)
    if report.verification is not None:
        yield _reference(report)
    if report.shift is not None:
        yield _shift(report, report.shift)
    yield _card(report)


def _suspicions(report: EvaluationReport) -> ReportSection:
    found = report.evaluation.suspicions
    says = (
        ["Nothing was looked for that might give the diagnosis away."]
        if not found and not report.evaluation.checked
        else ["The checks found nothing that gives the diagnosis away. That does not show that nothing does."]
        if not found
        else ["Each of these can make the figures below better than they would be in the clinic."]
    )
    return ReportSection("suspicions", "Reasons to doubt these figures", says, [one.says for one in found])


def _beside(report: EvaluationReport) -> Iterator[ReportTable]:
    if report.evaluation.baselines:
        yield baseline_table(report.evaluation)


def _calibration(report: EvaluationReport, details: Details) -> ReportSection:
    curve = report.evaluation.reliability
    seen = report.evaluation.overall.values["ece"]
    chance = details.expected_ece
    verdict = "more than" if seen is not None and seen > chance.percentile_95 else "no more than"
    brier = details.brier
    rows = [
        (
            report.name_of(one.diagnosis),
            f"{one.n:,}",
            number(one.observed),
            number(one.expected),
            number(one.in_the_large),
            number(one.slope),
        )
        for one in details.by_diagnosis
    ]
    head = ("diagnosis", "cases", "observed", "expected", "in the large", "slope")
    return ReportSection(
        "calibration",
        "Do the probabilities mean what they say?",
        [
            f"The calibration error is {number(seen)}. Were every probability true, chance alone would give "
            f"{chance.mean:.3f} on average and {chance.percentile_95:.3f} at most in 95 of 100 such sets: the error is "
            f"{verdict} that.",
            f"Parts of the Brier score: reliability {brier.reliability:.4f} (0 is best), resolution "
            f"{brier.resolution:.4f}, uncertainty {brier.uncertainty:.4f}.",
        ],
        blocks=[
            ReportFigure(
                "How often the first suggestion is right, by how probable it was said to be; the area of a point is "
                "its "
                "number of cases, bars are 95 % intervals.",
                reliability_plot(
                    curve.confidence.tolist(), curve.accuracy.tolist(), curve.n.tolist(), details.reliability_intervals
                ),
            ),
            ReportTable("Calibration of each diagnosis with at least 20 cases", head, rows, folded=True),
        ],
    )


def _use(report: EvaluationReport, details: Details) -> ReportSection:
    risk = details.risk_coverage
    blocks: list[ReportTable | ReportFigure] = [
        ReportFigure(
            f"Error among the cases that are answered, over the share that is; area {risk.area:.3f}, at best "
            f"{risk.best:.3f}.",
            risk_coverage_plot(risk.coverage, risk.risk),
        )
    ]
    if details.flags:
        at = report.evaluation.overall.values.get("must_not_miss.flags_per_case")
        points = sorted(details.flags, key=lambda one: one.flags_per_case)
        blocks.append(
            ReportFigure(
                "Share of the cases with a must-not-miss diagnosis that are flagged, over the flags a case this costs; "
                "the band is the 95 % interval.",
                burden_plot(
                    [one.flags_per_case for one in points],
                    [one.sensitivity for one in points],
                    [one.interval for one in points],
                    at,
                ),
            )
        )
    curves = details.decision
    if len(curves):
        rows = np.argsort(-curves.prevalence, kind="stable")[:_PANELS]
        blocks.append(
            ReportFigure(
                "Decision curves of the most frequent diagnoses: net benefit of acting on the model from a probability "
                "on, beside acting on everyone and on nobody (Vickers & Elkin 2006).",
                decision_plot(
                    curves.thresholds,
                    [report.name_of(curves.diagnoses[i]) for i in rows],
                    curves.net_benefit[rows],
                    curves.treat_all[rows],
                ),
            )
        )
    return ReportSection("use", "What it would be good for", blocks=blocks)


def _groups(report: EvaluationReport) -> ReportSection:
    rows = {}
    for group, values in report.evaluation.by.items():
        for value, cell in in_order(group, values):
            top = cell.values.get("top.1") if isinstance(cell, Scores) else None
            if isinstance(cell, Scores) and top is not None:
                rows[f"{group.replace('_', ' ')}: {value}"] = (top, cell.intervals.get("top.1"))
    everyone = report.evaluation.overall.values["top.1"]
    caption = "The diagnosis on record comes first, by group, with 95 % intervals; the line is that of all cases."
    return ReportSection(
        "groups",
        "For whom it works",
        blocks=[
            *([ReportFigure(caption, groups_plot(rows, "share of cases (top-1)", everyone))] if rows else []),
            *(group_table(group, values) for group, values in report.evaluation.by.items()),
            *([gap_table(report.evaluation)] if report.evaluation.gaps else []),
        ],
    )


def _stages(report: EvaluationReport) -> ReportSection:
    assert report.stages is not None
    rows = {
        one.stage.name: (top, one.scores.intervals.get("top.1"))
        for one in report.stages.stages
        if (top := one.scores.values.get("top.1")) is not None
    }
    caption = "The same cases with what was known at each stage: the diagnosis on record comes first."
    figure = ReportFigure(caption, groups_plot(rows, "share of cases (top-1)"))
    says = []
    if report.stages.n_unplaced:
        says.append(
            f"{report.stages.n_unplaced:,} of {report.stages.n_rows:,} findings do not say when they were known; they "
            "count as known at every stage."
        )
    moment = report.stages.moment
    if moment != "end":
        says.append(f"Nothing that was known after the model's own moment ({moment}) is used at any stage.")
    return ReportSection("stages", "What can be expected early", says, blocks=[figure, stage_table(report.stages)])


def _designs(report: EvaluationReport) -> Iterator[ReportSection]:
    if report.cross is not None:
        table = report.cross.to_frame()
        rows = [tuple(_cell(v) for v in row) for row in table.itertuples(index=False)]
        block = ReportTable(
            f"{report.cross.method}, by {report.cross.by}", tuple(map(str, table.columns)), rows, folded=True
        )
        says = [line for line in repr(report.cross).splitlines()[:1] if line]
        says += [
            f"{one.metric}: apparent {one.apparent:.3f}, corrected for optimism {one.corrected:.3f}."
            for one in report.cross.optimism
        ]
        yield ReportSection("design", "Fitted again and again", says, blocks=[block])
    if report.site_matrix is not None:
        matrix = report.site_matrix
        loss = matrix.loss_elsewhere
        says = []
        if np.isfinite(loss):
            says.append(f"Learned at one site and tried at another, {matrix.metric} is worse by {loss:.3f} on average.")
        caption = f"{matrix.metric} by the site learned at (rows) and the site judged at (columns)."
        low = lower_is_better(matrix.metric)
        plot = matrix_plot((*matrix.sites, OTHERS), matrix.sites, matrix.values, matrix.metric, low_is_good=low)
        yield ReportSection("sites", "From one site to another", says, blocks=[ReportFigure(caption, plot)])


def _participants(report: EvaluationReport) -> ReportSection:
    blocks: list[ReportTable | ReportFigure] = []
    if report.flow is not None:
        mark = {"stay": "", "leave": "left out: ", "change": "changed: "}
        rows = [(mark[s.kind] + s.what, f"{s.cases:,}", f"{s.patients:,}") for s in report.flow.steps]
        blocks.append(ReportTable("Flow of participants", ("", "cases", "patients"), rows))
    if report.sample_size is not None:
        blocks.append(size_table(report.sample_size, report.names))
    counts = report.card.get("n_by_diagnosis", {})
    if counts:
        few = hidden_cells({code: (n,) for code, n in counts.items()}, report.facts.get("min_cell", 1))
        shown = {code: "not shown" if code in few else f"{n:,}" for code, n in counts.items()}
        rows = [(report.name_of(code), code, said) for code, said in shown.items()]
        blocks.append(ReportTable("What the model knows", ("diagnosis", "code", "training cases"), rows, folded=True))
    unlabelled = report.evaluation.n_unlabelled
    says = [f"{unlabelled:,} test cases have no diagnosis and were left out."] if unlabelled else []
    return ReportSection("participants", "Who was learned from and tested on", says, blocks=blocks)


def _reference(report: EvaluationReport) -> ReportSection:
    assert report.verification is not None
    says = [
        "A diagnosis that no test confirmed may follow the clinician's own suspicion, and so may the "
        "findings: figures on "
        "verified diagnoses stand beside those on all."
    ]
    return ReportSection("reference", "What the diagnoses rest on", says, blocks=[*verified_table(report.verification)])


def _shift(report: EvaluationReport, shift: Shift) -> ReportSection:
    shown: dict[str, list[tuple[str, ...]]] = {}
    for one in shift.differences:
        rows = shown.setdefault(one.kind, [])
        if one.distance is not None and len(rows) < _DIFFERENCES:
            rows.append((report.name_of(one.name), number(one.source), number(one.target), number(one.distance, 2)))
    head = ("", "training", "test", "standardised distance")
    blocks = [
        ReportTable(f"{_KINDS.get(kind, kind)}: overall {number(shift.overall.get(kind), 2)}", head, rows, folded=True)
        for kind, rows in shown.items()
        if rows
    ]
    says = [
        f"{shift.n_source:,} training cases beside {shift.n_target:,} test cases. A standardised distance of .1 is "
        "small, one of .5 large (Austin 2009); among as many as there are here some are apart by chance."
    ]
    return ReportSection("shift", "Training and test cases beside each other", says, blocks=blocks)


def _card(report: EvaluationReport) -> ReportSection:
    items = card_items(report)
    rows = [(one.item, one.topic, one.asks, one.says or FOR_A_PERSON) for one in items]
    open_ = sum(one.says is None for one in items)
    says = [
        f"The items of TRIPOD+AI (Collins et al., BMJ 2024;385:e078378), in our words: {len(items) - open_} "
        f"filled from "
        f"this run, {open_} for a person to write."
    ]
    table = ReportTable(
        "TRIPOD+AI, item by item", ("item", "about", "asks", "this run"), rows, numbers=False, folded=True
    )
    return ReportSection("card", "Model card", says, blocks=[table])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(None if value != value else value)
    return "" if value is None else str(value)
