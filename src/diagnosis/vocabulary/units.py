"""UCUM units: is it one, and what is a value in another. The arithmetic is pint's, the parser ucumvert's.

Here, and nowhere else, a common spelling is taken for the unit it means; records keep what was written.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache, lru_cache
from importlib.resources import files
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt

from diagnosis.vocabulary.analytes import Analyte, analyte
from diagnosis.vocabulary.comparable import comparable, equivalents
from diagnosis.vocabulary.spellings import spelt, spelt_in_capitals, written_ucum

__all__ = ["common_units", "convert", "is_unit", "ucum_beside", "ucum_of"]

# Seen on nearly every record, and known to be UCUM; they spare seconds of building the full registry of units.
_COMMON = frozenset(
    [
        *("1", "%", "Cel", "[degF]", "/min", "mm[Hg]", "kPa", "kg", "g", "mg", "cm", "m", "mm", "d", "h", "min", "wk"),
        *("a", "mo", "s", "ms", "kg/m2", "mg/dL", "g/dL", "g/L", "mg/L", "ug/L", "ng/mL", "ng/L", "pg/mL", "ug/mL"),
        *("mmol/L", "umol/L", "nmol/L", "pmol/L", "mol/L", "U/L", "[IU]/L", "m[IU]/mL", "[IU]/mL", "mU/L", "meq/L"),
        *("10*9/L", "10*12/L", "10*3/uL", "10*6/uL", "/uL", "fL", "pg", "mm/h", "[pH]", "mL", "L", "L/min", "/[HPF]"),
        *("mL/min", "mL/min/{1.73_m2}", "ug/dL", "mosm/kg", "mL/kg", "ug/g", "{score}", "[APL'U]/mL"),
    ]
)
# Not in the registry of units, and without any other unit to convert to.
_ALONE = frozenset({"[pH]"})
_TEMPERATURES = frozenset({"Cel", "K", "[degF]", "[degR]", "[degRe]"})
# Coulomb and farad in UCUM; degrees where what was measured is known to be a temperature.
_DEGREES = {"C": "Cel", "c": "Cel", "F": "[degF]", "f": "[degF]"}
_ANNOTATION = re.compile(r"\{[^{}]*\}")
# No unit of a record has an exponent of three digits; the arithmetic of one with nine would never end.
_HUGE_EXPONENT = re.compile(r"(?:10[*^]|[A-Za-z\]'%*^])[+-]?[0-9]{3}|[0-9]{8}")
_LONGEST = 80


# Building the registry, and parsing with it, is for one thread at a time: two registries do not mix.
_ONE_AT_A_TIME = RLock()


@cache
def _ucum() -> tuple[Any, Any, Any]:
    """A pint registry of UCUM units, ucumvert's parser, and its transformer into quantities of that registry."""
    from pint import UnitRegistry
    from ucumvert import UcumToPintTransformer, get_ucum_parser

    registry = UnitRegistry()
    registry.load_definitions(str(files("ucumvert").joinpath("pint_ucum_defs.txt")))
    return registry, get_ucum_parser(), UcumToPintTransformer(ureg=registry)


def _registry() -> Any:
    with _ONE_AT_A_TIME:
        return _ucum()[0]


@lru_cache(maxsize=4096)
def _quantity(unit: str) -> Any | None:
    """The unit as a pint quantity, or None when it is no UCUM unit."""
    if unit in _ALONE or not _well_formed(unit):
        return None
    from ucumvert import parse_ucum

    with _ONE_AT_A_TIME:
        _, parser, transformer = _ucum()
        try:
            found = transformer.transform(parse_ucum(_without_annotations(unit), parser))
            return found if found.dimensionality is not None and np.isfinite(found.magnitude) else None
        except Exception:  # the parser raises whatever its grammar stumbles over; every one means "not a unit"
            return None


def _well_formed(unit: str) -> bool:
    if not unit or len(unit) > _LONGEST or not unit.isascii() or not unit.isprintable() or " " in unit:
        return False
    return _HUGE_EXPONENT.search(_ANNOTATION.sub("", unit)) is None


def _without_annotations(unit: str) -> str:
    """Leave out what stands in braces; alone, or where a unit has to stand, it is the unit 1."""
    after_unit = re.sub(r"(?<=[^./])\{[^{}]*\}", "", unit)
    return _ANNOTATION.sub("1", after_unit)


@lru_cache(maxsize=4096)
def ucum_of(unit: str) -> str:
    """The UCUM unit that is meant: `unit` itself, or the one that a common spelling stands for.

    Spellings are those of ``unit_spellings.csv`` and UCUM in other characters (``μmol/L``, ``×10⁹/L``). One that could
    mean two things (``oz``, ``M``, ``G/L``) is left as it is, and so is all that is not known.

    Examples
    --------
    >>> ucum_of("°C"), ucum_of("×10⁹/L"), ucum_of("mg/dL"), ucum_of("furlong")
    ('Cel', '10*9/L', 'mg/dL', 'furlong')
    """
    if unit in _COMMON or unit in _ALONE:
        return unit
    found = spelt(unit)
    if found is None and _quantity(unit) is None:
        written = written_ucum(unit)
        found = written if _quantity(written) is not None else spelt_in_capitals(unit)
    return found or unit


def ucum_beside(unit: str, known: Collection[str]) -> str:
    """As `ucum_of`, for a code whose `known` units are told: ``C`` and ``F`` are degrees beside ``Cel`` or ``[degF]``.

    Alone they are coulomb and farad, the UCUM units of that name, and are left so.

    Examples
    --------
    >>> ucum_beside("C", ["Cel"]), ucum_beside("f", ["Cel", "[degF]"]), ucum_beside("C", ["A.s"])
    ('Cel', '[degF]', 'C')
    """
    unit = ucum_of(unit)
    return _DEGREES.get(unit, unit) if "Cel" in known or "[degF]" in known else unit


def is_unit(unit: str) -> bool:
    """Tell whether `unit` is a UCUM unit (case-sensitive); spellings of one are none, see `ucum_of`.

    Examples
    --------
    >>> is_unit("mmol/L"), is_unit("10*9/L"), is_unit("mmol per litre")
    (True, True, False)
    """
    return unit in _COMMON or unit in _ALONE or _quantity(unit) is not None


def common_units() -> tuple[str, ...]:
    """Units seen on nearly every record, to offer where one is misspelt."""
    return tuple(sorted(_COMMON))


def convert(
    values: npt.NDArray[np.float64], from_unit: str, to_unit: str, code: str | None = None
) -> npt.NDArray[np.float64] | None:
    """Give values in another unit.

    Between mass and amount of substance the molar mass of the analyte is used, between equivalents and moles its
    charge. Arbitrary units (``[IU]``, ``[HPF]``), osmoles, shares of moles and of mass convert among their own kind.

    Parameters
    ----------
    values : ndarray of float64
        In `from_unit`; NaN stays NaN.
    from_unit, to_unit : str
        UCUM, or common spellings; beside ``Cel`` and ``[degF]`` also ``C`` and ``F`` (see `ucum_beside`).
    code : str, optional
        LOINC code of what was measured, for its molar mass and charge.

    Returns
    -------
    ndarray of float64 or None
        None where the one unit says nothing about the other; nothing is ever guessed.

    Examples
    --------
    >>> convert(np.array([98.6]), "[degF]", "Cel").round(6)
    array([37.])
    >>> convert(np.array([90.0]), "mg/dL", "mmol/L", "LOINC:2345-7").round(4)
    array([4.9957])
    >>> convert(np.array([7.0]), "%", "mmol/mol") is None
    True
    """
    from_unit, to_unit = ucum_of(from_unit), ucum_of(to_unit)
    from_unit, to_unit = ucum_beside(from_unit, (to_unit,)), ucum_beside(to_unit, (from_unit,))
    if from_unit == to_unit:
        return values
    if {_without_annotations(u) for u in (from_unit, to_unit)} <= _TEMPERATURES:
        source, target = _quantity(from_unit), _quantity(to_unit)
        known = source is not None and target is not None and comparable(from_unit, to_unit)
        return _linear(values, source, target) if known else None
    factors = _factors(from_unit, to_unit, code)
    if factors is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        found: npt.NDArray[np.float64] = np.asarray(values, dtype=np.float64) * factors[0] * factors[1] / factors[2]
    return found


@lru_cache(maxsize=4096)
def _factors(from_unit: str, to_unit: str, code: str | None) -> tuple[float, float, float] | None:
    """What a value is multiplied by, twice, and divided by; None where the one unit says nothing about the other."""
    source, target = _quantity(from_unit), _quantity(to_unit)
    if source is None or target is None or not comparable(from_unit, to_unit):
        return None
    if not (source._is_multiplicative and target._is_multiplicative):  # logarithms, and scales with a zero of their own
        return None
    bridged = _bridged(source, target, equivalents(to_unit) - equivalents(from_unit), analyte(code))
    if bridged is None:
        return None
    one = _registry().Quantity(1.0, bridged.units).to(target.units).magnitude
    return float(bridged.magnitude), float(one), float(target.magnitude)


def _bridged(source: Any, target: Any, more_equivalents: int, found: Analyte | None) -> Any | None:
    """The source in the dimensions of the target, by molar mass and charge where need be; None where they differ."""
    if more_equivalents:
        if found is None or found.charge is None:
            return None
        source = source * float(found.charge) ** more_equivalents
    if source.dimensionality == target.dimensionality:
        return source
    if found is None:
        return None
    per_mole = _registry().Quantity(found.molar_mass, "g/mol")
    for bridged in (source / per_mole, source * per_mole):
        if bridged.dimensionality == target.dimensionality:
            return bridged
    return None


def _linear(values: npt.NDArray[np.float64], source: Any, target: Any) -> npt.NDArray[np.float64]:
    """Scale, and shift for temperatures: ``source`` units of ``values`` as multiples of ``target``."""
    with np.errstate(over="ignore", invalid="ignore"):
        amounts = (
            _registry().Quantity(np.asarray(values, dtype=np.float64) * source.magnitude, source.units).to(target.units)
        )
        return np.asarray(amounts.magnitude / target.magnitude, dtype=np.float64)
