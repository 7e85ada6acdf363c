"""Measured values as columns: one unit, one scale for each finding, learnt in training and kept in float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.features.distinct import Distinct
from diagnosis.features.rows import PRESENT, FindingRows
from diagnosis.records.coded import is_blank
from diagnosis.vocabulary.units import convert

# No quantity in any unit a hospital reports comes near; beyond it squares would leave the range of float64.
LARGEST = 1e30

# Values beyond these training quantiles are taken as the quantile. For the fit it matters little (logistic regression,
# 5 folds six times: log-loss .2574 with, .2575 without on the appendicitis set); it bounds what a typing error can do.
CLIP = (0.005, 0.995)

# What the logarithm must take off the skewness to be preferred; it keeps ties from being decided by rounding.
LESS_SKEWED = 0.1

# How many times the range of training a value must lie outside it to be refused, and how many values must be known.
# With temperatures of 36 to 40.5 Cel that is beyond 22.5 and 54: a value in another unit, or a lost decimal point.
FAR = 3.0
FAR_CASES = 50


@dataclass(frozen=True, slots=True)
class ValueScale:
    """How a finding's value becomes a number.

    The value in `unit` is cut to `low` .. `high`, made logarithmic around `knee` if there is one
    (``sign(v) · log1p(|v| / knee)``), centred and scaled. A value at the centre is 0, the same as no value:
    the column ``measured:`` tells the two apart.

    Attributes
    ----------
    unit : str or None
        UCUM; None where training gave no unit.
    centre, scale : float
        Mean and standard deviation in training, after the logarithm.
    low, high : float, in `unit`
        The 0.5 % and 99.5 % quantiles in training.
    knee : float or None, in `unit`
        Below it the scale is nearly linear, above it logarithmic; None: linear throughout.
    loinc : str or None
        What is measured, for units of mass to be converted to units of substance.
    mixed : tuple of str
        The units of training, where it had several that differ and the vocabulary states none: a value without a unit
        could be in any of them, so it is not used. Empty otherwise: a value without a unit is taken to be in `unit`.
    least, most : float or None, in `unit`
        A value beyond is far outside everything seen in training (`far_ends`) and not used; None: no such limit.
    """

    unit: str | None
    centre: float
    scale: float
    low: float
    high: float
    knee: float | None = None
    loinc: str | None = None
    mixed: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    def encode(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale values given in `unit`."""
        return (_bend(np.clip(value, self.low, self.high), self.knee) - self.centre) / self.scale

    def to_json(self) -> dict[str, Any]:
        """Return plain values from which `from_json` builds the same."""
        return {**asdict(self), "mixed": list(self.mixed)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> ValueScale:
        """Build from the plain values of `to_json`; those of before know no mixed units and no limits."""
        numbers = {name: float(plain[name]) for name in ("centre", "scale", "low", "high")}
        knee, least, most = (None if (x := plain.get(name)) is None else float(x) for name in ("knee", "least", "most"))
        mixed = tuple(plain.get("mixed", ()))
        return cls(plain["unit"], **numbers, knee=knee, loinc=plain["loinc"], mixed=mixed, least=least, most=most)

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the most a value in `unit` can be; infinite where there is no limit."""
        return -np.inf if self.least is None else self.least, np.inf if self.most is None else self.most


def fit_scale(sample: Distinct, unit: str | None, loinc: str | None = None) -> ValueScale | None:
    """Learn a scale from training values in `unit`; None where they do not differ.

    Linear or logarithmic, whichever leaves the training values less skewed (C-reactive protein: 3.0 linear, 1.2
    logarithmic). The knee is the median size of the values other than 0, so that the choice does not depend on the
    unit. In cross-validated log-loss of a logistic regression against linear throughout: .2574 and .2618 on the
    appendicitis set, .3922 and .3927 on the four heart sites.
    """
    low, high = (sample.quantile(share) for share in CLIP)
    if low == high:
        low, high = float(sample.values[0]), float(sample.values[-1])
    if low == high:
        return None
    clipped = Distinct.of(np.clip(sample.values, low, high), sample.counts)
    mean, deviation, skewness = clipped.moments()
    knee = None
    nonzero = np.flatnonzero(clipped.values)
    middle = Distinct.of(np.abs(clipped.values[nonzero]), clipped.counts[nonzero]).quantile(0.5)
    if np.abs(clipped.values).max() / LARGEST < middle:
        bent = Distinct(_bend(clipped.values, middle), clipped.counts).moments()
        if abs(bent[2]) < abs(skewness) - LESS_SKEWED:
            knee, mean, deviation = middle, bent[0], bent[1]
    if not deviation > 0.0:
        return None
    return ValueScale(unit, mean, deviation, low, high, knee, loinc)


def far_ends(sample: Distinct, knee: float | None) -> tuple[float | None, float | None]:
    """Return the least and the most a value can be before it is far outside everything seen in training.

    That is `FAR` times the range of training beyond its ends, on the scale of the column (logarithmic where there is
    a knee, so that the extremes of a heavy tail remain). None where fewer than `FAR_CASES` values were seen. Every
    value of training lies inside.
    """
    if sample.n < FAR_CASES:
        return None, None
    low, high = _bend(sample.values[[0, -1]], knee).tolist()
    ends = np.array([low - FAR * (high - low), high + FAR * (high - low)])
    if knee is not None:
        with np.errstate(over="ignore"):
            ends = np.sign(ends) * knee * np.expm1(np.abs(ends))
    least, most = np.clip(ends, -LARGEST, LARGEST).tolist()
    return least, most


def _bend(value: NDArray[np.float64], knee: float | NDArray[np.float64] | None) -> NDArray[np.float64]:
    return value if knee is None else np.sign(value) * np.log1p(np.abs(value) / knee)


def usable(value: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which values are finite and of a size that can be reckoned with."""
    return np.abs(value) <= LARGEST


def in_unit(
    value: NDArray[np.float64], given: str | None, wanted: str | None, loinc: str | None
) -> NDArray[np.float64] | None:
    """Return values in the unit wanted, or None where that cannot be done.

    A value without a unit is taken to be in the unit wanted; callers leave it out where training mixed units. Where
    training had no unit, a value with one cannot be compared with it, except for ``1``, the UCUM unit of a plain
    number.
    """
    if given is None or given == wanted or (wanted is None and given == "1"):
        return value
    return None if wanted is None else convert(value, given, wanted, loinc)


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """The scales of many findings as arrays by finding; `scaled` says which have one."""

    units: tuple[str | None, ...]
    loinc: tuple[str | None, ...]
    scaled: NDArray[np.bool_]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    knee: NDArray[np.float64]
    mixed: NDArray[np.bool_]
    least: NDArray[np.float64]
    most: NDArray[np.float64]

    @classmethod
    def of(cls, scales: Sequence[ValueScale | None]) -> Scales:
        """Pack the scale of each finding (None: it has none)."""
        filled = [ValueScale(None, 0.0, 1.0, 0.0, 0.0) if scale is None else scale for scale in scales]
        numbers = {name: np.array([getattr(s, name) for s in filled]) for name in ("centre", "scale", "low", "high")}
        return cls(
            units=tuple(s.unit for s in filled),
            loinc=tuple(s.loinc for s in filled),
            # One more than there are findings: index -1, a finding that is not known, falls on it.
            scaled=np.array([*(scale is not None for scale in scales), False]),
            knee=np.array([np.nan if s.knee is None else s.knee for s in filled]),
            mixed=np.array([bool(s.mixed) for s in filled], bool),
            least=np.array([s.ends[0] for s in filled]),
            most=np.array([s.ends[1] for s in filled]),
            **numbers,
        )

    def encode(self, value: NDArray[np.float64], finding: NDArray[np.int32]) -> NDArray[np.float64]:
        """Scale values, each in the unit of its finding, as `ValueScale.encode` does."""
        cut = np.clip(value, self.low[finding], self.high[finding])
        knee = self.knee[finding]
        bent = np.flatnonzero(~np.isnan(knee))
        cut[bent] = _bend(cut[bent], knee[bent])
        return (cut - self.centre[finding]) / self.scale[finding]


@dataclass(frozen=True, slots=True, eq=False)
class ValueRows:
    """The rows of a batch that have a value for which there is a scale.

    Attributes
    ----------
    rows : ndarray of int64
        Rows whose value could be used, ascending.
    encoded : ndarray of float64
        Their values, scaled.
    not_used : ndarray of int64
        Rows whose value could not: in a unit that does not convert, without one where training mixed units, or not
        finite.
    far : ndarray of int64
        Rows whose value was not used because it is far outside everything seen in training.
    """

    rows: NDArray[np.int64]
    encoded: NDArray[np.float64]
    not_used: NDArray[np.int64]
    far: NDArray[np.int64]


def encode_values(batch: FindingRows, finding: NDArray[np.int32], scales: Scales) -> ValueRows:
    """Scale the values of a batch; `finding` numbers each row's finding (-1: not known)."""
    at = np.flatnonzero(batch.valued & scales.scaled[finding])
    which = finding[at]
    value = _in_units(batch.value[at], batch.unit[at], which, scales, batch.source.units)
    known = usable(value)
    far = known & ((value < scales.least[which]) | (value > scales.most[which]))
    fine = known & ~far
    return ValueRows(at[fine], scales.encode(value[fine], which[fine]), at[~known], at[far])


def onset_rows(batch: FindingRows) -> NDArray[np.intp]:
    """Rows of findings that are present and say when they began."""
    if is_blank(batch.onset):
        return np.zeros(0, np.intp)
    return np.flatnonzero((batch.status == PRESENT) & usable(batch.onset))


def _in_units(
    value: NDArray[np.float64],
    unit: NDArray[np.int32],
    which: NDArray[np.int32],
    scales: Scales,
    units: NDArray[np.object_],
) -> NDArray[np.float64]:
    """Convert the values that are in another unit than their finding's; nan where that cannot be done.

    A value without a unit is in its finding's, unless training mixed units.
    """
    value[(unit < 0) & scales.mixed[which]] = np.nan
    known = {name: i for i, name in enumerate(units.tolist())}
    wanted = np.array([known.get("1" if name is None else name, -2) for name in (*scales.units, None)])
    other = np.flatnonzero((unit >= 0) & (unit != wanted[which]))
    for number, here in groups(which[other].astype(np.int64) * len(units) + unit[other]):
        finding, given = divmod(number, len(units))
        rows = other[here]
        converted = in_unit(value[rows], str(units[given]), scales.units[finding], scales.loinc[finding])
        value[rows] = np.nan if converted is None else converted
    return value


def groups(number: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
    """Return each distinct number with the positions that hold it."""
    if not len(number):
        return []
    order = np.argsort(number, kind="stable")
    ordered = number[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return list(zip(ordered[starts].tolist(), np.split(order, starts[1:]), strict=True))
