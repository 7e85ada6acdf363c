"""Phrases: both languages, the same places, none unused, and no word in Chinese that claims too much."""

from __future__ import annotations

import re
from importlib.resources import files
from string import Formatter

import pytest

from diagnosis.errors import UnknownNameError
from diagnosis.pages import CasePage, ModelView, render_case, render_review
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
    assert [k for k, texts in phrases().items() if re.search("确诊|排除|诊断为", texts["zh"])] == []


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
