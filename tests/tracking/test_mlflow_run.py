"""What a run leaves in MLflow, and loading a model from there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diagnosis import Diagnoser, Records, load_diagnoser
from diagnosis.errors import BundleError, ConfigError, InputError, WorkError
from diagnosis.tracking import git_commit, track, versions
from diagnosis.tracking.mlflow_run import client_for


@pytest.fixture(scope="module")
def run_id(store: str, diagnoser: Diagnoser, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    diagnoser.save(folder / "bundle")
    (folder / "config.yaml").write_text("seed: 0\n")
    with track(store, "clinic / 儿科", "first") as run:
        run.log(
            params={f"p{i}": str(i) for i in range(150)},
            metrics={f"m{i}": i / 2 for i in range(150)},
            tags={"digest.records": "abc"},
        )
        run.add(folder / "config.yaml")
        run.add(folder / "bundle", "bundle")
    return run.run_id


def test_all_of_it_is_there(store: str, run_id: str):
    run = client_for(store).get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "first"
    assert run.data.params == {f"p{i}": str(i) for i in range(150)}
    assert run.data.metrics == {f"m{i}": i / 2 for i in range(150)}
    assert run.data.tags["digest.records"] == "abc"
    assert {f.path for f in client_for(store).list_artifacts(run_id)} == {"bundle", "config.yaml"}


def test_artifacts_lie_beside_the_database(store: str, run_id: str):
    folder = Path(store.removeprefix("sqlite:///")).parent
    assert list((folder / "mlruns" / "clinic___儿科" / run_id).rglob("manifest.json"))


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_run_that_ends_early_says_so(store: str, error: type[BaseException], status: str):
    seen = []

    def fail() -> None:
        with track(store, "clinic", "x") as run:
            seen.append(run.run_id)
            raise error

    with pytest.raises(error):
        fail()
    assert client_for(store).get_run(seen[0]).info.status == status


def test_a_deleted_experiment_is_named(store: str, run_id: str):
    client = client_for(store)
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(ConfigError, match="It is deleted there"), track(store, "gone", "x"):
        pytest.fail("the run must not start")


def test_a_database_that_mlflow_cannot_use(tmp_path: Path):
    import sqlite3

    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('of a later release')")
    connection.close()
    with pytest.raises(WorkError, match="MLflow says"), track(f"sqlite:///{tmp_path}/old.db", "e", "x"):
        pytest.fail("the run must not start")


def test_a_model_comes_back_from_its_run(store: str, run_id: str, diagnoser: Diagnoser, two: Records):
    loaded = load_diagnoser(f"runs:/{run_id}/bundle", tracking_uri=store)
    np.testing.assert_array_equal(loaded.predict_proba(two), diagnoser.predict_proba(two))


def test_a_registered_model_by_alias_and_by_version(
    store: str, run_id: str, diagnoser: Diagnoser, two: Records, monkeypatch: pytest.MonkeyPatch
):
    client = client_for(store)
    client.create_registered_model("ward")
    made = client.create_model_version("ward", source=f"runs:/{run_id}/bundle", run_id=run_id)
    client.set_registered_model_alias("ward", "champion", made.version)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    for uri in ("models:/ward@champion", f"models:/ward/{made.version}"):
        np.testing.assert_array_equal(load_diagnoser(uri).predict_proba(two), diagnoser.predict_proba(two))


@pytest.mark.parametrize(
    "uri", ["runs:/0123456789abcdef0123456789abcdef/bundle", "models:/nobody@champion", "models:/ward", "models:/w/x"]
)
def test_what_is_not_there_is_named(store: str, run_id: str, uri: str):
    with pytest.raises(InputError, match=uri):
        load_diagnoser(uri, tracking_uri=store)


def test_a_changed_file_is_refused_wherever_it_comes_from(store: str, diagnoser: Diagnoser, tmp_path: Path):
    diagnoser.save(tmp_path / "bundle")
    with (tmp_path / "bundle" / "encoder.json").open("a") as file:
        file.write(" ")
    with track(store, "clinic", "changed") as run:
        run.add(tmp_path / "bundle", "bundle")
    with pytest.raises(BundleError, match=r"encoder\.json was changed"):
        load_diagnoser(f"runs:/{run.run_id}/bundle", tracking_uri=store)
    with pytest.raises(BundleError, match=r"encoder\.json was changed"):
        load_diagnoser(tmp_path / "bundle")


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(BundleError, match="There is no such folder"):
        load_diagnoser(tmp_path / "none")


def test_a_model_in_a_folder_needs_no_mlflow(diagnoser: Diagnoser, tmp_path: Path):
    diagnoser.save(tmp_path / "bundle")
    code = (
        "import sys; from diagnosis import load_diagnoser; load_diagnoser(sys.argv[1]); "
        "sys.exit('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0


def test_the_global_state_of_mlflow_is_left_alone(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    with track(store, "clinic", "x"):
        assert mlflow.active_run() is None
    assert mlflow.get_tracking_uri() == before
    assert list(tmp_path.iterdir()) == []


def test_telemetry_is_off(store: str, run_id: str):
    from mlflow.telemetry.utils import is_telemetry_disabled

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert is_telemetry_disabled()


def test_the_commit_of_a_folder(tmp_path: Path):
    assert git_commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert git_commit(tmp_path) is None
    subprocess.run([*git, "commit", "-q", "--allow-empty", "--no-verify", "-m", "x"], check=True)
    assert len(git_commit(tmp_path) or "") == 40


def test_versions_of_what_decides():
    assert {"python", "numpy", "lightgbm", "mlflow"} <= set(versions())
