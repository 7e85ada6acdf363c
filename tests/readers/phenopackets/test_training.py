"""A config trains directly from phenopackets; the command converts and checks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.cli.commands import done
from tests.readers.phenopackets.packets import packet, term, write_lines

from diagnosis.readers import read_records
from diagnosis.training import train


def papers(file: Path, n: int = 60) -> Path:
    """Cases of two diseases; a case's paper says nothing about which."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(n):
        chance = 0.9 if i % 2 else 0.2
        features = [
            {"type": term(code)} | ({} if rng.random() < p else {"excluded": True})
            for code, p in (("HP:0001250", chance), ("HP:0001252", 1 - chance), ("HP:0000252", 0.5))
        ]
        disease = {"diseases": [{"term": term("OMIM:1" if i % 2 else "OMIM:2")}]}
        meta = {"metaData": {"externalReferences": [{"id": f"PMID:{i % 12}"}]}}
        made.append(packet(f"case {i}", phenotypicFeatures=features, **disease) | meta)
    return write_lines(file, made)


def test_a_config_trains_from_packets(tmp_path: Path) -> None:
    papers(tmp_path / "packets.ndjson")
    config = tmp_path / "run.yaml"
    config.write_text(
        "records: {path: packets.ndjson, format: phenopackets, options: {several: none}}\nmodel: {kind: linear}\n"
        f"split: {{by: group, test: 0.3}}\ntracking: null\noutput: {tmp_path / 'out'}\n"
    )
    result = train(config)
    assert result.evaluation.to_json()["top"]["1"] > 0.7
    assert sorted(d for d in result.diagnoser.classes_ if d != "OTHER") == ["OMIM:1", "OMIM:2"]


def test_the_command_checks_and_converts(tmp_path: Path) -> None:
    file = papers(tmp_path / "packets.ndjson", 6)
    done("check", file, "--format", "phenopackets")
    done("convert", file, tmp_path / "tables", "--from", "phenopackets")
    assert read_records(tmp_path / "tables").digest() == read_records(file, format="phenopackets").digest()
