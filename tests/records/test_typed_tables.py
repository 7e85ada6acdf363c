"""Tables of pandas, polars, Arrow and plain Python go in with their own types, and what would spoil them is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from diagnosis.errors import InputError, RecordsError
from diagnosis.records import Case, Finding, Records
from diagnosis.records.columns import coerce
from diagnosis.records.schema import TABLES, Column

CASES: dict[str, list[Any]] = {
    "case_id": ["001", "NA"],
    "age_years": [4.5, None],
    "sex": ["female", None],
    "time": [datetime(2024, 1, 1, 8, tzinfo=UTC), None],
    "diagnosis": ["1e5", None],
}
FINDINGS: dict[str, list[Any]] = {
    "case_id": ["NA", "001", "001"],
    "code": ["体温", "39.4", "39.4"],
    "status": ["present", "absent", "uncertain"],
    "value": [39.4, None, None],
    "start": [3, None, 0],
}

Make = Callable[[Mapping[str, list[Any]]], Any]


def _pandas_objects(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame({c: pd.Series(v, dtype=object) for c, v in columns.items()})


def _pandas_categorical(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    text = {c: pd.Categorical(v) for c, v in columns.items() if c in ("case_id", "code", "status", "sex", "diagnosis")}
    return pd.DataFrame({**columns, **text})


def _pandas_gaps(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    gap = {"time": pd.NaT, "age_years": float("nan"), "sex": pd.NA}
    return pd.DataFrame({c: [gap.get(c) if x is None else x for x in v] for c, v in columns.items()})


def _arrow(kind: pa.DataType) -> Make:
    def make(columns: Mapping[str, list[Any]]) -> pa.Table:
        table = pa.table(dict(columns))
        fields = [f.with_type(kind) if pa.types.is_string(f.type) else f for f in table.schema]
        return pa.table([table[f.name].cast(f.type) for f in fields], schema=pa.schema(fields))

    return make


MAKERS: dict[str, Make] = {
    "lists": dict,
    "numpy": lambda columns: {c: np.array(v, dtype=object) for c, v in columns.items()},
    "pandas": lambda columns: pd.DataFrame(dict(columns)),
    "pandas objects": _pandas_objects,
    "pandas categorical": _pandas_categorical,
    "pandas gaps": _pandas_gaps,
    "pandas nullable": lambda columns: pd.DataFrame(dict(columns)).convert_dtypes(),
    "pandas arrow": lambda columns: pd.DataFrame(dict(columns)).convert_dtypes(dtype_backend="pyarrow"),
    "pandas series": lambda columns: {c: pd.Series(v) for c, v in columns.items()},
    "polars": lambda columns: pl.DataFrame(dict(columns)),
    "polars categorical": lambda columns: pl.DataFrame(dict(columns)).with_columns(
        pl.col(pl.String).cast(pl.Categorical)
    ),
    "polars categorical in parts": lambda columns: pl.concat(
        [
            pl.DataFrame(dict(columns))[i].with_columns(pl.col(pl.String).cast(pl.Categorical))
            for i in range(len(columns["case_id"]))
        ],
        rechunk=False,
    ),
    "polars series": lambda columns: {c: pl.Series(v) for c, v in columns.items()},
    "arrow": lambda columns: pa.table(dict(columns)),
    "arrow batch": lambda columns: pa.RecordBatch.from_pydict(dict(columns)),
    "large_string": _arrow(pa.large_string()),
    "string_view": _arrow(pa.string_view()),
    "dictionary": _arrow(pa.dictionary(pa.int8(), pa.string())),
    "large dictionary": _arrow(pa.dictionary(pa.int64(), pa.large_string())),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_every_kind_of_table_gives_the_same_records(make: Make) -> None:
    records = Records.from_tables({"cases": make(CASES), "findings": make(FINDINGS)})
    plain = Records.from_tables({"cases": pa.table(CASES), "findings": pa.table(FINDINGS)})
    assert records.digest() == plain.digest()
    assert records.case_ids.tolist() == ["001", "NA"]
    assert records.y.tolist() == ["1e5", None]
    assert records.case("001") == Case(
        [Finding("39.4", "absent"), Finding("39.4", "uncertain", start=0)],
        age_years=4.5,
        sex="female",
        case_id="001",
        time="2024-01-01T08:00:00Z",
        diagnosis="1e5",
    )


def test_tables_come_out_for_pandas_polars_and_arrow() -> None:
    records = Records.from_tables({"cases": CASES, "findings": FINDINGS})
    assert records.frame("cases")["case_id"].tolist() == ["001", "NA"]
    assert records.frame("findings")["value"].isna().tolist() == [True, True, False]
    out = pl.DataFrame(records.arrow("findings"))
    assert out["case_id"].to_list() == ["001", "001", "NA"]
    again = Records.from_tables({"cases": records.frame("cases"), "findings": out})
    assert again.digest() == records.digest()


def column(kind: str, **more: Any) -> Column:
    return Column("column", kind, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "kind", "made"),
    [
        (pa.array([7, None]), "text", ["7", None]),
        (pa.array([7], pa.uint64()), "text", ["7"]),
        (pa.array([7, None]), "code", ["7", None]),
        (pa.ExtensionArray.from_storage(pa.json_(), pa.array(["a", None])), "text", ["a", None]),
        (pa.array([float("nan"), None]), "text", [None, None]),
        (pa.array(["", "a"]), "text", [None, "a"]),
        (pa.array(["", "a"]).dictionary_encode(), "code", [None, "a"]),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), ["a", None, "a"]), "code", ["a", None, "a", None]),
        (pa.array([Decimal("39.40"), None]), "number", [39.4, None]),
        (pa.array([1.5, float("nan")], pa.float16()), "number", [1.5, None]),
        (pa.array([1.5, None], pa.float32()), "number", [1.5, None]),
        (pa.array(["+5", "-.5", "1.", "1e5", "1E-2"]), "number", [5.0, -0.5, 1.0, 1e5, 0.01]),
        (pa.array(["+5", "-7", "007"]), "integer", [5, -7, 7]),
        (pa.array([5.0, None]), "integer", [5, None]),
        (pa.array([Decimal("5"), None]), "integer", [5, None]),
        (pa.array([2**60 + 1]), "integer", [2**60 + 1]),
        (pa.array([True, None]), "flag", [True, None]),
        (pa.array(["true", "false", None, ""]), "flag", [True, False, None, None]),
        (pa.array([date(2024, 2, 29)]), "time", [datetime(2024, 2, 29, tzinfo=UTC)]),
        (pa.array([0], pa.date64()), "time", [datetime(1970, 1, 1, tzinfo=UTC)]),
        (pa.array([1], pa.timestamp("s")), "time", [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)]),
        (pa.array([1_999], pa.timestamp("ns", "Asia/Tokyo")), "time", [datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)]),
        (pa.nulls(2), "time", [None, None]),
        (pa.nulls(2), "code", [None, None]),
        (pa.nulls(1), "differential", [None]),
    ],
)
def test_types_that_say_the_same(raw: pa.Array, kind: str, made: list[Any]) -> None:
    found = coerce(raw, column(kind))
    assert found.values.to_pylist() == made
    assert found.values.type == column(kind).arrow
    assert not found.bad.any()


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (pa.array([1.0]), "text"),  # 001 has become 1.0
        (pa.array([100000.0]), "code"),  # 1e5 has become 100000.0
        (pa.array([True]), "text"),
        (pa.array([b"a"]), "text"),
        (pa.array([1]), "choice"),
        (pa.array([True]), "number"),
        (pa.array([float("inf")]), "number"),
        (pa.array(["NaN"]), "number"),
        (pa.array(["inf"]), "number"),
        (pa.array(["1,5"]), "number"),
        (pa.array([" 1"]), "number"),
        (pa.array(["1_000"]), "number"),
        (pa.array(["１"]), "number"),
        (pa.array([date(2024, 1, 1)]), "number"),
        (pa.array(["5.0"]), "integer"),
        (pa.array(["9" * 19]), "integer"),
        (pa.array([5.5]), "integer"),
        (pa.array([1e300]), "integer"),
        (pa.array([2**64 - 1], pa.uint64()), "integer"),
        (pa.array([1]), "flag"),
        (pa.array(["True"]), "flag"),
        (pa.array([20240101]), "time"),
        (pa.array([10**15], pa.timestamp("s")), "time"),
        (pa.array([10**15], pa.timestamp("s", "UTC")), "time"),
        (pa.array([-(10**9)], pa.date32()), "time"),
        (pa.array([1], pa.time64("us")), "time"),
        (pa.array([7]), "differential"),
        (pa.array([[1.0]]), "differential"),
    ],
)
def test_types_that_do_not(raw: pa.Array, kind: str) -> None:
    found = coerce(raw, column(kind))
    assert found.bad.tolist() == [True]
    assert found.values.to_pylist() == [None]
    assert found.values.type == column(kind).arrow


def test_words_of_a_coded_column_are_checked_once_for_all_rows() -> None:
    raw = pa.array(["present", "no", None, "present", ""]).dictionary_encode()
    found = coerce(
        pa.chunked_array([raw, pa.array(["no", "absent"]).dictionary_encode()]), TABLES["findings"].columns["status"]
    )
    assert found.values.to_pylist() == ["present", None, None, "present", None, None, "absent"]
    assert found.bad.tolist() == [False, True, False, False, False, True, False]


def test_coded_columns_in_parts_that_arrow_cannot_unify() -> None:
    parts = [pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([w], pa.string_view())) for w in ("a", "b")]
    assert coerce(pa.chunked_array(parts), column("code")).values.to_pylist() == ["a", "b"]


def test_ids_that_were_read_as_decimal_numbers_are_refused_with_what_to_do() -> None:
    cases = pd.DataFrame({"case_id": ["a", "b"], "patient_id": [1.0, float("nan")]})
    with pytest.raises(RecordsError, match="read it as text") as caught:
        Records.from_tables({"cases": cases, "findings": {"case_id": [], "code": [], "status": []}})
    assert [(p.kind, p.column, p.rows) for p in caught.value.report.errors] == [("bad_text", "patient_id", (1,))]


def test_whole_numbers_as_ids_are_text() -> None:
    cases = pd.DataFrame({"case_id": [1, 2], "patient_id": pd.array([7, None], dtype="Int64")})
    records = Records.from_tables({"cases": cases, "findings": {"case_id": [2], "code": [5], "status": ["present"]}})
    assert records.case_ids.tolist() == ["1", "2"]
    assert records.groups.tolist() == ["7", "case:2"]
    assert records.case("2").findings == (Finding("5"),)


@pytest.mark.parametrize(
    "table",
    [
        {"case_id": ["a", 1]},
        {"case_id": ["\ud800"]},
        {"case_id": [["a"], "b"]},
        {"case_id": [object()]},
        {"case_id": ["a"], "sex": ["male", "male"]},
        {"case_id": "a"},
        pd.DataFrame([["a", "b"]], columns=["case_id", "sex"]).T.reset_index(),
        pa.table({"case_id": pa.array([b"\xff"]).view(pa.string())}),
        pl.LazyFrame({"case_id": ["a"]}),
        [1, 2],
        "cases.csv",
        None,
    ],
    ids=range(12),
)
def test_what_is_no_table_is_an_input_error(table: Any) -> None:
    with pytest.raises(InputError) as caught:
        Records.from_tables({"cases": table, "findings": {"case_id": [], "code": [], "status": []}})
    assert "cases" in str(caught.value)


def test_a_column_twice_in_a_frame() -> None:
    frame = pd.DataFrame([["a", "b"]], columns=["case_id", "case_id"])
    with pytest.raises(RecordsError, match="more than once"):
        Records.from_tables({"cases": frame, "findings": {"case_id": [], "code": [], "status": []}})


def test_times_with_and_without_a_zone_in_one_column() -> None:
    # Arrow alone would take those without a zone for UTC.
    shanghai = ZoneInfo("Asia/Shanghai")
    times = [datetime(2024, 1, 1, 8), datetime(2024, 1, 1, 8, tzinfo=UTC), datetime(2024, 1, 1, 8, tzinfo=shanghai)]
    for rows in (times, np.array(times, dtype=object), pd.Series(times, dtype=object)):
        records = Records.from_tables(
            {
                "cases": {"case_id": ["a", "b", "c"], "time": rows},
                "findings": {"case_id": [], "code": [], "status": []},
            },
            {"timezone": "Asia/Shanghai"},
        )
        assert records.column("time").astype(str).tolist() == [
            "2024-01-01T00:00:00.000000",
            "2024-01-01T08:00:00.000000",
            "2024-01-01T00:00:00.000000",
        ]


def test_input_is_not_changed() -> None:
    frame = pd.DataFrame(CASES)
    before = frame.copy(deep=True)
    Records.from_tables({"cases": frame, "findings": FINDINGS})
    pd.testing.assert_frame_equal(frame, before)
