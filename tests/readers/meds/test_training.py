"""A config trains directly from MEDS, with the window it states; the command converts and checks it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cli.commands import done
from tests.readers.meds.folders import event, table_of, write_folder

from diagnosis.errors import DiagnosisError
from diagnosis.readers import read_records
from diagnosis.training import train


def ward(folder: Path, n: int = 60) -> Path:
    """Stays of two kinds; the cough and the value before admission tell them apart, what comes after does too well."""
    rng = np.random.default_rng(0)
    events = []
    for i in range(n):
        flu = i % 2 == 0
        events += [
            event(i, None, "GENDER//F" if i % 3 else "GENDER//M"),
            event(i, f"19{50 + i % 40}-01-01", "MEDS_BIRTH"),
            event(i, "2024-01-01T08:00", "LAB//CRP//mg/L", float(rng.normal(10 if flu else 90, 20))),
            *([event(i, "2024-01-01T09:00", "COUGH")] if rng.random() < (0.9 if flu else 0.3) else []),
            event(i, "2024-01-01T10:00", "HOSPITAL_ADMISSION//EMERGENCY"),
            event(i, "2024-01-01T12:00", "WARD//FLU" if flu else "WARD//PNEUMONIA", 1.0),
            event(i, "2024-01-05", "DIAGNOSIS//ICD//10//" + ("J11" if flu else "J18")),
            event(i, "2024-01-05", "HOSPITAL_DISCHARGE//HOME"),
        ]
    return write_folder(folder, {"0": table_of(events)})


def test_a_config_states_the_window(tmp_path: Path) -> None:
    ward(tmp_path / "meds")
    config = tmp_path / "run.yaml"
    config.write_text(
        "records:\n  path: meds\n  format: meds\n  options: {index: HOSPITAL_ADMISSION//*, window_hours: 24}\n"
        "model: {kind: linear}\nsplit: {by: patient, test: 0.3}\n"
        f"tracking: null\noutput: {tmp_path / 'out'}\n"
    )
    result = train(config)
    assert result.evaluation.to_json()["top"]["1"] > 0.7
    names = " ".join(result.diagnoser.encoder_.get_feature_names_out())
    assert "COUGH" in names
    assert "WARD" not in names, "what came after the index event teaches nothing"


def test_options_of_a_config_are_checked(tmp_path: Path) -> None:
    folder = ward(tmp_path / "meds", 4)
    with pytest.raises(DiagnosisError, match="window_hours"):
        read_records(folder, format="meds", options={"windows_hours": 24})
    with pytest.raises(DiagnosisError, match="diagnosis"):
        read_records(folder, format="meds", options={"codes": {"diagnoses": ["A"]}})
    made = read_records(folder, format="meds", options={"codes": {"diagnosis": ["WARD//*"], "sex": "GENDER//*"}})
    assert set(made.frame("labels").diagnosis) == {"WARD//FLU", "WARD//PNEUMONIA"}
    assert "male" in made.column("sex").tolist()


def test_the_command_checks_and_converts(tmp_path: Path) -> None:
    folder = ward(tmp_path / "meds", 6)
    done("check", folder, "--format", "meds")
    done("convert", folder, tmp_path / "tables", "--from", "meds")
    assert read_records(tmp_path / "tables").digest() == read_records(folder, format="meds").digest()
