"""The same cases stage by stage: what is known grows, the cases stay, and a refit learns from what is there."""

from __future__ import annotations

import json

import numpy as np
import pytest

from diagnosis.errors import InputError
from diagnosis.evaluation import Stage, evaluate_stages
from diagnosis.evaluation.stages import seen_at, stages_of
from diagnosis.records import Case, Finding, Records, split
from diagnosis.suggestions import Diagnoser


def _visit(rng, i):
    """The complaint tells little, the laboratory everything."""
    sick = i % 2
    findings = [
        Finding("cough", phase="chief_complaint"),
        Finding("fever", "present" if rng.random() < 0.3 + 0.4 * sick else "absent", phase="history"),
        Finding("culture", "present" if sick else "absent", phase="laboratory"),
    ]
    return Case(findings, case_id=f"c{i}", diagnosis=f"d{sick}")


@pytest.fixture(scope="module")
def visits():
    rng = np.random.default_rng(0)
    return Records.from_cases([_visit(rng, i) for i in range(300)])


def test_each_stage_adds_findings_and_keeps_the_cases(visits):
    train, test = split(visits, seed=0)
    stages = evaluate_stages(Diagnoser(model="linear", folds=2).fit(train), test, train=train, n_boot=20)
    per_case = [one.findings for one in stages.stages]
    assert per_case == sorted(per_case) == [1.0, 2.0, 3.0, 3.0]
    assert {one.scores.n for one in stages.stages} == {len(test)}
    at = {one.stage.name: one for one in stages.stages}
    assert at["basic laboratory"].scores.values["top.1"] == 1.0
    assert at["complaint"].scores.values["log_loss"] > at["basic laboratory"].scores.values["log_loss"]
    history = at["history and examination"]
    assert history.refitted.values["log_loss"] < history.refitted.values["baseline.log_loss"]
    assert history.refitted.intervals["top.1"][0] < history.refitted.values["top.1"]
    json.dumps(stages.to_json(), allow_nan=False)
    frame = stages.to_frame()
    assert set(frame.fit) == {"as fitted", "refitted"}
    assert "history and examination" in repr(stages)


def test_the_stage_comes_from_the_vocabulary_where_the_row_says_none():
    case = Case([Finding("hb"), Finding("cough", phase="history")], case_id="a")
    records = Records.from_cases([case], vocabulary={"code": ["hb"], "phase": ["laboratory"]})
    assert [len(seen_at(records, Stage("x", phase)).coded) for phase in ("history", "laboratory")] == [1, 2]


def test_a_finding_that_does_not_say_when_stays_in():
    records = Records.from_cases([Case([Finding("hb"), Finding("x", phase="imaging")], case_id="a")])
    assert len(seen_at(records, Stage("x", "chief_complaint")).coded) == 1


def test_without_phases_the_stages_go_by_time():
    early, late = Finding("cough", known="2024-01-01T08:30:00Z"), Finding("x-ray", known="2024-01-01T13:00:00Z")
    records = Records.from_cases([Case([early, late], case_id="a", time="2024-01-01T08:00:00Z")])
    stages = stages_of(records)
    assert [len(seen_at(records, stage).coded) for stage in stages] == [0, 1, 2, 2, 2]


def test_records_that_say_neither_phase_nor_time_are_refused():
    with pytest.raises(InputError, match="in which phase"):
        stages_of(Records.from_cases([Case([Finding("cough")], case_id="a")]))
    with pytest.raises(InputError, match="one of the two"):
        Stage("nothing")
