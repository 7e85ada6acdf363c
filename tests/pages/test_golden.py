"""Golden pages a clinician can read: text of the whole page in both languages.

``DIAGNOSIS_REGENERATE=1`` writes the expected texts anew; read them before they are kept.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from diagnosis.pages import CasePage, render_case
from diagnosis.pages.evidence import total_relative

CASES = Path(__file__).parent / "cases"
NAMES = sorted(folder.name for folder in CASES.iterdir() if (folder / "page.json").exists())
LIMIT = 100_000


def test_there_are_golden_cases() -> None:
    assert len(NAMES) >= 4


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", NAMES)
def test_the_page_reads_as_expected(
    name: str, lang: str, golden: Callable[[str], CasePage], read_html: Callable[[str], Any]
) -> None:
    read = read_html(render_case(golden(name), lang))
    assert read.faults == []
    expected = CASES / name / f"expected_{lang}.txt"
    if os.environ.get("DIAGNOSIS_REGENERATE") == "1":
        expected.write_text(read.text + "\n", encoding="utf-8")
    assert read.text + "\n" == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_small_and_needs_nothing_from_outside(
    name: str, golden: Callable[[str], CasePage], read_html: Callable[[str], Any]
) -> None:
    for lang in ("en", "zh"):
        for fragment in (False, True):
            html = render_case(golden(name), lang, fragment=fragment)
            assert len(html.encode()) < LIMIT
            assert "http" not in html
            assert "url(" not in html
            assert "@import" not in html
            found = read_html(html)
            assert not {e.tag for e in found.elements} & {"script", "link", "img", "iframe", "object", "form"}
            assert not [a for e in found.elements for a in e.attributes if a.startswith("on") or a in ("src", "href")]


@pytest.mark.parametrize("name", NAMES)
def test_every_named_reason_on_the_page_traces_to_its_line(
    name: str, golden: Callable[[str], CasePage], read_html: Callable[[str], Any]
) -> None:
    page = golden(name)
    found = read_html(render_case(page))
    assert len(found.all("p", "dx-for")) == len(found.all("p", "dx-against")) == len(page.suggestions)
    codes: dict[tuple[int, str], list[str]] = {}
    i, side = -1, ""
    for element in found.elements:
        if element.tag == "p" and (css := element.attributes.get("class")) in ("dx-for", "dx-against", "dx-quiet"):
            side = css
            i += css == "dx-for"
        elif element.tag in ("details", "div", "summary"):
            side = ""
        elif "data-code" in element.attributes and side in ("dx-for", "dx-against"):
            codes.setdefault((i, side), []).append(element.attributes["data-code"])
    for (i, side), named in codes.items():
        measured = page.rival_of(page.suggestions[i]) or page.suggestions[i]
        lines = measured.for_ if side == "dx-for" else measured.against
        relative = [next(line.relative for line in lines if line.code == code) for code in named]
        sign = 1 if side == "dx-for" else -1
        assert all(r * sign > 0 for r in relative)
        assert all(abs(a) >= abs(b) for a, b in pairwise(relative))
    if page.recorded:
        assert codes


@pytest.mark.parametrize("name", NAMES)
def test_the_evidence_of_a_golden_case_adds_up_to_its_probability(name: str, golden: Callable[[str], CasePage]) -> None:
    shown = golden(name).suggestions
    weights = [s.probability / math.fsum(t.probability for t in shown) for s in shown]
    mean = math.fsum(w * math.log(s.probability) for w, s in zip(weights, shown, strict=True))
    for s in shown:
        assert total_relative(s) == pytest.approx(math.log(s.probability) - mean, abs=1e-9)
        if (rival := golden(name).rival_of(s)) is not None:
            assert total_relative(rival) == pytest.approx(math.log(rival.ratio), abs=1e-9)
