"""How fast are foreign formats read, and in how much memory, beside plain parsing and beside a validating model?

    DIAGNOSIS_DATA=... python benchmarks/bench_read.py [fhir ...] [--size small|full] [--json]

FHIR: the Synthea bundles are repeated with new ids until the file has the asked size, once as bundles one a line and
once as the NDJSON folder of a bulk export. Ours is everything up to checked `Records`; the peers are `json.loads` of
every line (which keeps nothing) and, on a part of the lines, validation by fhir.resources' R4B models. Speed is
decompressed bytes by CPU seconds of one process, so that other work on the machine counts little, and
least in the ratio to a peer. Lines are parsed by orjson where it is installed, as the answer says. Memory is that of a
fresh process: what it held before reading, its peak, and the tables that came out of it.
"""

from __future__ import annotations

import argparse
import ast
import gc
import gzip
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from diagnosis.readers import read_records
from diagnosis.records import Records

MB = 1e6
SIZES = {"small": 60 * MB, "full": 1200 * MB}
ROUNDS = {"small": 5, "full": 3}
_UUID = re.compile(rb"[0-9a-f]{4}(?=[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Question:
    """One file or folder to read, with its peers: each reads it, or a part, and returns how many bytes that was."""

    name: str
    path: Path
    format: str
    size: int
    peers: dict[str, Callable[[], int]]
    check: Callable[[Records], None]
    packets: int = 0


def main() -> None:
    """Print a line a question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", choices=[*FORMATS, []], default=[])
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=2, metavar=("FORMAT", "PATH"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(memory_here(*asked.child)))
        return
    data = os.environ.get("DIAGNOSIS_DATA")
    if not data:
        raise SystemExit("set DIAGNOSIS_DATA to the folder of the real sets")
    gc.collect()
    gc.freeze()  # what the libraries hold is no matter of those who read
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            answer(question, ROUNDS[asked.size])
            for name in asked.formats or FORMATS
            for question in FORMATS[name](Path(data), Path(folder), SIZES[asked.size])
        ]
    print(json.dumps(rows, indent=1) if asked.json else "\n".join(map(line, rows)))


def fhir(data: Path, folder: Path, size: float) -> Iterator[Question]:
    """Bundles one a line, and the same resources as a bulk export."""
    with gzip.open(data / "synthea" / "bundles.ndjson.gz", "rb") as file:
        bundles = file.read().splitlines()
    many, bulk = folder / "bundles.ndjson", folder / "bulk"
    with many.open("wb") as out:
        copy = 0
        while out.tell() < size:
            out.writelines(_UUID.sub(b"%04x" % copy, bundle) + b"\n" for bundle in bundles)
            copy += 1
    bulk.mkdir()
    files: dict[str, Any] = {}
    kept = ("Patient", "Encounter", "Condition", "Observation", "Procedure", "MedicationRequest")
    for text in lines_of(many):
        for entry in json.loads(text)["entry"]:
            kind = entry["resource"]["resourceType"]
            if kind in kept:
                if kind not in files:
                    files[kind] = (bulk / f"{kind}.ndjson").open("w", encoding="utf-8")
                files[kind].write(json.dumps(entry["resource"], separators=(",", ":")) + "\n")
    for file in files.values():
        file.close()
    yield _fhir_question("fhir, bundles one a line", many)
    yield _fhir_question("fhir, bulk export", bulk)


def _fhir_question(name: str, path: Path) -> Question:
    files = sorted(path.iterdir()) if path.is_dir() else [path]

    def parse() -> int:
        for file in files:
            for text in lines_of(file):
                json.loads(text)
        return sum(f.stat().st_size for f in files)

    def validate() -> int:
        from fhir.resources.R4B import get_fhir_model_class

        done = 0
        for file in files:
            for text in list(first_lines(file, 300_000)):
                value = json.loads(text)
                done += len(text)
                inner = [e["resource"] for e in value["entry"]] if "entry" in value else [value]
                for one in inner:
                    model = get_fhir_model_class(one["resourceType"])
                    with suppress(
                        ValueError
                    ):  # some of Synthea's claims are not valid, and were looked at all the same
                        model.model_validate(one)
        return done

    def check(records: Records) -> None:
        values = total = 0
        for file in files:
            for text in lines_of(file):
                value = json.loads(text)
                for one in [e["resource"] for e in value["entry"]] if "entry" in value else [value]:
                    total += one["resourceType"] == "Encounter"
                    parts = [one, *one.get("component", ())] if one["resourceType"] == "Observation" else ()
                    values += sum("valueQuantity" in part for part in parts)
        assert len(records) == total
        assert records.arrow("findings")["value"].drop_null().length() == values

    size = sum(f.stat().st_size for f in files)
    return Question(name, path, "fhir", size, {"json.loads": parse, "fhir.resources": validate}, check)


def ddxplus(data: Path, folder: Path, size: float) -> Iterator[Question]:
    """The released test set's number of patients (a seventh of it when small), by repeating the rows at hand.

    The peer is what the authors' own loader does: pandas, and `ast.literal_eval` of the two columns of lists.
    """
    n = 134_529 if size > SIZES["small"] else 20_000
    target = folder / "ddxplus"
    target.mkdir()
    for name in ("release_evidences.json", "release_conditions.json"):
        (target / name).write_bytes((data / "ddxplus" / name).read_bytes())
    header, *rows = (data / "ddxplus" / "release_validate_patients.csv").read_bytes().splitlines(keepends=True)
    path = target / "release_test_patients.csv"
    path.write_bytes(b"".join([header, *(rows * (n // len(rows) + 1))[:n]]))

    def literal() -> int:
        frame = pd.read_csv(path)
        for column in ("EVIDENCES", "DIFFERENTIAL_DIAGNOSIS"):
            frame[column] = frame[column].map(ast.literal_eval)
        return path.stat().st_size

    def check(records: Records) -> None:
        frame = pd.read_csv(path)
        lists = frame["EVIDENCES"].map(ast.literal_eval)
        findings = records.arrow("findings")
        codes = findings.filter(pc.equal(findings["status"].cast("string"), "present"))["code"]
        told = {name: sum(name in one for one in lists) for name in ("toux", "fievre", "douleurxx")}
        assert len(records) == n
        assert {name: pc.sum(pc.equal(codes.cast("string"), name)).as_py() for name in told} == told
        assert records.y.tolist() == frame["PATHOLOGY"].tolist()

    yield Question(f"ddxplus, {n:,} patients", path, "ddxplus", path.stat().st_size, {"literal_eval": literal}, check)


def phenopackets(data: Path, folder: Path, size: float) -> Iterator[Question]:
    """The published cases, with new ids when repeated; the peers are `json.loads` and the schema's own classes."""
    with gzip.open(data / "phenopackets" / "packets.ndjson.gz", "rb") as file:
        packets = file.read().splitlines()
    path = folder / "packets.ndjson"
    copies = max(1, round(size / sum(map(len, packets))))
    with path.open("wb") as out:
        for copy in range(copies):
            out.writelines(packet.replace(b'"pp', b'"%dpp' % copy) + b"\n" for packet in packets)

    def parse() -> int:
        for text in lines_of(path):
            json.loads(text)
        return path.stat().st_size

    peers: dict[str, Callable[[], int]] = {"json.loads": parse}
    with suppress(ImportError):
        from google.protobuf import json_format
        from phenopackets.schema.v2 import Phenopacket

        def classes() -> int:
            done = 0
            for text in first_lines(path, 3_000_000):
                json_format.ParseDict(json.loads(text), Phenopacket())
                done += len(text)
            return done

        peers["phenopackets"] = classes

    def check(records: Records) -> None:
        told = [json.loads(text) for text in packets]
        features = [f for one in told for f in one["phenotypicFeatures"]]
        status = records.arrow("findings")["status"].cast("string")
        assert len(records) == copies * len(told)
        assert len(status) == copies * len(features)
        assert pc.sum(pc.equal(status, "absent")).as_py() == copies * sum(f.get("excluded", False) for f in features)
        diagnoses = [one["interpretations"][0]["diagnosis"]["disease"]["id"] for one in told]
        assert records.y.tolist() == copies * diagnoses

    count = copies * len(packets)
    yield Question(f"phenopackets, {count:,}", path, "phenopackets", path.stat().st_size, peers, check, count)


#: Every format's questions; a reader that is to be measured adds its own.
FORMATS: dict[str, Callable[[Path, Path, float], Iterator[Question]]] = {
    "fhir": fhir,
    "phenopackets": phenopackets,
    "ddxplus": ddxplus,
}


def lines_of(file: Path) -> Iterator[bytes]:
    """Lines of a plain file, one at a time."""
    with file.open("rb") as lines:
        yield from lines


def first_lines(file: Path, most: int) -> Iterator[bytes]:
    """As many first lines as hold `most` bytes."""
    seen = 0
    for text in lines_of(file):
        if seen >= most:
            return
        seen += len(text)
        yield text


def answer(question: Question, rounds: int) -> dict[str, Any]:
    """Read with ours and the peers in turn."""
    question.check(read_records(question.path, format=question.format))
    speeds: dict[str, list[float]] = {"ours": [], **{name: [] for name in question.peers}}
    for _ in range(rounds):
        speeds["ours"].append(speed(lambda: (read_records(question.path, format=question.format), question.size)[1]))
        for name, peer in question.peers.items():
            speeds[name].append(speed(peer))
    ratios = {
        n: statistics.median(o / s for o, s in zip(speeds["ours"], speeds[n], strict=True)) for n in question.peers
    }
    return {
        "question": question.name,
        "packets_per_s": round(statistics.median(speeds["ours"]) * MB * question.packets / question.size),
        "size_mb": round(question.size / MB),
        "lines_by": "orjson" if find_spec("orjson") else "json",
        "mb_per_s": {name: round(statistics.median(found), 1) for name, found in speeds.items()},
        "ours_by_peer": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "memory_mb": memory(question),
    }


def speed(work: Callable[[], int]) -> float:
    """Megabytes a CPU second."""
    start = time.process_time()
    size = work()
    return size / MB / (time.process_time() - start)


def memory(question: Question) -> dict[str, float]:
    """What a fresh process needed for the reading."""
    command = [sys.executable, __file__, "--child", question.format, str(question.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def memory_here(format: str, path: str) -> dict[str, float]:
    """Read in this process; megabytes before, at the peak, of the tables, and of the peak beside both."""
    before = peak()
    records = read_records(path, format=format)
    tables = sum(records.arrow(name).nbytes for name in records.names) / MB
    most = peak()
    found = {"before": before, "peak": most, "tables": tables, "beside_tables": most - before - tables}
    return {name: round(value) for name, value in found.items()}


def peak() -> float:
    """The most memory this process has held, in MB."""
    status = Path("/proc/self/status")  # getrusage would count what the process held that started this one
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0]) * 1024 / MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB


def line(row: dict[str, Any]) -> str:
    """One answer in words."""
    speeds = ", ".join(f"{name} {found:g} MB/s" for name, found in row["mb_per_s"].items())
    ratios = ", ".join(f"{ratio:g} of {name}" for name, ratio in row["ours_by_peer"].items())
    held = ", ".join(f"{name.replace('_', ' ')} {found:,} MB" for name, found in row["memory_mb"].items())
    if row["packets_per_s"]:
        speeds += f", {row['packets_per_s']:,} packets/s"
    by = f", lines by {row['lines_by']}" if "json.loads" in row["mb_per_s"] else ""
    return f"{row['question']}, {row['size_mb']:,} MB{by}: {speeds} (ours is {ratios}); memory: {held}"


if __name__ == "__main__":
    main()
