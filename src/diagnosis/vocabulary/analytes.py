"""What a LOINC code measures, where that lets units convert: molar mass and charge."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["Analyte", "analyte", "molar_mass"]


@dataclass(frozen=True, slots=True)
class Analyte:
    """A substance that laboratories measure.

    Parameters
    ----------
    name : str
    molar_mass : float, g/mol
    charge : int, optional
        Equivalents a mole, where it is an ion that is reported in equivalents.
    """

    name: str
    molar_mass: float
    charge: int | None = None


@cache
def _by_loinc() -> Mapping[str, Analyte]:
    text = files("diagnosis.vocabulary").joinpath("molar_masses.csv").read_text(encoding="utf-8")
    return {
        loinc: Analyte(
            row["analyte"], float(row["molar_mass_g_per_mol"]), int(row["charge"]) if row["charge"] else None
        )
        for row in csv.DictReader(text.splitlines())
        for loinc in row["loinc"].split("|")
    }


def analyte(code: str | None) -> Analyte | None:
    """What a LOINC code measures; None where the table does not hold it.

    Parameters
    ----------
    code : str or None
        ``LOINC:2345-7`` or ``2345-7``.

    Examples
    --------
    >>> analyte("LOINC:2000-8")
    Analyte(name='calcium', molar_mass=40.078, charge=2)
    """
    return _by_loinc().get((code or "").removeprefix("LOINC:"))


def molar_mass(code: str | None) -> float | None:
    """Molar mass of the analyte a LOINC code measures, in g/mol; None when the table does not hold it."""
    found = analyte(code)
    return found.molar_mass if found else None
