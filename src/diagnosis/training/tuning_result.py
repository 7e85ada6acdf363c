"""What a tuning came to: the best trial beside the config as given, fold by fold."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import stdev
from typing import Any

from diagnosis.training.search_space import Values
from diagnosis.training.study import Tried

__all__ = ["TuningResult", "best_of"]


def best_of(trials: Sequence[Tried]) -> Tried:
    """Return the complete trial with the lowest log-loss; of equal ones the first."""
    return min((one for one in trials if one.state == "complete"), key=lambda one: (one.log_loss, one.number))


@dataclass(frozen=True, slots=True)
class TuningResult:
    """What a study holds.

    Parameters
    ----------
    kind : str
        Of the model.
    n, n_patients : int
        Training cases that took part, and their patients.
    trials : tuple of Tried
        Finished ones; the first is the config as given.
    defaults : mapping of str to float
        What the config as given has for each option that is tuned.
    study : Path
        The SQLite file.
    config : Path
        The best config.
    """

    kind: str
    n: int
    n_patients: int
    trials: tuple[Tried, ...]
    defaults: Values
    study: Path
    config: Path

    @property
    def given(self) -> Tried:
        """The config as given."""
        return self.trials[0]

    @property
    def best(self) -> Tried:
        """The trial with the lowest log-loss; the config as given where none is lower."""
        return best_of(self.trials)

    @property
    def differences(self) -> tuple[float, ...]:
        """Log-loss of the best minus that of the config as given, fold by fold on the same cases, nats."""
        pairs = zip(self.best.folds, self.given.folds, strict=True)
        return tuple(best.log_loss - given.log_loss for best, given in pairs)

    @property
    def note(self) -> str:
        """How far the numbers can be trusted."""
        return (
            f"The log-loss of the best trial is optimistic: it is the lowest of {self._states['complete']} on the same "
            f"cases.\nThe test side was not looked at: `diagnosis train {self.config}` judges the best config there."
        )

    @property
    def _states(self) -> Mapping[str, int]:
        return Counter(one.state for one in self.trials)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "schema": 1,
            "config": str(self.config),
            "study": str(self.study),
            "model": self.kind,
            "n": self.n,
            "n_patients": self.n_patients,
            "trials": {state: self._states[state] for state in ("complete", "pruned", "failed")},
            "given": _plain(self.given, self.defaults),
            "best": _plain(self.best, {**self.defaults, **self.best.values}),
            "differences": list(self.differences),
            "note": self.note,
        }

    def __str__(self) -> str:
        best, given, differences = self.best, self.given, self.differences
        counts = ", ".join(f"{n} {state}" for state, n in self._states.items())
        lines = [
            f"{self.kind}: {len(self.trials)} trials ({counts}), {len(differences)} folds of {self.n:,} training cases "
            f"of {self.n_patients:,} patients",
            f"{'':<12}{'log-loss':>9}{'top-1':>8}   log-loss by fold",
            *(
                _line(name, one.log_loss, one.top1, [f.log_loss for f in one.folds], "")
                for name, one in (("as given", given), ("best", best))
            ),
        ]
        if best is not given:
            change = best.log_loss - given.log_loss, best.top1 - given.top1
            lines.append(_line("difference", *change, differences, "+"))
            error = stdev(differences) / math.sqrt(len(differences))
            better = f"Better in {sum(d < 0 for d in differences)} of {len(differences)} folds"
            lines.append(f"{better}; standard error of the difference over folds {error:.4f}. Changed:")
            lines += [f"  {name}: {self.defaults[name]:g} -> {value:g}" for name, value in best.values.items()]
        else:
            lines.append("No trial was better than the config as given.")
        return "\n".join([*lines, f"Best config: {self.config}", self.note])


def _line(name: str, log_loss: float, top1: float, folds: Sequence[float], sign: str) -> str:
    return f"{name:<12}{log_loss:>{sign}9.4f}{top1:>{sign}8.3f}   {' '.join(f'{x:{sign}.4f}' for x in folds)}"


def _plain(trial: Tried, options: Values) -> dict[str, Any]:
    return {
        "log_loss": trial.log_loss,
        "top1": trial.top1,
        "options": dict(options),
        "folds": [asdict(one) for one in trial.folds],
    }
