"""The tree of errors. Each says what was asked, what was found and what to do; none carries a patient's value or id."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diagnosis.records.report import Report

__all__ = [
    "BundleError",
    "ConfigError",
    "DiagnosisError",
    "DiagnosisWarning",
    "InputError",
    "RecordsError",
    "UnknownCodeError",
    "UnknownNameError",
    "WorkError",
    "nearest",
]


# What is longer is no misspelt name but a text in the wrong place, and comparing it takes time.
_LONGEST_NAME = 200


class DiagnosisError(Exception):
    """Anything this library raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Their own signatures differ from what they print; joblib's workers send them from one process to another.
        return _rebuilt, (type(self), self.args, self.__dict__)


class WorkError(DiagnosisError):
    """The input was fine and the work failed all the same (exit status 1)."""


class InputError(DiagnosisError, ValueError):
    """The input cannot be used (exit status 2).

    Parameters
    ----------
    asked : str
        What was asked for or expected.
    found : str
        What was found instead.
    do : str
        What the reader can do about it.
    near : sequence of str
        Known names close to the one that was given.
    """

    def __init__(self, asked: str, found: str, do: str, *, near: Sequence[str] = ()) -> None:
        self.asked = asked
        self.found = found
        self.do = do
        self.near = tuple(near)
        hint = f" Nearest: {', '.join(self.near)}." if self.near else ""
        super().__init__(f"{_sentence(asked)} {_sentence(found)} {_sentence(do)}{hint}")


class ConfigError(InputError):
    """A config that cannot be used; nothing was run."""


class BundleError(InputError):
    """A saved model that cannot be trusted or read; nothing of it was loaded."""


class UnknownNameError(InputError):
    """A name (of a model, a format, a column, a diagnosis) that is not known here."""


class UnknownCodeError(UnknownNameError):
    """A finding or diagnosis code that is not known here.

    Attributes
    ----------
    codes : tuple of str
        The offending codes.
    """

    def __init__(self, asked: str, found: str, do: str, *, codes: Sequence[str], near: Sequence[str] = ()) -> None:
        super().__init__(asked, found, do, near=near)
        self.codes = tuple(codes)


class RecordsError(InputError):
    """A set of records with errors in it.

    Attributes
    ----------
    report : Report
        Every problem that was found, grouped and counted.
    """

    def __init__(self, asked: str, found: str, do: str, *, report: Report) -> None:
        super().__init__(asked, found, do)
        self.report = report


class DiagnosisWarning(UserWarning):
    """Something was done that the caller may not expect; the message says what."""


def _rebuilt(kind: type[DiagnosisError], args: tuple[Any, ...], state: dict[str, Any]) -> DiagnosisError:
    made = kind.__new__(kind, *args)
    made.__dict__.update(state)
    return made


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return up to `n` of the known names closest to `name`, best first.

    Case and width (full-width letters and digits) are ignored.

    Examples
    --------
    >>> nearest("presnt", ["present", "absent", "uncertain"])
    ['present']
    """
    wanted = _fold(name)
    if not wanted or len(wanted) > _LONGEST_NAME:
        return []
    folded = {_fold(k): k for k in reversed(list(known))}
    return [folded[k] for k in difflib.get_close_matches(wanted, folded, n=n, cutoff=0.6)]


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", ":", "\n")) or not text else f"{text}."
