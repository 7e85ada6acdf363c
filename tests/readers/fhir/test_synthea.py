"""The development bundles: every resource accounted for, every number what plain JSON counts."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.readers.fhir.resources import note

from diagnosis.readers import read_fhir


@pytest.fixture(scope="module")
def resources(real_data: Path) -> list[dict[str, Any]]:
    with gzip.open(real_data / "synthea" / "bundles.ndjson.gz", "rt", encoding="utf-8") as lines:
        return [entry["resource"] for line in lines for entry in json.loads(line)["entry"]]


def test_the_account_of_synthea(real_data: Path, resources: list[dict[str, Any]]) -> None:
    records = read_fhir(real_data / "synthea")
    types = Counter(r["resourceType"] for r in resources)
    for kind in ("Patient", "Encounter", "Condition", "Observation", "Procedure"):
        assert note(records, kind) == f"{types[kind]:,} read: {types[kind]:,} used"
    assert len(records) == types["Encounter"] == 1066
    assert not records.report.errors
    by_encounter = defaultdict(list)
    for one in resources:
        if one["resourceType"] == "Condition":
            by_encounter[one["encounter"]["reference"]].append(one["code"]["text"])
    diseases = [
        names for names in by_encounter.values() if any(not n.endswith(("(finding)", "(situation)")) for n in names)
    ]
    assert sum(y is not None for y in records.y) == len(diseases) == 316
    says = note(records, "labels")
    assert "316 of 1,066 cases got a confirmed principal diagnosis (316 by Conditions that name the encounter)" in says
    assert "750 did not (725 no Condition; 25 only findings or situations)" in says


def test_values_of_synthea_are_those_of_the_file(real_data: Path, resources: list[dict[str, Any]]) -> None:
    records = read_fhir(real_data / "synthea")
    observations = [r for r in resources if r["resourceType"] == "Observation"]
    parts = [p for o in observations for p in (o, *o.get("component", ()))]
    values = sorted(p["valueQuantity"]["value"] for p in parts if "valueQuantity" in p)
    findings = records.frame("findings")
    assert sorted(findings["value"].dropna()) == pytest.approx(values)
    assert set(findings["unit"].dropna()) == {p["valueQuantity"]["code"] for p in parts if "valueQuantity" in p}
    assert (findings["status"] == "absent").sum() == 0
