"""The ranker inside a diagnoser: explained, saved, chosen by `auto`, and told of a diagnosis it has no case of."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small import small_records

from diagnosis import Case, Diagnoser, Finding, Records, load_diagnoser
from diagnosis.errors import ConfigError, DiagnosisWarning, InputError
from diagnosis.models import RankerModel
from diagnosis.training import read_config
from diagnosis.training.building import build_diagnoser
from diagnosis.training.knowledge import with_knowledge
from diagnosis.training.schema import Config

MUMPS = {
    "diagnosis": ["mumps"] * 5,
    "code": ["cough", "rash", "stiff_neck", "vomiting", "wheeze"],
    "p_present": [0.05, 0.02, 0.9, 0.9, None],
    "n": [None, None, None, None, 475.0],
    "n_total": [500.0] * 5,
}
UNHEARD = Case(
    age_years=8,
    findings=[
        *(Finding(code) for code in ("stiff_neck", "vomiting", "wheeze")),
        *(Finding(code, status="absent") for code in ("cough", "rash")),
    ],
)


def told(table: dict[str, list[object]], n: int = 300) -> Records:
    records = small_records(n)
    return Records.from_tables({**{name: records.arrow(name) for name in records.names}, "knowledge": table})


@pytest.fixture(scope="module")
def diagnoser() -> Diagnoser:
    return Diagnoser(model="ranker", folds=2, n_jobs=1).fit(told(MUMPS))


def test_a_diagnosis_without_a_case_is_on_the_list_where_its_findings_are(diagnoser):
    assert diagnoser.card_["n_by_diagnosis"]["mumps"] == 0
    shown = diagnoser.suggest(UNHEARD, top=3)
    assert "mumps" in [one.diagnosis for one in shown.ranked]
    ordinary = diagnoser.predict_proba(small_records(200, seed=1))
    assert ordinary[:, list(diagnoser.classes_).index("mumps")].mean() < 0.02


def test_its_evidence_adds_up_and_names_the_findings(diagnoser):
    shown = diagnoser.suggest(UNHEARD, top=3).explain()
    for one in shown.suggestions:
        assert one.base + sum(line.contribution for line in one.lines) == pytest.approx(one.score, abs=1e-9)
    assert "wheeze" in [line.code for line in shown["mumps"].for_]


def test_saved_and_loaded_it_answers_the_same(diagnoser, tmp_path):
    records = small_records(40, seed=2)
    loaded = load_diagnoser(diagnoser.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_proba(records), diagnoser.predict_proba(records))
    assert loaded.model_.knowledge == diagnoser.model_.knowledge
    assert loaded.name == diagnoser.name
    assert loaded.name.startswith("ranker ")


def test_rows_of_findings_that_nobody_records_are_said():
    table = {name: [*values, values[-1]] for name, values in MUMPS.items()} | {"code": [*MUMPS["code"], "parotitis"]}
    with pytest.warns(DiagnosisWarning, match="1 of 6 rows of the knowledge table"):
        Diagnoser(model="ranker", folds=2).fit(told(table, 120))


def test_auto_says_what_it_chose_and_why(monkeypatch):
    records = small_records(120)
    few = Diagnoser(model="auto", folds=2).fit(records)
    assert few.card_["model_choice"] == {"kind": "hybrid", "why": "5 diagnoses, fewer than 150"}
    monkeypatch.setattr("diagnosis.models.registry.MANY_DIAGNOSES", 5)
    many = Diagnoser(model="auto", folds=2).fit(records)
    assert many.card_["model_choice"]["kind"] == "ranker"
    assert isinstance(many.model_, RankerModel)


@pytest.mark.parametrize(
    ("choice", "made"), [({"kind": "ranker", "candidates": 7}, RankerModel(candidates=7)), ({"kind": "auto"}, "auto")]
)
def test_a_config_names_either(choice, made):
    config = Config.model_validate({"version": 1, "records": "somewhere", "model": choice})
    assert repr(build_diagnoser(config).model) == repr(made)


def test_a_config_brings_a_table_of_its_own(tmp_path):
    (tmp_path / "mumps.csv").write_text("diagnosis,code,p_present\nmumps,cough,0.05\nmumps,wheeze,0.95\n")
    (tmp_path / "run.yaml").write_text("records: here\nknowledge: mumps.csv\nmodel: {kind: ranker}\n")
    config = read_config(tmp_path / "run.yaml")
    records = with_knowledge(small_records(60), config)
    assert records.frame("knowledge")["p_present"].tolist() == [0.05, 0.95]
    assert len(records) == 60
    assert str(tmp_path) not in str(config.portable())
    for change, error in (({"model": {"kind": "linear"}}, ConfigError), ({"knowledge": "none.csv"}, InputError)):
        changed = Config.model_validate({**config.model_dump(), **change})
        with pytest.raises(error, match="knowledge"):
            with_knowledge(records, changed)
