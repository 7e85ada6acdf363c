"""The configs of the real sets run as they stand (with the fast model), and learn something."""

from __future__ import annotations

from pathlib import Path

import pytest

from diagnosis.training import train

SIZES = {"mz4": 345, "gmd12": 239, "heart4": 920, "appendicitis": 108, "primary_tumor": 85}


@pytest.mark.parametrize("name", SIZES)
def test_it_does_better_than_the_prior(
    name: str, real_data: Path, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    result = train(checkout / "configs" / f"{name}.yaml", ["model.kind=linear", "tracking=null"])
    metrics = result.to_json()["metrics"]
    assert metrics["n"] == SIZES[name]
    assert metrics["log_loss"] < 0.8 * metrics["baseline"]["log_loss"]
    assert metrics["top"]["1"] > 1.3 * metrics["baseline"]["top"]["1"]
    assert result.flow["read"] == result.flow["taken"]
    if name == "heart4":
        assert set(metrics["by"]["site"]) == {"cleveland", "hungarian", "switzerland", "va"}
