"""Two or more diagnosers on the same cases."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

import diagnosis as dx
from diagnosis.errors import InputError, UnknownNameError
from diagnosis.evaluation import evaluate_batch
from diagnosis.evaluation.bootstrap import draw_patients
from diagnosis.evaluation.comparing import holm
from diagnosis.models.batch import Batch
from diagnosis.records import Case, Finding, Records


@dataclass
class Fixed:
    """Answers the cases it was made for with what it was given, whichever of them are asked."""

    answers: Batch
    name: str = "fixed"

    def batch(self, records):
        return self.answers.take(np.array([int(c) for c in records.case_ids]))

    def truth(self, records, y=None):
        return records.y if y is None else np.asarray(y, dtype=object)


@pytest.fixture(scope="module")
def cases(drawn):
    batch, truth, patients = drawn(150, 4, 1)
    made = [
        Case([Finding("f")], case_id=str(i), patient_id=str(p), diagnosis=t)
        for i, (t, p) in enumerate(zip(truth, patients, strict=True))
    ]
    return Records.from_cases(made), batch


@pytest.fixture(scope="module")
def worse(make_batch):
    def spoil(batch, share):
        return make_batch((1 - share) * batch.proba + share / batch.proba.shape[1])

    return spoil


def test_a_comparison_is_the_difference_of_two_evaluations_on_the_same_draws(cases, worse):
    records, batch = cases
    other = worse(batch, 0.5)
    found = dx.compare(Fixed(batch), Fixed(other, "spoilt"), records, n_boot=40, seed=3)
    assert (found.n, found.n_boot) == (150, 40)
    one, two = (evaluate_batch(b, records.y, records.groups, n_boot=0, details=False) for b in (batch, other))
    for d in found.differences:
        assert (d.name, d.reference) == ("spoilt", "fixed")
        assert d.reference_value == pytest.approx(one.overall.values[d.metric])
        assert d.value == pytest.approx(two.overall.values[d.metric])
        assert d.difference == pytest.approx(d.value - d.reference_value)
    # Draw by draw, every case written out.
    names, place = np.unique(records.groups.astype(str), return_inverse=True)
    gaps = []
    for counts in draw_patients(len(names), 40, 3):
        rows = np.repeat(np.arange(150), counts[place])
        pair = (evaluate_batch(b.take(rows), records.y[rows], records.groups[rows], n_boot=0, details=False)
                for b in (other, batch))  # fmt: skip
        gaps.append(np.subtract(*(one.overall.values["log_loss"] for one in pair)))
    declared = found.differences[0]
    assert declared.metric == found.primary == "log_loss"
    assert declared.interval == pytest.approx(np.percentile(gaps, [2.5, 97.5]))
    assert declared.p == pytest.approx(
        min(1, 2 * (1 + min(np.sum(np.array(gaps) <= 0), np.sum(np.array(gaps) >= 0))) / 41)
    )


def test_only_the_declared_metric_has_a_p_value(cases, worse):
    records, batch = cases
    found = dx.compare(Fixed(batch), Fixed(worse(batch, 0.9)), records, primary="top.3", n_boot=60)
    with_p = [d.metric for d in found.differences if d.p is not None]
    assert with_p == ["top.3"] == [found.differences[0].metric]
    assert found.differences[0].p == found.differences[0].p_holm
    assert list(found.to_frame().metric) == [d.metric for d in found.differences]
    json.dumps(found.to_json(), allow_nan=False)
    assert "declared: top.3" in repr(found)


def test_equal_diagnosers_do_not_differ(cases):
    records, batch = cases
    found = dx.compare(Fixed(batch), Fixed(batch), records, n_boot=50)
    assert {d.difference for d in found.differences} == {0.0}
    assert (found.differences[0].p, found.differences[0].interval) == (1.0, (0.0, 0.0))
    assert [d.name for d in found.differences[:1]] == ["fixed (2)"]
    assert not found.differences[0].better


def test_who_pools_more_is_not_better_for_it(cases, make_batch):
    records, batch = cases
    first, *others = batch.diagnoses.tolist()
    coarse = np.column_stack([batch.proba[:, 0], batch.proba[:, 1:].sum(axis=1)])
    lazy = make_batch(coarse, diagnoses=np.array([first, dx.OTHER], dtype=object))

    @dataclass
    class Pooling(Fixed):
        pooled_: frozenset = frozenset(others)
        rest: str = "other"

        def truth(self, records, y=None):
            return np.array([dx.OTHER if t in self.pooled_ else t for t in records.y], dtype=object)

    found = dx.compare(Fixed(batch, "fine"), Pooling(lazy, "lazy"), records, n_boot=20)
    assert {d.metric: d.difference for d in found.differences} == pytest.approx(
        {d.metric: 0.0 for d in found.differences}, abs=1e-12
    )
    alone = dx.compare(Fixed(batch), Fixed(batch), records, n_boot=1).differences[0].value
    assert found.differences[0].value < alone, "the easier question has the better figure"


def test_one_patient_proves_nothing(cases, worse):
    records, batch = cases
    one = records[[0]]
    found = dx.compare(Fixed(batch), [Fixed(worse(batch, 0.5)), Fixed(worse(batch, 0.9))], one, n_boot=50)
    assert found.differences[0].difference != 0
    assert {(d.p, d.p_holm, d.interval) for d in found.differences} == {(None, None, None)}


def test_several_are_corrected_by_holm(cases, worse):
    records, batch = cases
    others = [Fixed(worse(batch, share), f"spoilt {share}") for share in (0.02, 0.3, 0.9)]
    found = dx.compare(Fixed(batch), others, records, n_boot=200)
    p = [d.p for d in found.differences if d.p is not None]
    assert [d.p_holm for d in found.differences[:3]] == holm(p)
    order = np.argsort(p, kind="stable")
    by_hand = np.minimum(np.maximum.accumulate(np.array(p)[order] * [3, 2, 1]), 1)
    assert np.array([d.p_holm for d in found.differences[:3]])[order] == pytest.approx(by_hand)


def test_no_difference_is_called_one_about_as_often_as_it_says(drawn, make_batch):
    # Two models that differ by noise alone, tried on forty sets of cases.
    small = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        proba = rng.dirichlet(np.ones(3), size=(2, 80))
        truth = rng.choice(["D0", "D1", "D2"], size=80).astype(object)
        records = Records.from_cases(
            [Case([Finding("f")], case_id=str(i), diagnosis=str(t)) for i, t in enumerate(truth)]
        )
        first, second = (Fixed(make_batch(p)) for p in proba)
        small += dx.compare(first, second, records, primary="brier", n_boot=100).differences[0].p < 0.05
    assert small <= 7  # a true share of 5 % gives more than 7 of 40 one time in a thousand


def test_what_cannot_be_compared_is_refused(cases):
    records, batch = cases
    with pytest.raises(UnknownNameError, match=r"Nearest: top\.1"):
        dx.compare(Fixed(batch), Fixed(batch), records, primary="top1")
    with pytest.raises(InputError, match="At least two"):
        dx.compare(Fixed(batch), [], records)
    with pytest.raises(InputError, match="found none"):
        dx.compare(Fixed(batch), Fixed(batch), records, y=np.full(150, None, dtype=object))
    one = dx.compare(Fixed(batch), Fixed(batch), records[:1], n_boot=5)
    assert one.differences[0].interval is None
