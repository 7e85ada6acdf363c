"""Values in other units: there and back, known points, and never a guess."""

from __future__ import annotations

import csv
import re
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diagnosis.vocabulary import convert, is_unit
from diagnosis.vocabulary.analytes import analyte, molar_mass
from diagnosis.vocabulary.comparable import comparable
from diagnosis.vocabulary.units import common_units, ucum_of

ROWS = list(csv.DictReader(files("diagnosis.vocabulary").joinpath("molar_masses.csv").read_text("utf-8").splitlines()))
CODES = [code for row in ROWS for code in row["loinc"].split("|")]
VALUES = np.array([0.0, 1e-3, 4.2, 39.4, 1e6, -5.0, np.nan])


def one(value: float, source: str, target: str, code: str | None = None) -> float | None:
    made = convert(np.array([value]), source, target, code)
    return None if made is None else float(made[0])


@pytest.mark.parametrize("code", CODES)
def test_mass_and_amount_there_and_back(code: str) -> None:
    for target in ("mmol/L", "umol/L"):
        there = convert(VALUES, "mg/dL", target, f"LOINC:{code}")
        assert there is not None
        back = convert(there, target, "mg/dL", code)
        np.testing.assert_allclose(back, VALUES, rtol=1e-9, equal_nan=True)


# Factors that laboratories print (SI conversion tables of the AMA Manual of Style, 11th edition, section 17.5).
@pytest.mark.parametrize(
    ("code", "factor", "unit"),
    [
        ("2345-7", 0.0555, "mmol/L"),
        ("2160-0", 88.4, "umol/L"),
        ("1975-2", 17.104, "umol/L"),
        ("3094-0", 0.357, "mmol/L"),
        ("3091-6", 0.167, "mmol/L"),
        ("2093-3", 0.0259, "mmol/L"),
        ("2571-8", 0.0113, "mmol/L"),
        ("17861-6", 0.25, "mmol/L"),
        ("2777-1", 0.323, "mmol/L"),
        ("19123-9", 0.411, "mmol/L"),
        ("3084-1", 59.485, "umol/L"),
        ("2524-7", 0.111, "mmol/L"),
        ("2498-4", 179.1, "umol/L"),
        ("1841-6", 587.2, "umol/L"),
        ("6873-4", 96.06, "umol/L"),
        ("2143-6", 27588.0, "nmol/L"),
    ],
)
def test_factors_that_laboratories_print(code: str, factor: float, unit: str) -> None:
    assert one(1.0, "mg/dL", unit, code) == pytest.approx(factor, rel=0.012)


def test_the_table_of_analytes_is_sound() -> None:
    assert len(CODES) == len(set(CODES))
    for row in ROWS:
        assert row["source"]
        assert 10 < float(row["molar_mass_g_per_mol"]) < 1000
        for code in row["loinc"].split("|"):
            assert analyte(code) == analyte(f"LOINC:{code}")
            assert molar_mass(code) == float(row["molar_mass_g_per_mol"])
    assert analyte(None) is None
    assert molar_mass("0000-0") is None


@pytest.mark.parametrize("code", CODES)
def test_loinc_codes_have_their_check_digit(code: str) -> None:
    """The last digit of a LOINC code is the Luhn sum of the others (LOINC Users' Guide, appendix C)."""
    number, check = re.fullmatch(r"(\d{1,7})-(\d)", code).groups()  # type: ignore[union-attr]
    doubled = "".join(str(int(d) * 2) if i % 2 == 0 else d for i, d in enumerate(reversed(number)))
    assert (10 - sum(map(int, doubled)) % 10) % 10 == int(check)


@pytest.mark.parametrize(
    ("value", "source", "target", "made"),
    [
        (98.6, "[degF]", "Cel", 37.0),
        (32.0, "[degF]", "Cel", 0.0),
        (212.0, "[degF]", "Cel", 100.0),
        (-40.0, "[degF]", "Cel", -40.0),
        (38.5, "C", "Cel", 38.5),
        (37.0, "c", "[degF]", 98.6),
        (98.6, "F", "Cel", 37.0),
        (2.0, "C", "A.s", 2.0),
        (37.0, "Cel", "[degF]", 98.6),
        (0.0, "Cel", "K", 273.15),
        (98.6, "[degF]{oral}", "Cel", 37.0),
        (760.0, "mm[Hg]", "kPa", 101.325),
        (1.0, "m[H2O]", "mm[Hg]", 73.556),
        (1.0, "[lb_av]", "kg", 0.45359237),
        (70.0, "[in_i]", "cm", 177.8),
        (5.0, "10*9/L", "10*3/uL", 5.0),
        (5.0, "10*9/L", "/uL", 5000.0),
        (13.5, "g/dL", "g/L", 135.0),
        (42.0, "%", "L/L", 0.42),
        (7.0, "ukat/L", "U/L", 420.0),
        (5.0, "m[IU]/mL", "[IU]/L", 5.0),
        (72.0, "{beats}/min", "/min", 72.0),
        (1.0, "a", "d", 365.25),
        (2.0, "wk", "d", 14.0),
        (300.0, "mg/g", "g/kg", 300.0),
    ],
)
def test_known_points(value: float, source: str, target: str, made: float) -> None:
    assert one(value, source, target) == pytest.approx(made, rel=1e-4)
    assert one(made, target, source) == pytest.approx(value, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize(
    ("value", "source", "target", "code", "made"),
    [
        (140.0, "meq/L", "mmol/L", "2951-2", 140.0),
        (5.0, "meq/L", "mmol/L", "2000-8", 2.5),
        (2.5, "mmol/L", "meq/L", "2000-8", 5.0),
        (10.0, "mg/dL", "meq/L", "17861-6", 4.9903),
        (2.0, "meq/L", "mg/dL", "LOINC:19123-9", 2.4305),
    ],
)
def test_equivalents_by_the_charge_of_the_ion(value: float, source: str, target: str, code: str, made: float) -> None:
    assert one(value, source, target, code) == pytest.approx(made, rel=1e-4)


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("mg/dL", "mmol/L", None),
        ("mg/dL", "mmol/L", "0000-0"),
        ("mg/dL", "mm[Hg]", "2345-7"),
        ("meq/L", "mmol/L", None),  # of calcium half as many
        ("meq/L", "mmol/L", "2345-7"),
        ("mosm/kg", "mmol/kg", None),
        ("%", "mmol/mol", None),  # HbA1c: 7 % is 53, not 70
        ("%", "mmol/mol", "4548-4"),
        ("mg/g", "%", None),
        ("[IU]/L", "U/L", None),
        ("[IU]/mL", "[arb'U]/mL", None),
        ("[arb'U]/mL", "[APL'U]/mL", None),
        ("/[HPF]", "1", None),
        ("/[HPF]", "/[LPF]", None),
        ("[CFU]/mL", "/mL", None),
        ("mg/L{FEU}", "mg/L{DDU}", None),  # D-dimer: one is half of the other
        ("mL/min/{1.73_m2}", "mL/min", None),
        ("[pH]", "1", None),
        ("[pH]", "nmol/L", None),
        ("dB", "1", None),
        ("Cel", "/min", None),
        ("Cel/min", "K/min", None),
        ("C", "F", None),
        ("C", "K", None),
        ("F", "A.s", None),
        ("oz", "kg", None),
        ("", "kg", None),
    ],
)
def test_nothing_is_guessed(source: str, target: str, code: str | None) -> None:
    assert one(1.0, source, target, code) is None
    assert one(1.0, target, source, code) is None


@pytest.mark.parametrize("unit", common_units())
def test_common_units_are_units_and_themselves(unit: str) -> None:
    assert is_unit(unit)
    assert one(4.2, unit, unit) == 4.2
    # Known by heart, and known to the parser as well: in company it is not looked up.
    assert unit in ("[pH]", "Cel", "[degF]") or is_unit(f"{unit}.m")


@pytest.mark.parametrize(
    "text", ["", " ", "mmHg", "mmol per litre", "MG/DL", "°C", "℃", "µmol/L", "mg /dL", "m\n", "1e5", "{", "()", "bpm"]
)
def test_what_is_no_unit(text: str) -> None:
    assert not is_unit(text)


@settings(max_examples=200)
@given(
    text=st.text("mgLdul/*.^10293-+[]{}()'%IUHPFeq osm", max_size=12) | st.text(max_size=20),
    other=st.sampled_from(common_units()),
)
@example("10*999999999/L", "/L")  # the arithmetic of which would never end
@example("m999999999", "m")
@example("9" * 60, "1")
@example("(" * 5000, "m")
@example("m/" * 3000, "m")
@example("{score}", "%")
def test_no_text_is_an_exception(text: str, other: str) -> None:
    assert isinstance(is_unit(text), bool)
    for source, target in ((text, other), (other, text), (text, text)):
        made = convert(VALUES, source, target, "2345-7")
        assert made is None or made.shape == VALUES.shape
        if made is not None:
            assert np.isnan(made[-1])


@settings(max_examples=100)
@given(
    source=st.sampled_from(common_units()),
    target=st.sampled_from(common_units()),
    code=st.sampled_from([None, "2345-7", "2000-8"]),
)
def test_there_and_back_is_where_it_was(source: str, target: str, code: str | None) -> None:
    there = convert(VALUES, source, target, code)
    back = None if there is None else convert(there, target, source, code)
    assert (there is None) == (convert(VALUES, target, source, code) is None)
    assert comparable(source, target) == comparable(target, source)
    if back is not None:
        np.testing.assert_allclose(back, VALUES, rtol=1e-9, atol=1e-9, equal_nan=True)


TARGETS = ("K", "kPa", "/h", "10*9/L", "g/L", "mol/L", "kg", "h", "[IU]/L")
SPELLINGS = list(
    csv.DictReader(files("diagnosis.vocabulary").joinpath("unit_spellings.csv").read_text("utf-8").splitlines())
)


def test_every_spelling_converts_as_its_unit() -> None:
    for row in SPELLINGS:
        code = row["ucum"]
        assert is_unit(code)
        assert row["source"]
        for spelling in row["spellings"].split("|"):
            assert ucum_of(spelling) == code, spelling
            for target in (code, *TARGETS):
                np.testing.assert_array_equal(convert(VALUES, spelling, target), convert(VALUES, code, target))
                np.testing.assert_array_equal(convert(VALUES, target, spelling), convert(VALUES, target, code))


@pytest.mark.parametrize(
    ("written", "value", "unit", "made"),
    [
        ("98.6 °F", 98.6, "Cel", 37.0),
        ("37 ℃", 37.0, "[degF]", 98.6),
        ("37 摄氏度", 37.0, "Cel", 37.0),
        ("120 mm Hg", 120.0, "kPa", 15.998684),
        ("80 bpm", 80.0, "/min", 80.0),
        ("80 次/分", 80.0, "/h", 4800.0),
        ("7.2 K/uL", 7.2, "10*9/L", 7.2),
        ("7.2 ×10⁹/L", 7.2, "10*3/uL", 7.2),
        ("7.2 x10E9/L", 7.2, "/uL", 7200.0),
        ("90 µmol/L", 90.0, "mmol/L", 0.09),
        ("90 μmol/L", 90.0, "umol/L", 90.0),
        ("13.5 G/DL", 13.5, "g/L", 135.0),
        ("40 IU/L", 40.0, "[IU]/mL", 0.04),
        ("30 secs", 30.0, "min", 0.5),
        ("22 kg/m²", 22.0, "kg/m2", 22.0),
        ("60 mL/min/1.73 m²", 60.0, "mL/min/{1.73_m2}", 60.0),
    ],
)
def test_units_as_hospitals_write_them(written: str, value: float, unit: str, made: float) -> None:
    assert one(value, written.partition(" ")[2], unit) == pytest.approx(made, rel=1e-6)


@pytest.mark.parametrize(
    "unit", ["oz", "M", "mM", "G/L", "C", "F", "MS", "MG/L", "units", "T", "", " ", "{count}", "度"]
)
def test_what_could_mean_two_things_is_not_guessed(unit: str) -> None:
    assert ucum_of(unit) == unit


def test_common_units_and_codes_are_left_as_they_are() -> None:
    for unit in (*common_units(), *(row["ucum"] for row in SPELLINGS)):
        assert ucum_of(unit) == unit


@given(st.text(max_size=12))
@example("10^99999999/L")
@example("²")
def test_any_text_is_a_unit_or_none(text: str) -> None:
    meant = ucum_of(text)
    assert ucum_of(meant) == meant
    assert not is_unit(text) or is_unit(meant)


def test_input_is_not_changed() -> None:
    values = np.array([98.6, np.nan])
    convert(values, "[degF]", "Cel")
    np.testing.assert_array_equal(values, [98.6, np.nan])
    assert convert(np.array([1, 2]), "g", "mg").tolist() == [1000.0, 2000.0]  # type: ignore[arg-type, union-attr]
