"""The same training on one machine and on Dask workers: time, and how good the model is.

    python benchmarks/bench_dask.py [--size small|full] [--model linear|boosted|hybrid] [--workers 2] [--json]

Made-up cases (`small`: 1,500, `full`: 20,000) of 43 diagnoses, in Parquet; the same split, encoding and fit, each with
`dx.train`'s own learning: seconds on the clock until the model is fitted, without calibration and evaluation (the same
for both), CPU seconds of all processes with the start of the workers, and log-loss and top-1 on the unseen cases. The
encoders must be equal. Workers are processes of this machine: with no more cores than processes they cannot be faster,
and what is seen is what the sums and the network cost.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

import diagnosis as dx
from diagnosis.models.calibration import log_softmax
from diagnosis.models.registry import make_model
from diagnosis.suggestions.learned import label
from diagnosis.training import Config
from diagnosis.training.building import build_diagnoser
from diagnosis.training.cohort import take_part
from diagnosis.training.engine import learning_on
from diagnosis.training.sides import one_split

CASES = {"small": 1_500, "full": 20_000}


def main() -> None:
    """Print the answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(CASES), default="small")
    parser.add_argument("--model", choices=["linear", "boosted", "hybrid"], default="hybrid")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(dx.make_cohort(CASES[asked.size], seed=3, to=f"{place}/cohort"))
        found = compare(folder, asked.model, asked.workers)
    found = {
        "cases": CASES[asked.size],
        "model": asked.model,
        "workers": asked.workers,
        "cores": os.cpu_count(),
        **found,
    }
    print(json.dumps(found, indent=None if asked.json else 1))


def compare(folder: Path, model: str, workers: int) -> dict[str, Any]:
    """One fit of each; their ratio, and what each makes of unseen cases."""
    plain: dict[str, Any] = {"records": str(folder), "model": {"kind": model}, "tracking": None}
    engines = {"local": {}, "dask": {"engine": "dask", "dask": {"workers": workers}}}
    found: dict[str, Any] = {}
    encoders = []
    for name, more in engines.items():
        config = Config.model_validate(plain | more)
        encoder, found[name] = fitted(folder, config)
        encoders.append(encoder.to_json())
    assert encoders[0] == encoders[1]
    found["seconds_ratio"] = round(found["dask"]["seconds"] / found["local"]["seconds"], 2)
    found["log_loss_ratio"] = round(found["dask"]["log_loss"] / found["local"]["log_loss"], 4)
    return found


def fitted(folder: Path, config: Config) -> tuple[Any, dict[str, float]]:
    """Fit under the engine of a config, and judge on the unseen side."""
    sides = one_split(take_part(dx.read_records(folder), config).records, config.split, config.seed)
    diagnoser = build_diagnoser(config)
    cases = label(sides.train, sides.train.y, sides.train.groups, config.labels.min_cases, config.labels.rest)
    model = make_model(diagnoser.model, seed=config.seed, n_jobs=1, n_diagnoses=len(set(cases.y)))
    cpu = cpu_seconds()
    with learning_on(config) as learning:
        start = time.perf_counter()
        encoder, model, _ = learning(cases, diagnoser.encoder, model, weight=None, folds=5, seed=config.seed)
        seconds = time.perf_counter() - start
    cpu = cpu_seconds() - cpu
    log_p = log_softmax(model.scores(encoder.transform(sides.test)))
    known = np.isin(sides.test.y.astype(str), model.classes_)
    true = np.searchsorted(model.classes_, sides.test.y[known].astype(str))
    own = log_p[known]
    judged = {
        "log_loss": round(float(-own[np.arange(len(true)), true].mean()), 4),
        "top1": round(float((own.argmax(axis=1) == true).mean()), 4),
    }
    return encoder, {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), **judged}


def cpu_seconds() -> float:
    """Of this process and of those it started that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


if __name__ == "__main__":
    main()
