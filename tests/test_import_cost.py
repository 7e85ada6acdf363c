"""`import diagnosis` loads nothing heavy, and a heavy library is loaded by the first use that needs it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("mlflow", "shap", "lightgbm", "matplotlib", "pandas", "pyarrow", "scipy", "sklearn", "polars", "pydantic")


def loaded(code: str) -> set[str]:
    """The heavy libraries a fresh interpreter holds after some code."""
    ask = f"{code}\nimport sys\nprint(*(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_root_loads_nothing_heavy() -> None:
    assert loaded("import diagnosis") == set()


def test_listing_the_names_loads_nothing_heavy() -> None:
    assert loaded("import diagnosis; dir(diagnosis); diagnosis.__version__") == set()


def test_an_error_can_be_caught_without_loading_anything() -> None:
    assert loaded("from diagnosis import InputError") == set()


def test_records_need_tables_and_nothing_that_learns() -> None:
    found = loaded("from diagnosis import Records")
    assert "pyarrow" in found
    assert not found & {"mlflow", "shap", "lightgbm", "matplotlib", "pydantic"}


def test_learning_needs_no_tracking_and_no_plots() -> None:
    found = loaded("from diagnosis import Diagnoser, FindingEncoder, HybridModel, evaluate")
    assert not found & {"mlflow", "shap", "matplotlib", "pydantic"}


def test_the_commands_help_comes_at_once() -> None:
    assert loaded("import diagnosis.cli") == set()


def test_the_measure_can_fail() -> None:
    assert loaded("import scipy") == {"scipy"}
