"""What a run made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnosis.training.judged import Judged

if TYPE_CHECKING:
    from diagnosis.evaluation import Evaluation
    from diagnosis.records import Records
    from diagnosis.suggestions import Diagnoser

__all__ = ["TrainingResult"]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a run made.

    Parameters
    ----------
    diagnoser : Diagnoser
        Fitted, as saved.
    judged : Judged
        What was found on unseen cases, as it is written down.
    model_path : Path
        The bundle.
    run_id : str or None
        In MLflow; None without tracking.
    flow : mapping of str to int
        Where every case that was read has gone.
    seconds : mapping of str to float, seconds
        Wall time by step; steps that an interrupted run had finished are not among them.
    peak_mib : mapping of str to float, MiB
        The most resident memory during each step.
    note : str
        What the evaluation speaks of.
    test : Records
        The unseen cases that were judged on.
    outside : tuple of str
        What the run has written outside its own folder.
    """

    diagnoser: Diagnoser
    judged: Judged
    model_path: Path
    run_id: str | None
    flow: Mapping[str, int]
    seconds: Mapping[str, float]
    peak_mib: Mapping[str, float]
    note: str
    test: Records
    outside: tuple[str, ...] = ()

    @property
    def evaluation(self) -> Evaluation:
        """On unseen cases. A run that was resumed after this step evaluates again when it is asked for."""
        return self.judged.evaluation

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain values: `model`, `run_id`, `metrics`, what became of the cases, what it took."""
        return {
            "model": str(self.model_path),
            "run_id": self.run_id,
            "metrics": self.judged.plain,
            "cases": dict(self.flow),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "peak_mib": {name: round(value, 1) for name, value in self.peak_mib.items()},
            "note": self.note,
            "outside": list(self.outside),
        }

    def __repr__(self) -> str:
        return f"<TrainingResult: {self.model_path}, run {self.run_id or 'not tracked'}>\n{self.judged.text}"
