"""Each kind of bad input gets one clear message: asked, found, what to do. Nothing is half-written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diagnosis.errors import InputError, RecordsError, UnknownNameError, WorkError
from diagnosis.readers import csv_files, formats, open_records, read_records, write_records
from diagnosis.records import Problem, Records

GOOD_CASES = "case_id,patient_id,age_years,sex,time\nid-one,secret-7,4,female,2024-01-01T08:00:00Z\nid-two,,5,male,\n"
GOOD_FINDINGS = "case_id,code,status,value,unit\nid-one,fever,present,39.77,Cel\nid-two,cough,absent,,\n"
SECRETS = ("id-one", "id-two", "secret-7", "39.77")

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a folder of records; text of each file by name, the good ones where nothing else is said."""

    def make(**files: str | bytes | None) -> Path:
        folder = tmp_path / "clinic"
        folder.mkdir(exist_ok=True)
        for name, text in {"cases_csv": GOOD_CASES, "findings_csv": GOOD_FINDINGS, **files}.items():
            if text is not None:
                raw = text.encode() if isinstance(text, str) else text
                (folder / name.replace("_", ".")).write_bytes(raw)
        return folder

    return make


def refused(folder: Path, kind: type[InputError] = InputError, encoding: str | None = None) -> InputError:
    """The error that reading raises: of that class, in three sentences, without anything of a patient in it."""
    with pytest.raises(kind) as caught:
        read_records(folder, encoding=encoding)
    error = caught.value
    assert type(error) is kind
    assert isinstance(error, ValueError)
    assert error.asked
    assert error.found
    assert error.do
    shown = f"{error} {error.args} {error.asked} {error.found} {error.do} {error.near}"
    assert not [s for s in SECRETS if s in shown]
    for part in (error.asked, error.found, error.do):
        assert part.strip().rstrip(".") in str(error)
    return error


def only_error(folder: Path, kind: str) -> Problem:
    """The one error in the report, of that kind."""
    error = refused(folder, RecordsError)
    assert isinstance(error, RecordsError)
    assert [p.kind for p in error.report.errors] == [kind]
    problem = error.report.errors[0]
    assert str(problem) in str(error)
    return problem


def test_good_records_load(write: Write) -> None:
    assert len(read_records(write())) == 2


def test_nothing_there(tmp_path: Path) -> None:
    assert "nothing at that path" in refused(tmp_path / "nowhere").found
    folder = tmp_path / "bundles"
    folder.mkdir()
    (folder / "Jane\x1b[31m Doe.json").write_text("{}")
    assert refused(folder).found == "found 1 files that are no tables"


def test_a_file(write: Write) -> None:
    assert "it is a file" in refused(write() / "cases.csv").found


def test_an_empty_folder(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert "cases and findings" in error.asked
    assert "empty folder" in error.found


def test_a_misspelt_table(write: Write) -> None:
    error = refused(write(findings_csv=None, finding_csv=GOOD_FINDINGS))
    assert "findings" in error.asked
    assert error.near == ("finding",)


def test_a_misspelt_optional_table_does_not_pass_in_silence(write: Write) -> None:
    report = read_records(write(lables_csv="case_id,diagnosis\n")).report
    assert [(p.kind, p.table, p.near) for p in report.warnings] == [("file_not_read", "lables.csv", ("labels",))]


def test_two_forms_of_one_table(write: Write) -> None:
    folder = write()
    pq.write_table(pa.table({"case_id": ["id-one"]}), folder / "cases.parquet")
    assert "cases.csv and cases.parquet" in refused(folder).found


def test_a_missing_column(write: Write) -> None:
    problem = only_error(write(findings_csv=GOOD_FINDINGS.replace("status", "state")), "missing_column")
    assert (problem.table, problem.column) == ("findings", "status")
    assert problem.near == ("state",)


def test_a_column_twice(write: Write) -> None:
    problem = only_error(write(cases_csv="case_id,sex,sex\nid-one,male,male\n"), "duplicate_column")
    assert problem.column == "sex"
    assert "2, 3" in problem.says


def test_an_unknown_status(write: Write) -> None:
    problem = only_error(write(findings_csv=GOOD_FINDINGS.replace("absent", "absnt")), "unknown_status")
    assert problem.rows == (2,)
    assert problem.near == ("absent",)
    assert "present | absent | uncertain" in problem.says


@pytest.mark.parametrize("sex", ["Female", "FEMALE", "ｆｅｍａｌｅ", "female "])
def test_another_writing_of_a_choice_is_refused_with_the_right_one(write: Write, sex: str) -> None:
    problem = only_error(write(cases_csv=GOOD_CASES.replace("female", sex)), "unknown_sex")
    assert problem.near == ("female",)


def test_a_case_twice(write: Write) -> None:
    folder = write(cases_csv=GOOD_CASES.replace("id-two", "id-one"), findings_csv=GOOD_FINDINGS.split("id-two")[0])
    problem = only_error(folder, "duplicate_id")
    assert problem.rows == (1, 2)


def test_an_empty_id(write: Write) -> None:
    problem = only_error(write(cases_csv=GOOD_CASES + ",,,,\n"), "empty_required")
    assert (problem.column, problem.rows) == ("case_id", (3,))


@pytest.mark.parametrize("table", ["findings", "labels", "actions", "notes", "acuity"])
def test_a_row_of_no_case(write: Write, table: str) -> None:
    more = {"findings": "id-six,cough,present,,\n"}.get(table, "case_id,diagnosis\nid-six,flu\n")
    files = {f"{table}_csv": GOOD_FINDINGS + more if table == "findings" else more}
    problem = only_error(write(**files), "no_such_case")
    assert problem.table == table


@pytest.mark.parametrize("age", ["-1", "131", "999", "4 years", "４", "NaN", "inf", "1e999", "0x10"])
def test_an_impossible_age(write: Write, age: str) -> None:
    problem = only_error(write(cases_csv=GOOD_CASES.replace(",4,", f",{age},")), "bad_number")
    assert (problem.column, problem.rows) == ("age_years", (1,))
    assert "from 0 to 130" in problem.says


def test_a_value_without_present(write: Write) -> None:
    problem = only_error(write(findings_csv=GOOD_FINDINGS.replace("present", "absent")), "value_without_present")
    assert problem.rows == (1,)


def test_a_contradiction(write: Write) -> None:
    problem = only_error(write(findings_csv=GOOD_FINDINGS + "id-two,cough,present,,\n"), "contradiction")
    assert problem.rows == (2, 3)


NO_TIMES = (
    *("01.02.2024", "2024/01/01", "2024-02-30", "2023-02-29", "1900-02-29", "2024-01-01T24:00", "8:00", "0000-01-01"),
    *(
        "2024-01-01T23:59:60Z",
        "2024-01-01T08:00+99:00",
        "20240101",
        "2024-01-01Z",
        "2024-01-01T08:00:00.",
        "2024-13-01",
    ),
)


@pytest.mark.parametrize("time", NO_TIMES)
def test_a_time_that_is_none(write: Write, time: str) -> None:
    problem = only_error(write(cases_csv=GOOD_CASES.replace("2024-01-01T08:00:00Z", time)), "bad_time")
    assert "ISO 8601" in problem.says


NO_LISTS = (
    *("{", "[]x", '[["flu"]]', '[["flu", 2]]', '[["flu", "0.5"]]', '{"flu": 0.5}', "flu", '[["", 0.5]]', "0.5"),
    *('[["flu", NaN]]', '[["flu", true]]', "[[1, 0.5]]", '[["\\ud800", 0.5]]', f'[["flu", 1{"0" * 400}]]', "[" * 5000),
)


@pytest.mark.parametrize("text", NO_LISTS, ids=lambda text: text[:20])
def test_a_differential_that_is_none(write: Write, text: str) -> None:
    quoted = '"' + text.replace('"', '""') + '"'
    problem = only_error(write(cases_csv=f"case_id,differential\nid-one,{quoted}\nid-two,\n"), "bad_differential")
    assert problem.rows == (1,)


def test_every_error_is_reported_at_once(write: Write) -> None:
    folder = write(
        cases_csv=GOOD_CASES.replace(",4,", ",400,").replace("female", "woman"),
        findings_csv=GOOD_FINDINGS.replace("absent", "no") + "id-six,cough,present,,\nid-one\n",
    )
    error = refused(folder, RecordsError)
    assert isinstance(error, RecordsError)
    kinds = {(p.kind, p.table) for p in error.report.errors}
    assert kinds == {
        ("bad_number", "cases"),
        ("unknown_sex", "cases"),
        ("unknown_status", "findings"),
        ("no_such_case", "findings"),
        ("broken_line", "findings"),
    }
    assert error.report.refused
    assert "usable" in str(error.report)
    assert error.report.to_json()["errors"] == 5


def test_rows_are_numbered_as_in_the_file(write: Write) -> None:
    lines = ["case_id,code,status", "id-one,a,present", "broken", "id-one,b,?", "id-one,c,present", "x,y", "id-one,d,?"]
    error = refused(write(findings_csv="\n".join(lines)), RecordsError)
    assert isinstance(error, RecordsError)
    rows = {p.kind: p.rows for p in error.report.errors}
    assert rows == {"broken_line": (2, 5), "unknown_status": (3, 6)}


def test_set_aside_with_reasons(write: Write, tmp_path: Path) -> None:
    folder = write(
        cases_csv=GOOD_CASES + "id-bad,p,400,male,\n",
        findings_csv=GOOD_FINDINGS + "id-bad,cough,present,,\nx\nid-two,rash,maybe,,\n",
    )
    aside = tmp_path / "deep" / "aside.jsonl"
    records = read_records(folder, on_error="quarantine", quarantine=aside)
    assert records.case_ids.tolist() == ["id-one", "id-two"]
    assert records.report.quarantine == str(aside)
    assert aside.stat().st_mode & 0o777 == 0o600
    entries = [json.loads(line) for line in aside.read_text(encoding="utf-8").splitlines()]
    assert [(e["table"], e["row"]) for e in entries] == [
        ("cases", 3),
        ("findings", 3),
        ("findings", 5),
        ("findings", 4),
    ]
    assert entries[0]["values"]["age_years"] == "400"
    assert entries[1]["reasons"] == ["its case was set aside"]
    assert entries[2]["reasons"] == ["status must be present | absent | uncertain, never empty"]
    assert entries[3]["line"] == "x"
    assert {n: (c.read, c.loaded) for n, c in records.report.counts.items()} == {"cases": (3, 2), "findings": (5, 2)}
    assert [p.name for p in aside.parent.iterdir()] == ["aside.jsonl"]
    followed = [p for p in records.report.notes if p.kind == "case_set_aside"]
    assert [(p.table, p.rows, p.count) for p in followed] == [("findings", (3,), 1)]
    for table, count in records.report.counts.items():
        told = {r for p in (*records.report.errors, *followed) if p.table == table for r in p.rows}
        assert len(told) == count.set_aside, "every row set aside is told of"


def test_set_aside_next_to_the_work_where_no_file_is_named(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    read_records(write(findings_csv=GOOD_FINDINGS + "x\n"), on_error="quarantine")
    assert (tmp_path / "quarantine-clinic.jsonl").exists()


def test_an_unwritable_quarantine_is_said_so(write: Write, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    folder = write(findings_csv=GOOD_FINDINGS + "x\n")
    with pytest.raises(WorkError, match="IsADirectoryError"):
        read_records(folder, on_error="quarantine", quarantine=tmp_path / "taken")
    assert not list((tmp_path / "taken").iterdir())
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_gbk_is_refused_with_the_option_that_reads_it(write: Write) -> None:
    findings = "case_id,code,status\nid-one,发热,present\nid-two,咳嗽,absent\n"
    folder = write(findings_csv=findings.encode("gb18030"))
    error = refused(folder)
    assert "GB18030" in error.found
    assert 'encoding="gb18030"' in error.do
    assert "--encoding gb18030" in error.do
    records = read_records(folder, encoding="gb18030")
    assert records.case("id-one").findings[0].code == "发热"


def test_latin_letters_are_not_taken_for_chinese(write: Write) -> None:
    error = refused(write(findings_csv="case_id,code,status\nid-one,fièvre élevée,present\n".encode("cp1252")))
    assert "GB18030" not in error.found
    assert "cp1252" in error.do


def test_utf16_is_refused_with_the_option_that_reads_it(write: Write) -> None:
    folder = write(findings_csv=GOOD_FINDINGS.encode("utf-16"), cases_csv=GOOD_CASES.encode("utf-16"))
    assert 'encoding="utf-16"' in refused(folder).do
    assert len(read_records(folder, encoding="utf-16")) == 2
    folder = write(findings_csv=GOOD_FINDINGS.encode("utf-16-le"), cases_csv=GOOD_CASES.encode("utf-16-le"))
    assert 'encoding="utf-16"' in refused(folder).do


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "gb18030"])
def test_a_mark_of_another_encoding_is_no_part_of_the_first_name(write: Write, encoding: str) -> None:
    cases = "\ufeffcase_id,x_1\nid-one,001\nid-two,\n"
    folder = write(cases_csv=cases.encode(encoding), findings_csv=("\ufeff" + GOOD_FINDINGS).encode(encoding))
    records = read_records(folder, encoding=encoding)
    assert records.column("x_1").tolist() == ["001", None]


def test_a_mark_says_utf8_whatever_is_asked(write: Write) -> None:
    folder = write(findings_csv="\ufeffcase_id,code,status\nid-one,发热,present\n".encode())
    assert read_records(folder, encoding="gb18030").case("id-one").findings[0].code == "发热"


@pytest.mark.parametrize("encoding", ["gbk", "GB2312", "utf-8", "UTF8", "utf-8-sig", "ascii"])
def test_encodings_go_by_any_of_their_names(write: Write, encoding: str) -> None:
    assert len(read_records(write(), encoding=encoding)) == 2


@pytest.mark.parametrize("encoding", ["klingon", "base64", "hex", "a\x00b", ""])
def test_an_encoding_that_is_none(write: Write, encoding: str) -> None:
    assert "encoding" in refused(write(), encoding=encoding).asked


def test_bytes_that_are_no_text_in_a_broken_line(write: Write) -> None:
    # Such a line would be dropped without a word if the file were not looked through first.
    assert "bytes" in refused(write(findings_csv=GOOD_FINDINGS.encode() + b"id-one,\xe7\n")).found


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_another_separator(write: Write, mark: str, word: str) -> None:
    assert word in refused(write(cases_csv=GOOD_CASES.replace(",", mark))).found


@pytest.mark.parametrize("rows", ['a,"x\nb,y', 'a,"x\nb,y\nc,"z"', 'a,"x\nb,"y\nc,z', 'a,"x"y\nb,z'])
def test_a_quote_that_ends_no_field_takes_no_line_along(write: Write, rows: str) -> None:
    folder = write(cases_csv=f"case_id,site\n{rows}\n")
    assert "line 2 does not end" in refused(folder).found


@pytest.mark.parametrize("block", [1, 2, 5, 1 << 20])
def test_quotes_that_are_doubled_or_stand_in_plain_fields(
    write: Write, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("diagnosis.readers.csv_files._SAMPLE", block)
    sites = ['x ""y"" z', '""', "\n", "", ",", "x"]
    rows = [f'{i},"{site}"\r\n' for i, site in enumerate(sites)]
    findings = "case_id,code,status\n0,a,present\n"
    folder = write(cases_csv=b"\xef\xbb\xbf" + "".join(['case_id,"site"\n', *rows]).encode(), findings_csv=findings)
    assert csv_files._quotes_in_pairs(folder / "cases.csv")
    (folder / "cases.csv").write_text("".join(["case_id,site\n", *rows, "6,5'6\"\n"]))
    assert not csv_files._quotes_in_pairs(folder / "cases.csv")
    read = read_records(folder).column("site").tolist()
    assert read == ['x "y" z', '"', "\n", None, ",", "x", "5'6\""]


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_file(write: Write, text: str) -> None:
    assert "empty" in refused(write(cases_csv=text)).found


def test_a_truncated_parquet(write: Write) -> None:
    folder = write(findings_csv=None)
    path = folder / "findings.parquet"
    pq.write_table(pa.table({"case_id": ["id-one"], "code": ["fever"], "status": ["present"]}), path)
    whole = path.read_bytes()
    for keep in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:keep])
        assert "cannot be read" in refused(folder).found


def test_strange_things_among_parts(write: Write) -> None:
    folder = write(findings_csv=None)
    (folder / "findings").mkdir()
    assert "holds none" in refused(folder).found
    pq.write_table(
        pa.table({"case_id": ["id-one"], "code": ["fever"], "status": ["present"]}), folder / "findings" / "0.parquet"
    )
    (folder / "findings" / "1.csv").write_text("case_id,code,status\n")
    assert "1.csv" in refused(folder).found
    (folder / "findings" / "1.csv").unlink()
    pq.write_table(
        pa.table({"case_id": [7.5], "code": ["a"], "status": ["present"]}), folder / "findings" / "1.parquet"
    )
    assert "disagree" in refused(folder).found
    (folder / "findings" / "1.parquet").unlink()
    (folder / "findings" / "site=A").mkdir()
    (folder / "findings" / "0.parquet").rename(folder / "findings" / "site=A" / "0.parquet")
    assert "COLUMN=VALUE" in refused(folder).found


@pytest.mark.parametrize(
    ("info", "says"),
    [
        ('{"format": 2}', "format 2"),
        ('{"format": "1"}', "something else"),
        ('{"format": 0}', "something else"),
        ("[1]", "list"),
        ("{", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        ('{"timezone": "Mars/Olympus"}', "a name that is none"),
        ('{"timezone": "localtime"}', "a name that is none"),
        ('{"timezone": 8}', "a name that is none"),
        ('{"timezone": ""}', "a name that is none"),
        ('{"timezone": "../../etc/passwd"}', "a name that is none"),
        ('{"synthetic": "no"}', "something else"),
        ('{"systems": "HP"}', "something else"),
        ('{"sampling": "random"}', "something else"),
    ],
)
def test_records_json_that_cannot_be_used(write: Write, info: str | bytes, says: str) -> None:
    assert says in refused(write(records_json=info)).found


def test_a_misspelt_time_zone_is_told_the_nearest(write: Write) -> None:
    assert "Asia/Shanghai" in refused(write(records_json='{"timezone": "Asia/Shanghia"}')).near


def test_an_unknown_format(write: Write) -> None:
    with pytest.raises(UnknownNameError, match="tables") as caught:
        read_records(write(), format="tabels")
    assert caught.value.near[0] == "tables"
    assert formats()[0] == "tables"


def test_on_error_is_one_of_two(write: Write) -> None:
    with pytest.raises(InputError, match="quarantine"):
        read_records(write(), on_error="ignore")  # type: ignore[arg-type]


def test_a_quote_that_swallows_rows_is_suspected(write: Write) -> None:
    findings = 'case_id,code,status\nid-one,"fever,present\nid-two,cough",absent\n'
    report = read_records(write(findings_csv=findings)).report
    assert [(p.kind, p.column, p.rows) for p in report.warnings] == [("line_break", "code", (1,))]


def test_signs_that_cannot_be_seen_are_reported(write: Write) -> None:
    report = read_records(
        write(
            cases_csv="case_id,patient_id\na\x00,p\nb,q\ufeff\nc,r\nd,s\ne,t\n",
            findings_csv="case_id,code,status\nb,fe\u200bver,present\nc,cough\t,present\nd,咳嗽,present\n",
        )
    ).report
    found = {(p.table, p.column): p.rows for p in report.warnings if p.kind == "unseen_sign"}
    assert found == {("cases", "case_id"): (1,), ("cases", "patient_id"): (2,), ("findings", "code"): (1, 2)}


@pytest.mark.parametrize("column", ["site", "sex", "patient_id"])
def test_a_nested_column_of_parquet_is_an_error_in_its_rows(tmp_path: Path, column: str) -> None:
    cases = {"case_id": ["a", "b"], column: pa.array([[1], None] if column == "sex" else [{"a": 1}, None])}
    pq.write_table(pa.table(cases), tmp_path / "cases.parquet")
    pq.write_table(pa.table({"case_id": ["b"], "code": ["x"], "status": ["absent"]}), tmp_path / "findings.parquet")
    with pytest.raises(RecordsError) as caught:
        read_records(tmp_path)
    assert [(p.column, p.rows) for p in caught.value.report.errors] == [(column, (1,))]
    assert read_records(tmp_path, on_error="quarantine", quarantine=tmp_path / "q").case_ids.tolist() == ["b"]


def test_a_column_that_stands_twice_in_parquet_is_named(tmp_path: Path) -> None:
    ids = pa.array(["a"])
    pq.write_table(pa.Table.from_arrays([ids, ids], names=["case_id", "case_id"]), tmp_path / "cases.parquet")
    pq.write_table(pa.table({"case_id": ids, "code": ["x"], "status": ["absent"]}), tmp_path / "findings.parquet")
    for read in (read_records, open_records):
        with pytest.raises(InputError, match="`case_id` stands more than once"):
            read(tmp_path)


def test_writing_refuses_what_it_would_destroy(write: Write, tmp_path: Path) -> None:
    records = read_records(write())
    folder = write_records(records, tmp_path / "out")
    with pytest.raises(InputError, match="overwrite"):
        write_records(records, folder)
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="nothing but records"):
        write_records(records, folder, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "years of work"
    (folder / "thesis.txt").unlink()
    write_records(records[[0]], folder, "csv", overwrite=True)
    assert sorted(p.name for p in folder.iterdir()) == ["cases.csv", "findings.csv", "records.json"]
    assert len(read_records(folder)) == 1
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(InputError, match="there is a file"):
        write_records(records, folder / "cases.csv")
    with pytest.raises(InputError, match="csv or parquet"):
        write_records(records, tmp_path / "other", "exel")  # type: ignore[arg-type]
    with pytest.raises(WorkError, match="cannot be written"):
        write_records(records, folder / "cases.csv" / "below")


def test_writing_refuses_a_case_twice(write: Write, tmp_path: Path) -> None:
    records = read_records(write())
    with pytest.raises(InputError, match="more than once"):
        write_records(records[[0, 0]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_half_written(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = read_records(write())
    folder = write_records(records, tmp_path / "out")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("diagnosis.readers.writing.write_csv", full)
    with pytest.raises(WorkError, match="OSError"):
        write_records(records, folder, "csv", overwrite=True)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_tables_that_are_none() -> None:
    good = {"case_id": ["a"], "code": ["fever"], "status": ["present"]}
    with pytest.raises(InputError, match="tables by name"):
        Records.from_tables([1])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="found a table named") as caught:
        Records.from_tables({"cases": {"case_id": ["a"]}, "findings": good, "lable": good})
    assert "labels" in caught.value.near
    with pytest.raises(InputError, match="found int"):
        Records.from_tables({"cases": 7, "findings": good})
    with pytest.raises(RecordsError, match="the table is required and missing"):
        Records.from_tables({"findings": good})


def test_numbers_of_broken_lines_hold_over_blocks(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diagnosis.readers.csv_files._BLOCK", 256)
    bad = {7, 40, 41, 90}
    lines = ["broken" if i in bad else f'id-one,"c\n{i}",present,,' for i in range(1, 101)]
    folder = write(findings_csv="\n".join(["case_id,code,status,value,unit", *lines]))
    error = refused(folder, RecordsError)
    assert isinstance(error, RecordsError)
    assert error.report.errors[0].rows == tuple(sorted(bad))


def test_a_table_without_a_suffix(write: Write) -> None:
    folder = write(findings_csv=None)
    (folder / "findings").write_text(GOOD_FINDINGS)
    assert "without a suffix" in refused(folder).found


def test_the_old_records_come_back_where_the_new_cannot_take_their_place(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = read_records(write())
    folder = write_records(records, tmp_path / "out")
    moves: list[Path] = []
    replace = Path.replace

    def second_fails(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == 2:
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", second_fails)
    with pytest.raises(WorkError):
        write_records(records[[0]], folder, overwrite=True)
    monkeypatch.undo()
    assert len(read_records(folder)) == 2
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
