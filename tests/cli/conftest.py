"""A small ward: 240 cases at two sites, three diagnoses with Chinese names, and a model trained through the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.commands import done

from diagnosis import Case, Finding, Records, write_records

SHARES = {
    "J11.1": {"fever": 0.9, "cough": 0.8, "rash": 0.1},
    "B05.9": {"fever": 0.9, "cough": 0.5, "rash": 0.9},
    "A41.9": {"fever": 0.7, "cough": 0.2, "rash": 0.3},
}
NAMES = {
    "code": [*SHARES, "Q99.9"],
    "name": ["influenza", "measles", "sepsis", "never trained on"],
    "name_zh": ["流感", "麻疹", "败血症", None],
    "must_not_miss": [False, False, True, False],
}
WORDS = {
    "code": ["fever", "cough", "rash", "pulse"],
    "name": ["fever", "cough", "rash", "pulse"],
    "name_zh": ["发热", "咳嗽", "皮疹", "脉搏"],
}


def ward_case(i: int, rng: np.random.Generator) -> Case:
    diagnosis = [*SHARES][i % 3]
    findings = [
        Finding(code, status="present" if rng.random() < share else "absent")
        for code, share in SHARES[diagnosis].items()
        if rng.random() < 0.9
    ]
    pulse = rng.normal(150 if diagnosis == "A41.9" else 110, 15)
    return Case(
        [*findings, Finding("pulse", value=round(float(pulse), 1), unit="/min")],
        case_id=f"{i:03d}",
        patient_id=f"p{i:03d}",
        age_years=float(rng.integers(0, 90)),
        sex="female" if i % 2 else "male",
        site="north" if i % 4 else "south",
        diagnosis=diagnosis,
    )


@pytest.fixture(scope="session")
def ward() -> Records:
    rng = np.random.default_rng(3)
    cases = [ward_case(i, rng) for i in range(240)]
    odd = Case([Finding("martian fever")], case_id="odd", patient_id="odd", diagnosis="Q99.9")
    empty = Case([], case_id="empty", patient_id="empty")
    return Records.from_cases([*cases, empty, odd], vocabulary=WORDS, diagnoses=NAMES)


@pytest.fixture(scope="session")
def ward_folder(ward: Records, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_records(ward, tmp_path_factory.mktemp("records") / "ward", form="csv")


@pytest.fixture(scope="session")
def config(ward_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "ward.yaml"
    path.write_text(
        f"records: {ward_folder}\nmodel: {{kind: linear}}\nlabels: {{rest: drop}}\ntracking: null\n"
        f"evaluation: {{by: [sex]}}\noutput: {path.parent / 'run'}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="session")
def trained(config: Path) -> dict[str, Any]:
    """The JSON of `diagnosis train --json`."""
    found: dict[str, Any] = json.loads(done("train", config, "--json").stdout)
    return found
