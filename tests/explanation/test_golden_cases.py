"""Cases a clinician can read, one of each kind, by a model of the packaged sample; and bad input, answered clearly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import diagnosis as dx
from diagnosis.errors import UnknownCodeError
from diagnosis.explanation.evidence import against_rival
from diagnosis.pages.words import LEAST_RELATIVE
from diagnosis.suggestions import Diagnoser, Differential


@pytest.fixture(scope="module")
def learned(sample: dx.Records) -> Diagnoser:
    ten = ("A09.9", "B05.9", "E10.1", "I21.9", "J05.0", "J06.9", "J11.1", "K35.8", "N39.0", "P36.9")
    first = sample.column("visit") != "follow_up"
    rows = np.concatenate([np.flatnonzero(first & (sample.y == one))[:70] for one in ten])
    return dx.Diagnoser(model="linear", folds=2, as_of="index").fit(sample[np.sort(rows)])


def F(name: str, status: str = "present", **more: object) -> dx.Finding:  # noqa: N802 - reads like the findings it makes
    return dx.Finding(name, status, **more)  # type: ignore[arg-type]


CASES = {
    "easy": dx.Case(
        age_years=2,
        sex="male",
        findings=[
            *(F("Barking cough"), F("Stridor"), F("Crackles", "absent")),
            F("Body temperature", value=38.2, unit="Cel"),
        ],
    ),
    "hard": dx.Case(age_years=55, sex="female", findings=[F("Fatigue"), F("Abdominal pain"), F("Fever", "absent")]),
    "contradictory": dx.Case(
        age_years=30,
        sex="female",
        findings=[F("Fever", "absent"), F("Body temperature", value=39.6, unit="Cel"), F("Cough")],
    ),
    "empty": dx.Case(age_years=40, sex="male", findings=[]),
    "child": dx.Case(
        age_days=12,
        sex="female",
        findings=[F("Body temperature", value=38.6, unit="Cel"), F("Cough", "absent")],
    ),
    "mg/dL": dx.Case(
        age_years=19,
        sex="male",
        findings=[F("Glucose", value=520.0, unit="mg/dL"), F("Vomiting"), F("Abdominal pain")],
    ),
}


@pytest.fixture(scope="module")
def answers(learned: Diagnoser) -> dict[str, Differential]:
    return {kind: learned.suggest(case, top=4) for kind, case in CASES.items()}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("kind", CASES)
def test_each_reason_stands_on_the_side_of_its_contribution(
    answers: dict[str, Differential], kind: str, lang: str
) -> None:
    answer = answers[kind]
    evidence = answer.explain().in_language(answer.records.vocabulary, lang)
    blocks = str(evidence).split("\n")
    assert len(blocks) == 4 * len(evidence)
    for i, one in enumerate(evidence):
        name, for_, against, rest = blocks[4 * i : 4 * i + 4]
        assert name.startswith(evidence.names[one.diagnosis])
        rival = evidence.rival_of(one)
        shown = one if rival is None else against_rival(one, rival)
        for said, lines in ((for_, shown.for_), (against, shown.against)):
            named = [line for line in lines if abs(line.relative) >= LEAST_RELATIVE][:4]
            places = [said.index(f"{evidence.names[str(line.code)]} ") for line in named]
            assert places == sorted(places), "strongest first"
            assert said.count("×") == len(named)
            assert "\u672a\u8bb0\u5f55" not in said
            assert "not recorded" not in said
        against_whom = "the list's average" if rival is None else evidence.names[rival.diagnosis]
        whom = against_whom if lang == "en" else "列表平均" if rival is None else against_whom
        assert all(whom in said for said in (for_, against, rest) if "×" in said), "one rival a suggestion"


def test_an_easy_case(answers: dict[str, Differential]) -> None:
    answer = answers["easy"]
    assert answer[0].name == "Croup"
    said = str(answer.explain()).split("\n")
    assert said[1].startswith("  For: Barking cough present (×")
    assert "Crackles absent" in said[1]
    assert "Crackles" not in said[2]


def test_a_hard_case_says_how_little_it_knows(answers: dict[str, Differential]) -> None:
    answer = answers["hard"]
    assert answer[0].probability < 0.5
    assert len(answer.set) > 1, "more than one stays possible"
    assert answer.next_questions(3).enough is None
    assert "versus the list's average" in str(answer.explain())


def test_a_contradictory_case_shows_both_sides(answers: dict[str, Differential]) -> None:
    lines = {line.code: line for line in answers["contradictory"].explain()[0].lines}
    assert lines["LOINC:8310-5"].value == 39.6
    fever = next(
        line for code, line in lines.items() if code and answers["contradictory"].explain()._name(code) == "Fever"
    )
    assert fever.state == "absent"
    said = str(answers["contradictory"].explain())
    assert "Body temperature 39.6 °C" in said
    assert "Fever absent" in said
    assert "Fever present" not in said


def test_an_empty_case_rests_on_nothing_recorded(answers: dict[str, Differential]) -> None:
    answer = answers["empty"]
    assert answer.abstained
    assert all(not one.for_ and not one.against for one in answer.explain())
    assert str(answer.explain()).count("no recorded finding.") == 2 * len(answer)
    assert "No finding was recorded" in answer.to_html()


def test_a_newborn_is_told_in_days_with_what_must_not_be_missed(answers: dict[str, Differential]) -> None:
    answer = answers["child"]
    assert "12 days" in answer.to_html()
    assert "28 days old or younger with fever" in str(answer)
    assert "P36.9" in answer.must_not_miss
    assert any("Body temperature 38.6 °C" in row for row in str(answer.explain()).split("\n"))


def test_a_value_is_read_in_its_own_unit(learned: Diagnoser, answers: dict[str, Differential]) -> None:
    answer, case = answers["mg/dL"], CASES["mg/dL"]
    assert answer[0].name == "Type 1 diabetes with ketoacidosis"
    assert "For: Glucose 520 mg/dL (×" in str(answer.explain())
    molar = replace(case, findings=[F("Glucose", value=520 / 18.016, unit="mmol/L"), *case.findings[1:]])
    np.testing.assert_allclose(learned.suggest(molar).proba, answer.proba, rtol=1e-3)
    bare = learned.suggest(replace(case, findings=[F("Body temperature")]))
    assert bare.abstain_reason == "no finding that the model can use"


def test_bad_input_is_answered(learned: Diagnoser, answers: dict[str, Differential]) -> None:
    with pytest.raises(UnknownCodeError, match="Croup"):
        answers["easy"].explain(["Croupp"])
    unknown = learned.suggest(dx.Case([dx.Finding("no-such-code")], age_years=3))
    assert unknown.abstained
    assert unknown.unknown_codes == ("no-such-code",)
    assert all(line.code in (None, "age", "sex") for one in unknown.explain() for line in one.lines)
    # A finding of the vocabulary that too few training cases have: the encoder dropped it.
    known = set(learned.encoder_.lineage_.key_code.tolist())
    dropped = next(code for code in learned.vocabulary_.findings if code not in known)
    with_it = learned.suggest(dx.Case([dx.Finding(dropped), dx.Finding("Cough")], age_years=3))
    assert with_it.unknown_codes == (dropped,)
    assert dropped not in {line.code for one in with_it.explain() for line in one.lines}


def test_a_constant_model_and_a_base_rate_of_nearly_zero_explain_themselves(learned: Diagnoser) -> None:
    rows = learned.suggest(CASES["easy"]).records
    nothing = dx.Records.from_tables(
        {
            "cases": {"case_id": [f"c{i}" for i in range(40)], "diagnosis": ["A", "B"] * 20},
            "findings": {"case_id": [f"c{i}" for i in range(40)], "code": ["x"] * 40, "status": ["present"] * 40},
        },
        {"format": 1},
    )
    constant = dx.Diagnoser(model="linear", folds=2).fit(nothing)
    answer = constant.suggest(dx.Case([dx.Finding("x")]))
    np.testing.assert_allclose(answer.proba, 0.5, atol=1e-6)
    assert not answer.explain()[0].for_ or answer.explain()[0].for_[0].relative < LEAST_RELATIVE
    assert "no recorded finding." in str(answer.explain())
    rare = learned.adapt(prior={"J05.0": 1e-12})
    one = rare.suggest(rows)[0].explain(["J05.0"])[0]
    assert 0 < one.probability < 1e-6
    assert one.base + sum(line.contribution for line in one.lines) == pytest.approx(one.score, abs=1e-9)
