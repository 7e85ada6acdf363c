"""What is written is read again, value for value."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.strategies import ODD_TEXTS, typed_table, whole_records

from diagnosis.readers import read_records, write_records
from diagnosis.records import TABLES, Records
from diagnosis.records.schema import Column

FORMS = ("csv", "parquet")


def round_trip(records: Records, form: str) -> Records:
    with tempfile.TemporaryDirectory() as folder:
        return read_records(write_records(records, Path(folder) / "records", form))  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=30)
@given(records=whole_records(), data=st.data())
def test_what_is_written_is_read(form: str, records: Records, data: st.DataObject) -> None:
    again = round_trip(records, form)
    assert again.digest() == records.digest()
    assert dict(again.info) == dict(records.info)
    assert set(again.names) == set(records.names)
    for name in records.names:
        assert again.arrow(name).to_pylist() == records.arrow(name).to_pylist()
    i = data.draw(st.integers(0, len(records) - 1))
    assert again.case(i) == records.case(i)
    assert again.report.set_aside == 0


@pytest.mark.parametrize("form", FORMS)
def test_ids_and_codes_stay_text(form: str) -> None:
    ids = list(ODD_TEXTS)
    records = Records.from_tables(
        {
            "cases": {"case_id": ids, "patient_id": ids[::-1], "diagnosis": ids},
            "findings": {"case_id": ids, "code": ids, "status": ["present"] * len(ids), "text": ids},
        }
    )
    again = round_trip(records, form)
    assert again.case_ids.tolist() == ids
    assert again.groups.tolist() == ids[::-1]
    assert again.y.tolist() == ids
    assert [f.code for i in range(len(ids)) for f in again.case(i).findings] == ids


def full_value(column: Column) -> Any:
    """Something that the column may hold."""
    if column.choices:
        return column.choices[-1]
    low = 0.0 if column.low is None else float(column.low)
    return {
        "text": f"{column.name} 文,字",
        "code": f"{column.name}|x",
        "number": low + 0.125,
        "integer": int(low) + 2,
        "flag": True,
        "time": datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC),
        "differential": [{"diagnosis": "J11.1", "probability": 0.7}, {"diagnosis": "B05.9", "probability": 0.1}],
    }[column.type]


@pytest.mark.parametrize("form", FORMS)
def test_every_column_of_every_table_is_read_checked_kept_and_written(form: str, tmp_path: Path) -> None:
    """One row of each table of format 1 with every column filled."""
    rows = {name: {c.name: [full_value(c)] for c in table.columns.values()} for name, table in TABLES.items()}
    for name, columns in rows.items():
        if "case_id" in columns:
            columns["case_id"] = ["001"]
        if "status" in columns and name == "findings":
            columns["status"] = ["present"]
    records = Records.from_tables({name: typed_table(name, columns) for name, columns in rows.items()})
    again = read_records(write_records(records, tmp_path / "records", form))  # type: ignore[arg-type]
    assert set(again.names) == set(TABLES)
    for name, columns in rows.items():
        for made in (records, again):
            assert made.arrow(name).to_pylist() == [{c: v[0] for c, v in columns.items()}], name
            for column in TABLES[name].columns.values():
                assert made.arrow(name).schema.field(column.name).type == column.arrow
    assert not again.report.errors
    assert {p.kind for p in again.report.warnings} <= {"odd_person", "rare_diagnoses", "unknown_codes", "unknown_unit"}


def test_names_in_further_languages_are_known_columns() -> None:
    records = Records.from_tables(
        {
            "cases": {"case_id": ["a"]},
            "findings": {"case_id": ["a"], "code": ["fever"], "status": ["present"]},
            "vocabulary": {"code": ["fever"], "name_fr": ["fièvre"], "synonyms_fr": ["chaud"], "question_fr": ["?"]},
        }
    )
    assert not [p for p in records.report.problems if p.kind == "unknown_column"]
    assert records.vocabulary.name("fever", "fr") == "fièvre"
    assert records.vocabulary.resolve("Chaud") == "fever"


@pytest.mark.parametrize("form", FORMS)
def test_columns_that_are_not_in_the_format_are_carried(form: str, tmp_path: Path) -> None:
    records = Records.from_tables(
        {
            "cases": {"case_id": ["a", "b"], "x_bed": ["07", None], "wardd": ["A", "B"]},
            "findings": {"case_id": ["a"], "code": ["fever"], "status": ["present"], "statuss": ["?"]},
        }
    )
    again = read_records(write_records(records, tmp_path / "records", form))  # type: ignore[arg-type]
    assert again.column("x_bed").tolist() == ["07", None]
    assert again.arrow("findings")["statuss"].to_pylist() == ["?"]
    named = {(p.table, p.column): p.near for p in again.report.warnings if p.kind == "unknown_column"}
    assert named == {("cases", "wardd"): (), ("findings", "statuss"): ("status",)}


def test_carried_columns_of_other_types_are_written(tmp_path: Path) -> None:
    cases = pa.table(
        {
            "case_id": ["a", "b"],
            "x_int": [1, None],
            "x_list": [[1, 2], None],
            "x_bytes": pa.array([b"\xff\x00", None]),
            "x_day": pa.array([0, None], pa.date32()),
            "x_local": pa.array([0, None], pa.timestamp("ns", "Asia/Shanghai")),
            "x_none": pa.nulls(2),
        }
    )
    records = Records.from_tables({"cases": cases, "findings": {"case_id": [], "code": [], "status": []}})
    parquet = read_records(write_records(records, tmp_path / "parquet"))
    assert parquet.digest() == records.digest()
    csv = read_records(write_records(records, tmp_path / "csv", "csv"))
    assert csv.column("x_int").tolist() == ["1", None]
    assert csv.column("x_list").tolist() == ["[1, 2]", None]
    assert csv.column("x_day").tolist() == ["1970-01-01", None]
    assert csv.column("x_local").tolist() == ["1970-01-01T00:00:00Z", None]


def test_records_json_is_kept(tmp_path: Path) -> None:
    info = {"synthetic": True, "source": "测试", "systems": {"ICD-10": "2019"}, "period": ["2023-01", "2024-12"]}
    tables = {"cases": {"case_id": ["a"]}, "findings": {"case_id": [], "code": [], "status": []}}
    folder = write_records(Records.from_tables(tables, info), tmp_path / "records")
    assert json.loads((folder / "records.json").read_text(encoding="utf-8")) == {**info, "format": 1}
    assert dict(read_records(folder).info) == {**info, "format": 1}


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_mark_and_line_ends_do_no_harm(tmp_path: Path, marked: bool, line_end: str) -> None:
    start = "\ufeff" if marked else ""
    cases = line_end.join(["case_id,patient_id,sex", "001,1e5,female", '"NA","a\nb",', ""])
    findings = line_end.join(["case_id,code,status,value", "001,体温,present,39.4", "NA,39.4,absent,"])
    (tmp_path / "cases.csv").write_bytes((start + cases).encode())
    (tmp_path / "findings.csv").write_bytes((start + findings).encode())
    records = read_records(tmp_path)
    assert records.case_ids.tolist() == ["001", "NA"]
    assert records.groups.tolist() == ["1e5", "a\nb"]
    assert records.case("001").findings[0].value == 39.4
    assert records.case("NA").findings[0].code == "39.4"
    assert records.report.counts["cases"].read == 2


def test_parts_of_a_folder_are_one_table(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    (tmp_path / "findings" / "2024").mkdir(parents=True)
    (tmp_path / "cases.csv").write_text("case_id\na\nb\n")
    one = {"case_id": ["a"], "code": ["fever"], "status": ["present"]}
    pq.write_table(pa.table(one), tmp_path / "findings" / "part-1.parquet")
    pq.write_table(
        pa.table({**one, "case_id": ["b"], "value": [39]}), tmp_path / "findings" / "2024" / "part-0.parquet"
    )
    (tmp_path / "findings" / "_SUCCESS").write_text("")
    (tmp_path / "findings" / ".part-1.parquet.crc").write_text("")
    records = read_records(tmp_path)
    assert len(records.coded) == 2
    assert records.case("b").findings[0].value == 39.0
    np.testing.assert_array_equal(records.coded.offsets, [0, 1, 2])


@settings(max_examples=20)
@given(records=whole_records())
@example(records=Records.from_tables({"cases": {"case_id": []}, "findings": {"case_id": [], "code": [], "status": []}}))
def test_the_digest_is_of_the_content(records: Records) -> None:
    """Other memory, other order of columns, another coding: the same digest. Another value: another."""
    tables = {}
    for name in records.names:
        table = records.arrow(name)
        table = table.select(table.column_names[::-1])
        for i, column in enumerate(table.column_names):
            if pa.types.is_dictionary(table[column].type):
                table = table.set_column(i, column, table[column].cast(pa.large_string()))
        tables[name] = pa.concat_tables([table.slice(0, 1), table.slice(1)]) if len(table) > 1 else table
    assert Records.from_tables(tables, records.info).digest() == records.digest()
    changed = tables["cases"].append_column("x_more", pa.array(["1"] * len(records), pa.string()))
    assert Records.from_tables({**tables, "cases": changed}, records.info).digest() != records.digest()
