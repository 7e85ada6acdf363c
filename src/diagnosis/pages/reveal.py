"""When a page shows its list: at once, after an own first idea, or not at all. Against going along with a machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal, get_args

from diagnosis.errors import UnknownNameError, nearest
from diagnosis.pages.values import CasePage, FlagView

__all__ = ["Notes", "Reveal", "check_reveal", "field_id", "notes_of", "without_list"]

#: What a caller can ask for; a page can also be ``withheld``, or wait for a form beside it (``not_yet``).
Reveal = Literal["at_once", "after_answer"]

# What a rule or the record says, before any suggestion: it is never folded away.
_OF_THE_RECORD = (
    *("red_flag", "out_of_range_age", "unknown_codes", "values_not_used", "assumed_unit", "implausible_value"),
)


@dataclass(frozen=True, slots=True)
class Notes:
    """Flags that stand together on a page, and whether they wait for the reader's own idea."""

    flags: tuple[FlagView, ...]
    veiled: bool


def check_reveal(reveal: str) -> str:
    """Return `reveal` if it is one that can be asked for.

    Raises
    ------
    UnknownNameError
        It is none.
    """
    if reveal not in get_args(Reveal):
        raise UnknownNameError(
            f"A page was asked for with reveal={reveal!r}",
            f"a list is shown {' or '.join(get_args(Reveal))}",
            "choose one of them",
            near=nearest(str(reveal), get_args(Reveal)),
        )
    return reveal


def notes_of(page: CasePage) -> tuple[Notes, ...]:
    """Return the flags as a page shows them: those of rules and record apart where the list is folded away."""
    if page.reveal != "after_answer":
        return (Notes(page.flags, False),) if page.flags else ()
    first = tuple(flag for flag in page.flags if flag.kind in _OF_THE_RECORD)
    rest = tuple(flag for flag in page.flags if flag.kind not in _OF_THE_RECORD)
    return tuple(one for one in (Notes(first, False), Notes(rest, True)) if one.flags)


def without_list(page: CasePage, reveal: Literal["withheld", "not_yet"] = "withheld") -> CasePage:
    """Return the page of the same case with nothing on it that a model said: the record, and the flags of rules."""
    return replace(
        page,
        reveal=reveal,
        suggestions=(),
        flags=tuple(flag for flag in page.flags if flag.kind in _OF_THE_RECORD),
        other_probability=None,
        other_in_set=False,
        set_coverage=None,
        set_beyond=(),
        abstained=False,
        abstain_reason=None,
        questions=(),
        enough=None,
        change=None,
        similar=None,
        outcome=None,
    )


def field_id(page: CasePage) -> str:
    """Return an id for the field of the first idea: several pages can stand in one notebook."""
    return f"dx-idea-{hashlib.sha256(repr(page).encode()).hexdigest()[:10]}"
