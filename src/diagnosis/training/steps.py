"""The steps of a run: each is named and timed, and shown on stderr where that is a terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

__all__ = ["Steps"]

_log = logging.getLogger("diagnosis.training")


class Steps:
    """Times the steps of one run.

    Without a terminal nothing is printed; the steps go to the logger `diagnosis.training` at level INFO. Texts hold
    counts and names of options, nothing about a patient.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds of wall time by step, in order; a step that is taken several times adds up."""
        return MappingProxyType(self._seconds)

    @contextmanager
    def __call__(self, name: str, text: str) -> Iterator[None]:
        """Take one step.

        Parameters
        ----------
        name : str
            Under which its seconds are kept.
        text : str
            What is shown while it lasts.
        """
        start = time.perf_counter()
        if self._console.is_terminal:
            with self._console.status(text):
                yield
        else:
            yield
        took = time.perf_counter() - start
        self._seconds[name] = self._seconds.get(name, 0.0) + took
        _log.info("%s: %.1f s", text, took)
        if self._console.is_terminal:
            self._console.print(f"{text} [dim]{took:.1f} s[/dim]", highlight=False)

    def say(self, text: str) -> None:
        """Show a line that belongs to no step."""
        _log.info("%s", text)
        if self._console.is_terminal:
            self._console.print(text, highlight=False)
