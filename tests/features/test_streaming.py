"""Encoding in parts, from anywhere: the same matrix byte for byte, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from tests.small import small_records
from tests.strategies import record_tables

from diagnosis.errors import InputError, RecordsError, WorkError
from diagnosis.features import FindingEncoder
from diagnosis.features.ahead import ahead
from diagnosis.features.kept import Kept
from diagnosis.features.ready import made_ready
from diagnosis.features.states_only import has_states_only
from diagnosis.readers.records_folder import open_records
from diagnosis.records import Case, Finding, Records

few = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def same(a: csr_matrix, b: csr_matrix) -> bool:
    """Byte for byte."""
    parts = ("indptr", "indices", "data")
    return a.shape == b.shape and all(getattr(a, p).tobytes() == getattr(b, p).tobytes() for p in parts)


def fitted(records: Records, **options: object) -> FindingEncoder:
    try:
        return FindingEncoder(min_cases=1, **options).fit(records)
    except InputError:
        assume(False)
        raise


def in_parquet(folder: Path, tables: dict[str, pa.Table]) -> Path:
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


@few
@given(tables=record_tables(max_cases=7), size=st.integers(1, 8), n_jobs=st.sampled_from([1, 2]), data=st.data())
def test_folders_lists_and_records_give_one_matrix(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, pa.Table], size: int, n_jobs: int, data: st.DataObject
) -> None:
    records = Records.from_tables(tables)
    encoder = fitted(records, range_scores=True)
    X = encoder.transform(records)
    order = data.draw(st.permutations(range(len(tables["findings"]))))
    mixed = {**tables, "findings": tables["findings"].take(pa.array(order, pa.int64()))}
    folder = open_records(in_parquet(tmp_path_factory.mktemp("r"), mixed), batch_cases=size)
    parts = [records[i : i + size] for i in range(0, len(records), size)]
    for source in (folder, parts):
        again = FindingEncoder(min_cases=1, range_scores=True)
        assert same(again.fit_transform(source, n_jobs=n_jobs), X)
        assert again.to_json() == encoder.to_json()
        assert FindingEncoder(min_cases=1, range_scores=True).fit(source, n_jobs=n_jobs).to_json() == encoder.to_json()
        assert same(encoder.transform(source, n_jobs=n_jobs), X)


@few
@given(record_tables(max_cases=6), record_tables(max_cases=6), st.integers(1, 3))
def test_findings_of_nothing_but_states_take_a_shorter_way_to_the_same_row(
    tables: dict[str, pa.Table], others: dict[str, pa.Table], min_cases: int
) -> None:
    only = ("case_id", "code", "status", "subject", "time", "known")
    plain, other = ({**t, "findings": t["findings"].select(only)} for t in (tables, others))
    records, unseen = Records.from_tables(plain), Records.from_tables(other)
    encoder = FindingEncoder(min_cases=min_cases)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("ready", "learning"):
            patch.setattr(f"diagnosis.features.{module}.has_states_only", lambda coded: False)
        try:
            long = encoder.fit(records).to_json()
        except InputError:
            assume(False)
        rows = [encoder.transform(one) for one in (records, unseen)]
    assert encoder.fit(records).to_json() == long
    assert all(same(encoder.transform(one), row) for one, row in zip((records, unseen), rows, strict=True))


def test_the_shorter_way_is_taken_for_states_alone() -> None:
    cases = [Case([Finding("fever"), Finding("cough", "absent", subject="mother")], case_id=str(i)) for i in range(3)]
    assert has_states_only(Records.from_cases(cases).coded)
    valued = Case([Finding("fever", value=39.0), Finding("cough")])
    assert not has_states_only(Records.from_cases([valued]).coded)


def test_an_iterator_that_is_used_up_is_refused() -> None:
    records = small_records(20)
    encoder = FindingEncoder()
    parts: Iterator[Records] = iter([records])
    encoder.fit(parts)
    with pytest.raises(InputError, match="at least one"):
        encoder.transform(parts)
    with pytest.raises(InputError, match="Found list"):
        encoder.fit([[records]])
    with pytest.raises(InputError, match="Found dict"):
        encoder.fit({"cases": records})


@pytest.mark.parametrize("columns", [None, ("time", "subject")])
@pytest.mark.parametrize("held", [1, 3_000, 1 << 29])
def test_what_is_kept_to_be_encoded_is_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: tuple[str, ...] | None, held: int
) -> None:
    records = small_records(60)
    in_parquet(tmp_path, {n: records.arrow(n) for n in ("cases", "findings")})
    monkeypatch.setattr("diagnosis.features.kept.HELD", held)
    folder = open_records(tmp_path, batch_cases=9, columns=columns)
    encoder = FindingEncoder()
    for n_jobs in (1, 2):
        made = encoder.fit_transform(folder, n_jobs=n_jobs)
        assert same(FindingEncoder().fit(folder).transform(folder), made)
        shards = encoder.fit_transform(folder, to=tmp_path / f"shards {n_jobs}", n_jobs=n_jobs)
        assert same(shards.matrix(), made)


def test_values_that_do_not_fit_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diagnosis.features.kept.HELD", 1)
    valued = small_records(20)
    plain = Records.from_cases([Case([Finding("fever"), Finding("cough", "absent")], case_id=str(i)) for i in range(3)])
    with Kept() as kept:
        for one in (plain, plain):
            kept.add(made_ready(one, {}))
        assert [len(part.context.years) for part in kept.parts()] == [3, 3]
        kept.add(made_ready(valued, {}))
        kept.add(made_ready(plain, {}))
        assert not kept.whole
        assert list(kept.parts()) == []


def test_no_room_for_what_is_kept_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("diagnosis.features.kept.HELD", 1)
    monkeypatch.setattr("diagnosis.features.kept.tempfile.TemporaryFile", full)
    cases = [Case([Finding("fever")], case_id=str(i)) for i in range(3)]
    with pytest.raises(WorkError, match="TMPDIR"):
        FindingEncoder().fit_transform(Records.from_cases(cases))


def test_a_vocabulary_that_comes_later_counts_for_all_parts() -> None:
    cases = [Case([Finding("CRP", value=float(i))], case_id=str(i), age_years=30.0, sex="male") for i in range(40)]
    words = pa.table({"code": ["CRP"], "unit": ["mg/L"], "loinc": ["1988-5"]})
    parts = [Records.from_cases(cases[:20]), Records.from_cases(cases[20:], vocabulary=words)]
    encoder = FindingEncoder().fit(parts)
    assert same(FindingEncoder().fit_transform(parts), encoder.transform(parts))


def test_unknown_codes_of_a_folder_cost_nothing_and_are_counted(tmp_path: Path) -> None:
    known = FindingEncoder(min_cases=1).fit(Records.from_cases([Case([Finding("fever")])]))
    case = Case([Finding("fever"), *(Finding(f"code {i}") for i in range(10_000)), Finding("x" * 10_000_000)])
    records = Records.from_cases([case])
    in_parquet(tmp_path, {n: records.arrow(n) for n in ("cases", "findings")})
    X = known.transform(tmp_path)
    assert (X.shape, X.nnz) == ((1, 1), 1)
    (part,) = open_records(tmp_path)
    assert len(known.unknown(part)[0]) == 10_001


def test_absurd_values_in_parquet_are_refused_and_large_ones_are_measured(tmp_path: Path) -> None:
    columns = {"case_id": ["a", "b", "c"], "code": ["CRP"] * 3, "status": ["present"] * 3}
    cases = pa.table({"case_id": ["a", "b", "c"]})
    in_parquet(tmp_path, {"cases": cases, "findings": pa.table({**columns, "value": [1.0, np.inf, -3.0]})})
    with pytest.raises(RecordsError, match="finite"):
        FindingEncoder(min_cases=1).fit(tmp_path)
    in_parquet(tmp_path, {"cases": cases, "findings": pa.table({**columns, "value": [1.0, 1e300, np.nan]})})
    encoder = FindingEncoder(min_cases=1).fit(tmp_path)
    assert encoder.get_feature_names_out().tolist() == ["present:CRP", "measured:CRP"]
    assert encoder.n_unconverted_ == 1
    assert encoder.transform(tmp_path).toarray().tolist() == [[0, 1], [0, 1], [1, 0]]


def test_a_thread_ahead_gives_everything_in_order_and_hands_over_errors() -> None:
    assert list(ahead(iter(range(50)), 3)) == list(range(50))

    def failing() -> Iterator[int]:
        yield 1
        raise InputError("a", "b", "c")

    read = ahead(failing(), 2)
    assert next(read) == 1
    with pytest.raises(InputError):
        next(read)
    endless = ahead(iter(int, 1), 2)
    assert next(endless) == 0
    endless.close()  # type: ignore[attr-defined]


def test_columns_that_encoding_looks_at_are_read_from_a_folder(tmp_path: Path) -> None:
    records = small_records(80)
    tables = {n: records.arrow(n) for n in ("cases", "findings", "vocabulary")}
    encoder = FindingEncoder(range_scores=True).fit(records)
    assert same(encoder.transform(in_parquet(tmp_path, tables)), encoder.transform(records))
    other = [replace(records.case(i), findings=()) for i in range(3)]
    assert (
        encoder.transform(Records.from_cases([replace(c, case_id=str(i)) for i, c in enumerate(other)])).shape[0] == 3
    )


def test_windows_want_the_encounters_of_a_patient_in_one_part() -> None:
    records = small_records(60)
    encoder = FindingEncoder(windows=(7,)).fit(records)
    with pytest.raises(InputError, match="more than one"):
        encoder.transform([records[:30], records[30:]])
    first = np.isin(records.groups, records.groups[:30])
    order = np.concatenate([np.flatnonzero(first), np.flatnonzero(~first)])
    parts = [records[np.flatnonzero(first)], records[np.flatnonzero(~first)]]
    assert same(encoder.transform(parts), encoder.transform(records)[order])
