"""`cross_evaluate`: fit copies by a design, and judge every case by fits that have not seen its patient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from diagnosis.errors import InputError, nearest
from diagnosis.evaluation.answered import Answered, Judging, answer_part, pooled
from diagnosis.evaluation.cross_evaluation import CrossEvaluation, HeldOut, OptimismOf
from diagnosis.evaluation.designs import By, parts_of
from diagnosis.evaluation.evaluate import given_labels
from diagnosis.evaluation.evaluate_batch import PRIMARY, check_metric, evaluate_batch, is_label
from diagnosis.evaluation.groups import groups_of
from diagnosis.evaluation.optimism import optimism_of
from diagnosis.evaluation.progress import watched

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["FEW_CASES", "Method", "cross_evaluate"]

Method = Literal["auto", "folds", "bootstrap"]
_METHODS = ("auto", "folds", "bootstrap")

FEW_CASES = 5000
"""Below so many labelled cases every one is needed to learn from: the bootstrap judges the fit on all of them."""


def cross_evaluate(
    diagnoser: Any,
    records: Records,
    by: By | Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]] = "patient",
    *,
    method: Method = "folds",
    y: ArrayLike | None = None,
    show_by: str | Sequence[str] = (),
    folds: int = 5,
    repeats: int = 1,
    draws: int = 100,
    baselines: bool = True,
    n_boot: int = 200,
    seed: int = 0,
    min_cell: int = 10,
    primary: str = PRIMARY,
    suspicions: bool = True,
    n_jobs: int = 1,
) -> CrossEvaluation:
    """Fit copies of a diagnoser on parts of the records and evaluate them on patients they have not seen.

    Every step is repeated in every fit, since the whole estimator is fitted anew: choice of codes, pooling, weights,
    temperature, sets, thresholds. What a fit calibrates on belongs to its training side and is never tested on.

    Parameters
    ----------
    diagnoser : Diagnoser, search or classifier over records
        Unfitted, or fitted: copies are fitted. A search such as scikit-learn's `GridSearchCV` tunes inside each
        training side (nested cross-validation).
    records : Records
    by : {"patient", "site", "time", "group"} or iterable of (train, test)
        ``patient``: patients at random. ``site``: each site left out once. ``group``: each group, or folds of groups.
        ``time``: from the past to the next period, step by step. Except by patient, test cases of patients who are
        trained on are left out and counted. Pairs of positions of your own are refused where they share a patient.
    method : {"folds", "bootstrap", "auto"}
        By patient: cross-validation alone, or with a bootstrap beside it that corrects the figures of the fit on all
        cases for optimism (Harrell, Lee and Mark, Statistics in Medicine 15:361, 1996), at the price of `draws` fits
        more; ``"auto"`` asks for it below 5,000 labelled cases, where it is worth its price. A corrected figure that
        cross-validation does not allow is not believed, see `OptimismOf`.
    y : array-like of shape (n_cases,), optional
        True diagnoses, instead of those in the records.
    show_by : str or sequence of str
        Groups in the tables, as `by` of `evaluate`.
    folds, repeats : int
        Of cross-validation; repeats deal the patients anew.
    draws : int
        Refits of the bootstrap, each as dear as a fit; a bar shows how far they are.
    baselines : bool
        Also fit the prior, age and sex alone, and naive Bayes on each training side.
    n_boot, seed, min_cell, primary, suspicions
        As in `evaluate`.
    n_jobs : int
        Fits at once, each in a process of its own.

    Returns
    -------
    CrossEvaluation

    Raises
    ------
    InputError
        The design cannot be laid out, a patient is on both sides, or a side has no case with a diagnosis.
    """
    check_metric(primary)
    names = (show_by,) if isinstance(show_by, str) else tuple(show_by)
    judging = Judging(
        records=records,
        y=None if y is None else given_labels(records, y),
        named=given_labels(records, y),
        groups=groups_of(records, names),
        n_boot=n_boot,
        seed=seed,
        min_cell=min_cell,
        primary=primary,
        suspicions=suspicions,
    )
    bootstrap = _is_bootstrap(by, method, int(is_label(judging.named).sum()))
    parts = parts_of(records, judging.named, by, folds=folds, repeats=repeats, seed=seed)
    fits = (delayed(answer_part)(diagnoser, records, judging.y, part, baselines=baselines) for part in parts)
    text = f"Fit {len(parts)} times"
    answered = list(watched(Parallel(n_jobs=n_jobs, return_as="generator")(fits), len(parts), text))
    evaluation = pooled(judging, [one for one in answered if len(one)])
    optimism: tuple[OptimismOf, ...] = ()
    if bootstrap:
        optimism = optimism_of(diagnoser, judging, evaluation.overall, draws=draws, n_jobs=n_jobs)
    return CrossEvaluation(
        evaluation=evaluation,
        by=by if isinstance(by, str) else "given",
        method="bootstrap" if bootstrap else "folds",
        n_fits=len(parts) + (draws + 1 if bootstrap else 0),
        parts=tuple(_held_out(judging, answered)),
        optimism=optimism,
    )


def _is_bootstrap(by: object, method: str, n_labelled: int) -> bool:
    if method not in _METHODS:
        near = nearest(str(method), _METHODS)
        raise InputError(f"a method: {', '.join(_METHODS)}", f"found {method!r}", "use one of these", near=near)
    if by != "patient":
        if method == "bootstrap":
            raise InputError(
                "The bootstrap draws patients", f"asked for by={by!r}", 'use by="patient", or method="folds"'
            )
        return False
    return method == "bootstrap" or (method == "auto" and n_labelled < FEW_CASES)


def _held_out(judging: Judging, answered: Sequence[Answered]) -> Iterator[HeldOut]:
    """Judge each fit by itself, without intervals; too few cases are counted and not shown."""
    for one in answered:
        values: dict[str, float | None] = {}
        if len(one) >= max(judging.min_cell, 1):
            patients = judging.records.groups[one.rows]
            values = dict(evaluate_batch(one.batch, one.truth, patients, n_boot=0, details=False).overall.values)
        yield HeldOut(one.name, one.n_train, len(one), one.left_out, values)
