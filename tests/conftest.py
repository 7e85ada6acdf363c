"""What every test may ask for, and what none may do: no network, no threads of its own, no chance."""

from __future__ import annotations

import os

# Read by OpenMP and MLflow when they load, so before anything else does.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MPLBACKEND", "agg")

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from diagnosis.records import Records

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

_DATA = "DIAGNOSIS_DATA"
_SERVICES = "DIAGNOSIS_SERVICES"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for real data, so that `-m "not real_data"` leaves it out."""
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker("real_data")
        if "services" in getattr(item, "fixturenames", ()):
            item.add_marker("services")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real development data sets; tests that ask for it are skipped where there is none."""
    named = os.environ.get(_DATA)
    if not named:
        pytest.skip(f"needs real data: {_DATA} names no folder")
    folder = Path(named)
    assert folder.is_dir(), f"{_DATA} names {folder}, which is no folder"
    return folder


@pytest.fixture(scope="session")
def services() -> None:
    """Servers may be started on this machine: `make test-services` allows it; elsewhere such tests are skipped."""
    if not os.environ.get(_SERVICES):
        pytest.skip("starts a server: run make test-services")


@pytest.fixture(scope="session")
def sample() -> Records:
    """The synthetic cohort of the package. Records are immutable, so one copy serves every test."""
    import diagnosis as dx

    return dx.load_sample()


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Refuse connections that leave the machine: a test that needs one would fail elsewhere."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError("a test tried to use the network")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield
