"""Reference ranges: the record's own first, then the packaged table, then none, and it says so."""

from __future__ import annotations

import numpy as np
import pytest

from diagnosis.features import FindingEncoder
from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions import Diagnoser
from diagnosis.vocabulary import reference_range

RATE, SODIUM, HAEMOGLOBIN = "LOINC:8867-4", "LOINC:2951-2", "hb"
WORDS = {
    "code": [RATE, SODIUM, HAEMOGLOBIN, "odd"],
    "loinc": [None, None, "718-7", None],
    "unit": ["/min", None, "g/L", None],
}


def records_of(*cases: Case) -> Records:
    return Records.from_cases(cases, vocabulary=WORDS)


def case(name: str, *findings: Finding, **about: object) -> Case:
    return Case(list(findings), case_id=name, **{"sex": "male", "age_years": 10.0, **about})


def value(code: str, number: float, unit: str | None = None, **rest: object) -> Finding:
    return Finding(code, value=number, unit=unit, **rest)


@pytest.fixture(scope="module")
def encoder() -> FindingEncoder:
    rates = (40.0, 100.0, 150.0, 190.0)
    cases = [case(f"r{n}", value(RATE, rate, "/min"), value("odd", 3.0)) for n, rate in enumerate(rates)]
    low = [value(SODIUM, 120.0, "mmol/L"), value(HAEMOGLOBIN, 90.0, "g/L")]
    high = [value(SODIUM, 160.0, "mmol/L"), value(HAEMOGLOBIN, 230.0, "g/L"), value("odd", 9.0, ref_high=5.0)]
    cases += [case("l", *low, age_years=30.0), case("h", *high, age_years=30.0)]
    return FindingEncoder(min_cases=1, range_scores=True).fit(records_of(*cases))


def marks(encoder: FindingEncoder, one: Case) -> set[str]:
    X = encoder.transform(records_of(one))
    lineage = encoder.lineage_
    return {str(lineage.names[j]) for j in X.indices if lineage.state[j] in ("high", "low")}


def test_150_beats_a_minute_is_high_at_10_years_and_normal_at_1_month(encoder: FindingEncoder) -> None:
    beats = value(RATE, 150.0, "/min")
    assert marks(encoder, case("q", beats)) == {f"high:{RATE}"}
    assert marks(encoder, case("q", beats, age_years=None, age_days=30.0)) == set()
    assert marks(encoder, case("q", value(RATE, 100.0, "/min"), age_years=None, age_days=30.0)) == {f"low:{RATE}"}


def test_sex_and_pregnancy_decide_where_the_table_says_so(encoder: FindingEncoder) -> None:
    grams = value(HAEMOGLOBIN, 123.0, "g/L")
    assert marks(encoder, case("q", grams, age_years=30.0)) == {"low:hb"}
    assert marks(encoder, case("q", grams, age_years=30.0, sex="female")) == set()
    assert marks(encoder, case("q", grams, age_years=30.0, sex="unknown")) == set()


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (value(RATE, 150.0, "/min", ref_high=160.0), set()),
        (value(RATE, 70.0, "/min", ref_low=80.0), {f"low:{RATE}"}),
        (value(RATE, 150.0, "/min", interpretation="N"), set()),
        (value(RATE, 80.0, "/min", interpretation="HH"), {f"high:{RATE}"}),
        (value(RATE, 150.0), {f"high:{RATE}"}),  # without a unit: that of the vocabulary
        (value(RATE, 2.5, "/s"), {f"high:{RATE}"}),
        (value(RATE, 150.0, "mg"), set()),
        (value(SODIUM, 120.0), set()),  # without a unit, and the vocabulary has none
        (value(SODIUM, 120000.0, "umol/L"), {f"low:{SODIUM}"}),
        (value(HAEMOGLOBIN, 9.0, "g/dL"), {"low:hb"}),
        (value(RATE, 150.0, "/min", subject="mother"), set()),
        (value("odd", 900.0), set()),
    ],
)
def test_the_record_s_own_range_comes_first_then_the_table_in_the_row_s_unit(
    encoder: FindingEncoder, finding: Finding, expected: set[str]
) -> None:
    assert marks(encoder, case("q", finding, age_years=30.0)) == expected


def test_the_altitude_of_the_site_shifts_haemoglobin(encoder: FindingEncoder) -> None:
    at = Records.from_tables(
        {
            "cases": {
                "case_id": ["sea", "plateau"],
                "site": ["a", "b"],
                "age_years": [30.0] * 2,
                "sex": ["female"] * 2,
            },
            "findings": {
                "case_id": ["sea", "plateau"],
                "code": ["hb"] * 2,
                "status": ["present"] * 2,
                "value": [12.0] * 2,
                "unit": ["g/dL"] * 2,
            },
            "sites": {"site": ["b"], "altitude_m": [3600.0]},
        }
    )
    used = encoder.ranges_used(at)
    assert used.low.tolist() == pytest.approx([11.5, 13.9])
    low = encoder.get_feature_names_out().tolist().index("low:hb")
    assert encoder.transform(at)[:, [low]].toarray().ravel().tolist() == [0.0, 1.0]


def test_it_says_which_range_was_used_or_that_there_was_none(encoder: FindingEncoder) -> None:
    one = case(
        "q", value(RATE, 2.5, "/s"), value(SODIUM, 150.0, "mmol/L", ref_high=148.0), value("odd", 3.0), Finding("hb")
    )
    used = encoder.ranges_used(records_of(one))
    packaged = reference_range(RATE, 3652.5, "male")
    assert packaged is not None
    assert [used.source(i) for i in range(4)] == [packaged.source, "record", None, None]
    assert used.high[0] == pytest.approx(packaged.high / 60)  # type: ignore[operator]
    assert used.high[1] == 148.0
    assert np.isnan(used.low[1:]).all()
    assert encoder.n_without_range_ == 4
    ageless = encoder.ranges_used(records_of(case("q", value(RATE, 150.0, "/min"), age_years=None)))
    assert ageless.source(0) is None


def test_the_table_can_be_left_out(encoder: FindingEncoder) -> None:
    records = records_of(case("a", value(RATE, 150.0, "/min")), case("b", value(RATE, 90.0, "/min", ref_low=95.0)))
    own = FindingEncoder(min_cases=1, reference_ranges=False).fit(records)
    names = set(own.get_feature_names_out())
    assert f"low:{RATE}" in names
    assert f"high:{RATE}" not in names


def test_the_vocabulary_of_training_decides(encoder: FindingEncoder) -> None:
    """An encoder that was saved gives the same row to a case whatever words come with the case."""
    one = case("q", value(HAEMOGLOBIN, 90.0))
    again = FindingEncoder.from_json(encoder.to_json())
    assert (again.transform(Records.from_cases([one])) != encoder.transform(records_of(one))).nnz == 0
    before = {**encoder.to_json(), "format": 1, "options": {"min_cases": 1}}
    assert marks(FindingEncoder.from_json(before), one) == set()


def test_a_score_is_0_in_the_middle_and_the_same_in_any_unit(encoder: FindingEncoder) -> None:
    column = encoder.get_feature_names_out().tolist().index(f"z:{RATE}")

    def z(number: float, unit: str, **rest: object) -> float:
        return float(encoder.transform(records_of(case("q", value(RATE, number, unit, **rest))))[0, column])

    assert z(90.0, "/min", ref_low=60.0, ref_high=120.0) == 0.0
    assert z(120.0, "/min", ref_low=60.0, ref_high=120.0) == pytest.approx(np.log1p(1.96))
    assert z(150.0, "/min") == pytest.approx(z(2.5, "/s"))
    assert z(150.0, "/min", ref_high=120.0) == 0.0
    assert z(30.0, "/min") < 0 < z(150.0, "/min")


@pytest.mark.parametrize(("lang", "shown"), [("en", "52 to 115/min (Fleming 2011"), ("zh", "52–115/min（Fleming 2011")])
def test_the_page_shows_the_range_that_was_used_and_where_it_comes_from(lang: str, shown: str) -> None:
    cases = [
        case(f"t{n}", value(RATE, 70.0 + 9 * n, "/min"), Finding("cough"), diagnosis="ab"[n % 2]) for n in range(12)
    ]
    diagnoser = Diagnoser("linear", encoder=FindingEncoder(min_cases=1), folds=2, min_cases=1).fit(records_of(*cases))
    differential = diagnoser.suggest(case("q", value(RATE, 150.0, "/min")))
    line = next(line for line in differential.explain()[0].lines if line.code == RATE)
    assert (line.ref_low, line.ref_high, str(line.ref_source)[:12]) == (52.0, 115.0, "Fleming 2011")
    assert shown in differential.to_html(lang).replace("\u00a0", "")
