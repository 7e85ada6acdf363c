"""A run told to MLflow: config, metrics, data by name and digest, files and the model. Nothing of a single patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from diagnosis.errors import WorkError
from diagnosis.tracking import (
    DataSet,
    TrackedRun,
    log_datasets,
    log_model,
    metrics_of,
    params_of,
    register,
    track,
    versions,
)
from diagnosis.tracking.reach import sqlite_file

if TYPE_CHECKING:
    from diagnosis.training.result import TrainingResult
    from diagnosis.training.schema import Config

__all__ = ["outside", "record", "tracked"]

#: What of the run's folder goes to MLflow; the page of explained cases and the report of the records do not.
_SHARED = ("config.yaml", "evaluation.json", "report.html", "model_card.md", "plots")


@contextmanager
def tracked(config: Config, run_id: str | None) -> Iterator[TrackedRun | None]:
    """Open the run in MLflow, or the one that was interrupted; None without tracking."""
    if config.tracking is None:
        yield None
        return
    with track(config.tracking.uri, config.tracking.experiment, config.name, run_id=run_id) as run:
        yield run


def record(
    run: TrackedRun,
    result: TrainingResult,
    config: Config,
    datasets: Mapping[str, DataSet],
    commit: str | None,
) -> None:
    """Record a run whose folder is complete.

    Raises
    ------
    WorkError
        If MLflow fails; the message says where the model is.
    """
    assert config.tracking is not None
    tags = {f"digest.{name}": one.digest for name, one in datasets.items()}
    tags |= {f"version.{name}": value for name, value in versions().items()}
    tags |= {"mlflow.note.content": result.note, "model_kind": config.model.kind}
    if commit:
        tags["mlflow.source.git.commit"] = commit
    metrics = metrics_of(result.judged.plain)
    metrics |= {f"seconds.{name}": value for name, value in result.seconds.items()}
    metrics |= {f"peak_mib.{name}": value for name, value in result.peak_mib.items()}
    try:
        log_datasets(run, datasets)
        run.log(params=params_of(config.model_dump(mode="json")), metrics=metrics, tags=tags)
        for name in _SHARED:
            path = config.folder / name
            run.add(path, name if path.is_dir() else None)
        model_id = log_model(run, result.diagnoser, result.model_path)
        if config.tracking.registered_model:
            register(run, model_id, config.tracking.registered_model, config.tracking.alias)
    except Exception as error:
        raise WorkError(
            f"The model is complete in {result.model_path}, but recording the run {run.run_id} in MLflow failed "
            f"({type(error).__name__}). Correct the tracking and start the run again, which then only records it, or "
            "train without it (--set tracking=null)."
        ) from error


def outside(config: Config) -> tuple[str, ...]:
    """Name what a run writes outside its own folder."""
    if config.tracking is None:
        return ()
    file = sqlite_file(config.tracking.uri)
    if file is None:
        from diagnosis.tracking.reach import without_password

        places = [f"MLflow at {without_password(config.tracking.uri)}, experiment {config.tracking.experiment}"]
    else:
        folder = Path(file).absolute().parent
        places = [f"MLflow's database {file.absolute()}", f"MLflow's files below {folder / 'mlruns'}"]
    name, alias = config.tracking.registered_model, config.tracking.alias
    if name:
        places.append(f"the registered model {name}" + (f", alias {alias}" if alias else ""))
    return tuple(places)
