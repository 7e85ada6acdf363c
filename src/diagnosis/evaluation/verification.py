"""Results on diagnoses a test has confirmed, and who was verified, by site: partial and differential verification."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.aligned import aligned, number
from diagnosis.evaluation.evaluate import Evaluated, OnSeen, evaluate
from diagnosis.evaluation.groups import groups_of
from diagnosis.evaluation.scores import Scores
from diagnosis.evaluation.small_cells import hidden_cells, is_small

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.records.records import Records

__all__ = ["VERIFYING", "Verification", "VerifiedShare", "evaluate_verified", "label_basis", "verified_shares"]

#: Bases of a diagnosis that are a test of their own.
VERIFYING = ("laboratory", "microbiology", "imaging", "pathology", "genetic")

_NORMAL = 1.959963984540054
_SHOWN = (("top-1", "top.1"), ("top-3", "top.3"), ("log-loss", "log_loss"), ("slope", "calibration.slope"))


@dataclass(frozen=True, slots=True)
class VerifiedShare:
    """How many of a group's diagnoses were confirmed by a test.

    Parameters
    ----------
    value : str
    n : int
    verified : int or None
        None where the group, or either side of it, is smaller than may be shown, or would be what the other groups
        leave of all.
    low, high : float or None
        95 % interval of the share (Wilson, Journal of the American Statistical Association 22:209, 1927).
    """

    value: str
    n: int
    verified: int | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Verification:
    """The figures of all cases beside those of cases whose diagnosis a test confirmed.

    Parameters
    ----------
    by : str
        What the shares are sorted by.
    everyone : Scores
    verified, clinical : Scores or None
        Of the verified cases and of the others; None, both of them, where either are fewer than may be shown: they
        would be what one leaves of everyone. One is None where there is no such case.
    bases : mapping of str to int
        Cases by the basis of their diagnosis; ``unstated`` where there is none. Small ones are left out, and what
        would tell them.
    shares : tuple of VerifiedShare
    """

    by: str
    everyone: Scores
    verified: Scores | None
    clinical: Scores | None
    bases: Mapping[str, int]
    shares: tuple[VerifiedShare, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; every number is finite or None."""
        return {
            "by": self.by,
            "bases": dict(self.bases),
            "everyone": self.everyone.to_json(),
            "verified": None if self.verified is None else self.verified.to_json(),
            "clinical": None if self.clinical is None else self.clinical.to_json(),
            "shares": [
                {"value": s.value, "n": s.n, "verified": s.verified, "low": s.low, "high": s.high} for s in self.shares
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row a set of cases and metric: cases, n, metric, estimate, low, high."""
        import pandas as pd

        rows = []
        for name, scores in (("everyone", self.everyone), ("verified", self.verified), ("clinical", self.clinical)):
            for metric, estimate in ({} if scores is None else scores.values).items():
                assert scores is not None
                low, high = scores.intervals.get(metric, (None, None))
                row = {"cases": name, "n": scores.n, "metric": metric, "estimate": estimate, "low": low, "high": high}
                rows.append(row)
        return pd.DataFrame(rows).astype({"estimate": float, "low": float, "high": float})

    def __repr__(self) -> str:
        rows = [("diagnosis confirmed by", "cases", *(title for title, _ in _SHOWN))]
        sets = (("anything", self.everyone), ("a test", self.verified), ("no test", self.clinical))
        for name, scores in sets:
            if scores is not None:
                rows.append((name, f"{scores.n:,}", *(number(scores.values[m]) for _, m in _SHOWN)))
        shares = [(f"verified, by {self.by}", "cases", "share", "95 % interval")]
        for s in self.shares:
            if s.verified is None:
                shares.append((s.value, f"{s.n:,}", "too few to show", ""))
            else:
                shares.append((s.value, f"{s.n:,}", f"{s.verified / s.n:.1%}", f"{s.low:.1%} to {s.high:.1%}"))
        return f"{aligned(rows)}\n\n{aligned(shares)}"


def evaluate_verified(
    diagnoser: Evaluated,
    records: Records,
    *,
    bases: Sequence[str] = VERIFYING,
    by: str = "site",
    n_boot: int = 200,
    seed: int = 0,
    min_cell: int = 10,
    on_seen: OnSeen = "raise",
) -> Verification | None:
    """Evaluate again on diagnoses confirmed by laboratory, imaging or pathology; None where no basis is stated.

    Who is verified is no random part of the cases: where the share differs between sites or the figures between the
    verified and the others, neither set alone says what to expect (partial verification: Begg and Greenes, Biometrics
    39:207, 1983).

    Parameters
    ----------
    diagnoser : Diagnoser
    records : Records
        Cases it was not fitted on.
    bases : sequence of str
        What counts as verified.
    by : str
        Column of `cases`, or ``age_band``, by which to show who was verified.
    n_boot, seed, min_cell, on_seen
        As in `evaluate`.
    """
    basis = label_basis(records, tuple(getattr(diagnoser, "label_status", ("confirmed",))))
    labelled = np.array([one is not None for one in diagnoser.truth(records)], dtype=bool)
    stated = np.array([one is not None for one in basis], dtype=bool)
    if not (stated & labelled).any():
        return None
    tested = np.isin(basis.astype(str), list(bases))
    counts = Counter(str(one or "unstated") for one in basis[labelled])

    def scores(which: NDArray[np.bool_]) -> Scores | None:
        """Score some of the cases, where there are enough."""
        if which.sum() < max(min_cell, 1):
            return None
        return evaluate(
            diagnoser, records[which], n_boot=n_boot, seed=seed, suspicions=False, details=False, on_seen=on_seen
        ).overall

    everyone = scores(labelled)
    if everyone is None:
        return None
    sides = (int((labelled & tested).sum()), int((labelled & ~tested).sum()))
    apart = not is_small(sides, min_cell)
    hidden = hidden_cells({name: (n,) for name, n in counts.items()}, min_cell)
    return Verification(
        by=by,
        everyone=everyone,
        verified=scores(labelled & tested) if apart else None,
        clinical=scores(labelled & ~tested) if apart else None,
        bases={name: n for name, n in sorted(counts.items()) if name not in hidden},
        shares=verified_shares(groups_of(records, (by,))[by][labelled], tested[labelled], min_cell),
    )


def label_basis(records: Records, status: tuple[str, ...] = ("confirmed",)) -> NDArray[np.object_]:
    """What the principal diagnosis of each case rests on; None where it is not stated, shape (n_cases,)."""
    found = np.full(len(records), None, object)
    if "labels" not in records.names:
        return found
    labels = records.arrow("labels")
    if not {"role", "status", "basis"} <= set(labels.column_names):
        return found
    place, y = {c: i for i, c in enumerate(records.case_ids.tolist())}, records.labels(status)
    columns = (labels[name].to_pylist() for name in ("case_id", "diagnosis", "role", "status", "basis"))
    for case, diagnosis, role, one, basis in zip(*columns, strict=True):
        i = place[case]
        if role == "principal" and one in status and diagnosis == y[i]:
            found[i] = basis
    return found


def verified_shares(
    groups: NDArray[np.object_], verified: NDArray[np.bool_], min_cell: int = 10
) -> tuple[VerifiedShare, ...]:
    """Share verified in each group; not shown where a side of it is too small and not empty, or would tell of one."""
    cells = {}
    for value in sorted(set(groups.astype(str).tolist())):
        own = verified[groups.astype(str) == value]
        cells[value] = (len(own), int(own.sum()))
    hidden = hidden_cells({value: (k, n - k) for value, (n, k) in cells.items()}, min_cell)
    shown = {value: None if value in hidden else _wilson(k, n) for value, (n, k) in cells.items()}
    return tuple(
        VerifiedShare(value, cells[value][0], None, None, None)
        if ends is None
        else VerifiedShare(value, *cells[value], *ends)
        for value, ends in shown.items()
    )


def _wilson(k: int, n: int) -> tuple[float, float]:
    z2, p = _NORMAL**2, k / n
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _NORMAL / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
