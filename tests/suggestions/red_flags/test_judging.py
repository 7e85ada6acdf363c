"""Rules against cases: three values, units, comparators, other vocabularies, broader terms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions.red_flags import Judge, parse, shipped_red_flags

WORDS = {
    "code": ["stiff", "local temp", "HP:B", "HP:A", "hcg"],
    "hpo": ["HP:0031179", None, None, None, None],
    "loinc": [None, "8310-5", None, None, None],
    "unit": [None, "Cel", None, None, None],
    "parents": [None, None, "HP:A", None, None],
}


def judged(rule: str, *findings: Finding, sites: dict | None = None, **case: object) -> int:
    made = Records.from_cases([Case(findings, case_id="a", **case)], vocabulary=WORDS)  # type: ignore[arg-type]
    if sites:
        tables = {n: made.arrow(n) for n in made.names} | {"sites": sites}
        made = Records.from_tables(tables)
    return int(Judge(made).judge(parse(rule))[0])


PRESENT, ABSENT, RAISED = Finding("HP:A"), Finding("HP:A", "absent"), Finding("HP:A", "uncertain")


@pytest.mark.parametrize(
    ("rule", "present", "absent", "uncertain", "unrecorded"),
    [
        ("present HP:A", 1, -1, 0, 0),
        ("absent HP:A", -1, 1, 0, 0),
        ("uncertain HP:A", -1, -1, 1, 0),
        ("known HP:A", 1, 1, 1, -1),
        ("not present HP:A", -1, 1, 0, 0),
    ],
)
def test_the_four_states(rule, present, absent, uncertain, unrecorded):
    found = [judged(rule, *f) for f in ((PRESENT,), (ABSENT,), (RAISED,), ())]
    assert found == [present, absent, uncertain, unrecorded]


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["present", "absent", "uncertain", None]), min_size=3, max_size=3))
def test_kleene(states):
    rows = [Finding(f"x:{i}", s) for i, s in enumerate(states) if s]
    value = {"present": 1, "absent": -1, "uncertain": 0, None: 0}
    a, b, c = (value[s] for s in states)
    assert judged("present x:0 and (present x:1 or not present x:2)", *rows) == min(a, max(b, -c))
    assert judged("not (present x:0 and present x:1)", *rows) == judged("not present x:0 or not present x:1", *rows)


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (Finding("LOINC:8310-5", value=38.0, unit="Cel"), 1),
        (Finding("LOINC:8310-5", value=37.9, unit="Cel"), -1),
        (Finding("LOINC:8310-5", value=100.5, unit="[degF]"), 1),
        (Finding("local temp", value=39.0), 1),
        (Finding("LOINC:8310-5", value=39.0), 0),
        (Finding("LOINC:8310-5", value=39.0, unit="kg"), 0),
        (Finding("LOINC:8310-5", value=38.0, unit="Cel", comparator="<"), -1),
        (Finding("LOINC:8310-5", value=38.0, unit="Cel", comparator="<="), 0),
        (Finding("LOINC:8310-5", value=38.0, unit="Cel", comparator=">"), 1),
        (Finding("LOINC:8310-5", value=36.0, unit="Cel", comparator=">"), 0),
        (Finding("LOINC:8310-5", value=36.0, unit="Cel", comparator="<"), -1),
        (Finding("LOINC:8310-5"), 0),
        (Finding("LOINC:8310-5", value=39.0, unit="Cel", subject="mother"), 0),
    ],
    ids=lambda v: repr(v)[8:-1] if isinstance(v, Finding) else "",
)
def test_fever_of_38(finding, expected):
    assert judged("LOINC:8310-5 >= 38 Cel", finding) == expected


def test_a_line_once_crossed_stays_crossed_and_absent_is_the_last_word():
    early = Finding("LOINC:8310-5", value=38.6, unit="Cel", time="2024-01-01T08:00Z")
    later = Finding("LOINC:8310-5", value=36.6, unit="Cel", time="2024-01-01T12:00Z")
    assert judged("LOINC:8310-5 >= 38 Cel", early, later) == 1
    course = Finding("HP:A", time="2024-01-01T08:00Z"), Finding("HP:A", "absent", time="2024-01-01T12:00Z")
    assert judged("present HP:A", *course) == 1
    assert judged("absent HP:A", *course) == 1


def test_codes_of_other_vocabularies_and_narrower_findings():
    assert judged("present HP:0031179", Finding("stiff")) == 1
    assert judged("present HP:A", Finding("HP:B")) == 1
    assert judged("present HP:B", Finding("HP:A")) == 0
    assert judged("absent HP:B", Finding("HP:A", "absent")) == 0
    assert judged("present HP:A", Finding("HP:B", subject="family")) == 0


@pytest.mark.parametrize(
    ("rule", "case", "expected"),
    [
        ("age_days <= 28", {"age_days": 28.0}, 1),
        ("age_days <= 28", {"age_years": 0.05}, 1),
        ("age_years >= 16", {"age_years": 15.9}, -1),
        ("age_days <= 28", {}, 0),
        ("sex = male", {"sex": "unknown"}, 0),
        ("sex != male", {"sex": "female"}, 1),
        ("pregnant = yes", {"pregnant": "no"}, -1),
        ("known sex", {"sex": "unknown"}, -1),
        ("known age_years", {"age_days": 3.0}, 1),
        ("altitude_m < 2500", {"site": "s"}, 0),
    ],
)
def test_fields_of_the_case(rule, case, expected):
    assert judged(rule, **case) == expected


def test_the_shipped_line_for_oxygen_follows_the_altitude_of_the_site():
    when = {rule.code: str(rule.when) for rule in shipped_red_flags()}["low_oxygen_saturation"]
    sites = {"site": ["high", "Quito", "low"], "altitude_m": [3600.0, 2810.0, 20.0]}

    def at(percent: float) -> list[bool]:
        saturation = Finding("LOINC:59408-5", value=percent, unit="%")
        return [judged(when, saturation, site=site, sites=sites) == 1 for site in ("low", "Quito", "high", None)]

    assert at(90) == [False, False, False, False]
    assert at(88) == [True, True, False, True]
    assert at(84) == [True, True, True, True]


def test_many_cases_are_judged_as_each_alone(sample):
    records = sample[:60]
    rule = parse("(LOINC:8310-5 >= 38 Cel or present HP:0001945) and age_years < 12")
    alone = [int(Judge(records[[i]]).judge(rule)[0]) for i in range(len(records))]
    np.testing.assert_array_equal(Judge(records).judge(rule), alone)
    assert {-1, 1} <= set(alone)
