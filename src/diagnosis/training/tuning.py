"""Choose the options of a config by cross-validation on its training side; the test side is never looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnosis.errors import InputError
from diagnosis.models.registry import AUTO, choose_kind
from diagnosis.training.cohort import take_part
from diagnosis.training.config import read_config
from diagnosis.training.cross_validation import Folds
from diagnosis.training.knowledge import with_knowledge, with_words
from diagnosis.training.run import read_source
from diagnosis.training.search_space import Knob, kept, knobs_of, with_values
from diagnosis.training.sides import one_split
from diagnosis.training.steps import Steps
from diagnosis.training.study import Tried, check_optuna, run_trials, study_in
from diagnosis.training.tuned_config import check_tuned, of_kind, tuned_path, write_tuned
from diagnosis.training.tuning_result import TuningResult, best_of

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.training.schema import Config

__all__ = ["tune"]

# What decides the cases and their folds, beside the records themselves.
_DECIDES = ("seed", "labels", "features", "model")


def tune(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    trials: int = 50,
    timeout: float | None = None,
    study: str | Path | None = None,
    folds: int = 5,
) -> TuningResult:
    """Choose a config's options: those of its kind of model, and how rare a column may be.

    Options are drawn by Optuna (TPE), judged by log-loss in cross-validation grouped by patient, and given up after
    some folds where they are worse there than half of those before. The first trial is the config as given, so that the
    best is never worse by this measure. Only training cases take part; those that the config keeps for testing are not
    looked at, and published `test_records` are not read.

    Parameters
    ----------
    path : str or Path
        The YAML file of a config.
    overrides : sequence of str
        `a.b=VALUE`, as in training.
    trials : int
        How many the study is to hold, earlier ones included.
    timeout : float, optional, seconds
        No further trial begins after it.
    study : str or Path, optional
        The SQLite file of the study, gone on with if it exists; `runs/NAME-KIND-tuning.db`, beside the run's folder,
        when not given, with the kind of model that the config asks for. The best config is written beside it.
    folds : int
        At least 2.

    Returns
    -------
    TuningResult

    Raises
    ------
    InputError
        If Optuna is not installed, or the config, the records or the study cannot be used; also where every site or
        group is held out in turn, so that no case is left for tuning.
    WorkError
        If the study cannot be written.
    """
    check_optuna()
    path, asked = Path(path), read_config(path, overrides)
    file = Path(study) if study else _own_study(asked)
    best_path = tuned_path(file)
    _check(asked, trials, timeout, file, made=study is None)
    check_tuned(best_path)
    steps = Steps()
    with steps("read", "Read the records"):
        records = _training_side(asked)
        held = Folds.of(records, asked, folds)
    config, chosen = _with_kind(asked, len(held.classes))
    knobs, also = knobs_of(config), kept(config)

    made_from = _made_from(config, records, knobs, folds)
    try:
        with study_in(file, made_from) as opened, _bar(trials, len(held)) as show:
            done = run_trials(
                opened,
                knobs,
                lambda values: held.scores(with_values(config, also | values if values else {})),
                n_folds=len(held),
                trials=trials,
                timeout=timeout,
                seed=config.seed,
                show=show,
            )
    except KeyboardInterrupt:
        steps.say(f"Every finished trial is in {file}; the same command goes on from there.")
        raise
    result = TuningResult(
        kind=config.model.kind,
        n=len(held.records),
        n_patients=int(held.patient.max()) + 1,
        trials=tuple(done),
        defaults={knob.name: knob.given for knob in knobs if knob.given is not None},
        study=file,
        config=best_path,
    )
    best = also | dict(result.best.values) if result.best.values else {}
    write_tuned(best_path, path, overrides, asked, chosen | best, result.note)
    return result


def _own_study(config: Config) -> Path:
    """The file of a config's study, beside its run's folder and named after its kind of model."""
    return config.folder.with_name(f"{of_kind(config.folder.name, config.model.kind)}-tuning.db")


def _check(config: Config, trials: int, timeout: float | None, file: Path, *, made: bool) -> None:
    """Refuse what cannot come to a result before anything is read."""
    if trials < 1 or (timeout is not None and not timeout > 0):
        raise InputError(
            "At least one trial, and a timeout above 0 seconds",
            f"found {trials} trials and a timeout of {timeout}",
            "ask for more",
        )
    if config.test_records is None and config.split.test == "each":
        raise InputError(
            f"Tuning leaves the test side alone, and split.test is each {config.split.by}",
            "Every case is on the test side once",
            "Set another split, for instance with --set 'split={by: patient, test: 0.2}'.",
        )
    if made:
        file.absolute().parent.mkdir(parents=True, exist_ok=True)
    if not file.absolute().parent.is_dir():
        raise InputError(f"The study {file} was asked for", "Its folder does not exist", "Make the folder first.")


def _training_side(config: Config) -> Records:
    taken = take_part(with_words(with_knowledge(read_source(config.records), config), config), config).records
    return taken if config.test_records is not None else one_split(taken, config.split, config.seed).train


def _with_kind(config: Config, n_diagnoses: int) -> tuple[Config, dict[str, Any]]:
    """Name the kind of model that `auto` stands for, since options belong to a kind."""
    if config.model.kind != AUTO:
        return config, {}
    chosen = {"model.kind": choose_kind(n_diagnoses)[0]}
    return with_values(config, chosen), chosen


def _made_from(config: Config, records: Records, knobs: Sequence[Knob], folds: int) -> dict[str, object]:
    """Return everything that decides what a trial comes to."""
    portable = config.portable()
    libraries = {f"version of {name}": version(name) for name in ("diagnosis", "lightgbm", "optuna")}
    space = {knob.name: knob.to_json() for knob in knobs}
    return {"cases": records.digest(), "folds": folds, "space": space} | libraries | {k: portable[k] for k in _DECIDES}


@contextmanager
def _bar(trials: int, n_folds: int) -> Iterator[Callable[[list[Tried], int], None]]:
    """Show on a terminal how far the study is, fold by fold, and what is best so far."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("Tune", total=trials)

        def show(done: list[Tried], folds: int) -> None:
            bar.update(task, description=_said(done, folds, n_folds), completed=len(done) + folds / n_folds)

        yield show


def _said(done: list[Tried], folds: int, n_folds: int) -> str:
    """Say what is being fitted, and what is best so far."""
    now = f"Tune: trial {len(done) + 1}, fold {min(folds + 1, n_folds)} of {n_folds}"
    if not done:
        return f"{now}, the config as given"
    return f"{now}; log-loss at best {best_of(done).log_loss:.4f}, as given {done[0].log_loss:.4f}"
