"""What comes next, got ready in a thread of its own while the last is still being worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")
_SECONDS = 0.1


def ahead(source: Iterator[T], n: int) -> Generator[T, None, None]:
    """Yield what `source` yields, with up to `n` more waiting; an error of the source is raised where it belongs."""
    waiting: Queue[tuple[bool, T | BaseException | None]] = Queue(maxsize=n)
    stopped = Event()

    def put(done: bool, one: T | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                waiting.put((done, one), timeout=_SECONDS)
                return True
            except Full:
                continue
        return False

    def read() -> None:
        try:
            for one in source:
                if not put(False, one):
                    return
            put(True, None)
        except BaseException as error:  # handed over to the thread that asked
            put(True, error)

    thread = Thread(target=read, daemon=True)
    thread.start()
    try:
        while True:
            done, one = waiting.get()
            if not done:
                yield one  # type: ignore[misc]
            elif isinstance(one, BaseException):
                raise one
            else:
                return
    finally:
        stopped.set()
        thread.join()
