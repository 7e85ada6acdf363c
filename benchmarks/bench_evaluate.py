"""How long does it take to evaluate 100,000 cases of 500 diagnoses with intervals, and how much memory?

    python benchmarks/bench_evaluate.py [--size small|full] [--json]

Cases are drawn: probabilities from a softmax of normal scores, true diagnoses from the probabilities, 1.7 cases a
patient. `ours` is `evaluate_batch` as it is called by `evaluate`: every metric, its interval over 200 draws of
patients and of sites, calibration of each diagnosis, decision curves, risk-coverage, flags, bands of frequency and one
group of five sites.
`ours, metrics alone` is the same without the details and the group. `scikit-learn` is a plain loop: for each draw the
cases of the drawn patients are written out and handed to top_k_accuracy_score (k = 1, 3, 5, 10), log_loss,
brier_score_loss, recall_score (macro) and ndcg_score, nothing else. Of that loop only a few draws are timed, in turn
with ours, and the rest is counted as many times that (said so in what is printed).

First, on a small size, every figure and every interval the loop has is asserted equal to ours, to 1e-9. CPU seconds of
one thread; peak memory of the whole process after ours, the probabilities included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, log_loss, ndcg_score, recall_score, top_k_accuracy_score

from diagnosis.evaluation import evaluate_batch
from diagnosis.evaluation.bootstrap import draw_patients
from diagnosis.models.batch import Batch

SIZES = {"small": (5_000, 50, 50, 5), "full": (100_000, 500, 200, 2)}
CHECK = (600, 12, 25)
TOP = (1, 3, 5, 10)


def main() -> None:
    """Check, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    check(*CHECK)
    found = measure(*SIZES[args.size])
    print(json.dumps(found, indent=2) if args.json else text(found))


def cases(n: int, K: int, seed: int = 0) -> tuple[Batch, NDArray[np.int64], NDArray[np.object_]]:
    """Draw a batch, the columns of the true diagnoses and the patients."""
    rng = np.random.default_rng(seed)
    proba = rng.standard_normal((n, K))
    proba *= 2.0
    np.exp(proba, out=proba)
    proba /= proba.sum(axis=1, keepdims=True)
    column = np.empty(n, dtype=np.int64)
    for start in range(0, n, 2000):
        part = slice(start, start + 2000)
        column[part] = (proba[part].cumsum(axis=1) < rng.random((len(proba[part]), 1))).sum(axis=1).clip(0, K - 1)
    batch = Batch(
        case_ids=np.arange(n).astype(str).astype(object),
        diagnoses=np.array([f"D{k:03}" for k in range(K)], dtype=object),
        proba=proba,
        in_set=proba > 1 / K,
        flagged=proba > 0.1,
        abstained=rng.random(n) < 0.1,
        prior=np.full(K, 1 / K),
        must_not_miss=np.arange(K) < max(K // 25, 1),
        coverage=0.9,
        reading="posterior",
        as_of="end",
        n_train=np.arange(1, K + 1),
    )
    patients = np.array([f"p{i}" for i in rng.integers(max(n * 6 // 10, 2), size=n)], dtype=object)
    return batch, column, patients


def plain(proba: NDArray[np.float64], column: NDArray[np.int64]) -> dict[str, float]:
    """The figures of one set of cases by calls of scikit-learn."""
    labels, first = np.arange(proba.shape[1]), proba.argmax(axis=1)
    present = np.unique(column)
    figures = {f"top.{k}": top_k_accuracy_score(column, proba, k=k, labels=labels) for k in TOP if k < len(labels)}
    figures["log_loss"] = log_loss(column, proba, labels=labels)
    figures["brier"] = brier_score_loss(column, proba, labels=labels, scale_by_half=False)
    figures["macro_top1"] = recall_score(column, first, labels=present, average="macro", zero_division=0)
    onehot = np.zeros(proba.shape, dtype=np.int8)
    onehot[np.arange(len(column)), column] = 1
    figures["ndcg"] = ndcg_score(onehot, proba, ignore_ties=True)
    return figures


def drawn_rows(counts: NDArray[np.int16], patients: NDArray[np.object_]) -> NDArray[np.int64]:
    """The cases of the drawn patients, written out."""
    place = {name: i for i, name in enumerate(dict.fromkeys(patients.tolist()))}
    return np.repeat(np.arange(len(patients)), counts[[place[p] for p in patients.tolist()]])


def check(n: int, K: int, n_boot: int) -> None:
    """Assert that both say the same: figures, and intervals over the same draws."""
    batch, column, patients = cases(n, K)
    truth = batch.diagnoses[column]
    ours = evaluate_batch(batch, truth, patients, n_boot=n_boot, seed=1).overall
    wanted = plain(batch.proba, column)
    for name, value in wanted.items():
        np.testing.assert_allclose(ours.values[name], value, rtol=1e-9, err_msg=name)
    draws = []
    for counts in draw_patients(len(set(patients.tolist())), n_boot, 1):
        rows = drawn_rows(counts, patients)
        draws.append(plain(batch.proba[rows], column[rows]))
    for name in set(wanted) - {"macro_top1"}:  # its draws are moved to have the estimate as their mean
        ends = np.percentile([one[name] for one in draws], [2.5, 97.5])
        np.testing.assert_allclose(ours.intervals[name], ends, rtol=1e-9, err_msg=name)
    macro = np.array([one["macro_top1"] for one in draws])
    moved = np.percentile(macro - macro.mean() + wanted["macro_top1"], [2.5, 97.5])
    np.testing.assert_allclose(ours.intervals["macro_top1"], moved, rtol=1e-9)


def measure(n: int, K: int, n_boot: int, n_timed: int) -> dict[str, Any]:
    """Time ours and a few draws of the loop in turn."""
    batch, column, patients = cases(n, K)
    truth = batch.diagnoses[column]
    site = np.array([f"site {i % 5}" for i in range(n)], dtype=object)
    seconds: dict[str, list[float]] = {"ours": [], "ours, metrics alone": [], "scikit-learn, one draw": []}
    peak, wall = 0.0, 0.0
    all_counts = draw_patients(len(set(patients.tolist())), n_timed, 1)
    for counts in all_counts:
        start, clock = time.process_time(), time.perf_counter()
        evaluate_batch(batch, truth, patients, groups={"site": site}, sites=site, n_boot=n_boot)
        seconds["ours"].append(time.process_time() - start)
        wall = max(wall, time.perf_counter() - clock)
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        start = time.process_time()
        evaluate_batch(batch, truth, patients, n_boot=n_boot, details=False)
        seconds["ours, metrics alone"].append(time.process_time() - start)
        start = time.process_time()
        rows = drawn_rows(counts, patients)
        plain(batch.proba[rows], column[rows])
        seconds["scikit-learn, one draw"].append(time.process_time() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    loop = medians["scikit-learn, one draw"] * (n_boot + 1)
    return {
        "n": n,
        "n_diagnoses": K,
        "n_boot": n_boot,
        "cpu_seconds": medians,
        "wall_seconds_ours": wall,
        "peak_gib_ours": peak,
        "loop_seconds_from_timed_draws": loop,
        "timed_draws": n_timed,
        "ratio": loop / medians["ours"],
        "ratio_metrics_alone": loop / medians["ours, metrics alone"],
    }


def text(found: dict[str, Any]) -> str:
    """What was found as lines."""
    seconds = found["cpu_seconds"]
    return "\n".join(
        [
            f"{found['n']:,} cases, {found['n_diagnoses']} diagnoses, {found['n_boot']} draws; CPU seconds, one thread",
            f"ours, everything: {seconds['ours']:.1f} ({found['wall_seconds_ours']:.1f} wall), peak "
            f"{found['peak_gib_ours']:.2f} GiB with the probabilities",
            f"ours, metrics and intervals alone: {seconds['ours, metrics alone']:.1f}",
            f"scikit-learn in a loop, 8 figures: {seconds['scikit-learn, one draw']:.1f} a draw, "
            f"{found['loop_seconds_from_timed_draws']:,.0f} for {found['n_boot'] + 1} ({found['timed_draws']} timed)",
            f"ratio {found['ratio']:.0f}; metrics alone {found['ratio_metrics_alone']:.0f}",
        ]
    )


if __name__ == "__main__":
    main()
