"""What the `cases` table says of a person and cannot all be true: ages, sex, pregnancy. Loaded all the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diagnosis.records.checks import Fault

__all__ = ["odd_persons"]

_DAYS_A_YEAR = 365.25
# The youngest and oldest mothers reported are 5 and 74; outside these ages a slip of the pen is likelier.
_CHILDBEARING = (9.0, 60.0)


def odd_persons(cases: pa.Table) -> Iterator[Fault]:
    """Yield cases whose columns about the person contradict one another.

    Parameters
    ----------
    cases : pyarrow.Table
        Typed.
    """
    years, days = _number(cases, "age_years"), _number(cases, "age_days")
    apart = np.abs(days / _DAYS_A_YEAR - years) >= 1  # completed years are up to one year behind
    yield _fault("age_days", "is a year or more away from age_years; age_days is used", apart)
    expecting = _is(cases, "pregnant", "yes") | (_number(cases, "pregnancy_weeks") > 0)
    yield _fault("pregnant", "is yes, and sex is male", expecting & _is(cases, "sex", "male"))
    age = np.where(np.isnan(days), years, days / _DAYS_A_YEAR)
    says = f"is yes at an age below {_CHILDBEARING[0]:.0f} or above {_CHILDBEARING[1]:.0f} years"
    yield _fault("pregnant", says, expecting & ((age < _CHILDBEARING[0]) | (age > _CHILDBEARING[1])))
    weeks = _number(cases, "pregnancy_weeks")
    yield _fault("pregnancy_weeks", "is above 0, and pregnant is no", (weeks > 0) & _is(cases, "pregnant", "no"))
    yield _fault("sex", "is not the same in all cases of the patient", _two_sexes(cases))


def _fault(column: str, says: str, rows: npt.NDArray[np.bool_]) -> Fault:
    return Fault("odd_person", "cases", column, says, np.flatnonzero(rows))


def _number(cases: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """Return a column of numbers, nan where there is none."""
    if name not in cases.column_names:
        return np.full(len(cases), np.nan)
    return np.asarray(pc.fill_null(cases[name].cast(pa.float64()), np.nan))


def _is(cases: pa.Table, name: str, word: str) -> npt.NDArray[np.bool_]:
    """Tell which cases hold a word in a column."""
    if name not in cases.column_names:
        return np.zeros(len(cases), bool)
    return np.asarray(pc.fill_null(pc.equal(cases[name].cast(pa.string()), word), False))


def _two_sexes(cases: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell which cases are of a patient who is female in some and male in others."""
    none = np.zeros(len(cases), bool)
    if "patient_id" not in cases.column_names:
        return none
    sides = [_is(cases, "sex", word) for word in ("female", "male")]
    if not all(side.any() for side in sides):
        return none
    patient = cases["patient_id"].combine_chunks()
    if not pa.types.is_dictionary(patient.type):
        patient = patient.dictionary_encode()
    number = np.asarray(pc.fill_null(patient.indices, -1)).astype(np.int64)
    female, male = (np.unique(number[side & (number >= 0)]) for side in sides)
    return np.isin(number, female) & np.isin(number, male)
