"""Are the promises kept on cases the model has not seen: calibration, sets, flags, abstention?

    [DIAGNOSIS_DATA=...] python benchmarks/bench_policy.py [promises|open] [--size small|full] [--model M] [--json]

`promises`: on a generated cohort (`full`: 60,000 cases, `small`: 8,000), a fifth of the patients held out. Beside each
figure stands what it is to be judged by: the calibration error beside its 95th percentile under the model's own
probabilities (labels drawn from them 200 times); the size of the sets beside the smallest possible, which knows the
generator and takes its cutoff from the test cases themselves; the flags beside one threshold for each diagnosis. With
DIAGNOSIS_DATA the same on the real sets that have a test side or can be split.

`open`: some diagnoses (5 of the cohort's 43) are left out of training, in several draws, and stand among the unseen
cases. How well is a case of theirs told from the others: by the largest probability, by the probability of "none of the
listed" where rare diagnoses were pooled, by the nearest training case, and by the rule behind the flag `unlisted`; and
which share has a flag, beside the share of the other cases that has one.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from diagnosis.evaluation import evaluate
from diagnosis.evaluation.calibration import ece, reliability
from diagnosis.evaluation.groups import groups_of
from diagnosis.models.policy import burden_at
from diagnosis.readers import read_records
from diagnosis.records import OTHER, Records, split
from diagnosis.sample import make_cohort
from diagnosis.sample.posterior import posterior
from diagnosis.suggestions import Diagnoser, Policy
from diagnosis.suggestions.open_world import unlisted_scores
from diagnosis.suggestions.red_flags import raised, shipped_red_flags

CASES = {"small": 8_000, "full": 60_000}
LEAST_GROUP = {"small": 400, "full": 3_000}
REAL = {
    "mz4": ("mz4_train", "mz4_test"),
    "gmd12": ("gmd12_train", "gmd12_dev"),
    "primary_tumor": ("primary_tumor", None),
    "heart4": ("heart4", None),
    "appendicitis": ("appendicitis", None),
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", nargs="?", choices=["promises", "open"], default="promises")
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--model", choices=["linear", "hybrid", "boosted"], default="linear")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.question == "open":
        rows = [open_world(*one, asked.model) for one in open_sets(asked.size)]
        print(json.dumps(rows, indent=1) if asked.json else "\n".join(map(open_line, rows)))
        return
    cohort = make_cohort(CASES[asked.size], seed=7)
    train, test = split(cohort, by="patient", test_size=0.2, seed=0)
    others = (
        {} if asked.size == "full" else {"aps": Policy(sets="aps"), "temperature": Policy(calibration="temperature")}
    )
    found = {"cohort": on_cohort(train, test, asked.model, LEAST_GROUP[asked.size], others)}
    if data := os.environ.get("DIAGNOSIS_DATA"):
        found["real"] = {name: on_real(Path(data), *sides, asked.model) for name, sides in REAL.items()}
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    show(found)


def on_cohort(train: Records, test: Records, model: str, least: int, others: dict[str, Policy]) -> dict[str, Any]:
    """Fit on one side of the cohort and measure every promise on the other; sets and calibration by other policies."""
    fitted = Diagnoser(model=model, policy=Policy(abstain_error=0.1)).fit(train)
    batch, truth = fitted.batch(test), fitted.truth(test)
    column = columns(truth, fitted.classes_)
    figures = evaluate(fitted, test, n_boot=0, suspicions=False).to_json()
    found: dict[str, Any] = {
        "n": len(test),
        "calibration": {**calibration(batch.proba, column), "slope": figures["calibration"]["slope"]},
        "top": figures["top"],
        "log_loss": figures["log_loss"],
        "out_of_fold": fitted.card_["chosen"]["calibration"],
        "sets": {
            "as shipped": in_sets(batch.in_set, column, test, least),
            **smallest(test, truth, batch.proba, column),
        },
        "flags": flags(fitted, batch.proba, column),
        "red_flags_per_case": sum(map(len, raised(shipped_red_flags(), test.as_of("end")))) / len(test),
        "abstention": {
            "declared_error": 0.1,
            "answered": float(1 - batch.abstained.mean()),
            "error": float((batch.proba.argmax(axis=1) != column)[~batch.abstained].mean()),
        },
    }
    for name, policy in others.items():
        other = Diagnoser(model=model, policy=policy).fit(train).batch(test)
        found["sets"][name] = in_sets(other.in_set, column, test, least)
        found[f"calibration, {name}"] = calibration(other.proba, column)
    return found


def on_real(data: Path, train: str, test: str | None, model: str) -> dict[str, Any]:
    """Calibration and coverage on a real set; without a test side a third of the patients is held out."""
    records = read_records(data / train)
    if test is None:
        seen, unseen = split(records, by="patient", test_size=0.34, seed=0)
    else:
        seen, unseen = records, read_records(data / test)
    fitted = Diagnoser(model=model).fit(seen)
    batch = fitted.batch(unseen)
    column = columns(fitted.truth(unseen), fitted.classes_)
    held = holds(batch.in_set, column)
    low, high = binom.interval(0.95, len(held), 0.9)
    inside = {"coverage": float(held.mean()), "interval_of_90": [low / len(held), high / len(held)]}
    return {
        "n": len(held),
        **calibration(batch.proba, column),
        **fitted.card_["chosen"]["calibration"],
        **inside,
        "mean_size": float(batch.in_set.sum(axis=1).mean()),
    }


def columns(truth: NDArray[np.object_], classes: NDArray[np.object_]) -> NDArray[np.int64]:
    """Column of each case's diagnosis, -1 for one the model cannot name."""
    place = {c: k for k, c in enumerate(classes.tolist())}
    return np.array([place.get(t, -1) for t in truth.tolist()], dtype=np.int64)


def calibration(proba: NDArray[np.float64], column: NDArray[np.int64]) -> dict[str, float]:
    """Expected calibration error of the first diagnosis, and its 95th percentile were the probabilities true."""
    return top_calibration(proba.max(axis=1), proba.argmax(axis=1) == column)


def top_calibration(top: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[str, float]:
    """Do so from the first diagnosis's probability, and whether it was right."""
    rng, even = np.random.default_rng(0), np.ones(len(top))
    drawn = [ece(reliability(top, rng.random(len(top)) < top, even)) for _ in range(200)]
    return {"ece": ece(reliability(top, right, even)), "ece_95th_if_true": float(np.quantile(drawn, 0.95))}


def holds(members: NDArray[np.bool_], column: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each set holds the case's diagnosis."""
    return np.where(column >= 0, members[np.arange(len(column)), np.maximum(column, 0)], False)


def in_sets(members: NDArray[np.bool_], column: NDArray[np.int64], test: Records, least: int) -> dict[str, Any]:
    """Coverage overall and in every group of enough cases, and mean size."""
    held = holds(members, column)
    by = {}
    for name, values in groups_of(test, ("age_band", "site", "sex")).items():
        for value in sorted(set(values.tolist())):
            here = values == value
            if here.sum() >= least:
                by[f"{name} {value} ({here.sum():,})"] = float(held[here].mean())
    return {"coverage": float(held.mean()), "mean_size": float(members.sum(axis=1).mean()), "by": by}


def smallest(
    test: Records, truth: NDArray[np.object_], proba: NDArray[np.float64], column: NDArray[np.int64]
) -> dict[str, Any]:
    """Mean size of the smallest sets of 90 %: of these probabilities, and of the generator's own."""
    codes, exact = posterior(test.as_of("end"))
    made = {}
    for name, p, own in (
        ("smallest, these probabilities", proba, column),
        ("smallest, the generator's", exact, columns(truth, np.array(codes, dtype=object))),
    ):
        reached = np.where(own >= 0, p[np.arange(len(own)), np.maximum(own, 0)], 0.0)
        members = p >= np.quantile(reached, 0.1, method="higher")
        made[name] = {"coverage": float(holds(members, own).mean()), "mean_size": float(members.sum(axis=1).mean())}
    return made


def flags(fitted: Diagnoser, proba: NDArray[np.float64], column: NDArray[np.int64]) -> dict[str, Any]:
    """Sensitivity and flags a case of the policy and along its curve, on unseen cases."""
    which = np.isfinite(fitted.calibration_.flag_at)
    own = which[np.maximum(column, 0)] & (column >= 0)
    declared = fitted.sensitivity
    point = burden_at(proba, column, which, fitted.calibration_.flag_at, declared=declared)
    seen = [
        burden_at(proba, column, which, np.where(which, level, np.nan), declared=level).to_json()
        for level in (0.1, 0.05, 0.03, 0.02, 0.015, 0.01, 0.0075, 0.005, 0.003, 0.002, 0.001)
    ]
    return {
        "n": int(own.sum()),
        **point.to_json(),
        "by_threshold": seen,
        "out_of_fold": fitted.card_["chosen"]["must_not_miss"]["curve"],
    }


def open_sets(size: str) -> Iterator[tuple[str, Records, int, int]]:
    """Yield name, records, how many diagnoses are left out, and how many draws."""
    yield "cohort", make_cohort(CASES["small"], seed=7), 5, 4 if size == "small" else 10
    if data := os.environ.get("DIAGNOSIS_DATA"):
        for name, left_out in (("gmd12_train", 2), ("mz4_train", 1), ("primary_tumor", 4)):
            yield name, read_records(Path(data) / name), left_out, 5 if size == "small" else 10


def open_world(name: str, records: Records, left_out: int, draws: int, model: str) -> dict[str, Any]:
    """Leave diagnoses out of training and look for their cases, `draws` times."""
    found: dict[str, list[tuple[float, float]]] = {}
    for draw in range(draws):
        train, test = split(records, by="patient", test_size=0.25, seed=draw)
        kinds, counts = np.unique(train.y[train.y != None].astype(str), return_counts=True)  # noqa: E711 - by element
        gone = np.random.default_rng(draw).choice(kinds[counts >= 10], left_out, replace=False)
        fitted = Diagnoser(model=model).fit(train[np.isin(train.y.astype(str), np.setdiff1d(kinds, gone))])
        test = test[np.isin(test.y.astype(str), kinds)]
        unseen = np.isin(test.y.astype(str), gone)
        for signal, value in signals_of(fitted, test).items():
            cutoff = np.quantile(value[~unseen], 0.95)
            told = float(roc_auc_score(unseen, value)), float((value[unseen] > cutoff).mean())
            found.setdefault(signal, []).append(told)
        kinds_of = [{flag.kind for flag in one.flags} for one in fitted.suggest(test)]
        for kind in ("unlisted", "unlike_training"):
            has = np.array([kind in one for one in kinds_of])
            found.setdefault(f"flag {kind}", []).append((float(has[~unseen].mean()), float(has[unseen].mean())))
    means = {key: [float(v) for v in np.mean(values, axis=0)] for key, values in found.items()}
    return {"set": name, "n": len(records), "left_out": left_out, "draws": draws, "signals": means}


def signals_of(fitted: Diagnoser, test: Records) -> dict[str, NDArray[np.float64]]:
    """What may tell a case of an unseen diagnosis; larger speaks for one."""
    seen = fitted.as_known(test)
    X, proba = fitted.encoder_.transform(seen), fitted.predict_proba(test)
    made = {"largest probability": -proba.max(axis=1), "nearest training case": -fitted.neighbours_.similarity(X)}
    rule = fitted.calibration_.unlisted
    if rule is not None:
        made["rule of `unlisted`"] = unlisted_scores(rule, fitted.answers_, fitted.encoder_, X, proba)
    if OTHER in fitted.classes_:
        made["none of the listed"] = proba[:, fitted.classes_.tolist().index(OTHER)]
    return made


def open_line(row: dict[str, Any]) -> str:
    """One set's answers as text."""
    lines = [f"{row['set']} ({row['n']:,} cases, {row['left_out']} diagnoses left out, {row['draws']} draws)"]
    for signal, (first, second) in row["signals"].items():
        what = "of seen and unseen diagnoses" if signal.startswith("flag") else "AUROC, and caught at 5 % false alarms"
        lines.append(f"    {signal:<24}{first:.3f}  {second:.3f}   {what}")
    return "\n".join(lines)


def show(found: dict[str, Any]) -> None:
    """Print what was found as text."""
    cohort = found["cohort"]
    print(f"cohort, {cohort['n']:,} unseen cases: top-1 {cohort['top']['1']:.3f}, log-loss {cohort['log_loss']:.3f}")
    for name, one in ((k, v) for k, v in cohort.items() if k.startswith("calibration")):
        slope = f", slope {one['slope']:.3f}" if "slope" in one else ""
        print(f"{name}: ECE {one['ece']:.4f} (95th percentile if true {one['ece_95th_if_true']:.4f}){slope}")
    oof = cohort["out_of_fold"]
    print(f"log-loss out of fold: before {oof['log_loss_before']:.4f}, after {oof['log_loss_after']:.4f}")
    for name, one in cohort["sets"].items():
        print(f"sets, {name}: coverage {one['coverage']:.3f}, mean size {one['mean_size']:.2f}")
        for group, coverage in one.get("by", {}).items():
            print(f"    {group}: {coverage:.3f}")
    one = cohort["flags"]
    print(
        f"must-not-miss: declared {one['declared']:.2f}, seen {one['sensitivity']:.3f} over {one['n']:,} cases, "
        f"{one['flags_per_case']:.2f} flags a case ({one['beyond_list']:.2f} beyond the list of five)"
    )
    for point in one["by_threshold"]:
        print(
            f"    from {point['declared']:<6g} on: {point['sensitivity']:.3f} at {point['flags_per_case']:.2f} a case"
        )
    print(f"red flags a case: {cohort['red_flags_per_case']:.3f}")
    one = cohort["abstention"]
    print(
        f"abstention: declared error {one['declared_error']}, answered {one['answered']:.3f}, error {one['error']:.3f}"
    )
    for name, one in found.get("real", {}).items():
        low, high = one["interval_of_90"]
        print(
            f"{name} ({one['n']:,} cases): ECE {one['ece']:.3f} (95th {one['ece_95th_if_true']:.3f}), log-loss out of "
            f"fold {one['log_loss_before']:.3f} -> {one['log_loss_after']:.3f}, sets {one['coverage']:.3f} "
            f"({low:.3f} to {high:.3f}), size {one['mean_size']:.2f}"
        )


if __name__ == "__main__":
    main()
