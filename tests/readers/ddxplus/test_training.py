"""A config trains directly from a release, split as its authors did, and the command converts it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.cli.commands import done
from tests.readers.ddxplus.release import row, write_release

from diagnosis.readers import read_records
from diagnosis.training import train


def patients(n: int, seed: int) -> list[dict[str, str]]:
    """Otitis comes with pain, influenza with fever alone."""
    rng = np.random.default_rng(seed)
    made = []
    for otitis in rng.random(n) < 0.5:
        pain = ["douleur", "endroit_@_oreille", f"intens_@_{rng.integers(3, 9)}"]
        found = ["fievre", *(pain if otitis ^ (rng.random() < 0.1) else [])]
        made.append(row(PATHOLOGY="Otite" if otitis else "Grippe", EVIDENCES=found, AGE=str(rng.integers(80))))
    return made


def test_a_config_trains_from_a_release(tmp_path: Path) -> None:
    folder = write_release(tmp_path / "ddxplus", patients(60, 0), name="release_train_patients.csv")
    write_release(folder, patients(30, 1), name="release_test_patients.csv")
    config = tmp_path / "run.yaml"
    config.write_text(
        "records: {path: ddxplus, format: ddxplus}\nmodel: {kind: linear}\nsplit: {by: group, test: test}\n"
        f"tracking: null\noutput: {tmp_path / 'out'}\n"
    )
    result = train(config)
    found = result.evaluation.to_json()
    assert found["n"] == 30
    assert found["top"]["1"] > 0.7
    assert sorted(d for d in result.diagnoser.classes_ if d != "OTHER") == ["Grippe", "Otite"]


def test_the_command_converts_and_checks(tmp_path: Path) -> None:
    source = write_release(tmp_path / "ddxplus", patients(8, 0))
    found = done("convert", source, tmp_path / "tables", "--from", "ddxplus")
    assert "8 cases with" in found.stdout
    assert read_records(tmp_path / "tables").digest() == read_records(source, format="ddxplus").digest()
    assert "cases: 8 rows read, 8 loaded" in done("check", source, "--format", "ddxplus").stdout
