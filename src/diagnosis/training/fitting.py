"""The fits and the judgement of a run: one of each, or one fit for each site or group held out.

Each step that was finished before an interruption is read instead of taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation import concatenate, evaluate, evaluate_batch, find_suspicions
from diagnosis.evaluation.answered import beside_prior
from diagnosis.evaluation.credit import credit_of
from diagnosis.evaluation.groups import groups_of
from diagnosis.evaluation.suspicions import between_sides
from diagnosis.suggestions.bundle import load_bundle
from diagnosis.suggestions.fitting import fit_records
from diagnosis.training.asked_once import AskedOnce
from diagnosis.training.building import build_diagnoser
from diagnosis.training.engine import Learning
from diagnosis.training.judged import Judged, read_judged, write_judged
from diagnosis.training.kept_fit import LearnOnce, read_batch, write_batch
from diagnosis.training.sides import Sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagnosis.evaluation import Evaluation
    from diagnosis.models.batch import Batch
    from diagnosis.records import Records
    from diagnosis.suggestions import Diagnoser
    from diagnosis.training.kept import Kept
    from diagnosis.training.schema import Config
    from diagnosis.training.steps import Steps

__all__ = ["Fitted", "Fitting", "fit_each", "fit_once"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted diagnoser, what was found about it, and on which cases.

    Parameters
    ----------
    diagnoser : Diagnoser
        The one that is saved.
    asked : AskedOnce
        The same, to be asked about the cases of `test`.
    judged : Judged
        On cases that the fits it speaks of have not seen.
    train, test : Records
        What the saved one was fitted on, and those cases.
    flow : mapping of str to int
        Cases trained on, judged on and left out.
    note : str
        What the evaluation speaks of, in a sentence.
    unseen : bool
        Whether the saved diagnoser has not seen the cases of `test`.
    """

    diagnoser: Diagnoser
    asked: AskedOnce
    judged: Judged
    train: Records
    test: Records
    flow: dict[str, int]
    note: str
    unseen: bool = True


@dataclass(frozen=True, slots=True)
class Fitting:
    """How a run fits.

    Parameters
    ----------
    config : Config
    provenance : mapping
        What the saved model says of its own making.
    kept : Kept
    steps : Steps
    learning : callable
        As `diagnosis.suggestions.learned.learn`: where cases are encoded and models fitted.
    """

    config: Config
    provenance: Mapping[str, Any]
    kept: Kept
    steps: Steps
    learning: Learning

    def diagnoser(self, records: Records, name: str, of: str) -> Diagnoser:
        """Fit and calibrate on records, keep both under `name`; or read what was kept."""
        done = self.kept.finished(f"{name}calibrate")
        if done is not None:
            return load_bundle(done / "bundle")
        made = build_diagnoser(self.config)
        text = f"Fit {self.config.model.kind} on {len(records):,} cases{of}"
        learning = LearnOnce(self.kept, f"{name}fit", self.steps, text, self.learning)
        with self.steps("calibrate", f"Calibrate{of}"):
            fit_records(made, made.as_known(records), None, None, learning=learning).give_to(made)
            with self.kept.step(f"{name}calibrate") as folder:
                made.save(folder / "bundle", provenance=self.provenance)
        return made

    def judged(self, text: str, judge: Callable[[], Evaluation]) -> Judged:
        """Evaluate and keep what was found; or read it."""
        done = self.kept.finished("evaluate")
        if done is not None:
            return read_judged(done, judge)
        with self.steps("evaluate", text):
            made = Judged.of(judge())
            with self.kept.step("evaluate") as folder:
                write_judged(folder, made)
        return made


def fit_once(fitting: Fitting, sides: Sides) -> Fitted:
    """Fit on the training side and judge on the other."""
    config = fitting.config
    diagnoser = fitting.diagnoser(sides.train, "", "")
    asked = AskedOnce(diagnoser)
    judged = fitting.judged(
        f"Evaluate on {len(sides.test):,} unseen cases",
        lambda: _beside(evaluate(asked, sides.test, by=config.evaluation.by, seed=config.seed), diagnoser, sides),
    )
    flow = {"train": len(sides.train), "test": len(sides.test), "left out, patient trained on": sides.left_out}
    note = "Evaluated on cases the saved model has not seen."
    return Fitted(diagnoser, asked, judged, sides.train, sides.test, flow, note)


def _beside(found: Evaluation, diagnoser: Diagnoser, sides: Sides) -> Evaluation:
    """Add what only both sides together show: copies of training cases among the tested."""
    train, test = diagnoser.as_known(sides.train), diagnoser.as_known(sides.test)
    more = between_sides(test, train, None, None)
    return replace(found, suspicions=(*found.suspicions, *more))


def fit_each(fitting: Fitting, records: Records, held_out: Sequence[Sides]) -> Fitted:
    """Hold each site or group out once, pool the judgements, and fit on everything at last."""
    by = fitting.config.split.by
    found = [_fold(fitting, sides, f"fold-{i:03d}-") for i, sides in enumerate(held_out, start=1)]
    batches, truths = [batch for batch, _ in found], [truth for _, truth in found]
    flow = {f"test {by} {sides.held_out}": len(sides.test) for sides in held_out}
    flow["left out, patient trained on"] = sum(sides.left_out for sides in held_out)
    test = _joined(records, [sides.test for sides in held_out])
    judged = fitting.judged(
        f"Evaluate on {len(test):,} cases, each by the fit that has not seen it",
        lambda: _pooled(fitting.config, test, batches, np.concatenate(truths)),
    )
    diagnoser = fitting.diagnoser(records, "", "")
    flow |= {"train": len(records), "test": len(test)}
    note = (
        f"Evaluated by {len(held_out)} fits, each without one {by} and judged on it, pooled; "
        f"the saved model is a further fit on all {len(records):,} cases and has no unseen cases of its own."
    )
    return Fitted(diagnoser, AskedOnce(diagnoser), judged, records, test, flow, note, unseen=False)


def _fold(fitting: Fitting, sides: Sides, name: str) -> tuple[Batch, NDArray[np.object_]]:
    """Judge one side by a fit on the other."""
    done = fitting.kept.finished(f"{name}judged")
    if done is not None:
        return read_batch(done)
    diagnoser = fitting.diagnoser(sides.train, name, f", without {fitting.config.split.by} {sides.held_out}")
    with fitting.steps("evaluate", f"Judge {len(sides.test):,} cases of {sides.held_out}"):
        batch, truth = diagnoser.batch(sides.test), diagnoser.truth(sides.test)
        with fitting.kept.step(f"{name}judged") as folder:
            write_batch(folder, batch, truth)
    return batch, truth


def _joined(records: Records, parts: list[Records]) -> Records:
    """The parts as one set of records, in their order."""
    position = {case: i for i, case in enumerate(records.case_ids.tolist())}
    rows = np.array([position[case] for part in parts for case in part.case_ids.tolist()], dtype=np.int64)
    return records[rows]


def _pooled(config: Config, test: Records, batches: list[Batch], truth: NDArray[np.object_]) -> Evaluation:
    labels = test.labels(config.labels.status)
    by = dict.fromkeys((*config.evaluation.by, config.split.by))
    found = evaluate_batch(
        concatenate(batches),
        truth,
        test.groups,
        groups=groups_of(test, tuple(by)),
        must_not_miss=np.array([label in test.vocabulary.must_not_miss for label in labels], dtype=bool),
        suspicions=find_suspicions(test, labels, seed=config.seed),
        seed=config.seed,
        credit=credit_of(test, labels),
        sites=test.column("site"),
    )
    # The mean of the priors would know how common each diagnosis is on the sides that are judged.
    priors = concatenate([_prior_alone(batch) for batch in batches])
    alone = evaluate_batch(priors, truth, test.groups, n_boot=0, seed=config.seed, details=False)
    return replace(found, overall=beside_prior(found.overall, alone.overall))


def _prior_alone(batch: Batch) -> Batch:
    """What knowing nothing but how common each diagnosis was would answer."""
    return replace(batch, proba=np.tile(batch.prior, (len(batch), 1)))
