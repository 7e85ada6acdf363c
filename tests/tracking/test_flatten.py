"""Names and values as MLflow takes them, nothing lost on the way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name

from diagnosis.tracking import metrics_of, params_of
from diagnosis.training import Config

names = st.text(min_size=1, max_size=20)
numbers = st.floats() | st.integers(-100, 100) | st.booleans() | st.none()
metrics = st.dictionaries(names, numbers | st.dictionaries(names, numbers, max_size=3), max_size=4)


def test_every_key_of_a_config_is_a_parameter():
    params = params_of(Config().model_dump(mode="json"))
    assert params["split.by"] == "patient"
    assert params["suggestion.must_not_miss.sensitivity"] == "0.95"
    assert params["evaluation.by"] == '["sex", "age_band", "site"]'
    assert params["test_records"] == "null"


def test_long_values_are_cut_and_stay_different():
    one, two = ("x" * 900 + end for end in "ab")
    params = params_of({"a": one, "b": two, "c": "x" * 500})
    assert {len(v) for v in params.values()} == {500}
    assert params["a"] != params["b"]
    assert params["c"] == "x" * 500


def test_metrics_by_the_names_they_go_by():
    found = metrics_of(
        {
            "schema": 1,
            "reading": "posterior",
            "n": 20,
            "top": {"1": 0.5, "3": 0.75},
            "calibration": {"slope": 1.0, "intercept": None},
            "baseline": {"top": {"1": 0.25}, "log_loss": 2.0},
            "intervals": {"top.1": [0.25, 0.75], "log_loss": [1.0, 2.0]},
            "suspicions": [{"share": 0.5}],
            "by": {"site": {"儿童医院": {"n": 9, "top": {"1": 1.0}}, "a/b": {"n": 3, "suppressed": True}}},
        }
    )
    assert found == {
        "n": 20.0,
        "top1": 0.5,
        "top3": 0.75,
        "calibration.slope": 1.0,
        "baseline.top1": 0.25,
        "baseline.log_loss": 2.0,
        "top1.low": 0.25,
        "top1.high": 0.75,
        "log_loss.low": 1.0,
        "log_loss.high": 2.0,
        "by/site/儿童医院/n": 9.0,
        "by/site/儿童医院/top1": 1.0,
    }


def test_groups_that_differ_only_in_what_names_cannot_hold_stay_apart():
    found = metrics_of({"by": {"site": {"a+b": {"n": 1}, "a*b": {"n": 2}}}})
    assert found == {"by/site/a_b/n": 1.0, "by/site/a_b/n_2": 2.0}


@settings(max_examples=40)
@given(metrics, st.dictionaries(names, st.dictionaries(names, metrics, max_size=2), max_size=2))
def test_mlflow_takes_every_name(overall, by):
    for name, value in metrics_of({**overall, "by": by}).items():
        _validate_metric_name(name)
        assert value == value
        assert abs(value) != float("inf")
