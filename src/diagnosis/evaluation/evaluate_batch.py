"""From suggestions and true diagnoses, plain arrays both, to an `Evaluation`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError, UnknownNameError, nearest
from diagnosis.evaluation.bootstrap import draw_patients
from diagnosis.evaluation.credit import Credit
from diagnosis.evaluation.details import Details, details_of
from diagnosis.evaluation.evaluation import Evaluation, Suppressed
from diagnosis.evaluation.gaps import LOWER_IS_BETTER, Gap, gaps_between
from diagnosis.evaluation.outcomes import score_cases
from diagnosis.evaluation.reference_lists import ListScores
from diagnosis.evaluation.scores import Scores, score_group
from diagnosis.evaluation.small_cells import hidden_cells
from diagnosis.evaluation.suspicion import Suspicion
from diagnosis.models.batch import Batch
from diagnosis.records.labels import OTHER

__all__ = ["PRIMARY", "check_metric", "evaluate_batch", "is_label"]

PRIMARY = "log_loss"
"""The primary metric unless another is declared: strictly proper, so that no other probabilities than the true ones
do better."""

_METRICS = ("top.1", "top.3", "top.5", "top.10", "mrr", "ndcg", "log_loss", "brier")


def evaluate_batch(
    batch: Batch,
    truth: NDArray[np.object_],
    patients: NDArray[np.object_],
    *,
    groups: Mapping[str, NDArray[np.object_]] | None = None,
    weights: NDArray[np.float64] | None = None,
    must_not_miss: NDArray[np.bool_] | None = None,
    suspicions: Sequence[Suspicion] = (),
    n_boot: int = 200,
    seed: int = 0,
    min_cell: int = 10,
    n_unlabelled: int = 0,
    n_seen: int = 0,
    lists: Mapping[str, ListScores] | None = None,
    credit: Credit | None = None,
    sites: NDArray[np.object_] | None = None,
    case: NDArray[np.int64] | None = None,
    primary: str = PRIMARY,
    details: bool = True,
) -> Evaluation:
    """Evaluate a batch of suggestions against the true diagnoses: the core, arrays in and an object out.

    Parameters
    ----------
    batch : Batch of n cases
    truth : ndarray of shape (n,), object
        True diagnoses; cases with None are left out and counted.
    patients : ndarray of shape (n,), object
        Whose case it is; intervals draw patients.
    groups : mapping of str to ndarray of shape (n,), optional
        Values by which to repeat the evaluation.
    weights : ndarray of shape (n,), optional
        Weight of each case, at least 0. None: every case counts 1.
    must_not_miss : ndarray of shape (n,), bool, optional
        Whether the case's diagnosis must not be missed; on top of what the batch says of the diagnoses it names.
    suspicions : sequence of Suspicion
        Carried into the result.
    n_boot, seed, min_cell : int
        As in `evaluate`.
    n_unlabelled : int
        Cases left out before; added to those left out here.
    n_seen : int
        Cases left out because their patient was trained on.
    lists : mapping of str to ListScores, optional
        By reading, beside the reference lists; carried into the result.
    credit : Credit, optional
        What else counts as right, in measures of its own.
    sites : ndarray of shape (n,), object, optional
        Site of each case; with at least two, intervals over draws of whole sites stand beside those over patients.
    case : ndarray of shape (n,), int64, optional
        Which case each row is, where cases were answered several times; each answer then counts as its share of one.
    primary : str
        The one metric declared before looking.
    details : bool
        Also compute `Details` and the gaps between groups.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        Shapes, probabilities or weights that cannot be used.
    """
    cases = _Cases(batch, truth, patients, dict(groups or {}), weights, must_not_miss, credit, sites, case)
    _check(cases, n_boot)
    check_metric(primary)
    labelled = np.flatnonzero(is_label(truth))
    left_out = len(batch) - len(labelled)
    found = _score(cases.take(labelled) if left_out else cases, n_boot, seed, min_cell, details)
    return Evaluation(
        overall=found.overall,
        by=found.by,
        gaps=found.gaps,
        details=found.details,
        n_sites=found.n_sites,
        primary=primary,
        suspicions=tuple(suspicions),
        reading=batch.reading,
        as_of=batch.as_of,
        n_classes=len(batch.diagnoses),
        n_unlabelled=n_unlabelled + left_out,
        n_seen=n_seen,
        weighted=weights is not None,
        lists=dict(lists or {}),
        other=OTHER in batch.diagnoses,
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Cases:
    """What `evaluate_batch` was given, taken apart by case."""

    batch: Batch
    truth: NDArray[np.object_]
    patients: NDArray[np.object_]
    groups: Mapping[str, NDArray[np.object_]]
    weights: NDArray[np.float64] | None
    must_not_miss: NDArray[np.bool_] | None
    credit: Credit | None
    sites: NDArray[np.object_] | None
    case: NDArray[np.int64] | None

    def take(self, rows: NDArray[np.int64]) -> _Cases:
        """Return these cases, in this order."""
        return _Cases(
            self.batch.take(rows),
            self.truth[rows],
            self.patients[rows],
            {name: values[rows] for name, values in self.groups.items()},
            None if self.weights is None else self.weights[rows],
            None if self.must_not_miss is None else self.must_not_miss[rows],
            None if self.credit is None else self.credit.take(rows),
            None if self.sites is None else self.sites[rows],
            None if self.case is None else self.case[rows],
        )

    @property
    def weight(self) -> NDArray[np.float64]:
        """Weight of each row; the answers to one case share its weight."""
        w = np.ones(len(self.batch)) if self.weights is None else self.weights
        return w if self.case is None else w / np.bincount(self.case)[self.case]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Found:
    overall: Scores
    by: dict[str, dict[str, Scores | Suppressed]]
    gaps: tuple[Gap, ...]
    details: Details | None
    n_sites: int


def _score(cases: _Cases, n_boot: int, seed: int, min_cell: int, details: bool) -> _Found:
    batch, weights = cases.batch, cases.weight
    outcomes = score_cases(batch, cases.truth, cases.patients, cases.must_not_miss, cases.credit, cases.case)
    counts = draw_patients(int(outcomes.patient.max()) + 1, n_boot, seed)
    site, site_counts = _sites(cases.sites, n_boot, seed)
    every = np.arange(len(batch))
    overall = score_group(outcomes, batch.proba, every, weights, counts, batch.coverage, 1.0, site, site_counts)
    start = overall.values["calibration.slope"] or 1.0
    by: dict[str, dict[str, Scores | Suppressed]] = {}
    shown: dict[str, dict[str, NDArray[np.int64]]] = {}
    for name, values in cases.groups.items():
        by[name], shown[name] = {}, {}
        members = dict(_members(values))
        sizes = {value: len(np.unique(outcomes.case[rows])) for value, rows in members.items()}
        hidden = hidden_cells({value: (n,) for value, n in sizes.items()}, min_cell)
        for value, rows in members.items():
            if value not in hidden and weights[rows].sum() > 0:
                shown[name][value] = rows
                by[name][value] = score_group(outcomes, batch.proba, rows, weights, counts, batch.coverage, start)
            else:
                by[name][value] = Suppressed(sizes[value], value in hidden and sizes[value] >= min_cell)
    return _Found(
        overall=overall,
        by=by,
        gaps=gaps_between(outcomes, shown, weights, counts) if details else (),
        details=details_of(batch, outcomes, weights, counts, min_cell=min_cell, seed=seed) if details else None,
        n_sites=0 if site_counts is None else site_counts.shape[1],
    )


def _sites(
    sites: NDArray[np.object_] | None, n_boot: int, seed: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.int16] | None]:
    """Number the sites and draw them; nothing with fewer than two. Cases without a site are one of their own."""
    if sites is None:
        return None, None
    # A name cannot begin with this, so that no site shares a number with the cases that have none.
    names, site = np.unique(np.array(["\x00" if s is None else str(s) for s in sites]), return_inverse=True)
    return (None, None) if len(names) < 2 else (site, draw_patients(len(names), n_boot, seed))


def is_label(values: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return which are a diagnosis; None and nan are none."""
    return np.array([v is not None and v == v for v in values], dtype=bool)


def _members(values: NDArray[np.object_]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    names, group = np.unique(values.astype(str), return_inverse=True)
    order = np.argsort(group, kind="stable")
    for name, rows in zip(names, np.split(order, np.cumsum(np.bincount(group))[:-1]), strict=True):
        yield str(name), rows


def _check(cases: _Cases, n_boot: int) -> None:
    n = len(cases.batch)
    given: dict[str, NDArray[Any]] = {
        "truth": cases.truth,
        "patients": cases.patients,
        **{f"groups[{k!r}]": v for k, v in cases.groups.items()},
    }
    more = {"weights": cases.weights, "must_not_miss": cases.must_not_miss, "sites": cases.sites, "case": cases.case}
    given |= {name: values for name, values in more.items() if values is not None}
    for name, values in given.items():
        if values.shape != (n,):
            raise InputError(
                f"An evaluation of {n} cases wants `{name}` of shape ({n},)",
                f"found shape {values.shape}",
                "give one value a case, in the order of the batch",
            )
    w = cases.weights
    if w is not None and not (np.isfinite(w).all() and (w >= 0).all() and w.sum() > 0):
        raise InputError(
            "Weights of cases are finite, at least 0 and not all 0",
            "found others",
            "check the column `weight` of the cases",
        )
    if n_boot < 0:
        raise InputError("Intervals want a number of draws, at least 0", f"found {n_boot}", "use 200, or 0 for none")


def check_metric(name: str) -> None:
    """Refuse a metric that cannot be the primary one, or compared: it is a mean over cases."""
    if name not in _METRICS:
        raise UnknownNameError(
            f"A metric to declare: {', '.join(_METRICS)}",
            f"found {name!r}",
            "use one of these",
            near=nearest(str(name), _METRICS),
        )


def lower_is_better(name: str) -> bool:
    """Whether less of a metric is better."""
    return name in LOWER_IS_BETTER
