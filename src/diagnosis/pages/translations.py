"""The phrases of a page, one entry a phrase and one text a language (`translations.json`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from diagnosis.errors import UnknownNameError, nearest

__all__ = ["LANGUAGES", "check_language", "counted", "has_phrase", "phrase", "phrases"]

LANGUAGES = ("en", "zh")


@cache
def phrases() -> Mapping[str, Mapping[str, str]]:
    """Return every phrase: key to language to text with ``{named}`` places."""
    text = files("diagnosis.pages").joinpath("translations.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def check_language(lang: str) -> str:
    """Return `lang` if the pages speak it.

    Raises
    ------
    UnknownNameError
        The language is not one of `LANGUAGES`.
    """
    if lang not in LANGUAGES:
        raise UnknownNameError(
            f"A page was asked for in the language {lang!r}",
            f"pages speak {', '.join(LANGUAGES)}",
            "choose one of them",
            near=nearest(lang, LANGUAGES),
        )
    return lang


def phrase(key: str, lang: str, values: Mapping[str, object] | None = None) -> str:
    """Return one phrase with its places filled.

    Examples
    --------
    >>> phrase("state.absent", "en"), phrase("state.absent", "zh")
    ('absent', '无')
    """
    text = phrases()[key][lang]
    return text.format_map(values or {}) if "{" in text else text


def counted(key: str, n: int, lang: str) -> str:
    """Return the phrase for `n` things: `key` has the forms ``.one`` and ``.many``.

    Examples
    --------
    >>> counted("left_out", 1, "en"), counted("left_out", 3, "en")
    ('1 later result left out', '3 later results left out')
    """
    return phrase(f"{key}.one" if n == 1 else f"{key}.many", lang, {"n": f"{n:,}"})


def has_phrase(key: str) -> bool:
    """Whether `key` is a phrase; enumerations that grow elsewhere are shown as they are until it is."""
    return key in phrases()
