"""Two worker processes: a run is repeatable and as good as on one machine, and ends when a worker is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer

import numpy as np
import psutil
import pytest
from tests.small import small_records

from diagnosis import write_records
from diagnosis.distributed import check_dask, cluster, fit_apart, send_rows, workers_at, workers_here
from diagnosis.errors import ConfigError, InputError, WorkError
from diagnosis.features import FindingEncoder
from diagnosis.models import BoostedModel, LinearModel
from diagnosis.training import Config, TrainingResult, train

Train = Callable[..., TrainingResult]
DASK = {"engine": "dask", "dask": {"workers": 2}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 cases in Parquet, sorted by diagnosis: neither worker sees all five."""
    records = small_records(1500, seed=1)
    sorted_ = records[records.y.astype(str).argsort(kind="stable")]
    return write_records(sorted_, tmp_path_factory.mktemp("records") / "set", form="parquet")


@pytest.fixture
def trained(folder: Path, tmp_path: Path) -> Train:
    def run(name: str, model: dict[str, object], more: dict[str, object]) -> TrainingResult:
        plan = {"by": [], "explained": False}
        plain = {"records": str(folder), "model": model, "tracking": None, "evaluation": plan, "name": "run"}
        return train(Config.model_validate(plain | {"output": str(tmp_path / name)} | more))

    return run


def files(result: TrainingResult) -> dict[str, bytes]:
    """Every file of the bundle but those that stay at the site, whose salt is drawn anew."""
    root = result.model_path
    files = {path.relative_to(root): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {str(name): path.read_bytes() for name, path in files.items() if name.parts[0] != "local"}


def test_a_run_is_repeatable_and_as_good_as_on_one_machine(services: None, trained: Train):
    local, first, second = (
        trained(name, {"kind": "hybrid"}, more) for name, more in (("local", {}), ("first", DASK), ("second", DASK))
    )
    assert files(first) == files(second)
    losses = [run.judged.plain["log_loss"] for run in (local, first)]
    assert losses[1] < 1.02 * losses[0]
    assert "by Dask workers" in first.note
    assert "Dask" not in local.note
    assert first.diagnoser.encoder_.to_json() == local.diagnoser.encoder_.to_json()


def test_a_linear_run_is_that_of_one_machine(services: None, trained: Train):
    model = {"kind": "linear", "tol": 1e-12}
    local, spread = (trained(name, model, more).diagnoser for name, more in (("local", {}), ("dask", DASK)))
    np.testing.assert_allclose(spread.model_.coef_, local.model_.coef_, rtol=0, atol=1e-9)
    np.testing.assert_allclose(spread.model_.intercept_, local.model_.intercept_, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("model", "stop"),
    [
        (LinearModel(tol=1e-300, max_iter=100_000), signal.SIGKILL),
        (BoostedModel(rounds=100_000, early_stopping=0), signal.SIGKILL),
        (BoostedModel(rounds=100_000, early_stopping=0), signal.SIGSTOP),
    ],
    ids=["killed in the sums", "killed among the trees", "stopped among the trees"],
)
def test_a_lost_worker_ends_the_work_and_is_named(services: None, model, stop, monkeypatch):
    monkeypatch.setattr(cluster, "_SILENT", 15.0)
    records = small_records(600)
    X, y = FindingEncoder().fit_transform(records), records.y.astype(str)
    with pytest.raises(WorkError) as raised, workers_here(2) as workers:  # noqa: PT012
        victim = workers.addresses[1]
        pid = workers.client.run(os.getpid, workers=[victim])[victim]
        others = list(workers.client.run(os.getpid).values())
        spread = send_rows(workers, X)
        began = time.monotonic()
        Timer(4.0, os.kill, (pid, stop)).start()
        fit_apart(spread, y, model, groups=records.groups)
    assert time.monotonic() - began < 60
    assert f"The Dask worker {victim} was lost" in str(raised.value)
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in others)


def test_a_killed_worker_ends_the_command(services: None, folder: Path, tmp_path: Path):
    config = tmp_path / "run.yaml"
    config.write_text(
        f"records: {folder}\nmodel: {{kind: boosted, rounds: 100000, early_stopping: 0}}\ntracking: null\n"
        f"engine: dask\ndask: {{workers: 2}}\noutput: {tmp_path / 'out'}\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-c", "from diagnosis.cli import main; main()", "train", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        worker = _a_worker_at_work(psutil.Process(run.pid))
        began = time.monotonic()
        worker.kill()
        out, said = run.communicate(timeout=60)
    assert time.monotonic() - began < 60
    assert run.returncode == 1
    assert "The Dask worker tcp://127.0.0.1:" in said.replace("\n", " ")
    assert "was lost" in " ".join(said.split())
    assert out == ""
    assert not (tmp_path / "out" / "bundle").exists()


def _a_worker_at_work(run: psutil.Process) -> psutil.Process:
    """The first of the workers that talk to each other in LightGBM's network."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        time.sleep(0.5)
        workers = [one for one in run.children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]
        pids = {one.pid: {c.laddr.port for c in one.net_connections()} for one in workers}
        for one in workers:
            ports = {c.raddr.port for c in one.net_connections() if c.raddr}
            if any(ports & theirs for pid, theirs in pids.items() if pid != one.pid):
                time.sleep(1.0)
                return one
        assert run.status() != "zombie", "the command ended"
    raise AssertionError("no trees were grown")


def test_what_cannot_be_reached_is_said(services: None, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT", 2.0)
    monkeypatch.setattr(cluster, "_START", 2.0)
    with pytest.raises(InputError, match="None answers there"), workers_at("tcp://127.0.0.1:9", None):
        pass
    with workers_here(2, processes=False) as workers:
        scheduler = workers.client.scheduler.address
        listening = {c.laddr.ip for c in psutil.Process().net_connections() if c.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        with pytest.raises(InputError, match="There are 2"), workers_at(scheduler, 3):
            pass
        with workers_at(scheduler, 2) as found:
            assert found.addresses == workers.addresses


def test_dask_is_asked_for_by_name(monkeypatch, trained: Train):
    with pytest.raises(ConfigError, match="Choose another kind"):
        trained("ranker", {"kind": "ranker"}, DASK)
    with pytest.raises(InputError, match="residual"):
        trained("residual", {"kind": "hybrid", "residual": True}, DASK)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"diagnosis\[dask\]"):
        check_dask()
