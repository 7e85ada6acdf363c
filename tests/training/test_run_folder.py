"""The folder of a run is replaced by the same run alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from diagnosis.errors import InputError
from diagnosis.training.run_folder import check_output, new_run_folder


def run_in(folder: Path, name: str, more: str | None = None) -> None:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"name": name}))
    if more:
        (folder / more).write_text("x")


def test_a_new_one_appears_when_it_is_whole(tmp_path):
    target = tmp_path / "a" / "b"
    with new_run_folder(target, "x") as made:
        (made / "run.json").write_text("{}")
        assert not target.exists()
    assert [p.name for p in target.iterdir()] == ["run.json"]
    assert [p.name for p in target.parent.iterdir()] == ["b"]


def test_the_same_run_is_replaced(tmp_path):
    run_in(tmp_path / "a", "x", "evaluation.json")
    with new_run_folder(tmp_path / "a", "x") as made:
        (made / "run.json").write_text('{"name": "x"}')
        assert (tmp_path / "a" / "evaluation.json").exists()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["run.json"]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_an_empty_folder_is_taken(tmp_path):
    with new_run_folder(tmp_path, "x") as made:
        (made / "run.json").write_text("{}")
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_a_link_to_a_folder_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    with new_run_folder(tmp_path / "link", "x") as made:
        (made / "run.json").write_text("{}")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "run.json").exists()


def test_another_run_is_refused(tmp_path):
    run_in(tmp_path / "a", "y")
    with pytest.raises(InputError, match="It holds the run 'y'"):
        check_output(tmp_path / "a", "x")


def test_a_run_with_something_beside_it_is_refused(tmp_path):
    run_in(tmp_path / "a", "x", "my-notes.txt")
    with pytest.raises(InputError, match=r"it holds my-notes\.txt"):
        check_output(tmp_path / "a", "x")


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"na'])
def test_what_is_no_run_is_refused(tmp_path, text):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_text(text)
    with pytest.raises(InputError, match="not the folder of a run"):
        check_output(tmp_path / "a", "x")


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(InputError, match="file of that name"):
        check_output(tmp_path / "a", "x")
    with pytest.raises(InputError, match="not a folder that can be written"):
        check_output(tmp_path / "a" / "b", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="not a folder that can be written"):
        check_output(tmp_path / "a" / "b", "x")


def test_an_error_leaves_nothing(tmp_path):
    def fail() -> None:
        with new_run_folder(tmp_path / "a", "x") as made:
            (made / "half").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
