"""The encoder on cases a clinician can read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from diagnosis.errors import InputError
from diagnosis.features import FindingEncoder
from diagnosis.records import Case, Finding, Records


def cells(encoder: FindingEncoder, *findings: Finding, **case: object) -> dict[str, float]:
    """The named cells of one case's row."""
    row = encoder.transform(Records.from_cases([Case(findings, **case)])).tocoo()
    names = encoder.get_feature_names_out()
    return {names[column]: round(float(value), 4) for column, value in zip(row.col, row.data, strict=True)}


@pytest.fixture(scope="module")
def children() -> Records:
    return Records.from_cases(
        [
            Case([Finding("fever"), Finding("cough", "absent")], age_years=4, sex="female", case_id="a"),
            Case([Finding("fever", "absent"), Finding("cough")], age_years=6, sex="male", case_id="b"),
            Case([Finding("fever", "uncertain"), Finding("cough", text="barking")], age_years=8, case_id="c"),
            Case([Finding("CRP", value=10, unit="mg/L"), Finding("asthma", subject="mother")], case_id="d"),
            Case([Finding("CRP", value=2, unit="mg/dL", ref_high=0.5)], sex="other", pregnant="no", case_id="e"),
        ]
    )


@pytest.fixture(scope="module")
def encoder(children: Records) -> FindingEncoder:
    return FindingEncoder(min_cases=1).fit(children)


def test_columns_stand_in_one_order(encoder: FindingEncoder) -> None:
    assert encoder.get_feature_names_out().tolist() == [
        "age",
        "age_band:child",
        "sex:female",
        "sex:male",
        "pregnant:no",
        "measured:CRP",
        "value:CRP",
        "high:CRP",
        "present:cough",
        "absent:cough",
        "cough=barking",
        "present:fever",
        "absent:fever",
        "uncertain:fever",
        "present:mother/asthma",
    ]


def test_the_four_states_stay_apart(encoder: FindingEncoder) -> None:
    assert cells(encoder, Finding("fever")) == {"present:fever": 1}
    assert cells(encoder, Finding("fever", "absent")) == {"absent:fever": 1}
    assert cells(encoder, Finding("fever", "uncertain")) == {"uncertain:fever": 1}
    assert cells(encoder) == {}


def test_a_case_without_findings_is_a_row_of_context_only(encoder: FindingEncoder) -> None:
    assert cells(encoder, age_years=8, sex="female") == {"age": 1.2247, "age_band:child": 1, "sex:female": 1}


def test_a_text_stands_beside_present_and_only_there(encoder: FindingEncoder) -> None:
    assert cells(encoder, Finding("cough", text="barking")) == {"present:cough": 1, "cough=barking": 1}
    assert cells(encoder, Finding("cough", text="wet")) == {"present:cough": 1}
    assert cells(encoder, Finding("cough", "absent", text="barking")) == {"absent:cough": 1}


def test_the_mother_s_asthma_is_not_the_child_s(encoder: FindingEncoder) -> None:
    assert cells(encoder, Finding("asthma", subject="mother")) == {"present:mother/asthma": 1}
    assert cells(encoder, Finding("asthma")) == {}
    assert encoder.unknown(Records.from_cases([Case([Finding("asthma")])])) == [("asthma",)]


def test_a_value_is_measured_not_present(encoder: FindingEncoder) -> None:
    assert cells(encoder, Finding("CRP", value=20, unit="mg/L")) == {"measured:CRP": 1, "value:CRP": 1}
    assert cells(encoder, Finding("CRP", value=10, unit="mg/L")) == {"measured:CRP": 1, "value:CRP": -1}


def test_units_come_to_one_scale(encoder: FindingEncoder) -> None:
    milligrams = cells(encoder, Finding("CRP", value=13, unit="mg/L"))
    assert cells(encoder, Finding("CRP", value=1.3, unit="mg/dL")) == milligrams
    one_unit = Records.from_cases([Case([Finding("CRP", value=v, unit="mg/L")], case_id=str(v)) for v in (10, 20)])
    known = FindingEncoder(min_cases=1).fit(one_unit)
    assert cells(known, Finding("CRP", value=13)) == cells(known, Finding("CRP", value=13, unit="mg/L"))


def test_units_are_converted_row_by_row(encoder: FindingEncoder) -> None:
    given = [(20, "mg/L"), (1.0, "mg/dL"), (15, None), (2.0, "mg/dL"), (10, "mg/L"), (1, "kg"), (1.25, "mg/dL")]
    cases = [Case([Finding("CRP", value=v, unit=u)], case_id=str(i)) for i, (v, u) in enumerate(given)]
    X = encoder.transform(Records.from_cases(cases))
    value = X[:, encoder.lineage_.state == "value"].toarray().ravel()
    assert value.tolist() == pytest.approx([1, -1, 0, 1, -1, 0, -0.5])


def test_a_value_at_the_mean_is_told_from_no_value_by_measured(encoder: FindingEncoder) -> None:
    scale = encoder.values_["CRP"]
    assert scale.encode(np.array([15.0])).tolist() == [0.0]
    assert cells(encoder, Finding("CRP", value=15, unit="mg/L")) == {"measured:CRP": 1}


def test_a_value_in_a_foreign_unit_counts_as_measured_and_is_counted(encoder: FindingEncoder) -> None:
    record = Records.from_cases([Case([Finding("CRP", value=15, unit="kg")])])
    assert cells(encoder, Finding("CRP", value=15, unit="kg")) == {"measured:CRP": 1}
    assert encoder.unconverted(record).tolist() == [1]
    assert FindingEncoder(min_cases=1).fit(record).n_unconverted_ == 0
    both = Records.from_cases(
        [Case([Finding("CRP", value=v, unit=u)], case_id=u + str(v)) for v, u in [(1, "mg/L"), (2, "mg/L"), (3, "kg")]]
    )
    assert FindingEncoder(min_cases=1).fit(both).n_unconverted_ == 1


def test_a_typing_error_does_not_go_through_the_roof(encoder: FindingEncoder) -> None:
    assert cells(encoder, Finding("CRP", value=1e300, unit="mg/L")) == {"measured:CRP": 1}
    assert cells(encoder, Finding("CRP", value=20_000, unit="mg/L")) == {"measured:CRP": 1, "value:CRP": 1}


def test_high_and_low_follow_the_laboratory_then_the_row_s_own_range() -> None:
    low_and_high = [
        Case([Finding("K", value=v, unit="mmol/L", ref_low=3.5, ref_high=5.0)], case_id=str(v)) for v in (3.0, 4.0, 6.0)
    ]
    encoder = FindingEncoder(min_cases=1).fit(Records.from_cases(low_and_high))

    def sides(**finding: object) -> set[str]:
        return set(cells(encoder, Finding("K", **finding))) & {"high:K", "low:K"}

    assert sides(value=6.0, ref_high=5.0) == {"high:K"}
    assert sides(value=5.0, ref_high=5.0) == set()
    assert sides(value=3.0, ref_low=3.5) == {"low:K"}
    assert sides(value=6.0) == set()
    assert sides(value=6.0, ref_high=5.0, interpretation="N") == set()
    assert sides(value=4.0, ref_high=5.0, interpretation="HH") == {"high:K"}
    assert sides(value=6.0, ref_high=5.0, interpretation="POS") == {"high:K"}
    assert sides(interpretation="L") == {"low:K"}
    assert sides(status="uncertain", interpretation="L") == set()


def test_the_latest_row_counts(encoder: FindingEncoder) -> None:
    early, late = "2024-01-01T08:00:00Z", "2024-01-01T20:00:00Z"
    course = [Finding("fever", time=late), Finding("fever", "absent", time=early)]
    assert cells(encoder, *course) == {"present:fever": 1}
    values = [Finding("CRP", value=20, unit="mg/L", time=late), Finding("CRP", value=10, unit="mg/L", time=early)]
    assert cells(encoder, *values) == {"measured:CRP": 1, "value:CRP": 1}


def test_unknown_codes_are_named_for_each_case(encoder: FindingEncoder) -> None:
    records = Records.from_cases(
        [
            Case([Finding("rash"), Finding("fever"), Finding("aura", "absent")], case_id="a"),
            Case([Finding("fever")], case_id="b"),
            Case([Finding("rash", subject="contact")], case_id="c"),
        ]
    )
    assert encoder.unknown(records) == [("aura", "rash"), (), ("contact/rash",)]


def test_ten_thousand_unknown_codes_are_counted_and_change_nothing(encoder: FindingEncoder) -> None:
    many = [Finding(f"code {i}") for i in range(10_000)]
    assert cells(encoder, Finding("fever"), *many, age_years=6) == cells(encoder, Finding("fever"), age_years=6)
    (unknown,) = encoder.unknown(Records.from_cases([Case([Finding("fever"), *many])]))
    assert len(unknown) == 10_000


def test_recorded_marks_findings_in_any_state_and_context_that_is_known(encoder: FindingEncoder) -> None:
    records = Records.from_cases(
        [
            Case([Finding("fever", "absent"), Finding("cough", "uncertain"), Finding("rash")], sex="male", case_id="a"),
            Case([], age_years=3, sex="unknown", pregnant="yes", case_id="b"),
        ]
    )
    recorded = encoder.recorded(records)
    keys = encoder.lineage_.keys
    assert [set(keys[row.indices]) for row in recorded] == [{"sex", "fever", "cough"}, {"age", "pregnant"}]
    assert recorded.dtype == np.int8
    assert recorded.max() == 1


def test_lineage_leads_from_columns_to_findings(encoder: FindingEncoder) -> None:
    lineage = encoder.lineage_
    assert lineage.names[lineage.columns("cough")].tolist() == ["present:cough", "absent:cough", "cough=barking"]
    assert lineage.text[lineage.columns("cough")].tolist() == [None, None, "barking"]
    assert lineage.state[lineage.columns("CRP")].tolist() == ["measured", "value", "high"]
    assert lineage.state[lineage.columns("age", context=True)].tolist() == ["context", "context"]
    assert lineage.columns("age").tolist() == []
    mother = lineage.keys.tolist().index("mother/asthma")
    assert (lineage.key_code[mother], lineage.key_subject[mother]) == ("asthma", "mother")


def test_names_written_alike_stay_apart() -> None:
    findings = [Finding("a", text="b=c"), Finding("a=b", text="c"), Finding("age"), Finding("mother/x")]
    findings.append(Finding("x", subject="mother"))
    encoder = FindingEncoder(min_cases=1).fit(Records.from_cases([Case(findings, age_years=1)]))
    names = encoder.get_feature_names_out().tolist()
    assert [name for name in names if name.startswith("a=b=c")] == ["a=b=c", "a=b=c #2"]
    assert {"present:age", "present:mother/x", "present:patient/mother/x"} < set(names)
    assert cells(encoder, Finding("mother/x")) == {"present:patient/mother/x": 1}


def test_max_codes_keeps_the_findings_most_often_recorded(children: Records) -> None:
    encoder = FindingEncoder(min_cases=1, max_codes=2).fit(children)
    assert encoder.lineage_.keys[~encoder.lineage_.context].tolist() == ["cough", "fever"]
    one = FindingEncoder(min_cases=1, max_codes=1).fit(children)
    assert one.lineage_.keys[~one.lineage_.context].tolist() == ["cough"]  # as often as fever, first by name


def test_the_age_in_days_wins_over_years(encoder: FindingEncoder) -> None:
    assert cells(encoder, age_days=6 * 365.25, age_years=40) == cells(encoder, age_years=6) == {"age_band:child": 1}
    # Younger than any child in training: the youngest's age, and no band.
    assert cells(encoder, age_days=20) == {"age": cells(encoder, age_years=4)["age"]}


def test_ages_can_be_left_out(children: Records) -> None:
    names = FindingEncoder(min_cases=1, ages=False).fit(children).get_feature_names_out()
    assert not [name for name in names if name.startswith("age")]
    assert "sex:female" in names


def test_the_vocabulary_s_unit_wins_and_its_loinc_code_converts_substance() -> None:
    vocabulary = {"code": ["glucose"], "unit": ["mmol/L"], "loinc": ["2345-7"]}
    cases = [Case([Finding("glucose", value=v, unit="mg/dL")], case_id=str(v)) for v in (90.0, 180.0)]
    encoder = FindingEncoder(min_cases=1).fit(Records.from_cases(cases, vocabulary=vocabulary))
    assert encoder.values_["glucose"].unit == "mmol/L"
    assert encoder.values_["glucose"].high == pytest.approx(9.99, abs=0.01)
    again = FindingEncoder.from_json(encoder.to_json())
    assert cells(again, Finding("glucose", value=180, unit="mg/dL")) == {"measured:glucose": 1, "value:glucose": 1}


def test_records_of_nothing_but_context_are_enough() -> None:
    cases = pd.DataFrame({"case_id": ["a", "b"], "sex": ["female", "female"]})
    findings = pd.DataFrame({"case_id": [], "code": [], "status": []}, dtype=str)
    records = Records.from_tables({"cases": cases, "findings": findings})
    encoder = FindingEncoder().fit(records)
    assert encoder.get_feature_names_out().tolist() == ["sex:female"]
    assert encoder.transform(records).toarray().tolist() == [[1], [1]]
    assert encoder.unknown(records) == [(), ()]


def test_no_column_at_all_is_a_clear_error(children: Records) -> None:
    with pytest.raises(InputError, match="at least one column that 100 training cases share"):
        FindingEncoder(min_cases=100).fit(children)


@pytest.mark.parametrize(
    "options", [{"min_cases": 0}, {"min_cases": 1.5}, {"max_codes": 0}, {"ages": "yes"}, {"ordering": None}]
)
def test_an_option_out_of_range_is_refused_at_fit(children: Records, options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        FindingEncoder(**options).fit(children)


def test_what_is_no_records_is_refused(encoder: FindingEncoder) -> None:
    with pytest.raises(InputError, match="The encoder takes Records"):
        encoder.transform(pd.DataFrame({"fever": [1]}))


@pytest.mark.parametrize("method", ["transform", "recorded", "unknown", "unconverted"])
def test_an_encoder_that_is_not_fitted_says_so(children: Records, method: str) -> None:
    with pytest.raises(NotFittedError):
        getattr(FindingEncoder(), method)(children)
    with pytest.raises(NotFittedError):
        FindingEncoder().to_json()
    with pytest.raises(NotFittedError):
        FindingEncoder().get_feature_names_out()


@pytest.mark.parametrize("change", [{"format": 3}, {"findings": None}, {"options": {"min_case": 1}}, {"context": {}}])
def test_plain_values_of_something_else_are_refused(encoder: FindingEncoder, change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        FindingEncoder.from_json({**encoder.to_json(), **change})


def test_the_repr_says_what_was_learnt(encoder: FindingEncoder) -> None:
    assert repr(FindingEncoder(max_codes=9)) == "FindingEncoder(max_codes=9)"
    assert repr(encoder) == "FindingEncoder(min_cases=1) fitted: 4 findings, 15 columns"
    assert repr(encoder.lineage_) == "<Lineage: 15 columns of 4 findings and 3 parts of context>"


def test_it_works_in_a_pipeline_under_cross_validation() -> None:
    cases = [
        Case(
            [Finding("rash", "present" if i % 2 else "absent")], diagnosis="measles" if i % 2 else "flu", case_id=str(i)
        )
        for i in range(40)
    ]
    records = Records.from_cases(cases)
    pipeline = make_pipeline(FindingEncoder(), LogisticRegression())
    search = GridSearchCV(pipeline, {"findingencoder__min_cases": [1, 50]}, cv=4, error_score=0.0, refit=False)
    with pytest.warns(FitFailedWarning):
        search.fit(records, records.y)
    assert search.cv_results_["mean_test_score"].tolist() == [1.0, 0.0]
    fitted = pipeline.fit(records, records.y)
    assert fitted.score(records, records.y) == 1.0
    assert fitted[:-1].get_feature_names_out().tolist() == ["present:rash", "absent:rash"]


def test_real_values_are_understood_and_bounded(real_data: Path) -> None:
    tables = {name: pd.read_parquet(real_data / "appendicitis" / f"{name}.parquet") for name in ("cases", "findings")}
    records = Records.from_tables(tables)
    encoder = FindingEncoder(min_cases=5).fit(records)
    X = encoder.transform(records)
    assert encoder.n_unconverted_ == 0
    assert encoder.values_["CRPEntry"].knee is not None  # C-reactive protein: most are low, few are very high
    assert encoder.values_["BodyTemp"].knee is None
    assert encoder.values_["BodyTemp"].low >= 35  # one child has 26.9 degrees on file
    assert abs(X[:, encoder.lineage_.state == "value"]).max() < 6
    assert not any(encoder.unknown(records))


def test_a_frame_has_sparse_columns_by_name_and_rows_by_case(children: Records) -> None:
    framing = FindingEncoder(min_cases=1).set_output(transform="pandas").fit(children)
    X = FindingEncoder(min_cases=1).fit_transform(children)
    frame = clone(framing).fit_transform(children)
    assert frame.columns.tolist() == framing.get_feature_names_out().tolist()
    assert frame.index.tolist() == children.case_ids.tolist()
    assert frame.dtypes.astype(str).unique().tolist() == ["Sparse[float32, 0.0]"]
    assert (frame.sparse.to_coo() != X).nnz == 0
    with config_context(transform_output="pandas"):
        assert (FindingEncoder(min_cases=1).fit_transform(children) != X).nnz == 0
    assert (framing.set_output(transform=None).set_output(transform="default").transform(children) != X).nnz == 0
    with pytest.raises(InputError, match="polars"):
        framing.set_output(transform="polars")
