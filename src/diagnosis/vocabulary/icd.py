"""ICD-10 codes with the edition they are of: read, written one way, rolled up to a stated level.

The editions share most of their three-character categories and differ below them, so a code is never compared without
its edition: `IcdCode` of different editions are different codes.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from diagnosis.errors import InputError, nearest

__all__ = ["Edition", "IcdCode", "Level", "parse_icd10", "roll_up"]

#: WHO's own; the United States' clinical modification; China's national clinical edition (国临版); the edition of
#: China's medical insurance (医保版).
Edition = Literal["who", "cm", "cn_clinical", "cn_insurance"]
Level = Literal["chapter", "block", "category", "subcategory"]

# What follows the three-character category. WHO: up to two digits. CM: up to four, the seventh a letter, X where a
# place is empty. China: three places (x where empty), then x and three digits for terms added later.
_CHINESE = re.compile(r"([A-Z][0-9]{2})(?:([0-9X])(?:([0-9]{2})(X[0-9]{3})?)?)?")
_SHAPES = {
    "who": re.compile(r"([A-Z][0-9]{2})(X|[0-9]{1,2})?"),
    "cm": re.compile(r"([A-Z][0-9][0-9A-Z])([0-9A-Z]{1,4})?"),
    "cn_clinical": _CHINESE,
    "cn_insurance": _CHINESE,
}
_DAGGERS, _ASTERISKS = "†+", "*"
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class IcdCode:
    """One ICD-10 code.

    Parameters
    ----------
    code : str
        As its edition writes it: ``J18.9``, ``T36.0X1A``, ``I10.x00``.
    edition : {"who", "cm", "cn_clinical", "cn_insurance"}
    mark : {"dagger", "asterisk"} or None
        Whether it was marked as the underlying disease or as its manifestation.
    manifestation : str, optional
        The asterisk code that was written together with a dagger code.
    """

    code: str
    edition: Edition
    mark: Literal["dagger", "asterisk"] | None = None
    manifestation: str | None = None

    def __str__(self) -> str:
        return self.code

    @property
    def category(self) -> str:
        """The three characters before the dot."""
        return self.code[:3]


def parse_icd10(text: str, edition: Edition) -> IcdCode:
    """Read a code of a stated edition.

    Case, width, spaces, a missing dot, a trailing ``.-`` and WHO's filler ``X`` (``I10.X``) do not matter; dagger
    (``†`` or ``+``) and asterisk are kept as a mark. Whether the edition has such a code is not looked up.

    Raises
    ------
    InputError
        It has not the shape of a code of that edition, or the edition is not known.

    Examples
    --------
    >>> parse_icd10("j189", "who").code, parse_icd10("Ｉ10.X00", "cn_clinical").code
    ('J18.9', 'I10.x00')
    >>> parse_icd10("A17.0†G01*", "who")
    IcdCode(code='A17.0', edition='who', mark='dagger', manifestation='G01')
    >>> parse_icd10("J18.9", "who") == parse_icd10("J18.9", "cm")
    False
    """
    _check_edition(edition)
    plain = "".join(unicodedata.normalize("NFKC", text[:_LONGEST]).upper().split())
    parts = [p for p in re.split(r"(?<=[†+*])(?=[A-Z])", plain) if p]
    if len(text) > _LONGEST or not 1 <= len(parts) <= 2:
        raise _not_a_code(text, edition)
    codes = [(_written(p.rstrip(_DAGGERS + _ASTERISKS), edition), _mark(p)) for p in parts]
    if any(code is None for code, _ in codes):
        raise _not_a_code(text, edition)
    by_mark = {mark: code for code, mark in codes}
    if len(codes) == 2:
        if set(by_mark) != {"dagger", "asterisk"}:
            raise _not_a_code(text, edition)
        return IcdCode(str(by_mark["dagger"]), edition, "dagger", by_mark["asterisk"])
    code, mark = codes[0]
    return IcdCode(str(code), edition, mark)


def roll_up(code: str | IcdCode, level: Level, *, edition: Edition | None = None) -> str:
    """Give the broader group a code belongs to.

    Chapters and blocks are WHO's (``icd10_blocks.csv``). The Chinese editions keep WHO's categories and so its blocks
    and chapters; the American one has categories and blocks of its own, and is rolled up to its category alone.

    Parameters
    ----------
    code : str or IcdCode
    level : {"chapter", "block", "category", "subcategory"}
        ``J00-J99``, ``J09-J18``, ``J18``, ``J18.9``. A code without a fourth character is its own subcategory.
    edition : str, optional
        Needed for text; an `IcdCode` has its own, and another one here is refused.

    Raises
    ------
    InputError
        No edition, two different ones, a level the edition has no table for, or a code outside of every block.

    Examples
    --------
    >>> [roll_up("J18.9", level, edition="who") for level in ("chapter", "block", "category", "subcategory")]
    ['J00-J99', 'J09-J18', 'J18', 'J18.9']
    >>> roll_up("J18.900x001", "subcategory", edition="cn_clinical")
    'J18.9'
    """
    found = _with_edition(code, edition)
    if level not in get_args(Level):
        raise InputError(
            "A level to roll up to was expected.",
            f"Found {level!r}.",
            f"Use one of {', '.join(get_args(Level))}.",
            near=nearest(str(level), get_args(Level), 1),
        )
    if level == "category":
        return found.category
    if found.edition == "cm":
        raise InputError(
            f"Asked for the {level} of a code of ICD-10-CM.",
            "The table in the package is WHO's, and ICD-10-CM differs from it.",
            "Roll up to the category, or map the code to WHO's edition first.",
        )
    if level == "subcategory":
        return found.code[:5] if found.code[4:5].isdigit() else found.category
    chapter, block = _groups(found.category)
    return chapter if level == "chapter" else block


@cache
def _blocks() -> tuple[tuple[str, str, str], ...]:
    """(chapter, first category, last category) of every block, in order."""
    text = files("diagnosis.vocabulary").joinpath("icd10_blocks.csv").read_text(encoding="utf-8")
    return tuple((row["chapter"], row["first"], row["last"]) for row in csv.DictReader(text.splitlines()))


@cache
def _groups(category: str) -> tuple[str, str]:
    for chapter, first, last in _blocks():
        if first <= category <= last:
            return chapter, f"{first}-{last}"
    raise InputError(
        "A category of ICD-10 was expected.",
        f"{category!r} lies in none of WHO's blocks.",
        "Check the code and its edition.",
    )


def _with_edition(code: str | IcdCode, edition: Edition | None) -> IcdCode:
    if isinstance(code, IcdCode):
        if edition is not None and edition != code.edition:
            raise InputError(
                f"Asked to roll up a code of edition {code.edition!r} as one of {edition!r}.",
                "The editions differ below the category, and are never taken for one another.",
                "Leave the edition out, or map the code first.",
            )
        return code
    if edition is None:
        raise InputError(
            "The edition of an ICD-10 code was expected.",
            "Found none.",
            f"Say which it is: {', '.join(get_args(Edition))}.",
        )
    return parse_icd10(code, edition)


def _check_edition(edition: str) -> None:
    if edition not in get_args(Edition):
        raise InputError(
            "An edition of ICD-10 was expected.",
            f"Found {edition!r}.",
            f"Use one of {', '.join(get_args(Edition))}.",
            near=nearest(str(edition), get_args(Edition), 1),
        )


def _written(text: str, edition: Edition) -> str | None:
    """The code as the edition writes it; None where it has another shape."""
    category, dot, rest = text[:3], text[3:4] == ".", text[3:].removeprefix(".")
    rest = rest.removesuffix("-") if dot or edition == "who" else rest
    if not text.isascii() or "." in rest or not _SHAPES[edition].fullmatch(category + rest):
        return None
    if edition == "who" and rest == "X":
        return category
    if edition.startswith("cn_"):
        rest = rest.replace("X", "x")
    return f"{category}.{rest}" if rest else category


def _mark(part: str) -> Literal["dagger", "asterisk"] | None:
    if part.endswith(_ASTERISKS):
        return "asterisk"
    return "dagger" if part.endswith(tuple(_DAGGERS)) else None


def _not_a_code(text: str, edition: str) -> InputError:
    return InputError(
        f"A code of ICD-10, edition {edition!r}, was expected.",
        f"Found {text[:_LONGEST]!r}.",
        "Check the code and its edition; codes of other systems are kept as they are.",
    )
