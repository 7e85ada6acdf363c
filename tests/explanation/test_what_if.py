"""Findings changed: the new list is that of the changed case, the old one stays, the smallest change is smallest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.small import small_records

from diagnosis.errors import InputError, UnknownCodeError
from diagnosis.explanation.answered_rows import answered_rows
from diagnosis.features import FindingEncoder
from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions import Diagnoser, Differential, simulate_workup
from diagnosis.suggestions.edits import changed_records, recorded_findings
from diagnosis.suggestions.kin import kin_of
from diagnosis.suggestions.smallest_change import possible_changes

CHILD = Case(
    [Finding("LOINC:8310-5", value=39.4, unit="Cel"), Finding("cough"), Finding("rash", "absent")], age_years=4
)


@pytest.fixture(scope="module")
def asked(linear_diagnoser: Diagnoser) -> Differential:
    return linear_diagnoser.suggest(CHILD, top=3)


@pytest.mark.parametrize(
    ("changed", "findings"),
    [
        ({"add": "stiff neck"}, (*CHILD.findings, Finding("stiff_neck"))),
        ({"add": Finding("rash", "uncertain")}, (*CHILD.findings[:2], Finding("rash", "uncertain"))),
        ({"remove": "咳嗽"}, (CHILD.findings[0], CHILD.findings[2])),
        ({"flip": ["cough", "rash"]}, (CHILD.findings[0], Finding("cough", "absent"), Finding("rash"))),
        ({"add": Finding("body temperature", value=98.6, unit="[degF]")}, None),
    ],
)
def test_changed_list_is_that_of_the_changed_case(
    asked: Differential, changed: dict[str, Any], findings: tuple[Finding, ...] | None
) -> None:
    if findings is None:
        findings = (Finding("LOINC:8310-5", value=98.6, unit="[degF]"), *CHILD.findings[1:])
    before = asked.proba.copy()
    found = asked.what_if(**changed)
    fresh = asked.diagnoser.suggest(replace(CHILD, findings=findings), top=3)
    np.testing.assert_array_equal(found.after.proba, fresh.proba)
    assert (found.after.ranked, found.after.set, found.after.flags) == (fresh.ranked, fresh.set, fresh.flags)
    np.testing.assert_array_equal(asked.proba, before)
    assert found.before is asked
    assert found.to_frame()["after"].iloc[0] == pytest.approx(fresh[0].probability)


def test_cases_out_of_records_change_as_well_and_back_again(linear_diagnoser: Diagnoser) -> None:
    records = small_records(5, seed=9)
    digest = records.digest()
    for one in linear_diagnoser.suggest(records):
        plain = recorded_findings(one.records).items()
        states = [k for k, f in plain if f.value is None and f.text is None and f.status != "uncertain"]
        if not states:
            continue
        there = one.what_if(flip=states[:2]).after
        assert there.case_id == one.case_id
        np.testing.assert_allclose(there.what_if(flip=states[:2]).after.proba, one.proba, rtol=1e-12)
        assert one.not_used == there.not_used
    assert records.digest() == digest


def test_words_of_a_change(asked: Differential) -> None:
    found = asked.what_if(add=Finding("LOINC:8310-5", value=36.8, unit="Cel"), flip="rash")
    assert [c.words() for c in found.changes] == [
        "body temperature: 36.8 °C if measured again, instead of 39.4 °C",
        "rash: present instead of absent",
    ]
    assert "皮疹：无改为有" in found.to_html("zh")
    assert str(found).startswith("what if: body temperature")


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"add": "rush"}, UnknownCodeError, "rash"),
        ({"remove": "wheeze"}, UnknownCodeError, "does not record"),
        ({"flip": "body temperature"}, InputError, "measured value"),
        ({"add": "cough", "flip": "cough"}, InputError, "named twice"),
        ({}, InputError, r"what_if\(add=...\)"),
        ({"remove": []}, InputError, "none was named"),
    ],
)
def test_bad_changes_are_refused(
    asked: Differential, changed: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        asked.what_if(**changed)


def test_rows_with_other_answers_are_those_of_the_encoder(linear_diagnoser: Diagnoser) -> None:
    encoder = linear_diagnoser.encoder_
    for one in linear_diagnoser.suggest(small_records(4, seed=11)):
        changes, answers = possible_changes(one)
        fast = answered_rows(encoder.transform(one.records), encoder.lineage_, answers)
        for i, change in enumerate(changes):
            whole = encoder.transform(changed_records(one.records, [change])).astype(np.float64)
            # A value to be read off is rounded to three figures after it was scaled.
            np.testing.assert_allclose(fast[[i]].toarray(), whole.toarray(), atol=0.06)
            if change.after is not None and change.after.value is None:
                np.testing.assert_array_equal(fast[[i]].toarray(), whole.toarray())
        assert not {c.code for c in changes} & {"age", "sex"}


def test_answers_are_spread_over_a_hierarchy_as_the_encoder_spreads_them(
    hierarchical_diagnoser: Diagnoser, related: Records
) -> None:
    diagnoser, records = hierarchical_diagnoser, related
    fitted, spread = diagnoser.encoder_, 0
    for one in diagnoser.suggest(records[:12]):
        changes, answers = possible_changes(one)
        plain, kin = fitted.transform(one.records), kin_of(diagnoser, one.records)
        fast = answered_rows(plain, fitted.lineage_, answers, kin)
        spread += (answered_rows(plain, fitted.lineage_, answers) != fast).nnz
        there = set(recorded_findings(one.records))
        for i, change in enumerate(changes):
            if change.after is not None and change.after.value is None and change.code not in there:
                whole = fitted.transform(changed_records(one.records, [change])).astype(np.float64)
                np.testing.assert_array_equal(fast[[i]].toarray(), whole.toarray())
        found = one.smallest_change()
        assert found.found is None or found.found.first_changes
    assert spread > 0
    # With every question answered, a work-up knows what the encoder makes of the whole case.
    whole = simulate_workup(diagnoser, records[:6], max_questions=40, tests=True, sure=1.0, least_gain=0.0)
    own = np.searchsorted(diagnoser.classes_.astype(str), records[:6].y.astype(str))
    proba = diagnoser.predict_proba(records[:6])
    assert whole.log_loss[-1] == pytest.approx(-np.log(proba[np.arange(6), own]).mean(), abs=0.3)


def test_what_comes_from_a_recorded_finding_is_credited_to_it(hierarchical_diagnoser: Diagnoser) -> None:
    answer = hierarchical_diagnoser.suggest(Case([Finding("wheeze")], age_years=4), top=5)
    encoder, (model, classes, scale) = hierarchical_diagnoser.encoder_, hierarchical_diagnoser.part("posterior")
    row = encoder.transform(answer.records).astype(np.float64)
    phi = model.contributions(row, np.arange(len(classes))).phi[0] * scale.factors(model.scores(row))[0]
    columns = np.isin(encoder.lineage_.code.astype(str), ["wheeze", "cough"])
    assert (row[:, encoder.lineage_.columns("cough")] != 0).nnz, "cough is there through wheeze"
    for k, code in enumerate(classes):
        lines = {line.code: line.contribution for line in answer.explain()[str(code)].lines}
        assert "cough" not in lines
        assert lines["wheeze"] == pytest.approx(phi[k, columns].sum(), abs=1e-9)


def test_smallest_change_is_verified_and_no_smaller_one_is_missed(linear_diagnoser: Diagnoser) -> None:
    sizes = set()
    for one in linear_diagnoser.suggest(small_records(3, seed=12)):
        found = one.smallest_change()
        assert (found.first, found.target) == (one[0].diagnosis, one[1].diagnosis)
        classes = linear_diagnoser.classes_.tolist()
        k, first = classes.index(found.target), classes.index(found.first)

        def flips(proba: np.ndarray, k: int = k, first: int = first) -> bool:
            return bool(proba[k] > proba[first])

        changes, _ = possible_changes(one)
        singly = [one.what_if(add=c.after).after.proba for c in changes if c.after is not None]
        if found.found is None:
            assert not any(flips(p) for p in singly)
            assert "No change of up to 2 findings" in str(found)
            continue
        sizes.add(len(found.found.changes))
        assert flips(found.found.after.proba)
        assert (len(found.found.changes) == 1) == any(flips(p) for p in singly)
        assert "would come before" in str(found)
    assert 1 in sizes


def test_smallest_change_says_when_there_is_none(asked: Differential) -> None:
    last = asked.diagnoser.suggest(CHILD, top=5)[4]
    found = asked.smallest_change(last.name, most=1)
    if found.found is None:
        assert last.name in str(found)
        assert found.to_json()["changes"] is None
    else:
        assert found.found.after[0].diagnosis == last.diagnosis
    with pytest.raises(InputError, match="first already"):
        asked.smallest_change(asked[0].name)


def test_earlier_encounters_stay_as_they_were() -> None:
    records = small_records(80, seed=5)
    diagnoser = Diagnoser(model="linear", folds=2, encoder=FindingEncoder(windows=("ever",))).fit(records)
    history = diagnoser.encoder_.lineage_.history[diagnoser.encoder_.lineage_.finding]
    both: Records = records[:40]
    one = max(diagnoser.suggest(both), key=lambda d: 0 if d.row is None else int(history[d.row.indices].sum()))
    found = one.what_if(add="wheeze").after
    assert one.row is not None
    assert found.row is not None
    np.testing.assert_array_equal(found.row[:, history].toarray(), one.row[:, history].toarray())
