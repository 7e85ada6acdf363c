"""What goes to stdout, to stderr and to files, and the sign of life on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import typer

__all__ = ["as_json", "busy", "one_line", "output_to", "print_json", "say"]


@contextmanager
def busy(text: str) -> Iterator[None]:
    """Show on a terminal what is going on."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def output_to(file: Path | None) -> Iterator[IO[str]]:
    """Open a file that is there whole or not at all; None: stdout."""
    if file is None:
        yield sys.stdout
        return
    from diagnosis.training.whole_file import whole_file

    with whole_file(file) as out:
        yield out


def as_json(value: object, indent: int | None = None) -> str:
    """Return a value as JSON, in which nan and infinity have no place."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)


def print_json(value: object, indent: int | None = None) -> None:
    """Print a value as JSON on stdout."""
    typer.echo(as_json(value, indent))


def say(text: str) -> None:
    """Print a message on stderr."""
    typer.echo(text, err=True)


def one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,  # noqa: ARG001  the signature is that of `warnings.formatwarning`
    lineno: int,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> str:
    """Return a warning without the line of source it came from, as `warnings.formatwarning` asks for it."""
    return f"{category.__name__}: {message}\n"
