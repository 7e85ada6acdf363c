"""The MLflow model: it answers as the diagnoser does, and refuses what it cannot read without repeating it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from tests.small import small_records

from diagnosis import Diagnoser, Records, write_records
from diagnosis.tracking.packaging import example_of, write_model

CASE = {
    "case_id": "001",
    "age_years": 4,
    "sex": "female",
    "findings": [
        {"code": "cough", "status": "absent"},
        {"code": "皮疹", "status": "present"},
        {"code": "LOINC:8310-5", "value": 39.4, "unit": "Cel"},
    ],
}


@pytest.fixture(scope="module")
def fitted() -> Diagnoser:
    return Diagnoser(model="linear", folds=2).fit(small_records(120))


@pytest.fixture(scope="module")
def folder(fitted: Diagnoser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served")
    bundle = fitted.save(place / "bundle")
    return write_model(fitted, bundle, place / "model")


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    import mlflow.pyfunc

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        for name in ("load", "loads", "Unpickler"):
            patch.setattr(pickle, name, None)
        return mlflow.pyfunc.load_model(str(folder))


def as_table(records: Records) -> pd.DataFrame:
    cases, findings = (records.arrow(name).to_pandas() for name in ("cases", "findings"))
    findings["case_id"] = records.case_ids.repeat(records.coded.offsets[1:] - records.coded.offsets[:-1])
    beside = cases[["case_id", "patient_id", "age_years", "sex", "site", "time"]].rename(columns={"time": "case_time"})
    return findings.merge(beside, on="case_id")


def test_a_table_of_findings_is_answered_as_the_records_are(model: Any):
    records = small_records(40, seed=3)
    found = model.predict(as_table(records), params={"top": 2})
    diagnoser = model.unwrap_python_model().diagnoser  # the served one, which knows no training ids
    assert found == [one.to_json() for one in diagnoser.suggest(records, top=2) if one.case_id in set(_ids(found))]
    assert len(found) > 35  # a case without a finding has no row


def _ids(found: list[dict[str, Any]]) -> list[str]:
    return [one["case_id"] for one in found]


@pytest.mark.parametrize(
    "given",
    [
        {"cases": [CASE]},
        [CASE],
        pd.DataFrame([CASE]),
        pd.DataFrame(
            {
                "case_id": ["001"] * 3,
                "code": ["cough", "rash", "LOINC:8310-5"],
                "status": ["absent", "present", "present"],
                "value": [None, None, 39.4],
                "unit": [None, None, "Cel"],
                "age_years": [4] * 3,
                "sex": ["female"] * 3,
            }
        ),
    ],
)
def test_every_shape_of_a_case_gets_the_same_answer(model: Any, given: Any):
    (found,) = model.predict(given)
    (by_hand,) = model.predict({"cases": [CASE]})
    assert found == by_hand
    assert found["case_id"] == "001"
    assert {"B05.9", "G00.9"} == {one["diagnosis"] for one in found["ranked"][:2]}  # a rash and fever, no cough
    assert {"set", "flags", "must_not_miss", "abstained"} <= set(found)


def test_explanations_come_where_they_are_asked_for(model: Any):
    (found,) = model.predict({"cases": [CASE]}, params={"explain": True, "top": 1})
    assert [s["diagnosis"] for s in found["explained"]["suggestions"]] == [s["diagnosis"] for s in found["ranked"]]
    assert "explained" not in model.predict({"cases": [CASE]})[0]


def test_cases_without_an_id_are_numbered_and_no_case_is_no_answer(model: Any):
    assert _ids(model.predict({"cases": [{"findings": []}, {"sex": "male"}]})) == ["1", "2"]
    assert model.predict({"cases": []}) == []


SECRET = "Jane-Doe-4711"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (5, "case_id, code, status"),
        (pd.DataFrame({"case_id": ["1"], "cod": [SECRET], "status": ["present"]}), "it has no code"),
        (pd.DataFrame({"case_id": ["1"], "code": ["cough"], "status": [SECRET]}), r"findings\.status"),
        (pd.DataFrame({"case_id": [None], "code": ["cough"], "status": ["absent"]}), "Row 1 has none"),
        (
            pd.DataFrame(
                {"case_id": ["1", "1"], "code": ["cough", "rash"], "status": ["absent"] * 2, "sex": ["a", "b"]}
            ),
            "sex differs within a case",
        ),
        (pd.DataFrame({"case_id": ["1"], "code": [["cough"]], "status": ["absent"]}), "code is one value. Row 1 holds"),
        ({"cases": [{"findings": [{"code": "cough", "status": None}]}]}, "status of finding 1 of case 1 is one of"),
        ({"cases": [{"age_years": 10**400}]}, "age_years is a finite number"),
        ({"cases": [{"findings": [{"code": "cough", "value": 10**400}]}]}, "value of a finding is a finite number"),
        ({"cases": {"case_id": SECRET}}, "case_id|findings"),
        ({"cases": [SECRET]}, "case 1 is a mapping of keys. Found text"),
        ({"cases": [{"age_yeers": 4}]}, "Nearest: age_years"),
        ({"cases": [{"age_years": SECRET}]}, "age_years is a finite number"),
        ({"cases": [{"age_years": [4]}]}, "age_years|text or a number"),
        ({"cases": [{"findings": {"cough": SECRET}}]}, "findings of case 1 are a list. Found a mapping"),
        ({"cases": [{"findings": [SECRET]}]}, "finding 1 of case 1 is a mapping"),
        ({"cases": [{"findings": [{"status": "absent"}]}]}, "finding 1 of case 1 has a code"),
        ({"cases": [CASE, {"findings": [{"code": "rash", "status": SECRET}]}]}, "In finding 1 of case 2"),
        ({"cases": [{"findings": [{"code": "rash", "state": "absent"}]}]}, "Nearest: start, status"),
        ({"cases": [{"diagnosis": SECRET}]}, "Not among them: diagnosis"),
    ],
)
def test_a_wrong_shape_is_refused_clearly_and_never_repeated(model: Any, given: Any, said: str):
    from diagnosis.tracking.served_model import InputRefused

    with pytest.raises(InputRefused, match=said) as caught:
        model.predict(given)
    assert SECRET not in str(caught.value)
    caught.value.message = f"Failed to predict data {SECRET}"  # as MLflow's server does
    assert SECRET not in caught.value.serialize_as_json()
    assert caught.value.get_http_status_code() == 400


def test_the_folder_holds_no_path_no_pickle_and_nothing_that_stays_at_the_site(folder: Path):
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"MLmodel", "model_code.py", "requirements.txt", "artifacts/bundle/manifest.json"} <= files
    assert not [name for name in files if "local" in name or name.endswith((".pkl", ".joblib"))]
    assert str(folder.parent) not in (folder / "MLmodel").read_text(encoding="utf-8")


def test_the_example_is_made_from_the_words_and_fits_the_signature(model: Any, fitted: Diagnoser, folder: Path):
    example = example_of(fitted)
    assert [row["status"] for row in example] == ["present", "absent"]
    assert {row["case_id"] for row in example} == {"1"}
    assert _ids(model.predict(pd.DataFrame(example))) == ["1"]
    names = [one["name"] for one in json.loads(yaml.safe_load((folder / "MLmodel").read_text())["signature"]["inputs"])]
    assert {"case_id", "code", "status", "value", "age_years", "cases"} <= set(names)
    assert "diagnosis" not in names
    assert model.input_example.to_dict("records") == example


def test_a_changed_file_of_a_served_model_is_refused(fitted: Diagnoser, tmp_path: Path):
    import mlflow.pyfunc

    from diagnosis.errors import BundleError

    made = write_model(fitted, fitted.save(tmp_path / "bundle"), tmp_path / "model")
    with (made / "artifacts" / "bundle" / "encoder.json").open("a") as file:
        file.write(" ")
    with pytest.raises(BundleError, match=r"encoder\.json was changed"):
        mlflow.pyfunc.load_model(str(made))


def test_records_written_as_parquet_are_answered_part_by_part(model: Any, tmp_path: Path):
    records = small_records(30, seed=5)
    write_records(records, tmp_path / "records", form="parquet")
    table = pd.read_parquet(tmp_path / "records" / "findings.parquet")
    assert len(model.predict(table)) == table["case_id"].nunique()
