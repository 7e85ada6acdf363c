"""Dask workers, each with a share of the cases: started here or found at an address, and watched while they work."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diagnosis.distributed.share import Share
from diagnosis.errors import DiagnosisError, InputError, WorkError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Workers", "check_dask", "workers_at", "workers_here"]

# Seconds between two looks at whether all workers are alive, and of silence after which one counts as lost.
_LOOK, _SILENT = 1.0, 40.0
# Seconds to wait for a scheduler, for workers, and after an error, for a lost worker to be the reason of it.
_CONNECT, _START, _AFTER = 10.0, 60.0, 5.0

# For workers of our own: no pages about them, and nothing of theirs on disk.
_CLOSED = {
    **{f"distributed.{role}.http.routes": [] for role in ("scheduler", "worker", "nanny")},
    **{f"distributed.worker.memory.{to_disk}": False for to_disk in ("spill", "target")},
}


def check_dask() -> None:
    """Raise InputError if Dask is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise InputError(
            "engine: dask needs the packages dask and distributed",
            "They are not installed",
            "Install them with: pip install 'diagnosis[dask]'",
        ) from None


@dataclass(frozen=True, slots=True, eq=False)
class Workers:
    """Workers that hold a `Share` each.

    Attributes
    ----------
    client : Client
    addresses : tuple of str
        Of the workers, in the order that sums are taken in.
    shares : tuple
        The actor of each.
    """

    client: Client
    addresses: tuple[str, ...]
    shares: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.addresses)

    def all(self, name: str, *given: Any) -> list[Any]:
        """Call a method of every share with the same arguments, and return what they answer, in order."""
        return self.each(name, [given] * len(self))

    def each(self, name: str, given: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call a method of every share, with arguments of its own.

        Raises
        ------
        WorkError
            A worker was lost, or its work failed; it is named.
        """
        calls = []
        for address, share, own in zip(self.addresses, self.shares, given, strict=True):
            try:
                calls.append(getattr(share, name)(*own))
            except (RuntimeError, OSError) as error:
                raise self._failure(address, error) from error
        by_worker = list(zip(self.addresses, calls, strict=True))
        return [self._waited_for(address, call, by_worker) for address, call in by_worker]

    def _waited_for(self, address: str, call: Any, by_worker: Sequence[tuple[str, Any]]) -> Any:
        """Return what a call answers; while it lasts, look whether a worker is gone, or its work has failed."""
        while True:
            try:
                return call.result(timeout=_LOOK)
            except TimeoutError:
                if call.done():
                    return self._answer(address, call)
            except Exception as error:
                raise self._failure(address, error) from error
            self._check_alive()
            for name, other in by_worker:
                if other.done():  # one that failed may keep the others waiting
                    self._answer(name, other)

    def _answer(self, address: str, call: Any) -> Any:
        try:
            return call.result(timeout=_LOOK)
        except Exception as error:
            raise self._failure(address, error) from error

    def _failure(self, address: str, error: Exception) -> DiagnosisError:
        """Return the reason of an error: a lost worker, which another one may be the first to notice, or its own."""
        until = time.monotonic() + _AFTER
        while time.monotonic() < until:
            self._check_alive()
            if isinstance(error, InputError):
                break
            time.sleep(_LOOK / 5)
        if isinstance(error, DiagnosisError):
            return error
        return WorkError(
            f"The Dask worker {address} could not do its work ({type(error).__name__}). See its log, and start the run "
            "again; finished steps are kept."
        )

    def _check_alive(self) -> None:
        """Raise WorkError if a worker is gone, or has not been heard of for long."""
        try:
            silence = self.client.run_on_scheduler(_silence)
        except (OSError, TimeoutError) as error:
            raise WorkError(
                "The Dask scheduler does not answer any more. See what became of it, and start the run again; "
                "finished steps are kept."
            ) from error
        for address in self.addresses:
            if silence.get(address, _SILENT) >= _SILENT:
                raise WorkError(
                    f"The Dask worker {address} was lost: its process was ended, or its machine cannot be reached. "
                    "Nothing of this step is kept. See what became of it (memory?), and start the run again; finished "
                    "steps are kept."
                )


def _silence(dask_scheduler: Any) -> dict[str, float]:
    """Seconds since each worker was last heard of; runs in the scheduler."""
    return {address: time.time() - worker.last_seen for address, worker in dask_scheduler.workers.items()}


@contextmanager
def workers_here(n: int, *, processes: bool = True) -> Iterator[Workers]:
    """Start workers on this machine, each a process with a thread for its work, and end them.

    Dask's sockets listen on the loopback interface alone, no page is served there, and no case is written to disk.

    Parameters
    ----------
    n : int
    processes : bool
        False: threads of this process, for tests.

    Raises
    ------
    WorkError
        They could not be started.
    """
    from dask import config

    from distributed import LocalCluster

    try:
        with config.set(_CLOSED):
            cluster = LocalCluster(
                n_workers=n,
                threads_per_worker=1,
                processes=processes,
                host="127.0.0.1",
                protocol="tcp",
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                memory_limit=None,
                silence_logs=logging.CRITICAL,
            )
    except (RuntimeError, OSError, TimeoutError) as error:
        raise WorkError(
            f"{n} Dask workers could not be started on this machine ({type(error).__name__}). In a script of your own "
            'the call must stand under `if __name__ == "__main__":`, because each worker imports the script.'
        ) from error
    pids: list[int] = []
    try:
        with _connected(cluster, n) as workers:
            if processes:
                for nanny in cluster.workers.values():
                    nanny.close_gracefully()  # one whose worker ends does not start another
                pids = list(workers.client.run(_quietly).values())
            yield workers
    except BaseException:
        # One that waits in LightGBM's network for a process that is gone does not end by itself.
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise
    finally:
        cluster.close()


def _quietly() -> int:
    """Let a worker's process write nothing to standard output, as LightGBM's network does; return its id."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return os.getpid()


@contextmanager
def workers_at(scheduler: str, n: int | None) -> Iterator[Workers]:
    """Use the workers of a cluster that is there already.

    Parameters
    ----------
    scheduler : str
        Its address: ``tcp://host:8786``.
    n : int, optional
        How many to wait for, a minute at most, and to use; all that there are if None.

    Raises
    ------
    InputError
        There is no scheduler at the address, or too few workers.
    """
    with _connected(scheduler, n) as workers:
        yield workers


@contextmanager
def _connected(where: Any, n: int | None) -> Iterator[Workers]:
    from distributed import Client

    name = where if isinstance(where, str) else "this machine"
    try:
        client = Client(where, timeout=_CONNECT, direct_to_workers=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"A Dask scheduler at {name}", f"None answers there ({type(error).__name__})", "Correct `dask.scheduler`."
        ) from error
    try:
        found = _addresses(client, n, name)
        yield Workers(client, found, tuple(_share(client, i, address) for i, address in enumerate(found)))
    finally:
        client.close()


def _addresses(client: Client, n: int | None, name: str) -> tuple[str, ...]:
    """Return the addresses of the workers to use, in a fixed order."""
    until = time.monotonic() + _START
    while len(there := client.run_on_scheduler(_silence)) < (n or 1) and time.monotonic() < until:
        time.sleep(_LOOK / 5)
    if len(there) < (n or 1):
        raise InputError(f"{n or 1} Dask workers at {name}", f"There are {len(there)}", "Start more, or ask for fewer.")
    return tuple(sorted(there)[:n])


def _share(client: Client, number: int, address: str) -> Any:
    made = client.submit(Share, number, actor=True, workers=[address], allow_other_workers=False, pure=False)
    return made.result(timeout=_START)
