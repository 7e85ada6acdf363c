"""How long does the page of one case take, and a worklist of many?

    python benchmarks/bench_page.py [--size small|full] [--json]

The made-up clinic, 43 diagnoses, 25 rows of findings a case on average. ``page``: one case from records to its page,
with the questions that a page names by default and without, case by case, CPU milliseconds, p50 and p95, and its size.
``worklist``: `Worklist.save` of many cases, differentials made before, in one process (CPU and clock) and in two
(clock); asserted: both write the same files.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import diagnosis as dx

#: Training cases, measured cases, cases of the worklist.
SIZES = {"small": (1_200, 40, 100), "full": (3_500, 200, 1_000)}


def main() -> None:
    """Print a line a measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    n_train, n_page, n_list = SIZES[asked.size]
    records = dx.load_sample()
    rows: list[dict[str, Any]] = []
    for model in ("linear", "hybrid"):
        diagnoser = dx.Diagnoser(model=model).fit(records[:n_train])
        rest = records[n_train : n_train + n_list]
        rows += [{"model": model, **row} for row in (*pages(diagnoser, rest[:n_page]), *lists(diagnoser, rest))]
    if asked.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


def pages(diagnoser: dx.Diagnoser, cases: dx.Records) -> list[dict[str, Any]]:
    """CPU milliseconds from one case's records to its page."""
    rows = []
    for questions in (0, 3):
        taken, sizes = [], []
        for i in range(len(cases)):
            start = time.process_time()
            page = diagnoser.suggest(cases[[i]])[0].to_html(questions=questions)
            taken.append(1e3 * (time.process_time() - start))
            sizes.append(len(page.encode()))
        middle, late = np.percentile(taken[3:], [50, 95])
        way = f"records to page, questions={questions}"
        rows.append({"way": way, "ms_p50": round(middle, 1), "ms_p95": round(late, 1), "kB_most": max(sizes) // 1000})
    return rows


def lists(diagnoser: dx.Diagnoser, cases: dx.Records) -> list[dict[str, Any]]:
    """Seconds to write a worklist, in one process and in two."""
    waiting = dx.worklist(diagnoser.suggest(cases))
    rows, written = [], []
    for n_jobs in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "list"
            clock, cpu = time.perf_counter(), time.process_time()
            waiting.save(folder, n_jobs=n_jobs)
            clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
            written.append({p.name: p.read_bytes() for p in sorted(folder.rglob("*.html"))})
        row = {"way": f"worklist of {len(waiting):,}, n_jobs={n_jobs}", "s_clock": round(clock, 1)}
        rows.append(row | ({"s_cpu": round(cpu, 1)} if n_jobs == 1 else {}))
    assert written[0] == written[1], "two processes wrote other pages than one"
    return rows


if __name__ == "__main__":
    main()
