"""The shipped rules: each on a case a clinician can read, and on one where it must stay silent."""

from __future__ import annotations

import pytest

from diagnosis.errors import InputError
from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions.red_flags import raised, read_red_flags, red_flags_of, shipped_red_flags


def temperature(value: float) -> Finding:
    return Finding("LOINC:8310-5", value=value, unit="Cel")


def pressure(value: float) -> Finding:
    return Finding("LOINC:8480-6", value=value, unit="mm[Hg]")


def oxygen(value: float) -> Finding:
    return Finding("LOINC:59408-5", value=value, unit="%")


FEVER, STIFF, PAIN = Finding("HP:0001945"), Finding("HP:0031179"), Finding("HP:0002027")

CASES = {
    "febrile_newborn": (Case([temperature(38.0)], age_days=28), Case([temperature(38.0)], age_days=29)),
    "febrile_young_infant": (Case([temperature(38.5)], age_days=80), Case([temperature(38.5)], age_days=91)),
    "fever_nonblanching_rash": (Case([FEVER, Finding("HP:0000967")]), Case([Finding("HP:0000967")])),
    "fever_meningism": (Case([temperature(39.1), STIFF]), Case([temperature(36.9), STIFF])),
    "bilious_vomiting_newborn": (Case([Finding("HP:0034754")], age_days=3), Case([Finding("HP:0002013")], age_days=3)),
    "jaundice_first_day": (Case([Finding("HP:0000952")], age_days=0.5), Case([Finding("HP:0000952")], age_days=3)),
    "thunderclap_headache": (Case([Finding("HP:0030907")]), Case([Finding("HP:0002315")])),
    "sudden_focal_deficit": (
        Case([Finding("HP:0001269"), Finding("dx:sudden_onset")]),
        Case([Finding("HP:0001269"), Finding("dx:sudden_onset", "absent")]),
    ),
    "pregnancy_abdominal_pain": (
        Case([PAIN, Finding("LOINC:2106-3", interpretation="POS")], sex="female"),
        Case([PAIN, Finding("LOINC:2106-3", "absent", interpretation="NEG")], sex="female"),
    ),
    "low_oxygen_saturation": (Case([oxygen(89)]), Case([oxygen(90)])),
    "testicular_pain": (Case([Finding("HP:0033839")]), Case([Finding("HP:0033839", "absent")])),
    "syncope_with_chest_pain": (Case([Finding("HP:0001279"), Finding("HP:0100749")]), Case([Finding("HP:0001279")])),
    "anaphylaxis": (
        Case([Finding("HP:0001025"), Finding("HP:0010307")]),
        Case([Finding("HP:0001025"), Finding("HP:0010307", "uncertain")]),
    ),
    "fever_low_blood_pressure": (
        Case([FEVER, pressure(88)], age_years=60),
        Case([FEVER, pressure(88)], age_years=3),
    ),
}


def codes(case: Case) -> list[str]:
    return [flag.code for flag in raised(shipped_red_flags(), Records.from_cases([case]))[0]]


def test_about_a_dozen_each_with_a_source_in_both_languages_and_a_case_here():
    rules = shipped_red_flags()
    assert [rule.code for rule in rules] == list(CASES)
    assert all(rule.source and rule.says and rule.says_zh for rule in rules)
    assert all(any(str(year) in rule.source for year in range(2009, 2026)) for rule in rules)
    assert read_red_flags(rule.to_row() for rule in rules) == rules


@pytest.mark.parametrize("code", CASES)
def test_each_shipped_rule_speaks_and_stays_silent(code):
    speaks, silent = CASES[code]
    assert code in codes(speaks)
    assert code not in codes(silent)


def test_nothing_recorded_raises_nothing():
    assert codes(Case(age_days=3)) == []


def test_on_the_sample_they_are_few_and_point_where_they_should(sample):
    found = raised(shipped_red_flags(), sample.as_of("end"))
    assert 0.03 < sum(map(len, found)) / len(found) < 0.2
    torsion = [i for i, flags in enumerate(found) if "testicular_pain" in {f.code for f in flags}]
    assert (sample.y[torsion] == "N44").mean() > 0.7


def with_rules(**table: list[str | None]) -> Records:
    return Records.from_tables(
        {
            "cases": {"case_id": ["a"]},
            "findings": {"case_id": ["a"], "code": ["local"], "status": ["present"]},
            "red_flags": table,
        }
    )


def test_records_add_rules_and_replace_those_of_the_same_code():
    records = with_rules(code=["ours", "testicular_pain"], when=['present "local"'] * 2, says=["see Dr Li", "other"])
    rules = red_flags_of(records, shipped_red_flags())
    assert len(rules) == len(shipped_red_flags()) + 1
    assert [f.says for f in raised(rules, records)[0]] == ["other", "see Dr Li"]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"when": ["present HP:1", "presnt HP:2"], "says": ["a", "b"]}, "Row 2 of red_flags"),
        ({"when": ["present HP:1"], "says": [None]}, "row 1 has no says"),
        ({"code": ["a", "a"], "when": ["present HP:1"] * 2, "says": ["x", "y"]}, "row 2 repeats"),
    ],
)
def test_a_bad_table_says_which_row(table, says):
    with pytest.raises(InputError, match=says):
        red_flags_of(with_rules(**table), ())
