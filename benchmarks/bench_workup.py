"""DDXPlus from the first complaint: how often is the disease found, after how many questions?

    DIAGNOSIS_DATA=... python benchmarks/bench_workup.py [--size tiny|small|full] [--model linear] [--json]

A diagnoser trained on drawn patients of all 49 diseases (`tiny`: 4,000, `small`: 8,000, `full`: 50,000), with copies of
them as an interview leaves them half-way (`masking="interview"`), asks other drawn patients, and patients of the
published rows, one question after the other, each time the one that would most change its list. A question of several
choices is answered whole, and what a patient's row does not list is denied, as in the set. When to stop is chosen on
further drawn patients of the training side: of four rules the one that finds most diseases with 17 questions or fewer
on average. Published on the whole set: AARLC .754 top-1 at 25.8 questions and BASD .677 at 17.9 where trained on the
differential, .99 at 6.7 and .97 at 18 where trained on the pathology (Fansi Tchango et al., NeurIPS 2022 Datasets and
Benchmarks).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from diagnosis.readers import read_ddxplus, sample_ddxplus
from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser, Policy, Workup, simulate_workup

#: Patients to train on, to choose the stop on, and to ask.
DRAWN = {"tiny": (4_000, 60, 80), "small": (8_000, 60, 300), "full": (50_000, 200, 1_000)}
MOST, MEAN = 45, 17.0
#: Probability of the first diagnosis that is enough, and the gain of the best question below which none is asked.
RULES = ((0.95, 0.01), (0.98, 0.005), (0.99, 0.002), (0.995, 0.001))


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
    folder, (n_train, n_stop, n_test) = Path(data) / "ddxplus", DRAWN[asked.size]
    drawn = sample_ddxplus(folder / "conditional_probabilities.json", n_train + n_stop + n_test, seed=0)
    real = read_ddxplus(folder)
    some = np.sort(np.random.default_rng(0).permutation(len(real))[:n_test])
    start = time.process_time()
    diagnoser = Diagnoser(model=asked.model, folds=2, policy=Policy(masking="interview")).fit(drawn[:n_train])
    fitted = time.process_time()
    rule = chosen_rule(diagnoser, drawn[n_train : n_train + n_stop])
    spent = {"fit": fitted - start, "choose the stop": time.process_time() - fitted}
    print(", ".join(f"{stage} {s:.0f} s of CPU" for stage, s in spent.items()), file=sys.stderr, flush=True)
    rows = {
        name: played(diagnoser, cases, rule)
        for name, cases in (("drawn", drawn[n_train + n_stop :]), ("published", real[some]))
    }
    if asked.json:
        print(json.dumps({"model": asked.model, "n_train": n_train, "rule": rule, "s": spent, "rows": rows}, indent=1))
        return
    print(f"{asked.model}, {n_train:,} training patients; enough at {rule[0]:.1%}, or below {rule[1]:g} nats to gain")
    for name, row in rows.items():
        curve = ", ".join(f"{q}: {row['top1'][q]:.3f}" for q in (0, 2, 5, 10, 15, 18, 20, 25, 30, MOST))
        print(f"{name}, {row['n']} patients: {row['top1'][-1]:.3f} top-1 at {row['questions']['mean']:.1f} questions")
        print(f"  with all answers {row['all answers']:.3f}; after so many questions {curve}; {row['s']:.0f} s")


def chosen_rule(diagnoser: Diagnoser, cases: Records) -> tuple[float, float]:
    """The stop that finds most diseases of training-side patients with few enough questions."""
    tried = [(rule, asked_by(diagnoser, cases, rule)) for rule in RULES]
    short = [one for one in tried if one[1].n_questions.mean() <= MEAN] or tried[:1]
    return max(short, key=lambda one: (float(one[1].top1[-1]), -float(one[1].n_questions.mean())))[0]


def asked_by(diagnoser: Diagnoser, cases: Records, rule: tuple[float, float]) -> Workup:
    """Play the work-up of every case."""
    sure, least = rule
    return simulate_workup(diagnoser, cases, max_questions=MOST, unrecorded="absent", sure=sure, least_gain=least)


def played(diagnoser: Diagnoser, cases: Records, rule: tuple[float, float]) -> dict[str, Any]:
    """The curve over questions, and the accuracy with every answer known."""
    start = time.process_time()
    found = asked_by(diagnoser, cases, rule)
    return {**found.to_json(), "all answers": diagnoser.score(cases), "s": time.process_time() - start}


if __name__ == "__main__":
    main()
