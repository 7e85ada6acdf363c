"""A small clinic: 260 cases of 220 patients at two sites, four diagnoses, one of which must not be missed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diagnosis import Case, Finding, Records, write_records

DIAGNOSES = {
    "flu": {"fever": 0.9, "cough": 0.8, "rash": 0.1},
    "measles": {"fever": 0.9, "cough": 0.5, "rash": 0.9},
    "cold": {"fever": 0.1, "cough": 0.7, "rash": 0.05},
    "sepsis": {"fever": 0.8, "cough": 0.3, "rash": 0.4},
}


def _case(i: int, rng: np.random.Generator) -> Case:
    diagnosis = ["flu", "measles", "cold", "sepsis"][i % 4]
    findings = [
        Finding(code, status="present" if rng.random() < p else "absent")
        for code, p in DIAGNOSES[diagnosis].items()
        if rng.random() < 0.9
    ]
    pulse = rng.normal(150 if diagnosis == "sepsis" else 110, 12)
    findings.append(Finding("pulse", value=round(float(pulse), 1), unit="/min"))
    return Case(
        findings,
        case_id=f"c{i:03d}",
        patient_id=f"p{i % 220:03d}",
        age_years=float(rng.integers(1, 90)),
        sex="female" if i % 3 else "male",
        site="north" if i % 5 else "south",
        visit="follow_up" if i % 20 == 0 else "first",
        diagnosis=None if i % 50 == 7 else diagnosis,
    )


@pytest.fixture(scope="session")
def clinic() -> Records:
    rng = np.random.default_rng(7)
    names = {
        "code": list(DIAGNOSES),
        "name": [d.title() for d in DIAGNOSES],
        "must_not_miss": [False, False, False, True],
    }
    return Records.from_cases([_case(i, rng) for i in range(260)], diagnoses=names)


@pytest.fixture(scope="session")
def clinic_folder(clinic: Records, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_records(clinic, tmp_path_factory.mktemp("records") / "clinic", form="csv")


@pytest.fixture
def write_config(tmp_path: Path, clinic_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write a config for the clinic, untracked and with the fast model unless `more` says otherwise."""
    monkeypatch.chdir(tmp_path)

    def write(more: str = "", tracking: str = "null") -> Path:
        text = f"records: {clinic_folder}\nmodel: {{kind: linear}}\ntracking: {tracking}\n{more}"
        path = tmp_path / "clinic.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
