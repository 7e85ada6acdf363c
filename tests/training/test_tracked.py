"""A tracked run: what MLflow is told, and what it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diagnosis import Records, load_diagnoser
from diagnosis.errors import WorkError
from diagnosis.tracking import TrackedRun
from diagnosis.tracking.mlflow_run import client_for
from diagnosis.training import TrainingResult, train


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


def tracked(write_config: Callable[..., Path], store: str) -> TrainingResult:
    more = "evaluation: {by: [sex, site]}\n"
    return train(write_config(more, tracking=f'{{uri: "{store}", experiment: clinic}}'))


def test_config_metrics_digest_versions_and_files(write_config: Callable[..., Path], store: str):
    result = tracked(write_config, store)
    client = client_for(store)
    run = client.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "clinic"
    assert run.data.params["model.kind"] == "linear"
    metrics = result.to_json()["metrics"]
    assert run.data.metrics["top1"] == metrics["top"]["1"]
    assert run.data.metrics["by/site/north/log_loss"] == metrics["by"]["site"]["north"]["log_loss"]
    assert run.data.metrics["seconds.fit"] > 0
    assert len(run.data.tags["digest.records"]) == 64
    assert "version.lightgbm" in run.data.tags
    assert {f.path for f in client.list_artifacts(result.run_id)} == {"bundle", "config.yaml", "evaluation.json"}


def test_the_model_in_mlflow_is_the_model_in_the_folder(write_config: Callable[..., Path], store: str, clinic: Records):
    result = tracked(write_config, store)
    loaded = load_diagnoser(f"runs:/{result.run_id}/bundle", tracking_uri=store)
    np.testing.assert_array_equal(loaded.predict_proba(clinic), result.diagnoser.predict_proba(clinic))


def test_nothing_about_a_patient_reaches_mlflow(write_config: Callable[..., Path], store: str, clinic: Records):
    result = tracked(write_config, store)
    names = {str(name) for name in (*clinic.case_ids, *clinic.groups)}
    folder = Path(store.removeprefix("sqlite:///")).parent
    files = [path for path in folder.rglob("*") if path.is_file() and result.run_id in str(path)]
    assert len(files) > 5
    assert not [path for path in files if "local" in path.parts]
    for path in files:
        text = path.read_bytes()
        assert not [name for name in names if f'"{name}"'.encode() in text], path.name


def test_a_model_is_kept_when_recording_it_fails(
    write_config: Callable[..., Path], store: str, monkeypatch: pytest.MonkeyPatch
):
    def fail(self: TrackedRun, path: Path, folder: str | None = None) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(TrackedRun, "add", fail)
    with pytest.raises(WorkError, match="The model is complete in runs/clinic/bundle"):
        tracked(write_config, store)
    load_diagnoser("runs/clinic")
