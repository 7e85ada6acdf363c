"""The differential reading: what a doctor would keep on the list, learned beside which diagnosis it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import clone
from tests.small import DIAGNOSES, small_records

from diagnosis.errors import InputError
from diagnosis.evaluation import evaluate
from diagnosis.models import BoostedModel, HybridModel
from diagnosis.models.calibration import fit_temperature, softmax
from diagnosis.records import Records
from diagnosis.suggestions import Diagnoser, load_bundle
from diagnosis.suggestions.list_learning import learn_reading, nearest_lists
from diagnosis.suggestions.reference_reading import SoftLabels, read_reading, soft_labels, write_reading

CODES = list(DIAGNOSES)


def with_lists(records: Records, missing: int = 0) -> Records:
    """Doctors here always keep the next diagnosis of the alphabet on the list as well, with 30 %."""
    lists = []
    for i, code in enumerate(records.y):
        after = CODES[(CODES.index(code) + 1) % len(CODES)]
        pair = [{"diagnosis": code, "probability": 0.7}, {"diagnosis": after, "probability": 0.3}]
        lists.append(None if i < missing else pair)
    cases = records.arrow("cases").append_column("differential", pa.array(lists))
    tables = {name: records.arrow(name) for name in records.names if name != "cases"}
    return Records.from_tables({"cases": cases, **tables}, {"format": 1, "synthetic": True, "source": "tests"})


@pytest.fixture(scope="module")
def records() -> Records:
    return with_lists(small_records(240, seed=3), missing=20)


@pytest.fixture(scope="module")
def fitted(records: Records) -> Diagnoser:
    return Diagnoser(model="linear", folds=2, target="both").fit(records)


def test_each_reading_answers_its_own_question(fitted: Diagnoser, records: Records) -> None:
    index = {str(code): k for k, code in enumerate(fitted.codes("differential"))}
    true = np.array([index[c] for c in records.y])
    after = np.array([index[CODES[(CODES.index(c) + 1) % len(CODES)]] for c in records.y])
    rows = np.arange(len(records))
    posterior, listed = fitted.predict_proba(records), fitted.predict_differential(records)
    assert np.allclose(listed.sum(axis=1), 1)
    assert posterior[rows, after].mean() < 0.15 < 0.25 < listed[rows, after].mean()
    assert posterior[rows, true].mean() > listed[rows, true].mean()
    assert fitted.reading_ is not None
    assert fitted.reading_.n_cases == 220
    # Logistic regression with an intercept keeps the mean share of each class; the temperature moves it a little.
    assert np.abs(listed.mean(axis=0) - fitted.reading_.prior).max() < 0.03


def test_sets_and_flags_are_the_posterior_s(fitted: Diagnoser, records: Records) -> None:
    for a, b in zip(fitted.suggest(records[:20]), fitted.suggest(records[:20], reading="differential"), strict=True):
        assert (a.reading, b.reading) == ("posterior", "differential")
        assert (a.set, a.flags, a.abstained) == (b.set, b.flags, b.abstained)
        assert b.to_json()["reading"] == "differential"


def test_its_evidence_adds_up_to_its_own_probability(fitted: Diagnoser, records: Records) -> None:
    one = fitted.suggest(records[7:8], reading="differential")[0]
    evidence = one.explain(list(fitted.codes("differential")))
    scores = np.array([s.base + sum(line.contribution for line in s.lines) for s in evidence.suggestions])
    assert np.allclose(softmax(scores[None])[0], [s.probability for s in evidence.suggestions], atol=1e-9)
    first, second = one.ranked[0], one.ranked[1]
    contrast = one.contrast(first.diagnosis, second.diagnosis)
    assert contrast.log_ratio == pytest.approx(np.log(first.probability / second.probability), abs=1e-9)
    assert "differential" in str(one)


def test_it_is_saved_and_read_back(fitted: Diagnoser, records: Records, tmp_path: Path) -> None:
    back = load_bundle(fitted.save(tmp_path / "model"))
    assert np.array_equal(back.predict_differential(records), fitted.predict_differential(records))
    assert back.target == "both"
    assert clone(fitted).target == "both"
    assert back.name == fitted.name


def test_with_target_differential_it_is_what_suggest_answers_with(records: Records) -> None:
    own = Diagnoser(model="linear", folds=2, target="differential").fit(records)
    assert own.suggest(records[:1])[0].reading == "differential"
    assert own.suggest(records[:1], reading="posterior")[0].reading == "posterior"


def test_lists_as_soft_labels() -> None:
    records = with_lists(small_records(60, seed=5, rare=0))
    soft = soft_labels(records, min_cases=1, rest="other")
    assert np.allclose(np.bincount(soft.case, soft.weight), 1)
    assert soft.n_cases == 60
    rare = soft_labels(records, min_cases=1000, rest="other")
    assert set(rare.diagnosis) == {"OTHER"}
    with pytest.raises(InputError, match="at least 1000"):
        soft_labels(records, min_cases=1000, rest="error")


def test_without_lists_or_with_an_unknown_reading_it_says_what_to_do(fitted: Diagnoser, records: Records) -> None:
    plain = small_records(60)
    with pytest.raises(InputError, match=r"cases\.differential"):
        Diagnoser(model="linear", folds=2, target="both").fit(plain)
    with pytest.raises(InputError, match="posterior, differential or both"):
        Diagnoser(model="linear", folds=2, target="lists").fit(records)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Nearest: differential"):
        fitted.suggest(records[:1], reading="diferential")  # type: ignore[call-overload]
    posterior = Diagnoser(model="linear", folds=2).fit(records)
    with pytest.raises(InputError, match="target differential or both"):
        posterior.predict_differential(records)


def test_an_evaluation_puts_both_readings_beside_the_lists(fitted: Diagnoser, records: Records) -> None:
    found = evaluate(fitted, records, n_boot=0, suspicions=False, on_seen="report")
    plain = found.to_json()["lists"]
    assert plain["differential"]["ddr"] > plain["posterior"]["ddr"]
    assert plain["posterior"]["n"] == 220
    assert "220 reference lists" in repr(found)
    others = evaluate(fitted, small_records(60), n_boot=0, suspicions=False, on_seen="report")
    assert others.to_json()["lists"] == {}


def test_the_temperature_sharpens_lists_that_are_right_and_leaves_unsure_ones() -> None:
    rng = np.random.default_rng(0)
    case = np.repeat(np.arange(400), 2)
    listed, share = np.tile([0, 1], 400), np.tile([0.7, 0.3], 400)
    right = np.log(np.tile([0.7, 0.3, 1e-6], (400, 1)))
    right[:40] = np.log([1e-6, 0.3, 0.7])  # one list in ten is another, which the log-loss makes room for
    lowest = fit_temperature(right[case], listed, share)
    assert 1.2 * lowest < nearest_lists(right[case], listed, share, case) <= 1.5 * lowest
    unsure = rng.normal(size=(400, 3)) * 0.1
    lowest = fit_temperature(unsure[case], listed, share)
    assert nearest_lists(unsure[case], listed, share, case) == lowest


def test_beside_a_plain_hybrid_lists_are_learned_by_trees_alone_and_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = (rng.random((60, 5)) < 0.5).astype(np.float64)
    case, codes = np.repeat(np.arange(60), 2), np.array(["flu", "cold", "measles"], dtype=object)
    soft = SoftLabels(case, codes[(X[case, 0] + np.tile([0, 1], 60)).astype(int)], np.tile([0.7, 0.3], 60))
    patients = np.arange(60).astype(str)
    made = learn_reading(soft, X, patients, HybridModel(), weight=None, folds=2, seed=0)
    chosen = learn_reading(soft, X, patients, HybridModel(folds=1), weight=None, folds=2, seed=0)
    assert (type(made.model), type(chosen.model)) == (BoostedModel, HybridModel)
    write_reading(made, tmp_path / "reading")
    back = read_reading(tmp_path / "reading", "hybrid")
    assert back is not None
    np.testing.assert_array_equal(back.model.scores(X), made.model.scores(X))
