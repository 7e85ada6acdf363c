"""Phrases: both languages, the same places, none unused, and no word in Chinese that claims too much."""

from __future__ import annotations

import re
from importlib.resources import files
from string import Formatter

import pytest

from diagnosis.errors import UnknownNameError
from diagnosis.pages import CasePage, ModelView, render_case, render_review
from diagnosis.pages.report_language import ReportLanguage, catalogue
from diagnosis.pages.translations import LANGUAGES, phrases

ROOM = files("diagnosis.pages")


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(phrases()))
def test_a_phrase_speaks_both_languages_with_the_same_places(key: str) -> None:
    texts = phrases()[key]
    assert tuple(texts) == LANGUAGES
    assert _places(texts["en"]) == _places(texts["zh"])


def test_chinese_never_claims_to_confirm_or_to_exclude() -> None:
    said = [texts["zh"] for texts in phrases().values()] + list(catalogue().values())
    assert [text for text in said if re.search("确诊|排除|诊断为", text)] == []


def test_the_catalogue_of_the_report_carries_every_place_over_and_ends_no_sentence() -> None:
    assert [key for key, said in catalogue().items() if _places(key) != _places(said)] == []
    assert [key for key, said in catalogue().items() if key.endswith(".") or said.endswith("。")] == []


def test_a_report_keeps_what_it_has_no_word_for() -> None:
    chinese = ReportLanguage("zh", {"measles": "麻疹", "Influenza with fever": "流感伴发热"})
    assert chinese("Of the 3 cases with “measles”, 99% have it.") == "Of the 3 cases with “measles”, 99% have it."
    assert chinese("By ward") == "按ward"
    assert chinese("Not updated. Something new; no one knows.") == "未更新。Something new；no one knows."
    assert chinese("Influenza wit…") == "流感伴发热"
    assert ReportLanguage("zh", {"a" * 90: "甲" * 90})("a" * 33 + "…") == "甲" * 33 + "…"
    assert chinese("sex, age_band") == "性别、年龄段"
    assert chinese("0.123") == "0.123"
    assert ReportLanguage("en")("measles, index") == "measles, index"


def test_english_never_claims_to_confirm_or_to_rule_out() -> None:
    said = {k: texts["en"].lower() for k, texts in phrases().items()}
    assert [k for k, text in said.items() if re.search("rules? out|ruled out|confirm", text)] == []
    assert [k for k, text in said.items() if "exclude" in text] == ["fixed.reassuring"]


def test_no_phrase_is_unused() -> None:
    names = [entry.name for entry in ROOM.iterdir() if entry.name.endswith(".py")]
    source = "".join(ROOM.joinpath(name).read_text(encoding="utf-8") for name in names)
    folder = ROOM.joinpath("templates")
    source += "".join(e.read_text(encoding="utf-8") for e in folder.iterdir() if e.name.endswith(".j2"))
    built = ("sex.", "setting.", "unit.", "flag.", "reading.", "mark.", "test.", "answer.", "state.", "recorded.")
    built += ("moment.", "lead.", "none.", "trust.", "context.", "questions.", "phase.", "plot.", "global.", "panel.")
    built += ("split.",)
    unused = [
        key
        for key in phrases()
        if not key.startswith(built) and f'"{key.removesuffix(".one").removesuffix(".many")}"' not in source
    ]
    assert [k for k in unused if f"'{k.removesuffix('.one').removesuffix('.many')}'" not in source] == []


def test_another_language_is_refused_with_what_there_is() -> None:
    page = CasePage(model=ModelView(name="m"), suggestions=())
    with pytest.raises(UnknownNameError, match="en, zh"):
        render_case(page, "fr")
    with pytest.raises(UnknownNameError, match="en, zh"):
        render_review([page], "title", lang="zh-CN")
