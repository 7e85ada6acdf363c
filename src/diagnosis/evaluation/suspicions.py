"""Reasons to doubt a figure, looked for in the evaluated cases themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diagnosis.errors import InputError
from diagnosis.evaluation.cohort import follow_up, known_later
from diagnosis.evaluation.context_leaks import told_by_place_or_date
from diagnosis.evaluation.duplicates import inside_train, near_duplicates
from diagnosis.evaluation.leaks import names_diagnosis
from diagnosis.evaluation.recording import recording_pattern
from diagnosis.evaluation.single_findings import one_finding_rules, reference_results, treatment_codes
from diagnosis.evaluation.suspicion import Suspicion

if TYPE_CHECKING:
    from diagnosis.records.records import Records
    from diagnosis.suggestions.training_ids import TrainingIds

__all__ = ["between_sides", "find_suspicions", "score_jump", "trained_on"]

_MOST = 20
_LEAST_JUMP = 0.03
_ERRORS = 3.0


def find_suspicions(
    records: Records, labels: NDArray[np.object_] | None = None, *, train: Records | None = None, seed: int = 0
) -> tuple[Suspicion, ...]:
    """Look for what may give the diagnosis of these cases away.

    Names of the diagnosis among its findings; findings known after the moment; copies and near-copies of cases of
    other patients, among these and in training; single findings that settle a diagnosis; treatments; results next to
    the reference standard; a recording pattern that does most of the work; a site, group or date that names the
    diagnosis; follow-up visits. None is proof: each says what to look at before the figures are believed.

    Parameters
    ----------
    records : Records of n cases
    labels : ndarray of shape (n,), object, optional
        The diagnosis of each case; none missing. Those of the records when not given, of the cases that have one.
    train : Records, optional
        The cases the model was trained on, where they are at hand: copies across the split are looked for.
    seed : int
        Which cases the checks that take a part of many cases take, and how they are folded.

    Returns
    -------
    tuple of Suspicion
        By kind; at most 20 of a kind, the rest counted in one more.
    """
    if labels is None:
        has = np.array([one is not None for one in records.y], dtype=bool)
        records = records if has.all() else records[has]
        labels = records.y
    labels = labels.astype(str)
    found = (
        names_diagnosis(records, labels),
        known_later(records),
        [] if train is None else inside_train(records, train, seed=seed),
        near_duplicates(records, labels, seed=seed),
        one_finding_rules(records, labels),
        treatment_codes(records, labels),
        reference_results(records, labels, seed=seed),
        recording_pattern(records, labels, seed=seed),
        told_by_place_or_date(records, labels, seed=seed),
        follow_up(records),
    )
    return tuple(s for kind in found for s in _shortened(kind))


def score_jump(cross_validated: float, n_train: int, tested: float, n_test: int) -> tuple[Suspicion, ...]:
    """Say where the test score is not the one cross-validation led to expect.

    Looked at as two independent shares (top-1, say): a difference of more than 3 points and 3 standard errors.
    Upwards it speaks of test cases the training knew; downwards of sides that differ, or of choices made on the
    cross-validated cases.

    Parameters
    ----------
    cross_validated, tested : float
        The same share by cross-validation of the training cases and on the test cases.
    n_train, n_test : int
        Cases behind them.

    Raises
    ------
    InputError
        A share outside 0 to 1, or no cases.
    """
    if not (0 <= cross_validated <= 1 and 0 <= tested <= 1 and n_train > 0 and n_test > 0):
        raise InputError(
            "Two shares from 0 to 1, each of one case or more",
            f"found {cross_validated!r} of {n_train!r} and {tested!r} of {n_test!r}",
            "give the same metric of both, for instance top-1",
        )
    jump = tested - cross_validated
    pooled = (cross_validated * n_train + tested * n_test) / (n_train + n_test)
    error = math.sqrt(max(pooled * (1 - pooled), 1e-12) * (1 / n_train + 1 / n_test))
    if abs(jump) <= max(_LEAST_JUMP, _ERRORS * error):
        return ()
    why = (
        "test cases may stand in training, or be easier ones"
        if jump > 0
        else "the two sides differ, or too much was chosen on the cross-validated cases"
    )
    says = (
        f"{tested:.0%} on {n_test:,} test cases where cross-validation of {n_train:,} training cases gives "
        f"{cross_validated:.0%}, a jump of {jump / error:+.1f} standard errors: {why}."
    )
    return (Suspicion("score_jump", says, n_test, abs(jump)),)


def between_sides(
    records: Records, train: Records, tested: float | None, cross: tuple[float | None, int] | None, *, seed: int = 0
) -> tuple[Suspicion, ...]:
    """Look at both sides of a split: copies of training cases among the tested, and a jump of the score.

    Parameters
    ----------
    records, train : Records
        As the model reads them.
    tested : float or None
        Top-1 of the tested cases.
    cross : (float or None, int), optional
        Top-1 by cross-validation of the training cases, and how many.
    """
    found = tuple(inside_train(records, train, seed=seed))
    if cross is None or cross[0] is None or tested is None:
        return found
    return (*found, *score_jump(cross[0], cross[1], tested, len(records)))


def trained_on(ids: TrainingIds | None, records: Records) -> tuple[Suspicion, ...]:
    """Say how many cases, or other cases of the same patients, the model was trained on; no id is named.

    Parameters
    ----------
    ids : TrainingIds or None
        None, or empty, where they did not travel with the model: nothing can be said then.
    records : Records
    """
    if ids is None or not len(ids) or not len(records):
        return ()
    n = int(ids.seen(records).sum())
    if not n:
        return ()
    share = n / len(records)
    says = (
        f"{n:,} of {len(records):,} cases ({share:.0%}) are of patients the model was trained on, by their ids: "
        "figures on them are too good. Leave them out, unless the ids of another source only look the same."
    )
    return (Suspicion("trained_on", says, n, share),)


def _shortened(found: Sequence[Suspicion]) -> list[Suspicion]:
    if len(found) <= _MOST:
        return list(found)
    rest = found[_MOST:]
    says = f"{len(rest):,} more of this kind, in up to {rest[0].n:,} cases each."
    return [*found[:_MOST], Suspicion(rest[0].kind, says, rest[0].n, max(s.share for s in rest))]
