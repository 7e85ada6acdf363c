"""Shares of the cases without Dask: what its workers do, in threads of this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.small import small_records

from diagnosis.distributed.share import Share
from diagnosis.records import Records


class NearWorkers:
    """Stands for `diagnosis.distributed.Workers`; each share has a thread of its own, as LightGBM's network wants."""

    def __init__(self, n: int) -> None:
        self.addresses = tuple(f"tcp://127.0.0.1:{i}" for i in range(n))
        self.shares = [Share(i) for i in range(n)]
        self.threads = [ThreadPoolExecutor(1) for _ in range(n)]

    def __len__(self) -> int:
        return len(self.shares)

    def all(self, name: str, *given: Any) -> list[Any]:
        return self.each(name, [given] * len(self))

    def each(self, name: str, given: Sequence[tuple[Any, ...]]) -> list[Any]:
        calls = [
            thread.submit(getattr(share, name), *own)
            for thread, share, own in zip(self.threads, self.shares, given, strict=True)
        ]
        return [call.result() for call in calls]

    def close(self) -> None:
        for thread in self.threads:
            thread.shutdown()


@pytest.fixture
def two() -> Iterator[NearWorkers]:
    workers = NearWorkers(2)
    yield workers
    workers.close()


@pytest.fixture
def three() -> Iterator[NearWorkers]:
    workers = NearWorkers(3)
    yield workers
    workers.close()


@pytest.fixture(scope="session")
def cases() -> Records:
    """400 cases sorted by diagnosis, so that each worker lacks some diagnosis altogether."""
    records = small_records(400, seed=5)
    return records[records.y.astype(str).argsort(kind="stable")]
