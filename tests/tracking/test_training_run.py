"""A tracked training run: what MLflow is told, and what it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diagnosis import Records, load_diagnoser, write_records
from diagnosis.errors import WorkError
from diagnosis.tracking import TrackedRun
from diagnosis.tracking.mlflow_run import client_for
from diagnosis.training import Config, TrainingResult, train

Run = Callable[[], TrainingResult]


@pytest.fixture
def run(store: str, two: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    config = Config.model_validate(
        {
            "name": "clinic",
            "records": str(write_records(two, tmp_path / "records")),
            "split": {"by": "patient", "test": 0.4},
            "model": {"kind": "linear"},
            "evaluation": {"by": ["site"]},
            "tracking": {"uri": store, "experiment": "clinic"},
        }
    )
    return lambda: train(config)


def test_config_metrics_digest_versions_and_files(run: Run, store: str):
    result = run()
    client = client_for(store)
    found = client.get_run(result.run_id)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "clinic"
    assert found.data.params["model.kind"] == "linear"
    metrics = result.to_json()["metrics"]
    assert found.data.metrics["top1"] == metrics["top"]["1"]
    assert found.data.metrics["by/site/north/log_loss"] == metrics["by"]["site"]["north"]["log_loss"]
    assert found.data.metrics["seconds.fit"] > 0
    assert len(found.data.tags["digest.records"]) == 64
    assert "version.lightgbm" in found.data.tags
    assert {f.path for f in client.list_artifacts(result.run_id)} == {"bundle", "config.yaml", "evaluation.json"}


def test_the_model_in_mlflow_is_the_model_in_the_folder(run: Run, store: str, two: Records):
    result = run()
    loaded = load_diagnoser(f"runs:/{result.run_id}/bundle", tracking_uri=store)
    np.testing.assert_array_equal(loaded.predict_proba(two), result.diagnoser.predict_proba(two))


def test_nothing_about_a_patient_reaches_mlflow(run: Run, store: str, two: Records):
    result = run()
    folder = Path(store.removeprefix("sqlite:///")).parent
    files = [path for path in folder.rglob("*") if path.is_file() and str(result.run_id) in str(path)]
    assert len(files) > 5
    assert not [path for path in files if "local" in path.parts]
    for path in (*files, folder / "mlflow.db"):
        found = path.read_bytes()
        assert not [name for name in (*two.case_ids, *two.groups) if str(name).encode() in found], path.name


def test_a_model_is_kept_when_recording_it_fails(run: Run, monkeypatch: pytest.MonkeyPatch):
    def fail(self: TrackedRun, path: Path, folder: str | None = None) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(TrackedRun, "add", fail)
    with pytest.raises(WorkError, match="The model is complete in runs/clinic/bundle"):
        run()
    load_diagnoser("runs/clinic")
