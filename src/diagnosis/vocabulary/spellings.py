"""How hospitals write units: common spellings, and the UCUM code of each. What is ambiguous has none."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

__all__ = ["spelling_of", "spelt", "spelt_in_capitals", "written_ucum"]

_RAISED = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
# 10^9, 10⁹ (as 10^9 by then), 10E9, 10**9, 10(9), with or without a sign of multiplication before it.
_POWER = re.compile(r"^(?:[xX×✕*·]\s*)?10(?:\^|E|e|\*\*|\*|\()([0-9]{1,2})\)?(?![0-9])")
# Below this many characters capitals tell units apart.
_FOLDED = 3
_MICRO = str.maketrans({"µ": "u", "μ": "u", "·": ".", "∕": "/", "⁄": "/", "／": "/", "％": "%"})


def written_ucum(unit: str) -> str:
    """A unit in the characters of UCUM: ``×10⁹/L`` as ``10*9/L``, the micro sign and the Greek mu as ``u``, no blanks.

    Examples
    --------
    >>> written_ucum("×10⁹/L"), written_ucum("μmol / L"), written_ucum("kg/m²")
    ('10*9/L', 'umol/L', 'kg/m2')
    """
    text = _RAISED.sub(lambda m: f"^{unicodedata.normalize('NFKC', m[0])}", unit.strip().translate(_MICRO))
    text = re.sub(r"\s+", "", text)
    text = _POWER.sub(lambda m: f"10*{m[1]}", text)
    # A power of anything but 10 stands without a sign: m2.
    return re.sub(r"(?<=[A-Za-z])\^(?=[0-9])", "", text)


def spelling_of(unit: str) -> str:
    """The form in which spellings are compared: as `written_ucum`, with one sign for degrees."""
    text = written_ucum(unicodedata.normalize("NFKC", written_ucum(unit)))
    return re.sub("[°º˚]", "deg", text).rstrip(".")


@cache
def _spellings() -> tuple[Mapping[str, str | None], Mapping[str, str | None]]:
    """UCUM code by spelling, and by spelling without capitals; None for a spelling that would mean two."""
    text = files("diagnosis.vocabulary").joinpath("unit_spellings.csv").read_text(encoding="utf-8")
    exact, folded = dict[str, str | None](), dict[str, str | None]()
    for row in csv.DictReader(text.splitlines()):
        code = row["ucum"]
        for spelling in {spelling_of(one) for one in (code, *row["spellings"].split("|"))}:
            exact[spelling] = code if exact.get(spelling, code) == code else None
            small = spelling.casefold()
            if len(small) >= _FOLDED:
                folded[small] = code if folded.get(small, code) == code else None
    return exact, folded


def spelt(unit: str) -> str | None:
    """The UCUM code that a common spelling means; None for one that is not in the table, or would mean two.

    Examples
    --------
    >>> spelt("℃"), spelt("mm Hg"), spelt("次/分"), spelt("K/uL"), spelt("oz")
    ('Cel', 'mm[Hg]', '/min', '10*3/uL', None)
    """
    return _spellings()[0].get(spelling_of(unit))


def spelt_in_capitals(unit: str) -> str | None:
    """As `spelt`, whatever is written in capitals; only for spellings so long that this tells nothing apart.

    ``MMOL/L`` is plain; ``M`` may be metres or moles in a litre, and ``mM`` is no millimetre.
    """
    return _spellings()[1].get(spelling_of(unit).casefold())
