"""Values not used for what training knows of their finding: each is flagged, with its code and why."""

from __future__ import annotations

import numpy as np
import pytest

from diagnosis.features import FindingEncoder
from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions.flags import CaseFacts, Flag, about_input
from diagnosis.suggestions.inputs import SetAside, values_set_aside


@pytest.fixture(scope="module")
def encoder() -> FindingEncoder:
    """Temperatures of 36 to 40 Cel, some in [degF], under a code of one's own."""
    cases = [Case([Finding("体温", value=36 + i / 15, unit="°C")], case_id=f"c{i}") for i in range(60)]
    cases += [Case([Finding("体温", value=98 + i / 10, unit="[degF]")], case_id=f"f{i}") for i in range(30)]
    return FindingEncoder(min_cases=1).fit(Records.from_cases(cases))


def flags(encoder: FindingEncoder, *findings: Finding) -> list[Flag]:
    records = Records.from_cases([Case(findings)])
    aside, (lost,) = values_set_aside(records, encoder.values_).get(0, SetAside()), encoder.unconverted(records)
    return about_input(CaseFacts(np.nan, None, (), {}, int(lost), (), True, 1.0, 0.0, set_aside=aside))


def test_a_missing_unit_is_named_with_the_units_known(encoder: FindingEncoder) -> None:
    (flag,) = flags(encoder, Finding("体温", value=39.0))
    assert flag.kind == "values_not_used"
    assert flag.rule == "values without a unit were not used: 体温 is known in Cel, [degF]"
    assert flag.values == {"n": 1, "without_unit": {"体温": ["Cel", "[degF]"]}}


@pytest.mark.parametrize(("value", "unit"), [(3900.0, "Cel"), (102.0, "°C"), (39.0, "[degF]")])
def test_a_value_far_from_training_is_flagged(encoder: FindingEncoder, value: float, unit: str) -> None:
    (flag,) = flags(encoder, Finding("体温", value=value, unit=unit))
    assert (flag.kind, flag.values) == ("implausible_value", {"n": 1, "codes": ["体温"], "beyond": "training"})
    assert "far outside everything seen in training" in flag.rule


def test_a_unit_that_does_not_convert_is_another_matter(encoder: FindingEncoder) -> None:
    (flag,) = flags(encoder, Finding("体温", value=39.0, unit="kg"))
    assert flag.rule == "values whose unit does not convert were not used"
    assert flag.values == {"n": 1, "foreign": {"体温": {"value": 39.0, "unit": "kg"}}}


def test_usual_values_are_not_flagged(encoder: FindingEncoder) -> None:
    usual = (Finding("体温", value=41.5, unit="Cel"), Finding("体温", value=39.0, subject="mother"), Finding("咳嗽"))
    assert flags(encoder, *usual) == []
    assert values_set_aside(Records.from_cases([Case(), Case(case_id="b")]), encoder.values_) == {}
