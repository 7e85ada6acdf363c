"""DDXPlus: which disease is it, and which ones would stand on the list? With all evidence, half of it, and a tenth.

    DIAGNOSIS_DATA=... python benchmarks/bench_ddxplus.py [--size SIZE] [--model M] [--masking auto|off] [--json]

One diagnoser is trained on drawn patients of all 49 diseases (`small`: 5,000, `medium`: 40,000, `full`: 200,000)
together with a random half of the patients at hand, and tested on the other half. Its posterior is judged by top-1; its
two readings are judged against the reference lists by the authors' metrics (threshold 0.01). Of the test half each row
of evidence is taken away with a chance of one half (nine tenths), at random, before anything is looked at; the training
cases stay whole, and whether masked copies of them are learned is the library's own choice (`auto`).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from diagnosis.evaluation.reference_lists import ListScores, score_lists
from diagnosis.readers import read_ddxplus, sample_ddxplus
from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser, Policy

DRAWN = {"small": 5_000, "medium": 40_000, "full": 200_000}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(DRAWN), default="small")
    parser.add_argument("--model", default="hybrid")
    parser.add_argument("--masking", choices=["auto", "off"], default="auto")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    data = os.environ.get("DIAGNOSIS_DATA")
    if not data:
        raise SystemExit("set DIAGNOSIS_DATA to the folder of the real sets")
    folder = Path(data) / "ddxplus"
    real = read_ddxplus(folder)
    order = np.random.default_rng(0).permutation(len(real))
    half = len(real) // 2
    drawn = sample_ddxplus(folder / "conditional_probabilities.json", DRAWN[asked.size], seed=0)
    train, test = together(drawn, real[np.sort(order[:half])]), real[np.sort(order[half:])]
    start = time.perf_counter()
    diagnoser = Diagnoser(model=asked.model, target="both", policy=Policy(masking=asked.masking)).fit(train)
    seconds = time.perf_counter() - start
    parts = {"all evidence": test, "half of it": masked(test, 0.5), "a tenth of it": masked(test, 0.1)}
    rows = {name: judge(diagnoser, cases) for name, cases in parts.items()}
    if asked.json:
        print(
            json.dumps(
                {"model": asked.model, "masking": asked.masking, "n_train": len(train), "fit_s": seconds, "rows": rows},
                indent=1,
            )
        )
        return
    sizes = f"{len(train):,} training cases, {len(test):,} test cases"
    print(f"{asked.model}, masking {asked.masking}, {sizes}, fitted in {seconds:.0f} s")
    sure = f"{'top-1':>8}{'log-loss':>10}{'in set':>8}{'size':>6}"
    print(f"{'':<14}{sure}{'posterior as list: DDR, DDP, DDF1':>40}{'differential: DDR, DDP, DDF1':>40}")
    for name, row in rows.items():
        lists = "".join(
            f"{row[r]['ddr']:>24.3f}{row[r]['ddp']:>8.3f}{row[r]['ddf1']:>8.3f}" for r in ("posterior", "differential")
        )
        sure = f"{row['log_loss']:>10.3f}{row['coverage']:>8.3f}{row['mean_size']:>6.1f}"
        print(f"{name:<14}{row['top1']:>8.4f}{sure}{lists}")


def together(*parts: Records) -> Records:
    """Put records with the same vocabulary under each other."""
    tables = {
        name: pa.concat_tables([part.arrow(name) for part in parts], promote_options="default")
        for name in ("cases", "findings")
    }
    words = {name: parts[0].arrow(name) for name in ("vocabulary", "diagnoses")}
    return Records.from_tables({**tables, **words}, dict(parts[0].info))


def masked(records: Records, share: float, seed: int = 1) -> Records:
    """Keep each row of evidence with this chance."""
    findings = records.arrow("findings")
    keep = np.random.default_rng(seed).random(len(findings)) < share
    tables = {name: records.arrow(name) for name in records.names if name != "findings"}
    return Records.from_tables({**tables, "findings": findings.filter(pa.array(keep))}, dict(records.info))


def judge(diagnoser: Diagnoser, test: Records) -> dict[str, object]:
    """Top-1, log-loss and sets of the posterior, and both readings as lists."""
    lists, truth = test.column("differential"), test.y
    readings = {"posterior": diagnoser.predict_proba(test), "differential": diagnoser.predict_differential(test)}
    found: dict[str, ListScores] = {
        name: score_lists(proba, diagnoser.codes(name), lists, truth) for name, proba in readings.items()
    }
    own = np.searchsorted(diagnoser.classes_.astype(str), truth.astype(str))
    proba, rows, members = readings["posterior"], np.arange(len(truth)), diagnoser.batch(test).in_set
    sure = {
        "top1": float((proba.argmax(axis=1) == own).mean()),
        "log_loss": float(-np.log(np.maximum(proba[rows, own], 1e-15)).mean()),
        "coverage": float(members[rows, own].mean()),
        "mean_size": float(members.sum(axis=1).mean()),
    }
    return {**sure, **{name: one.to_json() for name, one in found.items()}}


if __name__ == "__main__":
    main()
