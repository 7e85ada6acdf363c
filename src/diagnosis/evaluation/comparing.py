"""`compare`: two or more fitted diagnosers on the same cases, pair by pair, with one metric declared before looking."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diagnosis.errors import DiagnosisWarning, InputError
from diagnosis.evaluation.bootstrap import Ratio, draw_patients, interval, ratio_draws
from diagnosis.evaluation.evaluate import Evaluated, OnSeen, given_labels, unseen_rows
from diagnosis.evaluation.evaluate_batch import PRIMARY, check_metric, is_label, lower_is_better
from diagnosis.evaluation.outcomes import score_cases
from diagnosis.evaluation.scores import ratios_of
from diagnosis.models.batch import Batch
from diagnosis.records.given import checked_records
from diagnosis.records.labels import OTHER

if TYPE_CHECKING:
    import pandas as pd

    from diagnosis.records.records import Records

__all__ = ["Comparison", "Difference", "compare", "holm"]

_METRICS = ("top.1", "top.3", "top.5", "mrr", "log_loss", "brier")


@dataclass(frozen=True, slots=True)
class Difference:
    """One diagnoser against the first, by one metric, on the same cases.

    Parameters
    ----------
    name, reference : str
    metric : str
    value, reference_value : float
    difference : float
        ``value - reference_value``.
    interval : (low, high) or None
        Central 95 % over draws of patients.
    p : float or None
        Two-sided, of the primary metric alone: twice the smaller share of draws on either side of 0, the cases as
        they are counted as one more. None of one patient alone.
    p_holm : float or None
        The same corrected for the number of comparisons (Holm, Scandinavian Journal of Statistics 6:65, 1979).
    """

    name: str
    reference: str
    metric: str
    value: float
    reference_value: float
    difference: float
    interval: tuple[float, float] | None
    p: float | None = None
    p_holm: float | None = None

    @property
    def better(self) -> bool:
        """Whether the estimate is better than that of the first."""
        return self.difference < 0 if lower_is_better(self.metric) else self.difference > 0

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return plain | {"interval": None if self.interval is None else list(self.interval), "better": self.better}


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """Diagnosers against the first of them, on the same cases.

    Parameters
    ----------
    primary : str
        The metric that was declared; it alone has p-values.
    n, n_patients, n_boot : int
        Cases and patients compared on, and draws.
    differences : tuple of Difference
        Every other diagnoser and metric, the primary one first.
    n_seen : int
        Cases left out because one of them was trained on their patients.
    """

    primary: str
    n: int
    n_patients: int
    n_boot: int
    differences: tuple[Difference, ...]
    n_seen: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain: dict[str, Any] = {
            name: getattr(self, name) for name in ("primary", "n", "n_patients", "n_boot", "n_seen")
        }
        return plain | {"differences": [one.to_json() for one in self.differences]}

    def to_frame(self) -> pd.DataFrame:
        """Return one row a diagnoser and metric."""
        import pandas as pd

        rows = []
        for one in self.differences:
            low, high = one.interval or (None, None)
            rows.append({k: v for k, v in one.to_json().items() if k != "interval"} | {"low": low, "high": high})
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        head = f"Comparison on {self.n:,} cases of {self.n_patients:,} patients; declared: {self.primary}"
        if self.n_seen:
            head += f"\n{self.n_seen:,} case{'s' if self.n_seen > 1 else ''} of patients trained on left out"
        rows = [
            f"{'':24}{'metric':>10}{'first':>9}{'this':>9}{'difference':>12}{'95 % interval':>20}{'p':>8}{'Holm':>8}"
        ]
        for one in self.differences:
            ends = "" if one.interval is None else f"{one.interval[0]:+.3f} to {one.interval[1]:+.3f}"
            tail = "".join(f"{'' if p is None else f'{p:.3f}':>8}" for p in (one.p, one.p_holm))
            numbers = f"{one.reference_value:>9.3f}{one.value:>9.3f}{one.difference:>+12.3f}"
            rows.append(f"{one.name[:24]:24}{one.metric:>10}{numbers}{ends:>20}{tail}".rstrip())
        return "\n".join([head, "", *rows])


def compare(
    first: Evaluated,
    other: Evaluated | Sequence[Evaluated],
    records: Records,
    *,
    primary: str = PRIMARY,
    y: ArrayLike | None = None,
    n_boot: int = 2000,
    seed: int = 0,
    on_seen: OnSeen = "raise",
) -> Comparison:
    """Compare fitted diagnosers on cases none of them was fitted on, case by case.

    Each diagnoser is asked about the same cases; a draw takes the same patients for all. A diagnosis that one of them
    pooled counts as ``OTHER`` for all, what the others say of it too: who pools more would else look better. Cases that
    any of them finds without a diagnosis are left out for all.

    Parameters
    ----------
    first : Diagnoser
        The reference.
    other : Diagnoser or sequence of Diagnoser
        What is compared with it; the p-values of several are corrected by Holm's method.
    records : Records
    primary : str
        The one metric declared before looking: ``log_loss``, ``brier``, ``mrr``, ``top.1`` ... The others are shown
        with intervals and without p-values.
    y : array-like of shape (n_cases,), optional
        True diagnoses, instead of those in the records.
    n_boot : int
        Draws of patients; at least 1.
    seed : int
    on_seen
        As in `evaluate`; where such cases are judged all the same, a `DiagnosisWarning` counts them.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        No case has a diagnosis for all of them, or one of them was trained on patients of the records.
    """
    check_metric(primary)
    others = list(other) if isinstance(other, Sequence) else [other]
    if not others or n_boot < 1:
        raise InputError(
            "At least two diagnosers and one draw",
            f"found {1 + len(others)} and {n_boot}",
            "give two diagnosers, and for example n_boot=2000",
        )
    everyone = [first, *others]
    checked_records(records)
    y = None if y is None else given_labels(records, y)
    truths = [np.asarray(one.truth(records, y), dtype=object) for one in everyone]
    labelled = np.logical_and.reduce([is_label(truth) for truth in truths])
    kept = np.flatnonzero(np.logical_and.reduce([unseen_rows(one, records, labelled, on_seen) for one in everyone]))
    if not len(kept):
        raise InputError("Cases with a diagnosis to compare on", "found none", "check the labels, or give `y`")
    some, names = records[kept], _names(everyone)
    _warn_of_moments(everyone)
    _warn_of_seen(everyone, some)
    _, patient = np.unique(some.groups.astype(str), return_inverse=True)
    metrics = tuple(dict.fromkeys((primary, *_METRICS)))
    ratios = []
    pooled = frozenset().union(*(_pooled(one) for one in everyone))
    for one, truth in zip(everyone, truths, strict=True):
        named = np.array([OTHER if t in pooled else t for t in truth[kept]], dtype=object)
        every = ratios_of(score_cases(_coarse(one.batch(some), pooled), named, some.groups))
        ratios.append({metric: every[metric] for metric in metrics})
    counts = draw_patients(int(patient.max()) + 1, n_boot, seed)
    found: list[Difference] = []
    for name, own in zip(names[1:], ratios[1:], strict=True):
        found += _differences(name, names[0], own, ratios[0], counts, patient)
    n_seen = int(labelled.sum()) - len(kept)
    return Comparison(primary, len(kept), counts.shape[1], n_boot, _corrected(found, primary), n_seen)


def _warn_of_moments(everyone: Sequence[Evaluated]) -> None:
    moments = [str(getattr(one, "moment", "end")) for one in everyone]
    if len(set(moments)) > 1:
        says = f"The diagnosers answer as of different moments ({', '.join(moments)}): who sees more does better by it."
        warnings.warn(says, DiagnosisWarning, stacklevel=3)


def _warn_of_seen(everyone: Sequence[Evaluated], records: Records) -> None:
    """Say it where cases are judged all the same that one of them was trained on: it does better by it."""
    known = [ids for one in everyone if (ids := getattr(one, "training_ids_", None)) is not None]
    n = int(np.logical_or.reduce([ids.seen(records) for ids in known]).sum()) if known else 0
    if n:
        says = f"{n:,} of {len(records):,} cases are of patients that one of the models was trained on, by their ids."
        warnings.warn(says, DiagnosisWarning, stacklevel=3)


def _pooled(diagnoser: Evaluated) -> frozenset[str]:
    """The diagnoses that this one knows as `OTHER` alone."""
    return frozenset(getattr(diagnoser, "pooled_", ())) if getattr(diagnoser, "rest", "") == "other" else frozenset()


def _coarse(batch: Batch, pooled: frozenset[str]) -> Batch:
    """Put what a batch says of these diagnoses into its `OTHER`."""
    names = [OTHER if str(d) in pooled else str(d) for d in batch.diagnoses]
    if names == batch.diagnoses.tolist():
        return batch
    kept = list(dict.fromkeys(names))
    into = np.zeros((len(names), len(kept)))
    into[np.arange(len(names)), [kept.index(name) for name in names]] = 1.0
    return replace(
        batch,
        diagnoses=np.array(kept, dtype=object),
        proba=batch.proba @ into,
        in_set=batch.in_set @ into > 0,
        flagged=batch.flagged @ into > 0,
        prior=batch.prior @ into,
        must_not_miss=batch.must_not_miss @ into > 0,
        n_train=(batch.n_train @ into).astype(np.int64),
        nameable=None if batch.nameable is None else batch.nameable @ into > 0,
    )


def holm(p: Sequence[float]) -> list[float]:
    """Correct p-values for their number by Holm's step-down method, in the order given.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    made, least = [1.0] * len(p), 0.0
    for step, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        least = max(least, min(1.0, (len(p) - step) * p[i]))
        made[i] = least
    return made


def _differences(
    name: str,
    reference: str,
    own: dict[str, Ratio],
    base: dict[str, Ratio],
    counts: NDArray[np.int16],
    patient: NDArray[np.int64],
) -> list[Difference]:
    ones = np.ones(len(patient))
    apart = {m: Ratio(own[m].numerator - base[m].numerator, own[m].denominator) for m in own}
    drawn = ratio_draws(counts, patient, ones, apart)
    made = []
    for metric, ratio in apart.items():
        value, before, gap = own[metric].value(ones), base[metric].value(ones), ratio.value(ones)
        assert value is not None
        assert before is not None
        assert gap is not None
        several = counts.shape[1] > 1  # every draw of one patient is that patient again
        ends, p = (interval(drawn[metric]), _p(drawn[metric])) if several else (None, None)
        made.append(Difference(name, reference, metric, value, before, gap, ends, p))
    return made


def _p(drawn: NDArray[np.float64]) -> float:
    smaller = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return float(min(1.0, 2 * (1 + smaller) / (1 + len(drawn))))


def _corrected(found: Sequence[Difference], primary: str) -> tuple[Difference, ...]:
    """Keep the p-values of the primary metric alone, corrected, and put it first."""
    first = [one for one in found if one.metric == primary]
    known = [one.p for one in first if one.p is not None]
    corrected = holm(known) if len(known) == len(first) else [None] * len(first)
    declared = [_with_p(one, one.p, p) for one, p in zip(first, corrected, strict=True)]
    return (*declared, *(_with_p(one, None, None) for one in found if one.metric != primary))


def _with_p(one: Difference, p: float | None, p_holm: float | None) -> Difference:
    values = (one.name, one.reference, one.metric, one.value, one.reference_value, one.difference, one.interval)
    return Difference(*values, p, p_holm)


def _names(diagnosers: Sequence[Evaluated]) -> list[str]:
    """Name each by what it calls itself, numbered where two are called the same."""
    names = [str(getattr(one, "name", type(one).__name__)) for one in diagnosers]
    return [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, 1)]
