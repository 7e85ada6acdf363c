"""From a diagnoser and records to an `Evaluation`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagnosis.errors import InputError, UnknownNameError, nearest
from diagnosis.evaluation.credit import credit_of
from diagnosis.evaluation.doubtful_labels import doubtful_labels
from diagnosis.evaluation.evaluate_batch import PRIMARY, check_metric, evaluate_batch, is_label
from diagnosis.evaluation.evaluation import Evaluation
from diagnosis.evaluation.groups import groups_of
from diagnosis.evaluation.reference_lists import ListScores, score_lists
from diagnosis.evaluation.suspicion import Suspicion
from diagnosis.evaluation.suspicions import find_suspicions, trained_on
from diagnosis.models.batch import Batch
from diagnosis.records.given import checked_records
from diagnosis.records.splits import said_rows

if TYPE_CHECKING:
    from diagnosis.records.records import Records

__all__ = ["Evaluated", "OnSeen", "evaluate", "given_labels", "must_not_miss", "unseen_rows"]

OnSeen = Literal["raise", "leave_out", "report"]
_ON_SEEN = ("raise", "leave_out", "report")

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
    on_seen: OnSeen = "raise",
    primary: str = PRIMARY,
    details: bool = True,
) -> Evaluation:
    """Evaluate a fitted diagnoser on cases it was not fitted on.

    Cases without a diagnosis are left out and counted. A diagnosis the model pooled counts as ``OTHER``; one it
    never saw is a miss. A diagnosis that must not be missed counts as missed where the model cannot name it.

    Parameters
    ----------
    diagnoser : Diagnoser
    records : Records
    by : str or sequence of str
        Groups: ``age_band``, ``year`` or ``quarter`` of the encounter, or categorical columns of `cases` (``sex``,
        ``site``, ``setting`` ...).
    y : array-like of shape (n_cases,), optional
        True diagnoses, instead of those in the records.
    n_boot : int
        Draws of patients for the intervals; 0: no intervals.
    seed : int
    min_cell : int
        Groups of fewer cases are counted and not shown, and the next smallest where all less the others would tell.
    weighted : bool
        Count each case by its `weight` column.
    suspicions : bool
        Also look for what may give the diagnosis away.
    on_seen : {"raise", "leave_out", "report"}
        What becomes of cases of patients the diagnoser was trained on, recognised by salted digests of their ids: they
        are refused by row number, left out and counted, or judged with a suspicion that says so. Records of another
        source that number their patients alike are taken for the same; ``"report"`` is for those.
    primary : str
        The one metric declared before looking: ``log_loss``, ``brier``, ``top.1``, ``top.3`` ...
    details : bool
        Also compute `Details` (calibration of each diagnosis, decision curves, risk-coverage ...) and the gaps between
        groups.

    Returns
    -------
    Evaluation

    Raises
    ------
    UnknownNameError
        A group that is not a column.
    InputError
        No case has a diagnosis, the probabilities are not probabilities, or the diagnoser was trained on patients
        of the records.
    """
    check_metric(primary)
    names = (by,) if isinstance(by, str) else tuple(by)
    groups = groups_of(checked_records(records), names)
    given = given_labels(records, y)
    truth = np.asarray(diagnoser.truth(records, y), dtype=object)
    kept = np.flatnonzero(unseen_rows(diagnoser, records, is_label(truth), on_seen))
    n_seen = int(is_label(truth).sum()) - len(kept)
    if len(kept) == 0:
        raise _nothing_to_judge(len(records), n_seen)
    some = records if len(kept) == len(records) else records[kept]
    named = np.where(is_label(given), given, truth)[kept]
    batch = diagnoser.batch(some)
    found = trained_on(getattr(diagnoser, "training_ids_", None), some)
    if suspicions:
        found = (*found, *_doubts(diagnoser, some, named, batch, truth[kept], seed))
    made = evaluate_batch(
        batch,
        truth[kept],
        some.groups,
        groups={name: values[kept] for name, values in groups.items()},
        weights=some.weight if weighted else None,
        must_not_miss=must_not_miss(records, named),
        suspicions=found,
        n_boot=n_boot,
        seed=seed,
        min_cell=min_cell,
        n_unlabelled=int((~is_label(truth)).sum()),
        n_seen=n_seen,
        lists=_lists(diagnoser, batch, some, named),
        credit=credit_of(some, named),
        sites=some.column("site"),
        primary=primary,
        details=details,
    )
    return replace(made, checked=suspicions)


def _doubts(
    diagnoser: Evaluated,
    records: Records,
    named: NDArray[np.object_],
    batch: Batch,
    truth: NDArray[np.object_],
    seed: int,
) -> tuple[Suspicion, ...]:
    """What is suspicious in the cases as the model reads them (the rest is none), and in its answers to them."""
    as_known = getattr(diagnoser, "as_known", None)
    found = find_suspicions(records if as_known is None else as_known(records), named, seed=seed)
    return (*found, *doubtful_labels(batch, truth).suspicions())


def must_not_miss(records: Records, labels: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return which of these diagnoses must not be missed, by the vocabulary of the records."""
    return np.array([label in records.vocabulary.must_not_miss for label in labels], dtype=bool)


def unseen_rows(diagnoser: Evaluated, records: Records, labelled: NDArray[np.bool_], on_seen: str) -> NDArray[np.bool_]:
    """Return which labelled cases a diagnoser is judged on, given what becomes of patients it was trained on.

    Parameters
    ----------
    diagnoser : Diagnoser
    records : Records of n cases
    labelled : ndarray of shape (n,), bool
    on_seen : {"raise", "leave_out", "report"}

    Raises
    ------
    InputError
        It was trained on patients of theirs, and that is to be refused.
    """
    if on_seen not in _ON_SEEN:
        raise UnknownNameError(
            f"on_seen is one of {', '.join(_ON_SEEN)}",
            f"found {on_seen!r}",
            "use one of these",
            near=nearest(str(on_seen), _ON_SEEN),
        )
    ids = getattr(diagnoser, "training_ids_", None)
    if ids is None or on_seen == "report":
        return labelled
    seen = labelled & ids.seen(records)
    if seen.any() and on_seen == "raise":
        raise InputError(
            "An evaluation wants patients the model was not trained on",
            f"{int(seen.sum()):,} of {len(seen):,} cases are of patients it was trained on, by their ids "
            f"({said_rows(seen)})",
            'Split by patient before fitting. on_seen="leave_out" judges the others alone; on_seen="report" is for ids '
            "of another source that only look the same",
        )
    return labelled & ~seen


def _nothing_to_judge(n: int, n_seen: int) -> InputError:
    if n_seen:
        return InputError(
            "An evaluation wants patients the model was not trained on",
            f"all labelled ones among the {n:,} cases were trained on",
            "give other cases, or use cross_evaluate",
        )
    return InputError(
        "An evaluation wants cases with a diagnosis",
        f"none of the {n} cases has one under the label rule",
        "check `labels`, or give `y`",
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


def given_labels(records: Records, y: ArrayLike | None) -> NDArray[np.object_]:
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
