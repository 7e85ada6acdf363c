"""Does a residual hybrid learn from millions of cases on one machine, and in what time and memory?

    python benchmarks/bench_huge.py [--cases 6260000] [--jobs N] [--json]

131,072 cases of `make_cohort` (43 diagnoses) are encoded once; nineteen in twenty of them are laid one after the other
until there are enough cases, each time with another draw of 77 % of their entries. The copies of a case are one
patient, so that no copy of a held-out case is learned from; the twentieth is scored. Time is the clock's and the
process's own, and the load of the machine before and after is shown.
"""

from __future__ import annotations

import os

# Before any library with threads loads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
import resource
import time
from typing import Any

import numpy as np
from scipy import sparse

from diagnosis.features import FindingEncoder
from diagnosis.models import HybridModel
from diagnosis.models.calibration import log_softmax
from diagnosis.sample import make_cohort

MADE, KEPT = 131_072, 0.77


def main() -> None:
    """Fit once and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=6_260_000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    X, y, patient, X_test, y_test = cohort(asked.cases)
    loads, held = [os.getloadavg()[0]], peak_gib()
    clock, cpu = time.perf_counter(), time.process_time()
    model = HybridModel(residual=True, n_jobs=asked.jobs).fit(X, y, groups=patient)
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    loads.append(os.getloadavg()[0])
    log_p = log_softmax(model.scores(X_test))
    own = log_p[np.arange(y_test.size), y_test]
    found: dict[str, Any] = {
        "cases": X.shape[0],
        "columns": X.shape[1],
        "entries": int(X.nnz),
        "clock_s": round(clock),
        "cpu_s": round(cpu),
        "load": [round(load, 1) for load in loads],
        "gib_before": round(held, 2),
        "peak_gib": round(peak_gib(), 2),
        "weights": [round(weight, 3) for weight in model.weights_],
        "top1": round(float(((log_p >= own[:, None]).sum(axis=1) == 1).mean()), 4),
        "log_loss": round(float(-own.mean()), 4),
    }
    print(
        json.dumps(found, indent=1) if asked.json else "\n".join(f"{name:<12}{value}" for name, value in found.items())
    )


def cohort(n: int) -> tuple[Any, Any, Any, Any, Any]:
    """Return matrix, diagnoses and patients of `n` cases, and a matrix and diagnoses of others."""
    records = make_cohort(MADE, seed=7)
    records = records[np.flatnonzero([label is not None for label in records.y])]
    every = FindingEncoder().fit(records).transform(records)
    y = np.unique(records.y.astype(str), return_inverse=True)[1]
    learned, rng = int(0.95 * y.size), np.random.default_rng(7)
    turns = [min(learned, n - start) for start in range(0, n, learned)]
    parts = [drawn(every[:size], rng) for size in turns]
    data, indices = (np.concatenate([getattr(part, name) for part in parts]) for name in ("data", "indices"))
    ends = np.cumsum([0, *(part.nnz for part in parts)])
    indptr = np.concatenate([[0], *(part.indptr[1:] + start for part, start in zip(parts, ends[:-1], strict=True))])
    X = sparse.csr_matrix((data, indices, indptr.astype(np.int32)), shape=(n, every.shape[1]))
    patient = np.concatenate([np.arange(size) for size in turns])
    return X, y[patient], patient, drawn(every[learned:], rng), y[learned:]


def drawn(X: Any, rng: np.random.Generator) -> Any:
    """Return a matrix with some of the entries."""
    kept = rng.random(X.nnz) < KEPT
    indptr = np.concatenate([[0], np.cumsum(kept)])[X.indptr].astype(np.int32)
    return sparse.csr_matrix((X.data[kept].astype(np.float64), X.indices[kept], indptr), shape=X.shape)


def peak_gib() -> float:
    """Return the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
