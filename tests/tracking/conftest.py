"""One small diagnoser, and one MLflow database for the whole folder: making one takes seconds."""

from __future__ import annotations

import pytest

from diagnosis import Case, Diagnoser, Finding, Records


@pytest.fixture(scope="session")
def two() -> Records:
    def case(i: int) -> Case:
        fever = (i % 2 == 0) ^ (i % 10 == 3)
        return Case(
            [Finding("fever", status="present" if fever else "absent")],
            case_id=f"case-{i}",
            patient_id=f"patient-{i}",
            site="south" if i % 3 else "north",
            diagnosis=("flu", "cold")[i % 2],
        )

    return Records.from_cases([case(i) for i in range(100)])


@pytest.fixture(scope="session")
def diagnoser(two: Records) -> Diagnoser:
    return Diagnoser(model="linear", folds=2).fit(two)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
