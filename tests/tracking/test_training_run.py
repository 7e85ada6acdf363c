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

Run = Callable[..., TrainingResult]


@pytest.fixture
def run(store: str, two: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    records = str(write_records(two, tmp_path / "records"))
    experiment = f"clinic {tmp_path.name}"

    def run(tracking: dict[str, str] | None = None, seed: int = 0) -> TrainingResult:
        plain = {
            "name": "clinic",
            "seed": seed,
            "records": records,
            "split": {"by": "patient", "test": 0.4},
            "model": {"kind": "linear"},
            "evaluation": {"by": ["site"]},
            "tracking": {"uri": store, "experiment": experiment, **(tracking or {})},
        }
        return train(Config.model_validate(plain))

    return run


def test_config_metrics_digest_versions_and_files(run: Run, store: str, tmp_path: Path):
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
    files = {f.path for f in client.list_artifacts(result.run_id)}
    assert files == {"config.yaml", "evaluation.json", "report.html", "model_card.md", "plots"}
    assert {f.path for f in client.list_artifacts(result.run_id, "plots")} == {
        "plots/calibration.svg",
        "plots/top1_by_group.svg",
    }
    assert found.data.metrics["peak_mib.fit"] > 10
    (data,) = found.inputs.dataset_inputs
    assert (data.dataset.name, data.tags[0].value) == ("records", "records")
    assert found.data.tags["digest.records"].startswith(data.dataset.digest)
    assert str(tmp_path) not in data.dataset.source + data.dataset.profile, "its path says nothing to others"
    assert f"MLflow's database {store.removeprefix('sqlite:///')}" in result.outside


def test_the_model_in_mlflow_is_the_model_in_the_folder(
    run: Run, store: str, two: Records, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    result = run()
    (logged,) = client_for(store).search_logged_models([client_for(store).get_run(result.run_id).info.experiment_id])
    assert logged.source_run_id == result.run_id
    assert logged.status == "READY"
    for uri in (f"runs:/{result.run_id}", f"runs:/{result.run_id}/model", f"runs:/{result.run_id}/bundle"):
        loaded = load_diagnoser(uri, tracking_uri=store)
        np.testing.assert_array_equal(loaded.predict_proba(two), result.diagnoser.predict_proba(two))
    assert load_diagnoser(f"models:/{logged.model_id}", tracking_uri=store).fingerprint == result.diagnoser.fingerprint


def test_a_registered_model_goes_by_its_alias(run: Run, store: str, two: Records, monkeypatch: pytest.MonkeyPatch):
    import mlflow.pyfunc

    champion = run({"registered_model": "clinic", "alias": "champion"})
    challenger = run({"registered_model": "clinic", "alias": "challenger"}, seed=4)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    for alias, result in (("champion", champion), ("challenger", challenger)):
        assert load_diagnoser(f"models:/clinic@{alias}").fingerprint == result.diagnoser.fingerprint
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", store)
    served = mlflow.pyfunc.load_model("models:/clinic@challenger")
    assert served.predict({"cases": [{"findings": [{"code": "fever"}]}]})[0]["ranked"][0]["diagnosis"] == "flu"


def test_nothing_about_a_patient_reaches_mlflow(run: Run, store: str, two: Records, tmp_path: Path):
    run()
    folder = Path(store.removeprefix("sqlite:///")).parent
    experiment = f"clinic_{tmp_path.name}"
    files = [path for path in (folder / "mlruns" / experiment).rglob("*") if path.is_file()]
    assert len(files) > 15
    assert [path for path in files if path.name == "MLmodel"]
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
