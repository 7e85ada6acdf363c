"""Trials of a config's options: drawn by Optuna, judged fold by fold, kept in an SQLite file; one can go on later."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from diagnosis.errors import InputError, WorkError
from diagnosis.training.cross_validation import FoldScore, mean_of
from diagnosis.training.search_space import Knob, Values, drawn, rounded

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

__all__ = ["Judge", "Tried", "check_optuna", "run_trials", "study_in", "tried"]

#: From values put into the config (none: as given) to the scores of the folds so far, after each fold.
Judge: TypeAlias = Callable[[dict[str, float]], Iterator[list[FoldScore]]]

_NAME = "diagnosis"
_GIVEN, _FAILED, _FOLDS, _MADE_FROM = "given", "failed", "folds", "made_from"
_SQLITE = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial.

    Parameters
    ----------
    number : int
    values : mapping of str to float
        What was put into the config; empty: the config as given.
    state : {"complete", "pruned", "failed"}
        Pruned: given up after some folds, being worse there than half of the trials before. Failed: the values cannot
        be fitted.
    folds : tuple of FoldScore
        Of a complete trial.
    """

    number: int
    values: Values
    state: Literal["complete", "pruned", "failed"]
    folds: tuple[FoldScore, ...] = ()

    @property
    def log_loss(self) -> float:
        """Mean over all cases, nats."""
        return mean_of(self.folds)

    @property
    def top1(self) -> float:
        """Share of all cases whose diagnosis comes first."""
        return mean_of(self.folds, "top1")


def check_optuna() -> None:
    """Raise InputError if Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise InputError(
            "Tuning needs the package optuna",
            "It is not installed",
            "Install it with: pip install 'diagnosis[tune]'",
        ) from None


@contextmanager
def study_in(file: Path, made_from: Mapping[str, object]) -> Iterator[Study]:
    """Open the study in a file, or begin one there; the file is its owner's alone.

    Parameters
    ----------
    file : Path
        In a folder that exists.
    made_from : mapping
        Plain values of everything that decides what a trial comes to.

    Raises
    ------
    InputError
        If the file is something else, or its study was made from something else.
    WorkError
        If it cannot be written.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    loud = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if file.exists():
            _refuse_foreign(file)
        else:
            _begin(file)
        with _storage(file) as storage:
            before = optuna.get_all_study_names(storage)
            name = before[0] if before else f"{_NAME} {_kind(made_from)}".strip()
            study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
            _bind(study, json.loads(json.dumps(made_from)), file)
            yield study
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise WorkError(
            f"The study {file} could not be read or written ({type(error).__name__}). Trials that were finished are in "
            "it; see to the disk and the file's rights, and run the same command again."
        ) from error
    finally:
        optuna.logging.set_verbosity(loud)


@contextmanager
def _storage(file: Path) -> Iterator[Any]:
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import URL

    url = URL.create("sqlite", database=str(file.absolute())).render_as_string()
    # Optuna formats the address.
    try:
        storage = RDBStorage(url.replace("{", "{{").replace("}", "}}"))
    except RuntimeError:
        raise InputError(
            f"The study {file} was asked for",
            "It was made by another version of Optuna",
            "Name another file with --study, or install that version.",
        ) from None
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _begin(file: Path) -> None:
    """Make an empty study file, whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.absolute().parent)  # mode 0600
    os.close(handle)
    made = Path(name)
    try:
        with _storage(made):
            pass
        made.rename(file)
    finally:
        for left in (made, made.with_name(f"{made.name}-journal")):
            left.unlink(missing_ok=True)


def _refuse_foreign(file: Path) -> None:
    tables: set[str] = set()
    with file.open("rb") as start:
        database = start.read(len(_SQLITE)) == _SQLITE
    if database:
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    if not {"studies", "trials"} <= tables:
        raise InputError(f"The study {file} was asked for", "That file holds no study", "Name another with --study.")


def _bind(study: Study, made_from: Mapping[str, object], file: Path) -> None:
    """Write down what a new study is made from; refuse one that is made from something else."""
    known = study.user_attrs.get(_MADE_FROM)
    if known is None and not study.trials:
        study.set_user_attr(_MADE_FROM, made_from)
        return
    before = known if isinstance(known, dict) else {}
    kinds = _kind(before), _kind(made_from)
    if all(kinds) and kinds[0] != kinds[1]:
        raise InputError(
            f"The study {file} was to go on for a model of the kind {kinds[1]}",
            f"It tunes one of the kind {kinds[0]}, whose trials say nothing of the other",
            "Leave --study away, so that each kind has a study of its own, or name another file.",
        )
    if other := [name for name in sorted({*before, *made_from}) if before.get(name) != made_from.get(name)]:
        raise InputError(
            f"The study {file} was to go on",
            f"It was made with other {', '.join(other)}, so its trials cannot be compared with new ones",
            "Begin another with --study OTHER.db, remove the file, or go back to the config and the records it is of.",
        )


def _kind(made_from: Mapping[str, object]) -> str:
    """Kind of model that a study tunes; empty where it does not say."""
    model = made_from.get("model")
    return str(model.get("kind", "")) if isinstance(model, Mapping) else ""


def tried(study: Study) -> list[Tried]:
    """Return the finished trials in their order; those that were interrupted are no part of it."""
    found = []
    for trial in study.get_trials(deepcopy=False):
        state = _state(trial)
        if state is not None:
            values = {} if trial.user_attrs.get(_GIVEN) else rounded(trial.params)
            folds = tuple(FoldScore(**one) for one in trial.user_attrs.get(_FOLDS, ()))
            found.append(Tried(trial.number, values, state, folds))
    return found


def _state(trial: FrozenTrial) -> Literal["complete", "pruned", "failed"] | None:
    if trial.state.name == "COMPLETE":
        return "complete"
    if trial.state.name == "PRUNED":
        return "pruned"
    return "failed" if trial.state.name == "FAIL" and _FAILED in trial.user_attrs else None


def run_trials(
    study: Study,
    knobs: Sequence[Knob],
    judge: Judge,
    *,
    n_folds: int,
    trials: int,
    timeout: float | None,
    seed: int,
    show: Callable[[list[Tried], int], None],
) -> list[Tried]:
    """Go on until there are so many trials; the first is always the config as given.

    Each trial is drawn with a seed of its own, from those before it: a study that was interrupted goes on as if it had
    not been. An interrupted trial is tried again.

    Parameters
    ----------
    study : Study
    knobs : sequence of Knob
    judge : Judge
    n_folds : int
        How often `judge` yields.
    trials : int
        In the whole study.
    timeout : float, optional, seconds
        No further trial begins after it; the first always does.
    seed : int
    show : callable
        Is handed the finished trials and how many folds of the running one are fitted, whenever that changes.
    """
    import optuna

    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1)
    end = None if timeout is None else time.monotonic() + timeout
    done = tried(study)
    show(done, 0)
    while len(done) < trials and (not done or end is None or time.monotonic() < end):
        own = int(np.random.SeedSequence((seed, len(done))).generate_state(1)[0])
        study.sampler = optuna.samplers.TPESampler(seed=own, constant_liar=False)
        if not done and not study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,)):
            study.enqueue_trial({knob.name: knob.given for knob in knobs}, user_attrs={_GIVEN: True})
        _run(study, study.ask(), knobs, judge, n_folds, partial(show, done))
        done = tried(study)
        show(done, 0)
    return done


def _run(
    study: Study, trial: Trial, knobs: Sequence[Knob], judge: Judge, n_folds: int, show: Callable[[int], None]
) -> None:
    """Run one trial and write down what became of it."""
    from optuna.trial import TrialState

    values = drawn(trial, knobs)
    given = bool(trial.user_attrs.get(_GIVEN))
    folds: list[FoldScore] = []
    try:
        for step, folds in enumerate(judge({} if given else values)):
            trial.report(mean_of(folds), step)
            show(step + 1)
            if not given and len(folds) < n_folds and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                return
    except ValueError as error:
        if given:  # the config itself cannot be fitted
            study.tell(trial, state=TrialState.FAIL)
            raise
        trial.set_user_attr(_FAILED, type(error).__name__)
        study.tell(trial, state=TrialState.FAIL)
    except BaseException:
        study.tell(trial, state=TrialState.FAIL)
        raise
    else:
        trial.set_user_attr(_FOLDS, [asdict(one) for one in folds])
        study.tell(trial, mean_of(folds))
