"""Designs of several fits: who is on which side, and that what comes out is what a plain loop would give."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold
from tests.small import small_records

import diagnosis as dx
from diagnosis.errors import InputError, UnknownNameError
from diagnosis.evaluation.bootstrap import draw_patients
from diagnosis.evaluation.designs import parts_of
from diagnosis.evaluation.fits import fit_copy
from diagnosis.evaluation.optimism import corrected
from diagnosis.records import Case, Finding, Records
from diagnosis.records.splits import check_apart, split


class Prior(ClassifierMixin, BaseEstimator):
    """Answers every case with the shares of the diagnoses it was fitted on; fast, and a classifier over records."""

    def __init__(self, smooth: float = 0.0) -> None:
        self.smooth = smooth

    def fit(self, X, y):
        self.n_fitted_ = len(X)
        self.patients_ = set(X.groups)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.share_ = (counts + self.smooth) / (counts + self.smooth).sum()
        return self

    def predict_proba(self, X):
        assert not self.patients_ & set(X.groups), "a patient it was fitted on"
        return np.tile(self.share_, (len(X), 1))


class Free(Prior):
    """`Prior` that may be asked about patients it was fitted on, as the bootstrap does on purpose."""

    def predict_proba(self, X):
        return np.tile(self.share_, (len(X), 1))


@pytest.fixture(scope="module")
def records():
    return small_records(160, seed=2)


@pytest.fixture(scope="module")
def linear():
    return dx.Diagnoser(model="linear", folds=2)


@pytest.mark.parametrize("by", ["patient", "site", "time"])
def test_no_patient_is_on_both_sides_of_any_part(records, by):
    parts = parts_of(records, records.y, by, folds=3)
    assert len(parts) == 3
    for part in parts:
        check_apart(records.groups[part.train], records.groups[part.test])
        assert len(np.unique(part.test)) == len(part.test) > 0
    tested = np.concatenate([part.test for part in parts])
    assert len(np.unique(tested)) == len(tested)
    if by == "patient":
        assert len(tested) == len(records)
        assert all(part.left_out == 0 for part in parts)
    if by == "site":
        assert len(tested) + sum(part.left_out for part in parts) == len(records)
        assert [part.name for part in parts] == ["site-0", "site-1", "site-2"]


def test_by_time_everything_learned_is_past_and_returning_patients_are_counted(records):
    times = records.column("time")
    for part in parts_of(records, records.y, "time", folds=3):
        assert times[part.train].max() < times[part.test].min()
        period = (times >= times[part.test].min()) & (times <= times[part.test].max())
        returning = period & np.isin(records.groups.astype(str), records.groups[part.train].astype(str))
        assert part.left_out >= returning.sum() > 0


def test_repeats_deal_the_patients_anew(records):
    parts = parts_of(records, records.y, "patient", folds=2, repeats=2, seed=3)
    assert [part.name for part in parts][::2] == ["fold 1, repeat 1", "fold 1, repeat 2"]
    assert not np.array_equal(parts[0].test, parts[2].test)


def test_many_groups_go_into_folds_and_cases_without_one_are_only_learned_from():
    cases = [
        Case([Finding("f")], case_id=f"c{i}", diagnosis="ab"[i % 2], group=None if i < 3 else f"paper {i % 9}")
        for i in range(40)
    ]
    made = Records.from_cases(cases)
    parts = parts_of(made, made.y, "group", folds=4)
    group = made.column("group")
    assert len(parts) == 4
    for part in parts:
        assert set(group[part.test]) & set(group[part.train]) <= {None}
        assert {0, 1, 2} <= set(part.train.tolist())
    assert [p.name for p in parts_of(made, made.y, "group", folds=9)] == [f"paper {k}" for k in range(9)]


def test_a_patient_on_both_sides_is_refused_by_row(records):
    patients = records.groups
    twice = next(i for i in range(len(records)) if (patients == patients[i]).sum() > 1)
    train = np.flatnonzero(np.arange(len(records)) % 2 == 0)
    shared = np.flatnonzero(np.isin(patients[train + 1].astype(str), patients[train].astype(str)))
    with pytest.raises(InputError, match=f"{len(shared):,} of 80 test cases") as caught:
        dx.cross_evaluate(Prior(), records, [(train, train + 1)])
    assert f"counted from 1, rows {shared[0] + 1}, " in str(caught.value)
    assert str(patients[twice]) not in str(caught.value)


def test_an_evaluation_on_patients_that_were_trained_on_is_refused_by_row(linear):
    train, test = split(small_records(120, seed=4), by="patient", test_size=0.4, seed=0)
    fitted = dx.Diagnoser(model="linear", folds=2).fit(train)
    both = Records.from_cases([*(test.case(i) for i in range(3)), train.case(0), train.case(5)])
    with pytest.raises(InputError, match=r"2 of 5 cases .*counted from 1, rows 4, 5"):
        dx.evaluate(fitted, both, suspicions=False, n_boot=0)
    left = dx.evaluate(fitted, both, suspicions=False, n_boot=0, on_seen="leave_out")
    assert (left.n, left.n_seen, left.to_json()["n_seen"]) == (3, 2, 2)
    assert left.metrics() == dx.evaluate(fitted, test[:3], suspicions=False, n_boot=0).metrics()
    assert dx.evaluate(fitted, both, suspicions=False, n_boot=0, on_seen="report").suspicions[0].n == 2
    with pytest.raises(InputError, match="all labelled ones"):
        dx.evaluate(fitted, train[:4], on_seen="leave_out")
    with pytest.raises(UnknownNameError, match="Nearest: report"):
        dx.evaluate(fitted, test, on_seen="reports")


def test_a_fitted_model_that_knows_the_test_side_is_refused(records):
    class Same(Prior):
        """A model whose copies come fitted on everything: nothing is learned on the training side."""

        def fit(self, X, y):
            self.training_ids_ = dx.Diagnoser(model="linear", folds=2).fit(records).training_ids_
            return super().fit(X, y)

        def batch(self, X): ...

        def truth(self, X, y=None): ...

    class Search(Same):
        cv, refit, estimator, scoring = GroupKFold(2), True, Prior(), None

        def fit(self, X, y, groups=None):
            self.best_estimator_ = Same().fit(X, y)
            return self

    with pytest.raises(InputError, match=r"learned from .counted from 1, rows 1, 2"):
        dx.cross_evaluate(Search(), records, method="folds", folds=2)


def test_every_case_is_judged_by_the_fit_that_has_not_seen_its_patient(records, linear):
    found = dx.cross_evaluate(linear, records, "site", n_boot=10, show_by="sex", seed=1, suspicions=False)
    losses, n = [], []
    for held, part in zip(found.parts, parts_of(records, records.y, "site", folds=5), strict=True):
        fitted = dx.Diagnoser(model="linear", folds=2).fit(records[part.train])
        alone = dx.evaluate(fitted, records[part.test], n_boot=0, suspicions=False, details=False)
        assert held.values == pytest.approx(alone.overall.values)
        assert (held.name, held.n_train, held.n_test) == (part.name, len(part.train), len(part.test))
        losses.append(alone.overall.values["log_loss"])
        n.append(alone.n)
    assert found.evaluation.overall.values["log_loss"] == pytest.approx(np.average(losses, weights=n))
    assert found.left_out == len(records) - sum(n) > 0
    assert found.evaluation.n_sites == 3
    assert set(found.evaluation.by) == {"sex"}
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (plain["design"]["by"], plain["design"]["left_out"], plain["n"]) == ("site", found.left_out, sum(n))
    assert list(found.to_frame().name) == ["site-0", "site-1", "site-2"]
    assert "site-1" in repr(found)
    assert found.primary[0] == found.evaluation.overall.values["log_loss"]


def test_baselines_are_fitted_on_the_training_side_alone(records, linear):
    found = dx.cross_evaluate(linear, records, method="folds", folds=2, n_boot=5, suspicions=False)
    assert list(found.evaluation.baselines) == ["prior", "demographics", "naive_bayes"]
    wanted, weights = [], []
    for part in parts_of(records, records.y, "patient", folds=2):
        dummy = DummyClassifier().fit(part.train[:, None], records.y[part.train].astype(str))
        wanted.append(log_loss(records.y[part.test].astype(str), dummy.predict_proba(part.test[:, None])))
        weights.append(len(part.test))
    values = {name: one.values for name, one in found.evaluation.baselines.items()}
    assert values["prior"]["log_loss"] == pytest.approx(np.average(wanted, weights=weights))
    assert found.evaluation.overall.values["baseline.log_loss"] == values["prior"]["log_loss"]
    # These cases differ by their findings, and hardly by age and sex.
    assert values["naive_bayes"]["top.1"] > values["demographics"]["top.1"] + 0.2
    plain = found.to_json()["baselines"]["naive_bayes"]
    assert set(plain) >= {"top", "mrr", "ndcg", "log_loss", "brier", "intervals"}
    assert plain["top"]["1"] == values["naive_bayes"]["top.1"]


def test_repeated_folds_count_each_case_once(records):
    found = dx.cross_evaluate(Prior(), records, method="folds", folds=2, repeats=3, n_boot=5, baselines=False)
    assert (found.n_fits, found.evaluation.n) == (6, len(records))


def test_a_search_tunes_inside_each_training_side(records):
    search = GridSearchCV(Prior(), {"smooth": [0.0, 1000.0]}, cv=2, scoring="neg_log_loss")
    found = dx.cross_evaluate(search, records, method="folds", folds=2, n_boot=0, baselines=False, suspicions=False)
    best = fit_copy(search, records, records.y.astype(str)).estimator
    assert best.smooth == 1000.0  # the diagnoses are about equally frequent
    same = Prior(smooth=1000.0)
    alone = dx.cross_evaluate(same, records, method="folds", folds=2, n_boot=0, baselines=False, suspicions=False)
    assert found.evaluation.metrics() == alone.evaluation.metrics()
    assert search.cv == 2


def test_the_bootstrap_is_there_for_few_cases_and_corrects_for_optimism(records):
    draws, asked = 4, {"n_boot": 10, "baselines": False, "suspicions": False, "seed": 5}
    found = dx.cross_evaluate(Free(), records, method="auto", draws=draws, **asked)
    assert (found.method, found.n_fits, found.by) == ("bootstrap", 5 + draws + 1, "patient")
    one = {o.metric: o for o in found.optimism}["log_loss"]
    names, place = np.unique(records.groups.astype(str), return_inverse=True)
    y, gaps, outside = records.y.astype(str), [], []
    everyone = dict(zip(*np.unique(y, return_counts=True), strict=True))
    for counts in draw_patients(len(names), draws, 5):
        times = counts[place]
        drawn = np.repeat(y, times)
        share = {d: (drawn == d).mean() for d in everyone}
        loss = np.array([-np.log(share[d]) for d in y])
        gaps.append(np.average(loss, weights=times) - loss.mean())
        outside.append((times == 0, loss))
    apparent = -np.mean([np.log(everyone[d] / len(y)) for d in y])
    assert one.apparent == pytest.approx(apparent)
    assert one.optimism == pytest.approx(np.mean(gaps))
    assert one.corrected == pytest.approx(apparent - np.mean(gaps))
    n_outside = np.sum([out for out, _ in outside], axis=0)
    mean = np.sum([np.where(out, loss, 0) for out, loss in outside], axis=0) / np.maximum(n_outside, 1)
    assert one.out_of_bag == pytest.approx(mean[n_outside > 0].mean())
    folds = dx.cross_evaluate(Free(), records, **asked)
    assert (folds.method, folds.optimism) == ("folds", ()), "a hundred fits are asked for, not taken"
    assert one.cross_validated == folds.evaluation.overall.values["log_loss"]
    assert one.believed
    assert one.interval[0] <= one.corrected <= one.interval[1]
    assert found.primary == (one.corrected, one.interval)
    assert found.corrected["top.1"] == {o.metric: o.corrected for o in found.optimism}["top.1"]
    json.dumps(found.to_json(), allow_nan=False)
    assert "corrected" in repr(found)
    assert found._repr_html_().count("<table>") >= 1


class ByHeart(Free):
    """Knows every case it was fitted on by heart and guesses the rest: the bootstrap is far too kind to it."""

    def fit(self, X, y):
        self.known_ = dict(zip(X.case_ids, y, strict=True))
        return super().fit(X, y)

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        for i, case in enumerate(X.case_ids):
            if case in self.known_:
                proba[i] = 0.01 / (len(self.classes_) - 1)
                proba[i, np.flatnonzero(self.classes_ == self.known_[case])] = 0.99
        return proba


def test_a_corrected_figure_that_cross_validation_does_not_allow_is_not_believed(records):
    found = dx.cross_evaluate(
        ByHeart(), records, method="bootstrap", draws=3, n_boot=30, baselines=False, suspicions=False
    )
    of = {o.metric: o for o in found.optimism}
    assert of["top.1"].apparent == 1
    assert of["top.1"].corrected > 0.6  # of each draw's cases two thirds are known by heart, whoever is asked
    assert of["top.1"].cross_validated < 0.4
    assert not of["top.1"].believed
    assert not of["log_loss"].believed
    assert not {"top.1", "log_loss"} & found.corrected.keys()
    assert found.primary[0] == found.evaluation.overall.values["log_loss"]
    assert "not believed: top.1" in repr(found)


def test_corrected_figures_stay_in_their_range():
    scores = dx.evaluate(dx.Diagnoser(model="linear", folds=2).fit(small_records(60)), small_records(60), n_boot=0,
                         on_seen="report", suspicions=False, details=False).overall  # fmt: skip
    apparent = {"top.1": 0.99, "log_loss": 0.1, "calibration.slope": 1.0, "set.target": 0.9, "mrr": None}
    own = {"top.1": 0.9, "log_loss": 0.5, "calibration.slope": None, "set.target": 0.9, "mrr": None}
    all_ = {"top.1": 0.95, "log_loss": 0.3, "calibration.slope": 1.0, "set.target": 0.9, "mrr": None}
    found = {one.metric: one for one in corrected(apparent, [(own, all_)], scores, {})}
    assert found.keys() == {"top.1", "log_loss"}
    assert (found["top.1"].corrected, found["log_loss"].corrected) == (1.0, 0.0)


def test_fits_at_once_find_the_same_in_the_same_order(records):
    one = dx.cross_evaluate(Free(), records, method="folds", folds=3, n_boot=5, suspicions=False)
    with parallel_config(backend="threading"):
        two = dx.cross_evaluate(Free(), records, method="folds", folds=3, n_boot=5, suspicions=False, n_jobs=2)
    assert one.to_json() == two.to_json()


def test_what_cannot_be_laid_out_is_refused(records):
    with pytest.raises(InputError, match="Nearest: patient"):
        dx.cross_evaluate(Prior(), records, "patients")
    with pytest.raises(InputError, match="Nearest: folds"):
        dx.cross_evaluate(Prior(), records, method="fold")
    with pytest.raises(InputError, match="draws patients"):
        dx.cross_evaluate(Prior(), records, "site", method="bootstrap")
    with pytest.raises(InputError, match="at least 2 folds"):
        dx.cross_evaluate(Prior(), records, method="folds", folds=1)
    with pytest.raises(UnknownNameError, match="Nearest: log_loss"):
        dx.cross_evaluate(Prior(), records, primary="logloss")
    alone = Records.from_cases([Case([Finding("f")], case_id="c", diagnosis="a")])
    with pytest.raises(InputError, match="at least two patients"):
        dx.cross_evaluate(Prior(), alone)
    with pytest.raises(InputError, match="at least 2 times"):
        dx.cross_evaluate(Prior(), records, method="bootstrap", draws=1)
    with pytest.raises(InputError, match="different times or more"):
        dx.cross_evaluate(Prior(), alone, "time")
    with pytest.raises(InputError, match="two values of `site`"):
        dx.cross_evaluate(Prior(), alone, "site")
    with pytest.raises(InputError, match="found none"):
        dx.cross_evaluate(Prior(), records, [])


def test_a_diagnosis_of_the_test_side_alone_is_a_miss():
    found = dx.cross_evaluate(Prior(), small_records(60, rare=4), method="folds", folds=2, n_boot=5, suspicions=False)
    assert found.evaluation.overall.n_unreachable == 4
    assert found.evaluation.details.novelty.n_unknown == 4
    assert found.evaluation.baselines["naive_bayes"].n_unreachable == 4


def test_a_classifier_that_gives_no_probabilities_is_refused_by_row(records):
    class Broken(Free):
        def predict_proba(self, X):
            return super().predict_proba(X) * np.nan

    with pytest.raises(InputError, match="counted from 1, row 1 "):
        dx.cross_evaluate(Broken(), records, method="folds", folds=2, baselines=False)


def test_cases_without_a_diagnosis_are_never_judged(records):
    with pytest.raises(InputError, match=r"none of \d+ has one"):
        dx.cross_evaluate(Prior(), records, method="folds", folds=2, y=np.full(160, None))
    y = records.y.copy()
    y[::4] = None
    found = dx.cross_evaluate(Prior(), records, method="folds", folds=2, y=y, n_boot=0, suspicions=False)
    assert (found.evaluation.n, found.evaluation.n_unlabelled) == (120, 40)
    with pytest.raises(InputError, match="found none"):
        dx.cross_evaluate(Free(), records, [(np.arange(1, 160, 4), np.array([], dtype=int))], y=y)


def test_the_matrix_of_sites_is_a_fit_at_each_tried_at_each(records):
    found = dx.site_matrix(Prior(), records, folds=2, n_boot=5, metric="log_loss")
    site, patients = records.column("site"), records.groups.astype(str)
    assert found.sites == ("site-0", "site-1", "site-2")
    assert found.values.shape == (4, 3)
    for row in (*range(3), 3):
        for to in range(3):
            if row == to:
                continue
            inside = site == f"site-{row}" if row < 3 else site != f"site-{to}"
            test = np.flatnonzero((site == f"site-{to}") & ~np.isin(patients, patients[inside]))
            fitted = Prior().fit(records[inside], records.y[inside].astype(str))
            proba = fitted.predict_proba(records[test])
            cell = found.cells[row][to]
            assert cell.value == pytest.approx(log_loss(records.y[test].astype(str), proba, labels=fitted.classes_))
            assert (cell.n_train, cell.n_test) == (inside.sum(), len(test))
            assert cell.left_out == (site == f"site-{to}").sum() - len(test)
    assert all(found.cells[s][s].n_test == (site == f"site-{s}").sum() for s in range(3))
    away = [found.values[i, j] - found.values[j, j] for i in range(3) for j in range(3) if i != j]
    assert found.loss_elsewhere == pytest.approx(np.mean(away))
    assert list(found.to_frame().index) == [*found.sites, "all others"]
    assert "all others" in repr(found)
    json.dumps(found.to_json(), allow_nan=False)
    assert dx.site_matrix(Prior(), records, folds=2, n_boot=0, min_cell=10_000).cells[0][0].value is None
    with pytest.raises(InputError, match="two sites"):
        dx.site_matrix(Prior(), Records.from_cases([Case(case_id="c", diagnosis="a")]))


def test_diagnoses_left_out_of_training_are_noticed(records, linear):
    found = dx.open_world(linear, small_records(300, seed=6), folds=3, n_boot=20, min_cell=5)
    gone = [name for names in found.left_out for name in names]
    assert len(gone) == len(set(gone)) == 5
    assert found.n_unknown + found.n_known == 300
    assert 0.5 < found.doubt.interval[0] <= found.doubt.auroc <= found.doubt.interval[1] < 1
    assert found.other is None
    assert set(found.by_diagnosis) <= set(gone)
    assert "Open world" in repr(found)
    assert list(found.to_frame().auroc) == sorted(found.by_diagnosis.values())
    json.dumps(found.to_json(), allow_nan=False)
    # A model that says the same of every case notices nothing.
    assert set(dx.open_world(Prior(), records, folds=2, n_boot=0, min_cell=5).by_diagnosis.values()) == {0.5}
    with pytest.raises(InputError, match="fewer folds"):
        dx.open_world(linear, records, folds=4)


def test_two_fits_of_one_design_agree_with_evaluation_of_their_batches(records):
    train, test = split(records, by="site", test_size="site-1")
    rows = {c: i for i, c in enumerate(records.case_ids)}
    pair = [rows[c] for c in train.case_ids], [rows[c] for c in test.case_ids]
    found = dx.cross_evaluate(Prior(), records, [tuple(np.array(side) for side in pair)], n_boot=0, suspicions=False)
    held = replace(found.parts[0], values={})
    assert (held.name, held.n_test, found.by) == ("part 1", len(test), "given")
