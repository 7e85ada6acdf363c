"""For and against are relative: nothing that is added to all scores alike changes a word of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diagnosis.errors import UnknownCodeError
from diagnosis.explanation import Evidence, Line, SuggestionEvidence, contrast
from diagnosis.explanation.explain import relative_to_list

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
