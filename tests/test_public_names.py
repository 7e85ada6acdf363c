"""The public names: one list, told three ways (what is loaded, what mypy sees, what completion offers)."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import diagnosis as dx

#: What users rely on. A name may be added; taking one away needs a deprecation first.
PROMISED = [
    *("Case", "Diagnoser", "Differential", "Evaluation", "Evidence", "Finding", "FindingEncoder", "Records"),
    *("evaluate", "load_diagnoser", "load_sample", "make_cohort", "read_records", "split", "train", "write_records"),
]
ERRORS = [name for name in dx.__all__ if name.endswith(("Error", "Warning"))]


def type_checking_imports() -> Iterator[tuple[str, str]]:
    """(module, name) of every import in the root's TYPE_CHECKING block."""
    tree = ast.parse(Path(str(dx.__file__)).read_text(encoding="utf-8"))
    blocks = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    assert len(blocks) == 1
    for node in blocks[0].body:
        assert isinstance(node, ast.ImportFrom), f"line {node.lineno}: only `from room import names` stands here"
        yield from ((str(node.module), alias.name) for alias in node.names if alias.asname is None)


def test_list_is_sorted_and_without_twins() -> None:
    assert list(dx.__all__) == sorted(set(dx.__all__), key=_case_then_name)


def _case_then_name(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: the order ruff keeps."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("name", dx.__all__)
def test_name_resolves_to_what_its_home_lists(name: str) -> None:
    home = import_module(f"diagnosis.{dx._HOMES[name]}")
    assert getattr(dx, name) is getattr(home, name)
    assert name in home.__all__, f"{name} is public, so diagnosis.{dx._HOMES[name]}.__all__ lists it as well"


def test_type_checker_sees_the_same_names_in_the_same_homes() -> None:
    lazy = {(f"diagnosis.{home}", name) for name, home in dx._HOMES.items()}
    assert set(type_checking_imports()) == lazy
    assert set(dx._HOMES) == set(dx.__all__)


def test_completion_offers_every_name() -> None:
    code = "import diagnosis as dx; print(set(dx.__all__) <= set(dir(dx)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True", "a fresh `import diagnosis` lists all names before any is used"


@pytest.mark.parametrize("name", PROMISED)
def test_promised_name_is_there(name: str) -> None:
    assert name in dx.__all__


@pytest.mark.parametrize("name", dx.__all__)
def test_name_explains_itself(name: str) -> None:
    value = getattr(dx, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value), f"{name} has no docstring"
        assert value.__module__.startswith("diagnosis."), f"{name} is somebody else's"


@pytest.mark.parametrize("name", ERRORS)
def test_errors_share_one_root(name: str) -> None:
    kind = getattr(dx, name)
    assert issubclass(kind, UserWarning if name.endswith("Warning") else dx.DiagnosisError)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Diagnosor"):
        dx.Diagnosor  # noqa: B018


def test_version_is_the_projects() -> None:
    assert dx.__version__[0].isdigit()
