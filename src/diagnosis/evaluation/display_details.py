"""The tables of an `Evaluation` beyond its metrics: calibration and Brier parts, frequency, gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diagnosis.evaluation.details import Details
    from diagnosis.evaluation.evaluation import Evaluation

__all__ = ["detail_tables"]

Table = list[tuple[str, ...]]
_GAP_METRICS = ("top.1", "log_loss", "set.coverage")
_DASH = "–"


def detail_tables(evaluation: Evaluation) -> list[Table]:
    """Return the tables that there is something for."""
    details = evaluation.details
    tables = [] if details is None else [_numbers(evaluation, details), _frequency(details)]
    return [table for table in (*tables, _gaps(evaluation)) if len(table) > 1]


def _numbers(evaluation: Evaluation, details: Details) -> Table:
    expected, parts, risk = details.expected_ece, details.brier, details.risk_coverage
    table: Table = [
        ("beyond single numbers", "", ""),
        ("calibration error by chance alone", f"{expected.mean:.3f}", f"95th percentile {expected.percentile_95:.3f}"),
        (
            "Brier: reliability, less is better",
            f"{parts.reliability:.3f}",
            f"resolution {parts.resolution:.3f}, uncertainty {parts.uncertainty:.3f}",
        ),
        ("error over coverage, area", f"{risk.area:.3f}", f"at best {risk.best:.3f}, by chance {risk.error:.3f}"),
    ]
    if details.novelty is not None:
        doubt = details.novelty.doubt
        ends = "" if doubt.interval is None else f", {doubt.interval[0]:.3f} to {doubt.interval[1]:.3f}"
        n = f"{details.novelty.n_unknown:,} cases{ends}"
        table.append(("unknown diagnoses noticed by doubt, AUROC", f"{doubt.auroc:.3f}", n))
    for name, scores in evaluation.baselines.items():
        shown = [f"{scores.values[metric]:.3f}" for metric in ("top.1", "top.3", "log_loss")]
        table.append((f"baseline {name}, top-1", shown[0], f"top-3 {shown[1]}, log-loss {shown[2]}"))
    return table


def _frequency(details: Details) -> Table:
    table: Table = [("by training cases of the diagnosis", "cases", "diagnoses", "top-1", "top-3", "log-loss")]
    for band in details.by_frequency:
        values = [f"{band.values[name]:.3f}" if band.values else "" for name in ("top.1", "top.3", "log_loss")]
        first = values[0] or "not shown"
        table.append((band.training_cases, f"{band.n:,}", f"{band.n_diagnoses:,}", first, *values[1:]))
    return table


def _gaps(evaluation: Evaluation) -> Table:
    table: Table = [("widest gap", "metric", "best", "worst", "gap", "95 % interval")]
    for gap in evaluation.gaps:
        if gap.metric in _GAP_METRICS:
            ends = _DASH if gap.interval is None else f"{gap.interval[0]:.3f} to {gap.interval[1]:.3f}"
            table.append((gap.group, gap.metric, gap.best, gap.worst, f"{gap.difference:.3f}", ends))
    return table
