"""Bad input as a clinician meets it, from the records to page, worklist and log: readable, and nothing lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.small import DIAGNOSES, small_records

import diagnosis as dx
from diagnosis.errors import WorkError
from diagnosis.review.panel import known_names

LONG = "pneumonoultramicroscopic" * 12 + "silicosis end"
ARABIC = "التهاب السحايا"


@pytest.fixture(scope="module")
def bare() -> dx.Differential:
    """A list of a model whose records have no vocabulary and no names."""
    given = small_records(150)
    tables = {name: given.arrow(name) for name in ("cases", "findings")}
    records = dx.Records.from_tables(tables, {"format": 1})
    return dx.Diagnoser(model="linear", folds=2).fit(records[:120]).suggest(records[130:131], top=3)[0]


@pytest.fixture(scope="module")
def named() -> list[dx.Differential]:
    """Lists of a model whose diagnoses have a long, an Arabic and a Chinese name."""
    given = small_records(150)
    tables: dict[str, Any] = {name: given.arrow(name) for name in given.names}
    names = [LONG, ARABIC, "细菌性脑膜炎", "gastroenteritis", "asthma"]
    tables["diagnoses"] = {"code": list(DIAGNOSES), "name": names}
    records = dx.Records.from_tables(tables, {"format": 1})
    return dx.Diagnoser(model="linear", folds=2).fit(records[:120]).suggest(records[130:136], top=5)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_without_a_vocabulary_codes_stand_for_names(bare: dx.Differential, lang: str) -> None:
    page = bare.to_html(lang)
    assert all(f"<bdi>{one.diagnosis}</bdi>" in page for one in bare.ranked)
    assert ">stiff_neck<" in page or ">cough<" in page
    assert bare.ranked[0].diagnosis in dx.worklist([bare]).to_html(lang)
    assert known_names(bare, lang)["B05.9"] == "B05.9"


def test_long_arabic_and_chinese_names_go_all_the_way(named: list[dx.Differential], tmp_path: Path) -> None:
    waiting = dx.worklist(named)
    index = waiting.save(tmp_path / "list").read_text(encoding="utf-8")
    pages = [one.to_html() for one in named]
    assert all(f"<bdi>{name}</bdi>" in page for page in pages for name in (LONG, ARABIC, "细菌性脑膜炎"))
    assert all(f"<bdi>{one.ranked[0].name}</bdi>" in index for one in named)
    log = dx.ReviewLog(tmp_path / "reviews.db")
    for name, code in ((LONG, "J11.1"), (ARABIC, "B05.9"), ("细菌性脑膜炎", "G00.9")):
        assert log.add(named[0], reviewer="د. علي", verdict="other", diagnosis=name).diagnosis == code
    assert [one.reviewer for one in log] == ["د. علي"] * 3
    assert log.verify()


def test_a_value_in_a_disagreeing_unit_is_shown_and_said_not_to_be_used(named: list[dx.Differential]) -> None:
    diagnoser = named[0].diagnoser
    odd = dx.Finding("LOINC:8310-5", value=39.4, unit="kg")
    case = dx.Case(age_years=4, sex="female", findings=[odd, dx.Finding("rash"), dx.Finding("cough")])
    page = diagnoser.suggest(case).to_html()
    assert "39.4\u00a0kg" in page
    assert "Values whose unit does not convert were not used: " in page


def test_a_folder_that_may_not_be_written_to(
    named: list[dx.Differential], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        with pytest.raises(WorkError, match=r"cannot be made: Permission denied\. Use a folder"):
            dx.ReviewLog(tmp_path / "reviews.db")
        patched.setattr(Path, "mkdir", refuse)
        with pytest.raises(WorkError, match=r"cannot be written: Permission denied\. Use a folder"):
            dx.worklist(named).save(tmp_path / "list")
    monkeypatch.chdir(tmp_path)
    assert "What it could be" in named[0]._repr_html_()
    assert list(tmp_path.iterdir()) == [], "a page in a notebook writes no file"
