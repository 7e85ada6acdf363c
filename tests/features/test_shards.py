"""A matrix on disk: the same rows, and nothing that looks whole when it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random
from tests.small import small_records

from diagnosis.errors import InputError, WorkError
from diagnosis.features import FindingEncoder, Shards, open_shards
from diagnosis.features.shard_files import shard_size
from diagnosis.features.shards import write_shards

few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows_of(X: csr_matrix, size: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    parts = [X[i : i + size] for i in range(0, X.shape[0], size)]
    return [(np.diff(p.indptr).astype(np.int64), p.indices.astype(np.int32), p.data) for p in parts]


def same(a: csr_matrix, b: csr_matrix) -> bool:
    return a.shape == b.shape and all(
        np.array_equal(getattr(a, p), getattr(b, p)) for p in ("indptr", "indices", "data")
    )


@pytest.fixture(scope="module")
def X() -> csr_matrix:  # noqa: N802 - the field's name for a design matrix
    made = random(97, 13, density=0.2, format="csr", dtype=np.float32, random_state=0)
    made.sort_indices()
    return made


@few
@given(size=st.integers(1, 100), rows=st.integers(1, 120), picked=st.lists(st.integers(-97, 96), max_size=9))
def test_shards_hold_the_matrix_whatever_their_size(
    tmp_path_factory: pytest.TempPathFactory, X: csr_matrix, size: int, rows: int, picked: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("made") / "shards"
    shards = write_shards(folder, iter(rows_of(X, size)), [f"c{i}" for i in range(13)], rows_per_shard=rows)
    assert (len(shards), shards.shape, shards.nnz) == (97, X.shape, X.nnz)
    assert same(shards.matrix(), X)
    assert same(shards[np.array(picked, np.int64)], X[np.array(picked, np.int64)])
    assert same(shards[5:50], X[5:50])
    assert same(shards[50:5:-7], X[50:5:-7])
    batches = list(shards.batches(rows=10))
    assert [b.shape[0] for b in batches] == [10] * 9 + [7]
    assert same(batches[3], X[30:40])
    assert same(open_shards(folder).matrix(), X)


def test_encoding_to_a_folder_gives_what_encoding_to_memory_gives(tmp_path: Path) -> None:
    records = small_records(120)
    encoder = FindingEncoder().fit(records)
    shards = encoder.transform([records[:50], records[50:]], to=tmp_path / "new" / "shards")
    assert isinstance(shards, Shards)
    assert same(shards.matrix(), encoder.transform(records))
    assert shards.names == tuple(encoder.get_feature_names_out())
    assert repr(shards) == f"<Shards: 120 rows, {shards.shape[1]} columns, {shards.nnz:,} entries in 1 shards>"
    assert next(iter(shards)).dtype == np.float32
    with pytest.raises(InputError, match="holds something"):
        encoder.transform(records, to=tmp_path / "new" / "shards")


def test_a_shard_never_reaches_two_to_the_31_entries() -> None:
    for n_columns in (1, 100, 10_000, 10_000_000, 2**31 - 1):
        assert shard_size(n_columns) >= 1
        assert shard_size(n_columns) * n_columns < 2**31


def test_a_matrix_without_rows_is_one(tmp_path: Path) -> None:
    shards = write_shards(tmp_path / "none", iter([]), ["a", "b"])
    assert shards.matrix().shape == (0, 2)
    assert list(shards) == []


def test_what_is_not_whole_is_refused(tmp_path: Path, X: csr_matrix) -> None:
    folder = tmp_path / "shards"
    write_shards(folder, iter(rows_of(X, 30)), ["c"] * 13, rows_per_shard=40)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(InputError, match="format 2"):
        open_shards(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    data = folder / "00001.data.npy"
    data.write_bytes(data.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"00001.data.npy is missing or not whole"):
        open_shards(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(InputError, match="writing was broken off"):
        open_shards(folder)


def test_an_error_on_the_way_leaves_nothing_behind(tmp_path: Path, X: csr_matrix) -> None:
    def failing() -> object:
        yield from rows_of(X, 30)
        raise InputError("a", "b", "c")

    with pytest.raises(InputError):
        write_shards(tmp_path / "shards", failing(), ["c"] * 13, rows_per_shard=20)  # type: ignore[arg-type]
    assert list((tmp_path / "shards").iterdir()) == []
    assert len(write_shards(tmp_path / "shards", iter(rows_of(X, 30)), ["c"] * 13)) == 97


_FULL_DISK = """
import resource, sys
import numpy as np
from pathlib import Path
from diagnosis.errors import WorkError
from diagnosis.features.shards import write_shards

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
part = (np.full(1000, 4), np.tile(np.arange(4, dtype=np.int32), 1000), np.ones(4000, np.float32))
try:
    write_shards(Path(sys.argv[1]), iter([part] * 3), list("abcd"), rows_per_shard=int(sys.argv[2]))
except WorkError as error:
    sys.stdout.write(str(error))
"""


@pytest.mark.parametrize("rows_per_shard", [1000, 2000])
def test_a_disk_that_fills_up_is_told_and_leaves_nothing_that_looks_whole(tmp_path: Path, rows_per_shard: int) -> None:
    command = [sys.executable, "-c", _FULL_DISK, str(tmp_path / "shards"), str(rows_per_shard)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if rows_per_shard == 1000:  # every file is below the limit
        assert told == ""
        assert len(open_shards(tmp_path / "shards")) == 3000
        return
    assert "no room" in told
    assert "Make room there" in told
    assert list((tmp_path / "shards").iterdir()) == []
    with pytest.raises(InputError):
        open_shards(tmp_path / "shards")


def test_the_error_for_a_full_disk_is_one_of_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(WorkError, match="PermissionError"):
        write_shards(tmp_path / "shards", iter([]), ["a"])
