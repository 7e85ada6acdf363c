"""A run's model in MLflow: logged as an MLflow model, and put into the registry under a name and an alias."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnosis.tracking.packaging import write_model

if TYPE_CHECKING:
    from diagnosis.suggestions import Diagnoser
    from diagnosis.tracking.mlflow_run import TrackedRun

__all__ = ["NAME", "log_model", "register"]

#: The name of a run's model: `runs:/ID/model`.
NAME = "model"


def log_model(run: TrackedRun, diagnoser: Diagnoser, bundle: Path) -> str:
    """Log a bundle as the MLflow model of a run, which `mlflow.pyfunc.load_model` and `mlflow models serve` take.

    Parameters
    ----------
    run : TrackedRun
    diagnoser : Diagnoser
        As it is in the bundle.
    bundle : Path

    Returns
    -------
    str
        MLflow's id of the model.
    """
    from mlflow.entities import LoggedModelOutput

    client: Any = run.client
    experiment = client.get_run(run.run_id).info.experiment_id
    logged = client.create_logged_model(experiment, name=NAME, source_run_id=run.run_id, model_type="diagnoser")
    try:
        with tempfile.TemporaryDirectory(prefix="diagnosis-") as place:
            made = write_model(diagnoser, bundle, Path(place) / NAME, run_id=run.run_id, model_id=str(logged.model_id))
            client.log_model_artifacts(logged.model_id, str(made))
    except BaseException:
        with suppress(Exception):  # what went wrong first is what is told
            client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run.run_id, [LoggedModelOutput(logged.model_id, 0)])
    return str(logged.model_id)


def register(run: TrackedRun, model_id: str, name: str, alias: str | None = None) -> str:
    """Make a logged model the newest version of a registered model.

    Parameters
    ----------
    run : TrackedRun
    model_id : str
    name : str
        Of the registered model; made where there is none.
    alias : str, optional
        Moved to the new version: ``challenger``, ``champion``.

    Returns
    -------
    str
        The version.
    """
    from mlflow.exceptions import MlflowException

    client: Any = run.client
    try:
        client.create_registered_model(name)
    except MlflowException:
        client.get_registered_model(name)  # it is there already, or the trouble is another and shows here
    # Its place, not `models:/ID`, which MLflow would look up in the process's own tracking URI.
    source = client.get_logged_model(model_id).artifact_location
    made = client.create_model_version(name, source=source, run_id=run.run_id, model_id=model_id)
    if alias:
        client.set_registered_model_alias(name, alias, made.version)
    return str(made.version)
