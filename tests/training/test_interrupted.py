"""A run that is stopped leaves nothing that looks finished, goes on where it was, and ends in the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from diagnosis import load_diagnoser
from diagnosis.errors import BundleError, InputError
from diagnosis.suggestions.bundle import load_bundle
from diagnosis.training import read_config, train
from diagnosis.training.kept import Kept
from diagnosis.training.run_folder import at_work
from diagnosis.training.steps import STEPS, Steps

WriteConfig = Callable[..., Path]

# One process that has loaded everything, and a child of its own for each run, which dies in the step it is told.
KILLED = """
import os, signal, sys
from contextlib import contextmanager
import diagnosis.training.run as run
import diagnosis.evaluation, lightgbm, matplotlib.backends.backend_svg, matplotlib.figure
import mlflow.entities, mlflow.store.tracking.sqlalchemy_store
from diagnosis.training.steps import Steps

def dying(step):
    taken = Steps.__call__
    @contextmanager
    def call(self, name, text):
        with taken(self, name, text):
            yield
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)
    return call

for step in sys.argv[2:]:
    child = os.fork()
    if child == 0:
        Steps.__call__ = dying(step)
        result = run.train(sys.argv[1], [] if step in ("track", "none") else ["tracking=null"])
        print("finished", ",".join(result.seconds), result.run_id, flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(step, "killed" if os.WIFSIGNALED(status) else "ended", flush=True)
"""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes time and is not what is asked here: the plots, and the page of explained cases."""
    monkeypatch.setattr("diagnosis.training.run.write_report", lambda folder, *_: (folder / "report.html").touch())
    monkeypatch.setattr("diagnosis.training.run.review_page", lambda *_: "a page")
    monkeypatch.setattr("diagnosis.training.recording._SHARED", ("config.yaml",))


def files_of(bundle: Path) -> dict[str, bytes]:
    inside = [path for path in bundle.rglob("*") if path.is_file() and "local" not in path.parts]
    return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in inside}


def test_a_run_killed_in_every_step_ends_in_the_same_bytes(quick: None, write_config: WriteConfig):
    config = write_config("output: runs/killed\n", tracking='{uri: "sqlite:///mlflow.db"}')
    command = [sys.executable, "-c", KILLED, str(config), *STEPS, "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ, timeout=120)
    *deaths, finished, end = done.stdout.splitlines()
    assert deaths == [f"{step} killed" for step in STEPS]
    assert end == "none ended"
    _, seconds, run_id = finished.split()
    assert seconds.split(",") == ["load", "check", "split", "track"], "every other step was finished before"
    train(config, ["output=runs/whole", "tracking=null"])
    found = files_of(Path("runs/killed/bundle"))
    assert len(found) > 5
    assert found == files_of(Path("runs/whole/bundle"))
    assert [p.name for p in Path("runs").glob(".*")] == []
    assert not (Path("runs/killed") / ".steps").exists()
    _one_run_in_mlflow(run_id)


def _one_run_in_mlflow(run_id: str) -> None:
    from diagnosis.tracking.mlflow_run import client_for

    client = client_for("sqlite:///mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("diagnosis").experiment_id])
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")


@contextmanager
def stopping(monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException) -> Iterator[None]:
    """Let the files of a step fail, as with a full disk, or with Ctrl-C at that moment."""
    kept = Kept.step

    @contextmanager
    def full(self: Kept, name: str) -> Iterator[Path]:
        with kept(self, name) as folder:
            yield folder
            if name == step:
                raise error

    with monkeypatch.context() as patch:
        patch.setattr(Kept, "step", full)
        yield


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_ctrl_c_and_a_full_disk_leave_nothing_that_looks_finished(
    quick: None, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, error: BaseException
):
    config = write_config()
    with stopping(monkeypatch, "fit", error), pytest.raises(type(error)):
        train(config)
    assert list(Path("runs").iterdir()) == [], "no step had finished"
    with stopping(monkeypatch, "report", error), pytest.raises(type(error)):
        train(config)
    assert [p.name for p in Path("runs").iterdir()] == ["clinic"]
    assert [p.name for p in Path("runs/clinic").iterdir()] == [".steps"]
    assert not list(Path("runs/clinic").rglob("*.partial"))
    with pytest.raises(BundleError):
        load_diagnoser("runs/clinic")
    assert set(train(config).seconds) == {"load", "check", "split", "report", "save"}
    assert not (Path("runs/clinic") / ".steps").exists()


def test_a_run_that_is_stopped_leaves_the_earlier_one(
    quick: None, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
):
    path = write_config()
    train(path)
    before = Path("runs/clinic/run.json").read_bytes()
    with stopping(monkeypatch, "evaluate", KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        train(path, ["seed=9"])
    assert Path("runs/clinic/run.json").read_bytes() == before
    load_diagnoser("runs/clinic")
    # Another seed is another run: nothing of the one that was stopped is taken for it.
    assert set(train(path, ["seed=8"]).seconds) == set(STEPS) - {"track"}
    assert Path("runs/clinic/run.json").read_bytes() != before


def test_a_damaged_step_and_other_records_are_taken_again(
    quick: None, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, clinic_folder: Path, tmp_path: Path
):
    shutil.copytree(clinic_folder, tmp_path / "changed")
    path = write_config()
    overrides = [f"records={tmp_path / 'changed'}"]
    with stopping(monkeypatch, "report", KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        train(path, overrides)
    (damaged,) = Path("runs/clinic/.steps").glob("*/calibrate/bundle/encoder.json")
    damaged.write_text(damaged.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with stopping(monkeypatch, "report", KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        train(path, overrides)
    load_bundle(damaged.parent)
    with (tmp_path / "changed" / "cases.csv").open("a", encoding="utf-8") as file:
        columns = (tmp_path / "changed" / "cases.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
        file.write(",".join({"case_id": "new", "patient_id": "new"}.get(c, "") for c in columns) + "\n")
    assert "fit" in train(path, overrides).seconds


def test_folds_that_were_judged_are_not_fitted_again(
    quick: None, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
):
    path = write_config("split: {by: site, test: each}\n")
    with stopping(monkeypatch, "evaluate", KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        train(path)
    assert len(list(Path("runs/clinic/.steps").glob("*/fold-*-judged"))) == 2
    again = train(path)
    assert again.judged.plain == train(path, ["output=runs/whole"]).judged.plain
    assert again.evaluation.to_json() == again.judged.plain, "a resumed run evaluates again where it is asked to"


def test_two_runs_at_once_in_one_folder(write_config: WriteConfig):
    config = read_config(write_config())
    with at_work(config.folder, config.name), pytest.raises(InputError, match="Another process is training into it"):
        train(config)
    assert not Path("runs/clinic").exists()


def test_each_step_has_its_time_and_its_memory(write_config: WriteConfig):
    result = train(write_config())
    assert list(result.seconds) == [step for step in STEPS if step != "track"]
    assert set(result.peak_mib) == set(result.seconds)
    assert min(result.peak_mib.values()) > 10
    written = json.loads(Path("runs/clinic/run.json").read_text(encoding="utf-8"))
    assert written["peak_mib"]["fit"] > 10
    assert written["outside"] == []


def test_an_inner_step_counts_for_itself():
    import time

    steps = Steps()
    with steps("outer", "Outer"):
        with steps("inner", "Inner"):
            time.sleep(0.03)
        time.sleep(0.01)
    assert steps.seconds["inner"] >= 0.03
    assert 0.01 <= steps.seconds["outer"] < steps.seconds["inner"]
