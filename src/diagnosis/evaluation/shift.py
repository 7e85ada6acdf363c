"""In what two sets of records differ: prevalence, findings, what is recorded, ages, sexes, sites."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from diagnosis.errors import InputError
from diagnosis.evaluation.aligned import aligned, number
from diagnosis.evaluation.groups import AGE_BAND, groups_of
from diagnosis.evaluation.small_cells import hidden_cells, is_small
from diagnosis.features.context import DAYS_PER_YEAR

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.records.records import Records

__all__ = ["ShareDifference", "Shift", "compare_records", "recorded_shares", "years_of"]

_SHOWN = 5
_LEAST_SPREAD = 0.05
_KINDS = ("prevalence", "finding", "value", "recorded", "age_band", "sex", "site", "setting")


@dataclass(frozen=True, slots=True)
class ShareDifference:
    """One share in the two sets.

    Parameters
    ----------
    kind : str
        ``prevalence`` of a diagnosis; ``finding`` present among those recorded; ``recorded`` at all; ``age_band``,
        ``sex``, ``site``, ``setting``. Of kind ``value`` it is the mean value instead.
    name : str
    source, target : float or None
        None where the share is of, or stands for, fewer cases than may be shown.
    distance : float or None
        Standardised: (target - source) over the pooled standard deviation; .1 is small, .5 large (Austin,
        Communications in Statistics 38:1228, 2009).
    """

    kind: str
    name: str
    source: float | None
    target: float | None
    distance: float | None


@dataclass(frozen=True, slots=True, repr=False)
class Shift:
    """How a target set differs from a source set.

    Parameters
    ----------
    n_source, n_target : int
    overall : mapping of str to float
        Total variation between the prevalences and between the sites, sexes, settings (0 equal, 1 apart); mean
        absolute standardised distance of findings, values and what is recorded; ``age``: the Kolmogorov-Smirnov
        distance of ages.
    differences : tuple of ShareDifference
        Largest first within a kind.
    n_suppressed : int
        Shares not shown because of small cells.
    """

    n_source: int
    n_target: int
    overall: dict[str, float]
    differences: tuple[ShareDifference, ...]
    n_suppressed: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "n_source": self.n_source,
            "n_target": self.n_target,
            "overall": dict(self.overall),
            "differences": [asdict(one) for one in self.differences],
            "n_suppressed": self.n_suppressed,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row a share: kind, name, source, target, distance."""
        import pandas as pd

        columns = ["kind", "name", "source", "target", "distance"]
        rows = [asdict(one) for one in self.differences]
        return pd.DataFrame(rows, columns=columns).astype({"source": float, "target": float, "distance": float})

    def __repr__(self) -> str:
        rows = [("", "source", "target", "standardised distance")]
        for kind in _KINDS:
            some = [d for d in self.differences if d.kind == kind and d.distance is not None][:_SHOWN]
            total = self.overall.get(kind)
            if some:
                rows.append((f"{kind} (overall {number(total, 2)})", "", "", ""))
                rows += [(f"  {d.name}", number(d.source), number(d.target), number(d.distance, 2)) for d in some]
        if "age" in self.overall:
            rows.append((f"age (Kolmogorov-Smirnov {self.overall['age']:.2f})", "", "", ""))
        head = f"{self.n_source:,} cases beside {self.n_target:,}; {self.n_suppressed:,} small cells not shown"
        return f"{head}\n\n{aligned(rows)}"


def compare_records(source: Records, target: Records, *, min_cell: int = 10) -> Shift:
    """Compare two sets of records: two hospitals, two years, training and clinic.

    Diagnoses are the principal confirmed ones; a finding's share is of the cases in which it is recorded, and
    `recorded` of all cases, so that what is asked and what is found stay apart.

    Parameters
    ----------
    source, target : Records
    min_cell : int
        A share of or standing for fewer cases on either side is not shown, unless it is of no case; nor is one that
        would tell of it, since all shares of a kind add up.

    Raises
    ------
    InputError
        One of the two holds no case.
    """
    if not len(source) or not len(target):
        raise InputError("Two sets of records to compare", "one holds no case", "give cases on both sides")
    found: list[ShareDifference] = []
    overall: dict[str, float] = {}
    labelled = [s.y[[one is not None for one in s.y]] for s in (source, target)]
    if all(map(len, labelled)):
        found += _shares("prevalence", labelled, min_cell, overall)
    found += _findings(source, target, min_cell, overall)
    for name in (AGE_BAND, "sex", "site", "setting"):
        values = [groups_of(s, (name,))[name] for s in (source, target)]
        if any(set(v.tolist()) != {"unknown"} for v in values):
            found += _shares(name, values, min_cell, overall)
    ages = [one[~np.isnan(one)] for one in map(years_of, (source, target))]
    if all(map(len, ages)):
        overall["age"] = float(ks_2samp(ages[0], ages[1]).statistic)
    hidden = sum(d.source is None or d.target is None for d in found)
    return Shift(len(source), len(target), overall, tuple(found), hidden)


def years_of(records: Records) -> NDArray[np.float64]:
    """Age of each case in years; NaN where it is not known."""
    days = records.column("age_days")
    return np.where(np.isnan(days), records.column("age_years"), days / DAYS_PER_YEAR)


def recorded_shares(records: Records) -> dict[str, tuple[int, int]]:
    """Cases in which each code is recorded of the patient, and those in which it is present (its latest row)."""
    coded = records.coded
    rows = np.flatnonzero(coded.latest & (coded.subject < 0))
    recorded = np.bincount(coded.code[rows], minlength=len(coded.codes))
    present = np.bincount(coded.code[rows[coded.status[rows] == 0]], minlength=len(coded.codes))
    return {str(c): (int(r), int(p)) for c, r, p in zip(coded.codes, recorded, present, strict=True) if r}


def _shares(
    kind: str, sides: list[NDArray[np.object_]], min_cell: int, overall: dict[str, float]
) -> list[ShareDifference]:
    counts = [Counter(map(str, one.tolist())) for one in sides]
    n, m = map(len, sides)
    pairs = [(name, counts[0][name], counts[1][name]) for name in sorted(counts[0].keys() | counts[1].keys())]
    overall[kind] = 0.5 * sum(abs(a / n - b / m) for _, a, b in pairs)
    hidden = hidden_cells({name: (a, b) for name, a, b in pairs}, min_cell)
    shown = [_difference(kind, name, (a, n), (b, m), min_cell) for name, a, b in pairs if name not in hidden]
    return _sorted([*shown, *(ShareDifference(kind, name, None, None, None) for name in hidden)])


def _findings(source: Records, target: Records, min_cell: int, overall: dict[str, float]) -> list[ShareDifference]:
    a, b = recorded_shares(source), recorded_shares(target)
    recorded, present = [], []
    for code in sorted(set(a) | set(b)):
        (ra, pa), (rb, pb) = a.get(code, (0, 0)), b.get(code, (0, 0))
        recorded.append(_difference("recorded", code, (ra, len(source)), (rb, len(target)), min_cell))
        if ra and rb and (pa < ra or pb < rb):
            present.append(_difference("finding", code, (pa, ra), (pb, rb), min_cell))
    for kind, some in (("recorded", recorded), ("finding", present)):
        distances = [abs(d.distance) for d in some if d.distance is not None]
        if distances:
            overall[kind] = float(np.mean(distances))
    return [*_sorted(present), *_sorted(_values(source, target, min_cell, overall)), *_sorted(recorded)]


def _values(source: Records, target: Records, min_cell: int, overall: dict[str, float]) -> list[ShareDifference]:
    """Mean values of each code, where both sides state one and the same unit."""
    a, b = _valued(source), _valued(target)
    found = []
    for code in sorted(set(a) & set(b)):
        (unit, x), (other, y) = a[code], b[code]
        if unit != other or min(len(x), len(y)) < max(min_cell, 2):
            continue
        spread = float(np.sqrt((x.var() + y.var()) / 2))
        if spread > 0:
            mean, there = float(x.mean()), float(y.mean())
            found.append(ShareDifference("value", code, mean, there, (there - mean) / spread))
    if found:
        overall["value"] = float(np.mean([abs(d.distance or 0.0) for d in found]))
    return found


def _valued(records: Records) -> dict[str, tuple[int | str, NDArray[np.float64]]]:
    """Latest values of the patient by code, of codes with one unit throughout."""
    coded = records.coded
    rows = np.flatnonzero(coded.latest & (coded.subject < 0) & ~np.isnan(coded.value))
    order = rows[np.argsort(coded.code[rows], kind="stable")]
    found: dict[str, tuple[int | str, NDArray[np.float64]]] = {}
    for some in np.split(order, np.flatnonzero(np.diff(coded.code[order])) + 1):
        units = np.unique(coded.unit[some])
        if len(some) and len(units) == 1:
            unit = str(coded.units[units[0]]) if units[0] >= 0 else -1
            found[str(coded.codes[coded.code[some[0]]])] = unit, coded.value[some]
    return found


def _difference(
    kind: str, name: str, source: tuple[int, int], target: tuple[int, int], min_cell: int
) -> ShareDifference:
    (k, n), (j, m) = source, target
    if is_small((k, n - k), min_cell) or is_small((j, m - j), min_cell):
        return ShareDifference(kind, name, None, None, None)
    p, q = k / n, j / m
    spread = ((p * (1 - p) + q * (1 - q)) / 2) ** 0.5
    distance = 0.0 if p == q else (q - p) / max(spread, _LEAST_SPREAD)
    return ShareDifference(kind, name, p, q, distance)


def _sorted(found: list[ShareDifference]) -> list[ShareDifference]:
    return sorted(found, key=lambda d: (d.distance is None, -abs(d.distance or 0.0), d.name))
