"""Which units may be compared at all: UCUM counts many as plain numbers that are nothing of the kind."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

__all__ = ["comparable", "equivalents"]

_ANNOTATION = re.compile(r"\{[^{}]*\}")
_BRACKET = re.compile(r"\[[^\[\]]*\]")
# Letters outside brackets; a prefix may stand before the unit's own.
_WORD = re.compile(r"[A-Za-z]+")
_PREFIXES = ("", *"YZEPTGMkhdcmunpfazy", "da", "Ki", "Mi", "Gi", "Ti")
# Units in brackets that measure something: lengths, masses, volumes, temperatures, pressures, shares. Every other
# bracket is an arbitrary unit (UCUM 1.9, section 24): [IU], [arb'U], [CFU], [HPF] ... say nothing of one another.
_PHYSICAL = frozenset(
    [
        *("[degF]", "[degR]", "[degRe]", "[Hg]", "[H2O]", "[in_i]", "[in_us]", "[ft_i]", "[ft_us]", "[yd_i]", "[mi_i]"),
        *("[nmi_i]", "[fth_i]", "[mil_i]", "[lb_av]", "[oz_av]", "[dr_av]", "[stone_av]", "[gr]", "[lb_tr]", "[oz_tr]"),
        *("[lb_ap]", "[oz_ap]", "[fl_oz_us]", "[pt_us]", "[qt_us]", "[gal_us]", "[cup_us]", "[tsp_us]", "[tbs_us]"),
        *("[fl_oz_br]", "[pt_br]", "[qt_br]", "[gal_br]", "[in_i'H2O]", "[in_i'Hg]", "[sin_i]", "[sft_i]", "[cin_i]"),
        *("[ppm]", "[ppb]", "[ppth]", "[pptr]", "[psi]", "[lbf_av]", "[Cal]", "[drp]", "[kn_i]"),
    ]
)


@lru_cache(maxsize=4096)
def _kind(unit: str) -> tuple[tuple[str, ...], str, int, int]:
    """The arbitrary units in it, what it is a share of (moles, mass or neither), osmoles, equivalents it is per."""
    plain = _ANNOTATION.sub("", unit)
    arbitrary = sorted("[IU]" if b == "[iU]" else b for b in _BRACKET.findall(plain) if b not in _PHYSICAL)
    atoms = _atoms(plain)
    ratio = "mol" if atoms["mol"] >= 2 else "mass" if atoms["g"] >= 2 else ""
    return tuple(arbitrary), ratio, atoms["osm"], atoms["eq"] - equivalents(unit)


@lru_cache(maxsize=4096)
def _atoms(unit: str) -> Counter[str]:
    """How often moles, grams, osmoles and equivalents stand in a unit, whatever their prefix."""
    words = _WORD.findall(_BRACKET.sub("", _ANNOTATION.sub("", unit)))
    return Counter(atom for word in words for atom in ("mol", "g", "osm", "eq") if _is(word, atom))


def _is(word: str, atom: str) -> bool:
    return word.endswith(atom) and word.removesuffix(atom) in _PREFIXES


def equivalents(unit: str) -> int:
    """How often chemical equivalents stand in a unit before the first slash: ``meq/L`` once."""
    return _atoms(unit.partition("/")[0])["eq"]


def comparable(one: str, other: str) -> bool:
    """Tell whether two units measure the same kind of thing, as far as their dimensions do not tell.

    Arbitrary units, osmoles, shares of moles or mass, and notes in braces that differ (``{FEU}``, ``{DDU}``) or hold a
    number (``/{1.73_m2}``) keep units apart that UCUM holds to be equal.

    Examples
    --------
    >>> comparable("[IU]/mL", "[arb'U]/mL"), comparable("%", "mmol/mol"), comparable("%", "L/L")
    (False, False, True)
    """
    notes = [set(_ANNOTATION.findall(unit)) for unit in (one, other)]
    if notes[0] != notes[1] and (all(notes) or any(c.isdigit() for note in notes[0] ^ notes[1] for c in note)):
        return False
    return _kind(one) == _kind(other)
