"""How long does one case take: the suggestion alone, beside LightGBM's own fast path, and all that a clinician sees?

    python benchmarks/bench_latency.py [alone hybrid ranker] [--size small|full] [--json]

``alone``: from an encoded case to calibrated probabilities and the five most probable diagnoses, in microseconds: the
linear model, and the hybrid beside `LGBM_BoosterPredictForMatSingleRowFast` on the hybrid's own trees, which gives raw
scores alone. Asserted first: the fast path's scores are the hybrid's trees' to the last bit.

``hybrid``: one case of the made-up clinic, 43 diagnoses, with values, units, ranges and times (25 rows of findings on
average): from its records, and from a `Case` by hand, to differential, to the `Evidence` of five suggestions, to the
page; in milliseconds.

``ranker``: the same with 500 diagnoses and the ranker; findings present and absent, as `bench_rank.py` draws them.

CPU time of one thread, case by case, p50 and p95; ours and the peer in turn on each case. What is kept between cases
(trees cut by diagnosis) is made before by other cases; the very first case is named besides.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import lightgbm
import numpy as np

from bench_rank import cohort
from diagnosis.models import HybridModel, LinearModel, RankerModel
from diagnosis.records import Records
from diagnosis.sample import load_sample
from diagnosis.suggestions import Diagnoser
from diagnosis.suggestions.answers import probabilities_of

TOP, RAW_SCORE, FLOAT64 = 5, 1, 1
QUESTIONS = ("alone", "hybrid", "ranker")
#: Training cases and measured cases of the made-up clinic; training cases, diagnoses, codes and measured cases.
CLINIC = {"small": (1_200, 60), "full": (4_500, 400)}
HUNDREDS = {"small": (5_000, 500, 1_500, 40), "full": (20_000, 500, 4_500, 200)}
Row = dict[str, Any]


def main() -> None:
    """Print a line a measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", choices=[*QUESTIONS, []], default=[])
    parser.add_argument("--size", choices=list(CLINIC), default="small")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows: list[Row] = []
    for question in asked.questions or QUESTIONS:
        rows += {"alone": alone, "hybrid": of_the_clinic, "ranker": of_hundreds}[question](asked.size)
    if asked.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print("; ".join(f"{name} {value}" for name, value in row.items()))


def alone(size: str) -> list[Row]:
    """Microseconds of the suggestion alone."""
    n_train, n_test = CLINIC[size]
    records, made = load_sample(), []
    for model in (LinearModel(), HybridModel(folds=1)):
        diagnoser = Diagnoser(model=model, folds=2).fit(records[:n_train])
        X = diagnoser.encoder_.transform(diagnoser.as_known(records[n_train : n_train + n_test]))
        ways: dict[str, Callable[[Any], Any]] = {"ours": lambda x, d=diagnoser: best_of(d, x)}
        cases: dict[str, list[Any]] = {"ours": [X[[i]] for i in range(n_test)]}
        peers: dict[str, np.ndarray] = {}
        if isinstance(model, HybridModel):
            trees = diagnoser.model_.boosted_.trees_
            ways["raw scores"], cases["raw scores"] = diagnoser.model_.scores, cases["ours"]
            dense = [np.ascontiguousarray(row, np.float64) for row in X.toarray()]
            ways["LightGBM"], cases["LightGBM"] = fast_path(trees.text, trees.n_classes), dense
            for row, x in zip(dense, cases["ours"], strict=True):
                np.testing.assert_array_equal(ways["LightGBM"](row), diagnoser.model_.boosted_.scores(x)[0])
        taken: dict[str, np.ndarray] = {}
        for name in ("ours", "raw scores"):  # apart: each would find the trees in the cache where the other left them
            pair = {one: ways[one] for one in (name, "LightGBM") if one in ways and name in ways}
            for _ in range(3 if pair else 0):  # the last round counts
                found = in_turn(pair, cases)
            taken |= {name: found[name]} if pair else {}
            if "LightGBM" in pair:
                peers[name] = found["LightGBM"]
        row = {"suggestion alone": type(model).__name__, "diagnoses": len(diagnoser.classes_)}
        row["own factor for each case"] = diagnoser.calibration_.scale.sureness is not None
        row |= {f"{name} us": quantiles(times * 1e6, 0) for name, times in taken.items()}
        for name, peer in peers.items():
            row[f"LightGBM beside {name} us"] = quantiles(peer * 1e6, 0)
            row[f"{name} by LightGBM"] = round(float(np.median(taken[name] / peer)), 2)
        made.append(row)
    return made


def best_of(diagnoser: Diagnoser, x: Any) -> Any:
    """Return the five most probable diagnoses of an encoded case, with their probabilities."""
    p = probabilities_of(diagnoser, x)[0]
    first = (-p).argsort()[:TOP]
    return diagnoser.classes_[first], p[first]


def fast_path(text: str, n_classes: int) -> Callable[[np.ndarray], np.ndarray]:
    """LightGBM's single-row fast path, set up once; takes a dense row, answers raw scores."""
    library, booster = lightgbm.basic._LIB, lightgbm.Booster(model_str=text)
    handle, length, out = ctypes.c_void_p(), ctypes.c_int64(), np.empty(n_classes)
    width = ctypes.c_int32(booster.num_feature())
    setup = (ctypes.c_int(RAW_SCORE), ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(FLOAT64), width)
    failed = library.LGBM_BoosterPredictForMatSingleRowFastInit(
        booster._handle, *setup, b"num_threads=1", ctypes.byref(handle)
    )
    assert failed == 0
    given = ctypes.byref(length), ctypes.c_void_p(out.ctypes.data)

    def predict(row: np.ndarray) -> np.ndarray:
        assert booster is not None  # LightGBM's object lives as long as this function
        assert library.LGBM_BoosterPredictForMatSingleRowFast(handle, ctypes.c_void_p(row.ctypes.data), *given) == 0
        return out

    return predict


def of_the_clinic(size: str) -> list[Row]:
    """Milliseconds for one case of the made-up clinic."""
    n_train, n_test = CLINIC[size]
    records = load_sample()
    diagnoser = Diagnoser(model=HybridModel(folds=1), folds=2).fit(records[:n_train])
    return whole_way(diagnoser, records[n_train : n_train + n_test])


def of_hundreds(size: str) -> list[Row]:
    """Milliseconds for one case among hundreds of diagnoses."""
    n_train, n_diagnoses, n_codes, n_test = HUNDREDS[size]
    records = drawn_records(n_train + n_test, n_diagnoses, n_codes)
    diagnoser = Diagnoser(model=RankerModel(), folds=2, min_cases=1).fit(records[:n_train])
    return whole_way(diagnoser, records[n_train:])


def drawn_records(n: int, n_diagnoses: int, n_codes: int) -> Records:
    """Return cases of `bench_rank.cohort` as records: 1 in a column is a finding, present or absent."""
    X, y = cohort(n, n_diagnoses, n_codes, 0)
    present, absent = X[:, :n_codes], X[:, n_codes:]
    absent = (absent - absent.multiply(present)).tocoo()
    present = present.tocoo()
    row, code = np.concatenate([present.row, absent.row]), np.concatenate([present.col, absent.col])
    status = np.repeat(["present", "absent"], [present.nnz, int((absent.data != 0).sum())])
    some = np.concatenate([np.ones(present.nnz, bool), absent.data != 0])
    findings = {"case_id": row[some].astype(str), "code": np.char.add("f", code[some].astype(str)), "status": status}
    cases = {"case_id": np.arange(n).astype(str), "diagnosis": np.char.add("d", y.astype(str))}
    return Records.from_tables({"cases": cases, "findings": findings})


def whole_way(diagnoser: Diagnoser, records: Records) -> list[Row]:
    """Milliseconds from one case to its differential, its evidence and its page."""
    warm = [records.case(i) for i in range(len(records))]
    start = time.process_time()
    diagnoser.suggest(records[[0]], top=TOP)[0].explain().in_probability()
    first = 1e3 * (time.process_time() - start)
    for case in warm:
        diagnoser.suggest(case, top=TOP).explain()
    single = [records[[i]] for i in range(len(records))]
    ways: dict[str, Callable[[Any], Any]] = {
        "suggest(records)": lambda one: diagnoser.suggest(one, top=TOP)[0],
        "suggest(Case)": lambda one: diagnoser.suggest(one, top=TOP),
        "records to Evidence": lambda one: diagnoser.suggest(one, top=TOP)[0].explain(),
        "Case to Evidence": lambda one: diagnoser.suggest(one, top=TOP).explain(),
        "records to page": lambda one: diagnoser.suggest(one, top=TOP)[0].to_html(),
    }
    cases: dict[str, Sequence[Any]] = {name: warm if "Case" in name else single for name in ways}
    # Records that were used once know their findings' codes; each way gets its own.
    taken = in_turn(ways, {name: [cut(one) for one in given] for name, given in cases.items()})
    head = {"model": type(diagnoser.model_).__name__, "diagnoses": len(diagnoser.classes_)}
    rows = [head | {"way": name, "ms": quantiles(times * 1e3, 2)} for name, times in taken.items()]
    return [*rows, head | {"way": "the very first case, to Evidence", "ms": round(first, 1)}]


def cut(one: Any) -> Any:
    """Return a case as it is, and records taken anew out of themselves."""
    return one[[0]] if isinstance(one, Records) else one


def in_turn(ways: dict[str, Callable[[Any], Any]], cases: dict[str, Sequence[Any]]) -> dict[str, np.ndarray]:
    """CPU seconds of each way for each case; all take a case before the next one comes, now one first, now another."""
    n = len(next(iter(cases.values())))
    taken = {name: np.empty(n) for name in ways}
    for i in range(n):
        for name, way in list(ways.items())[:: 1 if i % 2 else -1]:
            given = cases[name][i]
            start = time.process_time()
            way(given)
            taken[name][i] = time.process_time() - start
    return taken


def quantiles(times: np.ndarray, digits: int) -> str:
    """Return p50 and p95 as text."""
    middle, late = np.round(np.percentile(times, [50, 95]), digits)
    return f"p50 {middle:g} p95 {late:g}"


if __name__ == "__main__":
    main()
