"""An `Evaluation` as a table: for the terminal, a notebook and pandas."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from diagnosis.evaluation.aligned import aligned, number
from diagnosis.evaluation.display_details import detail_tables
from diagnosis.evaluation.scores import Scores

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.evaluation.evaluation import Evaluation

__all__ = ["as_frame", "as_html", "as_text"]

_ROWS = (
    ("top-1", "top.1"),
    ("top-3", "top.3"),
    ("top-5", "top.5"),
    ("top-10", "top.10"),
    ("any confirmed diagnosis in the top 3", "any_confirmed.3"),
    ("right ICD category in the top 3", "icd_category.3"),
    ("mean reciprocal rank", "mrr"),
    ("NDCG", "ndcg"),
    ("top-1, mean over diagnoses", "macro_top1"),
    ("log-loss", "log_loss"),
    ("Brier", "brier"),
    ("calibration error", "ece"),
    ("calibration slope", "calibration.slope"),
    ("calibration intercept", "calibration.intercept"),
    ("observed over expected", "calibration.observed_expected"),
    ("coverage of the sets", "set.coverage"),
    ("mean size of the sets", "set.mean_size"),
    ("must-not-miss sensitivity", "must_not_miss.sensitivity"),
    ("flags per case", "must_not_miss.flags_per_case"),
    ("abstained", "abstained.rate"),
    ("top-1 of the rest", "abstained.top1_of_rest"),
)
_GROUP_COLUMNS = (
    ("top-1", "top.1"),
    ("top-3", "top.3"),
    ("log-loss", "log_loss"),
    ("calibration error", "ece"),
    ("coverage", "set.coverage"),
)
_MAY_LACK = ("any_confirmed", "icd_category")
_DASH = "–"
# What a diagnosis the model cannot name costs: its probability is taken as 1e-15.
_FLOOR = -math.log(1e-15)

Table = list[tuple[str, ...]]


def as_text(evaluation: Evaluation) -> str:
    """Return the tables in columns for a terminal."""
    parts = [_heading(evaluation), aligned(_main_table(evaluation))]
    parts += [aligned(table) for table in _further_tables(evaluation)]
    if evaluation.suspicions:
        parts.append("\n".join(["suspicions", *(f"  - {s.says}" for s in evaluation.suspicions)]))
    return "\n\n".join(parts)


def as_html(evaluation: Evaluation) -> str:
    """Return the tables as plain HTML, every text escaped."""
    parts = [f"<p>{escape(_heading(evaluation))}</p>", _html(_main_table(evaluation))]
    parts += [_html(table) for table in _further_tables(evaluation)]
    if evaluation.suspicions:
        items = "".join(f"<li>{escape(s.says)}</li>" for s in evaluation.suspicions)
        parts.append(f"<p>suspicions</p><ul>{items}</ul>")
    return f'<div class="diagnosis-evaluation">{"".join(parts)}</div>'


def _further_tables(evaluation: Evaluation) -> list[Table]:
    return [*_list_tables(evaluation), *_group_tables(evaluation), *detail_tables(evaluation)]


def _list_tables(evaluation: Evaluation) -> list[Table]:
    """Each reading beside the reference lists; no table where the cases have none."""
    if not evaluation.lists:
        return []
    n, threshold = next((one.n, one.threshold) for one in evaluation.lists.values())
    rows: Table = [
        (f"beside {n:,} reference lists, above {threshold:g}", "recall", "precision", "F1", "holds the truth")
    ]
    for name, one in evaluation.lists.items():
        rows.append((name, f"{one.ddr:.3f}", f"{one.ddp:.3f}", f"{one.ddf1:.3f}", f"{one.gtpa:.3f}"))
    return [rows]


def as_frame(evaluation: Evaluation) -> pd.DataFrame:
    """Return one row a group and metric."""
    import pandas as pd

    rows = _frame_rows("all", "all", evaluation.overall)
    for group, values in evaluation.by.items():
        for value, cell in values.items():
            if isinstance(cell, Scores):
                rows += _frame_rows(group, value, cell)
            else:
                rows.append({"group": group, "value": value, "n": cell.n, "suppressed": True})
    columns = ["group", "value", "n", "suppressed", "metric", "estimate", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"estimate": float, "low": float, "high": float})


def _frame_rows(group: str, value: str, scores: Scores) -> list[dict[str, Any]]:
    rows = []
    for metric, estimate in scores.values.items():
        low, high = scores.intervals.get(metric, (None, None))
        row = {"group": group, "value": value, "n": scores.n, "suppressed": False, "metric": metric}
        rows.append(row | {"estimate": estimate, "low": low, "high": high})
    return rows


def _heading(evaluation: Evaluation) -> str:
    scores = evaluation.overall
    and_other = " and OTHER, here counted as one" if evaluation.other else ""
    text = (
        f"Evaluation of {_count(scores.n, 'case')} of {_count(scores.n_patients, 'patient')}, "
        f"{_count(scores.n_diagnoses, 'diagnosis')} (the model names {evaluation.n_named:,}{and_other}); "
        f"{evaluation.reading}, as of {evaluation.as_of}"
    )
    notes = []
    if scores.n_unreachable:
        notes.append(f"{_count(scores.n_unreachable, 'case')} with a diagnosis never seen in training, all misses")
        notes.append(f"each of these adds {_FLOOR:.1f} to the sum behind the log-loss")
    if evaluation.n_unlabelled:
        notes.append(f"{_count(evaluation.n_unlabelled, 'case')} without a diagnosis left out")
    if evaluation.n_seen:
        notes.append(f"{_count(evaluation.n_seen, 'case')} of patients it was trained on left out")
    if evaluation.weighted:
        notes.append("cases weighted")
    return "; ".join([text, *notes])


def _count(n: int, word: str) -> str:
    many = "diagnoses" if word == "diagnosis" else f"{word}s"
    return f"{n:,} {word if n == 1 else many}"


def _main_table(evaluation: Evaluation) -> Table:
    scores, by_site = evaluation.overall, bool(evaluation.overall.site_intervals)
    over = (f"over {evaluation.n_sites} sites",) if by_site else ()
    table: Table = [("", "estimate", "95 % interval", *over, "prior alone")]
    for title, name in _ROWS:
        if scores.values[name] is None and name.startswith(_MAY_LACK):
            continue
        prior = scores.values.get(f"baseline.{name}")
        label = f"{title} (target {number(scores.values['set.target'])})" if name == "set.coverage" else title
        label += " (declared)" if name == evaluation.primary else ""
        ends = (_ends(scores.intervals, name), *((_ends(scores.site_intervals, name),) if by_site else ()))
        table.append((label, number(scores.values[name]), *ends, "" if prior is None else number(prior)))
    return table


def _group_tables(evaluation: Evaluation) -> list[Table]:
    tables = []
    for group, values in evaluation.by.items():
        table: Table = [(f"by {group}", "cases", *(title for title, _ in _GROUP_COLUMNS))]
        for value, cell in values.items():
            if isinstance(cell, Scores):
                shown = [number(cell.values[name]) for _, name in _GROUP_COLUMNS]
            else:
                shown = [cell.why, *[""] * (len(_GROUP_COLUMNS) - 1)]
            table.append((value, f"{cell.n:,}", *shown))
        tables.append(table)
    return tables


def _ends(intervals: Mapping[str, tuple[float, float]], name: str) -> str:
    ends = intervals.get(name)
    return _DASH if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _html(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table[0])
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(c)}</td>" for c in row[1:]) + "</tr>"
        for row in table[1:]
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
