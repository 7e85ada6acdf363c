"""What the report finds: each oddity by a small example, and none where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diagnosis.errors import InputError, RecordsError
from diagnosis.records import Problem, Records, Report
from diagnosis.vocabulary import Vocabulary

VOCABULARY = {
    "code": ["fever", "temperature", "high fever", "LOINC:2345-7", "cough"],
    "parents": [None, None, "fever", None, None],
    "unit": [None, "Cel", None, "mmol/L", None],
}


def reported(*findings: dict[str, Any], cases: dict[str, list[Any]] | None = None, **tables: Any) -> Records:
    """Records of case a with these rows of findings (one, where none is given), and five more so that none is rare."""
    findings = findings or ({"code": "cough"},)
    columns = sorted({"code", "status", *(c for row in findings for c in row)})
    rows = {c: [row.get(c, "present" if c == "status" else None) for row in findings] for c in columns}
    ids = ["a", *"bcdef"]
    made = {"cases": {"case_id": ids, "diagnosis": ["flu"] * 6, **(cases or {})}}
    made["findings"] = {
        "case_id": [row.get("case_id", "a") for row in findings],
        **{c: v for c, v in rows.items() if c != "case_id"},
    }
    return Records.from_tables({**made, **tables}, {"timezone": "UTC"})


def kinds(records: Records) -> dict[str, Problem]:
    assert not records.report.errors
    return {p.kind: p for p in records.report.warnings}


def test_nothing_odd_is_nothing_reported() -> None:
    records = reported(
        {"code": "temperature", "value": 39.4, "unit": "Cel", "time": "2024-01-01T08:00", "known": "2024-01-01T09:00"},
        {"code": "temperature", "value": 101.0, "unit": "[degF]", "case_id": "b"},
        {"code": "LOINC:2345-7", "value": 90.0, "unit": "mg/dL", "case_id": "b"},
        {"code": "high fever", "case_id": "c"},
        {"code": "fever", "case_id": "c"},
        {"code": "cough", "status": "absent"},
        vocabulary=VOCABULARY,
    )
    assert records.report.problems == ()
    assert str(records.report).splitlines() == [
        "cases: 6 rows read, 6 loaded, 0 set aside",
        "findings: 6 rows read, 6 loaded, 0 set aside",
        "vocabulary: 5 rows read, 5 loaded, 0 set aside",
        "no problems found",
    ]


def test_codes_that_the_vocabulary_does_not_hold() -> None:
    found = kinds(
        reported({"code": "cough"}, {"code": "couhg"}, {"code": "couhg", "case_id": "b"}, vocabulary=VOCABULARY)
    )
    assert found.keys() == {"unknown_codes"}
    problem = found["unknown_codes"]
    assert (problem.rows, problem.count, problem.near) == ((2, 3), 1, ("cough",))
    assert "couhg" not in str(problem)
    assert not kinds(reported({"code": "couhg"}))


@pytest.mark.parametrize(("one", "other"), [("fever", "ｆｅｖｅｒ"), ("发热", "发 热"), ("CRP", "crp"), ("a1", "a１")])
def test_codes_that_may_be_one(one: str, other: str) -> None:
    found = kinds(reported({"code": one}, {"code": other}, {"code": "cough"}))
    assert found.keys() == {"suspected_twins"}
    assert found["suspected_twins"].count == 1
    assert one in found["suspected_twins"].says
    assert other in found["suspected_twins"].says


def test_units_that_are_none() -> None:
    found = kinds(reported({"code": "pressure", "value": 120.0, "unit": "mm(Hg)"}))
    assert found.keys() == {"unknown_unit"}
    assert found["unknown_unit"].near == ("mm[Hg]",)
    assert found["unknown_unit"].rows == (1,)
    assert not kinds(reported({"code": "pressure", "value": 120.0, "unit": "mmHg"})), "a common spelling is understood"


def test_units_that_do_not_convert() -> None:
    rows = (
        {"code": "glucose", "value": 5.0, "unit": "mmol/L"},
        {"code": "glucose", "value": 90.0, "unit": "mg/dL", "case_id": "b"},
    )
    found = kinds(reported(*rows))
    assert found.keys() == {"mixed_units"}
    assert "glucose" in found["mixed_units"].says
    assert not kinds(reported(*rows, vocabulary={"code": ["glucose"], "loinc": ["2345-7"]}))


def test_values_without_a_unit_among_others_with_one() -> None:
    found = kinds(reported({"code": "t", "value": 39.0, "unit": "Cel"}, {"code": "t", "value": 102.0, "case_id": "b"}))
    assert found.keys() == {"missing_unit"}
    assert found["missing_unit"].rows == (2,)
    assert "1 of these values will be taken to be in the one unit known" in found["missing_unit"].says
    rows = [{"code": "t", "value": 39.0, "unit": u, "case_id": c} for u, c in (("Cel", "a"), ("[degF]", "b"))]
    both = (*rows, {"code": "t", "value": 38.0, "case_id": "c"})
    several = kinds(reported(*both))["missing_unit"].says
    assert "1 are of codes that have several (t): a model that learned several units of a code does not use" in several
    stated = kinds(reported(*both, vocabulary={"code": ["t"], "unit": ["Cel"]}))["missing_unit"].says
    assert "several" not in stated
    assert not kinds(reported({"code": "t", "value": 39.0, "unit": "Cel"}, {"code": "u", "value": 102.0}))


def test_a_table_of_findings_without_a_row() -> None:
    made = Records.from_tables(
        {"cases": {"case_id": ["a"]}, "findings": {"case_id": [], "code": [], "status": []}}, {"format": 1}
    )
    assert [p.kind for p in made.report.warnings] == ["no_findings"]


def test_tables_without_what_they_are_for() -> None:
    empty = {"cases": {"case_id": []}, "findings": {"case_id": [], "code": [], "status": []}}
    assert [p.kind for p in Records.from_tables(empty).report.warnings] == ["no_cases"]
    unlabelled = Records.from_tables(
        {"cases": {"case_id": ["a"]}, "findings": {"case_id": ["a"], "code": ["cough"], "status": ["present"]}}
    )
    assert not unlabelled.report.warnings, "a case to suggest for has no diagnosis yet"
    assert [p.kind for p in unlabelled.report.notes] == ["no_diagnoses"]


@pytest.mark.parametrize(
    ("cases", "column", "rows"),
    [
        ({"age_years": [50.0, 2.0], "age_days": [10, 800]}, "age_days", (1,)),
        ({"sex": ["male", "female"], "pregnant": ["yes", "yes"]}, "pregnant", (1,)),
        ({"age_years": [3.0, 30.0], "pregnant": ["yes", "yes"]}, "pregnant", (1,)),
        ({"pregnant": ["no", "yes"], "pregnancy_weeks": [12.0, 12.0]}, "pregnancy_weeks", (1,)),
        ({"patient_id": ["p", "p", "q"], "sex": ["male", "female", "male"]}, "sex", (1, 2)),
    ],
)
def test_persons_who_cannot_be(cases: dict[str, list[Any]], column: str, rows: tuple[int, ...]) -> None:
    made = {"case_id": list("abc")[: len(cases[column])], **cases}
    findings = {"case_id": ["a"], "code": ["cough"], "status": ["present"]}
    found = kinds(Records.from_tables({"cases": made, "findings": findings}))
    assert found.keys() == {"odd_person"}
    assert (found["odd_person"].column, found["odd_person"].rows) == (column, rows)


def test_every_misspelling_is_told_its_nearest() -> None:
    with pytest.raises(RecordsError) as caught:
        reported(*({"code": "cough", "status": word} for word in ("?", "presnt", "abscent")))
    assert caught.value.report.errors[0].near == ("present", "absent")


@pytest.mark.parametrize(
    ("words", "near", "says"),
    [
        (["no", "n/a"], ("absent",), ""),
        (["Y", "阳性", "present "], ("present",), ""),
        (["无", "Present", "abscent", "?"], ("absent", "present"), "(无: absent; Present: present)"),
        ([0, 1], ("absent", "present"), "(0: absent; 1: present)"),
        (["?"], (), ""),
    ],
)
def test_what_other_words_for_a_state_mean(words: list[Any], near: tuple[str, ...], says: str) -> None:
    with pytest.raises(RecordsError) as caught:
        reported(*({"code": "cough", "status": word} for word in words))
    problem = caught.value.report.errors[0]
    assert problem.near == near
    assert problem.says == f"must be present | absent | uncertain, never empty {says}".rstrip()


def test_what_other_names_of_a_column_mean() -> None:
    cases = {name: ["A"] * 6 for name in ("age", "gender", "年龄", "dx", "ward")}
    found = {p.column: p.near for p in reported(cases=cases).report.warnings if p.kind == "unknown_column"}
    wanted = {"age": ("age_years",), "gender": ("sex",), "年龄": ("age_years",), "dx": ("diagnosis",), "ward": ()}
    assert found == wanted
    with pytest.raises(RecordsError) as caught:
        reported(cases={"sex": ["女", *["female"] * 5]})
    assert caught.value.report.errors[0].near == ("female",)
    with pytest.raises(RecordsError) as caught:
        Records.from_tables(
            {
                "cases": {"visit_id": ["a"], "gender": ["F"], "secret": ["b"]},
                "findings": {"case_id": ["a"], "code": ["x"], "status": ["present"]},
            }
        )
    report = caught.value.report
    assert [p.near for p in report.errors] == [("visit_id",)]
    assert [p.column for p in report.warnings] == ["visit_id", "gender"], "and no name that may be data"


def test_rare_diagnoses() -> None:
    found = kinds(reported(cases={"diagnosis": ["flu"] * 5 + ["plague"]}))
    assert found.keys() == {"rare_diagnoses"}
    assert found["rare_diagnoses"].says.startswith("1 of 2 diagnoses")
    assert "plague" not in str(found["rare_diagnoses"])
    labels = {"case_id": ["a"], "diagnosis": ["flu"], "role": ["principal"], "status": ["confirmed"]}
    assert kinds(reported(cases={"diagnosis": [None] * 6}, labels=labels)).keys() == {"rare_diagnoses"}


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"time": "2024-01-02T00:00", "known": "2024-01-01T00:00"}, "known"),
        ({"time": "1900-01-01T00"}, "time"),
        ({"known": "9999-12-31T00"}, "known"),
    ],
)
def test_dates_that_cannot_be_meant(row: dict[str, Any], column: str) -> None:
    found = kinds(reported({"code": "cough", **row}))
    assert found.keys() == {"suspicious_date"}
    assert (found["suspicious_date"].table, found["suspicious_date"].column) == ("findings", column)
    assert found["suspicious_date"].rows == (1,)


@pytest.mark.parametrize("late", ["end_time", "index_time"])
def test_a_case_that_ends_before_it_begins(late: str) -> None:
    times = {"time": ["2024-01-02T00"] * 6, late: ["2024-01-03T00"] * 5 + ["2024-01-01T00"]}
    found = kinds(reported(cases=times))
    assert found.keys() == {"suspicious_date"}
    assert (found["suspicious_date"].column, found["suspicious_date"].rows) == (late, (6,))


def test_dates_of_every_table_are_looked_at() -> None:
    found = kinds(reported(actions={"case_id": ["a"], "time": ["1753-01-01"]}))
    assert found["suspicious_date"].table == "actions"


def test_a_narrower_finding_beside_a_broader_one_denied() -> None:
    found = kinds(reported({"code": "high fever"}, {"code": "fever", "status": "absent"}, vocabulary=VOCABULARY))
    assert found.keys() == {"ancestor_contradiction"}
    assert found["ancestor_contradiction"].rows == (1,)
    for other in ({"case_id": "b"}, {"subject": "mother"}, {"status": "uncertain"}):
        assert not kinds(
            reported({"code": "high fever"}, {"code": "fever", "status": "absent", **other}, vocabulary=VOCABULARY)
        )


def test_the_hierarchy_may_be_deep_and_go_in_a_circle() -> None:
    words = {"code": ["a", "b", "c"], "parents": ["b", "c", "a|a"]}
    found = kinds(reported({"code": "a"}, {"code": "c", "status": "absent"}, vocabulary=words))
    assert found.keys() == {"ancestor_contradiction"}


def contradictory(first: dict[str, Any], second: dict[str, Any]) -> bool:
    try:
        reported({"code": "cough", **first}, {"code": "cough", "status": "absent", **second})
    except RecordsError as error:
        assert [(p.kind, p.rows) for p in error.report.errors] == [("contradiction", (1, 2))]  # noqa: PT017
        return True
    return False


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ({}, {}, True),
        ({"subject": "patient"}, {}, True),
        ({"subject": "mother"}, {}, False),
        ({"laterality": "left"}, {"laterality": "right"}, False),
        ({"body_site": "arm"}, {"body_site": "arm"}, True),
        ({"time": "2024-01-01"}, {"time": "2024-01-02"}, False),
        ({"time": "2024-01-01T08:00+08:00"}, {"time": "2024-01-01T00:00Z"}, True),
        ({"phase": "history"}, {"phase": "examination"}, False),  # was absent, now present: a course
        ({"phase": "history", "time": "2024-01-01"}, {"phase": "examination", "time": "2024-01-01"}, True),
        ({"status": "uncertain"}, {}, False),
        ({"case_id": "b"}, {}, False),
        ({"text": "dry"}, {"text": "wet"}, True),
    ],
)
def test_contradictions(first: dict[str, Any], second: dict[str, Any], is_one: bool) -> None:
    assert contradictory(first, second) == is_one


def test_a_row_that_cannot_be_read_contradicts_nothing() -> None:
    """The good row stays when the bad one, whose instant is not known, is set aside."""
    tables = {
        "cases": {"case_id": ["a"]},
        "findings": {
            "case_id": ["a", "a", "nobody", "nowhere"],
            "code": ["cough"] * 4,
            "status": ["present", "absent", "present", "absent"],
            "time": [None, "yesterday", None, None],
        },
    }
    records = Records.from_tables(tables, on_error="quarantine")
    assert len(records.coded) == 1
    assert {p.kind: p.rows for p in records.report.errors} == {"bad_time": (2,), "no_such_case": (3, 4)}


def test_rows_of_warnings_are_counted_among_all_rows() -> None:
    findings = {
        "case_id": ["a"] * 3,
        "code": ["x", "y", "z"],
        "status": ["?", "present", "present"],
    }
    findings["time"] = [None, None, "1900-01-01T00:00Z"]
    records = Records.from_tables({"cases": {"case_id": ["a"]}, "findings": findings}, on_error="quarantine")
    report = records.report
    assert {p.kind: p.rows for p in (*report.errors, *report.warnings)} == {
        "unknown_status": (1,),
        "suspicious_date": (3,),
    }
    assert records.report.quarantine is None
    assert records.report.set_aside == 1


def test_a_word_twice_is_an_error() -> None:
    with pytest.raises(RecordsError, match="must be unique") as caught:
        reported({"code": "cough"}, vocabulary={"code": ["cough", "cough"]})
    assert [(p.table, p.rows) for p in caught.value.report.errors] == [("vocabulary", (1, 2))]


def test_a_report_as_json_text_and_html() -> None:
    many = tuple(range(1, 301))
    report = Report(
        (
            Problem("error", "unknown_status", "findings", "status", "must be <b>", many, ("absent",), 300),
            Problem("warning", "rare_diagnoses", "cases", "diagnosis", "2 of 3 are rare", count=2),
        ),
        quarantine="aside.jsonl",
    )
    plain = json.loads(json.dumps(report.to_json()))
    assert (plain["errors"], plain["warnings"], plain["quarantine"]) == (300, 2, "aside.jsonl")
    assert plain["problems"][0]["rows"] == list(range(1, 101))
    assert plain["problems"][0]["count"] == 300
    text = str(report)
    assert "error: findings.status: must be <b> (row 1, 2, 3, 4, 5 and 295 more). Nearest: absent." in text
    assert "warning: cases.diagnosis: 2 of 3 are rare." in text
    assert "set aside with reasons in aside.jsonl" in text
    assert "<b>" not in report._repr_html_()
    assert "&lt;b&gt;" in report._repr_html_()


LISTS: list[tuple[Any, Any]] = [
    ('[["flu", 0.7], ["麻疹", 0.3]]', [("flu", 0.7), ("麻疹", 0.3)]),
    ('[{"diagnosis": "flu", "probability": 1}]', [("flu", 1.0)]),
    ("[]", []),
    ([{"diagnosis": "flu", "probability": 0.7}], [("flu", 0.7)]),
    ([("flu", 0.7)], [("flu", 0.7)]),
    ({"flu": 0.7, "measles": 0.1}, [("flu", 0.7), ("measles", 0.1)]),
    (np.array([{"diagnosis": "flu", "probability": 0.7}], dtype=object), [("flu", 0.7)]),
    (None, None),
]


@pytest.mark.parametrize(("given", "made"), LISTS, ids=range(len(LISTS)))
def test_reference_lists_in_both_forms(given: Any, made: Any) -> None:
    records = reported(cases={"differential": [given] + [None] * 5})
    assert records.case("a").differential == (None if made is None else tuple(made))


def test_reference_lists_of_something_else() -> None:
    rows = [[{"diagnosis": ["flu"], "probability": 0.5}]] + [None] * 5
    with pytest.raises(RecordsError) as caught:
        reported(cases={"differential": pa.array(rows)})
    assert [(p.kind, p.rows) for p in caught.value.report.errors] == [("bad_differential", (1,))]


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list, lambda item: pa.list_(item, 1)])
def test_reference_lists_of_arrow(kind: Any) -> None:
    item = pa.struct([("probability", pa.float32()), ("diagnosis", pa.dictionary(pa.int8(), pa.string()))])
    rows = [[{"diagnosis": "flu", "probability": 0.5}], None, [{"diagnosis": "", "probability": 0.5}]]
    rows += [[{"diagnosis": "flu", "probability": p}] for p in (float("nan"), -0.1, None)]
    plain = pa.array(rows, pa.list_(pa.struct([("probability", pa.float32()), ("diagnosis", pa.string())])))
    try:
        column = plain.cast(kind(item))
    except pa.ArrowNotImplementedError:
        column = plain
    with pytest.raises(RecordsError) as caught:
        reported(cases={"differential": column})
    assert [(p.kind, p.rows) for p in caught.value.report.errors] == [("bad_differential", (3, 4, 5, 6))]


def test_a_value_with_its_sign_is_told_where_the_sign_stands() -> None:
    with pytest.raises(RecordsError, match="stands in `comparator`"):
        reported({"code": "troponin", "value": "<0.01"})


def test_what_is_set_aside_is_plain_json(tmp_path: Path) -> None:
    """Of values that JSON does not know, as text."""
    findings = pa.table(
        {
            "case_id": ["nobody"] * 2,
            "code": ["x", "y"],
            "status": ["present"] * 2,
            "value": [float("nan"), float("inf")],
            "time": pa.array([10**15, 0], pa.timestamp("s", "UTC")),  # year 31,690,708
            "known": pa.array([0, None], pa.timestamp("us", "UTC")),
            "x_list": [[1.5, float("inf")], None],
            "x_struct": [{"a": 1}, None],
            "x_bytes": pa.array([b"\xff", None]),
        }
    )
    aside = tmp_path / "aside.jsonl"
    Records.from_tables({"cases": {"case_id": ["a"]}, "findings": findings}, on_error="quarantine", quarantine=aside)
    one, other = (json.loads(line, parse_constant=pytest.fail) for line in aside.read_text().splitlines())
    assert one["values"] == {
        "case_id": "nobody",
        "code": "x",
        "status": "present",
        "value": "nan",
        "time": str(10**15),
        "known": "1970-01-01T00:00:00+00:00",
        "x_list": [1.5, "inf"],
        "x_struct": {"a": 1},
        "x_bytes": "b'\\xff'",
    }
    assert other["values"]["value"] == "inf"
    assert other["reasons"] == ["value must be a finite number; a sign such as < stands in `comparator`",
                                "case_id names a case that is not in `cases`"]  # fmt: skip


def test_an_entry_stays_one_line_to_every_reader(tmp_path: Path) -> None:
    odd = "a\x85b\u2028c\u2029d\x1ee\nf\r发热"
    findings = {"case_id": ["nobody"], "code": [odd], "status": ["present"]}
    aside = tmp_path / "aside.jsonl"
    Records.from_tables({"cases": {"case_id": ["a"]}, "findings": findings}, on_error="quarantine", quarantine=aside)
    (line,) = aside.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["values"]["code"] == odd
    assert "发热" in line


@pytest.mark.parametrize("info", [["format"], {"period": object()}, {"source": {1, 2}}, 7])
def test_what_records_json_could_not_hold_is_refused(info: Any) -> None:
    with pytest.raises(InputError, match="found") as caught:
        Records.from_tables({"cases": {"case_id": []}, "findings": {"case_id": [], "code": [], "status": []}}, info)
    assert "records.json" in str(caught.value)


def test_further_words_stand_behind_the_records_own() -> None:
    records = reported({"code": "cough"}, vocabulary={"code": ["cough"], "name": ["Husten"]})
    more = Vocabulary.from_rows([{"code": "cough", "name": "cough"}, {"code": "rash", "name": "a rash"}], [])
    joined = records.with_vocabulary(more)
    assert (joined.vocabulary.name("cough"), joined.vocabulary.name("rash")) == ("Husten", "a rash")
    assert records.vocabulary.name("rash") == "rash"
    assert joined[[0]].vocabulary.name("rash") == "a rash"
    assert joined.digest() == records.digest()
