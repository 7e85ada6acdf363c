"""The wheel: all of the package in it, nothing else, and it works where there is no checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parents[1]
SOURCE = CHECKOUT / "src" / "diagnosis"
SAMPLE = CHECKOUT / "data" / "sample"
#: What the sample may weigh in the wheel.
MAX_SAMPLE_BYTES = 4 * 2**20


def build(folder: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("diagnosis-*.whl")
    return wheel


def visible(folder: Path) -> Iterator[Path]:
    """Files below a folder, without caches and hidden files."""
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        if file.is_file() and not any(p.startswith(".") or p == "__pycache__" for p in parts):
            yield file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(n for n in names if n.endswith(".dist-info/METADATA"))
        says = archive.read(metadata).decode()
    expected = {f"diagnosis/{f.relative_to(SOURCE).as_posix()}" for f in visible(SOURCE)}
    expected |= {f"diagnosis/sample/files/{f.relative_to(SAMPLE).as_posix()}" for f in visible(SAMPLE)}
    extra = {n for n in names - expected if ".dist-info/" not in n and not Path(n).name.startswith(".")}
    assert not expected - names, "missing in the wheel"
    assert not extra, "in the wheel, and not of the package"
    kinds = {Path(n).suffix for n in expected}
    assert {".py", ".typed", ".csv", ".j2", ".css", ".json", ".parquet"} <= kinds
    assert any(n.endswith(".dist-info/licenses/LICENSE") for n in names)
    assert "License-Expression: Apache-2.0" in says
    assert "Requires-Python: <3.14,>=3.11" in says


def test_sample_is_small(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        size = sum(i.file_size for i in archive.infolist() if i.filename.startswith("diagnosis/sample/files/"))
    assert 0 < size <= MAX_SAMPLE_BYTES


def test_installed_wheel_runs_the_demo_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "DIAGNOSIS_"))}
    env["PYTHONPATH"] = str(site)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=work, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    ask = "import json, diagnosis as dx; print(json.dumps([dx.__file__, len(dx.load_sample()), dx.__version__]))"
    where, n_cases, version = json.loads(run("-c", ask))
    assert Path(where).is_relative_to(site)
    assert n_cases > 5_000
    assert version == wheel.name.split("-")[1]

    command = "from diagnosis.cli import main; main()"
    assert "demo" in run("-c", command, "--help")
    assert "review.html" in run("-c", command, "demo")
    page = (work / "runs" / "demo" / "review.html").read_text(encoding="utf-8")
    assert page.count("<html") == 1
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert {p.name for p in work.iterdir()} <= {"runs", "mlflow.db", "mlruns", "mlartifacts"}
