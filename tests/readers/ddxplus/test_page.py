"""What the page on the format shows is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.test_readme import run


def test_the_example_runs(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (checkout / "docs" / "formats" / "ddxplus.md").read_text(encoding="utf-8")
    example = page[page.index("## An example") :]
    monkeypatch.chdir(tmp_path)
    assert run(example, "ddxplus.md", {"__name__": "page"}) == 2
