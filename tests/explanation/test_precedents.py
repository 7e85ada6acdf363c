"""What a page says of the training cases and of a value's age: counts and words, never a case."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from tests.small import small_records

import diagnosis as dx
from diagnosis.suggestions.case_page import page_of
from diagnosis.suggestions.moments import asked_at, when_text
from diagnosis.suggestions.precedents import confirmed_by, confirmed_text, similar_text


@pytest.fixture(scope="module")
def differential() -> dx.Differential:
    records = small_records(160)
    return dx.Diagnoser(model="linear", folds=2, as_of="end").fit(records[:140]).suggest(records[150:151], top=3)[0]


def test_what_confirmed_a_diagnosis_is_counted_and_few_are_left_out() -> None:
    cases = {"case_id": [f"c{i}" for i in range(12)], "diagnosis": ["B05.9"] * 12}
    labels = {
        "case_id": cases["case_id"],
        "diagnosis": ["B05.9"] * 12,
        "role": ["principal"] * 12,
        "status": ["confirmed"] * 11 + ["provisional"],
        "basis": ["laboratory"] * 6 + ["clinical"] * 4 + [None, "laboratory"],
    }
    findings = {"case_id": ["c0"], "code": ["rash"], "status": ["present"]}
    records = dx.Records.from_tables({"cases": cases, "findings": findings, "labels": labels})
    made = confirmed_by(records, ["B05.9"])
    assert made == {"B05.9": {"laboratory": 6}}
    assert confirmed_by(records, ["A09.9"]) == {}
    assert confirmed_by(small_records(5), ["B05.9"]) == {}
    assert confirmed_text({"confirmed_by": made}, "B05.9") == {"en": "by laboratory 6", "zh": "检验 6"}
    assert confirmed_text({}, "B05.9") is None


def test_similar_cases_are_counted_by_diagnosis_and_no_id_is_named(differential: dx.Differential) -> None:
    table = differential.similar_cases(10)
    counts = Counter(table["name"].tolist())
    said = similar_text(differential, 10)
    assert said is not None
    assert said["en"].split(", ")[0] == "{} {}".format(*counts.most_common(1)[0])
    page = differential._repr_html_()
    assert said["en"] in page
    assert not [one for one in table["case_id"] if f">{one}<" in page or f" {one} " in page]
    assert said["en"] not in differential.to_html()
    assert said["zh"] in differential.to_html("zh", similar=10)
    assert similar_text(differential, 0) is None


def test_a_value_says_how_old_it_was(differential: dx.Differential) -> None:
    asked = asked_at(differential.records, "end")
    assert asked is not None
    seen = [one for one in page_of(differential, questions=0).recorded if one.when]
    assert seen
    assert all("before" in one.when["en"] for one in seen if isinstance(one.when, dict))
    assert any(isinstance(one.when, dict) for one in seen)
    assert asked_at(differential.records, "24 h") is None
    noon = datetime(2024, 3, 1, 12, tzinfo=UTC)
    for at, says in (
        (datetime(2024, 3, 1, 11, 20, tzinfo=UTC), "2024-03-01 11:20 UTC (40 min before)"),
        (datetime(2024, 2, 25, 12, tzinfo=UTC), "2024-02-25 12:00 UTC (5 days before)"),
    ):
        assert when_text(at, noon)["en"] == says  # type: ignore[index]
    assert when_text(noon, datetime(2024, 3, 1, 11, tzinfo=UTC)) == "2024-03-01 12:00 UTC"
    assert when_text(None, noon) is None
