"""Whatever the type of a column, records are made or refused as input; rows add up."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from diagnosis.errors import InputError
from diagnosis.records import TABLES, Records

ARRAYS: dict[str, Any] = {
    "null": pa.nulls(3),
    "bool": pa.array([True, None, False]),
    "int8": pa.array([1, None, -1], pa.int8()),
    "uint64": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "int64": pa.array([2**63 - 1, None, -(2**63)]),
    "half": pa.array([1.5, None, float("nan")], pa.float16()),
    "float": pa.array([1e38, None, float("-inf")], pa.float32()),
    "double": pa.array([1e308, float("nan"), -0.0]),
    "decimal": pa.array([Decimal("1.50"), None, Decimal("-1")]),
    "large decimal": pa.array([Decimal("1e60"), None, Decimal("-1")], pa.decimal256(70, 2)),
    "string": pa.array(["present", "", "2024-01-01"]),
    "large_string": pa.array(["present", "", "1"], pa.large_string()),
    "string_view": pa.array(["present", None, "true"], pa.string_view()),
    "binary": pa.array([b"present", None, b"\xff"]),
    "fixed binary": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "date32": pa.array([0, None, 2**31 - 1], pa.date32()),
    "date64": pa.array([0, None, -86_400_000 * 10**9], pa.date64()),
    "seconds": pa.array([0, None, 10**14], pa.timestamp("s")),
    "milliseconds": pa.array([0, None, -(10**17)], pa.timestamp("ms", "Asia/Shanghai")),
    "microseconds": pa.array([0, None, 9 * 10**18], pa.timestamp("us", "UTC")),
    "nanoseconds": pa.array([0, None, -(9 * 10**18)], pa.timestamp("ns", "America/New_York")),
    "time": pa.array([0, None, 1], pa.time32("s")),
    "duration": pa.array([timedelta(days=1), None, timedelta(0)]),
    "interval": pa.array([(1, 2, 3), None, (0, 0, 0)], pa.month_day_nano_interval()),
    "list": pa.array([["present"], None, []]),
    "large list": pa.array([[1], None, []], pa.large_list(pa.int8())),
    "struct": pa.array([{"a": 1}, None, {"a": None}]),
    "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int8())),
    "dictionary of int": pa.array([1, None, 2]).dictionary_encode(),
    "dictionary of time": pa.array([0, None, 1], pa.timestamp("s")).dictionary_encode(),
    "dictionary with a hole": pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["present", None])),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['"a"', None, "1"])),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None, b"1" * 16], pa.binary(16))),
    "list view": pa.array([["present"], None, []], pa.list_view(pa.string())),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["present", None])),
    "union": pa.UnionArray.from_dense(
        pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array(["a", "b"]), pa.array([1])]
    ),
    "parts": pa.chunked_array([["present"], [], ["absent", None]], pa.string()),
    "no parts": pa.chunked_array([pa.array(["a", "b", "c"])[:3]]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_any_type_in_any_column(name: str, tmp_path: Path) -> None:
    array = ARRAYS[name]
    for table in ("cases", "findings", "labels", "vocabulary"):
        base: dict[str, Any] = {"case_id": ["a", "b", "c"], "code": ["x", "y", "z"], "status": ["present"] * 3}
        base["diagnosis"] = ["flu"] * 3
        one_of_each = {(c.type, c.required): c.name for c in TABLES[table].columns.values()}
        for column in (*one_of_each.values(), "x_other"):
            columns = {c: base[c] for c, layout in TABLES[table].columns.items() if layout.required}
            tables = {"cases": {"case_id": ["a", "b", "c"]}, "findings": {"case_id": [], "code": [], "status": []}}
            tables[table] = {**columns, column: array}
            aside = tmp_path / "aside.jsonl"
            aside.unlink(missing_ok=True)
            try:
                records = Records.from_tables(tables, on_error="quarantine", quarantine=aside)
            except InputError:
                pytest.fail(f"{table}.{column}")
                continue
            counts = records.report.counts
            assert all(
                c.read == c.loaded + c.set_aside and c.loaded == len(records.arrow(n)) for n, c in counts.items()
            )
            entries = [json.loads(line) for line in aside.read_text().splitlines()] if aside.exists() else []
            assert len(entries) == records.report.set_aside
            records.digest()
            records.frame(table)
            assert [records.case(i).case_id for i in range(len(records))] == records.case_ids.tolist()
            assert len(records[::-1].coded) == counts["findings"].loaded
