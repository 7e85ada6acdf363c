"""The house keeps its rules: imports go one way, heavy and unsafe libraries stay at home, files stay small."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from tests.house import ALLOWED, ROOMS, imports, is_standard, violations

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "src" / "diagnosis"
FILES = sorted(PACKAGE.rglob("*.py"))
#: Import names that differ from the name of the distribution.
IMPORT_NAMES = {"PyYAML": "yaml", "SQLAlchemy": "sqlalchemy", "scikit-learn": "sklearn", "MarkupSafe": "markupsafe"}


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def rooms() -> list[str]:
    folders = [p.parent.name for p in PACKAGE.glob("*/__init__.py")]
    return sorted([*folders, *(p.stem for p in PACKAGE.glob("*.py") if p.stem != "__init__")])


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_module_keeps_the_rules(file: Path) -> None:
    found = violations(module_name(file), file.read_text(encoding="utf-8"), is_package=file.stem == "__init__")
    assert not found, "\n" + "\n".join(found)


def test_all_files_are_looked_at() -> None:
    assert len(FILES) > 80
    assert {"errors", "records", "models", "cli"} <= set(rooms())


@pytest.mark.parametrize("room", rooms())
def test_room_says_what_it_is_for_and_lists_its_names(room: str) -> None:
    module = import_module(f"diagnosis.{room}")
    assert module.__doc__, f"{room}: its first lines say what it is for"
    assert len(module.__doc__) > 40, f"{room}: {module.__doc__!r} says too little"
    names = getattr(module, "__all__", None)
    assert names, f"{room}: lists its public names in __all__"
    assert not [n for n in names if not hasattr(module, n)], f"{room}: __all__ names what is not there"


def test_a_folder_of_the_package_is_a_room_or_belongs_to_one() -> None:
    loose = [p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__" and p.name not in ROOMS]
    assert not loose, f"{loose}: put them into a room, or into ROOMS in tests/house.py"
    empty = [p.name for p in PACKAGE.iterdir() if p.is_dir() and not any(p.iterdir())]
    assert not empty, f"{empty}: an empty folder promises what is not there"


def test_architecture_page_lists_the_rooms_in_order() -> None:
    page = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert listed == [room for room in ROOMS if room in rooms()]


def test_exceptions_are_still_needed() -> None:
    used = set()
    for file in FILES:
        module = module_name(file)
        for one in imports(module, ast.parse(file.read_text(encoding="utf-8"))):
            used.add((module, ".".join(one.name.split(".")[:2])))
    assert set(ALLOWED) <= used, f"take out of ALLOWED in tests/house.py: {set(ALLOWED) - used}"


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = [re.split(r"[<>=!~\[; ]", d, maxsplit=1)[0] for d in declared]
    known = {IMPORT_NAMES.get(n, n.replace("-", "_").partition(".")[0]) for n in names}
    used: dict[str, str] = {}
    for file in FILES:
        for one in imports(module_name(file), ast.parse(file.read_text(encoding="utf-8"))):
            used[one.top] = module_name(file)
    missing = {top: where for top, where in used.items() if not is_standard(top) and top not in {*known, "diagnosis"}}
    assert not missing, f"declare in pyproject.toml: {missing}"


@pytest.mark.parametrize(
    ("module", "source", "says"),
    [
        ("diagnosis.records.labels", "from diagnosis.models import make_model", "models/ is below records/"),
        ("diagnosis.records.labels", "import diagnosis.models.linear", "models/ is below records/"),
        ("diagnosis.records.labels", "from ..models.linear import LinearModel", "models/ is below records/"),
        ("diagnosis.records", "from ..models import LinearModel", "models/ is below records/"),
        ("diagnosis.records.labels", "from diagnosis import models", "models/ is below records/"),
        ("diagnosis.records.labels", "def f():\n    from diagnosis.training import train", "training/ is below"),
        ("diagnosis.records.labels", "import_module('diagnosis.cli')", "cli/ is below records/"),
        ("diagnosis.pages.case", "if TYPE_CHECKING:\n    from diagnosis.records import Case", "records/ is below"),
        ("diagnosis.errors", "from diagnosis.records import Report", "records/ is below errors/"),
        ("diagnosis.records.labels", "from diagnosis import Records", "from the package root"),
        ("diagnosis.records.labels", "import diagnosis as dx", "from the package root"),
        ("diagnosis.cellar.wine", "x = 1", "is no room"),
        ("diagnosis.models.linear", "import mlflow.pyfunc", "lives in tracking alone"),
        ("diagnosis.models.linear", "def f():\n    import shap", "lives in explanation alone"),
        ("diagnosis.features.encoder", "from lightgbm import Booster", "lives in models and explanation"),
        ("diagnosis.evaluation.scores", "import matplotlib.pyplot as plt", "lives in pages alone"),
        ("diagnosis.models.files", "import pickle", "runs code from files"),
        ("diagnosis.models.files", "from cloudpickle import loads", "runs code from files"),
        ("diagnosis.models.files", "from joblib import load", "is pickle"),
        ("diagnosis.models.files", "import joblib\njoblib.load('x')", "is pickle"),
        ("diagnosis.models.files", "np.load('x', allow_pickle=True)", "allow_pickle"),
        ("diagnosis.models.files", "def f():\n    print('x')", "prints"),
        ("diagnosis.models.files", "def f(**kwargs): ...", "takes **kwargs"),
        ("diagnosis.models.files", "class A:\n    def __init__(self, **options): ...", "takes **options"),
        ("diagnosis.models.files", "x = 1\n" * 351, "351 lines"),
        ("diagnosis.models.files", "def f():\n" + "    x = 1\n" * 50, "51 lines without its docstring"),
    ],
)
def test_checker_sees(module: str, source: str, says: str) -> None:
    found = violations(module, source, is_package=module.count(".") == 1 and not module.endswith("errors"))
    assert len(found) == 1
    assert says in found[0]
    assert module in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("diagnosis.models.linear", "from diagnosis.models.folds import x\nfrom diagnosis.records import Records"),
        ("diagnosis.models.linear", "from .folds import x\nfrom ..records import Records"),
        ("diagnosis.errors", "if TYPE_CHECKING:\n    from diagnosis.records.report import Report"),
        ("diagnosis", "def __getattr__(name):\n    from diagnosis.cli import main"),
        ("diagnosis.cli", "from diagnosis.training import train\nprint(train)"),
        ("diagnosis.explanation.trees", "import shap, lightgbm, joblib\nnp.load('x', allow_pickle=False)"),
        ("diagnosis.models.files", "def _f(**kwargs): ..."),
        ("diagnosis.models.files", 'def f():\n    """Doc.\n' + "    more\n" * 60 + '    """\n    return 1'),
    ],
)
def test_checker_lets_pass(module: str, source: str) -> None:
    assert violations(module, source) == []
