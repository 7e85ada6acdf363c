"""What bad input gets: a refusal that says what to do, or rows set aside with their reasons and the rest loaded."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.readers.ddxplus.release import CONDITIONS, EVIDENCES, csv_of, row, states, write_release

import diagnosis as dx

GOOD = row(AGE="50")
SECRET = "zqx-4711"

BAD_ROWS: dict[str, tuple[dict[str, str], str, str]] = {
    "unknown evidence": (row(EVIDENCES=["fievre", SECRET]), "unknown_evidence", "EVIDENCES"),
    "unknown value": (row(EVIDENCES=["fievre", f"intens_@_{SECRET}"]), "unknown_value", "EVIDENCES"),
    "a value of a binary evidence": (row(EVIDENCES=["fievre", "tabac_@_1"]), "unknown_value", "EVIDENCES"),
    "no value of a categorical one": (row(EVIDENCES=["fievre", "intens"]), "unknown_value", "EVIDENCES"),
    "two answers to one question": (
        row(EVIDENCES=["fievre", "douleur", "intens_@_3", "intens_@_4"]),
        "contradiction",
        "EVIDENCES",
    ),
    "nowhere and somewhere": (
        row(EVIDENCES=["fievre", "douleur", "endroit_@_tete", "endroit_@_nulle_part"]),
        "contradiction",
        "EVIDENCES",
    ),
    "a list cut off": (row(EVIDENCES="['fievre', 'dou"), "bad_list", "EVIDENCES"),
    "no list": (row(EVIDENCES=f"fievre {SECRET}"), "bad_list", "EVIDENCES"),
    "an empty list column": (row(EVIDENCES=""), "bad_list", "EVIDENCES"),
    "code in place of a list": (row(EVIDENCES="[__import__('os').getcwd()]"), "bad_list", "EVIDENCES"),
    "numbers in a list": (row(EVIDENCES="[1, 2]"), "bad_list", "EVIDENCES"),
    "a list nested without end": (row(EVIDENCES="[" * 20_000), "bad_list", "EVIDENCES"),
    "a list too long": (row(EVIDENCES=["fievre"] * 9_000), "bad_list", "EVIDENCES"),
    "half a surrogate pair": (row(EVIDENCES='["\\ud800"]'), "bad_list", "EVIDENCES"),
    "a negative age": (row(AGE="-1"), "bad_age", "AGE"),
    "an age beyond any": (row(AGE="131"), "bad_age", "AGE"),
    "an age in words": (row(AGE=SECRET), "bad_age", "AGE"),
    "an age of other digits": (row(AGE="４"), "bad_age", "AGE"),
    "another sex": (row(SEX=SECRET), "unknown_sex", "SEX"),
    "another pathology": (row(PATHOLOGY=SECRET), "unknown_pathology", "PATHOLOGY"),
    "a probability over 1": (
        row(DIFFERENTIAL_DIAGNOSIS=[["Grippe", 1.5]]),
        "bad_differential",
        "DIFFERENTIAL_DIAGNOSIS",
    ),
    "a probability that is none": (
        row(DIFFERENTIAL_DIAGNOSIS="[['Grippe', nan]]"),
        "bad_differential",
        "DIFFERENTIAL_DIAGNOSIS",
    ),
    "a huge probability": (
        row(DIFFERENTIAL_DIAGNOSIS=f"[['Grippe', {'9' * 400}]]"),
        "bad_differential",
        "DIFFERENTIAL_DIAGNOSIS",
    ),
    "a condition twice": (
        row(DIFFERENTIAL_DIAGNOSIS=[["Grippe", 0.5], ["Influenza", 0.5]]),
        "bad_differential",
        "DIFFERENTIAL_DIAGNOSIS",
    ),
    "an unknown condition": (row(DIFFERENTIAL_DIAGNOSIS=[[SECRET, 1.0]]), "bad_differential", "DIFFERENTIAL_DIAGNOSIS"),
    "words in place of pairs": (row(DIFFERENTIAL_DIAGNOSIS=["Grippe"]), "bad_differential", "DIFFERENTIAL_DIAGNOSIS"),
    "an initial evidence not listed": (row(INITIAL_EVIDENCE="douleur"), "unknown_initial", "INITIAL_EVIDENCE"),
    "an initial evidence not known": (row(INITIAL_EVIDENCE=SECRET), "unknown_initial", "INITIAL_EVIDENCE"),
}


@pytest.mark.parametrize(("bad", "kind", "column"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_refused_or_set_aside(tmp_path: Path, bad: dict[str, str], kind: str, column: str) -> None:
    folder = write_release(tmp_path / "set", [GOOD, bad, GOOD])
    with pytest.raises(dx.RecordsError) as refused:
        dx.read_ddxplus(folder)
    (problem,) = [p for p in refused.value.report.errors if p.kind == kind]
    assert (problem.column, problem.rows) == (column, (2,))
    assert SECRET not in str(refused.value)
    aside = tmp_path / "aside.jsonl"
    records = dx.read_ddxplus(folder, on_error="quarantine", quarantine=aside)
    assert records.case_ids.tolist() == ["validate-1", "validate-3"]
    count = records.report.counts["cases"]
    assert (count.read, count.loaded, count.set_aside) == (3, 2, 1)
    assert SECRET not in str(records.report)
    entries = [json.loads(line) for line in aside.read_text(encoding="utf-8").splitlines()]
    assert [e["row"] for e in entries] == [2]
    assert entries[0]["reasons"]
    assert entries[0]["values"] == bad
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert states(records) == states(dx.read_ddxplus(write_release(tmp_path / "alone", [GOOD])))


def test_every_reason_is_named_at_once(tmp_path: Path) -> None:
    rows = [bad for bad, _, _ in BAD_ROWS.values()]
    with pytest.raises(dx.RecordsError) as refused:
        dx.read_ddxplus(write_release(tmp_path / "set", rows))
    report = refused.value.report
    assert {p.kind for p in report.errors} == {kind for _, kind, _ in BAD_ROWS.values()}
    assert {n for p in report.errors for n in p.rows} == set(range(1, len(rows) + 1))
    assert report.counts["cases"].loaded == 0


def test_near_names_are_offered(tmp_path: Path) -> None:
    with pytest.raises(dx.RecordsError, match="Nearest: fievre"):
        dx.read_ddxplus(write_release(tmp_path / "a", [row(EVIDENCES=["fievr"], INITIAL_EVIDENCE="")]))
    with pytest.raises(dx.RecordsError, match="Nearest: Influenza"):
        dx.read_ddxplus(write_release(tmp_path / "b", [row(PATHOLOGY="Influensa")]))


def test_an_evidence_listed_twice_counts_once(tmp_path: Path) -> None:
    records = dx.read_ddxplus(write_release(tmp_path / "set", [GOOD, row(EVIDENCES=["fievre", "fievre", "tabac"])]))
    assert [(p.kind, p.rows) for p in records.report.warnings if p.column == "EVIDENCES"] == [
        ("repeated_evidence", (2,))
    ]
    assert states(records, 1)["fievre"] == "present"


def test_an_answer_without_its_parent_is_kept_and_the_parent_left_open(tmp_path: Path) -> None:
    bad = row(EVIDENCES=["fievre", "endroit_@_tete"])
    records = dx.read_ddxplus(write_release(tmp_path / "set", [bad]))
    found = states(records)
    assert found["endroit_@_tete"] == "present"
    assert "douleur" not in found
    assert [p.count for p in records.report.warnings if p.kind == "answer_without_parent"] == [1]


def test_broken_lines_between_good_ones(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "set")
    header, good = csv_of([GOOD]).splitlines()
    file = folder / "release_validate_patients.csv"
    lines = [
        header,
        good,
        "1,2",
        "",
        good[: len(good) // 2],
        good,
        'a"b,"c',
        "x" * 200_000,
        good.replace("Grippe", "\0"),
    ]
    raw = "\r\n".join(lines).encode() + b"\r\n" + good.encode().replace(b"Grippe", b"Gri\xffppe") + b"\r\n"
    file.write_bytes(raw)
    with pytest.raises(dx.RecordsError, match="another number of columns"):
        dx.read_ddxplus(folder)
    aside = tmp_path / "aside.jsonl"
    records = dx.read_ddxplus(folder, on_error="quarantine", quarantine=aside)
    assert records.case_ids.tolist() == ["validate-1", "validate-4"]
    assert records.report.counts["cases"].read == 8
    entries = [json.loads(line) for line in aside.read_text(encoding="utf-8").splitlines()]
    assert sorted(e["row"] for e in entries) == [2, 3, 5, 6, 7, 8]
    assert [p.rows for p in records.report.errors if p.kind == "broken_line"] == [(2, 3, 5, 6, 8)]
    assert [p.rows for p in records.report.errors if p.kind == "unknown_pathology"] == [(7,)]


def test_batches_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_release(tmp_path / "set", [GOOD, *(bad for bad, _, _ in BAD_ROWS.values()), GOOD, GOOD])
    with (folder / "release_validate_patients.csv").open("a", encoding="utf-8") as more:
        more.write("1,2\n\n" + csv_of([GOOD]).splitlines()[1] + "\n")
    made = []
    for size in (20_000, 3):
        monkeypatch.setattr("diagnosis.readers.ddxplus.patient_files.ROWS", size)
        aside = tmp_path / f"{size}.jsonl"
        records = dx.read_ddxplus(folder, on_error="quarantine", quarantine=aside)
        problems = {(p.severity, p.kind, p.table, p.column, p.rows) for p in records.report.problems}
        made.append((records.digest(), records.case_ids.tolist(), problems, aside.read_bytes()))
    assert made[0] == made[1]


def test_a_file_cut_off(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "set", [GOOD] * 3)
    file = folder / "release_validate_patients.csv"
    file.write_bytes(file.read_bytes()[:-60])
    records = dx.read_ddxplus(folder, on_error="quarantine")
    assert records.report.counts["cases"].set_aside == 1
    assert len(records) == 2


@pytest.mark.parametrize(
    ("columns", "found", "near"),
    [
        (
            ["AGE", "SEX", "PATHOLOGY", "EVIDENCE", "INITIAL_EVIDENCE", "DIFFERENTIAL_DIAGNOSIS"],
            "EVIDENCES",
            "EVIDENCE",
        ),
        (["age", "differential_diagnosis", "sex", "pathology", "evidences", "initial_evidence"], "AGE", "age"),
        (["AGE", "AGE", "DIFFERENTIAL_DIAGNOSIS", "SEX", "PATHOLOGY", "EVIDENCES", "INITIAL_EVIDENCE"], "AGE", ""),
        ([], "AGE", ""),
    ],
)
def test_wrong_columns(tmp_path: Path, columns: list[str], found: str, near: str) -> None:
    folder = write_release(tmp_path / "set")
    (folder / "release_validate_patients.csv").write_text(",".join(columns) + "\n", encoding="utf-8")
    with pytest.raises(dx.InputError, match=found) as refused:
        dx.read_ddxplus(folder)
    assert not near or near in refused.value.near


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(dx.InputError, match="nothing at"):
        dx.read_ddxplus(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(dx.InputError, match="an empty folder"):
        dx.read_ddxplus(tmp_path / "empty")
    for name in ("release_evidences.json", "release_conditions.json"):
        folder = write_release(tmp_path / name, [GOOD])
        (folder / name).unlink()
        with pytest.raises(dx.InputError, match=f"{name}.*not there"):
            dx.read_ddxplus(folder)


def test_one_part_in_two_forms(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "set", [GOOD])
    write_release(folder, [GOOD], name="release_validate_patients")
    with pytest.raises(dx.InputError, match="keep one of them"):
        dx.read_ddxplus(folder)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"a": 1}', '{"a": {"name": "\\ud800"}}', "[" * 100_000, '{"a": {']
)
@pytest.mark.parametrize("name", ["release_evidences.json", "release_conditions.json"])
def test_damaged_json(tmp_path: Path, name: str, content: str) -> None:
    folder = write_release(tmp_path / "set", [GOOD])
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(dx.InputError, match=name):
        dx.read_ddxplus(folder)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("fievre", {"data_type": "X"}),
        ("fievre", {"name": ""}),
        ("fievre", {"name": "douleur"}),
        ("intens", {"possible-values": None}),
        ("intens", {"possible-values": [[1], {}]}),
        ("intens", {"default_value": 99}),
        ("couleur", {"possible-values": ["NA"]}),
    ],
)
def test_evidences_built_otherwise(tmp_path: Path, code: str, change: dict[str, Any]) -> None:
    evidences = {**EVIDENCES, code: {**EVIDENCES[code], **change}}
    with pytest.raises(dx.InputError, match="evidences"):
        dx.read_ddxplus(write_release(tmp_path / "set", [GOOD], evidences=evidences))


@pytest.mark.parametrize(
    "change", [{"severity": 6}, {"severity": "2"}, {"condition_name": 1}, {"condition_name": "Otite"}]
)
def test_conditions_built_otherwise(tmp_path: Path, change: dict[str, Any]) -> None:
    conditions = {**CONDITIONS, "Grippe": {**CONDITIONS["Grippe"], **change}}
    with pytest.raises(dx.InputError, match="conditions"):
        dx.read_ddxplus(write_release(tmp_path / "set", [GOOD], conditions=conditions))


def test_parents_in_a_circle_end(tmp_path: Path) -> None:
    evidences = json.loads(json.dumps(EVIDENCES))
    evidences["douleur"]["code_question"] = "lesions"
    evidences["lesions"]["code_question"] = "douleur"
    found = states(dx.read_ddxplus(write_release(tmp_path / "set", [GOOD], evidences=evidences)))
    assert "douleur" not in found
    assert found["fievre"] == "present"


def zipped(folder: Path, content: bytes, names: tuple[str, ...] = ("release_test_patients",)) -> Path:
    write_release(folder).joinpath("release_validate_patients.csv").unlink()
    file = folder / "release_test_patients.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return file


def test_a_zip_cut_off_or_damaged(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "set", csv_of([GOOD] * 200).encode())
    raw = whole.read_bytes()
    damaged = bytearray(raw)
    damaged[60:90] = b"\0" * 30
    for content in (raw[: len(raw) // 2], bytes(damaged), b"", b"no zip at all"):
        whole.write_bytes(content)
        with pytest.raises(dx.InputError, match="whole file of patients"):
            dx.read_ddxplus(whole)


def test_a_file_with_a_name_that_is_no_text(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "set", [GOOD, row(AGE="x")])
    odd = os.fsdecode(b"mine\xff\n.csv")
    try:
        file = (folder / "release_validate_patients.csv").rename(folder / odd)
    except OSError:
        pytest.skip("this file system wants names to be text")
    with pytest.raises(dx.RecordsError):
        dx.read_ddxplus(file)
    assert len(dx.read_ddxplus(file, on_error="quarantine", quarantine=tmp_path / "aside.jsonl")) == 1


def test_a_zip_of_several_files(tmp_path: Path) -> None:
    file = zipped(tmp_path / "set", csv_of([GOOD]).encode(), ("a.csv", "../../b.csv"))
    with pytest.raises(dx.InputError, match="found 2 files"):
        dx.read_ddxplus(file)


def test_a_zip_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diagnosis.readers.ddxplus.files._HARMLESS", 1 << 20)
    file = zipped(tmp_path / "set", csv_of([]).encode() + b"0" * (8 << 20))
    with pytest.raises(dx.InputError, match="unfolds to more"):
        dx.read_ddxplus(file)


def test_options_that_are_none(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "set", [GOOD])
    for options in ({"unlisted": "absnt"}, {"options": "some"}, {"lang": "zh"}, {"on_error": "ignore"}):
        with pytest.raises(dx.InputError, match=next(iter(options))):
            dx.read_ddxplus(folder, **options)  # type: ignore[arg-type]
    with pytest.raises(dx.InputError, match="is no encoding"):
        dx.read_ddxplus(folder, encoding="klingon")
    with pytest.raises(dx.InputError, match="encoding"):
        dx.read_ddxplus(folder, encoding="utf-16")
