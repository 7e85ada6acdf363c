"""The records a run has used, told to MLflow as datasets: name, digest and counts, no row and no path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diagnosis.tracking.mlflow_run import TrackedRun

__all__ = ["DataSet", "log_datasets"]

_LONGEST_DIGEST = 36


@dataclass(frozen=True, slots=True)
class DataSet:
    """A set of records as it is told to others.

    Parameters
    ----------
    name : str
    digest : str
        SHA-256 of its content.
    n_cases, n_findings : int
    format : str
        The reader's name.
    """

    name: str
    digest: str
    n_cases: int
    n_findings: int
    format: str


def log_datasets(run: TrackedRun, datasets: Mapping[str, DataSet]) -> None:
    """Record what a run has used, by its role: ``records``, ``test_records``."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = []
    for role, one in datasets.items():
        profile = json.dumps({"num_cases": one.n_cases, "num_findings": one.n_findings, "sha256": one.digest})
        made = Dataset(
            name=one.name,
            digest=one.digest[:_LONGEST_DIGEST],
            source_type="records",
            source=json.dumps({"format": one.format}),
            profile=profile,
        )
        inputs.append(DatasetInput(made, [InputTag("mlflow.data.context", role)]))
    run.client.log_inputs(run.run_id, inputs)
