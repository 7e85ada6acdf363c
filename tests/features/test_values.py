"""Scales of values, statistics of samples, age bands, the CSR assembly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.stats import skew

from diagnosis.features import AGE_BANDS, FindingEncoder, age_band
from diagnosis.features.assemble import Entries, max_cases, sorted_rows, stack_rows
from diagnosis.features.distinct import Distinct
from diagnosis.features.values import Scales, ValueScale, fit_scale
from diagnosis.records import Case, Finding, Records

samples = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=1, max_size=40)


def scale_of(values: list[float]) -> ValueScale | None:
    return fit_scale(Distinct.of(np.array(values)), "mg/L")


@given(samples, samples)
def test_counting_in_two_parts_equals_counting_at_once(a: list[float], b: list[float]) -> None:
    merged = Distinct.of(np.array(a)).merge(Distinct.of(np.array(b)))
    whole = Distinct.of(np.array(a + b))
    assert np.array_equal(merged.values, whole.values)
    assert np.array_equal(merged.counts, whole.counts)


@given(samples)
def test_moments_and_quantiles_agree_with_numpy_and_scipy(values: list[float]) -> None:
    sample, x = Distinct.of(np.array(values)), np.array(values)
    mean, deviation, skewness = sample.moments()
    assert mean == pytest.approx(x.mean(), abs=1e-6)
    assert deviation == pytest.approx(x.std(), abs=1e-6)
    if len(sample) > 1:
        assert skewness == pytest.approx(skew(x), abs=1e-6)
    for share in (0.005, 0.5, 0.995):
        assert sample.quantile(share) == np.quantile(x, share, method="inverted_cdf")


@given(samples)
def test_training_values_come_out_centred_and_scaled(values: list[float]) -> None:
    scale = scale_of(values)
    if scale is None:
        assert len(set(np.clip(values, *np.quantile(values, [0.005, 0.995], method="inverted_cdf")))) == 1
        return
    encoded = scale.encode(np.array(values))
    assert encoded.mean() == pytest.approx(0, abs=1e-6)
    assert encoded.std() == pytest.approx(1, abs=1e-6)


@given(samples, st.sampled_from([10.0, 1000.0]))
def test_the_unit_does_not_change_the_shape_of_a_scale(values: list[float], factor: float) -> None:
    here, there = scale_of(values), scale_of([v * factor for v in values])
    if here is None or there is None:
        assert here is there
        return
    assert (here.knee is None) == (there.knee is None)
    x = np.array(values)
    assert there.encode(x * factor) == pytest.approx(here.encode(x), abs=1e-6)


@given(st.lists(samples, min_size=1, max_size=4), samples)
def test_many_scales_at_once_equal_each_alone(trained: list[list[float]], values: list[float]) -> None:
    scales = [scale_of(sample) for sample in trained]
    packed, x = Scales.of(scales), np.array(values)
    for i, scale in enumerate(scales):
        assert packed.scaled[i] == (scale is not None)
        if scale is not None:
            assert np.array_equal(packed.encode(x, np.full(len(x), i, np.int32)), scale.encode(x))
    assert not packed.scaled[-1]


def test_a_heavy_tail_is_scaled_logarithmically_and_a_bell_is_not() -> None:
    crp = [0.5, 1, 1, 2, 3, 4, 5, 8, 12, 20, 45, 90, 180, 365]
    temperature = [36.4, 36.6, 36.7, 36.8, 36.9, 37.0, 37.0, 37.1, 37.2, 37.3, 37.4, 37.6]
    assert scale_of(crp) is not None
    assert scale_of(crp).knee == 5.0
    assert abs(skew(scale_of(crp).encode(np.array(crp)))) < 1 < skew(crp)
    symmetric = [37.0 + d for d in (-0.5, -0.25, 0.0, 0.25, 0.5)]
    assert scale_of(symmetric).knee is None
    assert scale_of(temperature).unit == "mg/L"


def test_an_order_is_kept_and_limits_hold() -> None:
    scale = scale_of([float(v) for v in range(1, 1001)])
    encoded = scale.encode(np.array([-5.0, 1.0, 5.0, 6.0, 500.0, 995.0, 996.0, 1e9]))
    assert (scale.low, scale.high) == (5.0, 995.0)
    assert encoded[0] == encoded[1] == encoded[2] < encoded[3] < encoded[4] < encoded[5] == encoded[6] == encoded[7]


@pytest.mark.parametrize("values", [[3.0], [3.0] * 9, [5e-324, 1e-300]])
def test_values_that_do_not_differ_have_no_scale(values: list[float]) -> None:
    assert scale_of(values) is None


def test_a_rare_other_value_still_has_a_scale() -> None:
    scale = scale_of([0.0] * 999 + [7.0])
    assert scale is not None
    assert scale.encode(np.array([7.0]))[0] > scale.encode(np.array([0.0]))[0]


@pytest.mark.parametrize(
    ("years", "band"),
    [
        (0, "neonate"),
        (27 / 365.25, "neonate"),
        (28 / 365.25, "infant"),
        (0.99, "infant"),
        (1, "toddler"),
        (2.9, "toddler"),
        (3, "child"),
        (11.9, "child"),
        (12, "adolescent"),
        (17.9, "adolescent"),
        (18, "adult"),
        (64.9, "adult"),
        (65, "older"),
        (101, "older"),
        (np.nan, None),
    ],
)
def test_age_bands(years: float, band: str | None) -> None:
    assert age_band(np.array([years])).tolist() == [band]
    assert band is None or band in AGE_BANDS


@given(st.data(), st.integers(1, 9), st.sampled_from([1, 2, 3, 100, 70_000]))
def test_assembly_equals_scipy(data: st.DataObject, n_cases: int, n_columns: int) -> None:
    cell = st.tuples(st.integers(0, n_cases - 1), st.integers(0, n_columns - 1))
    cells = data.draw(st.lists(cell, unique=True, max_size=30))
    values = data.draw(st.lists(st.floats(-9, 9, width=32), min_size=len(cells), max_size=len(cells)))
    case, column = np.array(cells, np.int64).reshape(-1, 2).T
    made = stack_rows([sorted_rows(Entries.of(case, column, np.array(values)), n_cases, n_columns)], n_columns)
    expected = coo_matrix((np.array(values, np.float32), (case, column)), shape=(n_cases, n_columns)).tocsr()
    expected.eliminate_zeros()
    expected.sort_indices()
    assert made.shape == expected.shape
    for part in ("indptr", "indices", "data"):
        assert np.array_equal(getattr(made, part), getattr(expected, part))


def test_the_last_case_and_column_of_a_full_batch_fit_into_the_packing() -> None:
    for n_columns in (1, 2, 3, 1 << 20, (1 << 20) + 1):
        last = max_cases(n_columns) - 1
        entries = Entries.ones(np.array([last]), n_columns - 1)
        _, indices, data = sorted_rows(entries, 0, n_columns)
        assert (indices.tolist(), data.tolist()) == ([n_columns - 1], [1.0])


def test_how_long_ago_a_finding_began_is_scaled_and_only_where_it_is_present_and_said() -> None:
    def ill(name: str, days: float | None, status: str = "present") -> Case:
        return Case([Finding("cough", status=status, onset_days=days)], case_id=name)

    records = Records.from_cases(
        [ill("a", 1.0), ill("b", 3.0), ill("c", 60.0), ill("d", None), ill("e", 5.0, "absent")]
    )
    encoder = FindingEncoder(min_cases=1).fit(records)
    names = encoder.get_feature_names_out().tolist()
    assert names == ["present:cough", "absent:cough", "onset:cough"]
    onset = encoder.transform(records).toarray()[:, 2]
    assert onset[0] < onset[1] < onset[2]
    assert onset[:3].sum() == pytest.approx(0, abs=1e-6)
    assert onset[3:].tolist() == [0.0, 0.0]
    assert FindingEncoder.from_json(encoder.to_json()).transform(records)[:, 2].nnz == 3
    for i, case in enumerate([records.case(i) for i in range(5)]):
        assert (encoder.encode_case(case) != encoder.transform(records)[i]).nnz == 0
    assert "onset:cough" not in FindingEncoder(min_cases=1, onsets=False).fit(records).get_feature_names_out()
