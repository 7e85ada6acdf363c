"""Whatever stands in the files: an error of this library or records, and every row is accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.readers.ddxplus.release import COLUMNS, CONDITIONS, EVIDENCES, csv_of, row, write_release

import diagnosis as dx

WORDS = st.sampled_from(
    [
        *("fievre", "douleur", "endroit_@_tete", "endroit_@_nulle_part", "intens_@_3", "intens_@_0", "voyage_@_N"),
        *("lesions", "couleur_@_NA", "couleur_@_rouge", "intens", "x", "", "_@_", "fievre_@_", "'", "é"),
    ]
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NESTED = st.recursive(PLAIN | WORDS, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
LISTS = (
    st.lists(WORDS, max_size=6).map(repr)
    | st.lists(st.tuples(st.sampled_from([*CONDITIONS, "Influenza", "x"]), st.floats()).map(list), max_size=3).map(repr)
    | NESTED.map(repr)
    | NESTED.map(lambda value: json.dumps(value))
    | st.text(alphabet="[]'\",\\() x1.é", max_size=12)
)
CELL = LISTS | WORDS | st.text(max_size=8)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "AGE": st.integers(-5, 200).map(str) | CELL,
            "SEX": st.sampled_from(["M", "F"]) | CELL,
            "PATHOLOGY": st.sampled_from([*CONDITIONS]) | CELL,
            "EVIDENCES": LISTS,
            "DIFFERENTIAL_DIAGNOSIS": LISTS,
            "INITIAL_EVIDENCE": WORDS,
        }
    )
    | st.just(row()),
    max_size=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("set"))


def read_with_account(folder: Path, aside: Path) -> dx.Records | None:
    """Read what there is; every row is loaded or in the file of those set aside."""
    aside.unlink(missing_ok=True)
    try:
        records = dx.read_ddxplus(folder, on_error="quarantine", quarantine=aside)
    except dx.DiagnosisError:
        return None
    count = records.report.counts["cases"]
    entries = [json.loads(line) for line in aside.read_text(encoding="utf-8").splitlines()] if aside.exists() else []
    assert count.read == count.loaded + len(entries)
    assert len(records) == count.loaded
    numbers = {int(name.rpartition("-")[2]) for name in records.case_ids}
    assert numbers | {e["row"] for e in entries} == set(range(1, count.read + 1))
    assert all(e["reasons"] for e in entries)
    assert {n for p in records.report.errors for n in p.rows} == {e["row"] for e in entries}
    return records


@settings(max_examples=80)
@given(rows=ROWS)
def test_any_cells(folder: Path, rows: list[dict[str, str]]) -> None:
    text = csv_of([{k: v.replace("\r", "").replace("\n", "") for k, v in one.items()} for one in rows])
    (folder / "release_validate_patients.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    records = read_with_account(folder, folder / "aside.jsonl")
    assert records is not None
    assert records.report.counts["cases"].read == len(rows)
    # Loaded rows are good ones: read again alone, they are not refused.
    for case in (records.case(i) for i in range(len(records))):
        assert len({f.code for f in case.findings}) == len(case.findings)


@settings(max_examples=60)
@given(raw=st.binary(max_size=200), cut=st.integers(0, 400), at=st.integers(0, 300))
def test_any_bytes(folder: Path, raw: bytes, cut: int, at: int) -> None:
    whole = csv_of([row(), row(PATHOLOGY="Méningite")]).encode()
    (folder / "release_validate_patients.csv").write_bytes((whole[:at] + raw + whole[at:])[: max(cut, at)])
    read_with_account(folder, folder / "aside.jsonl")


@settings(max_examples=60)
@given(
    code=st.sampled_from([*EVIDENCES]),
    key=st.sampled_from([*EVIDENCES["endroit"]]),
    value=NESTED | st.dictionaries(st.text(max_size=3), NESTED, max_size=3) | st.sampled_from([*EVIDENCES]),
)
def test_any_evidences(tmp_path_factory: pytest.TempPathFactory, code: str, key: str, value: Any) -> None:
    changed = {**EVIDENCES, code: {**EVIDENCES[code], key: value}}
    folder = write_release(tmp_path_factory.mktemp("set"), [row()])
    (folder / "release_evidences.json").write_text(json.dumps(changed), encoding="utf-8")
    read_with_account(folder, folder / "aside.jsonl")


@settings(max_examples=40)
@given(
    name=st.sampled_from([*CONDITIONS]),
    key=st.sampled_from([*CONDITIONS["Otite"]]),
    value=NESTED | st.dictionaries(st.text(max_size=3), NESTED, max_size=3),
)
def test_any_conditions(tmp_path_factory: pytest.TempPathFactory, name: str, key: str, value: Any) -> None:
    changed = {**CONDITIONS, name: {**CONDITIONS[name], key: value}}
    folder = write_release(tmp_path_factory.mktemp("set"), [row()])
    (folder / "release_conditions.json").write_text(json.dumps(changed), encoding="utf-8")
    read_with_account(folder, folder / "aside.jsonl")


def test_all_columns_are_fuzzed() -> None:
    assert set(row()) == set(COLUMNS)
