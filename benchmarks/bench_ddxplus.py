"""DDXPlus: which disease is it, and which ones would stand on the list? With all evidence, half of it, and a tenth.

    DIAGNOSIS_DATA=... python benchmarks/bench_ddxplus.py [--size SIZE] [--model M] [--masking auto|off] [--json]

One diagnoser is trained on drawn patients of all 49 diseases (`small`: 5,000, `medium`: 40,000, `full`: 200,000)
together with a random half of the patients at hand, and tested on the other half. Its posterior is judged by top-1; its
two readings are judged against the reference lists by the authors' metrics (threshold 0.01). Of the test half each row
of evidence is taken away with a chance of one half (nine tenths), at random, before anything is looked at; the training
cases stay whole, and whether masked copies of them are learned is the library's own choice (`auto`).

Each stage tells its CPU seconds and the peak of memory so far on stderr, and the fit what its larger parts took.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from diagnosis.evaluation.reference_lists import ListScores, score_lists
from diagnosis.readers import read_ddxplus, sample_ddxplus
from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser, Policy

DRAWN = {"small": 5_000, "medium": 40_000, "full": 200_000}
#: Parts of a fit that are told, as file and function.
PARTS = {
    ("learned.py", "label"): "cases with a diagnosis",
    ("encoder.py", "fit_transform"): "encoding",
    ("masking.py", "wants_copies"): "are blanks unknown?",
    ("masking.py", "with_copies"): "masked copies",
    ("learned.py", "learn"): "the posterior, with these",
    ("fitting.py", "_calibrated"): "calibration, sets, flags",
    ("fitting.py", "_reading"): "the differential reading",
    ("answer_table.py", "count_answers"): "answers by diagnosis",
    ("learned.py", "describe"): "the card",
    ("neighbours.py", "of"): "neighbours",
}
T = TypeVar("T")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(DRAWN), default="small")
    parser.add_argument("--drawn", type=int, help="another number of drawn patients")
    parser.add_argument("--model", default="hybrid")
    parser.add_argument("--masking", choices=["auto", "off"], default="auto")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    data = os.environ.get("DIAGNOSIS_DATA")
    if not data:
        raise SystemExit("set DIAGNOSIS_DATA to the folder of the real sets")
    folder = Path(data) / "ddxplus"
    real = told("read", lambda: read_ddxplus(folder))
    order = np.random.default_rng(0).permutation(len(real))
    half = len(real) // 2
    n_drawn = asked.drawn or DRAWN[asked.size]
    drawn = told("draw", lambda: sample_ddxplus(folder / "conditional_probabilities.json", n_drawn, seed=0))
    train = told("put together", lambda: together(drawn, real[np.sort(order[:half])]))
    test = real[np.sort(order[half:])]
    start = time.process_time()
    diagnoser = Diagnoser(model=asked.model, target="both", policy=Policy(masking=asked.masking))
    told("fit", lambda: in_parts(lambda: diagnoser.fit(train)))
    seconds = time.process_time() - start
    parts = {"all evidence": test, "half of it": masked(test, 0.5), "a tenth of it": masked(test, 0.1)}
    rows = {name: told(name, lambda c=cases: judge(diagnoser, c)) for name, cases in parts.items()}  # type: ignore[misc]
    if asked.json:
        print(
            json.dumps(
                {"model": asked.model, "masking": asked.masking, "n_train": len(train), "fit_s": seconds, "rows": rows},
                indent=1,
            )
        )
        return
    sizes = f"{len(train):,} training cases, {len(test):,} test cases"
    print(f"{asked.model}, masking {asked.masking}, {sizes}, fitted in {seconds:.0f} s of CPU")
    sure = f"{'top-1':>8}{'log-loss':>10}{'in set':>8}{'size':>6}"
    print(f"{'':<14}{sure}{'posterior as list: DDR, DDP, DDF1':>40}{'differential: DDR, DDP, DDF1':>40}")
    for name, row in rows.items():
        lists = "".join(
            f"{row[r]['ddr']:>24.3f}{row[r]['ddp']:>8.3f}{row[r]['ddf1']:>8.3f}" for r in ("posterior", "differential")
        )
        sure = f"{row['log_loss']:>10.3f}{row['coverage']:>8.3f}{row['mean_size']:>6.1f}"
        print(f"{name:<14}{row['top1']:>8.4f}{sure}{lists}")


def told(stage: str, work: Callable[[], T]) -> T:
    """Do some work, and say what it took."""
    cpu, clock = time.process_time(), time.perf_counter()
    made = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    print(f"{stage:<28}{cpu:>8.1f} s of CPU{clock:>8.1f} s, peak {peak:.1f} GiB", file=sys.stderr, flush=True)
    return made


def in_parts(work: Callable[[], T]) -> T:
    """Do some work, and say what its larger parts took; one may hold another."""
    profile = cProfile.Profile(time.process_time)
    made = profile.runcall(work)
    for (file, _, name), (*_, seconds, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if part := PARTS.get((Path(file).name, name)):
            print(f"  {part:<26}{seconds:>8.1f} s of CPU", file=sys.stderr, flush=True)
    return made


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
