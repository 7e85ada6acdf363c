"""`site_matrix`: what is learned at each site, tried at each site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from diagnosis.errors import InputError
from diagnosis.evaluation.answered import Answered, answer_labelled
from diagnosis.evaluation.concatenate import concatenate
from diagnosis.evaluation.designs import Part
from diagnosis.evaluation.evaluate import given_labels
from diagnosis.evaluation.evaluate_batch import PRIMARY, check_metric, evaluate_batch, lower_is_better
from diagnosis.evaluation.fits import fit_copy, refuse_seen
from diagnosis.evaluation.progress import watched
from diagnosis.models.folds import grouped_folds
from diagnosis.records.records import Records

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OTHERS", "SiteCell", "SiteMatrix", "site_matrix"]

OTHERS = "all others"
"""The row of fits on all sites but the one tried at."""


@dataclass(frozen=True, slots=True)
class SiteCell:
    """Cases of one site, judged by fits on one site.

    Parameters
    ----------
    n_train, n_test : int
        Cases learned from (on average over folds, at the same site) and judged on.
    left_out : int
        Cases that left because their patient was trained on.
    value : float or None
        None where fewer cases than may be shown.
    interval : (low, high) or None
        95 % over draws of patients.
    """

    n_train: int
    n_test: int
    left_out: int
    value: float | None
    interval: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return plain | {"interval": None if self.interval is None else list(self.interval)}


@dataclass(frozen=True, slots=True, repr=False)
class SiteMatrix:
    """One metric by training site (rows) and test site (columns).

    At the same site, patients are in folds and each is judged by a fit on the others. The last row is of fits on all
    sites but the one tried at.

    Parameters
    ----------
    metric : str
    sites : tuple of str
    cells : tuple of tuple of SiteCell
        A row a training site, then `OTHERS`; a column a test site.
    """

    metric: str
    sites: tuple[str, ...]
    cells: tuple[tuple[SiteCell, ...], ...]

    @property
    def values(self) -> NDArray[np.float64]:
        """The metric, shape (n_sites + 1, n_sites); nan where it is not shown."""
        return np.array([[np.nan if c.value is None else c.value for c in row] for row in self.cells], dtype=float)

    @property
    def loss_elsewhere(self) -> float:
        """By how much other single sites do worse than the own one, on average over the pairs that are shown."""
        own, n = np.diag(self.values[:-1]), len(self.sites)
        away = self.values[:-1][~np.eye(n, dtype=bool)].reshape(n, n - 1, order="C")
        columns = np.array([[j for j in range(n) if j != i] for i in range(n)])
        gaps = (away - own[columns]) * (1.0 if lower_is_better(self.metric) else -1.0)
        return float(np.nanmean(gaps)) if np.isfinite(gaps).any() else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "metric": self.metric,
            "sites": list(self.sites),
            "rows": [*self.sites, OTHERS],
            "cells": [[cell.to_json() for cell in row] for row in self.cells],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the metric, a row a training site and a column a test site."""
        import pandas as pd

        return pd.DataFrame(self.values, index=[*self.sites, OTHERS], columns=list(self.sites))

    def __repr__(self) -> str:
        width = max(12, *(len(name) + 2 for name in self.sites))
        rows = [f"{'trained at':16}" + "".join(f"{name:>{width}}" for name in self.sites)]
        for name, row in zip([*self.sites, OTHERS], self.cells, strict=True):
            shown = ("–" if cell.value is None else f"{cell.value:.3f}" for cell in row)
            rows.append(f"{name[:16]:16}" + "".join(f"{text:>{width}}" for text in shown))
        return "\n".join([f"{self.metric} by training site (rows) and test site (columns)", "", *rows])

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.metric)}</p>{self.to_frame().to_html(float_format='{:.3f}'.format, na_rep='–')}"


def site_matrix(
    diagnoser: Any,
    records: Records,
    *,
    metric: str = PRIMARY,
    y: ArrayLike | None = None,
    folds: int = 5,
    n_boot: int = 200,
    seed: int = 0,
    min_cell: int = 10,
    n_jobs: int = 1,
) -> SiteMatrix:
    """Fit copies at each site, and at all but each, and try them at every site.

    Patients who are trained on leave the test side and are counted. Cases without a site take no part.

    Parameters
    ----------
    diagnoser : Diagnoser, search or classifier over records
        Copies are fitted.
    records : Records
        With the column `site` of cases.
    metric : str
        ``log_loss``, ``top.1`` ...
    y : array-like of shape (n_cases,), optional
        True diagnoses, instead of those in the records.
    folds : int
        Folds of patients for training and testing at the same site.
    n_boot, seed, min_cell
        As in `evaluate`.
    n_jobs : int
        Fits at once, each in a process of its own.

    Raises
    ------
    InputError
        Fewer than two sites, or one whose cases cannot be fitted on.
    """
    check_metric(metric)
    column, named = records.column("site"), given_labels(records, y)
    sites = sorted({str(one) for one in column if one is not None})
    if len(sites) < 2:
        raise InputError("At least two sites in cases", f"found {len(sites)}", "fill the column site")
    place = {name: i for i, name in enumerate(sites)}
    site = np.array([-1 if one is None else place[str(one)] for one in column])
    work = _work(records, named, site, len(sites), folds, seed)
    given = None if y is None else named
    fits = (delayed(_fit)(diagnoser, records, given, train, tests) for _, train, tests in work)
    answers = watched(Parallel(n_jobs=n_jobs, return_as="generator")(fits), len(work), f"Fit {len(work)} times")
    found: dict[tuple[int, int], list[tuple[int, Part, Answered]]] = {}
    for (row, train, tests), made in zip(work, answers, strict=True):
        for (to, part), answer in zip(tests, made, strict=True):
            found.setdefault((row, to), []).append((len(train), part, answer))
    judge = (metric, n_boot, seed, min_cell)
    rows = [[_cell(found[r, c], records, *judge) for c in range(len(sites))] for r in range(len(sites) + 1)]
    return SiteMatrix(metric, tuple(sites), tuple(map(tuple, rows)))


Work = tuple[int, NDArray[np.int64], list[tuple[int, Part]]]


def _work(
    records: Records, named: NDArray[np.object_], site: NDArray[np.int64], n_sites: int, folds: int, seed: int
) -> list[Work]:
    """Every fit: its row, the cases it learns from, and the parts it is tried on with their columns."""
    patients = records.groups.astype(str)
    work: list[Work] = []
    for s in range(n_sites):
        own = np.flatnonzero(site == s)
        fold = grouped_folds(named[own].astype(str), patients[own], folds, seed)
        sides = [(own[fold != f], own[fold == f]) for f in range(int(fold.max()) + 1)]
        work += [(s, train, [(s, Part("", train, test))]) for train, test in sides]
        others = [o for o in range(n_sites) if o != s]
        work.append((s, own, [(o, _elsewhere(patients, own, np.flatnonzero(site == o))) for o in others]))
        rest = np.flatnonzero((site >= 0) & (site != s))
        work.append((n_sites, rest, [(s, _elsewhere(patients, rest, own))]))
    return work


def _elsewhere(patients: NDArray[Any], train: NDArray[np.int64], test: NDArray[np.int64]) -> Part:
    returning = np.isin(patients[test], patients[train])
    return Part("", train, test[~returning], int(returning.sum()))


def _fit(
    estimator: Any,
    records: Records,
    y: NDArray[np.object_] | None,
    train: NDArray[np.int64],
    tests: Sequence[tuple[int, Part]],
) -> list[Answered]:
    fitted = fit_copy(estimator, records[train], None if y is None else y[train])
    made = []
    for _, part in tests:
        refuse_seen(fitted, records[part.test])
        made.append(answer_labelled(fitted, records, y, part.test))
    return made


def _cell(
    found: Sequence[tuple[int, Part, Answered]], records: Records, metric: str, n_boot: int, seed: int, min_cell: int
) -> SiteCell:
    n_train = round(float(np.mean([n for n, _, _ in found])))
    left_out = sum(part.left_out for _, part, _ in found)
    some = [answer for _, _, answer in found if len(answer)]
    rows = np.concatenate([one.rows for one in some]) if some else np.empty(0, np.int64)
    if len(rows) < max(min_cell, 1):
        return SiteCell(n_train, len(rows), left_out, None, None)
    judged = evaluate_batch(
        concatenate([one.batch for one in some]),
        np.concatenate([one.truth for one in some]),
        records.groups[rows],
        n_boot=n_boot,
        seed=seed,
        details=False,
    ).overall
    return SiteCell(n_train, len(rows), left_out, judged.values[metric], judged.intervals.get(metric))
