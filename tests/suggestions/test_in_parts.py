"""Suggestions for a folder of Parquet: what is written is what is said, part by part, and stopped work goes on."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tests.small import small_records

from diagnosis import Diagnoser, Records, write_records
from diagnosis.errors import InputError
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


def as_lines(folder: Path) -> list[dict[str, object]]:
    parts = [pd.read_parquet(part) for part in sorted(folder.glob("part-*.parquet"))]
    return [
        {
            "case_id": row.case_id,
            "ranked": [(one["diagnosis"], one["probability"]) for one in row.ranked],
            "set": list(row.set),
            "flags": json.loads(row.flags),
            "abstained": row.abstained,
            "unknown_codes": list(row.unknown_codes),
            "not_used": row.not_used,
        }
        for row in pd.concat(parts).itertuples()
    ]


def test_every_answer_is_that_of_suggest(diagnoser: Diagnoser, cases: Records, source: Path, tmp_path: Path):
    done = suggest_parts(diagnoser, source, tmp_path / "out", top=2, part_cases=20)
    assert (done.n_cases, done.n_parts, done.n_kept) == (50, 3, 0)
    wanted = [one.to_json() for one in diagnoser.suggest(cases, top=2)]
    for found, one in zip(as_lines(done.folder), wanted, strict=True):
        assert found["ranked"] == [(s["diagnosis"], s["probability"]) for s in one["ranked"]]
        assert {k: found[k] for k in found if k != "ranked"} == {k: one[k] for k in found if k != "ranked"}
    about = json.loads((done.folder / "suggestions.json").read_text(encoding="utf-8"))
    assert (about["model"], about["n_cases"], about["n_parts"]) == (diagnoser.fingerprint, 50, 3)
    assert stat.S_IMODE(done.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(part.stat().st_mode) for part in done.folder.glob("part-*")} == {0o600}


def test_plain_answers_are_those_of_differentials_with_every_kind_of_flag():
    records = small_records(320, seed=1, rare=20)
    diagnoser = Diagnoser(model="linear", folds=2, min_cases=3).fit(records[:260])
    strange = small_records(60, seed=12)
    told = PlainAnswers(diagnoser, top=3)(strange)
    assert told == [one.to_json() for one in diagnoser.suggest(strange, top=3)]
    assert told[0]["other"] is not None
    far = replace(diagnoser.neighbours_, far=0.9)  # of most cases none of the few is near, of many none at all
    diagnoser.neighbours_ = far
    told = PlainAnswers(diagnoser)(strange)
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
