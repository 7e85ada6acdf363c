"""The fits and the judgement of a run: one of each, or one fit for each site or group held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation import concatenate, evaluate, evaluate_batch, find_suspicions
from diagnosis.evaluation.groups import groups_of
from diagnosis.training.building import build_diagnoser
from diagnosis.training.sides import Sides, held_out_each

if TYPE_CHECKING:
    from diagnosis.evaluation import Evaluation
    from diagnosis.models.batch import Batch
    from diagnosis.records import Records
    from diagnosis.suggestions import Diagnoser
    from diagnosis.training.schema import Config
    from diagnosis.training.steps import Steps

__all__ = ["Fitted", "fit_each", "fit_once"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted diagnoser, what was found about it, and on which cases.

    Parameters
    ----------
    diagnoser : Diagnoser
        The one that is saved.
    evaluation : Evaluation
        On cases that the fits it speaks of have not seen.
    test : Records
        Those cases.
    flow : mapping of str to int
        Cases trained on, judged on and left out.
    note : str
        What the evaluation speaks of, in a sentence.
    """

    diagnoser: Diagnoser
    evaluation: Evaluation
    test: Records
    flow: dict[str, int]
    note: str


def fit_once(config: Config, sides: Sides, steps: Steps) -> Fitted:
    """Fit on the training side and judge on the other."""
    with steps("fit", f"Fit {config.model.kind} on {len(sides.train):,} cases"):
        diagnoser = build_diagnoser(config).fit(sides.train)
    with steps("evaluate", f"Evaluate on {len(sides.test):,} unseen cases"):
        evaluation = evaluate(diagnoser, sides.test, by=config.evaluation.by, seed=config.seed)
    flow = {"train": len(sides.train), "test": len(sides.test), "left out, patient trained on": sides.left_out}
    note = "Evaluated on cases the saved model has not seen."
    return Fitted(diagnoser, evaluation, sides.test, flow, note)


def fit_each(config: Config, records: Records, steps: Steps) -> Fitted:
    """Hold each site or group out once, pool the judgements, and fit on everything at last."""
    by = config.split.by
    tests: list[Records] = []
    batches: list[Batch] = []
    truths: list[NDArray[np.object_]] = []
    flow: dict[str, int] = {}
    for sides in held_out_each(records, config.split, config.seed):
        with steps("fit each", f"Fit {config.model.kind} without {by} {sides.held_out}, {len(sides.train):,} cases"):
            diagnoser = build_diagnoser(config).fit(sides.train)
            batches.append(diagnoser.batch(sides.test))
            truths.append(diagnoser.truth(sides.test))
            tests.append(sides.test)
        flow[f"test {by} {sides.held_out}"] = len(sides.test)
        flow["left out, patient trained on"] = flow.get("left out, patient trained on", 0) + sides.left_out
    test = _joined(records, tests)
    with steps("evaluate", f"Evaluate on {len(test):,} cases, each by the fit that has not seen it"):
        evaluation = _pooled(config, test, batches, np.concatenate(truths))
    with steps("fit", f"Fit {config.model.kind} on all {len(records):,} cases"):
        diagnoser = build_diagnoser(config).fit(records)
    flow |= {"train": len(records), "test": len(test)}
    note = (
        f"Evaluated by {len(tests)} fits, each without one {by} and judged on it, pooled; "
        f"the saved model is a further fit on all {len(records):,} cases and has no unseen cases of its own."
    )
    return Fitted(diagnoser, evaluation, test, flow, note)


def _joined(records: Records, parts: list[Records]) -> Records:
    """The parts as one set of records, in their order."""
    position = {case: i for i, case in enumerate(records.case_ids.tolist())}
    rows = np.array([position[case] for part in parts for case in part.case_ids.tolist()], dtype=np.int64)
    return records[rows]


def _pooled(
    config: Config, test: Records, batches: list[Batch], truth: np.ndarray[tuple[int], np.dtype[np.object_]]
) -> Evaluation:
    labels = test.labels(config.labels.status)
    by = dict.fromkeys((*config.evaluation.by, config.split.by))
    return evaluate_batch(
        concatenate(batches),
        truth,
        test.groups,
        groups=groups_of(test, tuple(by)),
        must_not_miss=np.array([label in test.vocabulary.must_not_miss for label in labels], dtype=bool),
        suspicions=find_suspicions(test, labels, seed=config.seed),
        seed=config.seed,
    )
