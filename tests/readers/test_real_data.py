"""Real sets load without an error and come back as they went out."""

from __future__ import annotations

from pathlib import Path

import pytest

from diagnosis.readers import read_records, write_records

# Cases and diagnoses as their publishers state them.
SETS = {
    "mz4_train": (1_388, 4),
    "mz4_test": (345, 4),
    "gmd12_train": (1_912, 12),
    "gmd12_dev": (239, 12),
    "appendicitis": (430, 2),
    "heart4": (920, 2),
    "primary_tumor": (339, 21),
}


@pytest.mark.parametrize("name", SETS)
def test_a_real_set_goes_round(real_data: Path, name: str, tmp_path: Path) -> None:
    records = read_records(real_data / name)
    assert not records.report.errors
    assert records.report.set_aside == 0
    assert (len(records), len({d for d in records.y if d is not None})) == SETS[name]
    for form in ("csv", "parquet"):
        again = read_records(write_records(records, tmp_path / form, form))  # type: ignore[arg-type]
        assert again.digest() == records.digest()
        assert again.case(0) == records.case(0)
        assert dict(again.info) == dict(records.info)
