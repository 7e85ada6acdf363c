"""The shown probability taken apart: exact sums, what one gains the others lose, and the two-diagnosis case by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.small import small_records

from diagnosis.explanation.probability_split import split_probability
from diagnosis.models.calibration import softmax
from diagnosis.suggestions import Diagnoser

sizes = st.floats(-30, 30, allow_nan=False, width=32).map(float)


@settings(deadline=None, max_examples=40)
@given(
    arrays(np.float64, 4, elements=sizes),
    arrays(np.float64, (4, 5), elements=sizes),
    st.one_of(sizes, st.just(-math.inf)),
    st.sampled_from([0.01, 1.0, 1000.0]),
)
def test_sums_are_exact_and_probability_is_only_moved(
    base: np.ndarray, lines: np.ndarray, others: float, size: float
) -> None:
    start, parts = split_probability(base, size * lines, others)
    shown = softmax([*(base + size * lines.sum(axis=1)), others])
    np.testing.assert_allclose(start + parts.sum(axis=1), shown, rtol=0, atol=1e-9)
    np.testing.assert_allclose(start, softmax([*base, others]), rtol=0, atol=1e-12)
    # What a line gives to one it takes from the others.
    np.testing.assert_allclose(parts.sum(axis=0), 0.0, atol=1e-9 * size)


@given(arrays(np.float64, (3, 4), elements=st.floats(-3, 3, width=32).map(float)), st.permutations(range(4)))
def test_order_is_irrelevant_and_a_silent_line_gets_nothing(lines: np.ndarray, order: list[int]) -> None:
    base = np.array([0.3, -0.2, 1.0])
    _, parts = split_probability(base, lines, 0.5)
    _, moved = split_probability(base, lines[:, order], 0.5)
    np.testing.assert_allclose(parts[:, order], moved, atol=1e-12)
    _, with_zero = split_probability(base, np.column_stack([lines, np.zeros(3)]), 0.5)
    assert not with_zero[:, -1].any()
    np.testing.assert_allclose(with_zero[:, :-1], parts, atol=1e-12)


def test_two_diagnoses_share_by_their_log_odds() -> None:
    # Of two diagnoses the path is one of log-odds alone, so each finding gets its share of the change.
    lines = np.array([[1.0, 0.5, -0.2], [-1.0, 0.0, 0.3]])
    start, parts = split_probability(np.zeros(2), lines, -math.inf)
    odds = lines[0] - lines[1]
    change = 1 / (1 + math.exp(-odds.sum())) - 0.5
    np.testing.assert_allclose(parts[0], change * odds / odds.sum(), atol=1e-12)
    assert start.tolist() == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("shown", [2, 5])
def test_evidence_splits_the_probability_on_the_screen(shown: int) -> None:
    diagnoser = Diagnoser(model="linear", folds=2).fit(small_records(160, seed=3))
    evidence = diagnoser.suggest(small_records(3, seed=9), top=shown)[1].explain()
    split = evidence.in_probability()
    for i, one in enumerate(evidence.suggestions):
        assert split.probability[i] == one.probability
        assert split.base[i] + split.lines[i].sum() == pytest.approx(one.probability, abs=1e-9)
    assert split.base.sum() == pytest.approx(1.0)
    found = split.of(evidence[0].diagnosis)
    assert set(found) == {(line.code, line.state) for line in evidence[0].lines}
    # In print everything has its name, as recorded.
    for lang in ("en", "zh"):
        printed = str(evidence.in_language(diagnoser.vocabulary_, lang).in_probability())
        names = [diagnoser.vocabulary_.diagnosis_name(s.diagnosis, lang) for s in evidence.suggestions]
        assert [row.split("  ")[0] for row in printed.splitlines()] == [
            *names,
            {"en": "others", "zh": "其他诊断"}[lang],
        ]
        assert not [
            code for code in ("LOINC:", "stiff_neck", "asthma_history", "sex ") if code in printed and lang == "zh"
        ]
    frame = split.to_frame()
    np.testing.assert_allclose(frame.iloc[:, 1:].sum(axis=1), frame["probability"], atol=1e-9)
