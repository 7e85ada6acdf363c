"""One case is answered as among many, by hand as from records; its evidence too, however it is asked for."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from tests.small import small_records

from diagnosis.errors import InputError
from diagnosis.models import BoostedModel, HybridModel
from diagnosis.records import Case, Finding, Records
from diagnosis.records.plain_case import plain_records
from diagnosis.suggestions import Diagnoser, Differential, load_bundle


@pytest.fixture(scope="module")
def train() -> Records:
    return small_records(260, seed=41)


@pytest.fixture(scope="module")
def fitted(train: Records) -> Diagnoser:
    boosted = BoostedModel(rounds=8, min_cases_leaf=2, early_stopping=0)
    return Diagnoser(model=HybridModel(boosted=boosted, folds=2), folds=2).fit(train)


@pytest.fixture(scope="module")
def cases() -> Records:
    return small_records(40, seed=42)


def rounded(differential: Differential) -> object:
    """What it says; alone the sums are taken in another order, so that the last digits may differ."""
    return json.loads(json.dumps(differential.to_json()), parse_float=lambda number: round(float(number), 12))


def test_a_case_alone_is_answered_and_explained_as_among_many(fitted: Diagnoser, cases: Records) -> None:
    together, streamed = fitted.suggest(cases), list(fitted.explain(cases))
    assert len(streamed) == len(cases)
    for i, one in enumerate(together):
        alone = fitted.suggest(cases[[i]])[0]
        assert rounded(alone) == rounded(one)
        np.testing.assert_allclose(alone.proba, one.proba, rtol=1e-12)
        assert repr(alone.explain()) == repr(one.explain()) == repr(streamed[i])
        assert streamed[i].names == one.explain().names


def test_a_case_by_hand_is_answered_as_its_records(fitted: Diagnoser, cases: Records) -> None:
    for i in range(20):
        case = cases.case(i)
        by_hand, records = fitted.suggest(case), fitted.suggest(Records.from_cases([case]))[0]
        assert by_hand.to_json() == records.to_json()
        np.testing.assert_array_equal(by_hand.row.toarray(), records.row.toarray())
        assert repr(by_hand.explain()) == repr(records.explain())


def test_explaining_many_takes_a_list_length_and_refuses_none(fitted: Diagnoser, cases: Records) -> None:
    assert {len(one) for one in fitted.explain(cases[:5], top=2)} == {2}
    assert {len(one) for one in fitted.explain(cases[:5], top=99)} == {5}
    assert list(fitted.explain(cases[:0])) == []
    with pytest.raises(InputError, match="top is 0"):
        fitted.explain(cases, top=0)


def test_plain_cases_become_the_same_records_unchecked(cases: Records) -> None:
    for i in range(20):
        made, checked = plain_records(cases.case(i)), Records.from_cases([cases.case(i)])
        assert made is not None
        assert made.digest() == checked.digest()
        assert all(made.arrow(name).schema.equals(checked.arrow(name).schema) for name in made.names)


ODD = {
    "both present and absent": Case([Finding("cough"), Finding("cough", "absent")]),
    "impossible confidence": Case([Finding("cough", confidence=7)]),
    "empty id": Case([Finding("cough")], case_id=""),
    "value that is no number": Case([Finding("cough", value=True)]),
    "text for a number": Case([Finding("cough", onset_days="two")]),  # type: ignore[arg-type]
    "empty code": Case([Finding("")]),
    "reference list": Case([Finding("cough")], differential={"B05.9": 1.0}),  # type: ignore[arg-type]
    "a year like no other": Case([Finding("cough", time="0001-01-01T00:00:00Z")]),
}


@pytest.mark.parametrize("case", ODD.values(), ids=ODD.keys())
def test_what_has_to_be_looked_at_is_left_to_the_checks(case: Case) -> None:
    assert plain_records(case) is None


def test_one_case_pickles_without_the_others(cases: Records) -> None:
    many = small_records(1_000, seed=43)
    one = many[[7]]
    assert len(pickle.dumps(one)) < len(pickle.dumps(many)) / 4
    assert pickle.loads(pickle.dumps(one)).digest() == one.digest() == many[[7, 8]][[0]].digest()


def test_one_case_has_the_neighbours_it_has_among_many(fitted: Diagnoser, cases: Records) -> None:
    X = fitted.encoder_.transform(cases)
    assert fitted.neighbours_ is not None
    alone = np.concatenate([fitted.neighbours_.similarity(X[[i]]) for i in range(len(cases))])
    np.testing.assert_array_equal(alone, fitted.neighbours_.similarity(X))


def test_similar_cases_come_nearest_first_with_their_diagnoses(fitted: Diagnoser, train: Records) -> None:
    differential = fitted.suggest(train[[3]])[0]
    found = differential.similar_cases(25)
    assert list(found.columns) == ["distance", "similarity", "diagnosis", "name", "case_id"]
    assert len(found) == 25
    assert found["distance"].is_monotonic_increasing
    assert train.case_ids[3] not in set(found["case_id"])
    label = dict(zip(train.case_ids, train.y, strict=True))
    assert [label[i] for i in found["case_id"]] == found["diagnosis"].tolist()
    twin = fitted.suggest(Records.from_cases([train.case(3)]))[0]
    object.__setattr__(twin, "case_id", "another")
    first = twin.similar_cases(1)
    assert first["case_id"].tolist() == [train.case_ids[3]]
    np.testing.assert_allclose(first["distance"], 0.0, atol=1e-6)
    # Alike in evidence is mostly alike in diagnosis: five diagnoses by chance would agree in a fifth.
    same = [(fitted.suggest(train[[i]])[0].similar_cases(5)["diagnosis"] == train.y[i]).mean() for i in range(20)]
    assert np.mean(same) > 0.5


def test_similar_cases_stay_at_the_site(fitted: Diagnoser, cases: Records, tmp_path) -> None:
    folder = fitted.save(tmp_path / "model")
    differential = fitted.suggest(cases[[0]])[0]
    again = load_bundle(folder).suggest(cases[[0]])[0]
    assert again.similar_cases(3).equals(differential.similar_cases(3))
    page = differential.to_html()
    assert not any(f">{i}<" in page for i in differential.similar_cases(20)["case_id"])
    (folder / "local" / "neighbours.npz").unlink()
    with pytest.raises(InputError, match="they are not here"):
        load_bundle(folder).suggest(cases[[0]])[0].similar_cases(3)
    with pytest.raises(InputError, match="k is 0"):
        differential.similar_cases(0)


def test_nothing_is_answered_with_nothing_and_no_case_is_refused(fitted: Diagnoser, cases: Records) -> None:
    assert fitted.suggest(cases[:0]) == []
    assert fitted.suggest([]) == []
    for wrong in (None, 3, "case"):
        with pytest.raises(InputError, match="records or cases"):
            fitted.suggest(wrong)  # type: ignore[call-overload]
