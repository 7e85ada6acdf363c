"""Values that look as if they were written in another unit: suspected, never corrected."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from diagnosis.vocabulary.units import ucum_beside

__all__ = ["implausible", "suspected_unit_swaps"]


@cache
def _bounds() -> Mapping[str, Mapping[str, tuple[float, float]]]:
    """What a living patient may have, by LOINC code and unit."""
    text = files("diagnosis.vocabulary").joinpath("plausible_values.csv").read_text(encoding="utf-8")
    found: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for row in csv.DictReader(text.splitlines()):
        for code in row["loinc"].split("|"):
            found[code][row["unit"]] = float(row["lowest"]), float(row["highest"])
    return dict(found)


def implausible(values: npt.NDArray[np.float64], unit: str, code: str | None) -> npt.NDArray[np.bool_]:
    """Say which values no living patient has, in their unit (``plausible_values.csv``).

    Parameters
    ----------
    values : ndarray of float64
        In `unit`; NaN is never implausible.
    unit : str
        UCUM; nothing is said of units that are not in the table.
    code : str or None
        LOINC, with or without the prefix ``LOINC:``.

    Examples
    --------
    >>> implausible(np.array([39.4, 394.0]), "Cel", "LOINC:8310-5").tolist()
    [False, True]
    """
    bounds = _bounds().get((code or "").removeprefix("LOINC:"), {})
    found: npt.NDArray[np.bool_] = np.zeros(np.shape(values), bool)
    unit = ucum_beside(unit, bounds)
    return ~np.isnan(values) & ~_inside(values, bounds[unit]) if unit in bounds else found


def suspected_unit_swaps(values: npt.NDArray[np.float64], unit: str, code: str | None) -> npt.NDArray[np.object_]:
    """Say for each value which other unit it may have been written in.

    A value is suspected where it is impossible in its own unit and possible in exactly one other unit of the table
    (``plausible_values.csv``): 98.6 recorded as Cel, 37 recorded as [degF], haemoglobin of 135 g/dL. Nothing is
    changed; who holds the source decides.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        In `unit`; NaN is never suspected.
    unit : str
        UCUM.
    code : str or None
        LOINC, with or without the prefix ``LOINC:``.

    Returns
    -------
    ndarray of object, shape (n,)
        The suspected unit, None where there is no suspicion.

    Examples
    --------
    >>> suspected_unit_swaps(np.array([37.2, 98.6]), "Cel", "LOINC:8310-5").tolist()
    [None, '[degF]']
    """
    values = np.asarray(values, np.float64)
    suspected = np.full(values.shape, None, dtype=object)
    bounds = _bounds().get((code or "").removeprefix("LOINC:"), {})
    unit = ucum_beside(unit, bounds)
    if unit not in bounds:
        return suspected
    impossible = ~np.isnan(values) & ~_inside(values, bounds[unit])
    others = {other: impossible & _inside(values, span) for other, span in bounds.items() if other != unit}
    alone = sum((hits.astype(np.int8) for hits in others.values()), np.zeros(values.shape, np.int8)) == 1
    for other, hits in others.items():
        suspected[hits & alone] = other
    return suspected


def _inside(values: npt.NDArray[np.float64], span: tuple[float, float]) -> npt.NDArray[np.bool_]:
    return (values >= span[0]) & (values <= span[1])
