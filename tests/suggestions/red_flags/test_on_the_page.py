"""Red flags on the answer: typed, first, in both languages, and visibly off when they are off."""

from __future__ import annotations

import pytest
from tests.small import small_records

from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions import Diagnoser, Policy, load_bundle

CASE = Case([Finding("HP:0030907"), Finding("wheeze")], age_years=40)


@pytest.fixture(scope="module")
def train() -> Records:
    records = small_records(160, seed=5)
    tables = {name: records.arrow(name) for name in records.names}
    own = {"code": ["ours"], "when": ['present wheeze:x or present "wheeze"'], "says": ["call Dr Li"]}
    return Records.from_tables({**tables, "red_flags": {**own, "diagnosis": ["J45.9"]}}, dict(records.info))


@pytest.fixture(scope="module")
def fitted(train: Records) -> Diagnoser:
    return Diagnoser(model="linear", folds=2).fit(train)


def test_a_red_flag_stands_whatever_the_model_thinks(fitted: Diagnoser) -> None:
    found = fitted.suggest(CASE)
    first, second = (f for f in found.flags if f.kind == "red_flag")
    assert found.flags[:2] == (first, second)
    assert first.values["code"] == "thunderclap_headache"
    assert first.diagnosis is None  # the model does not know I60.9, the rule speaks all the same
    assert (second.rule, second.diagnosis) == ("call Dr Li", "J45.9")
    assert "RED FLAG  Thunderclap headache" in str(found)
    assert "Thunderclap headache" in found.to_html()
    assert "NG228" in found.to_html()
    assert "霹雳样头痛" in found.to_html("zh")
    assert "15 red-flag rules stand beside the model, 6 of them about findings it has words for" in found.to_html()


def test_the_records_own_rules_travel_with_the_model(fitted: Diagnoser, tmp_path) -> None:
    again = load_bundle(fitted.save(tmp_path / "model"))
    assert again.suggest(CASE).flags == fitted.suggest(CASE).flags


def test_switched_off_is_said(train: Records) -> None:
    made = Diagnoser(model="linear", folds=2, policy=Policy(red_flags=False)).fit(train)
    found = made.suggest(CASE)
    assert "red_flag" not in {f.kind for f in found.flags}
    assert "red-flag rules are switched off" in found.to_html()
    assert "警示规则已关闭" in found.to_html("zh")
