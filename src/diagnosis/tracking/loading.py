"""A diagnoser from where it lies: a folder, or an MLflow URI."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnosis.errors import BundleError, InputError
from diagnosis.suggestions.bundle import load_bundle
from diagnosis.tracking.mlflow_run import client_for, quiet
from diagnosis.tracking.reach import check_reachable

if TYPE_CHECKING:
    from diagnosis.suggestions import Diagnoser

__all__ = ["load_diagnoser"]

_DEFAULT_URI = "sqlite:///mlflow.db"


def load_diagnoser(source: str | Path, *, tracking_uri: str | None = None) -> Diagnoser:
    """Load a fitted diagnoser.

    Parameters
    ----------
    source : str or Path
        A bundle folder, a run's folder with a bundle in it, the folder of an MLflow model, or an MLflow URI:
        `runs:/ID/model`, `models:/name@champion`, `models:/name/version`, `models:/m-ID`.
    tracking_uri : str, optional
        Where an MLflow URI is looked up. By default `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.

    Raises
    ------
    InputError
        If there is no such folder, run or model.
    BundleError
        If what is found there is not a complete, unchanged bundle.
    """
    match = re.match(r"(runs|models):/", str(source))
    if match is None:
        return load_bundle(_folder(Path(source)))
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or _DEFAULT_URI
    check_reachable(uri)
    with tempfile.TemporaryDirectory(prefix="diagnosis-") as place, quiet():
        return load_bundle(_folder(_download(str(source), uri, Path(place))))


def _folder(path: Path) -> Path:
    if not path.is_dir():
        near = "Give a bundle folder, a run's folder, or an MLflow URI such as runs:/ID/model or models:/name@alias."
        raise BundleError(f"A saved model was asked for at {path}", "There is no such folder", near)
    inside = (path / "bundle", path / "artifacts" / "bundle")
    return next((folder for folder in inside if folder.is_dir()), path)


def _download(source: str, uri: str, place: Path) -> Path:
    client = client_for(uri)
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        where = _registered(source, client) if source.startswith("models:/") else _of_run(source, client)
        return Path(download_artifacts(where, dst_path=str(place), tracking_uri=uri))
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{source} was asked for in MLflow", reason, "Check the id or name, and MLFLOW_TRACKING_URI."
        ) from error


def _of_run(source: str, client: Any) -> str:
    """Resolve what belongs to a run: its model, which `runs:/ID/bundle` means as well, or an artifact of its own."""
    run_id, _, inside = source.removeprefix("runs:/").partition("/")
    name, _, rest = inside.partition("/")
    if any(one.path == name for one in client.list_artifacts(run_id)):
        return source  # also the bundle of a run that an earlier release recorded
    experiment = client.get_run(run_id).info.experiment_id
    for logged in client.search_logged_models([experiment], filter_string=f"source_run_id = '{run_id}'"):
        if name in ("", "bundle", logged.name):
            return "/".join((str(logged.artifact_location).rstrip("/"), *([rest] if rest else [])))
    return source


def _registered(source: str, client: Any) -> str:
    """Resolve a registered model, or a logged one (`models:/m-ID`), to where its files lie."""
    if re.fullmatch(r"models:/m-[0-9a-f]+", source):
        return str(client.get_logged_model(source.removeprefix("models:/")).artifact_location)
    name, at, alias = source.removeprefix("models:/").partition("@")
    if at:
        version = client.get_model_version_by_alias(name, alias).version
    else:
        name, _, version = name.rpartition("/")
        if not name or not version.isdigit():
            raise InputError(f"{source} was asked for", "It names no alias or version", "Write models:/name@alias.")
    return str(client.get_model_version_download_uri(name, version))
