"""Values in the wrong unit are suspected, and nothing is changed."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.records import Records
from diagnosis.vocabulary import convert, is_unit, suspected_unit_swaps
from diagnosis.vocabulary.unit_swaps import _bounds

TEMPERATURE, HAEMOGLOBIN, GLUCOSE = "LOINC:8310-5", "LOINC:718-7", "LOINC:2345-7"


@pytest.mark.parametrize(
    ("code", "value", "written", "suspected"),
    [
        (TEMPERATURE, 98.6, "Cel", "[degF]"),
        (TEMPERATURE, 98.6, "C", "[degF]"),
        (TEMPERATURE, 37.2, "[degF]", "Cel"),
        (TEMPERATURE, 39.4, "Cel", None),
        (TEMPERATURE, 100.4, "[degF]", None),
        (TEMPERATURE, 500, "Cel", None),  # impossible in both: an error of another kind
        (HAEMOGLOBIN, 135, "g/dL", "g/L"),
        (HAEMOGLOBIN, 13.5, "g/L", "g/dL"),
        (HAEMOGLOBIN, 62, "g/L", None),  # severe anaemia is no swap
        (GLUCOSE, 90, "mmol/L", "mg/dL"),
        (GLUCOSE, 5.2, "mg/dL", "mmol/L"),
        (GLUCOSE, 35, "mmol/L", None),  # ketoacidosis
        ("LOINC:2160-0", 80, "mg/dL", "umol/L"),
        ("LOINC:777-3", 250_000, "10*9/L", "/uL"),
        ("LOINC:6690-2", 7, "/uL", "10*9/L"),
        ("LOINC:59408-5", 0.97, "%", "1"),
        ("LOINC:0000-0", 98.6, "Cel", None),
        (TEMPERATURE, 98.6, "K", None),
        (TEMPERATURE, np.nan, "Cel", None),
    ],
)
def test_swaps_a_clinician_would_suspect(code: str, value: float, written: str, suspected: str | None) -> None:
    assert suspected_unit_swaps(np.array([value]), written, code).tolist() == [suspected]


@given(st.sampled_from(sorted((c, u) for c, units in _bounds().items() for u in units)), st.floats(allow_nan=True))
def test_what_is_possible_as_written_is_never_suspected(pair: tuple[str, str], value: float) -> None:
    code, unit = pair
    (suspected,) = suspected_unit_swaps(np.array([value]), unit, code).tolist()
    low, high = _bounds()[code][unit]
    if suspected is not None:
        assert not low <= value <= high
        other = _bounds()[code][suspected]
        assert other[0] <= value <= other[1]


def test_bounds_of_one_analyte_are_the_same_in_every_unit() -> None:
    text = files("diagnosis.vocabulary").joinpath("plausible_values.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert all(row["source"] and is_unit(row["unit"]) for row in rows)
    first: dict[str, dict[str, str]] = {}
    for row in rows:
        own = first.setdefault(row["analyte"], row)
        assert own["loinc"] == row["loinc"]
        bounds = np.array([float(row["lowest"]), float(row["highest"])])
        code = row["loinc"].split("|")[0]
        converted = convert(bounds, row["unit"], own["unit"], code)
        assert converted is not None, row
        assert converted == pytest.approx([float(own["lowest"]), float(own["highest"])], rel=0.06), row


def test_values_are_not_changed() -> None:
    values = np.array([98.6, 37.0])
    suspected_unit_swaps(values, "Cel", TEMPERATURE)
    assert values.tolist() == [98.6, 37.0]


def test_records_warn_and_keep_the_value() -> None:
    findings = {
        "case_id": ["a", "b", "c", "c"],
        "code": [TEMPERATURE, TEMPERATURE, TEMPERATURE, "hb"],
        "status": ["present"] * 4,
        "value": [98.6, 37.0, 101.0, 130.0],
        "unit": ["Cel", "Cel", "Cel", "g/dL"],
    }
    words = {"code": ["hb"], "loinc": ["718-7"]}
    records = Records.from_tables({"cases": {"case_id": ["a", "b", "c"]}, "findings": findings, "vocabulary": words})
    (problem,) = [p for p in records.report.problems if p.kind == "suspected_unit"]
    assert problem.count == 3
    assert problem.severity == "warning"
    assert "LOINC:8310-5 in Cel, perhaps [degF] (2)" in problem.says
    assert "hb in g/dL, perhaps g/L (1)" in problem.says
    assert records.frame("findings")["value"].tolist() == [98.6, 37.0, 101.0, 130.0]


def test_records_without_such_values_do_not_warn() -> None:
    findings = {"case_id": ["a"], "code": [TEMPERATURE], "status": ["present"], "value": [38.5], "unit": ["Cel"]}
    records = Records.from_tables({"cases": {"case_id": ["a"]}, "findings": findings})
    assert not [p for p in records.report.problems if p.kind == "suspected_unit"]


def test_records_without_values_are_fine() -> None:
    findings = {"case_id": ["a"], "code": ["x"], "status": ["present"], "value": [None], "unit": ["Cel"]}
    assert len(Records.from_tables({"cases": {"case_id": ["a"]}, "findings": findings})) == 1
