"""Fitting, step by step, as pure functions: records in, everything a diagnoser has learned out."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from diagnosis.errors import InputError
from diagnosis.features import FindingEncoder
from diagnosis.features.context import DAYS_PER_YEAR
from diagnosis.models.crossfit import fit_with_cross_scores
from diagnosis.models.protocol import Model
from diagnosis.models.ranker import RankerModel
from diagnosis.records import Pooling, Records, Rest, pool
from diagnosis.records.labels import OTHER, confirmed_diagnoses
from diagnosis.suggestions.inputs import ages_in_days
from diagnosis.suggestions.knowledge_table import knowledge_of
from diagnosis.suggestions.masking import Masking, wants_copies, with_copies
from diagnosis.suggestions.precedents import confirmed_by
from diagnosis.suggestions.structure import with_columns

__all__ = ["Labelled", "OutOfFold", "confirmed_as_named", "describe", "label", "learn"]

FloatArray = npt.NDArray[np.float64]

_LEAST_PLACE = 20
# Days. Above 89 years an age may point at a person; the highest that a person reached is below 123 years.
_MONTH, _OLD, _ANY_AGE = DAYS_PER_YEAR / 12, 90 * DAYS_PER_YEAR, 123 * DAYS_PER_YEAR


@dataclass(frozen=True, slots=True)
class Labelled:
    """The cases to learn from, each with the diagnosis it is learned as; and all that were given, with their places.

    `also` holds the diagnoses, named likewise, that each case has by its confirmed judgements; None: there are none.
    """

    records: Records
    y: npt.NDArray[np.object_]
    groups: npt.NDArray[np.object_]
    pooling: Pooling
    n_unlabelled: int
    given: Records
    rows: npt.NDArray[np.intp]
    also: tuple[tuple[str, ...], ...] | None = None

    def also_at(self, case: npt.NDArray[np.int64]) -> list[tuple[str, ...]] | None:
        """Return the further diagnoses of some of the cases, in their order."""
        return None if self.also is None else [self.also[i] for i in case.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Scores of cases by models that saw no case of their patient.

    Attributes
    ----------
    scores : ndarray of shape (n_rows, n_diagnoses)
        nan in the rows of cases that no model was held back from.
    case : ndarray of int64, shape (n_rows,)
        Which labelled case each row is: first all of them in order, then masked copies of some, if there are any.
    weight : ndarray of shape (n_rows,), optional
        None: all count the same.
    """

    scores: FloatArray
    case: npt.NDArray[np.int64]
    weight: FloatArray | None

    @property
    def n_copies(self) -> int:
        """Rows that are masked copies."""
        return len(self.case) - int(self.case.max(initial=-1)) - 1


def label(
    records: Records,
    y: npt.NDArray[Any],
    groups: npt.NDArray[Any],
    min_cases: int,
    rest: Rest,
) -> Labelled:
    """Drop cases without a diagnosis, and pool the rare ones."""
    y = np.asarray(y, dtype=object)
    if y.shape != (len(records),):
        raise InputError(
            f"one label for each of {len(records):,} cases", f"found an array of shape {y.shape}", "give one each"
        )
    has = np.array([one is not None and one == one for one in y], dtype=bool)
    if not has.any():
        raise InputError(
            "cases with a confirmed principal diagnosis to learn from",
            f"none of {len(records):,} cases has one",
            "fill `cases.diagnosis`, or `labels` with role principal and a status the label rule takes",
        )
    pooling = pool(np.array([str(one) for one in y[has]], dtype=object), min_cases, rest)
    named = np.full(len(y), None, object)
    named[has] = pooling.apply(np.array([str(one) for one in y[has]], dtype=object))
    keep = np.array([one is not None for one in named])
    n_unlabelled, rows = int((~has).sum()), np.flatnonzero(keep)
    own = np.asarray(groups, object)[keep]
    also = confirmed_as_named(records[keep], pooling.pooled if rest == "other" else frozenset())
    return Labelled(records[keep], named[keep], own, pooling, n_unlabelled, records, rows, also)


def confirmed_as_named(records: Records, pooled: frozenset[str]) -> tuple[tuple[str, ...], ...] | None:
    """Every confirmed diagnosis of each case, pooled ones as `OTHER`; None where the records tell of none."""
    found = confirmed_diagnoses(records)
    if found is None or not any(found):
        return None
    return tuple(tuple(OTHER if one in pooled else one for one in codes) for codes in found)


def learn(
    labelled: Labelled,
    encoder: FindingEncoder,
    model: Model,
    *,
    weight: FloatArray | None,
    folds: int,
    seed: int,
    masking: Masking = "auto",
) -> tuple[FindingEncoder, Model, OutOfFold]:
    """Encode and fit, and score every case by a model that did not see it; encoder and model come unfitted.

    The encoder sees all training cases before they are folded: it reads no label, only which codes are recorded and how
    values are spread.
    """
    if encoder.windows:  # encounters without a diagnosis are part of a patient's past all the same
        X = encoder.fit(labelled.records).transform(labelled.given)[labelled.rows]
    else:
        X = encoder.fit_transform(labelled.records)
    model = with_columns(model, encoder, labelled.records.vocabulary)
    case: npt.NDArray[np.int64] = np.arange(X.shape[0])
    if isinstance(model, RankerModel) and model.knowledge is None:
        recorded = X.getnnz(axis=0) / X.shape[0]
        told = knowledge_of(labelled.records, encoder, recorded, labelled.pooling.pooled)
        model = clone(model).set_params(knowledge=told)
    if wants_copies(masking, labelled.records):
        both = with_copies(X, labelled.given, labelled.rows, encoder, seed, masking)
        X, case, weight = both.X, both.case, both.weight * (1.0 if weight is None else weight[both.case])
    fitted, scores = fit_with_cross_scores(
        model,
        X,
        labelled.y[case].astype(str),
        sample_weight=weight,
        groups=labelled.groups[case],
        also=labelled.also_at(case),
        folds=folds,
        seed=seed,
    )
    return encoder, fitted, OutOfFold(scores, case, weight)


def describe(labelled: Labelled, classes: npt.NDArray[Any]) -> dict[str, Any]:
    """What a reader must know about the training cases: counts, prevalence by site and setting, ages, versions."""
    records, y = labelled.records, labelled.y
    ages = ages_in_days(records)
    ages = ages[np.isfinite(ages)]
    counts = Counter(y)
    return {
        "n_cases": len(records),
        "n_patients": len(set(labelled.groups)),
        "n_unlabelled": labelled.n_unlabelled,
        "n_by_diagnosis": {str(c): counts[c] for c in classes},
        "confirmed_by": confirmed_by(records, y),
        "pooled": sorted(labelled.pooling.pooled),
        "prevalence": {by: _prevalence(records.column(by), y, classes) for by in ("site", "setting")},
        "n_by_place": {by: _counted(records.column(by)) for by in ("site", "setting")},
        "age_days": _age_range(ages) if len(ages) else None,
        "synthetic": bool(records.info.get("synthetic", False)),
        "source": records.info.get("source"),
        "sampling": records.info.get("sampling"),
        "data_digest": records.digest(),
        "versions": {p: version(p) for p in ("diagnosis", "numpy", "scipy", "scikit-learn", "lightgbm")},
    }


def _age_range(ages: FloatArray) -> list[float]:
    """Return the youngest and the oldest age, days: whole years outward, months below one, none above 89 years."""
    low, high = float(ages.min()), float(ages.max())
    low_step, high_step = (_MONTH if age < DAYS_PER_YEAR else DAYS_PER_YEAR for age in (low, high))
    up = math.ceil(high / high_step) * high_step
    return [low // low_step * low_step, up if up < _OLD else _ANY_AGE]


def _prevalence(
    places: npt.NDArray[np.object_], y: npt.NDArray[np.object_], classes: npt.NDArray[Any]
) -> dict[str, dict[str, float]]:
    """Share of each diagnosis at each place; places with fewer than 20 cases are left out."""
    made = {}
    for place in sorted({p for p in places if p is not None}):
        here = Counter(y[places == place])
        n = sum(here.values())
        if n >= _LEAST_PLACE:
            made[str(place)] = {str(c): here[c] / n for c in classes if here[c]}
    return made


def _counted(places: npt.NDArray[np.object_]) -> dict[str, int]:
    """Training cases at each place that `_prevalence` speaks of."""
    counts = Counter(str(p) for p in places if p is not None)
    return {place: n for place, n in sorted(counts.items()) if n >= _LEAST_PLACE}
