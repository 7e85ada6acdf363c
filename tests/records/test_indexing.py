"""Records behave as scikit-learn's X."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing
from tests.small import small_records
from tests.strategies import record_tables, whole_records

from diagnosis.errors import InputError, UnknownNameError
from diagnosis.records import Case, Finding, Records


@pytest.fixture(scope="module")
def records() -> Records:
    return small_records(40, seed=3)


KEYS: list[tuple[Any, list[int]]] = [
    (5, [5]),
    (-1, [39]),
    (np.int64(5), [5]),
    ([3, 1, 3], [3, 1, 3]),
    ([], []),
    (np.array([], bool)[:0].astype(int), []),
    (np.array([2, -2]), [2, 38]),
    (slice(10, 14), [10, 11, 12, 13]),
    (slice(None, None, -13), [39, 26, 13, 0]),
    (np.arange(40) % 20 == 7, [7, 27]),
    ((np.arange(40) % 20 == 7).tolist(), [7, 27]),
    (pd.Series(np.arange(40) % 20 == 7), [7, 27]),
    ((np.array([4, 2]), Ellipsis), [4, 2]),
    ((slice(2), slice(None)), [0, 1]),
    (range(3), [0, 1, 2]),
]


@pytest.mark.parametrize(("key", "picked"), KEYS, ids=range(len(KEYS)))
def test_keys(records: Records, key: Any, picked: list[int]) -> None:
    some = records[key]
    assert some.case_ids.tolist() == records.case_ids[picked].tolist()
    assert some.y.tolist() == records.y[picked].tolist()
    assert [some.case(i) for i in range(len(some))] == [records.case(i) for i in picked]
    assert some.shape[0] == len(some) == len(picked)


@pytest.mark.parametrize(
    "key", ["c1", None, Ellipsis, (0, 1), ([0], 0), (0, Ellipsis, 0), [[0, 1]], np.ones((2, 40), bool)]
)
def test_keys_that_are_none(records: Records, key: Any) -> None:
    with pytest.raises((InputError, IndexError)):
        records[key]


@pytest.mark.parametrize("key", [40, [-41], [0.5], np.ones(39, bool), [True]])
def test_keys_that_are_not_there(records: Records, key: Any) -> None:
    with pytest.raises(IndexError):
        records[key]


@settings(max_examples=20)
@given(records=whole_records(), data=st.data())
def test_picking_twice_is_picking_once(records: Records, data: st.DataObject) -> None:
    first = data.draw(st.lists(st.integers(0, len(records) - 1), min_size=1, max_size=6))
    second = data.draw(st.lists(st.integers(0, len(first) - 1), max_size=6))
    both = [first[i] for i in second]
    assert records[first][second].digest() == records[both].digest()
    assert records[np.arange(len(records))].digest() == records.digest()
    some = records[both]
    assert some.coded.offsets.tolist() == np.cumsum([0, *(len(records.case(i).findings) for i in both)]).tolist()
    for name in records.names:
        if name not in ("cases", "findings") and "case_id" in records.arrow(name).column_names:
            assert set(some.arrow(name)["case_id"].to_pylist()) <= set(some.case_ids)


@settings(max_examples=20)
@given(tables=record_tables(max_cases=5), data=st.data())
def test_picking_and_moments_commute(tables: dict[str, pa.Table], data: st.DataObject) -> None:
    n = len(tables["cases"])
    hours = data.draw(st.lists(st.none() | st.integers(0, 72), min_size=n, max_size=n))
    ticks = [None if h is None else 1_704_067_200 + h * 3600 for h in hours]
    cases = tables["cases"].append_column("end_time", pa.array(ticks, pa.timestamp("s", "UTC")))
    records = Records.from_tables({**tables, "cases": cases})
    rows = data.draw(st.lists(st.integers(0, n - 1), max_size=8))
    assert records[rows].as_of("end").digest() == records.as_of("end")[rows].digest()


def test_nothing_is_changed_by_picking(records: Records) -> None:
    before = records.digest()
    records[[1, 1, 0]].as_of("arrival")
    assert records.digest() == before
    for array in (records.y, records.groups, records.case_ids, records.weight):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]
    with pytest.raises(TypeError):
        records.info["format"] = 2  # type: ignore[index]


def test_it_iterates_case_by_case(records: Records) -> None:
    assert [len(one) for one in records] == [1] * 40  # type: ignore[attr-defined]


def test_it_is_no_array(records: Records) -> None:
    with pytest.raises(InputError, match="FindingEncoder"):
        np.asarray(records)


def test_columns_of_cases() -> None:
    records = Records.from_tables(
        {
            "cases": {"case_id": ["a", "b"], "age_years": [4, None], "weight": [2.0, None], "x_n": [1, None]},
            "findings": {"case_id": [], "code": [], "status": []},
        }
    )
    np.testing.assert_array_equal(records.column("age_years"), [4.0, np.nan])
    np.testing.assert_array_equal(records.column("x_n"), [1.0, np.nan])
    assert records.column("site").tolist() == [None, None]
    assert np.isnat(records.column("end_time")).all()
    assert np.isnan(records.column("birth_weight_g")).all()
    assert records.weight.tolist() == [2.0, 1.0]
    assert records.groups.tolist() == ["case:a", "case:b"]
    with pytest.raises(UnknownNameError) as caught:
        records.column("age_year")
    assert caught.value.near[0] == "age_years"
    with pytest.raises(UnknownNameError) as caught:
        records.arrow("finding")
    assert caught.value.near == ("findings",)


def test_what_it_says_of_itself(records: Records) -> None:
    assert repr(records) == (
        f"<Records: 40 cases of {len(set(records.groups))} patients, {len(records.coded)} findings "
        f"({records.shape[1]} codes), 5 diagnoses, synthetic>"
    )
    odd = Records.from_cases([Case([Finding("fever")], diagnosis="<b>&", case_id="<script>")])
    shown = odd._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


class MostCommon(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Answers with the diagnosis seen most, and sees to it that it is given records."""

    def __init__(self, *, bias: int = 0) -> None:
        self.bias = bias

    def fit(self, X: Records, y: np.ndarray) -> MostCommon:
        assert isinstance(X, Records)
        assert X.y.tolist() == y.tolist()
        self.classes_, counts = np.unique(y.astype(str), return_counts=True)
        self.most_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X: Records) -> np.ndarray:
        return np.full(len(X), self.most_)


def test_scikit_learn_takes_it_as_it_is(records: Records) -> None:
    assert _safe_indexing(records, np.array([3, 1])).case_ids.tolist() == ["c3", "c1"]
    assert _safe_indexing(records, slice(2)).case_ids.tolist() == ["c0", "c1"]
    assert _safe_indexing(records, np.arange(40) < 2).case_ids.tolist() == ["c0", "c1"]
    assert _safe_indexing(records, [0, 0]).case_ids.tolist() == ["c0", "c0"]
    train, test = train_test_split(records, test_size=0.25, random_state=0)
    assert (len(train), len(test)) == (30, 10)
    pipeline = make_pipeline(FunctionTransformer(), MostCommon())
    y = records.y.astype(str)
    for cv in (KFold(4), GroupKFold(4)):
        groups = records.groups if isinstance(cv, GroupKFold) else None
        found = cross_validate(pipeline, records, y, groups=groups, cv=cv, error_score="raise")
        assert len(found["test_score"]) == 4
    for train_rows, test_rows in GroupKFold(4).split(records, y, records.groups):
        assert not set(records[train_rows].groups) & set(records[test_rows].groups)
    search = GridSearchCV(MostCommon(), {"bias": [0, 1]}, cv=3, error_score="raise").fit(records, y)
    assert search.best_estimator_.predict(records[:2]).shape == (2,)


def test_it_goes_to_another_process_and_back(records: Records) -> None:
    some = records[:7].as_of("end")
    again = copy.deepcopy(some)
    assert again.digest() == some.digest()
    assert again.moment == some.moment
    assert again.vocabulary.name("rash", "zh") == "皮疹"
    assert again.vocabulary == some.vocabulary
    assert dict(again.info) == dict(some.info)
    assert again[[0]].case(0) == some.case(0)
    # What many records share is pickled once, and a case does not take the labels of the others along.
    n = 300
    ids, labelled = [f"c{i}" for i in range(n)], {"diagnosis": ["A"] * n, "role": ["principal"] * n}
    findings = {"case_id": ids, "code": ["x"] * n, "status": ["present"] * n}
    tables = {"cases": {"case_id": ids, "diagnosis": ["A"] * n}, "labels": {"case_id": ids, **labelled}}
    one = Records.from_tables({**tables, "findings": findings})[[0]]
    back = pickle.loads(pickle.dumps(one))
    assert back.digest() == one.digest()
    assert back.nbytes < one.nbytes / 2
