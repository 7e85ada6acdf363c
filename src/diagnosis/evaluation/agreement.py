"""Two judgements of the same case: how far they agree, and the ceiling that leaves for any model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from diagnosis.errors import InputError
from diagnosis.evaluation.bootstrap import interval

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.records.records import Records

__all__ = ["Agreement", "judgements", "label_agreement"]


@dataclass(frozen=True, slots=True, repr=False)
class Agreement:
    """Agreement of two judgements, by case.

    Parameters
    ----------
    n, n_patients : int
        Cases with both.
    first, second : str
        What the two are.
    agreed : float
        Share of cases in which they are the same.
    kappa : float
        Cohen's, agreement beyond chance (Educational and Psychological Measurement 20:37, 1960); nan where both name
        one and the same diagnosis throughout, since chance alone then agrees always (`undefined` says so).
    ceiling : float
        Top-1 that a model which always knows the truth reaches at most when judged by one of the two: the square root
        of `agreed`, where both are equally good and err apart. If their errors go together, it is lower still.
    intervals : mapping of str to (low, high)
        Of those that are defined, central 95 % over draws of patients.
    """

    n: int
    n_patients: int
    first: str
    second: str
    agreed: float
    kappa: float
    ceiling: float
    intervals: dict[str, tuple[float, float]]

    @property
    def undefined(self) -> str | None:
        """Why there is no kappa, where there is none."""
        return "both name one diagnosis throughout, on which chance agrees as well" if np.isnan(self.kappa) else None

    def to_json(self) -> dict[str, Any]:
        """Return plain values; a kappa that is not defined is None."""
        plain = asdict(self) | {"intervals": {name: list(ends) for name, ends in self.intervals.items()}}
        return plain | {"kappa": None if np.isnan(self.kappa) else self.kappa, "undefined": self.undefined}

    def to_frame(self) -> pd.DataFrame:
        """Return one row a measure: metric, estimate, low, high."""
        import pandas as pd

        rows = []
        for name in ("agreed", "kappa", "ceiling"):
            low, high = self.intervals.get(name, (np.nan, np.nan))
            rows.append({"metric": name, "estimate": getattr(self, name), "low": low, "high": high})
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        kappa = f"{self.kappa:.3f}" if self.undefined is None else f"not defined ({self.undefined})"
        return (
            f"{self.n:,} cases judged twice ({self.first}, {self.second}): {self.agreed:.1%} agree, kappa "
            f"{kappa}; a model that knows the truth reaches a top-1 of {self.ceiling:.1%} at most"
        )


def label_agreement(
    records: Records, *, first: str = "principal", second: str = "reviewer", n_boot: int = 200, seed: int = 0
) -> Agreement | None:
    """Compare two judgements of the same cases; None where no case has both.

    Parameters
    ----------
    records : Records
    first, second : str
        Roles in `labels`; where they are the same, the first two rows of that role that name different recorders or
        stand apart, in their order. An admission diagnosis was made with less to go by and is no second judgement.
    n_boot, seed : int
        Draws of patients for the intervals.

    Raises
    ------
    InputError
        A number of draws below 0.
    """
    if n_boot < 0:
        raise InputError("Intervals want a number of draws, at least 0", f"found {n_boot}", "use 200, or 0 for none")
    a, b = judgements(records, first, second)
    both = np.flatnonzero([x is not None and y is not None for x, y in zip(a, b, strict=True)])
    if not len(both):
        return None
    one, two = a[both].astype(str), b[both].astype(str)
    patient = np.unique(records.groups[both].astype(str), return_inverse=True)[1]
    measured = _measures(one, two)
    rng, n_patients = np.random.default_rng(seed), int(patient.max()) + 1
    drawn = []
    for _ in range(n_boot if n_patients > 1 else 0):
        counts = np.bincount(rng.integers(n_patients, size=n_patients), minlength=n_patients)
        drawn.append(_measures(one, two, counts[patient]))
    names = ("agreed", "kappa", "ceiling")
    draws = dict(zip(names, np.array(drawn).T, strict=False)) if drawn else {}
    intervals = {name: found for name, values in draws.items() if (found := interval(values)) is not None}
    return Agreement(len(both), n_patients, first, second, *measured, intervals)


def judgements(records: Records, first: str, second: str) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Diagnosis of each case by each of two roles; None where there is none."""
    found = np.full((2, len(records)), None, object)
    if "labels" not in records.names:
        return found[0], found[1]
    place = {c: i for i, c in enumerate(records.case_ids.tolist())}
    labels = records.arrow("labels")
    if not {"role", "status"} <= set(labels.column_names):
        return found[0], found[1]
    columns = (labels[name].to_pylist() for name in ("case_id", "diagnosis", "role", "status"))
    for case, diagnosis, role, status in zip(*columns, strict=True):
        if status in ("ruled_out", "differential") or role not in (first, second):
            continue
        i = place[case]
        which = 0 if role == first and (first != second or found[0, i] is None) else 1
        if found[which, i] is None:
            found[which, i] = diagnosis
    return found[0], found[1]


def _measures(
    one: NDArray[np.str_], two: NDArray[np.str_], weight: NDArray[np.int64] | None = None
) -> tuple[float, float, float]:
    w = np.ones(len(one)) if weight is None else weight.astype(float)
    agreed = float(np.average(one == two, weights=w))
    drawn = w > 0
    several = len(np.unique(np.concatenate([one[drawn], two[drawn]]))) > 1
    kappa = float(cohen_kappa_score(one, two, sample_weight=w)) if several else np.nan
    return agreed, kappa, float(np.sqrt(agreed))
