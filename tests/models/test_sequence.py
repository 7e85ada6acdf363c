"""Trees grown on rows that are read from disk are the trees grown in memory."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small import small_records

from diagnosis.errors import InputError
from diagnosis.features import FindingEncoder, Shards
from diagnosis.models.boosted import BoostedModel
from diagnosis.models.sequence import RowsOnDisk, for_lightgbm

OPTIONS = {"rounds": 6, "min_cases_leaf": 3, "early_stopping": 2}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, Shards, np.ndarray, np.ndarray]:
    records = small_records(90)
    encoder = FindingEncoder().fit(records)
    shards = encoder.transform(records, to=tmp_path_factory.mktemp("made") / "shards")
    y = np.arange(90) % 2 + (np.asarray(records.column("sex")) == "female")
    return encoder.transform(records), shards, y, np.linspace(0, 2, 90)


def test_trees_on_shards_are_those_in_memory(cases: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    X, shards, y, weight = cases
    monkeypatch.setattr("diagnosis.models.sequence._PORTION", 7 * X.shape[1])  # 7 rows at a time
    told = {"sample_weight": weight, "groups": np.arange(90) // 2}
    one, other = (BoostedModel(**OPTIONS).fit(rows, y, **told) for rows in (X, shards))
    assert one.trees_.text == other.trees_.text
    crossed = [BoostedModel(**OPTIONS).fit_cross(rows, y, **told, folds=3) for rows in (X, shards)]
    assert np.array_equal(*crossed)


def test_rows_are_read_by_number(cases: tuple) -> None:
    X, shards, _, _ = cases
    some = RowsOnDisk.of(shards).take(np.array([3, 4, 5, 40]))
    dense = X.toarray()[[3, 4, 5, 40]]
    assert some.shape == dense.shape
    assert np.array_equal(some.dense(1), dense[1])
    assert np.array_equal(some.dense(slice(0, 3)), dense[:3])
    assert np.array_equal(for_lightgbm(some)[[0, 3]], dense[[0, 3]])


def test_shards_want_a_label_a_row(cases: tuple) -> None:
    _, shards, y, _ = cases
    with pytest.raises(InputError, match="one label for each of 90 cases"):
        BoostedModel().fit(shards, y[:-1])
