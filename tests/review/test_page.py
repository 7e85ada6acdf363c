"""The page on reviewing runs as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.test_readme import run

import diagnosis as dx


def test_the_page_runs(checkout: Path, sample: dx.Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dx, "load_sample", lambda: sample[:1000])  # fewer cases, the same page
    page = (checkout / "docs" / "review.md").read_text(encoding="utf-8")
    assert run(page, "review.md", {}) == 6
    folders = list(tmp_path.iterdir())
    assert [one.name[:7] for one in folders] == ["review-"], "a second run finds nothing in its way"
