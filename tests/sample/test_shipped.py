"""The shipped files: whole, small, marked, made again byte for byte, with every trap where the ledger says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from diagnosis.errors import InputError
from diagnosis.sample import load, load_sample, write_sample
from diagnosis.sample.load import check_sums, sample_folder
from diagnosis.sample.traps import PLANTED_EACH, TOLD

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder() -> Path:
    return sample_folder()


@pytest.fixture(scope="module")
def ledger(folder: Path) -> Rows:
    return json.loads((folder / "planted.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cases(folder: Path) -> dict[str, dict[str, Any]]:
    return {r["case_id"]: r for r in pq.read_table(folder / "cases.parquet").to_pylist()}


@pytest.fixture(scope="module")
def findings(folder: Path) -> Rows:
    wanted = ["case_id", "code", "status", "text", "known"]
    return pq.read_table(folder / "findings.parquet", columns=wanted).to_pandas().to_dict("records")


def of_kind(ledger: Rows, kind: str) -> Rows:
    return [e for e in ledger if e["kind"] == kind]


def test_it_loads_without_a_complaint() -> None:
    records = load_sample()
    assert 6000 <= len(records) <= 6100
    assert records.info["synthetic"] is True
    assert records.info["sampling"] == "enriched"
    assert records.report.problems == ()


def test_it_is_small_and_marked(folder: Path) -> None:
    assert sum(p.stat().st_size for p in folder.iterdir()) < 4 * 2**20
    for path in folder.glob("*.parquet"):
        metadata = pq.read_schema(path).metadata
        assert metadata[b"synthetic"] == b"true"
        assert b"not for the care of patients" in metadata[b"notice"]
    assert "not for the care of patients" in (folder / "README.md").read_text(encoding="utf-8")
    assert json.loads((folder / "records.json").read_text(encoding="utf-8"))["synthetic"] is True


def test_it_is_made_again_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    again = write_sample(tmp_path)
    shipped, made = (pq.read_metadata(f / "cases.parquet").created_by for f in (folder, again))
    for path in sorted(folder.iterdir()):
        if path.suffix == ".parquet" and shipped != made:  # another Arrow writes other bytes for equal tables
            assert pq.read_table(path).equals(pq.read_table(again / path.name))
        elif path.suffix in (".parquet", ".json", ".md"):
            assert path.read_bytes() == (again / path.name).read_bytes(), path.name


@pytest.mark.parametrize("fault", ["changed", "missing", "extra"])
def test_a_tampered_sample_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "sample"))
    if fault == "changed":
        with (copy / "labels.parquet").open("ab") as stream:
            stream.write(b"x")
    elif fault == "missing":
        (copy / "sites.parquet").unlink()
    else:
        (copy / "notes.csv").write_text("case_id\n")
    monkeypatch.setattr(load, "_INSTALLED", copy)
    with pytest.raises(InputError, match=r"was changed|is missing|is not part of it"):
        load_sample()
    with pytest.raises(InputError):
        check_sums(copy)


def test_without_files_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_INSTALLED", tmp_path)
    monkeypatch.setattr(load, "_CHECKOUT", tmp_path)
    with pytest.raises(InputError, match=r"python -m diagnosis\.sample"):
        load_sample()


def test_late_results_are_known_after_the_end(ledger: Rows, findings: Rows, cases: dict[str, dict[str, Any]]) -> None:
    late = of_kind(ledger, "known_after_end")
    assert len(late) == PLANTED_EACH
    for entry in late:
        row = findings[entry["row"]]
        assert (row["case_id"], row["code"]) == (entry["case_id"], entry["code"])
        assert row["known"] > cases[entry["case_id"]]["end_time"]
    planted = {(e["case_id"], e["code"]) for e in late}
    others = (r for r in findings if (r["case_id"], r["code"]) not in planted)
    assert all(r["known"] < cases[r["case_id"]]["end_time"] for r in others)


def test_findings_that_name_the_diagnosis(
    ledger: Rows, findings: Rows, cases: dict[str, dict[str, Any]], folder: Path
) -> None:
    names = {r["code"]: r["name"] for r in pq.read_table(folder / "diagnoses.parquet").to_pylist()}
    told = of_kind(ledger, "names_diagnosis")
    assert len(told) == PLANTED_EACH
    assert sum(r["code"] == TOLD for r in findings) == PLANTED_EACH
    assert all(findings[e["row"]]["text"] == names[cases[e["case_id"]]["diagnosis"]] for e in told)


def test_near_copies_are_under_another_patient(ledger: Rows, findings: Rows, cases: dict[str, dict[str, Any]]) -> None:
    copies = of_kind(ledger, "near_duplicate")
    assert len(copies) == PLANTED_EACH
    recorded: dict[str, set[tuple[str, str]]] = {}
    planted = {e["row"] for e in ledger if e["table"] == "findings"}
    for i, r in enumerate(findings):
        if i not in planted:
            recorded.setdefault(r["case_id"], set()).add((r["code"], r["status"]))
    for entry in copies:
        copy, original = cases[entry["case_id"]], cases[entry["code"]]
        assert copy["patient_id"] != original["patient_id"]
        assert copy["diagnosis"] == original["diagnosis"]
        assert recorded[entry["case_id"]] <= recorded[entry["code"]]
        assert len(recorded[entry["code"]] - recorded[entry["case_id"]]) <= 1


def test_wrong_labels_are_few_and_listed(ledger: Rows, cases: dict[str, dict[str, Any]]) -> None:
    wrong = of_kind(ledger, "label_noise")
    assert 0.01 < len(wrong) / len(cases) < 0.03
    assert all(cases[e["case_id"]]["diagnosis"] != e["code"] for e in wrong)
