"""The page on reviewing runs as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.test_readme import run


def test_the_page_runs(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run((checkout / "docs" / "review.md").read_text(encoding="utf-8"), "review.md", {}) == 5
