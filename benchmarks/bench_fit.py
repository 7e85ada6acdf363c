"""How long does a fit take and how good is it, beside tuned LightGBM and a plain logistic regression?

    DIAGNOSIS_DATA=... python benchmarks/bench_fit.py [fit score busy streamed] [--cohort made|DDXPlus] [--cases N]
                                                      [--rounds N] [--size small|full] [--json]

`fit`: the same encoder columns of a made cohort (43 diagnoses) and, with `DIAGNOSIS_DATA`, of patients drawn from
DDXPlus's tables (49 diagnoses), 20,000 cases (`full`: also 100,000), scored on 20,000 others. The peers are LightGBM's
multiclass with 200 rounds of 4 leaves and 100 rounds of 7 at the learning rate that did best (.1; .15 and more diverge
here, and so does .1 without the penalty that both get) and scikit-learn's LogisticRegression as it comes. Models take
turns; seconds are those of the process's own CPU time, so that other work on the machine counts less; ratios are to the
peer of the same turn and their median is shown.

`score`: cases scored in a second, all at once, one thread. Either hybrid's peer is LightGBM's own prediction with the
same trees.

`busy`: a hybrid's fit on 4,000 of the cases with one thread and with two, alone and then beside a process that never
rests and may run on any core, in turn; time on the clock, so it wants a machine on which nothing else runs (the load
before is shown), and two cores (`taskset -c 0,1` on a larger one).

`streamed`: the linear fit of cases in batches beside the same in memory.
"""

from __future__ import annotations

import os

# Before any library with threads loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from diagnosis.features import FindingEncoder
from diagnosis.models import HybridModel, LinearModel
from diagnosis.models.calibration import log_softmax
from diagnosis.models.hybrid_fit import REST_WORK
from diagnosis.models.trees import load_lightgbm
from diagnosis.readers.ddxplus import sample_ddxplus
from diagnosis.sample import make_cohort

TEST = 20_000
ROUNDS = {"small": 3, "full": 2}
SIZES = {"small": (20_000,), "full": (20_000, 100_000)}
SECTIONS = ("fit", "score", "busy", "streamed")


class Cases:
    """Encoded cases to learn from and others to score."""

    def __init__(self, name: str, records: Any) -> None:
        records = records[np.flatnonzero([label is not None for label in records.y])]
        learned = np.arange(len(records)) < len(records) - TEST
        encoder = FindingEncoder().fit(records[learned])
        labels = np.array([str(label) for label in records.y])
        self.name, self.groups = name, records.groups[learned]
        self.X, self.X_test = (encoder.transform(records[m]).astype(np.float64) for m in (learned, ~learned))
        self.classes = np.unique(labels[learned])
        self.y = np.searchsorted(self.classes, labels[learned])
        known = np.isin(labels[~learned], self.classes)
        self.X_test, self.y_test = self.X_test[known], np.searchsorted(self.classes, labels[~learned][known])


def main() -> None:
    """Print a table a section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[])
    parser.add_argument("--cohort", choices=["made", "DDXPlus"], help="one of the two instead of both")
    parser.add_argument("--cases", type=int, help="so many training cases instead of 20,000 (full: and 100,000)")
    parser.add_argument("--rounds", type=int, help="turns of every model (small: 3, full: 2)")
    parser.add_argument("--size", choices=list(ROUNDS), default="small")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    sizes = (asked.cases,) if asked.cases else SIZES[asked.size]
    for cases in cohorts(sizes, asked.cohort):
        for section in asked.sections or SECTIONS:
            rows = globals()[section](cases, asked.rounds or ROUNDS[asked.size])
            found.setdefault(section, {})[cases.name] = rows
            if not asked.json:
                print(f"{section}: {cases.name}, {cases.X.shape[0]:,} cases x {cases.X.shape[1]:,} columns", flush=True)
                print("\n".join(f"  {name:<34}" + line(row) for name, row in rows.items()), flush=True)
    if asked.json:
        print(json.dumps(found, indent=1))


def cohorts(sizes: Sequence[int], only: str | None) -> Iterator[Cases]:
    """Yield the cohorts, small ones first."""
    data = os.environ.get("DIAGNOSIS_DATA")
    for n in sizes:
        if only != "DDXPlus":
            yield Cases(f"made cohort, {n:,}", make_cohort(n + TEST, seed=1))
        if data and only != "made":
            tables = Path(data) / "ddxplus" / "conditional_probabilities.json"
            yield Cases(f"DDXPlus tables, {n:,}", sample_ddxplus(tables, n + TEST, seed=1))


def fit(cases: Cases, rounds: int) -> dict[str, dict[str, float]]:
    """Fit all models in turn; time, and what they say of cases they did not see."""
    makers: dict[str, Callable[[], Callable[[Any], Any]]] = {
        "LightGBM 200 x 4": lambda: lightgbm_scores(cases, 200, 4),
        "LightGBM 100 x 7": lambda: lightgbm_scores(cases, 100, 7),
        "scikit-learn LogisticRegression": lambda: (
            LogisticRegression(max_iter=1000).fit(cases.X, cases.y).decision_function
        ),
        "linear": lambda: LinearModel().fit(cases.X, cases.y).scores,
        "hybrid": lambda: HybridModel(residual=False).fit(cases.X, cases.y, groups=cases.groups).scores,
        "hybrid, residual": lambda: HybridModel(residual=True).fit(cases.X, cases.y, groups=cases.groups).scores,
    }
    if cases.X.nnz * len(cases.classes) >= REST_WORK:
        # Neither of the two above: the residual form with more trees.
        makers["hybrid, as it comes"] = lambda: HybridModel().fit(cases.X, cases.y, groups=cases.groups).scores
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    scores: dict[str, Any] = {}
    for _ in range(rounds):
        for name, make in makers.items():
            start = time.process_time()
            model = make()
            seconds[name].append(time.process_time() - start)
            if name not in scores:
                scores[name] = model(cases.X_test)
    quality = {name: quality_of(s, cases.y_test) for name, s in scores.items()}
    best = min(list(makers)[:2], key=lambda name: quality[name]["log_loss"])
    return {
        name: {
            "seconds": statistics.median(seconds[name]),
            "of_best_lightgbm": statistics.median(a / b for a, b in zip(seconds[name], seconds[best], strict=True)),
            **quality[name],
        }
        for name in makers
    }


def lightgbm_scores(cases: Cases, rounds: int, leaves: int) -> Callable[[Any], Any]:
    """Train LightGBM's own multiclass."""
    lgb = load_lightgbm()
    options = {
        "objective": "multiclass",
        "num_class": len(cases.classes),
        "num_leaves": leaves,
        "learning_rate": 0.1,
        "lambda_l2": 1.0,
        "min_sum_hessian_in_leaf": 0.1,
        "num_threads": 1,
        "verbosity": -1,
    }
    booster = lgb.train(options, lgb.Dataset(cases.X, cases.y, params=options), rounds)
    return lambda X: booster.predict(X, raw_score=True, num_threads=1)


def quality_of(scores: Any, y: Any) -> dict[str, float]:
    """Top-k, a tie counting against, and log-loss."""
    log_p = log_softmax(scores)
    own = log_p[np.arange(y.size), y]
    rank = (log_p >= own[:, None]).sum(axis=1)
    return {f"top{k}": float((rank <= k).mean()) for k in (1, 3, 5)} | {"log_loss": float(-own.mean())}


def score(cases: Cases, rounds: int) -> dict[str, dict[str, float]]:
    """Score all cases at once."""
    lgb, X = load_lightgbm(), cases.X_test
    linear = LinearModel().fit(cases.X, cases.y)
    found: dict[str, list[float]] = {"linear": []}
    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {}
    for name, residual in (("hybrid", False), ("hybrid, residual", True)):
        model = HybridModel(residual=residual).fit(cases.X, cases.y, groups=cases.groups)
        if model.boosted_ is None:
            continue
        booster = lgb.Booster(model_str=model.boosted_.trees_.text)
        np.testing.assert_array_equal(model.boosted_.scores(X), booster.predict(X, raw_score=True, num_threads=1))
        pairs[name] = (
            lambda model=model: model.scores(X),
            lambda booster=booster: booster.predict(X, num_threads=1),
        )
    ratios: dict[str, list[float]] = {name: [] for name in pairs}
    for _ in range(2 * rounds + 1):
        found["linear"].append(cpu(lambda: linear.scores(X)))
        for name, (ours, peer) in pairs.items():
            taken, beside = cpu(ours), cpu(peer)
            found.setdefault(name, []).append(taken)
            ratios[name].append(beside / taken)
    speed = {name: {"cases_a_second": X.shape[0] / statistics.median(taken)} for name, taken in found.items()}
    return {
        name: row | ({"of_lightgbms_speed": statistics.median(ratios[name])} if name in ratios else {})
        for name, row in speed.items()
    }


def cpu(do: Callable[[], Any]) -> float:
    """Return the seconds of the process's own CPU time that something takes."""
    start = time.process_time()
    do()
    return time.process_time() - start


def busy(cases: Cases, rounds: int) -> dict[str, dict[str, float]]:
    """Fit with one thread and with two, alone and with a busy neighbour."""
    rows = np.arange(0, cases.y.size, max(cases.y.size // 4000, 1))
    X, y, groups = cases.X[rows], cases.y[rows], cases.groups[rows]
    load, found = os.getloadavg()[0], {}
    for threads in (1, 2):
        model = HybridModel(folds=1, residual=False, n_jobs=threads)
        quiet, beside = [], []
        for _ in range(rounds):
            quiet.append(wall(lambda model=model: model.fit(X, y, groups=groups)))
            neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            try:
                beside.append(wall(lambda model=model: model.fit(X, y, groups=groups)))
            finally:
                neighbour.kill()
                neighbour.wait()
        found[f"{threads} threads, alone"] = {"seconds": statistics.median(quiet), "load_before": load}
        found[f"{threads} threads, busy neighbour"] = {
            "seconds": statistics.median(beside),
            "of_quiet": statistics.median(b / q for b, q in zip(beside, quiet, strict=True)),
        }
    return found


def wall(do: Callable[[], Any]) -> float:
    """Return the seconds that something takes."""
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def streamed(cases: Cases, rounds: int) -> dict[str, dict[str, float]]:
    """Fit the linear model on batches of 4,096 rows and on the matrix; the same coefficients."""
    rows = Batched(cases.X)
    seconds: dict[str, list[float]] = {"in memory": [], "by batches": []}
    models: dict[str, LinearModel] = {}
    for _ in range(rounds):
        for name, X in (("in memory", cases.X), ("by batches", rows)):
            start = time.process_time()
            models[name] = LinearModel(tol=5e-4).fit(X, cases.y)
            seconds[name].append(time.process_time() - start)
    losses = [quality_of(model.scores(cases.X_test), cases.y_test)["log_loss"] for model in models.values()]
    assert abs(losses[0] - losses[1]) < 0.003, losses
    peer = seconds["in memory"]
    return {
        name: {
            "seconds": statistics.median(taken),
            "of_in_memory": statistics.median(a / b for a, b in zip(taken, peer, strict=True)),
        }
        for name, taken in seconds.items()
    }


class Batched:
    """A matrix in batches of rows, as `features.Shards` gives them."""

    def __init__(self, X: Any) -> None:
        self.X, self.shape = X, X.shape

    def batches(self) -> Iterator[Any]:
        for start in range(0, self.shape[0], 4096):
            yield self.X[start : start + 4096]


def line(row: dict[str, float]) -> str:
    """One row of a table."""
    return "".join(f"{name} {value:<9.{0 if value > 1000 else 4}f} " for name, value in row.items())


if __name__ == "__main__":
    main()
