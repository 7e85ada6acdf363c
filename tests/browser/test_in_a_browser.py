"""Pages in headless Chromium: nothing overflows, nothing is fetched, nothing complains, axe finds no violation.

`make test-browser` runs them; DIAGNOSIS_AXE names the file axe.min.js.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.browser.browser import WIDTHS, chromium, look
from tests.pages.conftest import CASES, page_in
from tests.small import small_records

import diagnosis as dx
from diagnosis.pages import render_case, without_list

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif("DIAGNOSIS_BROWSER" not in os.environ, reason="opens a browser: run make test-browser"),
    pytest.mark.skipif(chromium() is None, reason="no Chromium was found"),
]


def rendered() -> dict[str, str]:
    """Every kind of page, in every language it has."""
    made = {}
    train, test = dx.split(small_records(200), by="patient", test_size=0.3, seed=0)
    diagnoser = dx.Diagnoser(model="linear", folds=2).fit(train)
    waiting = dx.worklist(diagnoser.suggest(test[:20]), withhold=0.2)
    for lang in ("en", "zh"):
        golden = {path.name: page_in(path) for path in sorted(CASES.iterdir())}
        made |= {f"{name} {lang}": render_case(page, lang) for name, page in golden.items()}
        made[f"folded {lang}"] = render_case(replace(golden["kawasaki"], reveal="after_answer"), lang)
        made[f"withheld {lang}"] = render_case(without_list(golden["kawasaki"]), lang)
        made[f"worklist {lang}"] = waiting.to_html(lang)
        made[f"folded worklist {lang}"] = waiting.to_html(lang, reveal="after_answer")
    report = dx.report(diagnoser, test, title="In a browser")
    return made | {f"report {lang}": report.to_html(lang) for lang in ("en", "zh")}


@pytest.fixture(scope="module", params=["light", "dark"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[str]]:
    axe = os.environ.get("DIAGNOSIS_AXE", "")
    source = Path(axe).read_text(encoding="utf-8") if axe and Path(axe).is_file() else None
    return look(rendered(), tmp_path_factory.mktemp("browser"), dark=request.param == "dark", axe=source)


def test_nothing_overflows_is_fetched_or_complains(seen: tuple[list[Any], list[str]]) -> None:
    frames, console = seen
    assert {frame["width"] for frame in frames} == set(WIDTHS)
    assert [frame for frame in frames if "error" in frame] == []
    assert [(f["name"], f["width"], f["overflow"]) for f in frames if f["overflow"]] == []
    assert [f["requests"] for f in frames if f["requests"]] == []
    assert console == []


def test_the_list_opens_when_an_idea_is_written_and_closes_again(seen: tuple[list[Any], list[str]]) -> None:
    folded = [frame["folded"] for frame in seen[0] if "folded" in frame]
    assert len(folded) == 2 * len(WIDTHS)
    assert folded == [[0, 0, 2, 0]] * len(folded)


def test_axe_finds_no_violation(seen: tuple[list[Any], list[str]]) -> None:
    looked = [frame for frame in seen[0] if "axe" in frame]
    if not looked:
        pytest.skip("axe-core is not there: DIAGNOSIS_AXE names no axe.min.js")
    assert min(frame["passes"] for frame in looked) > 10
    assert [(frame["name"], frame["axe"]) for frame in looked if frame["axe"]] == []
