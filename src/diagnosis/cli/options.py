"""Arguments and options that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = [
    "FORMATS",
    "AsJson",
    "ConfigFile",
    "Encoding",
    "Format",
    "From",
    "Metric",
    "Model",
    "OfReading",
    "OnSeenPatients",
    "Options",
    "Overrides",
    "RecordsFolder",
    "Top",
]

FORMATS = "tables, fhir, phenopackets, meds, ddxplus"
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A bundle folder, a run's folder, or an MLflow URI such as models:/clinic@champion."
    ),
]
RecordsFolder = Annotated[Path, typer.Argument(metavar="RECORDS", help="A folder of records, or a file.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Encoding = Annotated[str | None, typer.Option(help="Encoding of text files, such as gb18030. Default: UTF-8.")]
Format = Annotated[str, typer.Option("--format", "--from", metavar="F", help=f"The format of RECORDS: {FORMATS}.")]
From = Annotated[str, typer.Option("--from", metavar="F", help=f"The format of RECORDS: {FORMATS}.")]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="NAME=VALUE", help="An option of that format, such as index=last of meds; may be repeated."
    ),
]
OnSeenPatients = Annotated[
    Literal["report", "leave_out", "raise"],
    typer.Option(
        help="What becomes of patients a model was trained on: report judges them and says so, leave_out judges the "
        "others alone, raise refuses."
    ),
]
OfReading = Annotated[
    str, typer.Option(help="posterior: which diagnosis it is; differential, where learned: what to keep on the list.")
]
Metric = Annotated[
    str, typer.Option(help="The one metric declared before looking: log_loss, brier, mrr, ndcg, top.1, top.3 ...")
]
ConfigFile = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", help="A YAML file such as configs/sample.yaml; `diagnosis config schema` describes every key."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="a.b=VALUE", help="Change one key, such as model.kind=linear; repeatable."),
]
Top = Annotated[int, typer.Option(min=1, help="How many diagnoses to list.")]
