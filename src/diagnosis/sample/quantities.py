"""Measured findings: their scale, what is usual in health, and what each hidden state does to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from diagnosis.sample.tables import AGE_BANDS, Row, by_subtype, number, read_table

__all__ = ["Quantity", "read_quantities"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: How much of an illness's shift of a measured value shows at each severity.
SHIFT_BY_SEVERITY = np.array([0.6, 1.0, 1.5])


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """One measured finding: its scale, its healthy value, and what each hidden state does to it.

    Means are on the scale of the normal distribution: the logarithm for a lognormal finding.
    """

    key: str
    log: bool
    healthy: Floats  # (bands, sites)
    shift: Floats  # (states,)
    sd: Floats  # (states,)
    sd_healthy: float
    unit: str
    decimals: int
    alt_unit: str
    alt_factor: float
    alt_offset: float
    alt_decimals: int
    lowest: float
    highest: float
    censored: bool
    reference: str
    leader: str
    slope: float
    from_healthy: bool

    def scale(self, value: Floats) -> Floats:
        """Return values on the scale on which they are normally distributed."""
        return np.log(np.maximum(value, 1e-9)) if self.log else value

    def unscale(self, scaled: Floats) -> Floats:
        """Return values in the finding's own unit."""
        return np.exp(scaled) if self.log else scaled


def read_quantities(
    subtypes: Sequence[Row], subtype: Ints, severity: Ints, sites: Sequence[Row]
) -> tuple[Quantity, ...]:
    """Return the measured findings; `subtype` and `severity` are those of each hidden state."""
    units = {f["key"]: f for f in read_table("findings")}
    shifts = by_subtype("shifts", subtypes)
    return tuple(
        _quantity(r, units[r["finding"]], subtypes, shifts, subtype, severity, sites)
        for r in read_table("measurements")
    )


def _quantity(
    row: Row,
    finding: Row,
    subtypes: Sequence[Row],
    shifts: Mapping[tuple[int, str], Sequence[Row]],
    subtype: Ints,
    severity: Ints,
    sites: Sequence[Row],
) -> Quantity:
    key, log = row["finding"], row["distribution"] == "lognormal"
    shift, sd = np.zeros(len(subtypes)), np.full(len(subtypes), float(row["sd"]))
    for i in range(len(subtypes)):
        for found in shifts.get((i, key), [])[-1:]:
            shift[i] = np.log(float(found["shift"])) if log else float(found["shift"])
            sd[i] = number(found, "sd", sd[i])
    follows = {r["finding"]: r for r in read_table("follows")}.get(key)
    return Quantity(
        key=key,
        log=log,
        healthy=_healthy(row, sites),
        shift=shift[subtype] * SHIFT_BY_SEVERITY[severity],
        sd=sd[subtype],
        sd_healthy=float(row["sd"]),
        unit=finding["unit"],
        decimals=int(row["decimals"]),
        alt_unit=row["alt_unit"],
        alt_factor=number(row, "alt_factor", 1.0),
        alt_offset=number(row, "alt_offset", 0.0),
        alt_decimals=int(number(row, "alt_decimals")),
        lowest=float(row["lowest"]),
        highest=float(row["highest"]),
        censored=finding["kind"] == "laboratory",
        reference=row["reference"],
        leader=follows["leader"] if follows else "",
        slope=float(follows["slope"]) if follows else 0.0,
        from_healthy=follows is not None and follows["of"] == "healthy",
    )


def _healthy(row: Row, sites: Sequence[Row]) -> Floats:
    """Expected value in health by age band and site, on the normal scale."""
    key, log = row["finding"], row["distribution"] == "lognormal"
    by_age = {r["finding"]: r for r in read_table("normals_by_age")}.get(key)
    typical = np.array([float(by_age[b]) if by_age else float(row["typical"]) for b in AGE_BANDS])
    scaled = np.log(typical) if log else typical
    offset = np.zeros(len(sites))
    names = [s["site"] for s in sites]
    for r in read_table("site_offsets"):
        if r["finding"] == key:
            offset[names.index(r["site"])] = np.log(float(r["shift"])) if log else float(r["shift"])
    healthy: Floats = scaled[:, None] + offset[None, :]
    return healthy
