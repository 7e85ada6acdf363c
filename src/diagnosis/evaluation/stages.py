"""The same cases as seen at the complaint, after history and examination, with laboratory, with imaging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from diagnosis.errors import InputError
from diagnosis.evaluation.aligned import aligned, number
from diagnosis.evaluation.evaluate import Evaluated, OnSeen, evaluate
from diagnosis.evaluation.scores import Scores
from diagnosis.records.schema import PHASES

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.records import At, Records

__all__ = ["Stage", "StageScores", "Stages", "evaluate_stages", "seen_at", "stages_of"]

_LEAST_PHASED = 0.5
_SHOWN = (("top-1", "top.1"), ("top-3", "top.3"), ("log-loss", "log_loss"), ("slope", "calibration.slope"))


@dataclass(frozen=True, slots=True)
class Stage:
    """A point in a visit: everything up to a phase, or known by a moment.

    Parameters
    ----------
    name : str
    phase : str, optional
        Up to this phase; the finding's own, else that of its code in the vocabulary.
    at : {"arrival", "index", "end"} or float, optional
        Known by this moment, in hours after the start; one of `phase` and `at` is given.
    """

    name: str
    phase: str | None = None
    at: At | None = None

    def __post_init__(self) -> None:
        if (self.phase is None) == (self.at is None) or (self.phase is not None and self.phase not in PHASES):
            raise InputError(
                "A stage ends with a phase or at a moment, one of the two",
                f"found phase {self.phase!r} and moment {self.at!r}",
                f"give one phase of {', '.join(PHASES)}, or arrival, index, end or hours",
            )


_BY_PHASE = (
    Stage("complaint", "chief_complaint"),
    Stage("history and examination", "bedside"),
    Stage("basic laboratory", "laboratory"),
    Stage("imaging", "imaging"),
    Stage("everything", "follow_up"),
)
_BY_TIME = (
    Stage("at arrival", at=0.0),
    Stage("after 1 h", at=1.0),
    Stage("after 6 h", at=6.0),
    Stage("after 24 h", at=24.0),
    Stage("end", at="end"),
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StageScores:
    """How well it does at one stage.

    Parameters
    ----------
    stage : Stage
    findings : float
        Findings a case that are known by then, on average.
    scores : Scores
        Of the diagnoser as it was fitted.
    refitted : Scores or None
        Of one fitted on the training cases as they were seen at this stage.
    """

    stage: Stage
    findings: float
    scores: Scores
    refitted: Scores | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Stages:
    """Metrics of the same cases stage by stage: what a place that has only the first ones can expect.

    Parameters
    ----------
    stages : tuple of StageScores
        In the order of the visit.
    n_rows : int
        Findings in all.
    n_unplaced : int
        Findings of which neither row nor vocabulary says the stage; they count as known at every one.
    moment : str
        The diagnoser's own moment: what was known later is used at no stage.
    """

    stages: tuple[StageScores, ...]
    n_rows: int
    n_unplaced: int
    moment: str = "end"

    def to_json(self) -> dict[str, Any]:
        """Return plain values; every number is finite or None."""
        return {
            "n_findings": self.n_rows,
            "n_unplaced": self.n_unplaced,
            "moment": self.moment,
            "stages": [
                {
                    "stage": one.stage.name,
                    "phase": one.stage.phase,
                    "at": one.stage.at,
                    "findings_per_case": one.findings,
                    "scores": one.scores.to_json(),
                    "refitted": None if one.refitted is None else one.refitted.to_json(),
                }
                for one in self.stages
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row a stage, fit and metric: stage, fit, n, findings, metric, estimate, low, high."""
        import pandas as pd

        rows = []
        for one in self.stages:
            for fit, scores in (("as fitted", one.scores), ("refitted", one.refitted)):
                if scores is None:
                    continue
                for metric, estimate in scores.values.items():
                    low, high = scores.intervals.get(metric, (None, None))
                    ends = {"metric": metric, "estimate": estimate, "low": low, "high": high}
                    rows.append({"stage": one.stage.name, "fit": fit, "n": scores.n, "findings": one.findings} | ends)
        return pd.DataFrame(rows).astype({"estimate": float, "low": float, "high": float})

    def __repr__(self) -> str:
        titles = [title for title, _ in _SHOWN]
        rows = [("stage", "findings a case", *titles, *(["refitted top-1", "log-loss"] if self._is_refitted else []))]
        for one in self.stages:
            cells = [_cell(one.scores, name) for _, name in _SHOWN]
            if one.refitted is not None:
                cells += [_cell(one.refitted, "top.1"), _cell(one.refitted, "log_loss")]
            rows.append((one.stage.name, f"{one.findings:.1f}", *cells))
        n = self.stages[0].scores.n
        unplaced = f"; {self.n_unplaced:,} of {self.n_rows:,} findings do not say when" if self.n_unplaced else ""
        late = "" if self.moment == "end" else f"; nothing known after its own moment ({self.moment}) is used"
        return f"{n:,} cases stage by stage, 95 % intervals{unplaced}{late}\n\n{aligned(rows)}"

    @property
    def _is_refitted(self) -> bool:
        return any(one.refitted is not None for one in self.stages)


class Refittable(Evaluated, Protocol):
    """What can be fitted anew on the training cases of a stage: an unfitted copy comes from `sklearn.base.clone`."""

    def fit(self, records: Records) -> Any:
        """Learn from cases."""
        ...


def evaluate_stages(
    diagnoser: Evaluated,
    records: Records,
    *,
    stages: Sequence[Stage] | None = None,
    train: Records | None = None,
    y: ArrayLike | None = None,
    n_boot: int = 200,
    seed: int = 0,
    on_seen: OnSeen = "raise",
) -> Stages:
    """Evaluate a fitted diagnoser on the same cases as they were seen at each stage.

    A model fitted on whole visits has learned from findings that are not there yet; how much of what is lost at an
    early stage is that, and how much is missing knowledge, shows beside a refit on the training cases of the stage.

    Parameters
    ----------
    diagnoser : Diagnoser
    records : Records
        Cases it was not fitted on.
    stages : sequence of Stage, optional
        In the order of the visit. By default the complaint, history and examination (bedside measurements among them),
        laboratory, imaging and everything; where most findings say no phase, by hours after arrival.
    train : Records, optional
        The training cases: then the diagnoser is also fitted anew at each stage. Takes a fit a stage.
    y : array-like of shape (n_cases,), optional
        True diagnoses, instead of those in the records.
    n_boot, seed : int
        Draws of patients for the intervals, the same ones at every stage.
    on_seen : {"raise", "leave_out", "report"}
        As in `evaluate`.

    Raises
    ------
    InputError
        Findings say neither a phase nor a time, or the cases cannot be evaluated.

    Examples
    --------
    >>> import diagnosis as dx
    >>> train, test = dx.split(dx.load_sample()[:800], seed=0)
    >>> found = dx.evaluate_stages(dx.Diagnoser(model="linear", folds=2).fit(train), test, n_boot=0)
    >>> [one.stage.name for one in found.stages]
    ['complaint', 'history and examination', 'basic laboratory', 'imaging']
    """
    chosen = stages_of(records) if stages is None else tuple(stages)
    if not chosen:
        raise InputError("One stage or more to evaluate at", "found none", "leave `stages` out for the usual ones")
    found = []
    for stage in chosen:
        view = seen_at(records, stage)
        scores = _scores(diagnoser, view, y, n_boot, seed, on_seen)
        refitted = None
        if train is not None:
            again = _refit(diagnoser, seen_at(train, stage))
            refitted = _scores(again, view, y, n_boot, seed, on_seen)
        found.append(StageScores(stage, len(view.coded) / max(len(view), 1), scores, refitted))
    unplaced = int(_unplaced(records, chosen).sum())
    return Stages(tuple(found), len(records.coded), unplaced, str(getattr(diagnoser, "moment", "end")))


def stages_of(records: Records) -> tuple[Stage, ...]:
    """The usual stages: by phase where most findings say one, else by hours after arrival."""
    places = _places(records)
    if len(places) and (places >= 0).mean() >= _LEAST_PHASED:
        # The last stage is one of its own only where something comes after imaging.
        return _BY_PHASE if places.max() > PHASES.index("imaging") else _BY_PHASE[:-1]
    has_start = not np.isnat(records.column("time").astype("datetime64[us]")).all()
    if has_start and (records.clocks[0] != np.iinfo(np.int64).min).mean() >= _LEAST_PHASED:
        return _BY_TIME
    raise InputError(
        "Findings that say in which phase of the visit, or when, they were known",
        "most say neither",
        "fill `phase` in the findings or the vocabulary, or `known`, or give `stages`",
    )


def seen_at(records: Records, stage: Stage) -> Records:
    """The same cases with what was known by the stage; what does not say when stays in."""
    if stage.phase is None:
        return records.as_of(stage.at)
    return records.without(_places(records) > PHASES.index(stage.phase))


def _scores(
    diagnoser: Evaluated, view: Records, y: ArrayLike | None, n_boot: int, seed: int, on_seen: OnSeen
) -> Scores:
    return evaluate(
        diagnoser, view, y=y, n_boot=n_boot, seed=seed, suspicions=False, details=False, on_seen=on_seen
    ).overall


def _refit(diagnoser: Evaluated, train: Records) -> Evaluated:
    if not hasattr(diagnoser, "fit"):
        raise InputError(
            "A diagnoser that can be fitted anew at each stage",
            f"found {type(diagnoser).__name__}, which has no `fit`",
            "leave `train` out, or give a Diagnoser",
        )
    again: Refittable = clone(diagnoser)
    again.fit(train)
    return again


def _places(records: Records) -> NDArray[np.int64]:
    """Place of each finding's phase in the visit, its own or that of its code; -1 where neither says."""
    rows = np.arange(len(records.coded))
    which, names = records.finding_words("phase", rows)
    own = np.array([*(_place(str(name)) for name in names), -1], np.int64)[which]
    of_code = np.array([_place(records.vocabulary.phase(str(c))) for c in records.coded.codes], np.int64)
    return np.where(own >= 0, own, of_code[records.coded.code]) if len(of_code) else own


def _place(phase: str | None) -> int:
    return PHASES.index(phase) if phase in PHASES else -1


def _unplaced(records: Records, stages: tuple[Stage, ...]) -> NDArray[np.bool_]:
    if any(stage.phase is not None for stage in stages):
        return _places(records) < 0
    return records.clocks[0] == np.iinfo(np.int64).min


def _cell(scores: Scores, name: str) -> str:
    ends = scores.intervals.get(name)
    return number(scores.values[name]) + ("" if ends is None else f" ({ends[0]:.3f} to {ends[1]:.3f})")
