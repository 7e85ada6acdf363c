"""Which unit a value is in: spellings of one are one, a missing one is not guessed among several; and what is far."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.features import FindingEncoder
from diagnosis.features.counting import training_units
from diagnosis.features.distinct import Distinct
from diagnosis.features.one_case import case_cells
from diagnosis.features.values import FAR, FAR_CASES, far_ends, fit_scale
from diagnosis.records import Case, Finding, Records

CODE = "体温"


def degrees(unit: str, celsius: float) -> float:
    return celsius * 1.8 + 32 if unit == "[degF]" else celsius


def ward(*units: str | None, n: int = 20, vocabulary: dict[str, list[str]] | None = None) -> Records:
    """`n` temperatures from 36.0 Cel in each of the units."""
    cases = [
        Case([Finding(CODE, value=degrees(unit or "", 36 + 4 * i / n), unit=unit)], case_id=f"{number} {i}")
        for number, unit in enumerate(units)
        for i in range(n)
    ]
    return Records.from_cases(cases, **({} if vocabulary is None else {"vocabulary": vocabulary}))


def value_cell(encoder: FindingEncoder, value: float, unit: str | None) -> float:
    """What a value becomes; by hand and among others alike, before and after saving."""
    case = Case([Finding(CODE, value=value, unit=unit)])
    row = encoder.transform(Records.from_cases([case]))
    again = FindingEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert case_cells(case, encoder._plan) is not None
    for made in (encoder.encode_case(case), again.encode_case(case), again.transform(Records.from_cases([case]))):
        assert (made != row).nnz == 0
    assert row.toarray()[0, encoder.get_feature_names_out().tolist().index(f"measured:{CODE}")] == 1
    return float(row.toarray()[0, encoder.get_feature_names_out().tolist().index(f"value:{CODE}")])


def test_spellings_of_one_unit_are_counted_together() -> None:
    encoder = FindingEncoder(min_cases=1).fit(ward("°C", "Cel", "[degF]", "[degF]", "℃", n=5))
    assert encoder.values_[CODE].unit == "Cel"
    assert encoder.values_[CODE].mixed == ("Cel", "[degF]")


@given(st.permutations([("°C", 626), ("Cel", 608), ("[degF]", 1233)]))
def test_the_most_common_unit_does_not_depend_on_the_order(counted: list[tuple[str, int]]) -> None:
    assert training_units(dict(counted), None) == ("Cel", "[degF]")
    assert training_units({"mg/dL": 3, "mg/L": 3}, None) == ("mg/L", "mg/dL")
    assert training_units({"10*3/uL": 1, "10*9/L": 2, "furlongs": 1}, None) == ("10*9/L", "furlongs")


def test_a_value_without_a_unit_is_not_guessed_where_training_mixed_units() -> None:
    encoder = FindingEncoder(min_cases=1).fit(ward("Cel", "[degF]", None))
    assert encoder.n_unconverted_ == 20
    assert value_cell(encoder, 39.5, None) == 0
    assert value_cell(encoder, 39.5, "Cel") == pytest.approx(value_cell(encoder, 103.1, "[degF]")) != 0
    assert encoder.unconverted(Records.from_cases([Case([Finding(CODE, value=39.5)])])).tolist() == [1]


STATED = {"code": [CODE], "unit": ["Cel"]}


@pytest.mark.parametrize("records", [ward("Cel", "°C", None), ward("[degF]", "Cel", vocabulary=STATED)])
def test_a_value_without_a_unit_is_in_the_one_known_or_stated(records: Records) -> None:
    encoder = FindingEncoder(min_cases=1).fit(records)
    assert encoder.values_[CODE].mixed == ()
    assert encoder.n_unconverted_ == 0
    assert value_cell(encoder, 39.5, None) == value_cell(encoder, 39.5, "Cel") != 0


def test_encoders_saved_before_know_no_mixed_units_and_no_limits() -> None:
    plain = FindingEncoder(min_cases=1).fit(ward("Cel", "[degF]", n=40)).to_json()
    for finding in plain["findings"]:
        for name in ("mixed", "least", "most"):
            del finding["value"][name]
    old = FindingEncoder.from_json(plain)
    assert value_cell(old, 39.5, None) == value_cell(old, 39.5, "Cel") != 0
    assert value_cell(old, 3900, "Cel") > 1


def test_a_value_far_outside_training_is_not_used() -> None:
    encoder = FindingEncoder(min_cases=1).fit(ward("Cel", n=FAR_CASES))
    assert value_cell(encoder, 42.5, "Cel") == value_cell(encoder, 51.0, "Cel") > 1  # at the end of training
    for value, unit in ((3900, "Cel"), (102.2, "Cel"), (39, "[degF]"), (-40, "Cel"), (102.2, None)):
        assert value_cell(encoder, value, unit) == 0
    few = FindingEncoder(min_cases=1).fit(ward("Cel", n=FAR_CASES - 1))
    assert value_cell(few, 3900, "Cel") > 1, "too few to know"


@given(st.lists(st.floats(-1e6, 1e6), min_size=FAR_CASES, max_size=80))
def test_nothing_seen_in_training_is_far(values: list[float]) -> None:
    sample = Distinct.of(np.array(values))
    scale = fit_scale(sample, None)
    if scale is None:
        return
    least, most = far_ends(sample, scale.knee)
    assert least <= min(values) <= max(values) <= most
    if scale.knee is None:
        width = max(values) - min(values)
        assert most - max(values) == pytest.approx(FAR * width, rel=1e-6, abs=1e-6)


def test_the_extremes_of_a_heavy_tail_are_not_far() -> None:
    ferritin = Distinct.of(np.geomspace(10, 500, 60))
    scale = fit_scale(ferritin, "ug/L")
    assert scale is not None
    assert scale.knee is not None
    assert far_ends(ferritin, scale.knee)[1] > 30_000
