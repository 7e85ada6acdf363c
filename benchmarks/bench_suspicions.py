"""What do the checks on the cases themselves find, how often are they wrong, and what do they cost?

    DIAGNOSIS_DATA=... python benchmarks/bench_suspicions.py [sets] [sites] [speed] [--size small|full] [--json]

`sets` runs every check on the sample, on the real sets and on a generated table with the structure of the well-known
symptom table (41 diagnoses, 132 symptoms, 120 copies each, a test set inside training), and sorts what is said: asked
for (a trait known beforehand, or planted), true (stated by the columns, or seen by looking), doubtful (may be chance or
plain medicine) and false. `sites` fits without one hospital, adapts to 300 cases of it (half of them where it has
fewer) and scores the rest before and after: heart4 and the sample. `speed` runs every check on 20,000 (`full`: 100,000)
made-up cases, beside the only other way to find twins that we know of, a comparison of all pairs, on 2,000 of them.
CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import diagnosis as dx
from diagnosis.evaluation import find_suspicions
from diagnosis.evaluation.cohort import follow_up, known_later
from diagnosis.evaluation.context_leaks import told_by_place_or_date
from diagnosis.evaluation.duplicates import find_twins, near_duplicates
from diagnosis.evaluation.leaks import names_diagnosis
from diagnosis.evaluation.recording import recording_pattern
from diagnosis.evaluation.single_findings import one_finding_rules, reference_results, treatment_codes
from diagnosis.records import Records

#: What is known of a set, by (kind, code); None stands for every code. Made-up cohorts hold no planted fault.
ASKED = {
    "sample": {("known_after_end", None), ("names_diagnosis", "dx:told_elsewhere"), ("near_duplicates", None)},
    "mz4": {("names_diagnosis", c) for c in ("腹泻", "支气管炎", "消化不良")} | {("recording_pattern", None)},
    "gmd12": {("recording_pattern", None)},
    "phenopackets": {("recording_pattern", None), ("group_predicts", None)},
    "heart4": {("reference_standard", "major_vessels_coloured")},
    "appendicitis": {("reference_standard", "AppendixDiameter")},
    "primary_tumor": set(),
    "symptom table": {("near_duplicates", None), ("inside_train", None)},
}
TRUE = {
    "cohort": {("known_later", None), ("follow_up", None)},
    "sample": {("known_later", None), ("follow_up", None)},
    "mz4": {("names_diagnosis", "呼吸道感染")},
    "heart4": {("site_predicts", None), ("reference_standard", "thallium_scan")},
    "appendicitis": {("recording_pattern", None)},
    "phenopackets": {("near_duplicates", None), ("one_finding_rule", None)},
    "ddxplus": {("one_finding_rule", None)},
}
DOUBTFUL = {
    "mz4": {("names_diagnosis", "气管炎"), ("near_duplicates", None)},
    "gmd12": {("near_duplicates", None), ("one_finding_rule", None)},
    "heart4": {("near_duplicates", None)},
    "primary_tumor": {("near_duplicates", None)},
    "ddxplus": {("near_duplicates", None)},
    "symptom table": {("one_finding_rule", None)},
}


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", default=["sets", "sites", "speed"])
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    data = os.environ.get("DIAGNOSIS_DATA")
    if not data and {"sets", "sites"} & set(asked.questions):
        raise SystemExit("set DIAGNOSIS_DATA to the folder of the real sets")
    folder = Path(data or ".")
    run: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "sets": lambda: list(map(sorted_out, read_sets(folder))),
        "sites": lambda: [
            row for records in site_sets(folder) for row in adapted_sites(*records, full=asked.size == "full")
        ],
        "speed": lambda: speed(20_000 if asked.size == "small" else 100_000),
    }
    found = {question: run[question]() for question in asked.questions}
    if asked.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    for question, rows in found.items():
        print(f"\n{question}\n{pd.DataFrame(rows).to_string(index=False)}")


def read_sets(folder: Path) -> list[tuple[str, Records, Records | None]]:
    """The sample, the real sets and the symptom table with its test set."""
    names = ("mz4_train", "mz4_test", "gmd12_train", "gmd12_dev", "heart4", "appendicitis", "primary_tumor")
    rows = symptom_rows(np.random.default_rng(0))
    return [
        ("sample", dx.load_sample(), None),
        *((f"cohort, seed {seed}", dx.make_cohort(6000, seed=seed), None) for seed in (1, 2, 3)),
        *((name, dx.read_records(folder / name), None) for name in names),
        ("phenopackets", dx.read_phenopackets(folder / "phenopackets"), None),
        ("ddxplus", dx.read_ddxplus(folder / "ddxplus"), None),
        ("symptom table", as_records(rows, 0), None),
        ("symptom table", as_records(rows[::120], 10_000), as_records(rows, 0)),
    ]


def sorted_out(one: tuple[str, Records, Records | None]) -> dict[str, Any]:
    """Sort what is said of a set."""
    name, records, train = one
    start = time.process_time()
    found = find_suspicions(records, train=train)
    spent = time.process_time() - start
    counts: Counter[str] = Counter()
    said: list[str] = []
    for s in found:
        verdict = next(
            (
                v
                for v, known in (("asked", ASKED), ("true", TRUE), ("doubtful", DOUBTFUL))
                if _known(s, _of(known, name))
            ),
            "false",
        )
        counts[verdict] += 1
        said.append(f"{s.kind}{f' {s.code}' if s.code else ''}: {s.n} ({s.share:.2f}) [{verdict}]")
    wanted = {("inside_train", None)} if train else {k for k in _of(ASKED, name) if k[0] != "inside_train"}
    there = {(s.kind, s.code) for s in found} | {(s.kind, None) for s in found}
    return {
        "set": f"{name}, test" if train else name,
        "n": len(records),
        **{v: counts[v] for v in ("asked", "true", "doubtful", "false")},
        "missed": len(wanted - there),
        "cpu_s": round(spent, 2),
        "said": "; ".join(said),
    }


def _of(known: dict[str, set[tuple[str, str | None]]], name: str) -> set[tuple[str, str | None]]:
    """What is known of a set; two parts of one are one set, and made-up cohorts are like the sample without faults."""
    return known.get(
        "cohort"
        if name.startswith("cohort")
        else name.removesuffix("_train").removesuffix("_test").removesuffix("_dev"),
        set(),
    )


def _known(s: Any, known: set[tuple[str, str | None]]) -> bool:
    return (s.kind, s.code) in known or (s.kind, None) in known


def symptom_rows(rng: np.random.Generator, copies: int = 120) -> list[tuple[int, list[str]]]:
    """Draw 41 diagnoses of 132 symptoms: seven forms each, written down 120 times in all."""
    common = [f"s{j}" for j in range(32)]
    own = np.array_split(np.array([f"s{j}" for j in range(32, 132)]), 41)
    rows = []
    for d in range(41):
        has = [*own[d], *rng.choice(common, 5 + d % 3, replace=False)]
        forms = [has, *([s for s in has if s != gone] for gone in rng.choice(has, 6, replace=False))]
        rows += [(d, forms[int(min(rng.geometric(0.4) - 1, 6))]) for _ in range(copies)]
    return rows


def as_records(rows: list[tuple[int, list[str]]], start: int) -> Records:
    """Write rows of symptoms down as cases of patients of their own."""
    cases = {"case_id": [f"c{start + i}" for i in range(len(rows))], "diagnosis": [f"d{d}" for d, _ in rows]}
    found = [(f"c{start + i}", s, "present") for i, (_, has) in enumerate(rows) for s in has]
    return Records.from_tables({"cases": cases, "findings": pd.DataFrame(found, columns=["case_id", "code", "status"])})


def site_sets(folder: Path) -> list[tuple[str, Records]]:
    """Sets with hospitals; of the sample first visits, as of their end."""
    sample = dx.load_sample()
    return [("heart4", dx.read_records(folder / "heart4")), ("sample", sample[sample.column("visit") != "follow_up"])]


def adapted_sites(name: str, records: Records, *, full: bool, most: int = 300) -> list[dict[str, Any]]:
    """Fit without each site, adapt to some of its cases, score the others before and after."""
    sites = records.column("site")
    rows = []
    for site in sorted(set(sites)):
        here, patients = np.flatnonzero(sites == site), records.groups
        elsewhere = (sites != site) & ~np.isin(patients, patients[here])
        kind = "hybrid" if full or name == "heart4" else "linear"
        diagnoser = dx.Diagnoser(model=kind, folds=5 if full else 3).fit(records[elsewhere])
        order = np.random.default_rng(0).permutation(np.unique(patients[here].astype(str)))
        local = np.isin(patients[here].astype(str), _enough(order, patients[here], min(most, len(here) // 2)))
        test = records[here[~local]]
        for what, model in (
            ("before", diagnoser),
            ("adapted", diagnoser.adapt(records=records[here[local]])),
        ):
            score = dx.evaluate(model, test, suspicions=False, n_boot=0, details=False).overall.values
            numbers = {m: round(score[m] or np.nan, 3) for m in ("top.1", "log_loss", "ece", "calibration.slope")}
            rows.append(
                {"set": name, "site": site, "local": int(local.sum()), "test": len(test), "what": what, **numbers}
            )
    return rows


def _enough(order: np.ndarray, patients: np.ndarray, n: int) -> np.ndarray:
    """The first patients in the order that have n cases together."""
    counts = Counter(map(str, patients))
    total = np.cumsum([counts[p] for p in order])
    return order[: int(np.searchsorted(total, n)) + 1]


def speed(n: int) -> list[dict[str, Any]]:
    """Time every check on made-up cases."""
    records = dx.make_cohort(n, seed=1)
    labels = records.y.astype(str)
    checks: dict[str, Callable[[], Any]] = {
        "coded": lambda: records.coded,
        "names_diagnosis": lambda: names_diagnosis(records, labels),
        "known_later": lambda: known_later(records),
        "near_duplicates": lambda: near_duplicates(records, labels),
        "one_finding_rules": lambda: one_finding_rules(records, labels),
        "treatment_codes": lambda: treatment_codes(records, labels),
        "reference_results": lambda: reference_results(records, labels),
        "recording_pattern": lambda: recording_pattern(records, labels),
        "told_by_place_or_date": lambda: told_by_place_or_date(records, labels),
        "follow_up": lambda: follow_up(records),
    }
    rows = []
    for name, check in checks.items():
        start = time.process_time()
        check()
        rows.append({"check": name, "n": n, "cpu_s": round(time.process_time() - start, 2)})
    rows.append({"check": "all", "n": n, "cpu_s": round(sum(row["cpu_s"] for row in rows), 2)})
    rows += [_against_all_pairs(records[:2000])]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.append({"check": "peak memory of the process, MiB", "n": n, "cpu_s": round(peak)})
    return rows


def _against_all_pairs(records: Records) -> dict[str, Any]:
    """Compare the twins found with those of a comparison of all pairs of sets of rows, by plain Python."""
    start = time.process_time()
    ours = {tuple(pair) for pair in find_twins(records).pairs.tolist()}
    spent = time.process_time() - start
    start = time.process_time()
    c = records.coded
    rows = zip(c.case, c.code, c.status, np.nan_to_num(c.value, nan=np.inf), c.text, c.subject, strict=True)
    sets: list[set[tuple[Any, ...]]] = [set() for _ in range(len(records))]
    for case, *row in rows:
        sets[case].add(tuple(row))
    plain = {
        (i, j)
        for i in range(len(sets))
        for j in range(i + 1, len(sets))
        if records.groups[i] != records.groups[j] and len(sets[i] & sets[j]) >= 0.8 * len(sets[i] | sets[j])
    }
    everything = time.process_time() - start
    assert not plain - ours or min(len(sets[i] | sets[j]) for i, j in plain - ours) < 8, "a close pair was lost"
    return {"check": f"twins: all pairs {everything:.1f} s, ours", "n": len(records), "cpu_s": round(spent, 2)}


if __name__ == "__main__":
    main()
