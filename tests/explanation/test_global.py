"""What was learned for a diagnosis: the same numbers as on the pages, summed over cases."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from tests.small import small_records

import diagnosis as dx
from diagnosis.errors import InputError, UnknownCodeError
from diagnosis.explanation.dependence import dependence_of
from diagnosis.explanation.sharing import sharing_groups
from diagnosis.explanation.stability import draw_patients, stability_of
from diagnosis.pages.plot_fonts import chinese_family, is_chinese
from diagnosis.suggestions import Diagnoser

MEASLES, ASTHMA, TEMPERATURE = "B05.9", "J45.9", "LOINC:8310-5"


@pytest.fixture(scope="module")
def measles(linear_diagnoser: Diagnoser) -> dx.GlobalEvidence:
    return dx.global_evidence(linear_diagnoser, small_records(90, seed=4), MEASLES)


def test_a_row_adds_up_to_the_log_probability_over_the_rivals(
    linear_diagnoser: Diagnoser, measles: dx.GlobalEvidence
) -> None:
    log_p = np.log(linear_diagnoser.predict_proba(small_records(90, seed=4)))
    at = list(linear_diagnoser.classes_).index(MEASLES)
    others = np.delete(log_p, at, axis=1)
    weight = np.exp(others) / np.exp(others).sum(axis=1, keepdims=True)
    shown = measles.base + measles.contributions.sum(axis=1) + measles.unrecorded
    np.testing.assert_allclose(shown, log_p[:, at] - (weight * others).sum(axis=1), atol=1e-9)


def test_it_is_the_line_of_each_page_without_the_diagnosis_own_share(
    linear_diagnoser: Diagnoser, measles: dx.GlobalEvidence
) -> None:
    place = {one.code: i for i, one in enumerate(measles.findings)}
    for i, differential in enumerate(linear_diagnoser.suggest(small_records(90, seed=4)[:12], top=5)):
        one = differential.explain()[MEASLES]
        for line in one.lines:
            found = measles.unrecorded[i] if line.code is None else measles.contributions[i, place[line.code]]
            assert found * (1 - one.probability) == pytest.approx(line.relative, abs=1e-9)
        recorded = {line.code for line in one.lines if line.code}
        assert {c for c, j in place.items() if measles.cells[i, j] is not None} == recorded


def test_it_reads_as_a_clinician_would_say_it(measles: dx.GlobalEvidence) -> None:
    assert measles["rash"].direction == "for"
    assert measles["rash"].when_present > 0 > measles["rash"].when_absent
    assert measles["wheeze"].direction == "against"
    assert "rash: present speaks for it; recorded in" in str(measles)
    assert "皮疹：有则支持" in str(measles.in_language(small_records(1).vocabulary, "zh"))
    assert "<table" in measles._repr_html_()
    assert "rash" in repr(measles)
    importance = [one.importance for one in measles.findings]
    assert importance == sorted(importance, reverse=True)


def test_a_value_runs_over_its_range(linear_diagnoser: Diagnoser) -> None:
    asthma = dx.global_evidence(linear_diagnoser, small_records(160, seed=3), "asthma")
    found = asthma.dependence("body temperature")
    means = [one.mean for one in found.steps if one.middle is not None]
    assert asthma[TEMPERATURE].direction == "lower for"
    assert means[0] > means[-1]
    assert found.unit == "Cel"
    assert 36 < found.steps[0].middle < 38
    assert sum(one.n for one in found.steps) == asthma[TEMPERATURE].n_recorded == len(found.cells)
    assert list(found.to_frame().columns) == ["label", "middle", "n", "mean", "low", "high"]
    assert "Cel" in str(found)


def test_the_export_holds_no_case(measles: dx.GlobalEvidence) -> None:
    plain = json.loads(json.dumps(measles.to_json(), allow_nan=False))
    assert set(plain) == {"schema", "diagnosis", "n_cases", "findings", "stability"}
    assert len(plain["findings"]) == len(measles.to_frame()) == len(measles)
    json.dumps(measles.dependence("rash").to_json(), allow_nan=False)


def test_what_is_not_there_is_refused_with_the_nearest(linear_diagnoser: Diagnoser, measles: dx.GlobalEvidence) -> None:
    with pytest.raises(UnknownCodeError, match="measles"):
        dx.global_evidence(linear_diagnoser, small_records(9), "measels")
    with pytest.raises(UnknownCodeError, match="wheeze"):
        measles.dependence("weeze")
    with pytest.raises(InputError, match="there is none"):
        dx.global_evidence(linear_diagnoser, small_records(9)[:0], MEASLES)
    with pytest.raises(InputError, match="refits"):
        dx.global_evidence(linear_diagnoser, small_records(9), MEASLES, refits=-1)


def test_refits_say_how_far_it_is_stable(linear_diagnoser: Diagnoser) -> None:
    records = small_records(160, seed=3)
    found = dx.global_evidence(linear_diagnoser, records, MEASLES, refits=3, seed=1, max_cases=40)
    again = dx.global_evidence(linear_diagnoser, records, MEASLES, refits=3, seed=1, max_cases=40)
    assert found.stability is not None
    assert len(found.contributions) == 40
    assert found.stability.rank_correlation.min() > 0.4
    assert found["rash"].in_top_ten == 1.0
    assert found.to_json() == again.to_json()
    none = small_records(20)
    unlabelled = none[np.flatnonzero(none.y != MEASLES)]
    with pytest.raises(InputError, match="0 of"):
        dx.global_evidence(linear_diagnoser, unlabelled, MEASLES, refits=1)


def test_patients_are_drawn_whole() -> None:
    patients = np.array(["a", "b", "a", "c"], dtype=object)
    for seed in range(5):
        rows = draw_patients(patients, np.random.default_rng(seed)).tolist()
        assert rows.count(0) == rows.count(2)
        assert len({patients[i] for i in rows}) <= 3


def test_equal_refits_correlate_fully() -> None:
    importance = np.arange(12.0)
    found = stability_of([str(i) for i in range(12)], importance, np.stack([importance, importance * 2]))
    np.testing.assert_allclose(found.rank_correlation, 1.0)
    assert found.in_top_ten["11"] == 1.0
    assert found.in_top_ten["0"] == 0.0


def test_findings_that_come_together_share_credit() -> None:
    rng = np.random.default_rng(0)
    fever, rash = rng.random(60) < 0.5, rng.random(60) < 0.5
    said = lambda one: np.where(one, "present", "absent").astype(object)  # noqa: E731
    temperature = np.array([38.0 + float(f) + float(rng.random()) / 3 for f in fever], dtype=object)
    nothing = np.full(60, None, dtype=object)
    groups = sharing_groups(np.column_stack([said(fever), said(rash), temperature, nothing]))
    assert groups.tolist() == [1, 0, 1, 0]


def test_states_and_texts_have_a_step_each() -> None:
    cells = np.array(["absent", "present", "watery", "present"], dtype=object)
    steps = dependence_of(cells, np.array([-1.0, 1.0, 2.0, 3.0]))
    assert [(one.label, one.n, one.mean) for one in steps] == [
        ("present", 2, 2.0),
        ("absent", 1, -1.0),
        ("watery", 1, 2.0),
    ]


def test_pictures_are_drawn_without_touching_the_notebooks_own(measles: dx.GlobalEvidence) -> None:
    before = "matplotlib.pyplot" in sys.modules
    for plot in (measles.plot.bar(), measles.plot.beeswarm(), measles.plot.dependence(TEMPERATURE)):
        assert plot._repr_png_().startswith(b"\x89PNG")
    assert ("matplotlib.pyplot" in sys.modules) == before
    labels = [one.get_text() for one in measles.plot.bar(top=3).figure.axes[0].get_yticklabels()]
    assert labels == [one.name for one in measles.findings[:3]]


def test_chinese_names_are_drawn_where_a_font_has_them(measles: dx.GlobalEvidence) -> None:
    assert not is_chinese(["influenza ×2 °C"])
    if chinese_family() is None:
        pytest.skip("no font with Chinese characters is installed")
    shown = measles.in_language(small_records(1).vocabulary, "zh")
    # A glyph that no font has is a warning, and warnings are errors here.
    assert shown.plot.bar(top=3).to_png(dpi=40).startswith(b"\x89PNG")
    assert shown.plot.dependence("皮疹").figure.axes[0].get_title(loc="left") == "麻疹：皮疹的作用"


# shap 0.51 sets colours the way matplotlib is about to give up: https://github.com/shap/shap/blob/v0.51.0/shap/plots/colors
@pytest.mark.filterwarnings(
    r"ignore:The set_(bad|over|under) function:PendingDeprecationWarning:shap.plots.colors._colors"
)
def test_shaps_own_plots_take_both_kinds_of_evidence(linear_diagnoser: Diagnoser, measles: dx.GlobalEvidence) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import shap

    one_case = linear_diagnoser.suggest(small_records(2, seed=5))[0].explain().to_shap()
    many = measles.to_shap()
    np.testing.assert_allclose(many.base_values + many.values.sum(axis=1), many.values.sum(axis=1) + measles.base)
    try:
        for explanation in (one_case, many):
            shap.plots.waterfall(explanation[0], show=False)
            plt.close("all")
            shap.plots.bar(explanation, show=False)
            plt.close("all")
            shap.plots.beeswarm(explanation, show=False)
            assert plt.gca().get_yticklabels()
            plt.close("all")
    finally:
        plt.close("all")
