"""Databases that runs are recorded in: an older one, one that is shared, and PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.small import small_records

from diagnosis import load_diagnoser, write_records
from diagnosis.errors import ConfigError, WorkError
from diagnosis.tracking import track
from diagnosis.tracking.mlflow_run import client_for
from diagnosis.training import Config, train


@pytest.fixture
def own(store: str, tmp_path: Path) -> str:
    """A database of this test alone, copied from one that MLflow has made."""
    with track(store, "made", "made"):
        pass
    shutil.copy(store.removeprefix("sqlite:///"), tmp_path / "own.db")
    return f"sqlite:///{tmp_path}/own.db"


def test_a_database_of_an_older_schema_is_said_before_training(own: str):
    file = own.removeprefix("sqlite:///")
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    connection.close()
    before = Path(file).read_bytes()
    with pytest.raises((WorkError, ConfigError), match=r"mlflow db upgrade") as caught, track(own, "e", "x"):
        pytest.fail("the run must not start")
    assert "tracking=null" in str(caught.value)
    assert Path(file).read_bytes() == before, "left as it was, for its owner to upgrade"


AT_ONCE = """
import os, sys
import mlflow.store.tracking.sqlalchemy_store, mlflow.entities
from diagnosis.tracking import track
children = []
for name in ("one", "two"):
    child = os.fork()
    if child == 0:
        for turn in range(3):
            with track(sys.argv[1], "shared", name) as run:
                run.log(params={f"p{i}": str(i) for i in range(120)}, metrics={f"m{i}": turn for i in range(120)})
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def test_two_runs_at_once_on_one_sqlite_file_lose_nothing(services: None, own: str):
    done = subprocess.run([sys.executable, "-c", AT_ONCE, own], capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr[-2000:]
    client = client_for(own)
    runs = client.search_runs([client.get_experiment_by_name("shared").experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["one"] * 3 + ["two"] * 3, "a name may be in use already"
    for run in runs:
        assert run.info.status == "FINISHED"
        assert (len(run.data.params), len(run.data.metrics)) == (120, 120)


@pytest.fixture(scope="module")
def postgresql(services: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("psycopg", reason="needs psycopg, PostgreSQL's driver")
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
    if not binaries:
        pytest.skip("needs Debian's package postgresql")
    place = tmp_path_factory.mktemp("postgresql")
    owner = None
    if os.geteuid() == 0:  # its server refuses to run as root
        owner = "postgres"
        for folder in (place, *list(place.parents)[:2]):
            folder.chmod(0o755)
        shutil.chown(place, owner)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    initdb = [binaries[-1] / "initdb", "-D", place / "db", "-A", "trust", "-U", "mlflow", "-E", "UTF8", "--no-sync"]
    made = subprocess.run(initdb, user=owner, check=False, capture_output=True, text=True, cwd=place)
    assert made.returncode == 0, made.stderr
    command = [binaries[-1] / "postgres", "-D", place / "db", "-p", str(port), "-h", "127.0.0.1", "-k", place, "-F"]
    with (place.parent / "postgresql.log").open("w") as log:
        server = subprocess.Popen(command, user=owner, stderr=log, stdout=log, cwd=place)
        try:
            _wait_for(port, server)
            yield f"postgresql+psycopg://mlflow@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # its fast shutdown, which waits for no client
            server.wait(timeout=30)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(100):
        assert server.poll() is None, "the server ended"
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=mlflow dbname=postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server did not answer")


def test_a_run_on_postgresql(postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    config = {
        "records": str(write_records(small_records(120), tmp_path / "records")),
        "model": {"kind": "linear"},
        "tracking": {"uri": postgresql, "experiment": "clinic", "registered_model": "clinic", "alias": "champion"},
    }
    result = train(Config.model_validate(config))
    run = client_for(postgresql).get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["top1"] == result.to_json()["metrics"]["top"]["1"]
    loaded = load_diagnoser("models:/clinic@champion", tracking_uri=postgresql)
    assert loaded.fingerprint == result.diagnoser.fingerprint
    assert json.loads(Path("runs/run/run.json").read_text(encoding="utf-8"))["outside"][0].startswith("MLflow at")
