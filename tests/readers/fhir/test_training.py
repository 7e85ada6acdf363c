"""A config trains directly from FHIR, and the command converts and checks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.cli.commands import done
from tests.readers.fhir.resources import (
    SNOMED,
    bundle,
    concept,
    condition,
    encounter,
    observation,
    patient,
    temperature,
    write,
)

from diagnosis.readers import read_records
from diagnosis.training import train

FLU = concept(SNOMED, "6142004", "Influenza (disorder)")
MEASLES = concept(SNOMED, "14189004", "Measles (disorder)")
RASH = concept(SNOMED, "271807003", "Rash")


def ward(folder: Path, n: int = 60) -> Path:
    """A folder with one bundle a patient; measles come with a rash, influenza with fever alone."""
    rng = np.random.default_rng(0)
    for i in range(n):
        measles = i % 2 == 0
        person: dict[str, Any] = {"reference": f"Patient/p{i}"}
        mine = {"subject": person}
        write(
            folder / f"{i:03}.json",
            bundle(
                patient(f"p{i}", birthDate=f"20{10 + i % 10}-05-01"),
                encounter(f"e{i}", f"p{i}"),
                temperature(f"t{i}", round(float(rng.normal(38.5, 0.6)), 1), of=f"e{i}", **mine),
                observation(f"r{i}", of=f"e{i}", code=RASH, valueBoolean=bool(measles ^ (rng.random() < 0.1)), **mine),
                condition(f"c{i}", MEASLES if measles else FLU, encounter={"reference": f"Encounter/e{i}"}, **mine),
            ),
        )
    return folder


def test_a_config_trains_from_bundles(tmp_path: Path) -> None:
    ward(tmp_path / "bundles")
    config = tmp_path / "run.yaml"
    config.write_text(
        "records: {path: bundles, format: fhir}\nmodel: {kind: linear}\nsplit: {by: patient, test: 0.3}\n"
        f"tracking: null\noutput: {tmp_path / 'out'}\n"
    )
    result = train(config)
    assert result.evaluation.to_json()["top"]["1"] > 0.7
    assert sorted(d for d in result.diagnoser.classes_ if d != "OTHER") == ["SNOMED:14189004", "SNOMED:6142004"]


def test_the_command_converts_and_checks_and_prints_the_account(tmp_path: Path) -> None:
    source = ward(tmp_path / "bundles", 6)
    found = done("convert", source, tmp_path / "tables", "--from", "fhir")
    assert "6 cases with 12 findings" in found.stdout
    assert "note: labels: 6 of 6 cases got a confirmed principal diagnosis" in " ".join(found.stderr.split())
    tables = read_records(tmp_path / "tables")
    assert tables.digest() == read_records(source, format="fhir").digest()
    assert "note: Observation: 12 read: 12 used" in done("check", source, "--format", "fhir").stdout
