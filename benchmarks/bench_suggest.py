"""What a training run costs over the bare fit, what answering a folder costs over the model, and one case served.

    python benchmarks/bench_suggest.py [train] [batch] [serve] [--size small|full] [--model M] [--json]

`train`: the CPU time of `dx.train` beside reading, fitting and evaluating by hand, on the same made-up cases (`small`:
5,000, `full`: 100,000); the difference over the fit is its overhead. The bundle must be that of the fit by hand.
`batch`: answering a folder of Parquet with `suggest_parts`, from files to files, beside the model's own scores of the
matrix alone and beside `Diagnoser.batch`. `serve`: one case of the sample through `mlflow.pyfunc`, p50 and p95.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import numpy as np

import diagnosis as dx
from diagnosis.suggestions.in_parts import suggest_parts
from diagnosis.tracking.packaging import write_model
from diagnosis.training import Config
from diagnosis.training.building import build_diagnoser
from diagnosis.training.cohort import take_part
from diagnosis.training.sides import one_split

CASES = {"small": 5_000, "full": 100_000}
ANSWERED = {"small": 2_000, "full": 20_000}
TURNS = {"small": 3, "full": 1}


def main() -> None:
    """Print the answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", default=["train", "batch", "serve"])
    parser.add_argument("--size", choices=list(CASES), default="small")
    parser.add_argument("--model", default="hybrid", choices=["linear", "boosted", "hybrid"])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found: dict[str, Any] = {"size": asked.size, "model": asked.model}
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        for name in asked.questions:
            found[name] = {"train": train, "batch": batch, "serve": serve}[name](asked.size, asked.model)
            if not asked.json:
                print(name, json.dumps(found[name], indent=1), flush=True)
    if asked.json:
        print(json.dumps(found, indent=1))


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of some work, and what it gives."""
    start = time.process_time()
    done = work()
    return time.process_time() - start, done


def train(size: str, model: str) -> dict[str, Any]:
    """The run beside the same work by hand, in turn."""
    folder = dx.make_cohort(CASES[size], seed=3, to="cohort")
    config = {
        "records": str(Path(folder).absolute()),
        "model": {"kind": model},
        "evaluation": {"by": [], "explained": True},
        "tracking": {"uri": "sqlite:///mlflow.db", "experiment": "bench"},
    }
    rows = []
    for turn in range(TURNS[size]):
        by_hand, fitted = _by_hand(folder, Config.model_validate(config))
        plain = {**config, "output": f"run-{turn}"}
        whole, result = cpu(lambda plain=plain: dx.train(Config.model_validate(plain)))
        assert result.diagnoser.fingerprint == fitted.fingerprint, "the run and the hand made different models"
        rows.append({**by_hand, "whole run": whole, "steps": {k: round(v, 2) for k, v in result.seconds.items()}})
    over = [row["whole run"] - row["read"] - row["fit"] - row["evaluate"] for row in rows]
    return {
        "cases": CASES[size],
        **{name: round(median(row[name] for row in rows), 2) for name in ("read", "fit", "evaluate", "whole run")},
        "overhead": round(median(over), 2),
        "overhead over the fit": round(median(o / row["fit"] for o, row in zip(over, rows, strict=True)), 4),
        "peak MiB": round(max(result.peak_mib.values())),
        "steps of the last run, s on the clock": rows[-1]["steps"],
    }


def _by_hand(folder: Path, config: Config) -> tuple[dict[str, float], dx.Diagnoser]:
    read, records = cpu(lambda: dx.read_records(folder))
    sides = one_split(take_part(records, config).records, config.split, config.seed)
    fit, diagnoser = cpu(lambda: build_diagnoser(config).fit(sides.train))
    evaluate, _ = cpu(lambda: dx.evaluate(diagnoser, sides.test))
    return {"read": read, "fit": fit, "evaluate": evaluate}, diagnoser


def batch(size: str, model: str) -> dict[str, Any]:
    """A folder answered from files to files, beside the scores alone."""
    diagnoser = dx.Diagnoser(model=model).fit(dx.make_cohort(5_000, seed=1))
    folder = dx.make_cohort(ANSWERED[size], seed=2, to="asked")
    records = diagnoser.as_known(dx.read_records(folder))
    X = diagnoser.encoder_.transform(records)
    times: dict[str, list[float]] = {"model's scores": [], "Diagnoser.batch": [], "files to files": []}
    for turn in range(3):
        times["model's scores"].append(cpu(lambda: diagnoser.model_.scores(X))[0])
        times["Diagnoser.batch"].append(cpu(lambda: diagnoser.batch(records))[0])
        took, done = cpu(lambda turn=turn: suggest_parts(diagnoser, folder, f"answers-{turn}"))
        assert done.n_cases == len(records)
        times["files to files"].append(took)
    middle = {name: median(values) for name, values in times.items()}
    whole = middle["files to files"]
    return {
        "cases": len(records),
        "CPU s": {name: round(value, 3) for name, value in middle.items()},
        "ms a case": round(1e3 * whole / len(records), 3),
        "of the model's scores": round(middle["model's scores"] / whole, 3),
        "of Diagnoser.batch": round(middle["Diagnoser.batch"] / whole, 3),
    }


def serve(_size: str, model: str) -> dict[str, Any]:
    """One case after the other through MLflow's pyfunc."""
    import mlflow.pyfunc

    records = dx.load_sample()
    diagnoser = dx.Diagnoser(model=model, as_of="index").fit(records[:3000])
    write_model(diagnoser, diagnoser.save("bundle"), Path("model"))
    served = mlflow.pyfunc.load_model("model")
    unseen = records[3000:3400]
    cases = [_plain(unseen, i) for i in range(len(unseen))]
    served.predict({"cases": cases[:5]})
    took = [cpu(lambda case=case: served.predict({"cases": [case]}))[0] for case in cases]
    clock = []
    for case in cases:
        start = time.perf_counter()
        served.predict({"cases": [case]})
        clock.append(time.perf_counter() - start)
    return {
        "cases": len(cases),
        "findings a case": round(float(np.mean([len(case["findings"]) for case in cases])), 1),
        "CPU ms, p50": round(1e3 * float(np.median(took)), 2),
        "CPU ms, p95": round(1e3 * float(np.quantile(took, 0.95)), 2),
        "clock ms, p50": round(1e3 * float(np.median(clock)), 2),
    }


def _plain(records: dx.Records, i: int) -> dict[str, Any]:
    """A case as an application would send it."""
    case = records.case(i)
    names = ("code", "status", "value", "unit", "text", "time", "known", "subject")
    findings = [{name: getattr(one, name) for name in names} for one in case.findings]
    plain = {name: getattr(case, name) for name in ("case_id", "age_years", "sex", "site", "time", "index_time")}
    return json.loads(json.dumps({**plain, "findings": findings}, default=str))


if __name__ == "__main__":
    main()
