"""One frozen recipe on real sets: 5-fold cross-validation twice, patients kept whole, with paired intervals.

    DIAGNOSIS_DATA=... python benchmarks/bench_recipe.py [SET ...] [--size small|full] [--json]

The recipe is `Diagnoser(model=...)` with every option as it comes. Beside `hybrid`, `linear` and `boosted` stand
LightGBM (100 rounds of 7 leaves, 200 of 4), scikit-learn's LogisticRegression and the prior, on the same columns and
labels. Diagnoses with fewer than 8 cases are left out. Log-loss in nats and top-1 (a tie counts against); then hybrid
less the better of linear and boosted, and hybrid less the better LightGBM, with 95 % intervals of 2,000 resamples of
patients. The calibration error of `hybrid` on the cases it had not seen stands beside its 95th percentile were the
probabilities true (200 draws of right and wrong from them). `small`: the five sets of `DIAGNOSIS_DATA`; `full`: also
the sample.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from bench_policy import top_calibration
from diagnosis.features import FindingEncoder
from diagnosis.models.calibration import log_softmax
from diagnosis.models.folds import grouped_folds
from diagnosis.models.trees import load_lightgbm
from diagnosis.readers import read_records
from diagnosis.records import Records
from diagnosis.sample import load_sample
from diagnosis.suggestions import Diagnoser

SETS = ("mz4_train", "gmd12_train", "primary_tumor", "heart4", "appendicitis")
OURS = ("hybrid", "linear", "boosted")
PEERS = ("LightGBM 100 x 7", "LightGBM 200 x 4", "logistic", "prior")
ROUNDS, FOLDS, LEAST = 2, 5, 8


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", choices=[*SETS, "sample", []], default=[])
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    data = os.environ.get("DIAGNOSIS_DATA")
    if not data:
        raise SystemExit("set DIAGNOSIS_DATA to the folder of the real sets")
    names = asked.sets or [*SETS, *(["sample"] if asked.size == "full" else [])]
    rows = []
    for name in names:
        rows.append(one_set(name, load_sample() if name == "sample" else read_records(Path(data) / name)))
        if not asked.json:
            print("\n".join(lines(rows[-1])), flush=True)
    if asked.json:
        print(json.dumps(rows, indent=1))
        return
    means = {m: np.mean([row["models"][m]["log_loss"] for row in rows]) for m in (*OURS, *PEERS)}
    print("mean over sets: " + ", ".join(f"{m} {v:.3f}" for m, v in means.items()))


def one_set(name: str, records: Records) -> dict[str, Any]:
    """Cross-validate every model on one set."""
    labels = np.array(["" if label is None else str(label) for label in records.y])
    kinds, counts = np.unique(labels[labels != ""], return_counts=True)
    records = records[np.flatnonzero(np.isin(labels, kinds[counts >= LEAST]))]
    y, groups = records.y.astype(str), np.asarray(records.groups)
    found = {m: np.zeros((ROUNDS, len(y), 3)) for m in (*OURS, *PEERS)}
    for r in range(ROUNDS):
        fold = grouped_folds(y, groups, FOLDS, seed=100 + r)
        for f in range(FOLDS):
            for model, log_p_and_truth in fold_scores(records, fold != f).items():
                found[model][r, fold == f] = outcomes(*log_p_and_truth)
    per_case = {m: v.mean(axis=0) for m, v in found.items()}
    errors = [top_calibration(r[:, 2], r[:, 1] == 1) for r in found["hybrid"]]
    losses = {m: v[:, 0] for m, v in per_case.items()}
    own = min(("linear", "boosted"), key=lambda m: losses[m].mean())
    peer = min(PEERS[:2], key=lambda m: losses[m].mean())
    return {
        "set": name,
        "n": len(y),
        "n_diagnoses": len(set(y)),
        "models": {m: {"log_loss": float(v[:, 0].mean()), "top1": float(v[:, 1].mean())} for m, v in per_case.items()},
        "calibration": {name: float(np.mean([one[name] for one in errors])) for name in errors[0]},
        "paired": {other: interval(losses["hybrid"] - losses[other], groups) for other in (own, peer)},
    }


def fold_scores(records: Records, learned: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Log-probabilities of the held-out cases and the column of each one's diagnosis, for every model."""
    train, test = records[learned], records[~learned]
    made = {}
    for kind in OURS:
        fitted = Diagnoser(model=kind).fit(train)
        log_p = np.log(np.maximum(fitted.predict_proba(test), 1e-15))
        made[kind] = log_p, columns(np.asarray(fitted.classes_).astype(str), np.asarray(fitted.truth(test)).astype(str))
    encoder = FindingEncoder().fit(train)
    labels = np.asarray(fitted.truth(train)).astype(str)
    classes, index = np.unique(labels, return_inverse=True)
    X, X_test = (encoder.transform(side).astype(np.float64) for side in (train, test))
    truth = columns(classes, np.asarray(fitted.truth(test)).astype(str))
    for name, rounds, leaves in (("LightGBM 100 x 7", 100, 7), ("LightGBM 200 x 4", 200, 4)):
        made[name] = log_softmax(lightgbm_scores(X, index, X_test, len(classes), rounds, leaves)), truth
    made["logistic"] = LogisticRegression(max_iter=3000).fit(X, index).predict_log_proba(X_test), truth
    prior = np.log(np.bincount(index) / index.size)
    made["prior"] = np.tile(prior, (len(test), 1)), truth
    return made


def columns(classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Position of each label; every fold knows every diagnosis, having 8 cases or more."""
    assert np.isin(labels, classes).all()
    return np.searchsorted(classes, labels)


def lightgbm_scores(X: Any, y: np.ndarray, X_test: Any, k: int, rounds: int, leaves: int) -> np.ndarray:
    """Train LightGBM's own multiclass, with the penalty that keeps it from diverging."""
    lgb = load_lightgbm()
    options = {"objective": "multiclass", "num_class": k, "num_leaves": leaves, "learning_rate": 0.1}
    options |= {"lambda_l2": 1.0, "min_sum_hessian_in_leaf": 0.1, "num_threads": 1, "verbosity": -1}
    booster = lgb.train(options, lgb.Dataset(X, y, params=options), rounds)
    return np.asarray(booster.predict(X_test, raw_score=True))


def outcomes(log_p: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Log-loss, top-1 and largest probability of each case; a tie counts against."""
    own = log_p[np.arange(len(truth)), truth]
    return np.column_stack([-own, (log_p >= own[:, None]).sum(axis=1) == 1, np.exp(log_p.max(axis=1))])


def interval(difference: np.ndarray, groups: np.ndarray) -> list[float]:
    """Mean of a paired difference and its 95 % interval over resampled patients."""
    patient = np.unique(groups, return_inverse=True)[1]
    total, cases = np.bincount(patient, difference), np.bincount(patient)
    drawn = np.random.default_rng(0).integers(0, cases.size, (2000, cases.size))
    means = total[drawn].sum(axis=1) / cases[drawn].sum(axis=1)
    return [float(difference.mean()), *(float(q) for q in np.quantile(means, [0.025, 0.975]))]


def lines(row: dict[str, Any]) -> list[str]:
    """One set's part of the table."""
    cells = ", ".join(f"{m} {v['log_loss']:.3f}/{v['top1']:.3f}" for m, v in row["models"].items())
    paired = "; ".join(f"hybrid less {m}: {d:+.4f} [{a:+.4f}, {b:+.4f}]" for m, (d, a, b) in row["paired"].items())
    ece = "hybrid's ECE {ece:.4f} (95th percentile if true {ece_95th_if_true:.4f})".format(**row["calibration"])
    return [f"{row['set']} (n={row['n']}, K={row['n_diagnoses']}): {cells}", f"  {paired}", f"  {ece}"]


if __name__ == "__main__":
    main()
