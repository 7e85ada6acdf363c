"""Records in Parquet read in batches: the same records, in any order of rows, or a clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.small import small_records
from tests.strategies import record_tables

from diagnosis.errors import InputError, RecordsError
from diagnosis.readers import read_records, write_records
from diagnosis.readers.places import Places
from diagnosis.readers.records_folder import RecordsFolder, open_records
from diagnosis.readers.text_hash import hashes
from diagnosis.records import Records

few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, tables: dict[str, pa.Table], parts: int = 1) -> Path:
    """Write tables as Parquet, findings and cases in as many parts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        if parts == 1:
            pq.write_table(table, folder / f"{name}.parquet")
            continue
        (folder / name).mkdir()
        size = max(-(-len(table) // parts), 1)
        for i in range(parts):
            pq.write_table(table.slice(i * size, size), folder / name / f"part-{i}.parquet")
    return folder


def together(folder: RecordsFolder) -> dict[str, list[dict[str, Any]]]:
    """All rows of all batches, by table."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in folder:
        for name in ("cases", "findings", "labels"):
            if name in part.names:
                rows.setdefault(name, []).extend(part.arrow(name).to_pylist())
    return rows


@pytest.fixture(scope="module")
def small() -> Records:
    return small_records(60)


@few
@given(tables=record_tables(max_cases=6), size=st.integers(1, 7), parts=st.integers(1, 3), data=st.data())
def test_batches_hold_what_the_whole_holds_in_any_order_of_rows(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, pa.Table], size: int, parts: int, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(tables["findings"]))))
    tables["findings"] = tables["findings"].take(pa.array(order, pa.int64()))
    folder = write(tmp_path_factory.mktemp("records"), tables, parts)
    whole = Records.from_tables(tables)
    found = together(open_records(folder, batch_cases=size))
    for name in ("cases", "findings"):
        assert found[name] == whole.arrow(name).to_pylist()


def test_every_batch_has_the_words_and_the_labels_of_its_cases(small: Records, tmp_path: Path) -> None:
    tables = {name: small.arrow(name) for name in small.names}
    ids = small.case_ids
    tables["labels"] = pa.table({"case_id": ids[1::3], "diagnosis": ["x"] * 20, "role": ["secondary"] * 20})
    folder = open_records(write(tmp_path / "r", tables), batch_cases=25)
    assert len(folder) == 60
    assert repr(folder).startswith("<RecordsFolder: 60 cases, ")
    parts = list(folder)
    assert [len(part) for part in parts] == [25, 25, 10]
    assert [len(part.arrow("labels")) for part in parts] == [8, 9, 3]
    assert np.concatenate([part.y for part in parts]).tolist() == small.y.tolist()
    assert all(part.vocabulary.name("cough") == "cough" for part in parts)


def test_only_some_columns_can_be_read(small: Records, tmp_path: Path) -> None:
    write_records(small, tmp_path / "r")
    (part,) = open_records(tmp_path / "r", columns=("time", "unit"))
    assert set(part.arrow("findings").column_names) == {"case_id", "code", "status", "time", "unit"}


def test_a_folder_is_gone_through_as_often_as_asked(small: Records, tmp_path: Path) -> None:
    tables = {name: small.arrow(name) for name in ("cases", "findings")}
    tables["findings"] = tables["findings"].take(pa.array(np.arange(len(tables["findings"]))[::-1]))
    folder = open_records(write(tmp_path / "r", tables), batch_cases=7)
    assert together(folder) == together(folder)


def broken(small: Records, table: str, column: str, values: Any) -> dict[str, pa.Table]:
    tables = {name: small.arrow(name) for name in ("cases", "findings")}
    made = tables[table]
    place = made.column_names.index(column)
    tables[table] = made.set_column(place, column, values(made[column]))
    return tables


@pytest.mark.parametrize(
    ("table", "column", "spoil", "says"),
    [
        ("findings", "status", lambda c: pa.array(["presnt", *c.cast("string").to_pylist()[1:]]), "present | absent"),
        ("findings", "code", lambda c: pa.array([None, *c.cast("string").to_pylist()[1:]]), "never empty"),
        ("findings", "code", lambda c: pa.array(["", *c.cast("string").to_pylist()[1:]]), "never empty"),
        ("findings", "value", lambda c: pa.array([np.inf, *c.to_pylist()[1:]]), "finite"),
        ("findings", "case_id", lambda c: pa.array(["nobody", *c.to_pylist()[1:]]), "not in `cases`"),
        ("cases", "age_years", lambda c: pa.array([-3.0, *c.to_pylist()[1:]]), "from 0 to 130"),
        ("cases", "case_id", lambda c: pa.array([c[1].as_py(), *c.to_pylist()[1:]]), "stands more than once"),
    ],
)
def test_rows_that_the_format_does_not_allow_are_refused_also_on_the_fast_way(
    small: Records, tmp_path: Path, table: str, column: str, spoil: Any, says: str
) -> None:
    folder = write(tmp_path / "r", broken(small, table, column, spoil))
    with pytest.raises(RecordsError) as caught:
        open_records(folder, batch_cases=20).over(list)
    assert says in str(caught.value)
    assert "nobody" not in str(caught.value)
    assert caught.value.report.errors[0].rows[0] == 1
    with pytest.raises(RecordsError):
        list(open_records(folder, batch_cases=20))


def test_duplicates_are_found_among_ids_in_any_order(tmp_path: Path) -> None:
    ids = [f"c{i * 7 % 1000}" for i in range(1000)]
    findings = pa.table({"case_id": ids[:3], "code": ["a", "b", "c"], "status": ["present"] * 3})
    folder = write(tmp_path / "fine", {"cases": pa.table({"case_id": ids}), "findings": findings})
    assert open_records(folder, batch_cases=300).over(lambda parts: sum(map(len, parts))) == 1000
    twice = pa.table({"case_id": [*ids, ids[4]]})
    folder = write(tmp_path / "twice", {"cases": twice, "findings": findings})
    with pytest.raises(RecordsError, match="stands more than once") as caught:
        open_records(folder, batch_cases=300).over(list)
    assert caught.value.report.errors[0].rows == (5, 1001)


def test_contradictions_are_errors_when_a_batch_is_checked_as_a_whole(tmp_path: Path) -> None:
    findings = pa.table({"case_id": ["a", "a"], "code": ["cough"] * 2, "status": ["present", "absent"]})
    folder = write(tmp_path / "r", {"cases": pa.table({"case_id": ["a"]}), "findings": findings})
    with pytest.raises(RecordsError, match="both present and absent"):
        list(open_records(folder))


def test_a_part_with_another_schema_is_refused_by_name(small: Records, tmp_path: Path) -> None:
    findings = small.arrow("findings")
    folder = write(tmp_path / "r", {"cases": small.arrow("cases"), "findings": findings}, parts=2)
    pq.write_table(
        findings.set_column(findings.column_names.index("value"), "value", findings["value"].cast("string")),
        folder / "findings" / "part-1.parquet",
    )
    with pytest.raises(InputError, match=r"`value` is double in part-0.parquet and string in part-1.parquet"):
        open_records(folder)
    pq.write_table(findings.drop_columns(["value"]), folder / "findings" / "part-1.parquet")
    with pytest.raises(InputError, match=r"`value` is double in part-0.parquet and missing in part-1.parquet"):
        open_records(folder)


def test_parts_written_by_different_programs_are_one_schema(small: Records, tmp_path: Path) -> None:
    findings = small.arrow("findings")
    folder = write(tmp_path / "r", {"cases": small.arrow("cases"), "findings": findings}, parts=2)
    path = folder / "findings" / "part-1.parquet"
    plain = pq.read_table(path)
    wide = plain.cast(pa.schema({f.name: pa.large_string() if f.name == "code" else f.type for f in plain.schema}))
    pq.write_table(wide, path)
    assert together(open_records(folder, batch_cases=9))["findings"] == findings.to_pylist()


def test_damage_and_what_is_not_parquet_is_refused_by_name(small: Records, tmp_path: Path) -> None:
    write_records(small, tmp_path / "csv", "csv")
    with pytest.raises(InputError, match="in Parquet, to be read in batches"):
        open_records(tmp_path / "csv")
    folder = write(tmp_path / "r", {n: small.arrow(n) for n in ("cases", "findings")})
    whole = (folder / "findings.parquet").read_bytes()
    (folder / "findings.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated, damaged or not Parquet"):
        open_records(folder)
    with pytest.raises(InputError, match="batch_cases"):
        open_records(folder, batch_cases=0)
    with pytest.raises(InputError, match="nothing at that path"):
        open_records(tmp_path / "nowhere")


def test_a_code_with_a_name_of_ten_megabytes_is_read(tmp_path: Path) -> None:
    long = "x" * 10_000_000
    findings = pa.table({"case_id": ["a", "b"], "code": [long, "cough"], "status": ["present", "absent"]})
    folder = write(tmp_path / "r", {"cases": pa.table({"case_id": ["a", "b"]}), "findings": findings})
    parts = list(open_records(folder, batch_cases=1))
    assert [p.coded.codes[p.coded.code[0]] == c for p, c in zip(parts, (long, "cough"), strict=True)] == [True, True]


def test_twins_of_codes_in_different_batches_are_reported_as_in_memory(tmp_path: Path) -> None:
    codes = ["B12", "b12", "CRP", "CRP\uff12", "CRP2", "fever"]  # the fourth ends in a full-width 2
    tables = {
        "cases": pa.table({"case_id": [f"c{i}" for i in range(len(codes))]}),
        "findings": pa.table(
            {"case_id": [f"c{i}" for i in range(len(codes))], "code": codes, "status": ["present"] * len(codes)}
        ),
    }
    folder = open_records(write(tmp_path, tables), batch_cases=1)
    (whole,) = (p for p in read_records(tmp_path).report.problems if p.kind == "suspected_twins")
    assert folder.report.problems == (whole,)
    assert whole.count == 2
    plain = {**tables, "findings": tables["findings"].slice(4)}
    assert open_records(write(tmp_path / "plain", plain)).report.problems == ()


def test_a_sorted_cohort_is_the_same_as_read_at_once(small: Records, tmp_path: Path) -> None:
    write_records(small, tmp_path / "r")
    whole = read_records(tmp_path / "r")
    parts = list(open_records(tmp_path / "r", batch_cases=13))
    rows = [row for part in parts for row in part.arrow("findings").to_pylist()]
    assert rows == whole.arrow("findings").to_pylist()


@few
@given(st.lists(st.text(max_size=12), min_size=1, max_size=40, unique=True), st.data())
def test_places_are_positions(ids: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(ids)))
    places = Places([pa.array(ids[:cut], pa.string()), pa.array(ids[cut:], pa.string())])
    asked = data.draw(st.lists(st.sampled_from([*ids, "nobody at all"]), max_size=20))
    wanted = [ids.index(one) if one in ids else -1 for one in asked]
    assert places.of(pa.array(asked, pa.string())).tolist() == wanted
    assert places.of(pa.array(asked, pa.string()).dictionary_encode()).tolist() == wanted


def test_equal_texts_have_equal_numbers_wherever_they_stand() -> None:
    texts = pa.array(["", "a", "a\x00", "ab", "abcdefgh", "abcdefghi", "发热", "a"], pa.string())
    numbers = hashes(texts)
    assert len(set(numbers.tolist())) == 7
    assert numbers[1] == numbers[7]
    assert hashes(texts.slice(3)).tolist() == numbers[3:].tolist()
    assert hashes(pc.take(texts, pa.array([7, 0]))).tolist() == numbers[[7, 0]].tolist()
