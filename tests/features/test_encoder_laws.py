"""Laws of the encoder: they hold for every set of records."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.base import clone
from tests.strategies import record_tables

from diagnosis.errors import InputError
from diagnosis.features import FindingEncoder
from diagnosis.features.rows import batches
from diagnosis.records import Records

few = settings(max_examples=10, deadline=None)


def fitted(records: Records, **options: object) -> FindingEncoder:
    try:
        return FindingEncoder(min_cases=1, **options).fit(records)
    except InputError:
        assume(False)
        raise


def same(a: csr_matrix, b: csr_matrix) -> bool:
    return a.shape == b.shape and all(
        np.array_equal(getattr(a, part), getattr(b, part)) for part in ("indptr", "indices", "data")
    )


@few
@given(record_tables())
def test_the_matrix_is_canonical_and_finite(tables: dict[str, pa.Table]) -> None:
    records = Records.from_tables(tables)
    X = fitted(records).transform(records)
    X.check_format(full_check=True)
    assert X.dtype == np.float32
    assert X.indices.dtype == np.int32
    assert np.isfinite(X.data).all()
    assert (X.data != 0).all()
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)).astype(np.int64)
    assert (np.diff(rows * X.shape[1] + X.indices) > 0).all()


@few
@given(record_tables(), st.randoms(use_true_random=False))
def test_the_order_of_finding_rows_is_irrelevant(tables: dict[str, pa.Table], random: object) -> None:
    n = len(tables["findings"])
    order = list(range(n))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = {**tables, "findings": tables["findings"].take(pa.array(order, pa.int64()))}
    records, other = Records.from_tables(tables), Records.from_tables(shuffled)
    encoder, again = fitted(records), fitted(other)
    assert encoder.to_json() == again.to_json()
    assert same(encoder.transform(records), again.transform(other))


@few
@given(record_tables(min_cases=2), st.randoms(use_true_random=False))
def test_the_order_of_cases_is_irrelevant_to_what_is_learnt(tables: dict[str, pa.Table], random: object) -> None:
    records = Records.from_tables(tables)
    order = list(range(len(records)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert fitted(records).to_json() == fitted(records[np.array(order)]).to_json()


@few
@given(record_tables(min_cases=2), st.data())
def test_taking_cases_commutes_with_encoding(tables: dict[str, pa.Table], data: st.DataObject) -> None:
    records = Records.from_tables(tables)
    encoder = fitted(records)
    rows = np.array(data.draw(st.lists(st.integers(0, len(records) - 1), min_size=1, max_size=6)))
    assert same(encoder.transform(records[rows]), encoder.transform(records)[rows])
    assert encoder.unknown(records[rows]) == [encoder.unknown(records)[i] for i in rows]


@few
@given(record_tables())
def test_a_case_alone_equals_its_row_in_the_batch(tables: dict[str, pa.Table]) -> None:
    records = Records.from_tables(tables)
    encoder = fitted(records)
    X = encoder.transform(records)
    for i in range(len(records)):
        alone = Records.from_cases([records.case(i)])
        assert same(encoder.transform(alone), X[i])


@few
@given(record_tables())
def test_the_input_is_not_changed(tables: dict[str, pa.Table]) -> None:
    records = Records.from_tables(tables)
    before = records.digest()
    values = records.coded.value.copy()
    encoder = fitted(records)
    encoder.transform(records)
    encoder.unknown(records)
    encoder.recorded(records)
    assert records.digest() == before
    assert np.array_equal(records.coded.value, values, equal_nan=True)


@few
@given(record_tables(), record_tables(), st.booleans())
def test_json_gives_back_the_same_encoder(
    tables: dict[str, pa.Table], others: dict[str, pa.Table], ordering: bool
) -> None:
    encoder = fitted(Records.from_tables(tables), ordering=ordering)
    again = FindingEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    other = Records.from_tables(others)
    assert same(again.transform(other), encoder.transform(other))
    assert again.to_json() == encoder.to_json()
    assert again.values_ == encoder.values_
    assert again.get_params() == encoder.get_params()


@few
@given(record_tables())
def test_a_clone_fitted_on_the_same_records_is_the_same(tables: dict[str, pa.Table]) -> None:
    records = Records.from_tables(tables)
    encoder = fitted(records)
    copy = clone(encoder)
    assert not hasattr(copy, "lineage_")
    assert copy.fit(records).to_json() == encoder.to_json()


@few
@given(record_tables(), record_tables())
def test_unknown_findings_are_named_and_change_nothing(
    tables: dict[str, pa.Table], others: dict[str, pa.Table]
) -> None:
    encoder = fitted(Records.from_tables(tables))
    other = Records.from_tables(others)
    unknown = encoder.unknown(other)
    known = set(encoder.lineage_.keys[~encoder.lineage_.context])
    assert not known & {key for keys in unknown for key in keys}
    recorded = encoder.recorded(other)[:, ~encoder.lineage_.context]
    for i, keys in enumerate(unknown):
        findings = {(f.code, f.subject if f.subject != "patient" else None) for f in other.case(i).findings}
        assert len(findings) == len(keys) + recorded[i].nnz


@few
@given(record_tables())
def test_every_column_leads_back_to_a_finding_and_is_named_once(tables: dict[str, pa.Table]) -> None:
    encoder = fitted(Records.from_tables(tables))
    lineage = encoder.lineage_
    assert len(set(encoder.get_feature_names_out())) == len(lineage) == encoder.n_features_out_
    assert (lineage.keys[lineage.finding] == lineage.code).all()
    assert (lineage.context[lineage.finding] == (lineage.state == "context")).all()
    assert sorted(set(lineage.finding.tolist())) == list(range(len(lineage.keys)))
    assert lineage.keys[~lineage.context].tolist() == sorted(lineage.keys[~lineage.context])


@few
@given(record_tables(), st.integers(1, 3))
def test_a_column_has_as_many_training_cases_as_asked(tables: dict[str, pa.Table], min_cases: int) -> None:
    records = Records.from_tables(tables)
    try:
        encoder = FindingEncoder(min_cases=min_cases).fit(records)
    except InputError:
        return
    X = encoder.transform(records)
    counted = ~np.isin(encoder.lineage_.state, ["value", "onset"]) & (encoder.lineage_.names != "age")
    assert (X.getnnz(axis=0)[counted] >= min_cases).all()


@few
@given(record_tables())
def test_without_ordering_only_the_measured_columns_are_gone(tables: dict[str, pa.Table]) -> None:
    records = Records.from_tables(tables)
    full, less = fitted(records), fitted(records, ordering=False)
    keep = np.flatnonzero(full.lineage_.state != "measured")
    assert less.get_feature_names_out().tolist() == full.get_feature_names_out()[keep].tolist()
    assert same(less.transform(records), csr_matrix(full.transform(records)[:, keep]))


@few
@given(record_tables(), record_tables(min_cases=2), st.integers(1, 8))
def test_the_size_of_a_batch_is_irrelevant(tables: dict[str, pa.Table], others: dict[str, pa.Table], rows: int) -> None:
    records, other = Records.from_tables(tables), Records.from_tables(others)
    encoder = fitted(records)
    X, recorded = encoder.transform(other), encoder.recorded(other)
    unknown, unconverted = encoder.unknown(other), encoder.unconverted(other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "__kwdefaults__", {"rows": rows, "max_cases": None})
        assert fitted(records).to_json() == encoder.to_json()
        assert same(encoder.transform(other), X)
        assert same(encoder.recorded(other), recorded)
        assert encoder.unknown(other) == unknown
        assert np.array_equal(encoder.unconverted(other), unconverted)
