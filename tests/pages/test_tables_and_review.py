"""Tables for notebooks, and several cases on one page."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from diagnosis.errors import InputError
from diagnosis.pages import CasePage, SummaryRow, html_table, render_review

Golden = Callable[[str], CasePage]
Read = Callable[[str], Any]


def test_a_table_has_a_caption_headed_rows_and_escaped_cells(read_html: Read) -> None:
    html = html_table(
        [["<script>", 0.81234, 12], ['"><img onerror=', None, math.nan]], ["measure", "value", "<b>n</b>"], "How & why"
    )
    found = read_html(html)
    assert found.faults == []
    assert not found.all("script")
    assert not found.all("img")
    assert not found.all("b")
    assert found.lines == [
        "How & why",
        "measure | value | <b>n</b>",
        "<script> | 0.812 | 12",
        '"><img onerror= | – | –',
    ]
    assert {e.attributes["scope"] for e in found.all("th")} == {"col", "row"}
    assert "dx-num" in next(e for e in found.all("th") if e.text == "value").attributes["class"]


def test_a_table_without_rows_is_still_a_table(read_html: Read) -> None:
    assert read_html(html_table([], ["a", "b"], "Nothing yet")).lines == ["Nothing yet", "a | b"]


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(InputError, match="row 1 has 1 cells"):
        html_table([[1, 2], [3]], ["a", "b"], "ragged")


def test_a_table_shows_numbers_as_asked(read_html: Read) -> None:
    text = read_html(html_table([["a", -0.5, math.inf, True]], ["k", "x", "y", "z"], "c", digits=1)).text
    assert text.endswith("a | −0.5 | inf | True")


@pytest.fixture
def review(golden: Golden) -> Callable[..., str]:
    pages = [
        replace(golden("bronchiolitis"), heading={"en": "An easy case", "zh": "简单病例"}),
        replace(golden("abstains"), heading={"en": "A case it abstains on", "zh": "不作提示的病例"}),
        golden("kawasaki"),
    ]
    rows = [
        SummaryRow({"en": "top-1", "zh": "首位正确率"}, 0.77145, (0.75, 0.79)),
        SummaryRow("log-loss", 0.8),
        SummaryRow({"en": "cases", "zh": "病例数"}, "1,489"),
        SummaryRow("<script>", None),
    ]
    return lambda lang: render_review(
        pages, {"en": "Three cases", "zh": "三个病例"}, rows, lang, intro="Not seen <before>."
    )


def test_a_review_holds_every_case_a_contents_table_and_the_measures(
    review: Callable[..., str], read_html: Read
) -> None:
    found = read_html(review("en"))
    assert found.faults == []
    assert len(found.all("article")) == 3
    links = [e.attributes["href"] for e in found.all("a")]
    ids = [e.attributes["id"] for e in found.elements if "id" in e.attributes]
    assert sorted(ids) == ["dx-case-1", "dx-case-2", "dx-case-3", "dx-contents"]
    assert {link.removeprefix("#") for link in links} == set(ids)
    assert "An easy case | 4 months · male · outpatient | bronchiolitis | 87~% |" in found.text
    assert "A case it abstains on | 57 years · sex unknown | panic disorder | 24~% | abstained, 2 flags" in found.lines
    assert "Case 3 | 3 years 3 months" in found.text
    assert "top-1 | 0.771 | 0.750–0.790" in found.lines
    assert "<script> | – |" in found.text
    assert "Not seen <before>." in found.lines
    assert not found.all("script")


def test_a_review_speaks_chinese_with_the_same_numbers(review: Callable[..., str], read_html: Read) -> None:
    found = read_html(review("zh"))
    assert "首位正确率 | 0.771 | 0.750–0.790" in found.lines
    assert "不作提示的病例 | 57 岁 · 性别不明 | 惊恐障碍 | 24% | 不作提示、2 项注意" in found.lines


def test_a_review_s_headings_descend_by_one(review: Callable[..., str], read_html: Read) -> None:
    levels = [int(e.tag[1]) for e in read_html(review("en")).elements if len(e.tag) == 2 and e.tag[1].isdigit()]
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_a_review_is_one_file_without_anything_from_outside(review: Callable[..., str]) -> None:
    html = review("en")
    assert "http" not in html
    assert "url(" not in html
    assert len(html.encode()) < 300_000


def test_a_review_of_nothing(read_html: Read) -> None:
    found = read_html(render_review([], "Empty"))
    assert found.faults == []
    assert "Empty" in found.lines
    assert not found.all("section", "dx-measures")
