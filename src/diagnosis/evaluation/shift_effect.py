"""Which difference between two sets of records moves the score: one kind put in place of the other at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError
from diagnosis.evaluation.aligned import aligned, number
from diagnosis.evaluation.bootstrap import Ratio, draw_patients, interval, ratio_draws
from diagnosis.evaluation.calibration import fit_intercept, fit_slope
from diagnosis.evaluation.evaluate import Evaluated, OnSeen, unseen_rows
from diagnosis.evaluation.evaluate_batch import is_label
from diagnosis.evaluation.groups import age_groups
from diagnosis.evaluation.outcomes import Outcomes, score_cases
from diagnosis.evaluation.shift import Shift, compare_records, recorded_shares, years_of

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.records.records import Records

__all__ = ["ShiftEffect", "ShiftEffects", "shift_effects"]

METRICS = ("top.1", "log_loss")
_DRAWS = 3


@dataclass(frozen=True, slots=True)
class ShiftEffect:
    """The source set made alike to the target in one respect.

    Parameters
    ----------
    kind : {"prevalence", "demographics", "missingness"}
    values : mapping of str to float
        Metrics of the source cases once they are alike: ``top.1``, ``log_loss``.
    change : mapping of str to float
        By how much they moved.
    intervals : mapping of str to (low, high)
        Of `change`, central 95 % over draws of patients; the weights are kept.
    reached : float
        How far the source could be made alike: the share of target cases whose diagnosis (or age and sex) some source
        case has; of what is recorded less often in the target, all, and nothing of what is recorded more often.
    n_effective : float
        Source cases the weighted ones are worth (Kish).
    """

    kind: str
    values: Mapping[str, float]
    change: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    reached: float
    n_effective: float


@dataclass(frozen=True, slots=True, repr=False)
class ShiftEffects:
    """How far each kind of difference, on its own, moves the score from source to target.

    Parameters
    ----------
    source, target : mapping of str to float or None
        ``n``, ``top.1``, ``log_loss``, ``calibration.slope``, ``calibration.intercept``.
    effects : tuple of ShiftEffect
        One at a time: they need not add up to the whole difference. What they leave is another relation between
        findings and diagnoses, other wording, or what is recorded more often in the target.
    shift : Shift
        In what the two sets differ.
    """

    source: Mapping[str, float | None]
    target: Mapping[str, float | None]
    effects: tuple[ShiftEffect, ...]
    shift: Shift

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        effects = [
            {
                "kind": e.kind,
                "values": dict(e.values),
                "change": dict(e.change),
                "intervals": {m: list(ends) for m, ends in e.intervals.items()},
                "reached": e.reached,
                "n_effective": e.n_effective,
            }
            for e in self.effects
        ]
        plain = {"source": dict(self.source), "target": dict(self.target)}
        return {**plain, "effects": effects, "shift": self.shift.to_json()}

    def to_frame(self) -> pd.DataFrame:
        """Return one row a kind and metric: kind, metric, source, target, change, low, high, reached."""
        import pandas as pd

        rows = []
        for e in self.effects:
            for metric, change in e.change.items():
                low, high = e.intervals.get(metric, (np.nan, np.nan))
                row = {"kind": e.kind, "metric": metric, "source": self.source[metric], "target": self.target[metric]}
                rows.append(row | {"change": change, "low": low, "high": high, "reached": e.reached})
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        rows: list[tuple[str, ...]] = [("", "top-1", "log-loss", "slope", "intercept")]
        for name, one in (("source", self.source), ("target", self.target)):
            title = f"{name}, {one['n']:,.0f} cases"
            cells = (number(one[m]) for m in ("top.1", "log_loss", "calibration.slope", "calibration.intercept"))
            rows.append((title, *cells))
        for e in self.effects:
            moved = (f"{e.change[m]:+.3f}" + _ends(e.intervals.get(m)) for m in METRICS)
            rows.append((f"source with the target's {e.kind} (reached {e.reached:.0%})", *moved, "", ""))
        return f"{aligned(rows)}\none kind of difference at a time; they need not add up\n\n{self.shift!r}"


def shift_effects(
    diagnoser: Evaluated,
    source: Records,
    target: Records,
    *,
    n_boot: int = 200,
    seed: int = 0,
    min_cell: int = 10,
    on_seen: OnSeen = "raise",
) -> ShiftEffects:
    """Score a diagnoser on two sets, and on the first made alike to the second in one respect at a time.

    Prevalence: source cases weighted by the target's share of their diagnosis over the source's. Demographics: the same
    by age group and sex. Missingness: findings of the source taken away at random, code by code, until they are
    recorded as rarely as in the target (mean of 3 draws).

    Parameters
    ----------
    diagnoser : Diagnoser
    source, target : Records
        Cases it was not fitted on; those without a diagnosis are left out.
    n_boot, seed : int
    min_cell : int
        For the comparison of the two sets.
    on_seen : {"raise", "leave_out", "report"}
        As in `evaluate`.

    Raises
    ------
    InputError
        One side has no case with a diagnosis, or the diagnoser was trained on patients of theirs.
    """
    sides = [_Side.of(diagnoser, one, on_seen) for one in (source, target)]
    a, b = sides
    effects = (
        _weighted("prevalence", a, a.truth, b.truth, n_boot, seed),
        _weighted("demographics", a, _demographics(a.records), _demographics(b.records), n_boot, seed),
        _thinned(diagnoser, a, b, n_boot, seed),
    )
    return ShiftEffects(a.summary(), b.summary(), effects, compare_records(a.records, b.records, min_cell=min_cell))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Side:
    """The labelled cases of one set, and what became of them."""

    records: Records
    truth: NDArray[np.object_]
    proba: NDArray[np.float64]
    outcomes: Outcomes

    @classmethod
    def of(cls, diagnoser: Evaluated, records: Records, on_seen: OnSeen) -> _Side:
        """Judge the labelled cases of a set of records."""
        truth = np.asarray(diagnoser.truth(records), dtype=object)
        has = unseen_rows(diagnoser, records, is_label(truth), on_seen)
        if not has.any():
            raise InputError(
                "Two sets of records with diagnoses to compare a score on",
                f"none of {len(records):,} cases of one side has one",
                "check `labels`",
            )
        some = records if has.all() else records[has]
        batch = diagnoser.batch(some)
        return cls(some, truth[has], batch.proba, score_cases(batch, truth[has], some.groups))

    def summary(self) -> dict[str, float | None]:
        """Count, scores and calibration."""
        o, ones = self.outcomes, np.ones(len(self.truth))
        slope = fit_slope(self.proba, o.column, ones, np.arange(len(o)), 1.0)
        intercept = fit_intercept(o.confidence, o.correct, ones)
        means = {m: float(v.mean()) for m, v in _metrics(o).items()}
        fits = {"calibration.slope": slope.value, "calibration.intercept": intercept.value}
        return {"n": float(len(o)), **means, **fits}


def _metrics(outcomes: Outcomes) -> dict[str, NDArray[np.float64]]:
    return {"top.1": outcomes.correct.astype(float), "log_loss": outcomes.log_loss}


def _weighted(
    kind: str, side: _Side, source: NDArray[np.object_], target: NDArray[np.object_], n_boot: int, seed: int
) -> ShiftEffect:
    """Weight source cases by the target's share of their cell over the source's."""
    names, cell = np.unique(source.astype(str), return_inverse=True)
    place = {str(n): i for i, n in enumerate(names)}
    wanted = np.bincount([place[str(t)] for t in target if str(t) in place], minlength=len(names)).astype(float)
    reached = float(wanted.sum() / len(target))
    weight = (wanted / np.bincount(cell))[cell] if reached else np.ones(len(source))
    weight = weight / weight.mean()
    values = _metrics(side.outcomes)
    moved = {m: float(weight @ v / weight.sum()) for m, v in values.items()}
    change = {m: moved[m] - float(v.mean()) for m, v in values.items()}
    ones = np.ones(len(source))
    ratios = {f"{m} {w}": Ratio(v * x, x) for m, v in values.items() for w, x in (("new", weight), ("old", ones))}
    return ShiftEffect(
        kind,
        moved,
        change,
        _intervals(side.outcomes, ratios, n_boot, seed),
        reached,
        float(weight.sum() ** 2 / (weight**2).sum()),
    )


def _thinned(diagnoser: Evaluated, a: _Side, b: _Side, n_boot: int, seed: int) -> ShiftEffect:
    """Take findings of the source away until they are recorded as rarely as in the target."""
    rng = np.random.default_rng(seed)
    before, after = recorded_shares(a.records), recorded_shares(b.records)
    n, m = len(a.records), len(b.records)
    keep = {c: min(1.0, (after.get(c, (0, 0))[0] / m) / (r / n)) for c, (r, _) in before.items()}
    coded = a.records.coded
    share = np.array([keep.get(str(c), 1.0) for c in coded.codes])
    drawn = []
    for _ in range(_DRAWS):
        # All rows of a code in a case go or stay together.
        kind = np.unique(coded.case.astype(np.int64) * len(coded.codes) + coded.code, return_inverse=True)[1]
        fate = rng.random(int(kind.max(initial=-1)) + 1)[kind]
        batch = diagnoser.batch(a.records.without(fate >= share[coded.code]))
        drawn.append(_metrics(score_cases(batch, a.truth, a.records.groups)))
    old = _metrics(a.outcomes)
    new = {metric: np.mean([d[metric] for d in drawn], axis=0) for metric in METRICS}
    moved = {metric: float(v.mean()) for metric, v in new.items()}
    change = {metric: moved[metric] - float(old[metric].mean()) for metric in METRICS}
    ones = np.ones(n)
    ratios = {f"{k} {w}": Ratio(v, ones) for k in METRICS for w, v in (("new", new[k]), ("old", old[k]))}
    wanted = sum(min(r / n, after.get(c, (0, 0))[0] / m) for c, (r, _) in before.items())
    total = sum(r / m for r, _ in after.values())
    reached = wanted / total if total else 1.0
    return ShiftEffect("missingness", moved, change, _intervals(a.outcomes, ratios, n_boot, seed), reached, float(n))


def _intervals(
    outcomes: Outcomes, ratios: Mapping[str, Ratio], n_boot: int, seed: int
) -> dict[str, tuple[float, float]]:
    if n_boot < 1 or outcomes.patient.max() < 1:
        return {}
    counts = draw_patients(int(outcomes.patient.max()) + 1, n_boot, seed)
    drawn = ratio_draws(counts, outcomes.patient, np.ones(len(outcomes)), ratios)
    found = {m: interval(drawn[f"{m} new"] - drawn[f"{m} old"]) for m in METRICS}
    return {m: ends for m, ends in found.items() if ends is not None}


def _demographics(records: Records) -> NDArray[np.object_]:
    ages, sexes = age_groups(years_of(records)), records.column("sex")
    return np.array([f"{age}, {sex or 'unknown'}" for age, sex in zip(ages, sexes, strict=True)], dtype=object)


def _ends(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f" ({ends[0]:+.3f} to {ends[1]:+.3f})"
