"""One case by hand takes a way of its own to the row it has among others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from scipy.sparse import csr_matrix
from tests.small import small_records
from tests.strategies import record_tables

from diagnosis.errors import InputError, RecordsError
from diagnosis.features import FindingEncoder
from diagnosis.features.one_case import case_cells
from diagnosis.records import Case, Finding, Records

few = settings(max_examples=25, deadline=None)


def same(a: csr_matrix, b: csr_matrix) -> bool:
    parts = ("indptr", "indices", "data")
    return a.shape == b.shape and all(np.array_equal(getattr(a, p), getattr(b, p)) for p in parts)


@few
@given(record_tables(), record_tables(max_cases=5))
def test_a_case_by_hand_has_the_row_it_has_in_the_batch(
    tables: dict[str, pa.Table], others: dict[str, pa.Table]
) -> None:
    records, other = Records.from_tables(tables), Records.from_tables(others)
    try:
        encoder = FindingEncoder(min_cases=1, range_scores=True).fit(records)
    except InputError:
        assume(False)
    for some in (records, other):
        X = encoder.transform(some)
        for i in range(len(some)):
            row = encoder.encode_case(some.case(i))
            assert same(row, X[i])
            assert (row.dtype, row.indices.dtype) == (np.float32, np.int32)


def test_usual_cases_take_the_short_way() -> None:
    records = small_records(100)
    encoder = FindingEncoder().fit(records)
    X = encoder.transform(records)
    cells = [case_cells(records.case(i), encoder._plan) for i in range(len(records))]
    assert sum(one is None for one in cells) == 0
    assert all(same(encoder.encode_case(records.case(i)), X[i]) for i in range(len(records)))


def test_a_case_of_nothing_is_a_row_of_nothing() -> None:
    encoder = FindingEncoder(min_cases=1).fit(Records.from_cases([Case([Finding("fever")])]))
    assert encoder.encode_case(Case()).nnz == 0
    assert encoder.encode_case(Case([Finding("aura")])).nnz == 0
    assert encoder.encode_case(Case([Finding(f"code {i}") for i in range(10_000)])).shape == (1, 1)


def test_a_finding_that_repeats_counts_as_it_was_last_known() -> None:
    encoder = FindingEncoder(min_cases=1).fit(
        Records.from_cases([Case([Finding("fever", status)], case_id=status) for status in ("present", "absent")])
    )
    course = [
        Finding("fever", time="2024-01-02T08:00:00Z"),
        Finding("fever", "absent", time="2024-01-01T08:00:00Z"),
    ]
    assert case_cells(Case(course), encoder._plan) is not None
    assert encoder.encode_case(Case(course)).toarray().tolist() == [[1, 0]]
    told_later = [course[0], replace(course[1], known="2024-01-03T08:00:00+01:00")]
    assert encoder.encode_case(Case(told_later)).toarray().tolist() == [[0, 1]]
    for one in (course, told_later):
        assert same(encoder.encode_case(Case(one)), encoder.transform(Records.from_cases([Case(one)])))
    local = [replace(one, time=str(one.time)[:19]) for one in course]  # in the time zone of the records
    assert case_cells(Case(local), encoder._plan) is None
    assert encoder.encode_case(Case(local)).toarray().tolist() == [[1, 0]]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Case(age_years=-1),
        lambda: Case(age_years=float("inf")),
        lambda: Case([Finding("fever", value=float("-inf"))]),
        lambda: Case([Finding("fever", confidence=7)]),
        lambda: Case([Finding("")]),
        lambda: Case([Finding("fever", value="high")]),  # type: ignore[arg-type]
        lambda: Case([Finding("fever"), Finding("fever", "absent")]),
        lambda: Case([Finding("fever", value=10**400)]),
    ],
)
def test_what_records_would_refuse_is_refused_here_as_well(make: Callable[[], Case]) -> None:
    encoder = FindingEncoder(min_cases=1).fit(Records.from_cases([Case([Finding("fever")])]))
    with pytest.raises((RecordsError, InputError)):
        encoder.encode_case(replace(make(), case_id="one"))
