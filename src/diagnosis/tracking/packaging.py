"""A saved diagnoser as an MLflow model folder, which `mlflow.pyfunc` loads and `mlflow models serve` serves.

The folder holds a few lines of code (`model_code.py`, copied) and the bundle; nothing in it is pickled. It is written
here file by file, since MLflow's own writer imports what warns, notes absolute paths, and copies project files it
finds in the working directory.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from diagnosis.tracking.provenance import versions
from diagnosis.tracking.served_input import CASE_COLUMNS, CASES, FINDING_COLUMNS, FINDINGS

if TYPE_CHECKING:
    from diagnosis.suggestions import Diagnoser

__all__ = ["example_of", "write_model"]

_CODE = "model_code.py"
_EXAMPLE, _REQUEST = "input_example.json", "serving_input_example.json"
_EXAMPLE_STATES = ("present", "absent")


def write_model(
    diagnoser: Diagnoser, bundle: Path, folder: Path, *, run_id: str | None = None, model_id: str | None = None
) -> Path:
    """Write the model folder of a bundle.

    Parameters
    ----------
    diagnoser : Diagnoser
        As it is in the bundle.
    bundle : Path
        Its `local/` stays where it is: digests of training ids never leave the site.
    folder : Path
        New.
    run_id, model_id : str, optional
        MLflow's ids of the run and of the logged model.

    Returns
    -------
    Path
        The folder.
    """
    from mlflow.models import Model

    folder.mkdir(parents=True)
    shutil.copytree(bundle, folder / "artifacts" / "bundle", ignore=shutil.ignore_patterns("local"))
    shutil.copyfile(Path(__file__).with_name(_CODE), folder / _CODE)
    model = Model(run_id=run_id, model_id=model_id, artifact_path="model" if run_id else None)
    model.flavors["python_function"] = {
        "artifacts": {"bundle": {"path": "artifacts/bundle", "uri": "artifacts/bundle"}},
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "loader_module": "mlflow.pyfunc.loaders.code_model",
        "model_code_path": _CODE,
        "python_version": platform.python_version(),
        "streamable": False,
    }
    model.signature = _signature(diagnoser)
    model.metadata = {"diagnosis": diagnoser.name, "as_of": diagnoser.moment}
    model.saved_input_example_info = _write_example(example_of(diagnoser), folder)
    _write_environment(folder)
    model.model_size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    model.save(str(folder / "MLmodel"))
    return folder


def example_of(diagnoser: Diagnoser) -> list[dict[str, Any]]:
    """A table of findings as an example: codes the model knows, one present and one absent; never a row of records."""
    known = [str(name) for name in diagnoser.encoder_.get_feature_names_out()]
    rows: list[dict[str, Any]] = []
    for state in _EXAMPLE_STATES:
        taken = {row["code"] for row in rows}
        codes = sorted({name.removeprefix(f"{state}:") for name in known if name.startswith(f"{state}:")} - taken)
        rows += [{"case_id": "1", "code": code, "status": state} for code in codes[:1]]
    context = {"age_years": 40.0, "sex": "female"} if diagnoser.encoder_.ages else {}
    return [{**row, **context} for row in rows]


def _signature(diagnoser: Diagnoser) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType, Array, DataType, Object, Property

    names = dict.fromkeys(("case_id", *FINDING_COLUMNS, *CASE_COLUMNS, FINDINGS, CASES))
    # Of any type: MLflow's own refusals repeat what was sent, and it takes no whole number for a number. The model
    # checks every value itself.
    inputs = Schema([ColSpec(AnyType(), name, required=False) for name in names])
    text, number = DataType.string, DataType.double
    outputs = Schema(
        [
            *(ColSpec(text, name) for name in ("case_id", "model", "reading", "as_of")),
            ColSpec(Array(Object([Property("diagnosis", text), Property("probability", number)])), "ranked"),
            ColSpec(number, "other", required=False),
            *(ColSpec(Array(text), name) for name in ("set", "must_not_miss", "unknown_codes")),
            ColSpec(Array(AnyType()), "flags"),
            ColSpec(DataType.boolean, "abstained"),
            ColSpec(text, "abstain_reason", required=False),
        ]
    )
    params = ParamSchema(
        [
            ParamSpec("top", DataType.long, diagnoser.top),
            ParamSpec("reading", text, "differential" if diagnoser.target == "differential" else "posterior"),
            ParamSpec("explain", DataType.boolean, False),
        ]
    )
    return ModelSignature(inputs, outputs, params)


def _write_example(rows: Sequence[dict[str, Any]], folder: Path) -> dict[str, Any]:
    columns = list(rows[0]) if rows else ["case_id", "code", "status"]
    split = {"columns": columns, "data": [[row[name] for name in columns] for row in rows]}
    (folder / _EXAMPLE).write_text(json.dumps(split, ensure_ascii=False), encoding="utf-8")
    request = json.dumps({"dataframe_split": split}, ensure_ascii=False, indent=2)
    (folder / _REQUEST).write_text(request, encoding="utf-8")
    return {
        "artifact_path": _EXAMPLE,
        "pandas_orient": "split",
        "serving_input_path": _REQUEST,
        "type": "dataframe",
    }


def _write_environment(folder: Path) -> None:
    """The versions that the model was made with, in the three forms that MLflow's environments are built from."""
    found = versions()
    python = found.pop("python")
    wanted = [f"{name}=={version}" for name, version in sorted(found.items())]
    (folder / "requirements.txt").write_text("\n".join(wanted) + "\n", encoding="utf-8")
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(yaml.safe_dump(environment, sort_keys=False), encoding="utf-8")
    conda = {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": [f"python={python}", {"pip": wanted}]}
    (folder / "conda.yaml").write_text(yaml.safe_dump(conda, sort_keys=False), encoding="utf-8")
