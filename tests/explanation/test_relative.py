"""For and against are relative: nothing that is added to all scores alike changes a word of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.small import small_records

from diagnosis.errors import UnknownCodeError
from diagnosis.explanation import Evidence, Line, SuggestionEvidence, contrast
from diagnosis.explanation.explain import relative_to_list
from diagnosis.pages.evidence import chart_scale, evidence_groups
from diagnosis.suggestions import Diagnoser, Differential
from diagnosis.suggestions.case_page import _suggestions, page_of

numbers = st.floats(-20, 20, allow_nan=False, width=32).map(float)


@given(
    arrays(np.float64, (4, 6), elements=numbers),
    arrays(np.float64, 4, elements=numbers),
    arrays(np.float64, 6, elements=numbers),
)
def test_adding_to_all_scores_changes_nothing(phi: np.ndarray, log_p: np.ndarray, shift: np.ndarray) -> None:
    np.testing.assert_allclose(relative_to_list(phi, log_p), relative_to_list(phi + shift, log_p + 3.0), atol=1e-9)


@given(arrays(np.float64, (3, 5), elements=numbers), arrays(np.float64, 3, elements=numbers))
def test_relative_lines_sum_to_the_log_probability_over_the_lists(phi: np.ndarray, base: np.ndarray) -> None:
    scores = base + phi.sum(axis=1)
    log_p = scores - np.logaddexp.reduce(scores)
    weight = np.exp(log_p)
    found = relative_to_list(np.column_stack([phi, base]), log_p).sum(axis=1)
    np.testing.assert_allclose(found, log_p - weight @ log_p, atol=1e-8)


def suggestion(diagnosis: str, log_p: float, lines: dict[str, float]) -> SuggestionEvidence:
    made = tuple(Line(code, "present", value, value) for code, value in lines.items())
    rest = Line(None, "unrecorded", 0.5, 0.5)
    return SuggestionEvidence(
        diagnosis, float(np.exp(log_p)), log_p, log_p, log_p - sum(lines.values()) - 0.5, (*made, rest)
    )


@settings(deadline=None, max_examples=8)
@given(arrays(np.float64, 40, elements=numbers), st.floats(-9, 9))
def test_no_word_bar_order_or_sign_changes_when_all_scores_move(
    linear_diagnoser: Diagnoser, moved: np.ndarray, base: float
) -> None:
    answer = linear_diagnoser.suggest(small_records(3, seed=8)[[2]])[0]
    before = answer.explain()
    order = [(line.code, line.state) for line in before[0].lines]
    log_p = np.array([one.log_probability for one in before])
    own = [{(line.code, line.state): line for line in one.lines} for one in before]
    phi = np.array([[lines[key].contribution for key in order] for lines in own]) + moved[: len(order)]
    relative = relative_to_list(phi, log_p)
    after = replace(
        before,
        suggestions=tuple(
            replace(
                one,
                score=one.score + base + moved[: len(order)].sum(),
                base=one.base + base,
                lines=tuple(
                    replace(line, contribution=phi[i][k], relative=relative[i][k])
                    for k, line in ((order.index((x.code, x.state)), x) for x in one.lines)
                ),
            )
            for i, one in enumerate(before)
        ),
    )
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose([x.relative for x in one.lines], [x.relative for x in other.lines], atol=1e-9)
        pairs = zip(contrast(one, before[0]).lines, contrast(other, after[0]).lines, strict=True)
        assert max(abs(x.contribution - y.contribution) for x, y in pairs) < 1e-9
    assert str(after) == str(before)
    assert views(after, answer) == views(before, answer)


def views(evidence: Evidence, answer: Differential) -> list[list[tuple[str, str, str]]]:
    """What the evidence tables of the page show: name, factor and bar of each row."""
    page = page_of(answer, questions=0)
    shown = tuple(_suggestions(answer, evidence, answer.records.vocabulary))
    page = replace(page, suggestions=shown)
    scale = chart_scale(page)
    return [
        [(r.name, r.factor, r.bar) for _, rows in evidence_groups(page, s, scale, "en") for r in rows] for s in shown
    ]


def test_a_worked_contrast() -> None:
    # Koplik spots speak for measles against influenza by a factor of e^3; cough says nothing between them.
    measles = suggestion("B05.9", -0.2, {"koplik": 2.0, "cough": 0.4})
    influenza = suggestion("J11.1", -1.9, {"koplik": -1.0, "cough": 0.4})
    found = contrast(measles, influenza)
    assert [(line.code, line.contribution) for line in found.lines] == [("koplik", 3.0), ("cough", 0.0), (None, 0.0)]
    assert found.log_ratio == pytest.approx(1.7)
    assert found.base + sum(line.contribution for line in found.lines) == pytest.approx(1.7)


def test_for_and_against_leave_unrecorded_and_context_out() -> None:
    lines = (
        Line("rash", "present", 1.0, 1.0),
        Line("fever", "absent", -1.0, -1.0),
        Line("age", "context", 9.0, 9.0),
        Line(None, "unrecorded", -9.0, -9.0),
    )
    one = SuggestionEvidence("B05.9", 0.5, -0.69, 0.0, 0.0, lines)
    assert [line.code for line in one.for_] == ["rash"]
    assert [line.code for line in one.against] == ["fever"]
    assert one.unrecorded.contribution == -9.0
    assert [line.code for line in one.context] == ["age"]


def test_evidence_is_asked_by_code_or_name() -> None:
    evidence = Evidence("case", "posterior", (suggestion("B05.9", -0.2, {}),), {"B05.9": "measles"})
    assert evidence["measles"] is evidence["B05.9"] is evidence[0]
    with pytest.raises(UnknownCodeError, match="measles"):
        evidence["measels"]


# shap 0.51 sets colours the way matplotlib is about to give up: https://github.com/shap/shap/blob/v0.51.0/shap/plots/colors
@pytest.mark.filterwarnings(
    r"ignore:The set_(bad|over|under) function:PendingDeprecationWarning:shap.plots.colors._colors"
)
def test_rows_of_the_shap_explanation_add_up_to_the_scores() -> None:
    one = suggestion("B05.9", -0.2, {"koplik": 2.0, "cough": 0.4})
    other = suggestion("J11.1", -1.9, {"cough": 0.4, "koplik": -1.0})
    found = Evidence("case", "posterior", (one, other), {"koplik": "Koplik spots"}).to_shap()
    np.testing.assert_allclose(found.base_values + found.values.sum(axis=1), [one.score, other.score], atol=1e-12)
    assert found.feature_names == ["Koplik spots", "cough", "not recorded"]
    assert found.data[0].tolist() == ["present", "present", "not recorded"]
