"""`Details`: what a report shows beyond the table of metrics, of all cases together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.evaluation.abstaining import RiskCoverage, risk_coverage
from diagnosis.evaluation.bootstrap import Ratio, interval, ratio_draws
from diagnosis.evaluation.burden import FlagPoint, flag_curve
from diagnosis.evaluation.calibration import bins_of
from diagnosis.evaluation.cells import BrierParts, brier_parts, count_cells
from diagnosis.evaluation.frequency import FrequencyBand, by_frequency
from diagnosis.evaluation.novelty import Novelty, novelty_of
from diagnosis.evaluation.recalibration import DiagnosisCalibration, calibrate_each
from diagnosis.evaluation.usefulness import DecisionCurves, decision_curves
from diagnosis.records.labels import OTHER

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.evaluation.outcomes import Outcomes
    from diagnosis.models.batch import Batch

__all__ = ["Details", "ExpectedError", "details_of", "expected_error"]

_TRUE_DRAWS = 200
# A slope needs cases on both sides; fewer than this say nothing.
_LEAST_FOR_SLOPE = 20


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """The calibration error that chance alone would give, were every probability true.

    Parameters
    ----------
    mean, percentile_95 : float
        Over cases drawn anew with the probabilities that were given (parametric bootstrap; Vaicenavicius et al.,
        "Evaluating model calibration in classification", AISTATS 2019). An error above the percentile is not chance.
    """

    mean: float
    percentile_95: float

    def to_json(self) -> dict[str, float]:
        """Return plain values."""
        return {"mean": self.mean, "percentile_95": self.percentile_95}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Details:
    """Calibration, usefulness, abstention and the unknown, beyond single numbers.

    Parameters
    ----------
    expected_ece : ExpectedError
    reliability_intervals : tuple of (low, high) or None
        95 % of the accuracy in each bin of the reliability table, over draws of patients.
    brier : BrierParts
    by_diagnosis : tuple of DiagnosisCalibration
        Diagnoses with at least 20 cases.
    decision : DecisionCurves
        Of diagnoses with enough cases to be shown.
    risk_coverage : RiskCoverage
    flags : tuple of FlagPoint
        Sensitivity of a must-not-miss policy over its burden.
    novelty : Novelty or None
        Detection of the cases whose diagnosis the model cannot name, where there are such cases.
    by_frequency : tuple of FrequencyBand
    """

    expected_ece: ExpectedError
    reliability_intervals: tuple[tuple[float, float] | None, ...]
    brier: BrierParts
    by_diagnosis: tuple[DiagnosisCalibration, ...]
    decision: DecisionCurves
    risk_coverage: RiskCoverage
    flags: tuple[FlagPoint, ...]
    novelty: Novelty | None
    by_frequency: tuple[FrequencyBand, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; every number is finite."""
        return {
            "expected_ece": self.expected_ece.to_json(),
            "reliability_intervals": [None if one is None else list(one) for one in self.reliability_intervals],
            "brier": self.brier.to_json(),
            "by_diagnosis": [one.to_json() for one in self.by_diagnosis],
            "decision": self.decision.to_json(),
            "risk_coverage": self.risk_coverage.to_json(),
            "flags": [one.to_json() for one in self.flags],
            "novelty": None if self.novelty is None else self.novelty.to_json(),
            "by_frequency": [one.to_json() for one in self.by_frequency],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the calibration of each diagnosis, one row each."""
        import pandas as pd

        names = ["diagnosis", "n", "observed", "expected", "in_the_large", "intercept", "slope"]
        return pd.DataFrame([{name: getattr(one, name) for name in names} for one in self.by_diagnosis], columns=names)

    def __repr__(self) -> str:
        novelty = "" if self.novelty is None else f", {self.novelty.n_unknown} cases of unknown diagnoses"
        return f"<Details: {len(self.by_diagnosis)} diagnoses by calibration, {self.decision!r}{novelty}>"


def details_of(
    batch: Batch,
    outcomes: Outcomes,
    weights: NDArray[np.float64],
    counts: NDArray[np.int16],
    *,
    min_cell: int,
    seed: int,
) -> Details:
    """Compute all of it for the cases of a batch.

    Parameters
    ----------
    batch : Batch of n cases
    outcomes : Outcomes of the n cases
    weights : ndarray of shape (n,)
    counts : ndarray of shape (n_boot, n_patients), int16
        Draws of patients; no rows: no intervals.
    min_cell : int
        Diagnoses with fewer cases are not shown.
    seed : int
    """
    n_own = np.bincount(outcomes.column[(outcomes.column >= 0) & (weights > 0)], minlength=len(batch.diagnoses))
    cells = count_cells(batch.proba, outcomes.column, weights)
    other = np.flatnonzero(batch.diagnoses == OTHER)
    return Details(
        expected_ece=expected_error(outcomes.confidence, weights, seed=seed),
        reliability_intervals=_reliability_intervals(outcomes, weights, counts),
        brier=brier_parts(cells),
        by_diagnosis=calibrate_each(
            batch.proba,
            outcomes.column,
            weights,
            outcomes.patient,
            batch.diagnoses,
            n_own >= max(_LEAST_FOR_SLOPE, min_cell),
        ),
        decision=decision_curves(cells, batch.diagnoses, n_own >= max(min_cell, 1)),
        risk_coverage=risk_coverage(outcomes.confidence, outcomes.correct, weights),
        flags=flag_curve(batch.proba, np.flatnonzero(batch.must_not_miss), outcomes, weights, counts),
        novelty=novelty_of(
            outcomes.column < 0,
            outcomes.confidence,
            batch.proba[:, other[0]] if len(other) else None,
            weights,
            outcomes.patient,
            counts,
        ),
        by_frequency=by_frequency(outcomes, weights, counts, min_cell),
    )


def expected_error(
    confidence: NDArray[np.float64], weights: NDArray[np.float64], *, seed: int = 0, n_draws: int = _TRUE_DRAWS
) -> ExpectedError:
    """Draw whether the first suggestion is right with its own probability, and take the calibration error."""
    rng, bins = np.random.default_rng(seed), bins_of(confidence, weights)
    said = np.bincount(bins, weights * confidence)
    drawn = np.empty(n_draws)
    for draw in range(n_draws):
        right = rng.random(len(confidence)) < confidence
        drawn[draw] = np.abs(np.bincount(bins, weights * right) - said).sum() / weights.sum()
    return ExpectedError(float(drawn.mean()), float(np.percentile(drawn, 95)))


def _reliability_intervals(
    outcomes: Outcomes, weights: NDArray[np.float64], counts: NDArray[np.int16]
) -> tuple[tuple[float, float] | None, ...]:
    bins = bins_of(outcomes.confidence, weights)
    used = np.unique(bins[weights > 0])
    if not len(counts):
        return (None,) * len(used)
    inside = {f"{b}": (bins == b).astype(float) for b in used}
    drawn = ratio_draws(
        counts, outcomes.patient, weights, {b: Ratio(outcomes.correct * x, x) for b, x in inside.items()}
    )
    return tuple(interval(drawn[b]) for b in inside)
