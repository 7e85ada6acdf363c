"""What a page says of the training cases and of a value's age: counts and words, never a case."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.small import small_records

import diagnosis as dx
from diagnosis.models.track_record import LEAST_CASES, TrackRecord
from diagnosis.pages.record import record_text
from diagnosis.suggestions.calibrated import Calibrated
from diagnosis.suggestions.case_page import page_of
from diagnosis.suggestions.moments import asked_at, when_text
from diagnosis.suggestions.precedents import confirmed_by, confirmed_text, record_of, similar_text

shares = st.floats(0, 1)


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
    y = records.labels()
    made = confirmed_by(records, y)
    assert made == {"B05.9": {"laboratory": 6}}
    assert confirmed_by(records, np.full(12, "A09.9", object)) == {}
    assert confirmed_by(small_records(5), small_records(5).labels()) == {}
    # Other roles, other diagnoses and a second label of a case add nothing: of two, the one of lower rank counts.
    more = {
        "case_id": cases["case_id"] * 3,
        "diagnosis": ["B05.9"] * 24 + ["A09.9"] * 12,
        "role": ["principal"] * 12 + ["complication"] * 6 + ["principal"] * 6 + ["principal"] * 12,
        "status": ["confirmed"] * 36,
        "basis": ["laboratory"] * 12 + ["imaging"] * 24,
        "rank": [2] * 12 + [1] * 24,
    }
    several = confirmed_by(dx.Records.from_tables({"cases": cases, "findings": findings, "labels": more}), y)
    assert several == {"B05.9": {"imaging": 6, "laboratory": 6}}
    assert confirmed_text({"confirmed_by": several, "n_by_diagnosis": {"B05.9": 11}}, "B05.9") is None
    assert confirmed_text({"confirmed_by": made}, "B05.9") == {"en": "by laboratory 6", "zh": "检验 6"}
    assert confirmed_text({}, "B05.9") is None


@given(
    arrays(np.float64, (40, 3), elements=st.floats(0.001, 1)), arrays(np.int64, 40, elements=st.integers(-1, 2)), shares
)
def test_a_track_record_counts_the_cases_that_were_given_such_a_probability(
    drawn: np.ndarray, y: np.ndarray, asked: float
) -> None:
    proba = drawn / drawn.sum(axis=1, keepdims=True)
    record = TrackRecord.of(proba, y)
    back = TrackRecord.from_json(json.loads(json.dumps(record.to_json())))
    for k in range(3):
        low, high, given_, had = record.at(k, asked)
        assert back is not None
        assert back.at(k, asked) == (low, high, given_, had)
        assert low <= asked < high or asked == high == 1.0
        inside = (proba[:, k] >= low) & ((proba[:, k] < high) | (high == 1.0))
        assert given_ == (int(inside.sum()) if inside.sum() >= LEAST_CASES else 0)
        assert had == (int((inside & (y == k)).sum()) if given_ else 0)


def test_the_page_says_how_often_a_diagnosis_was_right_at_such_a_probability(
    differential: dx.Differential, tmp_path: Path
) -> None:
    diagnoser, first = differential.diagnoser, differential[0]
    found = record_of(differential, first)
    assert found is not None
    assert found.low <= first.probability < found.high
    # Each case was judged once, by a model of the others: no bin holds more than there are.
    record = diagnoser.calibration_.record
    assert record is not None
    assert record.given.sum(axis=1).max() <= diagnoser.card_["n_cases"]
    assert (record.had.sum(axis=1) <= list(diagnoser.card_["n_by_diagnosis"].values())).all()
    sure = replace(first, probability=0.0)
    for lang in ("en", "zh"):
        page = differential.to_html(lang, questions=0)
        assert record_text(found, lang) in page
    low = record_of(differential, sure)
    assert low is not None
    assert record_text(low, "en").startswith(f"of the {low.given} cases given under\u00a01\u00a0%, {low.had} had it")
    few = replace(low, given=0, had=0)
    assert "too few to tell" in record_text(few, "en")
    assert "不足 10 例" in record_text(few, "zh")
    diagnoser.save(tmp_path / "model")
    back = dx.load_diagnoser(tmp_path / "model")
    again = back.suggest(differential.records, top=3)[0]
    assert record_of(again, first) == found
    # Elsewhere probabilities are other ones, and an older release has counted none.
    adapted = back.adapt(prior={str(back.classes_[0]): 0.5}).suggest(differential.records, top=3)[0]
    assert record_of(adapted, first) is None
    assert "Track record" not in adapted.to_html(questions=0)
    back.calibration_ = Calibrated.from_json({**back.calibration_.to_json(), "record": None})
    assert record_of(back.suggest(differential.records, top=3)[0], first) is None


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
