"""Suggestions for a folder of Parquet: what is written is what is said, part by part, and stopped work goes on."""

from __future__ import annotations

import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.small import small_records

from diagnosis import Case, Diagnoser, Finding, Records, write_records
from diagnosis.errors import InputError, RecordsError
from diagnosis.suggestions import in_parts
from diagnosis.suggestions.in_parts import suggest_parts
from diagnosis.suggestions.plain_answers import PlainAnswers


@pytest.fixture(scope="module")
def diagnoser() -> Diagnoser:
    return Diagnoser(model="linear", folds=2).fit(small_records(120))


@pytest.fixture(scope="module")
def cases() -> Records:
    return small_records(50, seed=9)


@pytest.fixture(scope="module")
def source(cases: Records, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_records(cases, tmp_path_factory.mktemp("source") / "records", form="parquet")


def as_written(table: pa.Table) -> list[dict[str, object]]:
    return [{"schema": 1, **row, "flags": json.loads(row["flags"])} for row in table.to_pylist()]


def as_lines(folder: Path) -> list[dict[str, object]]:
    return as_written(pa.concat_tables(map(pq.read_table, sorted(folder.glob("part-*.parquet")))))


def test_every_answer_is_that_of_suggest(diagnoser: Diagnoser, cases: Records, source: Path, tmp_path: Path):
    done = suggest_parts(diagnoser, source, tmp_path / "out", top=2, part_cases=20)
    assert (done.n_cases, done.n_parts, done.n_kept) == (50, 3, 0)
    assert as_lines(done.folder) == [one.to_json() for one in diagnoser.suggest(cases, top=2)]
    about = json.loads((done.folder / "suggestions.json").read_text(encoding="utf-8"))
    assert (about["model"], about["n_cases"], about["n_parts"]) == (diagnoser.fingerprint, 50, 3)
    assert stat.S_IMODE(done.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(part.stat().st_mode) for part in done.folder.glob("part-*")} == {0o600}


def test_plain_answers_are_those_of_differentials_with_every_kind_of_flag():
    records = small_records(320, seed=1, rare=20)
    diagnoser = Diagnoser(model="linear", folds=2, min_cases=3).fit(records[:260])
    strange = small_records(60, seed=12)
    told = as_written(PlainAnswers(diagnoser, top=3)(strange))
    assert told == [one.to_json() for one in diagnoser.suggest(strange, top=3)]
    assert told[0]["other"] is not None
    far = replace(diagnoser.neighbours_, far=0.9)  # of most cases none of the few is near, of many none at all
    diagnoser.neighbours_ = far
    told = as_written(PlainAnswers(diagnoser)(strange))
    assert told == [one.to_json() for one in diagnoser.suggest(strange)]
    assert any(flag["kind"] == "unlike_training" for one in told for flag in one["flags"])


def test_work_that_was_stopped_goes_on_with_the_next_part(
    diagnoser: Diagnoser, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, write = tmp_path / "out", in_parts.write_parquet

    def full(table: object, path: Path) -> None:
        write(table, path)
        if "00002" in path.name:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(in_parts, "write_parquet", full)
        with pytest.raises(OSError, match="No space left"):
            suggest_parts(diagnoser, source, out, part_cases=20)
    assert sorted(p.name for p in out.iterdir()) == ["part-00000.parquet", "part-00001.parquet", "unfinished.json"]
    with pytest.raises(InputError, match="of another model, of other records or with other options"):
        suggest_parts(diagnoser, source, out, part_cases=20, top=1)
    done = suggest_parts(diagnoser, source, out, part_cases=20)
    assert (done.n_parts, done.n_kept) == (3, 2)
    whole = suggest_parts(diagnoser, source, tmp_path / "whole", part_cases=20)
    for part in sorted(whole.folder.glob("part-*")):
        assert (out / part.name).read_bytes() == part.read_bytes()
    assert not (out / "unfinished.json").exists()


def test_what_is_in_the_way_is_left_alone(diagnoser: Diagnoser, source: Path, tmp_path: Path):
    suggest_parts(diagnoser, source, tmp_path / "done")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    for place, said in (("done", "finished suggestions"), ("file", "a file of that name"), ("other", "something else")):
        with pytest.raises(InputError, match=said):
            suggest_parts(diagnoser, source, tmp_path / place)


def test_findings_in_any_order_are_answered_alike_also_where_it_was_stopped(
    diagnoser: Diagnoser, cases: Records, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mixed = tmp_path / "mixed"
    shutil.copytree(source, mixed)
    (part,) = mixed.glob("findings*")
    (part,) = sorted(part.rglob("*.parquet")) if part.is_dir() else [part]
    rows = pq.read_table(part)
    # The last case has a row before all others, and the first one behind them: seen once all parts were read.
    pq.write_table(rows.take([*range(1, len(rows)), 0]), part)
    out, write = tmp_path / "out", in_parts.write_parquet

    def stopped(table: object, path: Path) -> None:
        if "00001" in path.name and len(written) < 3:
            raise KeyboardInterrupt
        written.append(path.name)
        write(table, path)

    written: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(in_parts, "write_parquet", stopped)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                suggest_parts(diagnoser, mixed, out, part_cases=20)
    assert written == [".part-00000.parquet.partial"] * 2  # the first was thrown away
    done = suggest_parts(diagnoser, mixed, out, part_cases=20)
    assert (done.n_parts, done.n_kept) == (3, 1)
    assert as_lines(out) == [one.to_json() for one in diagnoser.suggest(cases)]
    assert {path.suffix for path in out.iterdir()} == {".parquet", ".json"}


def test_a_contradiction_is_refused_as_in_reading_and_a_course_is_not(diagnoser: Diagnoser, tmp_path: Path):
    def folder(name: str, *hours: int) -> Path:
        times = [f"2024-01-01T{hour:02}:00:00Z" for hour in hours]
        findings = [Finding("fever", s, time=t) for s, t in zip(("present", "absent"), times, strict=True)]
        records = Records.from_cases([Case(findings[:1], case_id="a"), Case(findings, case_id="b")])
        return write_records(records, tmp_path / name, form="parquet")

    assert suggest_parts(diagnoser, folder("course", 8, 9), tmp_path / "answered").n_cases == 2
    (part,) = (wrong := folder("wrong", 8, 9)).glob("findings*.parquet")
    rows = pq.read_table(part)
    pq.write_table(rows.set_column(rows.column_names.index("time"), "time", rows["time"].take([0, 1, 1])), part)
    with pytest.raises(RecordsError, match="present and absent at the same instant"):
        suggest_parts(diagnoser, wrong, tmp_path / "refused")
