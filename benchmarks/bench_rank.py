"""How good and how fast is the ranker, with hundreds and with thousands of diagnoses, and beside the hybrid?

    python benchmarks/bench_rank.py [--size small|full] [--only 500|1500|whole|hybrid] [--json]
    DIAGNOSIS_DATA=... python benchmarks/bench_rank.py --size full

- `500`: 500 diagnoses, 9,000 columns, 20,000 cases, beside LightGBM multiclass with the two settings that did best of
  those tried (it diverges with its own defaults). CPU seconds of one thread for the fit alone; ours and the peers in
  turn, one round (`small`) or three (`full`), medians.
- `1500` (`full`): 1,500 diagnoses, 200,000 cases, 5,000 codes, two threads: a whole fit, peak memory, calibration on
  unseen cases.
- `whole`: 1,500 diagnoses, 20,000 cases (`full`: 200,000), through a whole `Diagnoser`, from records to a calibrated
  and explained differential: clock, CPU, memory.
- `hybrid`: the ranker beside the hybrid on 43 diagnoses of the made-up clinic and, where DIAGNOSIS_DATA names the
  folder of the real sets, on mz4, gmd12 and phenopackets (diseases with 8 cases or more, grouped by publication; a
  disease that the training side lacks is a miss in top-k and left out of the log-loss).

The cohorts of hundreds of diagnoses come from `cohort`. Diseases stand in families of ten that share most of their
findings; P(finding | disease) is Beta(0.8, 1.4), lower in some of a disease's three forms, so that findings are not
independent; prevalence is a Dirichlet draw. Of what a patient has, 35 % is told; each finding of the disease, and each
of a rival of the family, is asked with chance 20 %, and what is asked and not there is recorded as absent; a few more
findings are recorded by their popularity alone. All else stays unrecorded.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import lightgbm
import numpy as np
from scipy import sparse

from diagnosis import Diagnoser
from diagnosis.features import FindingEncoder
from diagnosis.models import HybridModel, RankerModel, fit_temperature, softmax
from diagnosis.models.calibration import log_loss
from diagnosis.models.folds import grouped_folds
from diagnosis.readers import read_records
from diagnosis.records import Records, pool
from diagnosis.sample import make_cohort

PEERS = {"LightGBM 40 x 7 leaves": (40, 7), "LightGBM 60 x 4 leaves": (60, 4)}
_FAMILY, _TYPICAL, _FORMS, _TOLD, _ASKED = 10, 24, 3, 0.35, 0.2
Matrix = sparse.csr_matrix
Row = dict[str, Any]
Side = tuple[Matrix, np.ndarray, np.ndarray]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--only", choices=["500", "1500", "whole", "hybrid"])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    full = asked.size == "full"
    wanted = [asked.only] if asked.only else ["500", *(["1500"] if full else []), "whole", "hybrid"]
    questions: dict[str, Callable[[], Iterator[Row]]] = {
        "500": lambda: beside_lightgbm(3 if full else 1),
        "1500": thousands,
        "whole": lambda: whole(200_000 if full else 20_000),
        "hybrid": lambda: beside_hybrid(os.environ.get("DIAGNOSIS_DATA"), full),
    }
    rows = []
    for name in wanted:
        for row in questions[name]():
            rows.append(row)
            if not asked.json:
                print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if asked.json:
        print(json.dumps(rows, indent=1))


def beside_lightgbm(rounds: int) -> Iterator[Row]:
    """500 diagnoses: ours and the peers in turn."""
    X, y = cohort(25_000, 500, 4_500, seed=0)
    train, test = slice(0, 20_000), slice(20_000, None)
    fits: dict[str, Callable[[], Callable[[Matrix], np.ndarray]]] = {
        "ranker": lambda: RankerModel().fit(X[train], y[train]).scores
    }
    for name, (trees, leaves) in PEERS.items():
        fits[name] = lambda trees=trees, leaves=leaves: lightgbm_scores(X[train], y[train], trees, leaves)
    few = cohort(400, 10, 400, seed=0)  # what is imported at a first fit counts for nobody
    RankerModel().fit(*few)
    lightgbm_scores(*few, 2, 4)
    seconds: dict[str, list[float]] = {name: [] for name in fits}
    found: dict[str, np.ndarray] = {}
    for _ in range(rounds):
        for name, fit in fits.items():
            start = time.process_time()
            scores = fit()
            seconds[name].append(time.process_time() - start)
            found[name] = scores(X[test])
    for name, scores in found.items():
        ratio = statistics.median(t / ours for t, ours in zip(seconds[name], seconds["ranker"], strict=True))
        cost = {"cpu_s": round(statistics.median(seconds[name]), 1), "times_ours": round(ratio, 1)}
        yield {"model": f"500 diagnoses, {name}", **cost, **judged(scores, y[test])}


def lightgbm_scores(X: Matrix, y: np.ndarray, rounds: int, leaves: int) -> Callable[[Matrix], np.ndarray]:
    """Fit a multiclass LightGBM that does not diverge with rare diagnoses; one thread."""
    parameters = {
        "objective": "multiclass",
        "num_class": int(y.max()) + 1,
        "num_leaves": leaves,
        "learning_rate": 0.1,
        "min_data_in_leaf": 5,
        "lambda_l2": 3.0,
        "min_sum_hessian_in_leaf": 0.1,
        "feature_fraction_bynode": 0.3,
        "max_bin": 15,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(X, y, params=parameters), rounds)
    return lambda rows: np.asarray(booster.predict(rows, raw_score=True, num_threads=1))


def thousands() -> Iterator[Row]:
    """1,500 diagnoses: the cheap first stage alone, and what ``logistic="auto"`` makes of it."""
    X, y = cohort(220_000, 1_500, 5_000, seed=1)
    train, test = slice(0, 200_000), slice(200_000, None)
    for logistic in ("none", "auto"):
        start = time.perf_counter()
        model = RankerModel(logistic=logistic, n_jobs=2).fit(X[train], y[train])
        took = time.perf_counter() - start
        cost = {"wall_s": round(took), "peak_gib": round(peak_gib(), 1)}
        yield {"model": f"1,500 diagnoses, logistic={logistic!r}", **cost, **judged(model.scores(X[test]), y[test])}


def whole(n: int) -> Iterator[Row]:
    """1,500 diagnoses from records to an explained differential."""
    X, y = cohort(n + 2_000, 1_500, 5_000, seed=1)
    train, test = (records_of(X[part], y[part]) for part in (slice(0, n), slice(n, None)))
    steps: dict[str, float] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    diagnoser = Diagnoser(model="auto", as_of=None, min_cases=1, folds=3, n_jobs=2).fit(train)
    steps["fit_s"], steps["fit_cpu_s"] = time.perf_counter() - wall, time.process_time() - cpu
    cpu = time.process_time()
    answers = diagnoser.suggest(test)
    steps["suggest_ms_a_case"] = 1e3 * (time.process_time() - cpu) / len(test)
    cpu = time.process_time()
    pages = [answer.explain() for answer in answers[:20]]
    steps["explain_ms_a_case"] = 1e3 * (time.process_time() - cpu) / len(pages)
    place = {label: k for k, label in enumerate(diagnoser.classes_)}
    truth = np.array([place.get(label, -1) for label in test.y])
    proba = diagnoser.predict_proba(test)
    rank = outcomes(np.log(np.maximum(proba, 1e-300)), truth)["rank"]
    tops = {f"top{k}": round(float(np.mean(rank <= k)), 3) for k in (1, 3, 5)}
    known = truth >= 0
    slope = fit_temperature(np.log(np.maximum(proba[known], 1e-300)), truth[known])
    cost = {name: round(value, 2) for name, value in steps.items()} | {"peak_gib": round(peak_gib(), 1)}
    kind = type(diagnoser.model_).__name__
    yield {"model": f"Diagnoser, {kind}", "n": n, "diagnoses": len(place), **cost, **tops, "slope": round(slope, 3)}


def records_of(X: Matrix, y: np.ndarray) -> Records:
    """Return the cases of `cohort` as records: a column of the second half of the matrix is a code that is absent."""
    case, column = X.nonzero()
    n_codes = X.shape[1] // 2
    ids = np.char.add("c", np.arange(y.size).astype(str)).astype(object)
    findings = {
        "case_id": ids[case],
        "code": np.char.add("F", (column % n_codes).astype(str)).astype(object),
        "status": np.where(column < n_codes, "present", "absent").astype(object),
    }
    # What is both asked and told of once stays as it was told.
    order = np.lexsort((column >= n_codes, column % n_codes, case))
    first = np.ones(order.size, dtype=bool)
    first[1:] = (np.diff(case[order]) != 0) | (np.diff((column % n_codes)[order]) != 0)
    rows = np.sort(order[first])
    labels = np.char.add("D", y.astype(str)).astype(object)
    tables = {"cases": {"case_id": ids, "diagnosis": labels}, "findings": {k: v[rows] for k, v in findings.items()}}
    return Records.from_tables(tables)


def beside_hybrid(data: str | None, full: bool) -> Iterator[Row]:
    """The ranker and the hybrid on the same columns and cases."""
    clinic = make_cohort(8_000, seed=3)
    yield from both("made-up clinic", [(clinic[np.arange(6_000)], clinic[np.arange(6_000, 8_000)])])
    if not data:
        return
    for name, train, test in (("mz4", "mz4_train", "mz4_test"), ("gmd12", "gmd12_train", "gmd12_dev")):
        yield from both(name, [(read_records(Path(data) / train), read_records(Path(data) / test))])
    packets = read_records(Path(data) / "phenopackets" / "packets.ndjson.gz", format="phenopackets")
    names, counts = np.unique(packets.y.astype(str), return_counts=True)
    packets = packets[np.isin(packets.y.astype(str), names[counts >= 8])]
    fold = grouped_folds(packets.y.astype(str), packets.column("group"), 5, 0)
    sides = [(packets[fold != f], packets[fold == f]) for f in range(5 if full else 1)]
    yield from both("phenopackets", sides, "group")


def both(name: str, sides: list[tuple[Records, Records]], by: str = "patient_id") -> Iterator[Row]:
    """Fit the ranker and the hybrid on each training side and pool what they say of the test sides."""
    for kind in (RankerModel, HybridModel):
        took, pooled = 0.0, []
        for train, test in sides:
            train, test = (side[np.array([label is not None for label in side.y])] for side in (train, test))
            merged = pool(train.y, 5)
            y, truth = (merged.apply(side.y).astype(str) for side in (train, test))
            encoder = FindingEncoder().fit(train)
            X = encoder.transform(train)
            groups = train.column(by) if by == "group" else train.groups
            start = time.process_time()
            model = kind().fit(X, y, groups=groups)
            took += time.process_time() - start
            place = {label: k for k, label in enumerate(model.classes_)}
            truth_at = np.array([place.get(label, -1) for label in truth])
            pooled.append(outcomes(model.scores(encoder.transform(test)), truth_at))
        every = {key: np.concatenate([one[key] for one in pooled]) for key in pooled[0]}
        tops = {f"top{k}": round(float(np.mean(every["rank"] <= k)), 3) for k in (1, 3, 5)}
        loss = round(float(np.nanmean(every["loss"])), 3)
        model_name = f"{name}, {kind.__name__.removesuffix('Model').lower()}"
        yield {"model": model_name, "n": every["rank"].size, "cpu_s": round(took, 1), **tops, "log_loss": loss}


def outcomes(scores: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Worst rank and log-loss of each case; a diagnosis the model does not know has no rank and no loss."""
    known, rows = y >= 0, np.arange(y.size)
    own = scores[rows, np.maximum(y, 0)]
    p = softmax(scores)[rows, np.maximum(y, 0)]
    rank = np.where(known, (scores >= own[:, None]).sum(axis=1), np.inf)
    return {"rank": rank, "loss": np.where(known, -np.log(np.maximum(p, 1e-15)), np.nan)}


def judged(scores: np.ndarray, y: np.ndarray) -> Row:
    """Top-k with ties counted against, log-loss, calibration slope and top-label calibration error."""
    rank, p = outcomes(scores, y)["rank"], softmax(scores)
    tops = {f"top{k}": round(float(np.mean(rank <= k)), 3) for k in (1, 3, 5)}
    confidence = p.max(axis=1)
    bins = np.array_split(np.argsort(confidence, kind="stable"), 15)
    ece = sum(abs(confidence[b].mean() - np.mean(rank[b] == 1)) * b.size for b in bins) / y.size
    slope = fit_temperature(scores, y)
    return {**tops, "log_loss": round(log_loss(scores, y), 3), "slope": round(slope, 3), "ece": round(float(ece), 4)}


def peak_gib() -> float:
    """Return the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def cohort(n: int, n_diagnoses: int, n_codes: int, seed: int) -> tuple[Matrix, np.ndarray]:
    """Make cases with a column `present` and a column `absent` a code; every diagnosis has at least two cases."""
    rng = np.random.default_rng(seed)
    family = rng.permutation(np.arange(n_diagnoses) % max(n_diagnoses // _FAMILY, 1))
    popularity = 0.8 * rng.dirichlet(np.full(n_codes, 0.3)) + 0.2 / n_codes
    codes, chance = diseases(rng, family, popularity)
    y = rng.choice(n_diagnoses, n, p=0.7 * rng.dirichlet(np.ones(n_diagnoses)) + 0.3 / n_diagnoses)
    y[: 2 * n_diagnoses] = np.repeat(np.arange(n_diagnoses), 2)
    y = rng.permutation(y)
    has = rng.random((n, _TYPICAL)) < chance[y, rng.integers(0, _FORMS, n)]

    def asked(row: np.ndarray, code: np.ndarray, otherwise: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        own = codes[y[row]] == code[:, None]
        there = np.where(own.any(axis=1), has[row, own.argmax(axis=1)], rng.random(row.size) < otherwise)
        return row, np.where(there, code, n_codes + code)

    told = np.nonzero(has & (rng.random(has.shape) < _TOLD))
    of_own = np.nonzero(rng.random(has.shape) < _ASKED)
    of_rival = np.nonzero(rng.random(has.shape) < _ASKED)
    rival_code = codes[rivals(rng, family, y)[of_rival[0]], of_rival[1]]
    by_habit = np.repeat(np.arange(n), rng.poisson(4, n))
    parts = [
        (told[0], codes[y[told[0]], told[1]]),
        asked(of_own[0], codes[y[of_own[0]], of_own[1]], 0.0),
        asked(of_rival[0], rival_code, np.minimum(6 * popularity, 0.25)[rival_code]),
        asked(by_habit, rng.choice(n_codes, by_habit.size, p=popularity), 0.35),
    ]
    row, column = (np.concatenate(each) for each in zip(*parts, strict=True))
    X = sparse.csr_matrix((np.ones(row.size), (row, column)), shape=(n, 2 * n_codes))
    X.data[:] = 1.0
    return X, y


def diseases(rng: np.random.Generator, family: np.ndarray, popularity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the typical codes of each diagnosis, all but one shared with the family, and P(code | diagnosis, form)."""
    shared = [rng.choice(popularity.size, 2 * _TYPICAL, replace=False, p=popularity) for _ in range(family.max() + 1)]
    codes = np.empty((family.size, _TYPICAL), dtype=np.int64)
    for k, f in enumerate(family):
        codes[k, :-1] = rng.choice(shared[f], _TYPICAL - 1, replace=False)
        codes[k, -1] = rng.choice(np.setdiff1d(np.arange(popularity.size), codes[k, :-1]))
    chance = np.repeat(rng.beta(0.8, 1.4, size=(family.size, 1, _TYPICAL)), _FORMS, axis=1)
    return codes, np.where(rng.random(chance.shape) < 0.4, 0.15 * chance, chance)


def rivals(rng: np.random.Generator, family: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return another diagnosis (or the same) of each case's family."""
    order = np.argsort(family, kind="stable")
    start, size = np.searchsorted(family[order], family[y]), np.bincount(family)[family[y]]
    return order[start + (rng.random(y.size) * size).astype(np.int64)]


if __name__ == "__main__":
    main()
