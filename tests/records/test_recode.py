"""Retired codes are brought up to date: counted, nothing lost, no contradiction made."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import CODES, record_tables

from diagnosis.records import Case, Finding, Records
from diagnosis.records.recode import recode
from diagnosis.vocabulary import Term, Vocabulary

WORDS = Vocabulary({"new": Term("new")}, retired={"old": "new", "older": "new", "gone": None})


def of(*findings: Finding) -> Records:
    return Records.from_cases([Case(list(findings), case_id="a")])


def test_replaced_obsolete_and_unknown() -> None:
    done = recode(
        of(Finding("old", value=3.0, unit="mg/L"), Finding("gone"), Finding("elsewhere"), Finding("new")), WORDS
    )
    table = done.records.frame("findings")
    assert table["code"].tolist() == ["new", "gone", "elsewhere", "new"]
    assert table["value"].tolist()[0] == 3.0
    assert (done.n_replaced, done.n_obsolete, done.n_contradictory) == (1, 1, 0)


def test_no_contradiction_is_made() -> None:
    done = recode(of(Finding("old", status="absent"), Finding("new")), WORDS)
    assert done.records.frame("findings")["code"].tolist() == ["old", "new"]
    assert (done.n_replaced, done.n_contradictory) == (0, 1)


def test_two_retired_codes_that_would_contradict_each_other() -> None:
    done = recode(of(Finding("old", status="absent"), Finding("older"), Finding("cough")), WORDS)
    assert done.records.frame("findings")["code"].tolist() == ["old", "older", "cough"]
    assert done.n_contradictory == 2


@settings(max_examples=50)
@given(
    st.builds(Records.from_tables, record_tables()),
    st.dictionaries(st.sampled_from(CODES), st.none() | st.sampled_from(CODES), max_size=4),
)
def test_rows_stay_and_a_second_time_changes_nothing(records: Records, retired: dict[str, str | None]) -> None:
    current = {c: Term(c) for c in CODES if c not in retired}
    words = Vocabulary(current, retired={c: n if n in current else None for c, n in retired.items()})
    before = records.frame("findings")
    done = recode(records, words)
    after = done.records.frame("findings")
    assert len(after) == len(before)
    others = [c for c in before.columns if c != "code"]
    assert after[others].equals(before[others])
    assert int((after["code"].astype(str) != before["code"].astype(str)).sum()) == done.n_replaced
    assert records.frame("findings").equals(before)
    again = recode(done.records, words)
    assert again.n_replaced == 0
    assert (again.n_obsolete, again.n_contradictory) == (done.n_obsolete, done.n_contradictory)
