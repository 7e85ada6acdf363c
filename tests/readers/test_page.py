"""The page on tables runs as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.test_readme import run


def test_the_example_runs(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (checkout / "docs" / "formats" / "tables.md").read_text(encoding="utf-8")
    assert run(text, "tables.md", {}) == 2
