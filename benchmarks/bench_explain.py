"""How fast is an explanation of the suggested diagnoses alone, beside an explanation of all of them?

    python benchmarks/bench_explain.py [49 500 evidence many] [--size small|full] [--json]

``49`` and ``500``: a LightGBM multiclass model of so many diagnoses explains the five most probable of each case. Ours
walks the trees of those five, cut from the model's own text; the peers are LightGBM's full `pred_contrib` and
`shap.TreeExplainer`, one thread, in turn in one process, in CPU seconds, medians of the rounds. Before that ours is
asserted to be bitwise the full result, and equal to shap's. Memory is what the arrays of the answer take. The cases are
drawn here: 300 columns of 0 and 1, each diagnosis with 25 typical ones.

``evidence``: one case of the made-up clinic, from its records to the `Evidence` of five suggestions by a hybrid of 42
diagnoses, and its parts: the suggestion, the explanation, the probability split, what to ask next; p50, CPU ms.

``many``: cases of the made-up clinic in blocks of 4,096 (100,000 in all at full size), each explained for its five most
probable diagnoses by `Diagnoser.explain`, in two processes of one thread, every other block each; the evidence of each
case is looked at and let go. Asserted on a few cases of every block: the evidence is what `Differential.explain` gives.
Clock (of the slower process) and CPU seconds of the explanations alone, from records as they come, and the peak memory
of both processes and of the one that fitted and started them, with libraries and the cohort's blocks, added up.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import lightgbm
import numpy as np
import numpy.typing as npt
import shap

from diagnosis.models import BoostedModel, HybridModel
from diagnosis.sample import load_sample, make_cohort
from diagnosis.suggestions import Diagnoser
from diagnosis.suggestions.bundle import load_bundle

COLUMNS, TYPICAL, TOP = 300, 25, 5
QUESTIONS = ("49", "500", "evidence", "many")
#: Of each number of diagnoses: training cases a diagnosis, trees of each, cases explained.
SIZES = {"small": {49: (40, 40, 40), 500: (8, 10, 30)}, "full": {49: (100, 100, 200), 500: (20, 40, 60)}}
ROUNDS = {"small": 3, "full": 7}
Row = dict[str, Any]
FloatArray = npt.NDArray[np.float64]


def main() -> None:
    """Print a line a question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", choices=[*QUESTIONS, []], default=[])
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows: list[Row] = []
    for question in asked.questions or QUESTIONS:
        other = {"evidence": one_case, "many": many}.get(question)
        rows.append(beside_peers(int(question), asked.size) if other is None else other(asked.size))
        if not asked.json:
            print("; ".join(f"{name} {value}" for name, value in rows[-1].items()))
    if asked.json:
        print(json.dumps(rows, indent=1))


def drawn(n_diagnoses: int, n_cases: int) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Cases of 0 and 1, and their diagnoses."""
    rng = np.random.default_rng(0)
    chance = np.full((n_diagnoses, COLUMNS), 0.03)
    for k in range(n_diagnoses):
        chance[k, rng.choice(COLUMNS, TYPICAL, replace=False)] = 0.6
    y = np.arange(n_cases) % n_diagnoses
    return (rng.random((n_cases, COLUMNS)) < chance[y]).astype(np.float64), y


def beside_peers(n_diagnoses: int, size: str) -> Row:
    """Milliseconds a case for the five most probable diagnoses."""
    per_diagnosis, trees, n = SIZES[size][n_diagnoses]
    X, y = drawn(n_diagnoses, per_diagnosis * n_diagnoses)
    model = BoostedModel(rounds=trees, leaves=31, early_stopping=0, min_cases_leaf=2, min_hessian=0.0).fit(X, y)
    booster = lightgbm.Booster(model_str=model.trees_.text)
    cases = X[:n]
    which = np.argsort(-model.scores(cases), axis=1)[:, :TOP]
    explainer = shap.TreeExplainer(booster)

    def full() -> FloatArray:
        found: FloatArray = booster.predict(cases, pred_contrib=True, num_threads=1)
        return found.reshape(n, n_diagnoses, COLUMNS + 1)

    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: model.contributions(cases, which),
        "pred_contrib": full,
        "TreeExplainer": lambda: explainer.shap_values(cases),
    }
    ours, whole, peer = ways["ours"](), full(), np.asarray(ways["TreeExplainer"]())
    at = np.arange(n)[:, None]
    np.testing.assert_array_equal(ours.phi, whole[at, which, :-1])
    np.testing.assert_array_equal(ours.base, whole[at, which, -1])
    np.testing.assert_allclose(ours.phi, np.moveaxis(peer, 2, 1)[at, which], atol=1e-6)
    times = in_turn(ways, ROUNDS[size])
    return {
        "diagnoses": n_diagnoses,
        "trees": n_diagnoses * model.n_rounds_,
        "cases": n,
        **{f"{name} ms a case": round(1e3 * statistics.median(taken) / n, 3) for name, taken in times.items()},
        **{f"times {name}": ratio(times, name) for name in ("pred_contrib", "TreeExplainer")},
        "answer MB": round((ours.phi.nbytes + ours.base.nbytes) / 1e6, 2),
        "full answer MB": round(whole.nbytes / 1e6, 2),
    }


def in_turn(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each way, one after the other in every round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            way()
            times[name].append(time.process_time() - start)
    return times


def ratio(times: dict[str, list[float]], name: str) -> float:
    """Median over the rounds of a peer's time by ours."""
    return round(statistics.median(b / a for a, b in zip(times["ours"], times[name], strict=True)), 1)


def one_case(size: str) -> Row:
    """CPU milliseconds from one case's records to its evidence, and of the parts."""
    records = load_sample()
    n_train, n_test = (1_200, 40) if size == "small" else (4_500, 200)
    diagnoser = Diagnoser(model=HybridModel(folds=1), folds=2).fit(records[:n_train])
    taken: dict[str, list[float]] = {
        name: [] for name in ("records to evidence", "suggest", "explain", "in probability", "next questions")
    }
    for i in range(n_train - 2, n_train + n_test):
        case, marks = records[[i]], [time.process_time()]
        suggested = diagnoser.suggest(case, top=TOP)[0]
        marks.append(time.process_time())
        evidence = suggested.explain()
        marks.append(time.process_time())
        evidence.in_probability()
        marks.append(time.process_time())
        suggested.next_questions()
        marks.append(time.process_time())
        if i >= n_train:  # the first make what is kept between cases
            parts = np.diff(marks) * 1e3
            for name, ms in zip(taken, [parts[0] + parts[1], *parts], strict=True):
                taken[name].append(float(ms))
    p50 = {f"{name} ms": round(statistics.median(ms), 2) for name, ms in taken.items()}
    return {"diagnoses": len(diagnoser.classes_), "model": "hybrid", **p50}


def many(size: str) -> Row:
    """Seconds and memory for the top five of many cases, in two processes."""
    n_train, n_cases, block = (1_200, 2_048, 512) if size == "small" else (4_500, 100_000, 4_096)
    diagnoser = Diagnoser(model=HybridModel(folds=1), folds=2).fit(load_sample()[:n_train])
    blocks = [(start, min(block, n_cases - start)) for start in range(0, n_cases, block)]
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        diagnoser.save(Path(folder) / "model")
        asked = [workers.submit(_explained, str(Path(folder) / "model"), blocks[i::2]) for i in range(2)]
        halves = [one.result() for one in asked]
    n_lines, cpu = sum(half["lines"] for half in halves), sum(half["cpu"] for half in halves)
    peaks = [half["peak"] for half in halves] + [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20]
    return {
        "explained": n_cases,
        "diagnoses": len(diagnoser.classes_),
        "columns": diagnoser.encoder_.n_features_out_,
        "lines": n_lines,
        "clock s": round(max(half["clock"] for half in halves), 1),
        "CPU s": round(cpu, 1),
        "CPU ms a case": round(1e3 * cpu / n_cases, 2),
        "peak GiB": round(sum(peaks), 2),
        "of these": [round(peak, 2) for peak in peaks],
    }


def _explained(model: str, blocks: list[tuple[int, int]]) -> dict[str, float]:
    """Explain blocks of cases; clock and CPU seconds of the explanations, and the process's peak memory in GiB."""
    diagnoser, clock, cpu, n_lines = load_bundle(model), 0.0, 0.0, 0
    for start, n in blocks:
        records = make_cohort(n, seed=1_000 + start)
        for i, differential in enumerate(diagnoser.suggest(records[:3], top=TOP)):
            assert repr(next(diagnoser.explain(records[[i]], top=TOP))) == repr(differential.explain())
        started = time.perf_counter(), time.process_time()
        for evidence in diagnoser.explain(records, top=TOP):
            n_lines += sum(len(one.lines) for one in evidence.suggestions)
        clock, cpu = clock + time.perf_counter() - started[0], cpu + time.process_time() - started[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"clock": clock, "cpu": cpu, "lines": n_lines, "peak": peak}


if __name__ == "__main__":
    main()
