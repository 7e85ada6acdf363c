"""What cases record of each finding, as a table of plain cells: a number, a word, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnosis.features import FindingEncoder, Lineage, ValueScale, finding_key

if TYPE_CHECKING:
    from diagnosis.records import Records

__all__ = ["observed_cells", "value_of"]

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[np.object_]

_STATES = np.array(["present", "absent", "uncertain"], dtype=object)
_DAYS_PER_YEAR = 365.25


def value_of(scale: ValueScale, scaled: FloatArray) -> FloatArray:
    """Values in the scale's unit, cut to what training has seen, from scaled ones."""
    value = scaled * scale.scale + scale.centre
    if scale.knee is not None:
        value = np.sign(value) * scale.knee * np.expm1(np.minimum(np.abs(value), 700.0))
    return np.clip(value, scale.low, scale.high)


def observed_cells(records: Records, encoder: FindingEncoder, X: sparse.csr_matrix) -> ObjectArray:
    """Return what each case records of each of the encoder's findings.

    Parameters
    ----------
    records : Records
    encoder : FindingEncoder
    X : csr_matrix of shape (n_cases, n_columns)
        The same cases, encoded.

    Returns
    -------
    ndarray of object, shape (n_cases, n_keys)
        A float where a value was measured, in the encoder's unit and cut to what training has seen; otherwise a text,
        or ``present``, ``absent``, ``uncertain``; age in years; None where nothing is recorded.
    """
    lineage = encoder.lineage_
    found = np.full((len(records), len(lineage.keys)), None, dtype=object)
    _states(found, records, lineage)
    place = {str(key): i for i, key in enumerate(lineage.keys.tolist()) if not lineage.context[i]}
    scaled = sparse.csc_matrix(X, dtype=np.float64)
    for column in np.flatnonzero(lineage.state == "value").tolist():
        at = int(lineage.finding[column])
        measured = np.array([cell == "present" for cell in found[:, at]], dtype=bool)
        if (key := str(lineage.keys[at])) in encoder.values_ and place.get(key) == at:
            values = value_of(encoder.values_[key], scaled[:, [column]].toarray().ravel())
            used = np.flatnonzero((lineage.state == "measured") & (lineage.finding == at))
            has = scaled[:, used].toarray().any(axis=1) if len(used) else _measured(records, lineage, at)
            found[measured & has, at] = values[measured & has]
    for at in np.flatnonzero(lineage.context & ~lineage.history).tolist():
        found[:, at] = _context(records, str(lineage.keys[at]))
    return found


def _states(found: ObjectArray, records: Records, lineage: Lineage) -> None:
    """Write the state or the text of every row that counts."""
    coded = records.coded
    own = {str(key): i for i, key in enumerate(lineage.keys.tolist()) if not lineage.context[i]}
    rows = np.flatnonzero(coded.latest)
    for row in rows.tolist():
        subject = None if coded.subject[row] < 0 else str(coded.subjects[coded.subject[row]])
        at = own.get(finding_key(str(coded.codes[coded.code[row]]), subject))
        if at is not None:
            said = str(_STATES[coded.status[row]])
            text = coded.text[row] >= 0 and said == "present"
            found[coded.case[row], at] = str(coded.texts[coded.text[row]]) if text else said


def _measured(records: Records, lineage: Lineage, at: int) -> npt.NDArray[np.bool_]:
    """Which cases have a number in the row of a finding that counts."""
    coded, subject = records.coded, lineage.key_subject[at]
    own = coded.latest & np.isfinite(coded.value) & (coded.codes[coded.code] == lineage.key_code[at])
    said = np.full(len(coded), None, dtype=object)
    said[coded.subject >= 0] = coded.subjects[coded.subject[coded.subject >= 0]]
    said[said == "patient"] = None
    found = np.zeros(len(records), bool)
    found[coded.case[own & (said == subject)]] = True
    return found


def _context(records: Records, part: str) -> ObjectArray:
    """Age in years, or the word of the column."""
    if part == "age":
        days, years = (np.asarray(records.column(name), dtype=np.float64) for name in ("age_days", "age_years"))
        age = np.where(np.isfinite(days), days / _DAYS_PER_YEAR, years)
        return np.array([float(one) if np.isfinite(one) else None for one in age], dtype=object)
    said = records.column(part)
    return np.array([None if one in (None, "unknown") else str(one) for one in said], dtype=object)
