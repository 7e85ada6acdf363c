"""The steps of a run: each is named, timed and weighed, and shown on stderr where that is a terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from diagnosis.training.memory import peak_mib, reset_peak

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["STEPS", "Steps"]

_log = logging.getLogger("diagnosis.training")

#: The steps of a training run, in their order.
STEPS = ("load", "check", "split", "fit", "calibrate", "evaluate", "explain", "report", "save", "track")


class Steps:
    """Times the steps of one run, and notes the most memory held in each.

    A step inside another pauses it: what the inner one takes counts for it alone. Without a terminal nothing is
    printed; the steps go to the logger `diagnosis.training` at level INFO. Texts hold counts and names of options,
    nothing about a patient.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._seconds: dict[str, float] = {}
        self._peaks: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0
        self._bar: tuple[Progress, TaskID] | None = None

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds of wall time by step, in order; a step that is taken several times adds up."""
        return MappingProxyType(_in_order(self._seconds))

    @property
    def peaks(self) -> Mapping[str, float]:
        """The most resident memory during each step, in MiB."""
        return MappingProxyType(_in_order(self._peaks))

    @contextmanager
    def __call__(self, name: str, text: str) -> Iterator[None]:
        """Take one step.

        Parameters
        ----------
        name : str
            Under which its seconds and its memory are kept.
        text : str
            What is shown while it lasts.
        """
        before = self._seconds.get(name, 0.0)
        self._note()
        self._open.append(name)
        with self._shown(name, text):
            try:
                yield
            finally:
                self._note()
                self._open.pop()
        took = self._seconds[name] - before
        _log.info("%s: %.1f s", text, took)
        if self._console.is_terminal:
            self._console.print(f"{text} [dim]{took:.1f} s[/dim]", highlight=False)

    def say(self, text: str) -> None:
        """Show a line that belongs to no step."""
        _log.info("%s", text)
        if self._console.is_terminal:
            self._console.print(text, highlight=False)

    def _note(self) -> None:
        """Count time and memory since the last note for the step that is open, and begin anew."""
        now = time.perf_counter()
        if self._open:
            name = self._open[-1]
            self._seconds[name] = self._seconds.get(name, 0.0) + now - self._since
            self._peaks[name] = max(self._peaks.get(name, 0.0), peak_mib())
        self._since = now
        reset_peak()

    @contextmanager
    def _shown(self, name: str, text: str) -> Iterator[None]:
        """Show a bar of all steps with what is going on; an inner step shows its own text meanwhile."""
        if not self._console.is_terminal:
            yield
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        done = STEPS.index(name) if name in STEPS else 0
        if self._bar is not None:
            bar, task = self._bar
            before = bar.tasks[0].description
            bar.update(task, description=text, completed=done)
            yield
            bar.update(task, description=before)
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True) as bar:
            self._bar = (bar, bar.add_task(text, total=len(STEPS), completed=done))
            try:
                yield
            finally:
                self._bar = None


def _in_order(values: Mapping[str, float]) -> dict[str, float]:
    """By the order of the steps, not by which ended first."""
    return dict(sorted(values.items(), key=lambda one: STEPS.index(one[0]) if one[0] in STEPS else len(STEPS)))
