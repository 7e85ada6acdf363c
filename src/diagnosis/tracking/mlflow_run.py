"""One run in MLflow: parameters, metrics, tags and files, through a client of its own.

MLflow's global state (tracking URI, active run) is neither read nor changed, so that a notebook's own tracking goes on
undisturbed. Nothing about a single patient is written.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from diagnosis.errors import ConfigError, DiagnosisError, WorkError
from diagnosis.tracking.reach import check_reachable, sqlite_file

__all__ = ["TrackedRun", "client_for", "quiet", "track"]

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """An open run.

    Parameters
    ----------
    run_id : str
        MLflow's id of the run.
    client : mlflow.MlflowClient
        Bound to the run's tracking URI.
    """

    run_id: str
    client: Any

    def log(
        self,
        *,
        params: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Record parameters, metrics and tags."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        for part in _portions([Param(name, value) for name, value in (params or {}).items()]):
            self.client.log_batch(self.run_id, params=part)
        for part in _portions([Metric(name, value, now, 0) for name, value in (metrics or {}).items()]):
            self.client.log_batch(self.run_id, metrics=part)
        for part in _portions([RunTag(name, value) for name, value in (tags or {}).items()]):
            self.client.log_batch(self.run_id, tags=part)

    def add(self, path: Path, folder: str | None = None) -> None:
        """Copy a file, or the files of a folder, among the run's artifacts, under `folder`."""
        if path.is_dir():
            self.client.log_artifacts(self.run_id, str(path), folder)
        else:
            self.client.log_artifact(self.run_id, str(path), folder)


@contextmanager
def track(uri: str, experiment: str, name: str, *, run_id: str | None = None) -> Iterator[TrackedRun]:
    """Open a run and end it: finished, failed, or killed (on Ctrl-C).

    Parameters
    ----------
    uri : str
        MLflow tracking URI. A SQLite file that does not exist is made; its artifacts lie beside it in `mlruns/`.
    experiment : str
        Made where it does not exist.
    name : str
        Name of the run; several may have one name.
    run_id : str, optional
        A run that was interrupted and goes on; a new one where it is no longer there, or has finished.

    Raises
    ------
    ConfigError, WorkError
        If the tracking URI cannot be used, before anything else is done.
    """
    check_reachable(uri)
    with quiet():
        run = _open(uri, experiment, name, run_id)
        try:
            yield run
        except BaseException as error:
            status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
            with suppress(Exception):  # what went wrong first is what is told
                run.client.set_terminated(run.run_id, status)
            raise
        run.client.set_terminated(run.run_id, "FINISHED")


def client_for(uri: str) -> Any:
    """Return an MLflow client bound to one URI, for tracking and registry."""
    return _mlflow().MlflowClient(tracking_uri=uri, registry_uri=uri)


def _mlflow() -> ModuleType:
    # A clinical tool calls no address that it was not given. An explicit choice in the environment stays.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    return importlib.import_module("mlflow")


def _open(uri: str, experiment: str, name: str, run_id: str | None) -> TrackedRun:
    try:
        client = client_for(uri)
        place = _experiment(client, uri, experiment)
        if run_id is not None and _goes_on(client, place, run_id):
            return TrackedRun(run_id, client)
        run = client.create_run(place, run_name=name)
    except DiagnosisError:
        raise
    except Exception as error:  # MLflow, SQLAlchemy, Alembic and database drivers share no base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WorkError(
            f"A run in the MLflow experiment {experiment!r} was asked for. MLflow says: {reason} "
            "Correct tracking.uri, or train without it (--set tracking=null)."
        ) from error
    return TrackedRun(run.info.run_id, client)


def _goes_on(client: Any, experiment_id: str, run_id: str) -> bool:
    """Set an interrupted run going again, if it is one of this experiment."""
    from mlflow.exceptions import MlflowException

    try:
        info = client.get_run(run_id).info
    except MlflowException:
        return False
    if info.experiment_id != experiment_id or info.lifecycle_stage == "deleted" or info.status == "FINISHED":
        return False
    client.update_run(run_id, status="RUNNING")
    return True


def _experiment(client: Any, uri: str, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=_artifacts_of(uri, name)))
        except MlflowException:
            found = client.get_experiment_by_name(name)  # another run may have made it in between
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        raise ConfigError(
            f"The MLflow experiment {name!r} was asked for",
            "It is deleted there",
            f"Restore it (mlflow experiments restore -x {found.experiment_id}), or choose another tracking.experiment.",
        )
    return str(found.experiment_id)


def _artifacts_of(uri: str, experiment: str) -> str | None:
    """Beside a SQLite file, wherever the process runs; a server decides for itself."""
    file = sqlite_file(uri)
    if file is None:
        return None
    return (file.absolute().parent / "mlruns" / re.sub(r"[^\w.-]", "_", experiment)).as_uri()


def _portions(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the set-up chatter of MLflow and its migrations off stderr; warnings and errors stay."""
    _mlflow()  # sets the level of its loggers when it is first imported
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
