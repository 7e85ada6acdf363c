"""The report of a run for others: evaluation, plots and model card. Nothing in it is of a single patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnosis.evaluation import report
from diagnosis.evaluation.model_card import FOR_A_PERSON, card_items
from diagnosis.evaluation.small_cells import hidden_cells
from diagnosis.pages.evaluation_plots import groups_plot, reliability_plot
from diagnosis.pages.translations import phrase
from diagnosis.records.labels import OTHER, said_diagnoses

if TYPE_CHECKING:
    from diagnosis.evaluation import EvaluationReport
    from diagnosis.pages.plot import Plot
    from diagnosis.suggestions import Diagnoser
    from diagnosis.training.fitting import Fitted
    from diagnosis.training.judged import Judged
    from diagnosis.training.schema import Config

__all__ = ["write_report"]

_DRAWS = 100  # of the intervals of stages and of the reference standard
#: Cases asked about again stage by stage and by what confirmed their diagnosis: so many leave 1.4 points either side.
_MOST_AGAIN = 5_000


def write_report(folder: Path, config: Config, fitted: Fitted, note: str) -> None:
    """Write `report.html`, `model_card.md` and `plots/*.svg` into a folder.

    Parameters
    ----------
    folder : Path
    config : Config
    fitted : Fitted
    note : str
        What the evaluation speaks of.
    """
    (folder / "plots").mkdir()
    for name, plot in _plots(fitted.judged):
        (folder / "plots" / f"{name}.svg").write_text(plot.to_svg(), encoding="utf-8")
    found = report(
        fitted.asked,
        fitted.test,
        train=fitted.train if fitted.unseen else None,
        evaluation=fitted.judged.evaluation,
        title=f"Run {config.name}",
        seed=config.seed,
        n_boot=_DRAWS,
        on_seen="report",
        again=fitted.unseen,
        most_again=_MOST_AGAIN,
    )
    found.save(folder / "report.html")
    card = _card(config, fitted.diagnoser, fitted.judged.plain, note, found.facts["min_cell"]) + _items(found)
    (folder / "model_card.md").write_text(card, encoding="utf-8")


def _items(found: EvaluationReport) -> str:
    """The items of TRIPOD+AI as a table of the card."""
    rows = [(i.item, i.topic, i.asks, (i.says or FOR_A_PERSON).replace("|", "/")) for i in card_items(found)]
    head = "\n## TRIPOD+AI (BMJ 2024;385:e078378)\n\n| item | about | asks | this run |\n|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _plots(judged: Judged) -> Iterator[tuple[str, Plot]]:
    plain, curve = judged.plain, judged.curve
    yield "calibration", reliability_plot(curve["confidence"], curve["accuracy"], [int(n) for n in curve["n"]])
    rows = {"all cases": (plain["top"]["1"], _ends(plain))}
    for group, values in plain["by"].items():
        shown = {f"{group}: {value}": cell for value, cell in values.items() if not cell.get("suppressed")}
        rows |= {name: (cell["top"]["1"], _ends(cell)) for name, cell in shown.items()}
    yield "top1_by_group", groups_plot(rows, "the diagnosis on record comes first, share of cases")


def _ends(plain: Mapping[str, Any]) -> tuple[float, float] | None:
    ends = plain.get("intervals", {}).get("top.1")
    return None if ends is None else (ends[0], ends[1])


def _card(config: Config, diagnoser: Diagnoser, plain: Mapping[str, Any], note: str, least: int) -> str:
    card = diagnoser.card_
    counts = card["n_by_diagnosis"]
    few = hidden_cells({code: (n,) for code, n in counts.items()}, least)
    lines = [
        f"# {config.name}",
        "",
        "Suggests diagnoses with calibrated probabilities, for a clinician's decision. Not for patients, not for "
        "decisions without time to think, and it suggests no dose.",
        "",
        f"- Model: {diagnoser.name}, as of: {diagnoser.moment}, reading: {plain['reading']}",
        f"- Trained on: {card['n_cases']:,} cases, {said_diagnoses(counts)}",
        f"- Labels: {config.labels.rule}, {', '.join(config.labels.status)}; "
        f"fewer than {config.labels.min_cases} cases: {config.labels.rest}",
        f"- {note}",
        "",
        "| unseen cases | value | 95 % interval |",
        "|---|---|---|",
        *(_row(name, plain, path) for name, path in _ROWS),
        "",
        "## Diagnoses",
        "",
        "| code | name | training cases |",
        "|---|---|---|",
        *(
            f"| {code} | {_name(diagnoser, code)} | {'not shown' if code in few else f'{n:,}'} |"
            for code, n in counts.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _name(diagnoser: Diagnoser, code: str) -> str:
    """What a diagnosis is called, empty where that is its code."""
    name = phrase("list.other", "en") if code == OTHER else diagnoser.vocabulary_.diagnosis_name(code)
    return "" if name == code else name


_ROWS = (
    ("first suggestion right", "top.1"),
    ("among the first three", "top.3"),
    ("log-loss", "log_loss"),
    ("calibration error", "ece"),
    ("coverage of the sets", "set.coverage"),
    ("must-not-miss sensitivity", "must_not_miss.sensitivity"),
)


def _row(name: str, plain: Mapping[str, Any], path: str) -> str:
    found: Any = plain
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    ends = plain.get("intervals", {}).get(path)
    between = "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
    return f"| {name} | {'–' if found is None else f'{found:.3f}'} | {between} |"
