"""What is written as MEDS is read again, value for value, and is MEDS by MEDS's own schema."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from tests.strategies import whole_records

from diagnosis.readers.meds import read_meds, write_meds
from diagnosis.records import Records


@settings(max_examples=40)
@given(records=whole_records())
def test_what_is_written_is_read(records: Records) -> None:
    with tempfile.TemporaryDirectory() as folder:
        again = read_meds(write_meds(records, Path(folder) / "meds", shard_events=3))
    assert again.digest() == records.digest()
    assert dict(again.info) == dict(records.info)
    assert set(again.names) == set(records.names)
    for name in records.names:
        assert again.arrow(name).to_pylist() == records.arrow(name).to_pylist()


@settings(max_examples=15)
@given(records=whole_records())
def test_what_is_written_is_meds(records: Records) -> None:
    meds = pytest.importorskip("meds")
    with tempfile.TemporaryDirectory() as name:
        folder = write_meds(records, Path(name) / "meds", shard_events=4)
        shards = [pq.read_table(p) for p in sorted((folder / "data").glob("*.parquet"))]
        codes = pq.read_table(folder / "metadata" / "codes.parquet")
        meds.DatasetMetadataSchema.validate(json.loads((folder / "metadata" / "dataset.json").read_text()))
    meds.CodeMetadataSchema.validate(codes)
    seen: set[int] = set()
    for shard in shards:
        meds.DataSchema.validate(shard)
        subject = shard["subject_id"].to_numpy()
        mine = set(subject.tolist())
        assert not mine & seen, "a subject stands in one shard"
        seen |= mine
        assert len(mine) == (np.diff(subject) != 0).sum() + (len(subject) > 0), "its events stand together"
        time = shard["time"].cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy()
        assert ((time[1:] >= time[:-1]) | (subject[1:] != subject[:-1])).all(), "in order of time"
        assert set(shard["code"].to_pylist()) <= set(codes["code"].to_pylist())
