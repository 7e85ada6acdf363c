"""What is wrong with a MEDS folder is said with its place; the rest is read."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.readers.meds.folders import STAYS, event, table_of, write_folder
from tests.small import small_records

from diagnosis.errors import DiagnosisError, InputError, RecordsError
from diagnosis.readers.meds import MedsCodes, read_meds, write_meds

BAD = [
    event(None, "2020-01-01", "A"),
    event(-5, "2020-01-01", "A"),
    event(1, "2020-01-01", None),
    event(1, "2020-01-01", ""),
    event(1, "2020-01-02", "B", float("inf")),
    event(1, "2020-01-03", "GOOD"),
]


def test_bad_events_are_set_aside_with_their_reasons(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "meds", {"0": table_of(BAD)})
    with pytest.raises(RecordsError) as caught:
        read_meds(folder)
    said = {(p.column, p.says): p.rows for p in caught.value.report.errors}
    assert said == {
        ("subject_id", "is empty"): (1,),
        ("subject_id", "is negative"): (2,),
        ("code", "is empty"): (3, 4),
        ("numeric_value", "is infinite"): (5,),
    }
    records = read_meds(folder, on_error="quarantine", quarantine=tmp_path / "aside.jsonl")
    assert [f.code for f in records.case("1").findings] == ["GOOD"]
    count = records.report.counts["events"]
    assert (count.read, count.loaded) == (6, 1)
    lines = [json.loads(line) for line in (tmp_path / "aside.jsonl").read_text().splitlines()]
    assert [(one["row"], one["reasons"]) for one in lines][:2] == [(1, ["is empty"]), (2, ["is negative"])]
    assert json.loads(lines[1]["line"])["subject_id"] == "-5"
    assert (tmp_path / "aside.jsonl").stat().st_mode & 0o777 == 0o600


def test_no_value_of_a_patient_is_in_a_message(tmp_path: Path) -> None:
    events = [event(-987654, "2020-01-01", "SECRET//CODE", None, "secret text"), *BAD]
    with pytest.raises(RecordsError) as caught:
        read_meds(write_folder(tmp_path, {"0": table_of(events)}))
    assert not [word for word in ("987654", "SECRET", "secret") if word in str(caught.value)]


@pytest.mark.parametrize(
    ("column", "kind", "says"),
    [
        ("subject_id", pa.string(), "string in the column subject_id, where MEDS says int64"),
        ("time", pa.string(), "string in the column time, where MEDS says timestamp"),
        ("code", pa.int64(), "int64 in the column code, where MEDS says string"),
        ("numeric_value", pa.string(), "string in the column numeric_value, where MEDS says float32"),
        ("text_value", pa.float64(), "double in the column text_value, where MEDS says string"),
    ],
)
def test_wrong_types_are_refused_by_shard(tmp_path: Path, column: str, kind: pa.DataType, says: str) -> None:
    table = table_of(STAYS)
    wrong = table.set_column(table.column_names.index(column), column, pa.nulls(len(table), kind))
    folder = write_folder(tmp_path, {"0": wrong, "1": table_of([event(1, "2020-01-01", "A")])})
    with pytest.raises(RecordsError, match="shard 1 has") as caught:
        read_meds(folder)
    assert says in str(caught.value)
    records = read_meds(folder, on_error="quarantine")
    assert len(records) == 1, "the other shard is read"
    assert records.report.counts["events"].set_aside == len(STAYS)


@pytest.mark.parametrize("name", ["subject_id", "time", "code"])
def test_missing_columns_are_named(tmp_path: Path, name: str) -> None:
    folder = write_folder(tmp_path, {"0": table_of(STAYS).drop_columns([name])})
    with pytest.raises(RecordsError, match=f"shard 1 has no column {name}"):
        read_meds(folder)


def test_an_older_version_is_named(tmp_path: Path) -> None:
    table = table_of(STAYS).rename_columns(["patient_id", "time", "code", "numeric_value", "text_value"])
    with pytest.raises(RecordsError, match=r"MEDS 0\.2 or older"):
        read_meds(write_folder(tmp_path, {"0": table}))


def test_damaged_shards_are_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"0": table_of(STAYS), "1": table_of([event(1, "2020-01-01", "A")])})
    file = folder / "data" / "0.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(RecordsError, match="shard 1 cannot be read"):
        read_meds(folder)
    assert len(read_meds(folder, on_error="quarantine")) == 1


def test_a_subject_of_two_shards_is_set_aside(tmp_path: Path) -> None:
    more = [event(7, "2023-01-01", "COUGH"), event(9, "2023-01-01", "COUGH")]
    folder = write_folder(tmp_path, {"0": table_of(STAYS), "1": table_of(more)})
    with pytest.raises(RecordsError, match="several shards"):
        read_meds(folder)
    records = read_meds(folder, on_error="quarantine")
    assert records.groups.tolist() == ["8", "9"]
    assert records.report.counts["events"].set_aside == 19


@pytest.mark.parametrize("made", ["nothing", "file", "empty", "no_parquet"])
def test_a_folder_without_data_is_refused(tmp_path: Path, made: str) -> None:
    folder = tmp_path / "meds"
    if made == "file":
        folder.write_text("x")
    elif made != "nothing":
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "_tmp.csv").write_text("x")
    with pytest.raises(InputError, match="MEDS"):
        read_meds(folder)


@pytest.mark.parametrize("file", ["dataset.json", "codes.parquet", "subject_splits.parquet"])
def test_damaged_metadata_is_refused(tmp_path: Path, file: str) -> None:
    folder = write_folder(tmp_path, {"0": table_of(STAYS)})
    (folder / "metadata" / file).write_text("[1")
    with pytest.raises(InputError, match=file):
        read_meds(folder)


@pytest.mark.parametrize(
    "options",
    [
        *({"window_hours": -1}, {"after_hours": float("nan")}, {"judged_hours": "1"}, {"several": "all"}),
        *({"encoding": "gb18030"}, {"index": ""}, {"index": [1]}, {"timezone": "Mars/One"}, {"on_error": "skip"}),
        {"codes": MedsCodes(diagnosis=("",))},
    ],
)
def test_options_that_are_none_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = write_folder(tmp_path, {"0": table_of(STAYS)})
    with pytest.raises(InputError):
        read_meds(folder, **options)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        *(("columns.json", "{"), ("columns.json", '{"cases": 1}'), ("columns.json", '{"nonsense": []}')),
        *(("records.json", "null"), ("cases.parquet", "PAR1"), ("columns.json", '{"findings": ["code", "code"]}')),
    ],
)
def test_damage_to_our_own_metadata_is_refused(tmp_path: Path, file: str, text: str) -> None:
    folder = write_meds(small_records(6), tmp_path / "meds")
    (folder / "metadata" / "records" / file).write_text(text)
    with pytest.raises(InputError):
        read_meds(folder)
    assert len(read_meds(folder, index="last", on_error="quarantine")), "as any other MEDS it can be read"


def test_events_of_no_case_of_ours_are_set_aside(tmp_path: Path) -> None:
    folder = write_meds(small_records(6), tmp_path / "meds")
    file = next((folder / "data").iterdir())
    table = pq.read_table(file)
    ids = pa.array(["stranger" if i == 5 else c for i, c in enumerate(table["case_id"].to_pylist())])
    pq.write_table(table.set_column(table.column_names.index("case_id"), "case_id", ids), file)
    with pytest.raises(RecordsError, match="not in `cases`"):
        read_meds(folder)


COLUMNS = {
    "subject_id": st.none() | st.sampled_from([1, 2, 3]) | st.integers(-(2**63), 2**63 - 1),
    "time": st.none() | st.integers(0, 10**7) | st.integers(-(2**63), 2**63 - 1),
    "code": st.none() | st.sampled_from(["A", "MEDS_BIRTH", "SEX//F", "SEX//?", "DIAGNOSIS//A", "", "MEDICATION//B"]),
    "numeric_value": st.none() | st.floats(width=32),
    "text_value": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.just("x" * 300),
    "unit": st.none() | st.sampled_from(["mg/L", "?", ""]),
}
KINDS = {
    "subject_id": [pa.int64(), pa.int32(), pa.uint64(), pa.string(), pa.float64()],
    "time": [pa.timestamp(u) for u in ("us", "ms", "ns")] + [pa.timestamp("us", "UTC"), pa.date32(), pa.int64()],
    "code": [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.binary(), pa.null()],
    "numeric_value": [pa.float32(), pa.float64(), pa.int64(), pa.string(), pa.null()],
    "text_value": [pa.large_string(), pa.string(), pa.null(), pa.list_(pa.string())],
    "unit": [pa.string(), pa.int64()],
}


@st.composite
def wild_tables(draw: st.DrawFn) -> pa.Table:
    """Tables that are nearly, or not at all, shards."""
    n = draw(st.integers(0, 6))
    made = {}
    for name, values in COLUMNS.items():
        if draw(st.integers(0, 9)) or name in ("subject_id", "time", "code"):
            usual = KINDS[name][0]
            kind = draw(st.sampled_from(KINDS[name])) if not draw(st.integers(0, 3)) else usual
            column = draw(st.lists(values, min_size=n, max_size=n))
            try:
                made[name] = pa.array(column, usual if name != "time" else pa.int64()).cast(kind, safe=False)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                made[name] = pa.nulls(n, kind)
    return pa.table(made)


@settings(max_examples=80)
@given(st.lists(wild_tables(), min_size=1, max_size=3), st.sampled_from([None, "A", "*"]))
def test_nothing_but_our_own_errors_and_no_event_lost(tables: list[pa.Table], index: str | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write_folder(Path(name) / "meds", {str(i): table for i, table in enumerate(tables)})
        aside = Path(name) / "aside.jsonl"
        records = read_meds(folder, index=index, on_error="quarantine", quarantine=aside)
        count = records.report.counts["events"]
        assert count.read == sum(map(len, tables))
        fates = [p.count for p in records.report.notes if p.table == "events" and p.kind != "account"]
        assert sum(fates) == count.loaded
        refused = sum(p.count for p in records.report.errors if p.table == "events" and p.kind != "unreadable")
        lines = [json.loads(line) for line in aside.read_text().splitlines()] if aside.exists() else []
        assert len([one for one in lines if one["table"] == "events"]) == refused
        try:
            read_meds(folder, index=index)
        except DiagnosisError:
            assert records.report.errors
        else:
            assert not records.report.errors
