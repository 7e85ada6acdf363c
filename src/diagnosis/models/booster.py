"""Train LightGBM on checked cases: its parameters, the number of rounds, and a look at what came out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diagnosis.errors import DiagnosisWarning
from diagnosis.models.calibration import log_loss
from diagnosis.models.trees import Trees, load_lightgbm, normalised
from diagnosis.models.validation import TrainingSet

__all__ = ["BoostingOptions", "boost", "boost_together", "trees_of", "warn_if_diverged"]

# Hundreds of rounds of well-behaved trees stay within a few tens; diverged ones were seen at 8e5.
_HUGE_SCORE = 100.0
_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class BoostingOptions:
    """How trees are grown; see `BoostedModel` for the meaning."""

    leaves: int
    learning_rate: float
    min_cases_leaf: int
    lambda_l2: float
    min_hessian: float
    max_bin: int
    column_share: float
    seed: int
    n_jobs: int

    def parameters(self, n_classes: int) -> dict[str, Any]:
        """Return LightGBM's parameters; multiclass also for two diagnoses, so that each has its score."""
        return {
            "objective": "multiclass",
            "num_class": n_classes,
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_cases_leaf,
            "lambda_l2": self.lambda_l2,
            "min_sum_hessian_in_leaf": self.min_hessian,
            "max_bin": self.max_bin,
            "feature_fraction_bynode": self.column_share,
            "boost_from_average": True,
            "feature_pre_filter": False,
            "deterministic": True,
            "force_col_wise": True,
            "seed": self.seed,
            "num_threads": self.n_jobs,
            "verbosity": -1,
        }


def boost(cases: TrainingSet, options: BoostingOptions, rounds: int) -> Any:
    """Grow `rounds` rounds of trees, one a diagnosis each, on the cases of positive weight; return the booster."""
    booster = _started(cases, options, None)
    for _ in range(rounds):
        booster.update()
    return booster


def boost_together(
    parts: Sequence[tuple[TrainingSet, TrainingSet]], options: BoostingOptions, rounds: int, patience: int
) -> tuple[list[Any], int]:
    """Grow one booster a part side by side, and choose one number of rounds for all.

    Parameters
    ----------
    parts : sequence of (TrainingSet, TrainingSet)
        What to learn from, and the held-out cases whose log-loss is followed.
    options : BoostingOptions
    rounds : int
        Rounds at most.
    patience : int
        End after this many rounds without a lower log-loss over all held-out cases together; 0: take all rounds.

    Returns
    -------
    boosters : list
        In the order of `parts`, each with at least the chosen number of rounds.
    rounds : int
        The number with the lowest log-loss.
    """
    weights = np.array([held_out.weight.sum() for _, held_out in parts])
    follow = patience > 0 and bool(weights.any())
    boosters = [_started(train, options, held_out if follow else None) for train, held_out in parts]
    best, best_loss = rounds, np.inf
    for done in range(1, rounds + 1):
        for booster in boosters:
            booster.update()
        if not follow:
            continue
        losses = [booster.eval_valid()[0][2] if w else 0.0 for booster, w in zip(boosters, weights, strict=True)]
        pooled = float(np.average(losses, weights=weights))
        if pooled < best_loss:
            best, best_loss = done, pooled
        elif done - best >= patience:
            break
    return boosters, best


def _started(cases: TrainingSet, options: BoostingOptions, held_out: TrainingSet | None) -> Any:
    """Return a booster without trees over the weighing cases, with the held-out ones beside it."""
    lgb = load_lightgbm()
    used = cases.weighing()
    parameters = options.parameters(len(cases.classes))
    data = lgb.Dataset(used.X, used.y, weight=used.weight, params=parameters)
    booster = lgb.Booster(parameters, data)
    if held_out is not None and held_out.weight.any():
        beside = held_out.weighing()
        same_bins = lgb.Dataset(beside.X, beside.y, weight=beside.weight, reference=data, params=parameters)
        booster.add_valid(same_bins, "held_out")
    return booster


def trees_of(booster: Any, rounds: int, n_classes: int) -> Trees:
    """Return the first `rounds` rounds of a booster as a fitted model."""
    return Trees(normalised(booster.model_to_string(num_iteration=rounds)), n_classes)


def warn_if_diverged(trees: Trees, cases: TrainingSet, n_jobs: int) -> None:
    """Warn if the model fits its own training cases worse than the prior, or its scores are huge.

    LightGBM says nothing when many rare diagnoses send its Newton steps astray, and a ranking can hide it.
    """
    used = cases.weighing()
    looked_at = used.take(np.unique(np.linspace(0, used.y.size - 1, _LOOKED_AT).astype(np.int64)))
    scores = trees.raw_scores(looked_at.X, n_jobs)
    present = used.prior > 0
    largest = float(np.abs(scores[:, present]).max())
    loss = log_loss(scores, looked_at.y, looked_at.weight)
    with np.errstate(divide="ignore"):
        prior_loss = log_loss(
            np.log(used.prior)[None, :].repeat(looked_at.y.size, axis=0), looked_at.y, looked_at.weight
        )
    if largest > _HUGE_SCORE or loss > prior_loss + 1e-9:
        warnings.warn(
            f"The boosted model has diverged: its largest score is {largest:.3g} and its log-loss on its own training "
            f"cases {loss:.3g} (prior alone: {prior_loss:.3g}). "
            "Raise lambda_l2 or min_hessian, or lower learning_rate.",
            DiagnosisWarning,
            stacklevel=3,
        )
