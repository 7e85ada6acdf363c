"""The boosted model by LightGBM's own network: one training a worker, the same bins and held-out cases for all."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
from sklearn.base import clone

from diagnosis.distributed.cluster import Workers
from diagnosis.distributed.share import Growing, Grown, HeldOut
from diagnosis.distributed.spread import Spread
from diagnosis.errors import DiagnosisWarning, InputError, WorkError
from diagnosis.models.also import rows_also
from diagnosis.models.boosted import BoostedModel
from diagnosis.models.booster import Beside
from diagnosis.models.crossfit import with_floor
from diagnosis.models.networked import Together
from diagnosis.models.protocol import FloatArray, IntArray, Matrix
from diagnosis.models.trees import Trees
from diagnosis.models.validation import TrainingSet

__all__ = ["cross_boosted"]

# Cases that bins are made from at most: as many as LightGBM itself looks at.
_REFERENCE = 200_000
# Cases that a model is looked over on.
_LOOKED_AT = 2_000


def cross_boosted(
    spread: Spread, cases: TrainingSet, fold: IntArray, held_out: Sequence[int], model: BoostedModel
) -> tuple[BoostedModel, FloatArray]:
    """Grow trees on all cases, and score each case of the folds held out by trees without its fold.

    The folds held out choose the number of rounds together. Parameters and answer are those of `cross_linear`.

    Raises
    ------
    InputError
        A worker has no case to learn from.
    WorkError
        Workers were lost, or ended with other trees than the rest.
    """
    _check_shares(spread, cases, fold, held_out)
    n_classes = len(cases.classes)
    reference = spread.rows(_evenly(cases.y.size, _REFERENCE))
    parts = tuple(_held_out(spread, cases, fold, f) for f in held_out)
    grown = _grow(spread, model.checked(), parts, reference)
    scores = np.full((cases.y.size, n_classes), np.nan)
    for text, part in zip(grown.texts, parts, strict=True):
        raw = Trees(text, n_classes).raw_scores(part.X, model.n_jobs)
        scores[fold == part.fold] = with_floor(raw, cases.take(np.flatnonzero(fold != part.fold)))
    all_rounds = clone(model).set_params(rounds=grown.rounds, early_stopping=0)
    # Nothing is held out, and nothing is followed.
    nothing = HeldOut(-1, reference[:1], cases.y[:1], np.ones(1), cases.prior, rows_also(cases.also, slice(1)))
    last = _grow(spread, all_rounds, (nothing,), reference)
    looked_at = _evenly(cases.y.size, _LOOKED_AT)
    seen = cases.take(looked_at)
    beside = Beside(replace(seen, X=spread.rows(looked_at)))
    fitted: BoostedModel = clone(model)
    return fitted.keep(Trees(last.texts[0], n_classes), beside), scores


def _held_out(spread: Spread, cases: TrainingSet, fold: IntArray, f: int) -> HeldOut:
    rows = np.flatnonzero(fold == f)
    prior = cases.take(np.flatnonzero(fold != f)).prior
    return HeldOut(f, spread.rows(rows), cases.y[rows], cases.weight[rows], prior, rows_also(cases.also, rows))


def _evenly(n: int, most: int) -> IntArray:
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))


def _grow(spread: Spread, model: BoostedModel, parts: tuple[HeldOut, ...], reference: Matrix) -> Grown:
    workers = spread.workers
    machines = _machines(workers)
    told = [(Growing(model, parts, Together(machines, i, reference)),) for i in range(len(workers))]
    grown: list[Grown] = workers.each("grow", told)
    if len({one.digest for one in grown}) > 1:
        raise WorkError("The Dask workers ended with different trees. Have they the same version of LightGBM?")
    for said in dict.fromkeys(grown[0].warnings):
        warnings.warn(said, DiagnosisWarning, stacklevel=3)
    return grown[0]


def _machines(workers: Workers) -> tuple[str, ...]:
    """Return a free port of each worker with its host."""
    hosts = [urlsplit(address).hostname or "" for address in workers.addresses]
    machines: tuple[str, ...] = ()
    while len(set(machines)) < len(hosts):
        ports = workers.each("port", [(host,) for host in hosts])
        machines = tuple(f"{host}:{port}" for host, port in zip(hosts, ports, strict=True))
    return machines


def _check_shares(spread: Spread, cases: TrainingSet, fold: IntArray, held_out: Sequence[int]) -> None:
    for f in held_out:
        learned = np.flatnonzero((fold != f) & (cases.weight > 0))
        n_each = np.histogram(learned, bins=np.array(spread.bounds) - 0.5)[0]
        if not n_each.all():
            raise InputError(
                f"Cases to learn from for each of {len(spread.workers)} Dask workers",
                f"{int((n_each == 0).sum())} have none in a fold",
                "Ask for fewer workers with `dask.workers`.",
            )
