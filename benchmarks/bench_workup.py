"""DDXPlus from the first complaint: how often is the disease found, after how many questions?

    DIAGNOSIS_DATA=... python benchmarks/bench_workup.py [--size small|full] [--model linear] [--json]

A diagnoser trained on drawn patients of all 49 diseases (`small`: 8,000, `full`: 50,000) asks other drawn patients, and
patients of the published rows, one question after the other, each time the one that would most change its list. A
question of several choices is answered whole, and what a patient's row does not list is denied, as in the set. It stops
by itself (`sure`) or after 30 questions. Published on the whole set: AARLC .754 top-1 at 25.8 questions and BASD .677
at 17.9 where trained on the differential, .99 at 6.7 and .97 at 18 where trained on the pathology (Fansi Tchango et
al., NeurIPS 2022 Datasets and Benchmarks).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from diagnosis.readers import read_ddxplus, sample_ddxplus
from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser, simulate_workup

DRAWN = {"small": (8_000, 80), "full": (50_000, 1_000)}
MOST = 30


def main() -> None:
    """Print the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(DRAWN), default="small")
    parser.add_argument("--model", default="linear", choices=["linear", "hybrid"])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    data = os.environ.get("DIAGNOSIS_DATA")
    if not data:
        raise SystemExit("set DIAGNOSIS_DATA to the folder of the real sets")
    folder, (n_train, n_test) = Path(data) / "ddxplus", DRAWN[asked.size]
    drawn = sample_ddxplus(folder / "conditional_probabilities.json", n_train + n_test, seed=0)
    real = read_ddxplus(folder)
    some = np.sort(np.random.default_rng(0).permutation(len(real))[:n_test])
    # Every training patient answered everything, so what is not answered yet is outside of what was learned. Linear
    # models fitted to the end rest on few findings, and find fewer diseases from part of the answers.
    diagnoser = Diagnoser(model=asked.model, folds=2).fit(drawn[:n_train])
    rows = {name: played(diagnoser, cases) for name, cases in (("drawn", drawn[n_train:]), ("published", real[some]))}
    if asked.json:
        print(json.dumps({"model": asked.model, "n_train": n_train, "rows": rows}, indent=1))
        return
    for name, row in rows.items():
        curve = ", ".join(f"{q}: {row['top1'][q]:.3f}" for q in (0, 2, 5, 10, 15, 20, 25, MOST))
        print(f"{name}, {row['n']} patients: {row['top1'][-1]:.3f} top-1 at {row['questions']['mean']:.1f} questions")
        print(f"  with all answers {row['all answers']:.3f}; after so many questions {curve}; {row['s']:.0f} s")


def played(diagnoser: Diagnoser, cases: Records) -> dict[str, Any]:
    """The curve over questions, and the accuracy with every answer known."""
    start = time.process_time()
    found = simulate_workup(diagnoser, cases, max_questions=MOST, unrecorded="absent")
    return {**found.to_json(), "all answers": diagnoser.score(cases), "s": time.process_time() - start}


if __name__ == "__main__":
    main()
