"""Train LightGBM on checked cases: its parameters, the number of rounds, and a look at what came out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from diagnosis.errors import DiagnosisWarning, WorkError
from diagnosis.models.also import shut, shut_copy
from diagnosis.models.calibration import log_loss
from diagnosis.models.networked import ALONE, Shared, Together, joined, lost_others
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.sequence import for_lightgbm, in_memory_rows
from diagnosis.models.trees import Trees, load_lightgbm, normalised
from diagnosis.models.validation import TrainingSet

__all__ = ["Beside", "BoostingOptions", "boost", "boost_together", "trees_of", "warn_if_diverged"]

# Hundreds of rounds of well-behaved trees stay within a few tens; diverged ones were seen at 8e5.
_HUGE_SCORE = 100.0
_LOOKED_AT = 2000
_CURE = "Raise lambda_l2 or min_hessian, or lower learning_rate or leaves."


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
    interactions: Sequence[Sequence[int]] | None
    left_out: Sequence[int] | None
    seed: int
    n_jobs: int

    def parameters(self, n_classes: int, n_columns: int) -> dict[str, Any]:
        """Return LightGBM's parameters; multiclass also for two diagnoses, so that each has its score."""
        groups = self._groups(n_columns)
        return ({"interaction_constraints": groups} if groups else {}) | {
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
            # The same trees either way, to the last bit; by rows is faster in one thread, by columns in several.
            "force_row_wise": self.n_jobs == 1,
            "force_col_wise": self.n_jobs > 1,
            "seed": self.seed,
            "num_threads": self.n_jobs,
            "verbosity": -1,
        }

    def _groups(self, n_columns: int) -> list[list[int]]:
        """Return which columns may meet in a branch; LightGBM never uses a column that is in no group."""
        out = set(self.left_out or ())
        if self.interactions is None:
            return [[column for column in range(n_columns) if column not in out]] if out else []
        grouped = {column for group in self.interactions for column in group} | out
        alone = [[column] for column in range(n_columns) if column not in grouped]
        kept = ([column for column in group if column not in out] for group in self.interactions)
        return [*(group for group in kept if group), *alone]


@dataclass(frozen=True, slots=True)
class Beside:
    """Cases to boost on, with scores that are there already.

    Attributes
    ----------
    cases : TrainingSet
    init : ndarray of float64, shape (n_cases, n_diagnoses), optional
        What the trees start from and learn the rest of; they start from the prior if None.
    prior : ndarray of shape (n_diagnoses,), optional
        That prior, where these are not all of the cases that are learned from.
    """

    cases: TrainingSet
    init: FloatArray | None = None
    prior: FloatArray | None = None

    def weighing(self) -> Beside:
        """Return the cases of positive weight."""
        if (self.cases.weight > 0).all():
            return self
        return self.take(np.flatnonzero(self.cases.weight > 0))

    def take(self, rows: IntArray) -> Beside:
        """Return the chosen cases."""
        return replace(self, cases=self.cases.take(rows), init=None if self.init is None else self.init[rows])


def boost(part: Beside, options: BoostingOptions, rounds: int) -> Any:
    """Grow `rounds` rounds of trees, one a diagnosis each, on the cases of positive weight; return the booster."""
    booster = _started(part, options, None)
    for done in range(rounds):
        if not _grown(booster):
            raise _gave_up(done)
    _end(booster, part)
    return booster


def _gave_up(done: int) -> WorkError:
    return WorkError(f"Boosting diverged, and LightGBM gave up after {done} rounds. {_CURE}")


def _grown(booster: Any) -> bool:
    """Grow one round; False where LightGBM refuses to go on, as it does on sums that have overflown."""
    try:
        booster.update()
    except load_lightgbm().basic.LightGBMError as error:
        if "Socket" in str(error):
            raise lost_others() from error
        return False
    return True


def boost_together(
    parts: Sequence[tuple[Beside, Beside]],
    options: BoostingOptions,
    rounds: int,
    patience: int,
    *,
    together: Together | None = None,
) -> tuple[list[Any], int]:
    """Grow one booster a part side by side, and choose one number of rounds for all.

    Parameters
    ----------
    parts : sequence of (Beside, Beside)
        What to learn from, and the held-out cases whose log-loss is followed.
    options : BoostingOptions
    rounds : int
        Rounds at most.
    patience : int
        End after this many rounds without a lower log-loss over all held-out cases together; 0: take all rounds.
    together : Together, optional
        Other processes that grow the same trees on cases of their own: every one is given the same held-out cases.

    Returns
    -------
    boosters : list
        In the order of `parts`, each with at least the chosen number of rounds.
    rounds : int
        The number with the lowest log-loss; 0 where the scores given as `init` are best left alone.

    Warns
    -----
    DiagnosisWarning
        If a training was ended because it diverged.
    """
    weights = np.array([held_out.cases.weight.sum() for _, held_out in parts])
    follow = patience > 0 and bool(weights.any())
    with nullcontext(ALONE) if together is None else joined(together, _parameters(parts[0][0], options)) as shared:
        boosters = [_started(train, options, held_out if follow else None, shared) for train, held_out in parts]
        chosen = _rounds_of(boosters, [held_out for _, held_out in parts], rounds, patience if follow else 0)
    for booster, (train, _) in zip(boosters, parts, strict=True):
        _end(booster, train)
    return boosters, chosen


def _rounds_of(boosters: Sequence[Any], held_out: Sequence[Beside], rounds: int, patience: int) -> int:
    """Grow all boosters round by round, and return the number that is best for the held-out cases together."""
    follow, weights = patience > 0, np.array([part.cases.weight.sum() for part in held_out])
    best, best_loss, pooled, at_start, ended = 0 if follow else rounds, np.inf, 0.0, np.inf, False
    if follow:
        used = [(part, w) for part, w in zip(held_out, weights, strict=True) if w]
        at_start = float(np.average([_start_loss(part) for part, _ in used], weights=[w for _, w in used]))
        if held_out[0].init is not None:
            best_loss = at_start
    for done in range(1, rounds + 1):
        ended = not all(_grown(booster) for booster in boosters)
        if ended and (done == 1 or not follow):
            raise _gave_up(done - 1)
        if ended:
            break
        if not follow:
            continue
        losses = [booster.eval_valid()[0][2] if w else 0.0 for booster, w in zip(boosters, weights, strict=True)]
        pooled = float(np.average(losses, weights=weights))
        if pooled < best_loss:
            best, best_loss = done, pooled
        elif done - best >= patience:
            break
    # A diagnosis without a case to learn from is as dear in every round.
    if ended or pooled > 2 * max(at_start, best_loss):
        warn_diverged(f"on held-out cases its log-loss rose to {pooled:.3g} (at the start: {at_start:.3g})", best)
    return best


def _start_loss(part: Beside) -> float:
    """Return the log-loss of the held-out cases before the first tree: of the scores given, or of even odds."""
    cases = part.cases
    scores = np.zeros((cases.y.size, len(cases.classes))) if part.init is None else part.init
    return log_loss(shut_copy(scores, cases.also), cases.y, cases.weight)


def _parameters(part: Beside, options: BoostingOptions) -> dict[str, Any]:
    return options.parameters(len(part.cases.classes), int(part.cases.X.shape[1]))


def _started(part: Beside, options: BoostingOptions, held_out: Beside | None, shared: Shared = ALONE) -> Any:
    """Return a booster without trees over the weighing cases, with the held-out ones beside it."""
    lgb = load_lightgbm()
    used, parameters = part.weighing(), _parameters(part, options) | shared.parameters
    cases, prior = used.cases, _log_prior(part)
    data = lgb.Dataset(
        for_lightgbm(cases.X),
        cases.y,
        weight=cases.weight,
        init_score=_init_score(used, prior),
        reference=shared.bins,
        params=parameters,
    )
    booster = lgb.Booster(parameters, data)
    if held_out is not None and held_out.cases.weight.any():
        beside = held_out.weighing()
        same_bins = lgb.Dataset(
            for_lightgbm(beside.cases.X),
            beside.cases.y,
            weight=beside.cases.weight,
            init_score=_init_score(beside, prior),
            reference=data,
            params=parameters,
        )
        booster.add_valid(same_bins, "held_out")
    return booster


def _log_prior(part: Beside) -> FloatArray:
    """Return what LightGBM itself starts from."""
    return np.log(np.maximum(part.cases.prior if part.prior is None else part.prior, 1e-15))


def _init_score(part: Beside, log_prior: FloatArray) -> FloatArray | None:
    """Return what the trees start from, with the diagnoses that cases have too shut; None: LightGBM takes the prior."""
    also = part.cases.also
    if also is None:
        return part.init
    start = np.tile(log_prior, (part.cases.y.size, 1)) if part.init is None else part.init.copy()
    shut(start, also)
    return start


def _end(booster: Any, part: Beside) -> None:
    """Put the prior into the first trees where it was given as scores: LightGBM does so where it found it itself."""
    if part.cases.also is None or part.init is not None:
        return
    leaves = re.findall(r"^num_leaves=(\d+)$", booster.model_to_string(num_iteration=1), flags=re.MULTILINE)
    for tree, (n, start) in enumerate(zip(leaves, _log_prior(part).tolist(), strict=True)):
        for leaf in range(int(n)):
            booster.set_leaf_output(tree, leaf, booster.get_leaf_output(tree, leaf) + start)


def trees_of(booster: Any, rounds: int, n_classes: int) -> Trees:
    """Return the first `rounds` rounds of a booster as a fitted model."""
    return Trees(normalised(booster.model_to_string(num_iteration=rounds)), n_classes)


def warn_if_diverged(trees: Trees, part: Beside, n_jobs: int) -> None:
    """Warn if the model fits its own training cases worse than the prior, or its scores are huge.

    LightGBM says nothing when many rare diagnoses send its Newton steps astray, and a ranking can hide it.
    """
    used = part.weighing()
    prior = used.cases.prior
    looked_at = used.take(np.unique(np.linspace(0, used.cases.y.size - 1, _LOOKED_AT).astype(np.int64)))
    cases, scores = looked_at.cases, trees.raw_scores(in_memory_rows(looked_at.cases.X), n_jobs)
    largest = float(np.abs(scores[:, prior > 0]).max())
    with np.errstate(divide="ignore"):
        before = np.log(prior)[None, :].repeat(cases.y.size, axis=0) if looked_at.init is None else looked_at.init
    after = scores if looked_at.init is None else scores + looked_at.init
    loss, loss_before = (log_loss(shut_copy(one, cases.also), cases.y, cases.weight) for one in (after, before))
    if largest > _HUGE_SCORE or loss > loss_before + 1e-9:
        warn_diverged(
            f"its largest score is {largest:.3g} and its log-loss on its own training cases {loss:.3g} "
            f"(before the first tree: {loss_before:.3g})"
        )


def warn_diverged(what: str, rounds: int | None = None) -> None:
    """Say that boosting went astray, and what helps."""
    kept = "" if rounds is None else f" Only its first {rounds} rounds are kept."
    warnings.warn(
        f"The boosted model has diverged: {what}.{kept} {_CURE}",
        DiagnosisWarning,
        stacklevel=4,
    )
