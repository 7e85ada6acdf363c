"""The re-ranker: one small LightGBM over pairs, whose trees add to the first stage's scores of the candidates.

The loss is the log-loss of the whole list: the softmax over the candidates, each with its trees, and one place for all
other diagnoses together. So a tree may also say that the diagnosis is none of the candidates, and the probabilities of
a list need no second model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.models.also import AlsoMatrix
from diagnosis.models.protocol import FloatArray, IntArray
from diagnosis.models.ranker.pairs import FEATURES, Pairs, stack_pairs
from diagnosis.models.trees import Trees, load_lightgbm, normalised

__all__ = ["Lists", "RerankOptions", "added_scores", "grow", "grow_together", "stack_lists", "trees_of_rounds"]

_Objective = Callable[[FloatArray, Any], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True)
class RerankOptions:
    """How trees are grown."""

    leaves: int
    learning_rate: float
    lambda_l2: float
    min_pairs_leaf: int
    seed: int
    n_jobs: int

    def parameters(self) -> dict[str, Any]:
        """Return LightGBM's parameters."""
        return {
            "objective": "none",
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "lambda_l2": self.lambda_l2,
            "min_data_in_leaf": self.min_pairs_leaf,
            "min_sum_hessian_in_leaf": 1.0,
            "feature_fraction_bynode": 0.5,
            "max_bin": 63,
            "bin_construct_sample_cnt": 20_000,
            "feature_pre_filter": False,
            "deterministic": True,
            "force_col_wise": True,
            "seed": self.seed,
            "num_threads": self.n_jobs,
            "verbosity": -1,
        }


@dataclass(frozen=True, slots=True)
class Lists:
    """Candidate lists with the place of the truth.

    Attributes
    ----------
    pairs : Pairs
    place : ndarray of int64, shape (n_cases,)
        Of the case's own diagnosis among its candidates; -1: none of them.
    weight : ndarray of shape (n_cases,)
    also : ndarray of bool, shape (n_cases, m), or None
        Candidates that the case has too: they have no part in its loss.
    """

    pairs: Pairs
    place: IntArray
    weight: FloatArray
    also: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, pairs: Pairs, y: IntArray, weight: FloatArray, also: AlsoMatrix = None) -> Lists:
        """Look the diagnoses up among the candidates."""
        hit = pairs.candidates == y[:, None]
        place = np.where(hit.any(axis=1), hit.argmax(axis=1), -1)
        if also is None:
            return cls(pairs, place, weight)
        cases = np.repeat(np.arange(y.size), pairs.candidates.shape[1])
        has = np.asarray(also[cases, pairs.candidates.ravel()]).reshape(pairs.candidates.shape) > 0
        return cls(pairs, place, weight, has)

    def take(self, rows: IntArray) -> Lists:
        """Return some of the lists."""
        also = None if self.also is None else self.also[rows]
        return Lists(self.pairs.take(rows), self.place[rows], self.weight[rows], also)

    def at_most(self, n: int) -> Lists:
        """Return evenly spaced ones of the lists that weigh, `n` at most."""
        weighing = np.flatnonzero(self.weight > 0)
        spaced = np.linspace(0, weighing.size - 1, min(n, weighing.size)).astype(np.int64)
        return self.take(weighing[spaced])

    def loss(self, added: FloatArray) -> float:
        """Return the weighted mean log-loss with `added` scores of shape (n_cases, m)."""
        scores, log_total = self._log_total(added)
        place = np.maximum(self.place, 0)[:, None]
        own = np.where(self.place >= 0, np.take_along_axis(scores, place, axis=1)[:, 0], self.pairs.rest)
        return float(np.average(log_total - own, weights=self.weight))

    def objective(self) -> _Objective:
        """Return gradient and curvature of the log-loss, as LightGBM asks for them."""
        told = np.flatnonzero(self.place >= 0)
        shape = self.pairs.first.shape

        def slopes(added: FloatArray, _: Any) -> tuple[FloatArray, FloatArray]:
            scores, log_total = self._log_total(added.reshape(shape))
            p = np.exp(scores - log_total[:, None])
            gradient = p.copy()
            gradient[told, self.place[told]] -= 1.0
            gradient *= self.weight[:, None]
            # LightGBM's own softmax doubles the curvature too: scores of one list move together.
            return gradient.ravel(), (2.0 * self.weight[:, None] * p * (1.0 - p)).ravel()

        return slopes

    def _log_total(self, added: FloatArray) -> tuple[FloatArray, FloatArray]:
        scores = self.pairs.first + added
        if self.also is not None:
            scores[self.also] = -np.inf
        top = np.maximum(scores.max(axis=1), self.pairs.rest)
        total = np.exp(scores - top[:, None]).sum(axis=1) + np.exp(self.pairs.rest - top)
        return scores, top + np.log(total)


def stack_lists(parts: Sequence[Lists]) -> Lists:
    """Put lists together."""
    pairs = stack_pairs([part.pairs for part in parts])
    place, weight = (np.concatenate([getattr(part, name) for part in parts]) for name in ("place", "weight"))
    known = [part.also for part in parts if part.also is not None]
    return Lists(pairs, place, weight, np.concatenate(known) if known else None)


def grow_together(
    parts: Sequence[tuple[Lists, Lists]], options: RerankOptions, rounds: int, patience: int
) -> tuple[list[Any], int]:
    """Grow one booster a part side by side, and choose one number of rounds for all by held-out log-loss.

    Returns the boosters and the number of rounds; 0 where no tree makes the held-out lists better, so that training
    that goes astray leaves the first stage as it is.
    """
    boosters = [_started(train, options, held_out) for train, held_out in parts]
    slopes = [train.objective() for train, _ in parts]
    weights = np.array([held_out.weight.sum() for _, held_out in parts])
    best, best_loss = 0, _pooled([held.loss(np.zeros(held.pairs.first.shape)) for _, held in parts], weights)
    for done in range(1, rounds + 1):
        ended = [booster.update(fobj=slope) for booster, slope in zip(boosters, slopes, strict=True)]
        losses = [_held_out_loss(booster, held) for booster, (_, held) in zip(boosters, parts, strict=True)]
        pooled = _pooled(losses, weights)
        if pooled < best_loss:
            best, best_loss = done, pooled
        elif done - best >= patience or all(ended):
            break
    return boosters, best


def grow(lists: Lists, options: RerankOptions, rounds: int) -> Any:
    """Grow a given number of rounds; return the booster."""
    booster, slope = _started(lists, options, None), lists.objective()
    for _ in range(rounds):
        booster.update(fobj=slope)
    return booster


def trees_of_rounds(booster: Any, rounds: int) -> Trees:
    """Return the first rounds of a booster as a fitted model of one score."""
    return Trees(normalised(booster.model_to_string(num_iteration=rounds)), 1)


def added_scores(trees: Trees | None, features: FloatArray, n_jobs: int) -> FloatArray:
    """Return what the trees add to each pair, shape (n_cases, m)."""
    n, m, width = features.shape
    if trees is None or not n:
        return np.zeros((n, m))
    return trees.raw_scores(features.reshape(n * m, width), n_jobs).reshape(n, m)


def _started(train: Lists, options: RerankOptions, held_out: Lists | None) -> Any:
    lgb = load_lightgbm()
    data = _dataset(lgb, train, options, None)
    booster = lgb.Booster(options.parameters(), data)
    if held_out is not None and held_out.weight.any():
        booster.add_valid(_dataset(lgb, held_out, options, data), "held_out")
    return booster


def _dataset(lgb: Any, lists: Lists, options: RerankOptions, reference: Any) -> Any:
    flat = lists.pairs.features.reshape(-1, len(FEATURES))
    return lgb.Dataset(flat, np.zeros(flat.shape[0]), reference=reference, params=options.parameters())


def _held_out_loss(booster: Any, held_out: Lists) -> float:
    if not held_out.weight.any():
        return 0.0

    def follow(added: FloatArray, _: Any) -> tuple[str, float, bool]:
        return "log_loss", held_out.loss(added.reshape(held_out.pairs.first.shape)), False

    loss: float = booster.eval_valid(feval=follow)[0][2]
    return loss


def _pooled(losses: Sequence[float], weights: FloatArray) -> float:
    return float(np.average(losses, weights=weights))
