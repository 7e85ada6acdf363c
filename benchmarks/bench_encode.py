"""How fast do records in Parquet become a sparse matrix, and in how much memory, beside the usual ways?

    python benchmarks/bench_encode.py [sorted unsorted repeated pivot one medstab] [--size small|full] [--json]

The input is drawn by this file with numpy alone (`draw`): findings of 2,000 codes whose frequencies follow Zipf's law,
18.2 a case, in random order within a case, 55 % present, 42 % absent, 3 % uncertain; full size is 1,000,000 cases and
18,200,000 findings. Ours is the whole way, `FindingEncoder(min_cases=1).fit_transform(folder)`: columns learnt from
checked rows that are read once; `transform` alone stands beside it, and so does only decoding the same columns of the
Parquet. The peers make the same matrix of 0 and 1 from the same file and check nothing. All are taken in turn in one
process with one thread, in CPU seconds, so that other work on the machine does not count; matrices are asserted to be
equal first. Memory is that of a fresh process: its peak, less what it held when the libraries were loaded.

``unsorted`` has the same rows shuffled. ``repeated`` has values, units and times, and 30 % of its rows repeat a finding
of their case at another time: the latest counts. ``pivot`` are the two ways that take a table of cases × findings,
``one`` is one case by hand to its row. ``medstab`` is the whole process from MEDS data to a matrix in a file, beside
the three commands of MEDS-Tab 0.2.0 (`--medstab` names the Python that has it) with the least they can be asked for:
counts of codes over all time.
"""

from __future__ import annotations

import os

os.environ.update(POLARS_MAX_THREADS="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before the libraries load

import argparse
import gc
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import csr_matrix

from diagnosis.features import FindingEncoder
from diagnosis.readers.records_folder import open_records
from diagnosis.records import Case, Finding, Records

SIZES = {"small": 50_000, "full": 1_000_000}
PIVOT_SIZES = {"small": 10_000, "full": 100_000}
MEDS_SIZES = {"small": 2_000, "full": 20_000}
PER_CASE, CODES = 18.2, 2_000
COLUMNS = ["case_id", "code", "status"]
STATES = ["present", "absent", "uncertain"]
Named = tuple[csr_matrix, list[str]]


def main() -> None:
    """Print a line a question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", choices=[*QUESTIONS, []], default=[])
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="encode this folder to shards and say what it took")
    parser.add_argument("--states", action="store_true", help="for --folder: nothing but states, times and subjects")
    parser.add_argument("--hierarchy", action="store_true", help="for --folder: findings spread over their hierarchy")
    parser.add_argument("--jobs", type=int, default=1, help="threads for --folder")
    parser.add_argument("--medstab", type=Path, metavar="PYTHON", help="the Python that has MEDS-Tab, for medstab")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    if asked.folder:
        print(json.dumps(whole_folder(asked.folder, asked.jobs, asked.states, asked.hierarchy), indent=1))
        return
    if asked.child:
        print(json.dumps(memory_here(*asked.child)))
        return
    gc.collect()
    gc.freeze()  # what the libraries hold is no matter of those who encode
    rows = []
    for name in asked.questions or QUESTIONS:
        with tempfile.TemporaryDirectory() as folder:
            asks = partial(QUESTIONS[name], python=asked.medstab) if name == "medstab" else QUESTIONS[name]
            rows.append({"question": name, **asks(Path(folder), asked.size, asked.rounds)})
    print(json.dumps(rows, indent=1) if asked.json else "\n".join(map(line, rows)))


def draw(folder: Path, n_cases: int, *, shuffled: bool = False, repeated: bool = False) -> Path:
    """Write cases and findings as Parquet; of a case every code at most once, unless they are to repeat."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, CODES + 1)
    n = int(n_cases * PER_CASE)
    case = np.sort(rng.integers(0, n_cases, int(n * 1.3)))
    code = rng.choice(CODES, len(case), p=share / share.sum())
    first = np.unique(case * np.int64(CODES) + code, return_index=True)[1]
    rows = np.sort(rng.choice(first, min(n, len(first)), replace=False))
    if repeated:
        rows = np.sort(np.concatenate([rows[: int(len(rows) * 0.7)], rng.choice(rows, n - int(len(rows) * 0.7))]))
    if shuffled:
        rows = rng.permutation(rows)
    ids = pa.array(np.char.add("C", np.char.zfill(np.arange(n_cases).astype(str), 8)))
    names = pa.array([f"HP:{i:07d}" for i in rng.permutation(CODES)])
    table = {
        "case_id": _words(case[rows], ids),
        "code": _words(code[rows], names),
        "status": _words(rng.choice(3, len(rows), p=[0.55, 0.42, 0.03]), pa.array(STATES)),
    }
    if repeated:
        table |= _values_and_times(rng, code[rows])
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"case_id": ids}), folder / "cases.parquet", compression="zstd")
    pq.write_table(pa.table(table), folder / "findings.parquet", compression="zstd")
    return folder


def _values_and_times(rng: np.random.Generator, code: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    """A quarter of the codes are measured; every row has a time of its own."""
    measured = code % 4 == 0
    value = np.round(rng.normal(10 + code, 3.0, len(code)), 1)
    minute = rng.permutation(len(code)).astype(np.int64) * 60_000_000 + 1_700_000_000_000_000
    return {
        "value": pa.array(value, mask=~measured),
        "unit": pa.array(np.where(measured, "mmol/L", ""), mask=~measured).dictionary_encode(),
        "status": _words(np.where(measured, 0, rng.choice(3, len(code), p=[0.55, 0.42, 0.03])), pa.array(STATES)),
        "time": pa.array(minute, pa.int64()).cast(pa.timestamp("us", tz="UTC")),
    }


def _words(number: npt.NDArray[Any], words: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(number.astype(np.int32)), words).cast(pa.string())


def ours(folder: Path) -> Named:
    """Columns learnt, then rows encoded."""
    encoder = FindingEncoder(min_cases=1)
    return encoder.fit_transform(folder), encoder.get_feature_names_out().tolist()


def decode(folder: Path) -> None:
    """Nothing but the decoding of the same columns."""
    with pq.ParquetFile(folder / "findings.parquet", read_dictionary=COLUMNS) as file:
        for _ in file.iter_batches(1 << 18, columns=COLUMNS, use_threads=False):
            pass


def pandas_factorize(folder: Path) -> Named:
    """`pandas.factorize` of each column."""
    table = pd.read_parquet(folder / "findings.parquet", columns=COLUMNS)
    case, _ = _numbered(pd.factorize(table["case_id"]), folder)
    code, codes = pd.factorize(table["code"])
    status, states = pd.factorize(table["status"])
    return _matrix(case, code, list(codes), status, list(states), folder)


def pandas_categorical(folder: Path) -> Named:
    """`astype("category")` of each column."""
    table = pd.read_parquet(folder / "findings.parquet", columns=COLUMNS)
    made = [table[c].astype("category").cat for c in COLUMNS]
    case, _ = _numbered((made[0].codes.to_numpy(), made[0].categories), folder)
    code, status = (one.codes.to_numpy() for one in made[1:])
    return _matrix(case, code, list(made[1].categories), status, list(made[2].categories), folder)


def polars_categorical(folder: Path) -> Named:
    """Polars with its own categories."""
    import polars as pl

    table = pl.read_parquet(folder / "findings.parquet", columns=COLUMNS)
    coded, words = {}, {}
    for name in COLUMNS:
        column = table[name].cast(pl.Categorical(pl.Categories.random()))
        distinct = column.unique()
        place = np.zeros(int(distinct.to_physical().max()) + 1, np.int64)  # type: ignore[arg-type]
        place[distinct.to_physical().to_numpy()] = np.arange(len(distinct))
        words[name] = distinct.cast(pl.String).to_list()
        coded[name] = place[column.to_physical().to_numpy()]
    case, _ = _numbered((coded["case_id"], words["case_id"]), folder)
    return _matrix(case, coded["code"], words["code"], coded["status"], words["status"], folder)


def duckdb_join(folder: Path) -> Named:
    """DuckDB: distinct codes numbered and joined."""
    import duckdb

    con = duckdb.connect()
    con.execute("SET threads=1")
    source = f"read_parquet('{folder / 'findings.parquet'}')"
    cases = f"(SELECT case_id, row_number() OVER () - 1 AS n FROM read_parquet('{folder / 'cases.parquet'}'))"
    con.execute(
        f"CREATE TABLE codes AS SELECT code, row_number() OVER () - 1 AS n FROM (SELECT DISTINCT code FROM {source})"
    )
    state = "CASE status WHEN 'present' THEN 0 WHEN 'absent' THEN 1 ELSE 2 END"
    got = con.execute(
        f"SELECT c.n::INTEGER AS row, d.n::INTEGER AS code, ({state})::INTEGER AS status "
        f"FROM {source} f JOIN {cases} c USING (case_id) JOIN codes d USING (code)"
    ).fetchnumpy()
    codes = [row[0] for row in con.execute("SELECT code FROM codes ORDER BY n").fetchall()]
    con.close()
    return _matrix(got["row"], got["code"], codes, got["status"], STATES, folder)


def _numbered(found: tuple[Any, Any], folder: Path) -> tuple[npt.NDArray[Any], int]:
    """Numbers of the cases in the order of the table of cases."""
    number, words = found
    ids = pq.read_table(folder / "cases.parquet")["case_id"]
    place = pd.Index(ids.to_pandas()).get_indexer(pd.Index(words))
    return place[number], len(ids)


def _matrix(case: Any, code: Any, codes: list[str], status: Any, states: list[str], folder: Path) -> Named:
    n_cases = pq.read_metadata(folder / "cases.parquet").num_rows
    column = code.astype(np.int32) * len(states) + status.astype(np.int32)
    ones = np.ones(len(column), np.float32)
    made = csr_matrix((ones, (case, column)), shape=(n_cases, len(codes) * len(states)))
    return made, [f"{state}:{code}" for code in codes for state in states]


def equal(one: Named, other: Named) -> bool:
    """Whether two matrices are the same once columns of one name stand together; empty columns do not count."""
    (a, a_names), (b, b_names) = one, other
    place = {name: i for i, name in enumerate(a_names)}
    filled = np.flatnonzero(b.getnnz(axis=0))
    if not {b_names[i] for i in filled.tolist()} <= set(a_names):
        return False
    move = np.zeros(len(b_names), np.int64)
    move[filled] = [place[b_names[i]] for i in filled.tolist()]
    moved = csr_matrix((b.data, move[b.indices], b.indptr), shape=(b.shape[0], len(a_names)))
    return a.shape == moved.shape and (a != moved).nnz == 0


PEERS: dict[str, Callable[[Path], Named]] = {
    "pandas factorize": pandas_factorize,
    "pandas Categorical": pandas_categorical,
    "polars": polars_categorical,
    "DuckDB": duckdb_join,
}


def sorted_rows(folder: Path, size: str, rounds: int, *, shuffled: bool = False) -> dict[str, Any]:
    """States only."""
    draw(folder, SIZES[size], shuffled=shuffled)
    made = ours(folder)
    for name, peer in PEERS.items():
        assert equal(made, peer(folder)), name
    encoder = FindingEncoder(min_cases=1).fit(folder)
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(folder),
        "ours, transform": lambda: encoder.transform(folder),
        "decode": lambda: decode(folder),
        **{name: (lambda peer=peer: peer(folder)) for name, peer in PEERS.items()},
    }
    seconds = in_turn(ways, rounds)
    return {
        "cases": SIZES[size],
        "findings": pq.read_metadata(folder / "findings.parquet").num_rows,
        **summary(seconds),
        "memory_mb": {name: memory(name, folder) for name in ("ours", *PEERS)},
    }


def unsorted_rows(folder: Path, size: str, rounds: int) -> dict[str, Any]:
    """The same rows shuffled."""
    return sorted_rows(folder, size, rounds, shuffled=True)


def repeated_rows(folder: Path, size: str, rounds: int) -> dict[str, Any]:
    """Values and times, and 30 % of the rows repeat a finding; beside the states alone of as many rows."""
    plain, full = draw(folder / "plain", SIZES[size]), draw(folder / "repeated", SIZES[size], repeated=True)
    seconds = in_turn({"ours": lambda: ours(full), "states only": lambda: ours(plain)}, rounds)
    return {"cases": SIZES[size], **summary(seconds)}


def pivot(folder: Path, size: str, rounds: int) -> dict[str, Any]:
    """The ways that go over a table of cases × findings, or over dictionaries."""
    draw(folder, PIVOT_SIZES[size])

    def pivot_table() -> Named:
        table = pd.read_parquet(folder / "findings.parquet", columns=COLUMNS)
        table["column"] = table["status"] + ":" + table["code"]
        wide = table.assign(one=np.float32(1)).pivot_table(
            index="case_id", columns="column", values="one", fill_value=0, aggfunc="max"
        )
        wide = wide.reindex(pq.read_table(folder / "cases.parquet")["case_id"].to_pylist(), fill_value=0)
        return csr_matrix(wide.to_numpy(np.float32)), list(wide.columns)

    def dict_vectorizer() -> Named:
        from sklearn.feature_extraction import DictVectorizer

        table = pq.read_table(folder / "findings.parquet", columns=COLUMNS).to_pydict()
        cases: dict[str, dict[str, float]] = {
            c: {} for c in pq.read_table(folder / "cases.parquet")["case_id"].to_pylist()
        }
        for case, code, status in zip(*(table[c] for c in COLUMNS), strict=True):
            cases[case][f"{status}:{code}"] = 1.0
        made = DictVectorizer(dtype=np.float32)
        return csr_matrix(made.fit_transform(cases.values())), list(made.get_feature_names_out())

    made = ours(folder)
    assert equal(made, pivot_table())
    assert equal(made, dict_vectorizer())
    seconds = in_turn(
        {"ours": lambda: ours(folder), "pivot_table": pivot_table, "DictVectorizer": dict_vectorizer}, rounds
    )
    return {"cases": PIVOT_SIZES[size], **summary(seconds)}


def one_case(folder: Path, size: str, rounds: int) -> dict[str, Any]:  # noqa: ARG001 - as the others
    """One case by hand, 15 findings of which 3 are measured, against building `Records` of it first."""
    codes = [f"HP:{i:07d}" for i in range(15)]
    findings = [Finding(c, value=float(i), unit="mmol/L") if i < 3 else Finding(c) for i, c in enumerate(codes)]
    case = Case(findings, age_years=4, sex="female")
    others = [Case(findings[i % 5 :], age_years=float(i % 90), sex="male", case_id=str(i)) for i in range(200)]
    others += [Case([Finding(c, value=float(i), unit="mmol/L") for c in codes[:3]], case_id=f"v{i}") for i in range(50)]
    encoder = FindingEncoder().fit(Records.from_cases(others))
    assert (encoder.encode_case(case) != encoder.transform(Records.from_cases([case]))).nnz == 0
    ways = {
        "ours": lambda: [encoder.encode_case(case) for _ in range(1000)],
        "through Records": lambda: [encoder.transform(Records.from_cases([case])) for _ in range(10)],
    }
    seconds = in_turn(ways, rounds)
    micro = {
        "ours": statistics.median(seconds["ours"]) / 1e-3,
        "through Records": statistics.median(seconds["through Records"]) / 1e-5,
    }
    return {"findings": len(findings), "microseconds": {name: round(found) for name, found in micro.items()}}


OURS_FROM_MEDS = """
import json, sys
from scipy.sparse import save_npz
from diagnosis.features import FindingEncoder
from diagnosis.readers.meds import read_meds
records = read_meds(sys.argv[1])
X = FindingEncoder(min_cases=1).fit_transform(records)
save_npz(sys.argv[2], X, compressed=False)
print(json.dumps({"rows": X.shape[0], "columns": X.shape[1], "entries": X.nnz, "findings": len(records.coded)}))
"""


def meds_tab(folder: Path, size: str, rounds: int, python: Path | None = None) -> dict[str, Any]:
    """Whole processes, in CPU seconds; ours makes states, values and ranges of every finding."""
    if python is None or not (python.parent / "meds-tab-describe").exists():
        return {"skipped": "MEDS-Tab is not here: name the Python it is installed for with --medstab PYTHON"}
    import diagnosis as dx

    meds = dx.write_meds(dx.make_cohort(MEDS_SIZES[size], seed=3), folder / "meds")
    events = pq.read_table(sorted((meds / "data").glob("*.parquet")), columns=["table"])["table"].to_pylist()
    made: dict[str, Any] = {}

    def ours_from_meds() -> None:
        command = [sys.executable, "-c", OURS_FROM_MEDS, str(meds), str(folder / "ours.npz")]
        made.update(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))

    def theirs() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            run_meds_tab(python.parent, meds / "data", Path(out))

    seconds = in_turn({"ours": ours_from_meds, "MEDS-Tab": theirs}, rounds, of_children)
    assert made["findings"] == events.count("findings")  # no event is lost
    return {"cases": MEDS_SIZES[size], "events": len(events), "ours": made, **summary(seconds)}


def run_meds_tab(commands: Path, data: Path, out: Path) -> None:
    """Its three commands, in the folders that they expect to be there."""
    for shard in data.glob("*.parquet"):
        (out / "tabularize" / shard.stem / "full" / "code").mkdir(parents=True)
        (out / "tabularize" / shard.stem / "none" / "static").mkdir(parents=True)
    for name in ("metadata", ".cache"):
        (out / name).mkdir()
    least = [f"tabularization.{one}" for one in ("min_code_inclusion_count=1", "window_sizes=[full]")]
    least.append("tabularization.aggs=[static/present,code/count]")
    for name, options in (("describe", []), ("tabularize-static", least), ("tabularize-time-series", least)):
        command = [str(commands / f"meds-tab-{name}"), f"input_dir={data}", f"output_dir={out}", *options]
        subprocess.run(command, check=True, capture_output=True)
    assert list(out.rglob("count.npz"))


def of_children() -> float:
    """CPU seconds of the processes that were started and ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_turn(
    ways: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """CPU seconds of each way, round by round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()
            start = clock()
            way()
            seconds[name].append(clock() - start)
    return seconds


def summary(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Medians of the times, and of the ratios to ours within each round."""
    ratios = {n: [s / o for s, o in zip(found, seconds["ours"], strict=True)] for n, found in seconds.items()}
    return {
        "seconds": {n: round(statistics.median(found), 3) for n, found in seconds.items()},
        "times_ours": {n: round(statistics.median(found), 2) for n, found in ratios.items() if n != "ours"},
    }


def whole_folder(folder: Path, jobs: int, states: bool, hierarchy: bool) -> dict[str, Any]:
    """Fit on a folder of records and write its matrix as shards: seconds on the clock and of CPU, and peak memory."""
    before, clock, cpu = peak(), time.perf_counter(), time.process_time()
    records = open_records(folder, columns=("time", "known", "subject") if states else None)
    encoder = FindingEncoder(hierarchy=hierarchy)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        shards = encoder.fit_transform(records, to=Path(made) / "shards", n_jobs=jobs)
        done = time.perf_counter(), time.process_time()
        size = sum(file.stat().st_size for file in (Path(made) / "shards").iterdir())
    return {
        "records": repr(records),
        "shards": repr(shards),
        "shards_gb": round(size / 1e9, 2),
        "jobs": jobs,
        "clock_s": round(done[0] - clock, 1),
        "cpu_s": round(done[1] - cpu, 1),
        "memory_gb": {"libraries": round(before / 1e3, 2), "peak": round(peak() / 1e3, 2)},
    }


def memory(way: str, folder: Path) -> int:
    """What a fresh process needed beside its libraries, in MB."""
    done = subprocess.run([sys.executable, __file__, "--child", way, str(folder)], capture_output=True, check=True)
    return int(json.loads(done.stdout))


def memory_here(way: str, folder: str) -> int:
    """The same for this process, which has loaded what it will use."""
    import duckdb
    import polars

    assert duckdb
    assert polars
    before = peak()
    {"ours": ours, **PEERS}[way](Path(folder))
    return round(peak() - before)


def peak() -> float:
    """The most memory this process has held, in MB."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) * 1024 / 1e6


def line(row: dict[str, Any]) -> str:
    """One answer in words."""
    return "\n  ".join([f"{row['question']}:", *(f"{k}: {v}" for k, v in row.items() if k != "question")])


QUESTIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "sorted": sorted_rows,
    "unsorted": unsorted_rows,
    "repeated": repeated_rows,
    "pivot": pivot,
    "one": one_case,
    "medstab": meds_tab,
}

if __name__ == "__main__":
    main()
