"""Two sets of records side by side, and which of their differences moves the score."""

from __future__ import annotations

import json

import numpy as np
import pytest

from diagnosis.errors import InputError
from diagnosis.evaluation import compare_records, shift_effects
from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions import Diagnoser


def _set(seed, n, *, sick=0.5, asked=1.0, age=40.0, telling=0.9, start=0, value=5.0):
    rng = np.random.default_rng(seed)
    cases = []
    for i in range(n):
        k = int(rng.random() < sick)
        findings = [Finding("hb", value=float(rng.normal(value, 1.0)), unit="g/dL")]
        asked_for = [code for code in ("cough", "fever") if rng.random() < asked]
        findings += [Finding(c, "present" if (rng.random() < telling) == bool(k) else "absent") for c in asked_for]
        years = float(rng.normal(age, 5.0))
        cases.append(
            Case(findings, case_id=f"c{start + i}", diagnosis=f"d{k}", age_years=years, sex="female", site=f"s{seed}")
        )
    return Records.from_cases(cases)


@pytest.fixture(scope="module")
def diagnoser():
    return Diagnoser(model="linear", folds=2).fit(_set(0, 400))


def _of(shift, kind, name):
    (one,) = [d for d in shift.differences if (d.kind, d.name) == (kind, name)]
    return one


def test_what_differs_is_said_and_what_does_not_is_near_zero():
    source = _set(1, 600)
    shift = compare_records(source, _set(2, 600, sick=0.8, asked=0.5, age=60.0, value=7.0))
    assert _of(shift, "prevalence", "d1").target == pytest.approx(0.8, abs=0.05)
    assert shift.overall["prevalence"] == pytest.approx(0.3, abs=0.06)
    assert _of(shift, "recorded", "cough").distance < -1.0
    assert _of(shift, "recorded", "hb").distance == 0.0
    assert _of(shift, "value", "hb").distance == pytest.approx(2.0, abs=0.2)
    assert shift.overall["age"] > 0.8
    assert shift.overall["site"] == 1.0
    same = compare_records(source, source)
    assert all(d.distance in (0.0, None) for d in same.differences)
    assert set(same.overall.values()) == {0.0}
    json.dumps(shift.to_json(), allow_nan=False)
    assert len(shift.to_frame()) == len(shift.differences)
    assert "prevalence" in repr(shift)


def test_small_cells_are_not_shown():
    shift = compare_records(_set(1, 100, sick=0.5), _set(2, 100, sick=0.04))
    hidden = _of(shift, "prevalence", "d1")
    assert (hidden.source, hidden.target, hidden.distance) == (None, None, None)
    assert shift.n_suppressed >= 2
    with pytest.raises(InputError, match="holds no case"):
        compare_records(_set(1, 5), _set(1, 5)[:0])


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"sick": 0.9}, "prevalence"), ({"asked": 0.3}, "missingness")],
)
def test_the_difference_that_moves_the_score_is_the_one_that_was_made(diagnoser, change, kind):
    source, target = _set(3, 1500, start=1000), _set(4, 1500, start=5000, **change)
    found = shift_effects(diagnoser, source, target, n_boot=50)
    effects = {e.kind: e for e in found.effects}
    moved = found.target["log_loss"] - found.source["log_loss"]
    assert effects[kind].change["log_loss"] == pytest.approx(moved, abs=0.05)
    low, high = effects[kind].intervals["log_loss"]
    assert low <= effects[kind].change["log_loss"] <= high
    others = [e.change["log_loss"] for k, e in effects.items() if k != kind]
    assert max(map(abs, others)) < 0.03
    json.dumps(found.to_json(), allow_nan=False)
    assert "one kind of difference at a time" in repr(found)
    assert len(found.to_frame()) == 6


def test_where_findings_mean_something_else_no_single_kind_explains_it(diagnoser):
    found = shift_effects(diagnoser, _set(3, 800, start=1000), _set(4, 800, start=5000, telling=0.5), n_boot=0)
    moved = found.target["log_loss"] - found.source["log_loss"]
    assert moved > 0.3
    assert all(abs(e.change["log_loss"]) < 0.1 for e in found.effects)
    assert found.target["calibration.slope"] < 0.5


def test_a_diagnosis_no_source_case_has_is_out_of_reach(diagnoser):
    source = _set(3, 300, start=1000)
    target = _set(4, 300, start=5000)
    found = shift_effects(diagnoser, source[source.y == "d0"], target, n_boot=0)
    assert found.effects[0].reached == pytest.approx(np.mean(target.y == "d0"))
    with pytest.raises(InputError, match="not trained on"):
        shift_effects(diagnoser, _set(0, 400), target, n_boot=0)
    bare = Records.from_cases([Case([Finding("cough")], case_id="x")])
    with pytest.raises(InputError, match="diagnoses to compare a score"):
        shift_effects(diagnoser, source, bare)
