"""How good are the probabilities on real cases, beside a plain logistic regression on the same columns and the prior?

    DIAGNOSIS_DATA=... python benchmarks/bench_real_sets.py [--size small|full] [--json]

Every model sees the same training cases, the same encoder columns and the same labels, and is scored on cases it has
not seen: the published test side of mz4 and gmd12, each hospital in turn of heart4, and cross-validation for the two
sets too small to hold a part out (`small`: 5 folds once, `full`: 5 folds twice). For the two sets of consultations
there are two controls: what the patient volunteered alone, and which findings were recorded with their states thrown
away.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from diagnosis.features import FindingEncoder
from diagnosis.models.calibration import log_softmax
from diagnosis.readers import read_records
from diagnosis.records import Records, pool
from diagnosis.suggestions import Diagnoser

MODELS = ("hybrid", "linear", "boosted")
Sides = Iterator[tuple[Records, Records]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    data = os.environ.get("DIAGNOSIS_DATA")
    if not data:
        raise SystemExit("set DIAGNOSIS_DATA to the folder of the real sets")
    rows = [score(name, sides) for name, sides in questions(Path(data), asked.size)]
    if asked.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'set':<38}{'n':>6}{'K':>4}  " + "".join(f"{m:>16}" for m in (*MODELS, "plain logistic", "prior")))
    for row in rows:
        cells = "".join(f"{row[m]['log_loss']:>9.3f} {row[m]['top1']:>6.3f}" for m in (*MODELS, "plain", "prior"))
        print(f"{row['set']:<38}{row['n']:>6}{row['n_diagnoses']:>4}  {cells}")
    print("each cell: log-loss (nats), top-1")


def questions(data: Path, size: str) -> Iterator[tuple[str, list[tuple[Records, Records]]]]:
    """Yield every set with its pairs of training and test side."""
    for name, train, test in (("mz4", "mz4_train", "mz4_test"), ("gmd12", "gmd12_train", "gmd12_dev")):
        sides = read_records(data / train), read_records(data / test)
        yield f"{name}, volunteered by the patient", [tuple(volunteered(s) for s in sides)]
        yield f"{name}, states thrown away", [tuple(states_thrown_away(s) for s in sides)]
        yield f"{name}, everything", [sides]
    heart = read_records(data / "heart4")
    sites = heart.column("site")
    yield "heart4, each hospital left out", [(heart[sites != s], heart[sites == s]) for s in sorted(set(sites))]
    for name in ("appendicitis", "primary_tumor"):
        records = read_records(data / name)
        yield f"{name}, cross-validated", list(folds(rare_pooled(records), 1 if size == "small" else 2))


def volunteered(records: Records) -> Records:
    """Keep only the findings that the patient brought up."""
    findings = records.frame("findings")
    return Records.from_tables(
        {"cases": records.arrow("cases"), "findings": findings[findings["elicited"] == "volunteered"]}
    )


def states_thrown_away(records: Records) -> Records:
    """Keep which findings were recorded, and not how they came out."""
    findings = records.frame("findings")[["case_id", "code"]].drop_duplicates()
    return Records.from_tables({"cases": records.arrow("cases"), "findings": findings.assign(status="present")})


def rare_pooled(records: Records) -> Records:
    """Name diagnoses with fewer than 5 cases OTHER, so that every fold can know every label."""
    cases = records.frame("cases").assign(diagnosis=pool(records.y, 5).apply(records.y))
    return Records.from_tables({"cases": cases, "findings": records.arrow("findings")})


def folds(records: Records, rounds: int) -> Sides:
    """Yield stratified folds; no patient has two cases in these sets."""
    assert len(set(records.groups)) == len(records)
    y = records.y.astype(str)
    for seed in range(rounds):
        for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(np.zeros(len(y)), y):
            yield records[train], records[test]


def score(name: str, sides: list[tuple[Records, Records]]) -> dict[str, object]:
    """Fit every model on each training side and pool what it says about the test sides."""
    pooled: dict[str, list[np.ndarray]] = {m: [] for m in (*MODELS, "plain", "prior")}
    n_diagnoses = 0
    for train, test in sides:
        for model in MODELS:
            fitted = Diagnoser(model=model).fit(train)
            truth = np.array([list(fitted.classes_).index(t) for t in fitted.truth(test)])
            pooled[model].append(outcomes(np.log(np.maximum(fitted.predict_proba(test), 1e-15)), truth))
        n_diagnoses = max(n_diagnoses, len(fitted.classes_))
        # The peer: the same columns, the same (pooled) labels, scikit-learn's defaults.
        encoder = FindingEncoder().fit(train)
        labels = fitted.truth(train).astype(str)
        peer = LogisticRegression(max_iter=2000).fit(encoder.transform(train), labels)
        assert peer.classes_.tolist() == fitted.classes_.tolist()
        pooled["plain"].append(outcomes(peer.predict_log_proba(encoder.transform(test)), truth))
        prior = np.log(np.array([np.mean(labels == c) for c in peer.classes_]))
        pooled["prior"].append(outcomes(np.tile(log_softmax(prior), (len(test), 1)), truth))
    found = {m: np.concatenate(v) for m, v in pooled.items()}
    return {
        "set": name,
        "n": len(found["prior"]),
        "n_diagnoses": n_diagnoses,
        **{m: {"log_loss": float(v[:, 0].mean()), "top1": float(v[:, 1].mean())} for m, v in found.items()},
    }


def outcomes(log_p: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Log-loss and top-1 of each case; a tie counts against."""
    own = log_p[np.arange(len(truth)), truth]
    return np.column_stack([-own, (log_p >= own[:, None]).sum(axis=1) == 1])


if __name__ == "__main__":
    main()
