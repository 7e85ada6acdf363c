"""A hazard is controlled only as long as the test that shows it exists, and the line of the page is still there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from diagnosis.pages.translations import phrases

ROOT = Path(__file__).parents[2]
HAZARDS = (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", HAZARDS)))


def test_every_hazard_has_a_control_that_is_shown() -> None:
    rows = [line.split("|")[1:-1] for line in HAZARDS.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    assert all(len(row) == 5 and all(cell.strip() for cell in row) for row in rows)
    assert [row[0] for row in rows if "tests/" not in row[4] and "page:" not in row[4]] == []


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_that_shows_a_control_exists(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_quoted_lines_of_the_page_are_phrases() -> None:
    said = [re.sub(r"\{n\}", "N", texts["en"]) for texts in phrases().values()]
    quoted = re.findall(r'page: "([^"…]+)"', HAZARDS)
    assert quoted
    assert [line for line in quoted if not any(line in text for text in said)] == []
