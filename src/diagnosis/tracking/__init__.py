"""Runs and models in MLflow: what a training run records, and loading a diagnoser from a folder or an MLflow URI.

`mlflow` is imported in this room alone, and only when a run is tracked or a model is loaded from it.
"""

from diagnosis.tracking.datasets import DataSet, log_datasets
from diagnosis.tracking.flatten import metrics_of, params_of
from diagnosis.tracking.loading import load_diagnoser
from diagnosis.tracking.logged_model import log_model, register
from diagnosis.tracking.mlflow_run import TrackedRun, track
from diagnosis.tracking.provenance import git_commit, versions
from diagnosis.tracking.reach import check_reachable

__all__ = [
    "DataSet",
    "TrackedRun",
    "check_reachable",
    "git_commit",
    "load_diagnoser",
    "log_datasets",
    "log_model",
    "metrics_of",
    "params_of",
    "register",
    "track",
    "versions",
]
