"""The list waits for the reader's own idea: without a script, and without hiding what a rule says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from diagnosis.errors import UnknownNameError
from diagnosis.pages import CasePage, FlagView, LineView, RecordedFinding, check_reveal, render_case, without_list
from diagnosis.pages.environment import style

Plain = Callable[..., CasePage]
Suggest = Callable[..., Any]
VOID = ("input", "meta", "br")


class _Unveiled(HTMLParser):
    """The text outside of what is folded away, and what comes before and after the field under one parent."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.said: list[str] = []
        self.depth_of_field: int | None = None
        self.veiled_at: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = (dict(attrs).get("class") or "").split()
        if "dx-idea" in names:
            self.depth_of_field = len(self.open)
        if "dx-veiled" in names:
            assert self.depth_of_field is not None, "what is folded away comes after the field"
            self.veiled_at.append(len(self.open) - self.depth_of_field)
        if tag not in VOID:
            self.open.append((tag, "dx-veiled" in names))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if not any(veiled or tag in ("style", "title") for tag, veiled in self.open):
            self.said.append(data)


@pytest.fixture
def page(plain: Plain, suggest: Suggest) -> CasePage:
    lines = (LineView(name="rash", code="r", relative=0.7),)
    return plain(
        suggest(1, 0.6, *lines, name="measles", n_train=4),
        suggest(2, 0.3, name="roseola"),
        recorded=(RecordedFinding(name="rash", code="r"),),
        flags=(
            FlagView(kind="red_flag", says={"en": "fever under 28 days", "zh": "新生儿发热"}),
            FlagView(kind="must_not_miss", diagnosis="meningitis", values={"probability": 0.2, "flag_at": 0.1}),
            FlagView(kind="unlisted", says="perhaps none of these"),
        ),
        change={"en": "With a cough, roseola comes first.", "zh": "若有咳嗽，幼儿急疹居首。"},
        abstained=True,
        abstain_reason="too little",
        outcome="rubella",
        set_beyond=("scarlet fever",),
        set_coverage=0.9,
        policy="thresholds for meningitis",
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("fragment", [False, True])
def test_only_record_and_rules_stand_outside_the_fold(page: CasePage, lang: str, fragment: bool) -> None:
    html = render_case(replace(page, reveal="after_answer"), lang, fragment)
    seen = _Unveiled()
    seen.feed(html)
    said = "".join(seen.said)
    for name in ("measles", "roseola", "meningitis", "rubella", "scarlet fever", "perhaps none", "too little"):
        assert name in html, name
        assert name not in said, name
    assert "rash" in said
    assert {"en": "fever under 28 days", "zh": "新生儿发热"}[lang] in said
    assert set(seen.veiled_at) <= {0, 1}  # a sibling of the field, or a child of one: what the style folds
    assert "<script" not in html
    assert not re.search(r"\son[a-z]+=", html)
    field = re.search(r'<label class="dx-ask" for="([^"]+)">', html)
    assert field
    assert html.count(f'id="{field[1]}"') == 1
    assert f'aria-describedby="{field[1]}-how"' in html


def test_the_style_folds_until_something_is_written() -> None:
    for state in (":placeholder-shown", ":invalid", ":focus"):
        for where in (" ~ .dx-veiled", " ~ .dx-columns > .dx-veiled"):
            assert f".dx-page .dx-idea{state}{where}{{display: none}}" in style().replace(" {", "{")


@pytest.mark.parametrize(("idea", "enough"), [("", False), ("m", False), ("  ", False), ("麻疹", True), ("flu", True)])
def test_an_idea_has_two_characters(page: CasePage, idea: str, enough: bool) -> None:
    pattern = re.search(r' pattern="([^"]+)"', render_case(replace(page, reveal="after_answer")))
    assert pattern
    assert bool(re.fullmatch(pattern[1], idea)) == enough


def test_at_once_there_is_no_field(page: CasePage) -> None:
    assert "dx-idea" not in render_case(page).partition("</style>")[2]
    assert check_reveal("at_once") == "at_once"
    with pytest.raises(UnknownNameError, match="after_answer"):
        check_reveal("after_answr")


def test_withheld_nothing_of_the_model_is_in_the_file(page: CasePage) -> None:
    html = render_case(without_list(page))
    for name in ("measles", "roseola", "meningitis", "rubella", "scarlet fever", "perhaps none", "too little", "cough"):
        assert name not in html, name
    assert "fever under 28 days" in html
    assert "rash" in html
    assert "Without suggestions, by choice" in html
