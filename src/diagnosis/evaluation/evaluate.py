"""From a diagnoser and records, or from plain arrays, to an `Evaluation`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagnosis.errors import InputError
from diagnosis.evaluation.bootstrap import draw_patients
from diagnosis.evaluation.evaluation import Evaluation, Suppressed
from diagnosis.evaluation.groups import groups_of
from diagnosis.evaluation.outcomes import score_cases
from diagnosis.evaluation.reference_lists import ListScores, score_lists
from diagnosis.evaluation.scores import Scores, score_group
from diagnosis.evaluation.suspicion import Suspicion
from diagnosis.evaluation.suspicions import find_suspicions, trained_on
from diagnosis.models.batch import Batch

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["Evaluated", "evaluate", "evaluate_batch"]

# Severity 1 = can kill today ... 5; the authors of DDXPlus call 1 and 2 severe.
_SEVERE, _MILDEST = 2, 5


class Evaluated(Protocol):
    """What can be evaluated: a fitted `Diagnoser`, or anything that answers cases with a `Batch`."""

    def batch(self, records: Records) -> Batch:
        """Probabilities, sets and flags of each case."""
        ...

    def truth(self, records: Records, y: ArrayLike | None = None) -> NDArray[np.object_]:
        """The true diagnosis of each case as the model could name it; None where there is none."""
        ...


def evaluate(
    diagnoser: Evaluated,
    records: Records,
    *,
    by: str | Sequence[str] = (),
    y: ArrayLike | None = None,
    n_boot: int = 200,
    seed: int = 0,
    min_cell: int = 10,
    weighted: bool = False,
    suspicions: bool = True,
) -> Evaluation:
    """Evaluate a fitted diagnoser on cases it was not fitted on.

    Cases without a diagnosis are left out and counted. A diagnosis the model pooled counts as ``OTHER``; one it
    never saw is a miss. A diagnosis that must not be missed counts as missed where the model cannot name it.

    Parameters
    ----------
    diagnoser : Diagnoser
    records : Records
    by : str or sequence of str
        Groups: ``age_band`` or categorical columns of `cases` (``sex``, ``site``, ``setting`` ...).
    y : array-like of shape (n_cases,), optional
        True diagnoses, instead of those in the records.
    n_boot : int
        Draws of patients for the intervals; 0: no intervals.
    seed : int
    min_cell : int
        Groups of fewer cases are counted and not shown.
    weighted : bool
        Count each case by its `weight` column.
    suspicions : bool
        Also look for what may give the diagnosis away. That patients were trained on is said in any case.

    Returns
    -------
    Evaluation

    Raises
    ------
    UnknownNameError
        A group that is not a column.
    InputError
        No case has a diagnosis, or the probabilities are not probabilities.
    """
    names = (by,) if isinstance(by, str) else tuple(by)
    groups = groups_of(records, names)
    given = _given(records, y)
    truth = np.asarray(diagnoser.truth(records, y), dtype=object)
    kept = _labelled(truth)
    if len(kept) == 0:
        raise InputError(
            "An evaluation wants cases with a diagnosis",
            f"none of the {len(records)} cases has one under the label rule",
            "check `labels`, or give `y`",
        )
    some = records if len(kept) == len(records) else records[kept]
    named = np.where(_is_label(given), given, truth)[kept]
    as_known = getattr(diagnoser, "as_known", None)  # what the model does not read is no suspicion
    found = find_suspicions(some if as_known is None else as_known(some), named, seed=seed) if suspicions else ()
    seen = getattr(diagnoser, "training_ids_", None)
    found = (*trained_on(seen, some), *found)
    batch = diagnoser.batch(some)
    return evaluate_batch(
        batch,
        truth[kept],
        some.groups,
        groups={name: values[kept] for name, values in groups.items()},
        weights=some.weight if weighted else None,
        must_not_miss=np.array([label in records.vocabulary.must_not_miss for label in named], dtype=bool),
        suspicions=found,
        n_boot=n_boot,
        seed=seed,
        min_cell=min_cell,
        n_unlabelled=len(records) - len(kept),
        lists=_lists(diagnoser, batch, some, named),
    )


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
    lists: Mapping[str, ListScores] | None = None,
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
    lists : mapping of str to ListScores, optional
        By reading, beside the reference lists; carried into the result.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        Shapes, probabilities or weights that cannot be used.
    """
    cases = _Cases(batch, truth, patients, dict(groups or {}), weights, must_not_miss)
    _check(cases, n_boot)
    labelled = _labelled(truth)
    left_out = len(batch) - len(labelled)
    overall, by = _score(cases.take(labelled) if left_out else cases, n_boot, seed, min_cell)
    return Evaluation(
        overall=overall,
        by=by,
        suspicions=tuple(suspicions),
        reading=batch.reading,
        as_of=batch.as_of,
        n_classes=len(batch.diagnoses),
        n_unlabelled=n_unlabelled + left_out,
        weighted=weights is not None,
        lists=dict(lists or {}),
    )


def _lists(diagnoser: Evaluated, batch: Batch, records: Records, truth: NDArray[np.object_]) -> dict[str, ListScores]:
    """Each reading the diagnoser has learned beside the reference lists of the cases, where these have any."""
    reference = records.column("differential")
    if not any(one for one in reference):
        return {}
    readings = {"posterior": (batch.proba, batch.diagnoses)}
    if getattr(diagnoser, "reading_", None) is not None:
        learned: Any = diagnoser
        readings["differential"] = learned.predict_differential(records), learned.codes("differential")
    words = records.vocabulary
    severe = {code for code in words.diagnoses if (words.severity(code) or _MILDEST) <= _SEVERE}
    return {
        name: score_lists(proba, codes, reference, truth, severe=severe) for name, (proba, codes) in readings.items()
    }


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Cases:
    """What `evaluate_batch` was given, taken apart by case."""

    batch: Batch
    truth: NDArray[np.object_]
    patients: NDArray[np.object_]
    groups: Mapping[str, NDArray[np.object_]]
    weights: NDArray[np.float64] | None
    must_not_miss: NDArray[np.bool_] | None

    def take(self, rows: NDArray[np.int64]) -> _Cases:
        """Return these cases, in this order."""
        return _Cases(
            self.batch.take(rows),
            self.truth[rows],
            self.patients[rows],
            {name: values[rows] for name, values in self.groups.items()},
            None if self.weights is None else self.weights[rows],
            None if self.must_not_miss is None else self.must_not_miss[rows],
        )


def _score(
    cases: _Cases, n_boot: int, seed: int, min_cell: int
) -> tuple[Scores, dict[str, dict[str, Scores | Suppressed]]]:
    batch = cases.batch
    outcomes = score_cases(batch, cases.truth, cases.patients, cases.must_not_miss)
    weights = np.ones(len(batch)) if cases.weights is None else cases.weights
    counts = draw_patients(int(outcomes.patient.max()) + 1, n_boot, seed)

    def score(rows: NDArray[np.int64], start: float) -> Scores:
        """Score some of the cases; the search for their calibration slope begins at `start`."""
        return score_group(outcomes, batch.proba, rows, weights, counts, batch.coverage, start)

    overall = score(np.arange(len(batch)), 1.0)
    start = overall.values["calibration.slope"] or 1.0
    by: dict[str, dict[str, Scores | Suppressed]] = {}
    for name, values in cases.groups.items():
        by[name] = {}
        for value, rows in _members(values):
            shown = len(rows) >= max(min_cell, 1) and weights[rows].sum() > 0
            by[name][value] = score(rows, start) if shown else Suppressed(len(rows))
    return overall, by


def _labelled(truth: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the rows with a diagnosis; None and nan are none."""
    return np.flatnonzero(_is_label(truth))


def _is_label(values: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.array([v is not None and v == v for v in values], dtype=bool)


def _given(records: Records, y: ArrayLike | None) -> NDArray[np.object_]:
    """Return the diagnoses as they were written down, before rare ones were pooled."""
    if y is None:
        return records.y
    given = np.asarray(y, dtype=object)
    if given.shape != (len(records),):
        raise InputError(
            f"An evaluation of {len(records)} cases wants one `y` a case",
            f"found shape {given.shape}",
            "give diagnoses in the order of the cases",
        )
    return given


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
    given |= {k: v for k, v in (("weights", cases.weights), ("must_not_miss", cases.must_not_miss)) if v is not None}
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
