"""`Scores`: every metric of one set of cases, with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from diagnosis.evaluation.bootstrap import (
    Ratio,
    centred,
    ece_draws,
    interval,
    macro_draws,
    mean_recall,
    moved,
    ratio_draws,
)
from diagnosis.evaluation.calibration import Fit, Reliability, ece, fit_intercept, fit_slope, reliability
from diagnosis.evaluation.outcomes import Outcomes

__all__ = ["PLAIN", "SECTIONS", "TOP", "Scores", "intervals_of", "ranking_json", "ratios_of", "score_group"]

TOP = (1, 3, 5, 10)
SECTIONS = ("top", "any_confirmed", "icd_category", "calibration", "set", "must_not_miss", "abstained")
PLAIN = ("mrr", "ndcg", "macro_top1", "log_loss", "brier", "ece")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Scores:
    """Every metric of one set of cases.

    Parameters
    ----------
    n, n_patients, n_diagnoses, n_unreachable, n_must_not_miss : int
        Cases; patients; diagnoses among the true ones; cases whose diagnosis the model cannot name; cases whose
        diagnosis must not be missed.
    values : mapping of str to float or None
        By path in the JSON object: ``top.1``, ``mrr``, ``calibration.slope``, ``baseline.log_loss`` ... None where
        the cases leave it undefined.
    intervals : mapping of str to (low, high)
        By the same names; central 95 % over draws of patients. Left out: the baseline, and what cannot be drawn.
    curve : Reliability
        The points of the calibration curve.
    binomial : (low, high) or None
        Exact 95 % interval of the coverage of the sets, cases taken as independent (Clopper and Pearson 1934). None
        where cases are weighted or were answered several times.
    site_intervals : mapping of str to (low, high)
        As `intervals`, over draws of whole sites: what to expect at other sites of their kind, were they many. Empty
        with fewer than two sites.
    """

    n: int
    n_patients: int
    n_diagnoses: int
    n_unreachable: int
    n_must_not_miss: int
    values: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float]]
    curve: Reliability
    binomial: tuple[float, float] | None = None
    site_intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the metrics as nested plain values; all numbers are finite, undefined ones None."""
        value = dict(self.values)
        plain: dict[str, Any] = {
            "n": self.n,
            "n_patients": self.n_patients,
            "n_diagnoses": self.n_diagnoses,
            "n_unreachable": self.n_unreachable,
        }
        for name in PLAIN:
            plain[name] = value[name]
        for section in SECTIONS:
            plain[section] = _below(value, section)
        plain["set"]["binomial"] = None if self.binomial is None else list(self.binomial)
        plain["must_not_miss"]["n"] = self.n_must_not_miss
        plain["baseline"] = {"top": _below(value, "baseline.top"), "log_loss": value["baseline.log_loss"]}
        plain["intervals"] = {name: list(ends) for name, ends in self.intervals.items()}
        plain["site_intervals"] = {name: list(ends) for name, ends in self.site_intervals.items()}
        return plain


def score_group(
    outcomes: Outcomes,
    proba: NDArray[np.float64],
    rows: NDArray[np.int64],
    weights: NDArray[np.float64],
    counts: NDArray[np.int16],
    coverage: float,
    slope_start: float = 1.0,
    sites: NDArray[np.int64] | None = None,
    site_counts: NDArray[np.int16] | None = None,
) -> Scores:
    """Compute every metric of some of the cases.

    Parameters
    ----------
    outcomes : Outcomes of all cases
    proba : ndarray of shape (n, K)
    rows : ndarray of int64
        Which cases.
    weights : ndarray of shape (n,)
        Their sum over `rows` is above 0.
    counts : ndarray of shape (n_boot, n_patients), int16
        Draws of patients; no rows: no intervals.
    coverage : float
        Declared coverage of the sets.
    slope_start : float
        First guess of the calibration slope.
    sites : ndarray of shape (n,), int64, optional
        Site of each case, for intervals over draws of whole sites.
    site_counts : ndarray of shape (n_boot, n_sites), int16, optional
    """
    some, w = outcomes.take(rows), weights[rows]
    slope = fit_slope(proba, some.column, w, rows, slope_start)
    intercept = fit_intercept(some.confidence, some.correct, w)
    curve = reliability(some.confidence, some.correct, w)
    ratios = ratios_of(some)
    values: dict[str, float | None] = {name: r.value(w) for name, r in ratios.items()}
    values |= {
        "macro_top1": _macro(some, w),
        "ece": ece(curve),
        "calibration.slope": slope.value,
        "calibration.intercept": intercept.value,
        "set.target": float(coverage),
    }
    drawn = {name: r for name, r in ratios.items() if not name.startswith("baseline.")}
    drawn |= _one_step("calibration.slope", slope) | _one_step("calibration.intercept", intercept)
    by_site: dict[str, tuple[float, float]] = {}
    if sites is not None and site_counts is not None:
        by_site = intervals_of(some, w, site_counts, drawn, ece(curve), sites[rows])
    return Scores(
        n=some.n_cases,
        n_patients=len(np.unique(some.patient)),
        n_diagnoses=len(np.unique(some.label)),
        n_unreachable=len(np.unique(some.case[some.column < 0])),
        n_must_not_miss=len(np.unique(some.case[some.critical])),
        values=values,
        intervals=intervals_of(some, w, counts, drawn, ece(curve)),
        curve=curve,
        binomial=_binomial(some, w),
        site_intervals=by_site,
    )


def ranking_json(scores: Scores) -> dict[str, Any]:
    """Return as plain values what a model without sets and flags can be judged by: ranking and losses."""
    names = [name for name in scores.values if name.startswith("top.")] + ["mrr", "ndcg", "macro_top1"]
    names += ["log_loss", "brier"]
    plain: dict[str, Any] = {name: scores.values[name] for name in names if "." not in name}
    plain["top"] = _below(scores.values, "top")
    plain["intervals"] = {name: list(scores.intervals[name]) for name in names if name in scores.intervals}
    return plain


def _below(values: Mapping[str, float | None], section: str) -> dict[str, float | None]:
    start = f"{section}."
    return {name.removeprefix(start): v for name, v in values.items() if name.startswith(start)}


def ratios_of(some: Outcomes) -> dict[str, Ratio]:
    """Return every metric that is a ratio of sums over cases, by its path in the JSON object."""
    ones = np.ones(len(some))
    kept = (~some.abstained).astype(float)

    def mean(x: NDArray[Any]) -> Ratio:
        """The weighted mean of one number a case."""
        return Ratio(x.astype(float), ones)

    def hits(rank: NDArray[np.int64], k: int) -> Ratio:
        """The share of cases whose diagnosis is among the first `k`; a rank below 0 is not known."""
        return Ratio(((rank > 0) & (rank <= k)).astype(float), (rank >= 0).astype(float))

    found = some.rank > 0
    return {
        **{f"top.{k}": hits(some.rank, k) for k in TOP},
        **{f"any_confirmed.{k}": hits(some.any_rank, k) for k in TOP},
        **{f"icd_category.{k}": hits(some.category_rank, k) for k in TOP},
        "mrr": mean(np.divide(1.0, some.rank, out=np.zeros(len(some)), where=found)),
        "ndcg": mean(np.divide(1.0, np.log2(1.0 + some.rank), out=np.zeros(len(some)), where=found)),
        "log_loss": mean(some.log_loss),
        "brier": mean(some.brier),
        "calibration.observed_expected": Ratio(some.correct.astype(float), some.confidence),
        "set.coverage": mean(some.covered),
        "set.mean_size": mean(some.set_size),
        "must_not_miss.sensitivity": Ratio(some.critical_flagged.astype(float), some.critical.astype(float)),
        "must_not_miss.flags_per_case": mean(some.n_flags),
        "abstained.rate": mean(some.abstained),
        "abstained.top1_of_rest": Ratio(kept * some.correct, kept),
        **{f"baseline.top.{k}": hits(some.prior_rank, k) for k in TOP},
        "baseline.log_loss": mean(some.prior_log_loss),
    }


def _binomial(some: Outcomes, weights: NDArray[np.float64]) -> tuple[float, float] | None:
    if some.n_cases < len(some) or not (weights == 1.0).all():
        return None
    ends = binomtest(int(some.covered.sum()), len(some)).proportion_ci(0.95, method="exact")
    return float(ends.low), float(ends.high)


def _macro(some: Outcomes, weights: NDArray[np.float64]) -> float:
    hits, mass = np.bincount(some.label, weights * some.correct), np.bincount(some.label, weights)
    return float(mean_recall(hits[:, None], mass[:, None])[0])


def _one_step(name: str, fit: Fit) -> dict[str, Ratio]:
    """Return one Newton step from the fit as a ratio of sums: the one-step bootstrap of an M-estimate.

    Shao and Tu, "The Jackknife and Bootstrap", 1995, section 8.4. Refitting in each draw would cost a pass over all
    probabilities a draw; the difference is of the order 1/n.
    """
    return {} if fit.value is None else {name: Ratio(fit.score, fit.curvature, fit.value)}


def intervals_of(
    some: Outcomes,
    weights: NDArray[np.float64],
    counts: NDArray[np.int16],
    ratios: Mapping[str, Ratio],
    error: float,
    unit: NDArray[np.int64] | None = None,
) -> dict[str, tuple[float, float]]:
    """Draw units (None: patients) and return the interval of each metric that the draws define.

    Parameters
    ----------
    some : Outcomes of n cases
    weights : ndarray of shape (n,)
    counts : ndarray of shape (n_boot, n_units), int16
    ratios : mapping of str to Ratio
    error : float
        Calibration error of the cases, to which its draws are moved.
    unit : ndarray of shape (n,), int64, optional
        What is drawn whole: patients when not given.
    """
    present, patient = np.unique(some.patient if unit is None else unit, return_inverse=True)
    if len(counts) == 0 or len(present) < 2:
        return {}
    counts = counts[:, present]
    drawn = ratio_draws(counts, patient, weights, ratios)
    # A draw lacks the rarest diagnoses, which are missed the most.
    recalls = macro_draws(counts, patient, weights, some.label, some.correct)
    drawn["macro_top1"] = np.clip(moved(recalls, _macro(some, weights)), 0.0, 1.0)
    drawn["ece"] = centred(ece_draws(counts, patient, weights, some.confidence, some.correct), error)
    found = {name: interval(values) for name, values in drawn.items()}
    return {name: ends for name, ends in found.items() if ends is not None}
