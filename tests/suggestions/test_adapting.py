"""Another place's prevalence: laws of the shift, what is chosen anew, and that it is said."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small import DIAGNOSES, small_records

from diagnosis.errors import InputError, UnknownNameError
from diagnosis.records import Case, Finding, Records
from diagnosis.suggestions import Diagnoser, load_bundle


@pytest.fixture(scope="module")
def fitted() -> Diagnoser:
    return Diagnoser(model="linear", folds=2).fit(small_records(400, seed=1, rare=6))


@pytest.fixture(scope="module")
def test() -> Records:
    return small_records(60, seed=2)


NAMED = {"B05.9": 0.5, "bacterial meningitis": 0.01, "J45.9": 0.2}


def test_the_training_prior_changes_nothing(fitted: Diagnoser, test: Records) -> None:
    same = fitted.adapt(prior=dict(zip(fitted.classes_, fitted.calibration_.prior, strict=True)))
    np.testing.assert_allclose(same.predict_proba(test), fitted.predict_proba(test), rtol=0, atol=1e-12)


def test_probabilities_move_by_new_over_old_share_and_contributions_stay(fitted: Diagnoser, test: Records) -> None:
    adapted = fitted.adapt(prior=NAMED)
    ratio = adapted.calibration_.prior / fitted.calibration_.prior
    expected = fitted.predict_proba(test) * ratio
    np.testing.assert_allclose(adapted.predict_proba(test), expected / expected.sum(axis=1, keepdims=True), atol=1e-12)
    # OTHER was not stated: it shares what is left with the others as in training.
    open_ = [k for k, c in enumerate(fitted.classes_) if c not in ("B05.9", "G00.9", "J45.9")]
    assert "OTHER" in fitted.classes_[open_]
    np.testing.assert_allclose(ratio[open_], ratio[open_][0])
    assert adapted.calibration_.prior.sum() == pytest.approx(1)
    codes = list(DIAGNOSES)
    before, after = (d.suggest(test[[0]])[0].explain(codes) for d in (fitted, adapted))
    for code in codes:
        one, other = before[code], after[code]
        assert {x.code: x.contribution for x in one.lines} == {x.code: x.contribution for x in other.lines}
        shift = np.log(ratio[fitted.classes_.tolist().index(code)])
        assert other.base - one.base == pytest.approx(shift)
        assert other.score == pytest.approx(other.base + sum(x.contribution for x in other.lines), abs=1e-9)


def test_adapting_starts_from_training_and_leaves_the_original(fitted: Diagnoser, test: Records) -> None:
    before, name = fitted.predict_proba(test), fitted.name
    twice, once = fitted.adapt(site="site-1").adapt(prior=NAMED), fitted.adapt(prior=NAMED)
    np.testing.assert_array_equal(twice.predict_proba(test), once.predict_proba(test))
    np.testing.assert_array_equal(fitted.predict_proba(test), before)
    assert fitted.name == name != once.name


def test_a_site_is_drawn_towards_the_whole(fitted: Diagnoser) -> None:
    near, far = (fitted.adapt(site="site-1", strength=a).calibration_.prior for a in (1e6, 1e-3))
    np.testing.assert_allclose(near, fitted.calibration_.prior, atol=1e-3)
    shares = fitted.card_["prevalence"]["site"]["site-1"]
    np.testing.assert_allclose(far, [shares.get(c, 0.0) for c in fitted.classes_], atol=1e-3)


def test_records_with_another_prevalence_are_met(fitted: Diagnoser) -> None:
    there = small_records(2000, seed=3)
    asthma = np.flatnonzero((there.y == "J45.9") | (np.arange(len(there)) % 6 == 0))
    local, held_out = there[asthma[:150]], there[asthma[150:]]
    adapted = fitted.adapt(records=local)

    def loss(d: Diagnoser) -> float:
        own = d.predict_proba(held_out)[np.arange(len(held_out)), np.searchsorted(d.classes_, held_out.y)]
        return float(-np.log(own).mean())

    assert loss(adapted) < loss(fitted)
    account = adapted.card_["adapted"]
    assert account["n"] == len(local)
    assert account["chosen_here"] == []  # fewer than 200 cases
    assert fitted.adapt(records=there).card_["adapted"]["chosen_here"] == ["temperature", "sets", "flags"]


def test_what_the_findings_say_of_the_prevalence_is_not_counted_twice(fitted: Diagnoser) -> None:
    """Cases picked by a finding come with another prevalence, and every probability is right as it is."""
    there = small_records(4000, seed=3)
    wheeze = there.coded.code == there.coded.codes.tolist().index("wheeze")
    picked = np.unique(there.coded.case[wheeze & (there.coded.status == 0)])
    local, held_out = there[picked[:300]], there[picked[300:]]
    shares = {code: 0.999 * float(np.mean(local.y == code)) for code in set(local.y)}

    def loss(d: Diagnoser) -> float:
        own = d.predict_proba(held_out)[np.arange(len(held_out)), np.searchsorted(d.classes_, held_out.y)]
        return float(-np.log(own).mean())

    assert loss(fitted.adapt(records=local)) < loss(fitted) + 0.01
    assert loss(fitted.adapt(prior=shares)) > loss(fitted) + 0.05


def test_it_is_saved_and_said(fitted: Diagnoser, test: Records, tmp_path) -> None:
    adapted = fitted.adapt(site="site-1")
    again = load_bundle(adapted.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_proba(test), adapted.predict_proba(test))
    page = again.suggest(test[[0]])[0]
    assert "adapted to the prevalence of site-1" in page.to_html()
    assert "chosen before the model was adapted" in page.to_html()
    assert "site-1 的患病率" in page.to_html("zh")
    np.testing.assert_array_equal(
        again.adapt(prior=NAMED).predict_proba(test), fitted.adapt(prior=NAMED).predict_proba(test)
    )


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "none of them"),
        ({"site": "site-1", "prior": NAMED}, "(?i)prior and site"),
        ({"site": "site-9"}, "Nearest: site-"),
        ({"prior": {"measels": 0.5}}, "Nearest: measles"),
        ({"prior": {"B05.9": 0.0}}, "above 0"),
        ({"prior": {"B05.9": 0.7, "J45.9": 0.6}}, "sum to 1.3"),
        ({"prior": {"B05.9": 1.0}}, "left out"),
        ({"records": Records.from_cases([Case([Finding("cough")])])}, "none of 1 cases"),
    ],
)
def test_what_cannot_be_adapted_to_is_refused(fitted: Diagnoser, asked: dict, says: str) -> None:
    with pytest.raises((InputError, UnknownNameError), match=says):
        fitted.adapt(**asked)
