"""The second reading of a differential: not which diagnosis it is, but which ones a doctor would keep on the list.

Where cases carry reference lists (`cases.differential`), a model of its own learns them as soft labels: a case stands
in training once for each listed diagnosis, weighted by the probability it has there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from sklearn.base import clone

from diagnosis.errors import InputError, UnknownNameError, nearest
from diagnosis.models.boosted import BoostedModel
from diagnosis.models.calibration import fit_temperature
from diagnosis.models.crossfit import fit_with_cross_scores
from diagnosis.models.files import read_json, write_json
from diagnosis.models.hybrid import HybridModel
from diagnosis.models.protocol import Model
from diagnosis.models.scoring import ScoreClassifier
from diagnosis.records import OTHER, Records, Rest

__all__ = [
    "READINGS",
    "Reading",
    "ReferenceReading",
    "SoftLabels",
    "Target",
    "asked_reading",
    "learn_reading",
    "read_reading",
    "soft_labels",
    "write_reading",
]

FloatArray = npt.NDArray[np.float64]

Reading = Literal["posterior", "differential"]
Target = Literal["posterior", "differential", "both"]
#: Which diagnosis is it; which ones would a doctor keep on the list.
READINGS = ("posterior", "differential")

_FILE, _KIND = "reading.json", "reading"


@dataclass(frozen=True, slots=True, eq=False)
class SoftLabels:
    """Reference lists as weighted labels, one row for each diagnosis of each list.

    Attributes
    ----------
    case : ndarray of int64
        Position of the row's case.
    diagnosis : ndarray of object
    weight : ndarray of float64
        The probability on the list, the list's own sum being 1.
    """

    case: npt.NDArray[np.int64]
    diagnosis: npt.NDArray[np.object_]
    weight: FloatArray

    def at(self, case: npt.NDArray[np.int64]) -> SoftLabels:
        """Return the lists of these cases, in this order; cases may repeat."""
        order = np.argsort(self.case, kind="stable")
        first = np.searchsorted(self.case[order], case, side="left")
        n_listed = np.searchsorted(self.case[order], case, side="right") - first
        row = np.repeat(np.arange(len(case)), n_listed)
        within = np.arange(len(row)) - np.repeat(np.cumsum(n_listed) - n_listed, n_listed)
        of = order[np.repeat(first, n_listed) + within]
        return SoftLabels(row, self.diagnosis[of], self.weight[of])

    @property
    def n_cases(self) -> int:
        """Number of cases with a list."""
        return len(np.unique(self.case))


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceReading:
    """What was learned of reference lists: a model with its own base, contributions and temperature.

    Attributes
    ----------
    model : Model
        Fitted.
    beta : float
        The temperature, chosen on out-of-fold scores.
    n_by_diagnosis : mapping of str to int
        Training cases on whose list each diagnosis stands.
    prior : ndarray of float64, shape (n_diagnoses,)
        Mean share of each diagnosis of the model on the lists.
    n_cases : int
        Training cases with a list.
    """

    model: Model
    beta: float
    n_by_diagnosis: dict[str, int]
    prior: FloatArray
    n_cases: int

    @property
    def classes(self) -> npt.NDArray[np.object_]:
        """The diagnoses it can list, sorted."""
        return np.asarray(self.model.classes_, dtype=object)


def soft_labels(records: Records, *, min_cases: int, rest: Rest) -> SoftLabels:
    """Take the reference lists from the records; rare diagnoses are pooled, dropped or refused as `rest` says.

    Parameters
    ----------
    records : Records
    min_cases : int
        A diagnosis on fewer lists is rare.
    rest : {"other", "drop", "error"}

    Raises
    ------
    InputError
        No case has a list, or there are rare diagnoses and `rest` is ``"error"``.
    """
    column = records.arrow("cases")["differential"].combine_chunks() if _has_lists(records) else None
    if column is None or not len(items := pc.list_flatten(column)):
        raise InputError(
            "the differential reading is learned from reference lists",
            "no case has one",
            "fill `cases.differential`, or learn the posterior alone (target posterior)",
        )
    case = np.asarray(pc.list_parent_indices(column)).astype(np.int64)
    weight = np.asarray(pc.struct_field(items, "probability"), dtype=np.float64)
    diagnosis = np.array(pc.struct_field(items, "diagnosis").to_pylist(), dtype=object)
    counted = np.flatnonzero(weight > 0)
    case, weight, diagnosis = case[counted], weight[counted], diagnosis[counted]
    rare = {name for name, n in Counter(diagnosis.tolist()).items() if n < min_cases}
    if rare and rest == "error":
        raise InputError(
            f"every listed diagnosis on at least {min_cases} reference lists",
            f"{len(rare)} stand on fewer",
            "lower min_cases, or pool them (rest other)",
        )
    is_rare = np.array([name in rare for name in diagnosis], dtype=bool)
    if rest == "other":
        diagnosis[is_rare] = OTHER
    else:
        case, weight, diagnosis = case[~is_rare], weight[~is_rare], diagnosis[~is_rare]
    total = np.bincount(case, weight, minlength=len(records))
    return SoftLabels(case, diagnosis, weight / total[case])


def learn_reading(
    soft: SoftLabels,
    X: Any,
    groups: npt.NDArray[Any],
    model: Model,
    *,
    weight: FloatArray | None,
    folds: int,
    seed: int,
    n_copies: int = 0,
) -> ReferenceReading:
    """Fit a model on soft labels, and choose its temperature on scores of patients it did not see.

    Parameters
    ----------
    soft : SoftLabels
    X : csr_matrix of shape (n_cases, n_columns)
    groups : ndarray of shape (n_cases,)
        The patient of each case.
    model : Model
        Unfitted.
    weight : ndarray of shape (n_cases,), optional
        Of each case.
    folds, seed : int
    n_copies : int
        So many of the last cases are masked copies: learned from, and not counted.
    """
    model = _for_lists(model)
    share = soft.weight if weight is None else soft.weight * weight[soft.case]
    y = soft.diagnosis.astype(str)
    fitted, oof = fit_with_cross_scores(
        model, X[soft.case], y, sample_weight=share, groups=groups[soft.case], folds=folds, seed=seed
    )
    classes = np.asarray(fitted.classes_, dtype=str)
    y_index = np.searchsorted(classes, y)
    own = soft.case < X.shape[0] - n_copies
    prior = np.bincount(y_index[own], share[own], minlength=len(classes))
    held = ~np.isnan(oof).any(axis=1)  # where the work is large one part of the cases has out-of-fold scores
    counts = Counter(y[own].tolist())
    return ReferenceReading(
        model=fitted,
        beta=fit_temperature(oof[held], y_index[held], share[held]),
        n_by_diagnosis={str(c): counts[str(c)] for c in classes},
        prior=prior / prior.sum(),
        n_cases=len(np.unique(soft.case[own])),
    )


def _for_lists(model: Model) -> Model:
    """Give a hybrid left to its defaults larger trees, hardly held back, and the full rounds of a boosted model alone.

    A list is kept by rule more than by chance: what is not on it is to come close to nothing, and the rows of a case
    weigh its shares, which a penalty meant for whole cases outweighs. Cross-validated on 3,380 DDXPlus patients, 63
    leaves brought the lists from an F1 of .960 to .982 and the log-loss from .615 to .605, at the same number of trees.
    """
    if not isinstance(model, HybridModel) or model.boosted is not None:
        return model
    boosted = BoostedModel(
        leaves=63, min_cases_leaf=5, lambda_l2=0.03, min_hessian=3e-4, seed=model.seed, n_jobs=model.n_jobs
    )
    made: Model = clone(model).set_params(boosted=boosted)
    return made


def asked_reading(name: str, learned: ReferenceReading | None) -> ReferenceReading:
    """Return the reading beside the posterior that is asked for by name.

    Raises
    ------
    UnknownNameError
        There is none of that name, or it was not learned.
    """
    if name == READINGS[1] and learned is not None:
        return learned
    known = READINGS if learned is not None else READINGS[:1]
    raise UnknownNameError(
        f"a reading this model has learned: {', '.join(known)}",
        f"asked for {name!r}",
        "ask for one of these; the differential is learned from reference lists (target differential or both)",
        near=nearest(name, known),
    )


def write_reading(reading: ReferenceReading, folder: Path) -> None:
    """Write `reading.json` and the model's files."""
    folder.mkdir()
    reading.model.to_files(folder)
    plain = {
        "kind": _KIND,
        "format": 1,
        "beta": reading.beta,
        "n_by_diagnosis": reading.n_by_diagnosis,
        "prior": reading.prior.tolist(),
        "n_cases": reading.n_cases,
    }
    write_json(folder / _FILE, plain)


def read_reading(folder: Path, model: type[ScoreClassifier]) -> ReferenceReading | None:
    """Read what `write_reading` wrote; None where there is no such folder.

    Raises
    ------
    BundleError
        A file of it is damaged or of another model.
    """
    if not folder.is_dir():
        return None
    plain = read_json(folder / _FILE, _KIND)
    return ReferenceReading(
        model=model.from_files(folder),
        beta=float(plain["beta"]),
        n_by_diagnosis=dict(plain["n_by_diagnosis"]),
        prior=np.array(plain["prior"], dtype=np.float64),
        n_cases=int(plain["n_cases"]),
    )


def _has_lists(records: Records) -> bool:
    return "differential" in records.arrow("cases").column_names
