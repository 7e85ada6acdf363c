"""Reference ranges: what a clinician would expect, no range where none is known, one line a patient at most."""

from __future__ import annotations

import csv
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diagnosis as dx
from diagnosis.vocabulary import convert, is_unit, reference_range, reference_ranges
from diagnosis.vocabulary.ranges import _Row, _table

YEAR = 365.25
MONTH = YEAR / 12
HEART_RATE, HAEMOGLOBIN, PLATELETS, SATURATION = "LOINC:8867-4", "LOINC:718-7", "LOINC:777-3", "LOINC:59408-5"

patients = st.tuples(
    st.sampled_from(sorted({code for row in _table() for code in row.codes} | {"unknown-code"})),
    st.one_of(st.floats(0, 110 * YEAR), st.sampled_from([0.0, 28.0, 6 * MONTH, YEAR, 13 * YEAR, 19 * YEAR, np.nan])),
    st.sampled_from(["female", "male", "other", "unknown", None]),
    st.sampled_from([None, "serum", "venous blood", "capillary blood", "静脉血", "Serum ", "urine"]),
    st.one_of(st.floats(-400, 8_800), st.just(np.nan)),
    st.sampled_from([None, False, True]),
    st.one_of(st.none(), st.floats(0, 44)),
)


def test_150_beats_a_minute_is_high_at_ten_years_and_normal_at_one_month() -> None:
    baby = dx.reference_range(HEART_RATE, age_days=30, sex="female")
    child = dx.reference_range(HEART_RATE, age_days=10 * YEAR, sex="female")
    assert baby is not None
    assert child is not None
    assert baby.low is not None
    assert baby.high is not None
    assert child.high is not None
    assert baby.low < 150 < baby.high
    assert child.high < 150
    assert "Fleming" in child.source


@pytest.mark.parametrize(
    ("code", "age_years", "sex", "low", "high", "unit", "source"),
    [
        ("8867-4", 40, None, 50, 100, "/min", "ACC/AHA"),
        ("9279-1", 0.1, None, 25, 66, "/min", "Fleming"),
        ("9279-1", 40, None, 12, 20, "/min", "Royal College"),
        ("8310-5", 0.01, None, 36.5, 37.5, "Cel", "WHO 1997"),
        ("8310-5", 3, None, None, 37.99, "Cel", "Brighton"),
        ("718-7", 30, "male", 130, 175, "g/L", "WS/T 405"),
        ("718-7", 30, "female", 115, 150, "g/L", "WS/T 405"),
        ("718-7", 0.2, None, 97, 183, "g/L", "WS/T 779"),
        ("718-7", 15, "female", 114, 154, "g/L", "WS/T 779"),
        ("6690-2", 1.5, None, 5.1, 14.1, "10*9/L", "WS/T 779"),
        ("777-3", 40, "male", 125, 350, "10*9/L", "WS/T 405"),
        ("1742-6", 40, "female", 7, 40, "U/L", "WS/T 404.1"),
        ("1742-6", 0.5, None, 8, 71, "U/L", "WS/T 780"),
        ("6768-6", 13, "male", 160, 610, "U/L", "WS/T 780"),
        ("14682-9", 4, None, 19, 44, "umol/L", "WS/T 780"),
        ("14682-9", 70, "male", 57, 111, "umol/L", "WS/T 404.5"),
        ("14631-6", 40, "female", None, 21, "umol/L", "WS/T 404.4"),
        ("2823-3", 40, None, 3.5, 5.3, "mmol/L", "WS/T 404.3"),
    ],
)
def test_published_ranges(
    code: str, age_years: float, sex: str | None, low: float | None, high: float, unit: str, source: str
) -> None:
    found = reference_range(code, age_years * YEAR, sex)
    assert found is not None
    assert (found.low, found.high, found.unit) == (low, high, unit)
    assert found.source.startswith(source)


@pytest.mark.parametrize(
    ("code", "age_days", "sex", "why"),
    [
        ("LOINC:0000-0", 1000, "male", "a code that is not in the table"),
        (HAEMOGLOBIN, 3, "male", "newborns: the standards begin at 28 days"),
        (HAEMOGLOBIN, 30 * YEAR, "unknown", "ranges differ by sex"),
        (HAEMOGLOBIN, 30 * YEAR, None, "ranges differ by sex"),
        (HEART_RATE, np.nan, "male", "no age"),
        (PLATELETS, 12.5 * YEAR, "male", "accounts of the standard differ"),
        ("1742-6", 85 * YEAR, "male", "the standard covers up to 79 years"),
    ],
)
def test_no_range_where_none_is_known(code: str, age_days: float, sex: str | None, why: str) -> None:
    assert reference_range(code, age_days, sex) is None, why


def test_specimen() -> None:
    assert reference_range(PLATELETS, 2, "male") is None, "only capillary blood is known, and was not named"
    newborn = reference_range(PLATELETS, 2, "male", specimen="capillary blood")
    assert newborn is not None
    assert (newborn.low, newborn.high) == (152, 464)
    assert reference_range(PLATELETS, 40 * YEAR, "male", specimen="静脉血") is not None
    assert reference_range(PLATELETS, 40 * YEAR, "male", specimen="capillary blood") is None
    assert reference_range("2823-3", 40 * YEAR, "male", specimen=" Serum") is not None
    assert reference_range("2823-3", 40 * YEAR, "male", specimen="urine") is None


def test_haemoglobin_rises_with_altitude_as_who_tabulates_it() -> None:
    # Middle of each band of the table in WHO's guideline of 2024.
    table = {250: 0, 750: 4, 1250: 8, 1750: 11, 2250: 14, 2750: 18, 3250: 21, 3750: 25, 4250: 29}
    for altitude, more in table.items():
        found = reference_range(HAEMOGLOBIN, 30 * YEAR, "male", altitude_m=altitude)
        assert found is not None
        assert (found.low, found.high) == (130 + more, 175 + more)
    assert reference_range(HAEMOGLOBIN, 30 * YEAR, "male", altitude_m=5_000) is None


def test_oxygen_saturation_by_altitude() -> None:
    assert reference_range(SATURATION, 30 * YEAR, None).low == 95  # type: ignore[union-attr]
    assert reference_range(SATURATION, 5 * YEAR, None, altitude_m=2_810).low == 90  # type: ignore[union-attr]
    assert reference_range(SATURATION, 30 * YEAR, None, altitude_m=3_600) is None
    assert reference_range(SATURATION, 5 * YEAR, None) is None


def test_pregnancy() -> None:
    def low(weeks: float | None, code: str = HAEMOGLOBIN, altitude: float = 0) -> float | None:
        found = reference_range(code, 30 * YEAR, "female", altitude_m=altitude, pregnant=True, pregnancy_weeks=weeks)
        return found.low if found else None

    assert [low(w) for w in (8, 20, 35)] == [110, 105, 110]
    assert low(None) == 105
    assert low(20, altitude=3_250) == 126
    assert low(20, "2885-2") is None, "the standards leave pregnant women out"
    assert reference_range("8310-5", 30 * YEAR, "female", pregnant=True) is not None


@given(patients)
def test_never_two_lines_for_one_patient(
    patient: tuple[str, float, str | None, str | None, float, bool | None, float | None],
) -> None:
    code, age, sex, specimen, altitude, pregnant, weeks = patient
    found = reference_range(code, age, sex, specimen, altitude, pregnant, weeks)
    if found is not None:
        assert found.low is not None or found.high is not None
        assert found.source
        if found.low is not None and found.high is not None:
            assert found.low < found.high


def test_no_two_lines_hold_for_one_patient() -> None:
    def meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return max(one[0], other[0]) < min(one[1], other[1])

    def both(a: _Row, b: _Row) -> bool:
        return (
            bool(set(a.codes) & set(b.codes))
            and meet(a.age, b.age)
            and meet(a.altitude, b.altitude)
            and (not a.sex or not b.sex or a.sex == b.sex)
            and (not a.specimens or not b.specimens or bool(a.specimens & b.specimens))
            and ("any" in (a.condition, b.condition) or a.condition == b.condition)
            and meet(a.weeks, b.weeks)
        )

    assert not [(a, b) for a, b in combinations(_table(), 2) if both(a, b)]


@given(st.lists(patients, max_size=8))
def test_many_at_once_are_each_alone(
    rows: list[tuple[str, float, str | None, str | None, float, bool | None, float | None]],
) -> None:
    code, age, sex, specimen, altitude, pregnant, weeks = (
        (list(c) for c in zip(*rows, strict=True)) if rows else [[]] * 7
    )
    many = reference_ranges(
        code,
        np.array(age, float),
        sex,
        specimen,
        np.array(altitude, float),
        pregnant,
        np.array([np.nan if w is None else w for w in weeks], float),
    )
    for i, row in enumerate(rows):
        alone = reference_range(*row)
        if alone is None:
            assert many.unit[i] == many.row[i] == -1
            assert np.isnan(many.low[i])
            assert np.isnan(many.high[i])
        else:
            assert many.units[many.unit[i]] == alone.unit
            for bound, of in ((many.low[i], alone.low), (many.high[i], alone.high)):
                assert (np.isnan(bound) and of is None) or bound == of


def test_a_code_with_or_without_its_prefix() -> None:
    assert reference_range("8867-4", 30, None) == reference_range("LOINC:8867-4", 30, None)


def test_lines_of_the_table_are_sound() -> None:
    for row in _table():
        assert row.source, row
        assert is_unit(row.unit), row
        assert row.age[0] < row.age[1], row
        assert np.isnan(row.low) or np.isnan(row.high) or row.low < row.high, row
        assert row.sex in ("", "female", "male"), row
        assert row.condition in ("any", "not pregnant", "pregnant", "pregnant, weeks unknown"), row
        assert all(s == s.strip().casefold() for s in row.specimens), row


def test_one_unit_an_analyte_and_it_converts_for_every_code() -> None:
    text = files("diagnosis.vocabulary").joinpath("reference_ranges.csv").read_text(encoding="utf-8")
    units: dict[str, set[str]] = {}
    for line in csv.DictReader(text.splitlines()):
        for code in line["loinc"].split("|"):
            units.setdefault(code, set()).add(line["unit"])
    assert all(len(u) == 1 for u in units.values())
    for code, unit in (("2160-0", "mg/dL"), ("1975-2", "mg/dL"), ("17861-6", "mg/dL"), ("718-7", "g/dL")):
        (own,) = units[code]
        assert convert(np.ones(1), own, unit, code) is not None


def luhn_digit(number: str) -> int:
    """The check digit of a LOINC code (mod 10, as LOINC's users' guide gives it)."""
    doubled = "".join(str(2 * int(d)) if i % 2 == 0 else d for i, d in enumerate(reversed(number)))
    return -sum(map(int, doubled)) % 10


@pytest.mark.parametrize("table", ["reference_ranges.csv", "plausible_values.csv"])
def test_loinc_codes_have_their_check_digit(table: str) -> None:
    text = files("diagnosis.vocabulary").joinpath(table).read_text(encoding="utf-8")
    codes = {code for line in csv.DictReader(text.splitlines()) for code in line["loinc"].split("|")}
    assert len(codes) > 20
    wrong = [c for c in codes if luhn_digit(c.split("-")[0]) != int(c.split("-")[1])]
    assert not wrong
