"""The second reading of a differential: not which diagnosis it is, but which ones a doctor would keep on the list.

Where cases carry reference lists (`cases.differential`), a model of its own learns them as soft labels: a case stands
in training once for each listed diagnosis, weighted by the probability it has there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from diagnosis.errors import InputError, UnknownNameError, nearest
from diagnosis.models.files import read_json, write_json
from diagnosis.models.protocol import Model
from diagnosis.models.registry import MODELS
from diagnosis.records import OTHER, Records, Rest

__all__ = [
    "READINGS",
    "Reading",
    "ReferenceReading",
    "SoftLabels",
    "Target",
    "asked_reading",
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
        The temperature, chosen on out-of-fold scores: with it the lists come nearest to those of reference.
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
        "model": next((name for name, kind in MODELS.items() if type(reading.model) is kind), None),
        "beta": reading.beta,
        "n_by_diagnosis": reading.n_by_diagnosis,
        "prior": reading.prior.tolist(),
        "n_cases": reading.n_cases,
    }
    write_json(folder / _FILE, plain)


def read_reading(folder: Path, posterior: str) -> ReferenceReading | None:
    """Read what `write_reading` wrote; None where there is no such folder.

    Releases before learned it by the kind of model that the posterior has, and did not name it.

    Raises
    ------
    BundleError
        A file of it is damaged or of another model.
    """
    if not folder.is_dir():
        return None
    plain = read_json(folder / _FILE, _KIND)
    return ReferenceReading(
        model=MODELS[plain.get("model") or posterior].from_files(folder),
        beta=float(plain["beta"]),
        n_by_diagnosis=dict(plain["n_by_diagnosis"]),
        prior=np.array(plain["prior"], dtype=np.float64),
        n_cases=int(plain["n_cases"]),
    )


def _has_lists(records: Records) -> bool:
    return "differential" in records.arrow("cases").column_names
