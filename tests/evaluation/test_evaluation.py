"""The object that comes out: its JSON, its tables, its groups, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from diagnosis.errors import InputError
from diagnosis.evaluation import Evaluation, Suppressed, Suspicion, concatenate, evaluate_batch

KEYS = {
    "schema": int,
    "n": int,
    "n_patients": int,
    "n_diagnoses": int,
    "n_unreachable": int,
    "reading": str,
    "as_of": str,
    "top": dict,
    "mrr": float,
    "macro_top1": float,
    "log_loss": float,
    "brier": float,
    "ece": float,
    "calibration": dict,
    "set": dict,
    "must_not_miss": dict,
    "abstained": dict,
    "baseline": dict,
    "intervals": dict,
    "suspicions": list,
    "by": dict,
}


@pytest.fixture
def evaluation(drawn) -> Evaluation:
    batch, truth, patients = drawn(60, 12, 1)
    groups = {
        "sex": np.array(["female", "male"] * 22 + ["unknown"] * 14 + ["other"] * 2, dtype=object),
        "site": np.array(["<b>north</b>"] * 60, dtype=object),
    }
    suspicion = Suspicion("one_finding_rule", "Look at <this> & that.", 20, 1.0, "fever", "D1")
    return evaluate_batch(batch, truth, patients, groups=groups, suspicions=[suspicion], n_boot=20, n_unlabelled=3)


def _check_keys(plain):
    for name, kind in KEYS.items():
        assert type(plain[name]) is kind, name
    assert plain["schema"] == 1
    assert list(plain["top"]) == ["1", "3", "5", "10"]
    assert list(plain["baseline"]) == ["top", "log_loss"]
    assert list(plain["baseline"]["top"]) == ["1", "3", "5", "10"]
    assert set(plain["calibration"]) >= {"slope", "intercept"}
    assert set(plain["set"]) >= {"target", "coverage", "mean_size"}
    assert set(plain["must_not_miss"]) == {"sensitivity", "n", "flags_per_case"}
    assert set(plain["abstained"]) == {"rate", "top1_of_rest"}


def test_json_has_every_key_overall_and_by_group(evaluation):
    plain = evaluation.to_json()
    _check_keys(plain)
    assert plain["by"]["sex"].keys() == {"female", "male", "other", "unknown"}
    _check_keys(plain["by"]["sex"]["female"])
    _check_keys(plain["by"]["site"]["<b>north</b>"])
    assert plain["n_unlabelled"] == 3
    assert plain["n_classes"] == 12
    assert plain["weighted"] is False


def test_a_group_of_everybody_scores_like_everybody(evaluation):
    plain = evaluation.to_json()
    everybody = plain["by"]["site"]["<b>north</b>"]
    for name in set(KEYS) - {"suspicions", "by", "calibration"}:
        assert everybody[name] == plain[name], name
    assert everybody["calibration"] == pytest.approx(plain["calibration"])


def test_a_group_scores_like_an_evaluation_of_it_alone(drawn):
    batch, truth, patients = drawn(80, 6, 2)
    women = np.arange(80) % 3 == 0
    sex = np.where(women, "female", "male").astype(object)
    got = evaluate_batch(batch, truth, patients, groups={"sex": sex}, n_boot=0).by["sex"]["female"]
    alone = evaluate_batch(batch.take(women), truth[women], patients[women], n_boot=0).overall
    assert got.values == pytest.approx(alone.values)
    assert (got.n, got.n_patients, got.n_diagnoses) == (alone.n, alone.n_patients, alone.n_diagnoses)


def test_small_cells_show_their_size_alone(evaluation):
    by = evaluation.to_json()["by"]["sex"]
    assert by["other"] == {"n": 2, "suppressed": True}
    assert by["unknown"] == {"n": 14, "suppressed": True, "complementary": True}, "all less the rest would tell"


def test_min_cell_is_the_smallest_size_shown(drawn):
    batch, truth, patients = drawn(25, 4, 3)
    sex = np.array(["female"] * 10 + ["male"] * 15, dtype=object)
    by = {k: evaluate_batch(batch, truth, patients, groups={"s": sex}, n_boot=0, min_cell=k).by["s"] for k in (10, 11)}
    assert by[10]["female"].n == 10
    assert by[11] == {"female": Suppressed(10), "male": Suppressed(15, beside=True)}


def test_intervals_are_named_by_their_path(evaluation):
    plain = evaluation.to_json()
    for path, (low, high) in plain["intervals"].items():
        value = plain
        for step in path.split("."):
            value = value[step]
        assert low <= high
        assert isinstance(value, float)
    assert {"top.1", "log_loss", "calibration.slope", "must_not_miss.sensitivity"} <= plain["intervals"].keys()


@pytest.mark.parametrize("never", [0.0, 1.0])
@pytest.mark.parametrize("n", [1, 2, 30])
def test_json_is_finite(drawn, n, never):
    batch, truth, patients = drawn(n, 3, 4, never=never)
    plain = evaluate_batch(batch, truth, patients, groups={"g": truth}, min_cell=1, n_boot=10).to_json()
    text = json.dumps(plain, allow_nan=False)
    assert json.loads(text) == plain


def test_cases_without_a_diagnosis_are_left_out_and_counted(drawn):
    batch, truth, patients = drawn(40, 4, 5)
    gaps = truth.copy()
    gaps[[3, 7]] = None
    gaps[11] = math.nan
    kept = np.setdiff1d(np.arange(40), [3, 7, 11])
    got = evaluate_batch(batch, gaps, patients, n_boot=0)
    assert got.n_unlabelled == 3
    assert got.metrics() == evaluate_batch(batch.take(kept), truth[kept], patients[kept], n_boot=0).metrics()


def test_metrics_are_the_defined_ones(make_batch):
    got = evaluate_batch(make_batch([[0.6, 0.4]]), np.array(["D0"], dtype=object), np.array(["a"], dtype=object))
    assert got.metrics()["top.1"] == 1.0
    assert "calibration.slope" not in got.metrics()
    assert all(map(math.isfinite, got.metrics().values()))


def test_frame_has_a_row_a_group_and_metric(evaluation):
    frame = evaluation.to_frame()
    assert list(frame.columns) == ["group", "value", "n", "suppressed", "metric", "estimate", "low", "high"]
    row = frame[(frame.group == "all") & (frame.metric == "top.1")].iloc[0]
    assert row.estimate == evaluation.overall.values["top.1"]
    assert (row.low, row.high) == evaluation.overall.intervals["top.1"]
    hidden = frame[frame.suppressed][["group", "value", "n"]].values.tolist()
    assert hidden == [["sex", "other", 2], ["sex", "unknown", 14]]


def test_the_terminal_shows_lined_up_columns(evaluation):
    lines = repr(evaluation).splitlines()
    assert lines[0].startswith("Evaluation of 60 cases of ")
    assert "3 cases without a diagnosis left out" in lines[0]
    top1 = next(line for line in lines if line.startswith("top-1 "))
    assert f"{evaluation.overall.values['top.1']:.3f}" in top1
    assert any("too few to show" in line and line.startswith("other") for line in lines)
    assert lines[-1] == "  - Look at <this> & that."
    assert max(map(len, lines[1:])) < 100
    assert not any(line.endswith(" ") for line in lines)


def test_full_width_letters_take_two_columns(drawn):
    batch, truth, patients = drawn(40, 4, 6)
    site = np.array(["儿童医院", "north"] * 20, dtype=object)
    lines = repr(evaluate_batch(batch, truth, patients, groups={"site": site}, n_boot=0)).splitlines()
    north, chinese = (next(line for line in lines if line.startswith(name)) for name in ("north", "儿童医院"))
    assert len(north) == len(chinese) + 4


def test_html_is_escaped(evaluation):
    html = evaluation._repr_html_()
    assert "<b>north</b>" not in html
    assert "&lt;b&gt;north&lt;/b&gt;" in html
    assert "Look at &lt;this&gt; &amp; that." in html
    assert html.count("<table>") == html.count("</table>") == 6


def test_neither_view_names_a_case_or_a_patient(evaluation, drawn):
    batch, _, patients = drawn(60, 12, 1)
    for text in (repr(evaluation), evaluation._repr_html_(), json.dumps(evaluation.to_json()), repr(batch)):
        assert "case-" not in text
        assert not any(f'"{p}"' in text for p in patients)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("truth", np.array(["D0"], dtype=object)),
        ("patients", np.array(["a"], dtype=object)),
        ("weights", np.ones(3)),
        ("weights", np.array([1.0, -1.0])),
        ("weights", np.array([1.0, np.nan])),
        ("weights", np.zeros(2)),
        ("must_not_miss", np.zeros(1, dtype=bool)),
        ("groups", {"sex": np.array(["f"], dtype=object)}),
        ("n_boot", -1),
        ("truth", np.array([None, None], dtype=object)),
    ],
)
def test_what_does_not_fit_is_refused(make_batch, field, value):
    given = {"truth": np.array(["D0", "D1"], dtype=object), "patients": np.array(["a", "b"], dtype=object)}
    with pytest.raises(InputError):
        evaluate_batch(make_batch([[0.6, 0.4]] * 2), **{**given, field: value})


def test_a_prior_that_is_none_is_refused(make_batch):
    batch = make_batch([[0.6, 0.4]], prior=[0.5, 0.4])
    with pytest.raises(InputError, match="prior"):
        evaluate_batch(batch, np.array(["D0"], dtype=object), np.array(["a"], dtype=object))


def test_arrays_of_a_batch_agree_in_shape(make_batch):
    with pytest.raises(InputError, match="in_set"):
        replace(make_batch([[0.6, 0.4]]), in_set=np.zeros((2, 2), dtype=bool))


def test_batches_of_different_questions_are_not_put_together(make_batch):
    with pytest.raises(InputError, match="reading"):
        concatenate([make_batch([[1.0]]), make_batch([[1.0]], reading="differential")])
    with pytest.raises(InputError, match="coverage"):
        concatenate([make_batch([[1.0]]), make_batch([[1.0]], coverage=0.8)])
    with pytest.raises(InputError):
        concatenate([])
