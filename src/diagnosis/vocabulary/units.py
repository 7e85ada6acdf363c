"""UCUM units: is it one, and what is a value in another. The arithmetic is pint's, the parser ucumvert's."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["convert", "is_unit", "molar_mass"]

# Seen on nearly every record, and known to be UCUM; they spare a second of building the full unit registry.
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


@cache
def _registry() -> Any:
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()


@cache
def _quantity(unit: str) -> Any | None:
    """The unit as a pint quantity, or None when it is no UCUM unit."""
    if unit in _ALONE or not unit.isascii() or not unit.strip():
        return None
    try:
        return _registry().from_ucum(unit)
    except Exception:  # the parser raises whatever its grammar stumbles over; every one means "not a unit"
        return None


def is_unit(unit: str) -> bool:
    """Tell whether `unit` is a UCUM unit (case-sensitive).

    Examples
    --------
    >>> is_unit("mmol/L"), is_unit("10*9/L"), is_unit("mmol per litre")
    (True, True, False)
    """
    return unit in _COMMON or unit in _ALONE or _quantity(unit) is not None


@cache
def _molar_masses() -> Mapping[str, float]:
    text = files("diagnosis.vocabulary").joinpath("molar_masses.csv").read_text(encoding="utf-8")
    return {
        loinc: float(row["molar_mass_g_per_mol"])
        for row in csv.DictReader(text.splitlines())
        for loinc in row["loinc"].split("|")
    }


def molar_mass(code: str | None) -> float | None:
    """Molar mass of the analyte a LOINC code measures, in g/mol; None when the table does not hold it.

    Parameters
    ----------
    code : str or None
        ``LOINC:2345-7`` or ``2345-7``.
    """
    return _molar_masses().get((code or "").removeprefix("LOINC:"))


def convert(
    values: npt.NDArray[np.float64], from_unit: str, to_unit: str, code: str | None = None
) -> npt.NDArray[np.float64] | None:
    """Give values in another unit.

    Parameters
    ----------
    values : ndarray of float64
        In `from_unit`; NaN stays NaN.
    from_unit, to_unit : str
        UCUM. Between mass and amount of substance the molar mass of the analyte is used.
    code : str, optional
        LOINC code of what was measured, for the molar mass.

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
    """
    if from_unit == to_unit:
        return values
    source, target = _quantity(from_unit), _quantity(to_unit)
    if source is None or target is None:
        return None
    if source.dimensionality == target.dimensionality:
        return _linear(values, source, target)
    mass = molar_mass(code)
    if mass is None:
        return None
    per_mole = type(source)(mass, "g/mol")  # of the registry that the parser used
    for bridged in (source / per_mole, source * per_mole):
        if bridged.dimensionality == target.dimensionality:
            return _linear(values, bridged, target)
    return None


def _linear(values: npt.NDArray[np.float64], source: Any, target: Any) -> npt.NDArray[np.float64]:
    """Scale, and shift for temperatures: ``source`` units of ``values`` as multiples of ``target``."""
    amounts = _registry().Quantity(values * source.magnitude, source.units).to(target.units)
    return np.asarray(amounts.magnitude / target.magnitude, dtype=np.float64)
