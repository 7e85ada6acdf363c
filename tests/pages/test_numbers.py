"""Numbers: probabilities that claim no more than they know, values as recorded, units as written for people."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.pages import LineView, RecordedFinding
from diagnosis.pages.numbers import (
    age_text,
    direction,
    factor_text,
    measure_text,
    percent_text,
    range_text,
    unit_text,
    value_text,
)

NBSP = "\u00a0"


@given(p=st.floats(0, 1))
def test_a_probability_is_never_0_or_100_and_off_by_half_a_per_cent_at_most(p: float) -> None:
    en = percent_text(p, "en").replace(NBSP, " ")
    assert en not in ("0 %", "100 %")
    if en not in ("under 1 %", "1 to 5 %", "over 99 %"):
        assert 5 <= int(en.removesuffix(" %")) <= 99
        assert abs(int(en.removesuffix(" %")) - 100 * p) <= 0.5 + 1e-9
        assert percent_text(p, "zh") == en.replace(" ", "")


@pytest.mark.parametrize(
    ("p", "en", "zh"),
    [
        (0.0, "under 1 %", "低于 1%"),
        (0.00999, "under 1 %", "低于 1%"),
        (0.01, "1 to 5 %", "1%–5%"),
        (0.0499, "1 to 5 %", "1%–5%"),
        (0.05, "5 %", "5%"),
        (0.994, "99 %", "99%"),
        (0.995, "over 99 %", "高于 99%"),
        (1.0, "over 99 %", "高于 99%"),
    ],
)
def test_edges_of_rounding(p: float, en: str, zh: str) -> None:
    assert percent_text(p, "en").replace(NBSP, " ") == en
    assert percent_text(p, "zh") == zh


@given(relative=st.floats(-50, 50))
def test_a_factor_is_on_the_side_of_its_sign_and_within_five_per_cent(relative: float) -> None:
    text = factor_text(relative, "en")
    if text.startswith(("over", "under")):
        assert (text == "over ×1,000") == (relative > 0)
        return
    number = float(text.removeprefix("×"))
    assert number == pytest.approx(math.exp(relative), rel=0.051)
    assert (number >= 1) if relative > 0 else (number <= 1)


@given(value=st.floats(-1e6, 1e6).map(lambda v: round(v, 1)))
def test_a_value_with_one_decimal_is_shown_as_recorded(value: float) -> None:
    assert float(value_text(value).replace("−", "-")) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (39.4, "39.4"),
        (39.400001525878906, "39.4"),
        (7.0, "7"),
        (0.0, "0"),
        (-0.0, "0"),
        (-2.5, "−2.5"),
        (12500000.0, "12500000"),
        (0.00004, "0.00004"),
        (1234567.0, "1234567"),
    ],
)
def test_values(value: float, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("ucum", "shown"),
    [
        ("Cel", "°C"),
        ("[degF]", "°F"),
        ("mm[Hg]", "mmHg"),
        ("cm[H2O]", "cmH₂O"),
        ("10*9/L", "×10⁹/L"),
        ("10*12/L", "×10¹²/L"),
        ("10^3/uL", "×10³/µL"),
        ("/min", "/min"),
        ("{beats}/min", "/min"),
        ("1/min", "/min"),
        ("umol/L", "µmol/L"),
        ("ug/L", "µg/L"),
        ("ng/mL", "ng/mL"),
        ("mg/dL", "mg/dL"),
        ("m[IU]/L", "mIU/L"),
        ("kg/m2", "kg/m²"),
        ("meq/L", "mEq/L"),
        ("[pH]", ""),
        ("1", ""),
        ("{score}", ""),
        ("%", "%"),
        ("no such unit", "no such unit"),
        (None, ""),
    ],
)
def test_units_are_written_for_people(ucum: str | None, shown: str) -> None:
    assert unit_text(ucum, "en") == shown


def test_a_measure_joins_value_and_unit() -> None:
    assert measure_text(LineView(value=97.0, unit="%"), "zh") == "97%"
    assert measure_text(LineView(value=97.0, unit="%"), "en") == f"97{NBSP}%"
    assert measure_text(LineView(value=3.0, unit="d"), "zh") == f"3{NBSP}天"
    assert measure_text(LineView(value=12.0), "en") == "12"
    assert measure_text(LineView(), "en") == ""


@pytest.mark.parametrize(
    ("seen", "mark"),
    [
        (RecordedFinding(value=3.0, ref_low=4.0), "L"),
        (RecordedFinding(value=9.0, ref_high=8.0), "H"),
        (RecordedFinding(value=5.0, ref_low=4.0, ref_high=8.0), None),
        (RecordedFinding(value=9.0, ref_high=8.0, interpretation="HH"), "HH"),
        (RecordedFinding(value=9.0, ref_high=8.0, comparator="<"), None),
        (RecordedFinding(interpretation="NEG", state="absent"), None),
        (LineView(value=9.0), None),
    ],
)
def test_out_of_range_comes_from_the_record_first(seen: RecordedFinding, mark: str | None) -> None:
    assert direction(seen) == mark


@pytest.mark.parametrize(("low", "high", "text"), [(36.0, 37.5, "36 to 37.5"), (None, 8, "≤8"), (95, None, "≥95")])
def test_ranges(low: float | None, high: float | None, text: str) -> None:
    assert range_text(low, high, "en") == text


@pytest.mark.parametrize(
    ("years", "days", "en", "zh"),
    [
        (None, None, "", ""),
        (None, 0, "0 days", "0 天"),
        (None, 1, "1 day", "1 天"),
        (None, 27, "27 days", "27 天"),
        (None, 28, "4 weeks", "4 周"),
        (None, 131, "4 months", "4 个月"),
        (9.0, 131, "4 months", "4 个月"),
        (0.0, None, "under 1 year", "不满 1 岁"),
        (1.0, None, "1 year", "1 岁"),
        (3.25, None, "3 years 3 months", "3 岁 3 个月"),
        (7.5, None, "7 years", "7 岁"),
        (89.0, None, "89 years", "89 岁"),
    ],
)
def test_ages(years: float | None, days: float | None, en: str, zh: str) -> None:
    assert (age_text(years, days, "en"), age_text(years, days, "zh")) == (en, zh)
