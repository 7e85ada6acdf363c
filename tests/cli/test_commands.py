"""What the command prints, writes and refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.commands import done, invoke, refused

from diagnosis import Records, read_records, write_meds, write_records
from diagnosis.errors import DiagnosisWarning

COMMANDS = ["demo", "check", "convert", "train", "tune", "evaluate", "compare", "suggest", "explain", "config schema"]
RUN = [sys.executable, "-c", "from diagnosis.cli import main; main()"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_with_an_example(command: str):
    text = " ".join(done(*command.split(), "--help").stdout.split())
    assert f"Example: diagnosis {command}" in text


def test_help_names_every_command_and_says_what_it_is_not_for():
    text = done("--help").stdout
    assert all(command.split()[0] in text for command in COMMANDS)
    assert "not for patients" in " ".join(text.split())
    assert "Exit status: 0 done (warnings included); 1 the work failed; 2 bad arguments" in " ".join(text.split())


def test_help_loads_nothing_heavy():
    heavy = "numpy pandas pyarrow sklearn lightgbm shap mlflow matplotlib pydantic"
    code = (
        "import sys; from typer.testing import CliRunner; from diagnosis.cli import app; "
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0; "
        f"sys.exit(','.join(m for m in '{heavy}'.split() if m in sys.modules) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_version():
    assert done("--version").stdout.startswith("diagnosis ")


def test_train_prints_the_evaluation_and_where_the_model_is(config: Path, tmp_path: Path):
    found = done("train", config, "--set", f"output={tmp_path / 'other'}", "--set", "seed=4")
    assert "log-loss" in found.stdout
    assert f"Model: {tmp_path / 'other' / 'bundle'}" in found.stdout
    assert "excluded: label none: 1" in found.stderr


def test_a_run_folder_serves_as_the_model(trained: dict[str, Any], ward_folder: Path):
    run = Path(trained["model"]).parent
    assert "top-1" in done("evaluate", run, ward_folder).stdout


def test_a_report_of_the_evaluation(trained: dict[str, Any], ward_folder: Path, tmp_path: Path):
    file = tmp_path / "report.html"
    found = done("evaluate", trained["model"], ward_folder, "--by", "sex", "--html", file, "--lang", "zh")
    assert f"Report: {file}" in found.stderr
    page = file.read_text(encoding="utf-8")
    assert "概率是否名副其实？" in page
    assert "TRIPOD+AI" in page


def test_suggest_as_a_table(trained: dict[str, Any], ward_folder: Path):
    text = done("suggest", trained["model"], ward_folder, "--case", "002", "--top", 2).stdout
    assert "case 002" in text
    assert any(name in text for name in ("influenza", "measles", "sepsis"))


def test_suggest_into_a_file(trained: dict[str, Any], ward_folder: Path, tmp_path: Path):
    file = tmp_path / "out.jsonl"
    found = done("suggest", trained["model"], ward_folder, "--format", "jsonl", "-o", file)
    assert found.stdout == ""
    assert len(file.read_text(encoding="utf-8").splitlines()) == 242
    assert oct(file.stat().st_mode)[-3:] == "600"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_explain_in_words(trained: dict[str, Any], ward_folder: Path):
    arguments = ("explain", trained["model"], ward_folder, "--case", "002")
    english, chinese = done(*arguments).stdout, done(*arguments, "--lang", "zh").stdout
    assert all(word in english for word in ("For:", "Against:", "Not recorded:", "pulse", "sepsis"))
    assert "Would most change this list" in english
    assert "Would most change" not in done(*arguments, "--questions", 0).stdout
    assert all(word in chinese for word in ("脉搏", "败血症", "支持：", "未记录：", "最可能改变本列表的信息"))
    assert not re.search(r"[a-z]{5,}", chinese), "no English word is left in Chinese"


_FOLD = ("--reveal", "after_answer")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_explain_as_a_page(trained: dict[str, Any], ward_folder: Path, tmp_path: Path, lang: str):
    file = tmp_path / "case.html"
    found = done("explain", trained["model"], ward_folder, "--case", "002", "--html", file, "--lang", lang, *_FOLD)
    assert f"Page: {file}" in found.stderr
    page = file.read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert {"en": "measles", "zh": "麻疹"}[lang] in page
    assert 'class="dx-idea"' in page


def test_check_in_words(ward_folder: Path):
    assert "cases: 242 rows read, 242 loaded, 0 set aside" in done("check", ward_folder).stdout


def test_check_strict_takes_warnings_for_errors(ward_folder: Path):
    assert invoke("check", ward_folder, "--strict").exit_code == 2


def test_check_reports_every_error_and_no_value(ward_folder: Path, tmp_path: Path):
    folder = tmp_path / "bad"
    shutil.copytree(ward_folder, folder)
    with (folder / "findings.csv").open("a", encoding="utf-8") as file:
        columns = (folder / "findings.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
        for row in ({"case_id": "001", "status": "presnt"}, {"case_id": "secret-patient", "status": "absent"}):
            file.write(",".join(({"code": "fever"} | row).get(c, "") for c in columns) + "\n")
    lines = (folder / "cases.csv").read_text(encoding="utf-8").splitlines()
    misspelt = [f"{line},{'agee_years' if i == 0 else 40}" for i, line in enumerate(lines)]
    (folder / "cases.csv").write_text("\n".join(misspelt) + "\n", encoding="utf-8")
    for arguments in (("check", folder), ("check", folder, "--json")):
        found = invoke(*arguments)
        assert found.exit_code == 2
        assert "present" in found.stdout
        assert "age_years" in found.stdout.replace("agee_years", ""), "a warning beside the errors"
        assert "secret-patient" not in found.stdout + found.stderr
    shown = invoke("check", folder, "--show-values")
    assert shown.exit_code == 2
    assert 'case_id "001", code "fever", status "presnt"' in shown.stdout
    assert 'case_id "secret-patient"' in shown.stdout
    assert "rows count from 1, a header not among them" in shown.stdout
    lines = (folder / "findings.csv").read_text(encoding="utf-8").splitlines()
    assert f"  row {len(lines) - 1}: " in shown.stdout, "the last line; row 1 is the line below the header"
    assert "Give one of the two" in refused("check", folder, "--show-values", "--json")


def test_convert_and_back(ward_folder: Path, ward: Records, tmp_path: Path):
    found = done("convert", ward_folder, tmp_path / "made", "--from", "tables")
    assert "242 cases" in found.stdout
    assert read_records(tmp_path / "made").digest() == read_records(ward_folder).digest()
    said = refused("convert", ward_folder, tmp_path / "made", "--from", "tables")
    assert "something in it. name another folder, or empty it first" in said


def test_records_of_another_format_serve_as_tables_do(
    trained: dict[str, Any], ward: Records, ward_folder: Path, tmp_path: Path
):
    meds, model = write_meds(ward, tmp_path / "meds"), trained["model"]
    done("check", meds, "--format", "meds")
    for verb, *more in (["evaluate"], ["suggest", "--format", "jsonl"], ["explain", "--case", "002"]):
        assert done(verb, model, meds, *more, "--from", "meds").stdout == done(verb, model, ward_folder, *more).stdout
    last = done("convert", meds, tmp_path / "last", "--from", "meds", "--option", "index=last")
    assert last.stdout.startswith("0 cases"), "the last event in time begins a case, and the ward has no times"


def test_convert_sets_aside_what_is_wrong_where_a_file_is_named_for_it(ward_folder: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    shutil.copytree(ward_folder, broken)
    with (broken / "findings.csv").open("a", encoding="utf-8") as more:
        more.write("nobody\n")
    assert "findings" in refused("convert", broken, tmp_path / "made", "--from", "tables")
    assert not (tmp_path / "made").exists()
    aside = tmp_path / "aside.jsonl"
    found = done("convert", broken, tmp_path / "made", "--from", "tables", "--quarantine", aside)
    assert "1 set aside" in found.stderr
    assert "nobody" in aside.read_text(encoding="utf-8")
    assert read_records(tmp_path / "made").digest() == read_records(ward_folder).digest()


def test_convert_of_nothing_but_faults_makes_nothing(tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cases.csv").write_text("case_id,sex\na,fmale\n")
    (tmp_path / "in" / "findings.csv").write_text("case_id,code,status\na,cough,present\n")
    aside = tmp_path / "aside.jsonl"
    said = refused("convert", tmp_path / "in", tmp_path / "made", "--from", "tables", "--quarantine", aside)
    assert "all 2 were set aside" in said
    assert not (tmp_path / "made").exists()
    assert len(aside.read_text(encoding="utf-8").splitlines()) == 2


def test_two_models_are_compared_on_the_same_cases(
    trained: dict[str, Any], config: Path, ward: Records, tmp_path: Path
):
    other = done("train", config, "--set", f"output={tmp_path / 'other'}", "--set", "model.C=0.01", "--json").stdout
    from diagnosis import load_diagnoser

    known = load_diagnoser(trained["model"]).training_ids_.seen(ward)
    unseen = write_records(ward[~known], tmp_path / "unseen")
    arguments = ("compare", trained["model"], json.loads(other)["model"], unseen)
    found = json.loads(done(*arguments, "--json", "--metric", "top.1").stdout)
    assert found["primary"] == "top.1"
    assert {one["metric"] for one in found["differences"]} >= {"top.1", "log_loss"}
    assert "top.1" in done(*arguments, "--metric", "top.1").stdout
    every = ("compare", trained["model"], trained["model"], write_records(ward, tmp_path / "all"))
    said = refused(*every)
    assert "trained on" in said
    assert "--on-seen leave_out judges the others alone; --on-seen report" in said
    left = json.loads(done(*every, "--on-seen", "leave_out", "--json").stdout)
    assert (left["n"], left["n_seen"]) == (found["n"], known.sum())
    assert f"{known.sum()} cases of patients trained on left out" in done(*every, "--on-seen", "leave_out").stdout
    with pytest.warns(DiagnosisWarning, match=f"{int(known.sum())} of .* trained on"):
        assert json.loads(done(*every, "--on-seen", "report", "--json").stdout)["n"] > left["n"]


def test_a_folder_of_parquet_is_answered_part_by_part(trained: dict[str, Any], ward: Records, tmp_path: Path):
    import pandas as pd

    model, folder = trained["model"], write_records(ward, tmp_path / "ward", form="parquet")
    found = done("suggest", model, folder, "--format", "parquet", "-o", tmp_path / "answers", "--top", 3)
    assert found.stdout == f"{len(ward):,} cases in 1 parts: {tmp_path / 'answers'}\n"
    lines = done("suggest", model, folder, "--format", "jsonl", "--top", 3).stdout.splitlines()
    table = pd.read_parquet(tmp_path / "answers" / "part-00000.parquet")
    assert table["case_id"].tolist() == [json.loads(line)["case_id"] for line in lines]
    assert [len(ranked) for ranked in table["ranked"]] == [3] * len(ward)
    assert "finished suggestions" in refused(
        "suggest", model, folder, "--format", "parquet", "-o", tmp_path / "answers"
    )
    assert "give -o FOLDER" in refused("suggest", model, folder, "--format", "parquet")


def test_another_encoding(ward_folder: Path, trained: dict[str, Any], tmp_path: Path):
    folder = tmp_path / "gbk"
    shutil.copytree(ward_folder, folder)
    for path in folder.glob("*.csv"):
        path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    assert "--encoding gb18030" in refused("check", folder)
    done("check", folder, "--encoding", "gb18030")
    text = done("suggest", trained["model"], folder, "--encoding", "gb18030", "--case", "002").stdout
    assert "case 002" in text


def test_bad_input_gets_one_message_and_status_2(
    trained: dict[str, Any], ward_folder: Path, config: Path, tmp_path: Path
):
    model = trained["model"]
    assert "nowhere" in refused("check", tmp_path / "nowhere")
    assert "empty folder" in refused("check", tmp_path)
    assert "near" in refused("check", ward_folder, "--format", "tabels").lower()
    assert "tables" in refused("convert", ward_folder, tmp_path / "x", "--from", "fhir5")
    assert "There is no such folder" in refused("suggest", tmp_path / "none", ward_folder)
    assert "No case has that id" in refused("suggest", model, ward_folder, "--case", "xyz")
    assert "table, jsonl, fhir or parquet" in refused("suggest", model, ward_folder, "--format", "xml")
    assert "posterior" in refused("suggest", model, ward_folder, "--reading", "differental")
    assert "Nearest: site" in refused("evaluate", model, ward_folder, "--by", "sitte")
    assert "measles" in refused("explain", model, ward_folder, "--case", "002", "--diagnosis", "measels")
    assert "modle is not a known key" in refused("train", config, "--set", "modle.kind=linear")
    assert "a.b=VALUE" in refused("train", config, "--set", "seed")
    assert "Its folder does not exist" in refused("suggest", model, ward_folder, "-o", tmp_path / "no/where.txt")
    assert "There is a folder of that name" in refused("suggest", model, ward_folder, "-o", tmp_path)
    assert "Nearest: index" in refused("check", ward_folder, "--format", "meds", "--option", "indx=last")
    assert "window_hours" in refused("suggest", model, tmp_path, "--from", "meds", "--option", "window_hours=day")
    assert "Nearest: none" in refused("evaluate", model, tmp_path, "--from", "fhir", "--option", "several=non")
    assert "NAME=VALUE" in refused("convert", tmp_path, tmp_path / "y", "--from", "fhir", "--option", "several")


@pytest.mark.parametrize(
    "arguments", [["bogus"], ["train"], ["suggest", "a"], ["explain", "a", "b"], ["suggest", "a", "b", "--top", "0"]]
)
def test_bad_arguments_are_status_2(arguments: list[str]):
    assert invoke(*arguments).exit_code == 2


def test_a_failure_of_the_work_is_status_1(config: Path):
    text = refused("train", config, "--set", "tracking.uri=http://127.0.0.1:9", status=1)
    assert text.startswith("Failed: The MLflow tracking server http://127.0.0.1:9 must answer")


def test_a_full_disk_is_status_1_and_leaves_nothing(
    trained: dict[str, Any], ward_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("diagnosis.suggestions.Differential.to_json", full)
    text = refused("suggest", trained["model"], ward_folder, "--format", "jsonl", "-o", tmp_path / "x", status=1)
    assert text == "Failed: No space left on device"
    assert list(tmp_path.iterdir()) == []


def test_control_c_is_status_130_and_leaves_nothing(
    trained: dict[str, Any], ward_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("diagnosis.suggestions.Differential.to_json", stop)
    text = refused("suggest", trained["model"], ward_folder, "--format", "jsonl", "-o", tmp_path / "x", status=130)
    assert text.startswith("Stopped")
    assert list(tmp_path.iterdir()) == []


def run(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *map(str, arguments)], capture_output=True, text=True, check=False, **more)


def test_the_process_ends_with_the_status(config: Path, tmp_path: Path):
    wrong = run("train", config, "--set", "sede=1")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("Error: ")
    assert "Traceback" not in wrong.stderr
    assert "seed" in wrong.stderr


def test_an_interrupted_training_leaves_nothing(config: Path, tmp_path: Path):
    output = tmp_path / "runs" / "x"
    # Waits at the step that saves, so that the signal arrives in the middle of the work.
    code = (
        "import time, diagnosis.training.run as r; from diagnosis.cli import main\n"
        "def wait(*_): print('saving', flush=True); time.sleep(60)\n"
        "r._write_json = wait\nmain()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "train", str(config), "--set", f"output={output}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "saving\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=30)
    assert process.returncode == 130
    assert messages.startswith("Stopped")
    assert [path.name for path in output.iterdir()] == [".steps"], "the finished steps, and nothing that looks whole"
